//! Header fields in the forms of RFC 8621 §4.1.2.

use unicode_normalization::UnicodeNormalization;

use crate::address::parse_list;
use crate::date::parse_date;
use crate::fields::raw_fields;
use crate::filter::field_value;
use crate::lexer::Lexer;
use crate::words::decode_words;

/// Addresses, ids or URLs that are read of one field.
const MOST: usize = 5_000;

/// A mailbox of an address list, or a name that stands there without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedAddress {
    pub name: Option<String>,
    pub email: String,
}

/// Addresses of a group; those that are in none have no name around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressGroup {
    pub name: Option<String>,
    pub addresses: Vec<NamedAddress>,
}

/// The octets behind the colon, as text: what is no UTF-8 is replaced, NULs go.
pub fn raw_form(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).replace('\0', "")
}

/// Unfolded, without space in front, encoded-words decoded, NFC.
pub fn text_form(raw: &[u8]) -> String {
    field_value(raw).trim_start_matches(' ').chars().filter(|c| *c != '\0').nfc().collect()
}

pub fn grouped_addresses_form(raw: &[u8]) -> Vec<AddressGroup> {
    let mut groups: Vec<AddressGroup> = Vec::new();
    let mut in_group = false;
    for entry in parse_list(&unfolded(raw), MOST) {
        match (&entry.mailbox, &entry.host) {
            (None, _) => in_group = false,
            (Some(name), None) => {
                in_group = true;
                groups.push(AddressGroup { name: Some(phrase(name)), addresses: Vec::new() });
            }
            (Some(_), Some(_)) => {
                let email = match entry.address() {
                    Some((local, domain)) => format!("{}@{domain}", local_part(local)),
                    None => entry.known_mailbox().unwrap_or_default().to_owned(),
                };
                let address = NamedAddress { name: entry.name.as_deref().map(phrase), email };
                match groups.last_mut().filter(|group| in_group || group.name.is_none()) {
                    Some(group) => group.addresses.push(address),
                    None => groups.push(AddressGroup { name: None, addresses: vec![address] }),
                }
            }
        }
    }
    groups
}

pub fn addresses_form(raw: &[u8]) -> Vec<NamedAddress> {
    grouped_addresses_form(raw).into_iter().flat_map(|group| group.addresses).collect()
}

/// `1*msg-id`, without the angle brackets; `None` if there is none.
pub fn message_ids_form(raw: &[u8]) -> Option<Vec<String>> {
    bracketed(raw, false)
}

/// `<url>` after `<url>` (RFC 2369 §2); `None` if there is none.
pub fn urls_form(raw: &[u8]) -> Option<Vec<String>> {
    bracketed(raw, true)
}

/// Unix seconds and the zone, in minutes east of UTC.
pub fn date_form(raw: &[u8]) -> Option<(i64, i16)> {
    parse_date(&unfolded(raw)).map(|date| (date.seconds, date.zone))
}

/// Names and raw values of all fields of a block, in order.
pub fn all_fields(block: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    raw_fields(block).map(|(name, value)| (raw_form(name), value))
}

/// Raw values of the fields with this name, in order.
pub fn named_fields<'a>(block: &'a [u8], name: &'a str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    let named = raw_fields(block).filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, value)| value).collect::<Vec<_>>().into_iter()
}

fn unfolded(raw: &[u8]) -> String {
    let plain: Vec<u8> = raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    String::from_utf8_lossy(&plain).into_owned()
}

fn phrase(text: &str) -> String {
    decode_words(text).trim().nfc().collect()
}

/// Quoted, if it is no dot-atom (RFC 5322 §3.4.1).
fn local_part(local: &str) -> String {
    let is_plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    match local.chars().all(is_plain) {
        true => local.to_owned(),
        false => format!("\"{}\"", local.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn bracketed(raw: &[u8], inner_space: bool) -> Option<Vec<String>> {
    let text = unfolded(raw);
    let mut lexer = Lexer::new(&text);
    let mut found = Vec::new();
    while !lexer.is_at_end() && found.len() < MOST {
        lexer.skip_cfws();
        if lexer.take('<') {
            let inner = lexer.run(|c| c != '>').to_owned();
            if !lexer.take('>') {
                break;
            }
            let inner: String = match inner_space {
                true => inner.chars().filter(|c| !c.is_ascii_whitespace()).collect(),
                false => inner.trim().to_owned(),
            };
            if !inner.is_empty() {
                found.push(inner);
            }
        } else if lexer.next_char().is_none() {
            break;
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: Option<&str>, email: &str) -> NamedAddress {
        NamedAddress { name: name.map(str::to_owned), email: email.to_owned() }
    }

    /// RFC 8621 §4.1.2.3, §4.1.2.4.
    #[test]
    fn rfc8621_addresses() {
        let raw = b" \"  James Smythe\" <james@example.com>, Friends:\r\n  jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n  <john@example.com>;";
        let james = named(Some("James Smythe"), "james@example.com");
        let friends = [named(None, "jane@example.com"), named(Some("John Sm\u{ee}th"), "john@example.com")];
        assert_eq!(addresses_form(raw), [vec![james.clone()], friends.to_vec()].concat());
        assert_eq!(
            grouped_addresses_form(raw),
            [
                AddressGroup { name: None, addresses: vec![james] },
                AddressGroup { name: Some("Friends".to_owned()), addresses: friends.to_vec() },
            ]
        );
        assert_eq!(addresses_form(b" foo (Comment)"), [named(Some("Comment"), "foo")]);
        assert_eq!(addresses_form(b" \"a b\"@x"), [named(None, "\"a b\"@x")]);
        let after = grouped_addresses_form(b"g: a@x;, b@x");
        assert_eq!(after.iter().map(|group| group.name.as_deref()).collect::<Vec<_>>(), [Some("g"), None]);
    }

    #[test]
    fn other_forms() {
        assert_eq!(raw_form(b" a\0b\xff"), " ab\u{fffd}");
        assert_eq!(text_form(b"  =?utf-8?q?Gru=CC=88=C3=9Fe?=\r\n =?utf-8?q?!?="), "Gr\u{fc}\u{df}e!");
        let list = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(message_ids_form(b" <a@x> (c)\r\n <b@y>"), list(&["a@x", "b@y"]));
        assert_eq!(message_ids_form(b" none"), None);
        assert_eq!(
            urls_form(b" (Use this) <mailto:a@x>,\r\n <http://x/ y>"),
            list(&["mailto:a@x", "http://x/y"])
        );
        assert_eq!(date_form(b" Fri, 21 Nov 1997 09:55:06 -0600"), Some((880_127_706, -360)));
        assert_eq!(date_form(b" soon"), None);
    }

    #[test]
    fn fields_of_a_block() {
        let block = b"A: 1\r\nno field\r\na : 2\r\n x\r\n\r\nb: 3";
        let all: Vec<_> = all_fields(block).collect();
        assert_eq!(all, [("A".to_owned(), &b" 1"[..]), ("a".to_owned(), &b" 2\r\n x"[..])]);
        assert_eq!(named_fields(block, "A").next_back(), Some(&b" 2\r\n x"[..]));
    }
}
