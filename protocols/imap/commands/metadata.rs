//! GETMETADATA and SETMETADATA (RFC 5464). State: Authenticated, Selected.

use std::collections::BTreeSet;

use hub::{Annotation, METADATA_VALUE, MailboxId};

use super::{Failure, Outcome};
use crate::conversation::Conversation;
use crate::encode::{self, Buffer};
use crate::grammar::command::{Depth, GetMetadata, SetMetadata};
use crate::names::{MailboxName, Names};
use crate::status::Reply;

/// RFC 5464 §4.2.
pub(super) async fn get(c: &mut Conversation, get: &GetMetadata) -> Outcome {
    let of = annotated(c, get.mailbox.as_ref()).await?;
    let user = c.session.user()?;
    let annotations = user.account.messages().metadata(of).await?;
    let mut found = choose(&annotations, &get.entries, get.depth);
    // RFC 5464 §4.2.1
    let too_long = |found: &(&str, Option<&[u8]>)| {
        let length = found.1.map_or(0, |value| value.len() as u64);
        Some(length).filter(|length| get.max_size.is_some_and(|most| *length > most))
    };
    let longest = found.iter().filter_map(too_long).max();
    found.retain(|found| too_long(found).is_none());
    let path = get.mailbox.as_ref().map_or("", MailboxName::as_str);
    write(&mut c.link.out, path, &found, user.names);
    let reply = Reply::ok("That is all");
    Ok(match longest {
        Some(longest) => reply.with_code(format!("METADATA LONGENTRIES {longest}")),
        None => reply,
    })
}

/// RFC 5464 §4.3.
pub(super) async fn set(c: &mut Conversation, set: SetMetadata) -> Outcome {
    let of = annotated(c, set.mailbox.as_ref()).await?;
    let user = c.session.user()?;
    let entries: Vec<String> = set.values.iter().map(|(entry, _)| entry.clone()).collect();
    match user.account.messages().set_metadata(of, set.values).await {
        Ok(()) => {
            user.changed_metadata(of, &entries);
            Ok(Reply::ok("Set"))
        }
        Err(hub::Error::TooLarge { .. }) => Err(Reply::no("METADATA", "The value is too large")
            .with_code(format!("METADATA MAXSIZE {METADATA_VALUE}"))
            .into()),
        Err(hub::Error::Limit(_)) => {
            Err(Reply::no("METADATA TOOMANY", "There are too many annotations").into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The mailbox with this name; the empty name is the account.
async fn annotated(c: &mut Conversation, name: Option<&MailboxName>) -> Result<Option<MailboxId>, Failure> {
    let Some(name) = name else { return Ok(None) };
    Ok(Some(c.session.user()?.account.messages().mailbox(name.as_str()).await?.id))
}

/// What the asked entries name: without depth themselves, with NIL if they have no value; else what is
/// there of them and below (RFC 5464 §4.2.2).
pub(super) fn choose<'a>(
    annotations: &'a [Annotation],
    asked: &'a [String],
    depth: Depth,
) -> Vec<(&'a str, Option<&'a [u8]>)> {
    if depth == Depth::Itself {
        let asked: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
        let value =
            |entry: &str| annotations.iter().find(|(name, _)| name == entry).map(|(_, v)| v.as_slice());
        return asked.into_iter().map(|entry| (entry, value(entry))).collect();
    }
    let is_below = |name: &str, entry: &str| {
        name.strip_prefix(entry).is_some_and(|rest| {
            let levels = rest.matches('/').count();
            rest.is_empty() || rest.starts_with('/') && (depth == Depth::All || levels == 1)
        })
    };
    let wanted = |(name, _): &&Annotation| asked.iter().any(|entry| is_below(name, entry));
    annotations.iter().filter(wanted).map(|(name, value)| (name.as_str(), Some(value.as_slice()))).collect()
}

/// `* METADATA mailbox (entry value …)`, if there is any.
pub(super) fn write(out: &mut Buffer, path: &str, found: &[(&str, Option<&[u8]>)], names: Names) {
    if found.is_empty() {
        return;
    }
    out.extend_from_slice(b"* METADATA ");
    encode::mailbox(out, path, names);
    for (n, (entry, value)) in found.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b" (" } else { b" " });
        encode::astring(out, entry);
        out.push(b' ');
        match value {
            None => out.extend_from_slice(b"NIL"),
            // A NUL only goes into a literal8 (RFC 3516 §4.4).
            Some(value) if value.contains(&0) => {
                out.push(b'~');
                encode::literal(out, value);
            }
            Some(value) => encode::string(out, value),
        }
    }
    out.extend_from_slice(b")\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_chooses_levels() {
        let annotations: Vec<Annotation> = ["/private/a", "/private/a/b", "/private/a/b/c", "/private/ab"]
            .map(|entry| (entry.to_owned(), entry.as_bytes().to_vec()))
            .into();
        let check = |asked: &[&str], depth: Depth, expected: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|&entry| entry.to_owned()).collect();
            let found: Vec<_> =
                choose(&annotations, &asked, depth).into_iter().map(|found| found.0).collect();
            assert_eq!(found, expected, "{asked:?} {depth:?}");
        };
        check(&["/private/a"], Depth::Itself, &["/private/a"]);
        check(&["/private/x", "/private/x"], Depth::Itself, &["/private/x"]);
        check(&["/private/a"], Depth::Children, &["/private/a", "/private/a/b"]);
        check(&["/private/a"], Depth::All, &["/private/a", "/private/a/b", "/private/a/b/c"]);
        check(&["/private"], Depth::Children, &["/private/a", "/private/ab"]);
        check(&["/private/x"], Depth::All, &[]);
    }
}
