//! IMAP URLs relative to the own account (RFC 5092 §7, as RFC 4469 §3 uses them).

use super::cursor::Cursor;
use super::fetch;
use crate::grammar::command::{Item, Portion, Section, SectionName};
use crate::names::{MailboxName, Names};

/// A message, or a section of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageUrl {
    /// `None`: the selected mailbox.
    pub(crate) mailbox: Option<MailboxName>,
    pub(crate) uid_validity: Option<u32>,
    pub(crate) uid: u32,
    pub(crate) section: Section,
}

/// `"/" enc-mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number ["/;SECTION=" enc-section]
/// ["/;PARTIAL=" number ["." nz-number]]`, without a mailbox from `";UID="` on. Keywords in any
/// case. `None` for everything else, absolute URLs included.
pub(crate) fn message_url(url: &[u8]) -> Option<MessageUrl> {
    let url = std::str::from_utf8(url).ok()?;
    let at = find(url, ";UID=")?;
    let place = url[..at].strip_suffix('/').unwrap_or(&url[..at]);
    let mut rest = url[at..].split('/');
    let uid = number(value(rest.next()?, ";UID=")?)?;
    let mut section = None;
    let mut partial = None;
    for part in rest {
        if let Some(text) = value(part, ";SECTION=") {
            section = Some(text);
        } else {
            partial = Some(range(value(part, ";PARTIAL=")?)?);
        }
    }
    let mut section = parse_section(&decoded(section.unwrap_or_default())?)?;
    section.partial = partial;
    let (mailbox, uid_validity) = match place.strip_prefix('/') {
        None if place.is_empty() => (None, None),
        None => return None,
        // Two: a server's name follows.
        Some(place) if place.starts_with('/') => return None,
        Some(place) => {
            let (name, validity) = match find(place, ";UIDVALIDITY=") {
                Some(at) => (&place[..at], Some(number(value(&place[at..], ";UIDVALIDITY=")?)?)),
                None => (place, None),
            };
            (Some(MailboxName::parse(&decoded(name)?, Names::Utf8)?), validity)
        }
    };
    Some(MessageUrl { mailbox, uid_validity, uid, section })
}

/// Where `keyword` (upper case) stands, in any case.
fn find(text: &str, keyword: &str) -> Option<usize> {
    text.to_ascii_uppercase().find(keyword)
}

fn value<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let (start, value) = text.split_at_checked(keyword.len())?;
    start.eq_ignore_ascii_case(keyword).then_some(value)
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?.filter(|&number| number > 0)
}

/// `number ["." nz-number]`
fn range(text: &str) -> Option<(u64, u64)> {
    let (offset, length) = text.split_once('.').map_or((text, None), |(offset, rest)| (offset, Some(rest)));
    let length = length.map_or(Some(u64::MAX), |length| number(length).map(u64::from))?;
    Some((u64::from(offset.parse::<u32>().ok()?), length))
}

/// Resolves `%` and two hexadecimal digits.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        bytes.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = &tail[2..];
    }
    Some(bytes)
}

/// `section-spec`, or nothing for the whole message.
fn parse_section(text: &[u8]) -> Option<Section> {
    if text.is_empty() {
        let (name, path) = (SectionName::Body, Vec::new());
        return Some(Section { name, path, portion: Portion::All, partial: None, peek: true });
    }
    let bracketed = [b"[", text, b"]"].concat();
    let mut cursor = Cursor::new(&bracketed);
    match fetch::section(&mut cursor, SectionName::Body, true).ok()? {
        Item::Section(section) if cursor.is_at_end() => Some(section),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        let check = |url: &str, expected: Option<&str>| {
            let found = message_url(url.as_bytes()).map(|url| {
                let name = url.mailbox.as_ref().map_or("(selected)", MailboxName::as_str).to_owned();
                let mut section = Vec::new();
                crate::body::write_name(&mut section, &url.section);
                let section = String::from_utf8(section).expect("ASCII");
                format!("{name} {} {} {section}", url.uid_validity.unwrap_or(0), url.uid)
            });
            assert_eq!(found.as_deref(), expected, "{url}");
        };
        // RFC 4469 appendix A
        let url = "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER";
        check(url, Some("Drafts 385759045 20 BODY[HEADER]"));
        check(
            "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME",
            Some("Drafts 385759045 20 BODY[1.MIME]"),
        );
        check("/Drafts;UIDVALIDITY=385759045/;UID=30", Some("Drafts 385759045 30 BODY[]"));
        check("/;UID=5/;SECTION=1.2", Some("(selected) 0 5 BODY[1.2]"));
        check(";UID=5/;SECTION=1.2", Some("(selected) 0 5 BODY[1.2]"));
        check("/Entw%C3%BCrfe/R%26D/;uid=7", Some("Entw\u{fc}rfe/R&D 0 7 BODY[]"));
        check(
            "/inbox/;UID=1/;SECTION=HEADER.FIELDS%20(From%20To)/;PARTIAL=5.10",
            Some("INBOX 0 1 BODY[HEADER.FIELDS (From To)]<5>"),
        );
        check("/a/;UID=1/;PARTIAL=5", Some("a 0 1 BODY[]<5>"));
        for url in [
            "imap://joe@example.com/INBOX/;UID=20",
            "//example.com/INBOX/;UID=20",
            "INBOX/;UID=20",
            "/INBOX",
            "/INBOX/;UID=0",
            "/INBOX/;UID=x",
            "/INBOX/;UID=1/;SECTION=nonsense",
            "/INBOX/;UID=1/;SECTION=1]x",
            "/INBOX/;UID=1/;URLAUTH=anonymous",
            "/INBOX/;UID=1/;PARTIAL=1.0",
            "/IN%zzBOX/;UID=1",
            "/IN%0aBOX/;UID=1",
            "/IN%",
            "",
        ] {
            check(url, None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_none(text in "[/;a-zA-Z%=.0-9\u{fc}]{0,30}", tail in "[/;UIDSECTION=.1-9%]{0,20}") {
            let _ = message_url(format!("{text}/;UID=1{tail}").as_bytes());
            let _ = message_url(text.as_bytes());
        }
    }
}
