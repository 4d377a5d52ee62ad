//! The values of an ENVELOPE that SORT and THREAD go by, read back from its wire bytes.

use crate::reader::Reader;
use crate::words::decode_words;

/// What an ENVELOPE says of whom a message is from and to, and of its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondents {
    pub from: FirstAddress,
    pub to: FirstAddress,
    pub cc: FirstAddress,
    /// The Message-ID field, decoded, angle brackets and all: what SEARCH HEADER Message-ID looks at.
    pub message_id: String,
}

/// The first address of a list; empty texts if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstAddress {
    /// `addr-mailbox` (RFC 5256 §3, FROM).
    pub mailbox: String,
    /// The name to show (RFC 5957 §3).
    pub display: String,
}

/// Reads an ENVELOPE that the scanner has written; what it has not written reads as empty.
pub fn correspondents(envelope: &[u8]) -> Correspondents {
    read(envelope).unwrap_or_default()
}

/// `envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
/// env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"`
fn read(envelope: &[u8]) -> Option<Correspondents> {
    let mut reader = Reader::new(envelope);
    let mut values: [&[u8]; 10] = [b""; 10];
    reader.take(b'(');
    for value in &mut values {
        *value = reader.value()?;
        reader.take(b' ');
    }
    let [_, _, from, _, _, to, cc, _, _, message_id] = values;
    Some(Correspondents {
        from: first_address(from).unwrap_or_default(),
        to: first_address(to).unwrap_or_default(),
        cc: first_address(cc).unwrap_or_default(),
        message_id: text(message_id).unwrap_or_default(),
    })
}

/// `address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"`
fn first_address(list: &[u8]) -> Option<FirstAddress> {
    let mut reader = Reader::new(list);
    if !(reader.take(b'(') && reader.take(b'(')) {
        return None;
    }
    let mut parts: [&[u8]; 4] = [b""; 4];
    for part in &mut parts {
        *part = reader.value()?;
        reader.take(b' ');
    }
    let [name, _, mailbox, host] = parts.map(text);
    let display = match (name.filter(|name| !name.is_empty()), &mailbox, host) {
        (Some(name), ..) => name,
        (None, Some(mailbox), Some(host)) => format!("{mailbox}@{host}"),
        (None, mailbox, None) | (None, mailbox @ None, _) => mailbox.clone().unwrap_or_default(),
    };
    Some(FirstAddress { mailbox: mailbox.unwrap_or_default(), display })
}

/// A string, decoded; `None` for NIL.
fn text(value: &[u8]) -> Option<String> {
    let raw = match value.first()? {
        b'"' => {
            let quoted = value.get(1..value.len().checked_sub(1)?)?;
            let mut raw = Vec::with_capacity(quoted.len());
            let mut bytes = quoted.iter();
            while let Some(&byte) = bytes.next() {
                raw.push(if byte == b'\\' { *bytes.next()? } else { byte });
            }
            raw
        }
        b'{' => value.get(value.iter().position(|&b| b == b'\n')? + 1..)?.to_vec(),
        _ => return None,
    };
    Some(decode_words(&String::from_utf8_lossy(&raw)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    fn of(header: &str) -> Correspondents {
        let mut scanner = Scanner::new();
        scanner.feed(header.as_bytes());
        correspondents(&scanner.finish().envelope)
    }

    #[test]
    fn first_addresses() {
        let check = |from: &str, mailbox: &str, display: &str| {
            let found = of(&format!("From: {from}\n\n")).from;
            assert_eq!((found.mailbox.as_str(), found.display.as_str()), (mailbox, display), "{from}");
        };
        check("Ann <ann@x.test>, Bob <bob@x.test>", "ann", "Ann");
        check("ann@x.test", "ann", "ann@x.test");
        check("=?utf-8?q?J=C3=BCrgen?= <j@x.test>", "j", "Jürgen");
        check("\"a \\\"b\\\\\" <q@x.test>", "q", "a \"b\\");
        check("Friends: ann@x.test;", "Friends", "Friends"); // RFC 5957 §3, third case
        check("", "", "");
        check(&format!("{} <long@x.test>", "x".repeat(2000)), "long", &"x".repeat(2000));
    }

    #[test]
    fn the_other_fields() {
        let found = of("To: t@x.test\nCc: c@x.test\nMessage-ID: <1@x.test>\nSubject: (\n\n");
        assert_eq!((found.to.mailbox.as_str(), found.cc.mailbox.as_str()), ("t", "c"));
        assert_eq!(found.message_id, "<1@x.test>");
        assert_eq!(of("\n"), Correspondents::default());
    }

    #[test]
    fn damage_is_nothing() {
        for odd in ["", "(", "(NIL NIL ((", "((((((((((", "(\"a\\", "({9}\r\nx"] {
            assert_eq!(correspondents(odd.as_bytes()), Correspondents::default(), "{odd}");
        }
    }
}
