//! Names, reading and writing of the XML that WebDAV speaks.

mod multistatus;
mod reader;
mod writer;

use std::fmt;

pub(crate) use multistatus::{Multistatus, PropStat, propstat, status_line};
pub(crate) use reader::{Document, Element, MAX_DOCUMENT, Malformed};
pub(crate) use writer::Xml;

pub(crate) const DAV: &str = "DAV:";
/// RFC 4791
pub(crate) const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// Conditions that no RFC has.
pub(crate) const TWINHUB: &str = "urn:twinhub:dav";
/// RFC 6352
pub(crate) const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
/// Apple's calendar server
pub(crate) const CALENDAR_SERVER: &str = "http://calendarserver.org/ns/";
/// Apple's calendar programs
pub(crate) const APPLE: &str = "http://apple.com/ns/ical/";
/// What ownCloud and Nextcloud clients ask for.
pub(crate) const OWNCLOUD: &str = "http://owncloud.org/ns";
/// What Windows sets on files it has copied.
pub(crate) const MICROSOFT: &str = "urn:schemas-microsoft-com:";

/// Prefixes that an answer declares once, on its root. `D` is not a matter of taste: some old clients
/// look for `D:` as text.
pub(crate) const PREFIXES: &[(&str, &str)] = &[
    ("D", DAV),
    ("C", CALDAV),
    ("CARD", CARDDAV),
    ("CS", CALENDAR_SERVER),
    ("IC", APPLE),
    ("oc", OWNCLOUD),
    ("Z", MICROSOFT),
];

/// An expanded name (XML Names §2.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    namespace: String,
    local: String,
}

impl Name {
    pub(crate) fn new(namespace: &str, local: &str) -> Self {
        Self { namespace: namespace.to_owned(), local: local.to_owned() }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn local(&self) -> &str {
        &self.local
    }

    pub(crate) fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }

    pub(crate) fn is_dav(&self, local: &str) -> bool {
        self.is(DAV, local)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local)
    }
}

/// Text as it stands between tags or in an attribute; what XML cannot say becomes U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(&mut out, text);
    out
}

/// The same, into what is being written. Whole calendars go through here: what needs no escape is copied
/// in runs.
pub(crate) fn escape_into(out: &mut String, text: &str) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        // Bytes of longer characters but for U+FFFE and U+FFFF, which begin with 0xEF, are fine.
        if matches!(byte, b'\t' | b'\n' | b' '..=0xee | 0xf0..) && !matches!(byte, b'<' | b'>' | b'&' | b'"')
        {
            continue;
        }
        let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else { continue };
        let escape = match character {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '"' => "&quot;",
            // Else a parser makes a line feed of it (XML 1.0 §2.11).
            '\r' => "&#13;",
            other if is_char(other) => continue,
            _ => "\u{fffd}",
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + character.len_utf8();
    }
    out.push_str(&text[from..]);
}

/// XML 1.0 §2.2: `Char ::= #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]`
pub(crate) fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Whatever the text, a parser reads it back.
        #[test]
        fn any_text_comes_back(text in "[ -~\r\n\u{80}-\u{ffff}]{0,40}") {
            let document = format!("<a>{}</a>", escaped(&text));
            let read = Document::read(document.as_bytes()).expect("well-formed");
            let expected: String = text.chars().map(|c| if is_char(c) { c } else { '\u{fffd}' }).collect();
            proptest::prop_assert_eq!(read.root.text, expected);
        }
    }
}
