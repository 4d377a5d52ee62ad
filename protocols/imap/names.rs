//! Mailbox names: modified UTF-7 on the wire, NFC inside, INBOX in any case; list patterns.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A mailbox name as the hub knows it: UTF-8 in NFC, levels separated by `/`, the first level
/// `INBOX` in upper case if it is that in any case (RFC 9051 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailboxName(String);

/// Longest name taken from a client, in bytes after decoding.
const LONGEST: usize = 1000;

impl MailboxName {
    /// Reads a name from the wire. `None` if it is too long, has control characters or is no text.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = decode(bytes)?;
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return None;
        }
        Some(Self::from_text(&text))
    }

    fn from_text(text: &str) -> Self {
        let text: String = if is_nfc(text) { text.to_owned() } else { text.nfc().collect() };
        let first = text.split('/').next().unwrap_or_default();
        if first.eq_ignore_ascii_case("INBOX") {
            return Self(format!("INBOX{}", &text[first.len()..]));
        }
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without one trailing `/`: CREATE may use it to announce that children will follow
    /// (RFC 9051 §6.3.4).
    pub(crate) fn without_trailing_separator(&self) -> &str {
        self.0.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&self.0)
    }
}

/// Base64 with `,` for `/` and without padding (RFC 3501 §5.1.3).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes modified UTF-7. Bytes that are not it are taken as UTF-8, because some clients send
/// names raw; a stray `&` then stands for itself. `None` if it is neither.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.contains('&') {
        return Some(text.to_owned());
    }
    Some(decode_utf7(text).unwrap_or_else(|| text.to_owned()))
}

fn decode_utf7(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        let end = start + rest[start..].find('-')?;
        let shifted = &rest[start + 1..end];
        if shifted.is_empty() {
            decoded.push('&');
        } else {
            let bytes = BASE64.decode(shifted).ok()?;
            if bytes.len() % 2 != 0 {
                return None;
            }
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            for c in char::decode_utf16(units) {
                decoded.push(c.ok()?);
            }
        }
        rest = &rest[end + 1..];
    }
    decoded.push_str(rest);
    Some(decoded)
}

/// Modified UTF-7 of a name (RFC 3501 §5.1.3).
pub(crate) fn encode(name: &str) -> String {
    let is_direct = |c: char| matches!(c, ' '..='~');
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if c == '&' {
            encoded.push_str("&-");
            rest = &rest[1..];
        } else if is_direct(c) {
            let end = rest.find(|c| !is_direct(c) || c == '&').unwrap_or(rest.len());
            encoded.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            let end = rest.find(is_direct).unwrap_or(rest.len());
            let bytes: Vec<u8> = rest[..end].encode_utf16().flat_map(u16::to_be_bytes).collect();
            encoded.push('&');
            BASE64.encode_string(bytes, &mut encoded);
            encoded.push('-');
            rest = &rest[end..];
        }
    }
    encoded
}

/// A LIST pattern: `*` matches anything, `%` anything within one level (RFC 9051 §6.3.9).
pub(crate) struct Pattern {
    text: Vec<char>,
}

impl Pattern {
    /// `reference` and `pattern` are simply joined, as most servers interpret them.
    pub(crate) fn new(reference: &str, pattern: &str) -> Self {
        let joined = format!("{reference}{pattern}");
        let first = joined.split(['/', '*', '%']).next().unwrap_or_default();
        let joined = if first.eq_ignore_ascii_case("INBOX") {
            format!("INBOX{}", &joined[first.len()..])
        } else {
            joined
        };
        Self { text: joined.nfc().collect() }
    }

    /// Takes time proportional to name × pattern at worst, whatever the number of wildcards.
    pub(crate) fn matches(&self, name: &str) -> bool {
        // One bit of state per pattern position: `reachable[i]` if the name so far can have been
        // matched by the first `i` characters.
        let mut reachable = vec![false; self.text.len() + 1];
        reachable[0] = true;
        self.skip_wildcards(&mut reachable);
        // INBOX is INBOX in any case, also where the pattern only covers a part of it (`in%`).
        let inbox = name == "INBOX" || name.starts_with("INBOX/");
        for (at, c) in name.chars().enumerate() {
            let mut next = vec![false; reachable.len()];
            for (i, &p) in self.text.iter().enumerate() {
                if !reachable[i] {
                    continue;
                }
                match p {
                    '*' => next[i] = true,
                    '%' => next[i] |= c != '/',
                    _ if p == c || (inbox && at < 5 && p.eq_ignore_ascii_case(&c)) => next[i + 1] = true,
                    _ => {}
                }
            }
            self.skip_wildcards(&mut next);
            reachable = next;
        }
        reachable[self.text.len()]
    }

    /// A wildcard may match nothing.
    fn skip_wildcards(&self, reachable: &mut [bool]) {
        for (i, &p) in self.text.iter().enumerate() {
            if reachable[i] && matches!(p, '*' | '%') {
                reachable[i + 1] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modified_utf7() {
        let check = |name: &str, wire: &str| {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        };
        // RFC 3501 §5.1.3
        check("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        check("Entwürfe", "Entw&APw-rfe");
        check("A & B", "A &- B");
        check("😀", "&2D3eAA-");
        check("日本&語", "&ZeVnLA-&-&ip4-");
        check("", "");
    }

    #[test]
    fn names_are_normalised() {
        let check = |wire: &[u8], expected: Option<&str>| {
            assert_eq!(MailboxName::parse(wire).as_ref().map(MailboxName::as_str), expected);
        };
        check(b"inbox", Some("INBOX"));
        check(b"iNbOx/Sub", Some("INBOX/Sub"));
        check(b"inboxes", Some("inboxes"));
        // Decomposed and raw: NFC inside.
        check("Entwu\u{308}rfe".as_bytes(), Some("Entwürfe"));
        check(b"Entwu&Awg-rfe", Some("Entwürfe"));
        check(b"R&D", Some("R&D"));
        check(b"a&AAo-b", None);
        check(b"a\x01b", None);
        check(b"a\xff", None);
        check("x".repeat(1001).as_bytes(), None);
    }

    #[test]
    fn patterns() {
        let check = |reference: &str, pattern: &str, name: &str, expected: bool| {
            assert_eq!(
                Pattern::new(reference, pattern).matches(name),
                expected,
                "{reference}{pattern} {name}"
            );
        };
        check("", "*", "a/b", true);
        check("", "%", "a/b", false);
        check("", "%", "a", true);
        check("", "%/%", "a/b", true);
        check("a/", "%", "a/b", true);
        check("", "a*c", "a/b/c", true);
        check("", "a%c", "a/b/c", false);
        check("", "inbox", "INBOX", true);
        check("", "in%", "INBOX", true);
        check("", "inbox/%", "INBOX/x", true);
        check("", "Trash", "trash", false);
        check("", "", "a", false);
        check("", "a", "ab", false);
        let bomb = "*%".repeat(400) + "b";
        check("", &bomb, &"a".repeat(1000), false);
    }

    proptest! {
        #[test]
        fn names_survive_the_wire(name in "\\PC{0,20}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Some(name));
        }

        #[test]
        fn any_bytes_are_a_name_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(name) = MailboxName::parse(&bytes) {
                prop_assert_eq!(MailboxName::parse(encode(name.as_str()).as_bytes()), Some(name));
            }
        }
    }
}
