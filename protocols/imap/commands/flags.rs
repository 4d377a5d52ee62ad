//! Flags and keywords: names ↔ bits, and the FLAGS response that comes before a keyword is used.

use hub::{Flags, Keywords};
use tracing::warn;

use crate::encode::{Buffer, SYSTEM_FLAGS};
use crate::grammar::command::FlagList;
use crate::session::{Selected, User};
use crate::status::Reply;

/// Keywords that every mailbox announces, whether or not a message has them: Thunderbird uses
/// `$Forwarded` and `$MDNSent` only if it may set them, and `$Junk` and `$NotJunk` only if both are in
/// FLAGS (RFC 5788 and its registry).
const COMMON_KEYWORDS: [&str; 5] = ["$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing"];

/// `* FLAGS (…)` and `* OK [PERMANENTFLAGS (…)]`.
pub(super) fn write_flags(out: &mut Buffer, keywords: &Keywords, read_only: bool) {
    out.extend_from_slice(b"* FLAGS (");
    write_names(out, keywords);
    out.extend_from_slice(b")\r\n* OK [PERMANENTFLAGS (");
    if !read_only {
        write_names(out, keywords);
        // Without \* Thunderbird drops tags, $Forwarded and $MDNSent.
        if keywords.0.len() < Flags::MAX_KEYWORDS {
            out.extend_from_slice(b" \\*");
        }
    }
    out.extend_from_slice(b")] These flags are kept\r\n");
}

fn write_names(out: &mut Buffer, keywords: &Keywords) {
    let system = SYSTEM_FLAGS.iter().map(|(_, name)| name.trim_ascii_end());
    let known = keywords.0.iter().map(String::as_bytes);
    let missing = COMMON_KEYWORDS
        .iter()
        .filter(|common| !keywords.0.iter().any(|name| name.eq_ignore_ascii_case(common)))
        .map(|name| name.as_bytes());
    for (n, name) in system.chain(known).chain(missing).enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name);
    }
}

/// Announces keywords that are among `flags` and that the client has not heard of yet: a FETCH
/// response must not be the first to name one (RFC 9051 §7.3.5; imaptest checks it).
pub(crate) async fn announce(user: &mut User, selected: &mut Selected, flags: Flags, out: &mut Buffer) {
    let Some(highest) = flags.keyword_positions().last() else { return };
    if highest < selected.announced_keywords {
        return;
    }
    if highest >= user.keywords.0.len() {
        match user.account.messages().keywords().await {
            Ok(keywords) => user.keywords = keywords,
            // Then the keyword is left out of FETCH until it can be read.
            Err(error) => return warn!(%error, "cannot read keyword names"),
        }
    }
    selected.announced_keywords = user.keywords.0.len();
    write_flags(out, &user.keywords, selected.read_only);
}

/// The bits of the flags that a client named; keywords are made up if `create`.
pub(super) async fn bits(user: &User, list: &FlagList, create: bool) -> Result<Flags, Reply> {
    if list.keywords.is_empty() {
        return Ok(list.system);
    }
    let names: Vec<&str> = list.keywords.iter().map(String::as_str).collect();
    let keywords = user.account.messages().keyword_flags(&names, create).await?;
    Ok(list.system | keywords)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thunderbird_finds_what_it_looks_for() {
        let mut out = Vec::new();
        write_flags(&mut out, &Keywords(vec!["work".into(), "$junk".into()]), false);
        assert_eq!(
            String::from_utf8(out).expect("ASCII"),
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work $junk $Forwarded $MDNSent $NotJunk \
             $Phishing)\r\n\
             * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work $junk $Forwarded $MDNSent \
             $NotJunk $Phishing \\*)] These flags are kept\r\n"
        );
        let full = Keywords((0..Flags::MAX_KEYWORDS).map(|n| format!("k{n}")).collect());
        let mut out = Vec::new();
        write_flags(&mut out, &full, false);
        assert!(!String::from_utf8(out).expect("ASCII").contains("\\*"), "no more can be made");
        let mut out = Vec::new();
        write_flags(&mut out, &Keywords::default(), true);
        assert!(String::from_utf8(out).expect("ASCII").contains("[PERMANENTFLAGS ()]"));
    }
}
