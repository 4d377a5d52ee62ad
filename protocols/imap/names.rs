//! Mailbox names: modified UTF-7 on the wire, NFC inside, INBOX in any case; list patterns.

use std::collections::HashMap;

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// How mailbox names look on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Names {
    /// Modified UTF-7 (RFC 3501 §5.1.3).
    #[default]
    Utf7,
    /// UTF-8 as it is: the client has enabled IMAP4rev2 (RFC 9051 §5.1) or UTF8=ACCEPT (RFC 6855 §3).
    Utf8,
}

/// A mailbox name as the hub knows it: UTF-8 in NFC, levels separated by `/`, the first level
/// `INBOX` in upper case if it is that in any case (RFC 9051 §5.1).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MailboxName {
    name: String,
    /// As the client wrote it, if that differs: for OLDNAME (RFC 9051 §6.3.9.7).
    written: Option<Box<str>>,
}

/// Longest name taken from a client, in bytes after decoding.
const LONGEST: usize = 1000;

impl MailboxName {
    /// Reads a name from the wire. `None` if it is too long, has control characters or is no text.
    pub(crate) fn parse(bytes: &[u8], names: Names) -> Option<Self> {
        let text = decode(bytes, names)?;
        // RFC 6855 §3: no control characters, and no line or paragraph separators either.
        let is_odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if text.len() > LONGEST || text.chars().any(is_odd) {
            return None;
        }
        let name = normal(&text);
        let written = (name != text).then(|| text.into());
        Some(Self { name, written })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }

    /// The name without one trailing `/`: CREATE may use it to announce that children will follow
    /// (RFC 9051 §6.3.4).
    pub(crate) fn without_trailing_separator(&self) -> &str {
        self.name.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&self.name)
    }

    /// What the client wrote, if the hub has another name for it.
    pub(crate) fn written(&self) -> Option<&str> {
        self.written.as_deref()
    }
}

impl std::fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MailboxName").field(&self.name).finish()
    }
}

fn normal(text: &str) -> String {
    let text: String = if is_nfc(text) { text.to_owned() } else { text.nfc().collect() };
    let first = text.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") {
        return format!("INBOX{}", &text[first.len()..]);
    }
    text
}

/// Base64 with `,` for `/` and without padding (RFC 3501 §5.1.3).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes a name. Where modified UTF-7 is due, bytes that are not it are taken as UTF-8, because
/// some clients send names raw; a stray `&` then stands for itself. `None` if it is neither.
pub(crate) fn decode(bytes: &[u8], names: Names) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    if names == Names::Utf8 || !text.contains('&') {
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
///
/// Matching walks over the name once with the set of pattern positions that can have been reached, as
/// bits: a thousand mailboxes against the worst pattern cost milliseconds, whatever its wildcards.
pub(crate) struct Pattern {
    /// Positions of each character, of `%` and of `*`. Bit `length` is the pattern's end.
    characters: HashMap<char, Bits>,
    levels: Bits,
    anything: Bits,
    length: usize,
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
        let mut text: Vec<char> = joined.nfc().collect();
        // Of neighbouring wildcards the strongest is enough; so none follows another.
        text.dedup_by(|next, kept| match (*kept, *next) {
            ('*', '*' | '%') | ('%', '%') => true,
            ('%', '*') => {
                *kept = '*';
                true
            }
            _ => false,
        });
        let length = text.len();
        let mut pattern = Self {
            characters: HashMap::new(),
            levels: Bits::new(length + 1),
            anything: Bits::new(length + 1),
            length,
        };
        for (at, c) in text.into_iter().enumerate() {
            match c {
                '*' => pattern.anything.set(at),
                '%' => pattern.levels.set(at),
                c => pattern.characters.entry(c).or_insert_with(|| Bits::new(length + 1)).set(at),
            }
        }
        pattern
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut reachable = Bits::new(self.length + 1);
        reachable.set(0);
        self.pass_wildcards(&mut reachable);
        // INBOX is INBOX in any case, also where the pattern only covers a part of it (`in%`).
        let inbox = if name == "INBOX" || name.starts_with("INBOX/") { 5 } else { 0 };
        for (at, c) in name.chars().enumerate() {
            let mut next = Bits::new(self.length + 1);
            for spelling in [Some(c), (at < inbox).then(|| c.to_ascii_lowercase())].into_iter().flatten() {
                if let Some(positions) = self.characters.get(&spelling) {
                    next.add_shifted(&reachable, positions);
                }
            }
            next.add(&reachable, &self.anything);
            if c != '/' {
                next.add(&reachable, &self.levels);
            }
            self.pass_wildcards(&mut next);
            reachable = next;
        }
        reachable.has(self.length)
    }

    /// A wildcard may match nothing.
    fn pass_wildcards(&self, reachable: &mut Bits) {
        let before = reachable.clone();
        reachable.add_shifted(&before, &self.anything);
        reachable.add_shifted(&before, &self.levels);
    }
}

#[derive(Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)])
    }

    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    /// Adds the bits that are in both.
    fn add(&mut self, a: &Self, b: &Self) {
        for ((word, a), b) in self.0.iter_mut().zip(&a.0).zip(&b.0) {
            *word |= a & b;
        }
    }

    /// Adds the bits that are in both, each one place further.
    fn add_shifted(&mut self, a: &Self, b: &Self) {
        let mut carry = 0;
        for ((word, a), b) in self.0.iter_mut().zip(&a.0).zip(&b.0) {
            let both = a & b;
            *word |= both << 1 | carry;
            carry = both >> 63;
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
            assert_eq!(decode(wire.as_bytes(), Names::Utf7).as_deref(), Some(name));
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
            let name = MailboxName::parse(wire, Names::Utf7);
            assert_eq!(name.as_ref().map(MailboxName::as_str), expected);
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
        check("a\u{2028}b".as_bytes(), None);
        check(b"a\xff", None);
        check("x".repeat(1001).as_bytes(), None);
    }

    #[test]
    fn names_in_utf8_have_no_escapes() {
        let check = |wire: &str, expected: &str, written: Option<&str>| {
            let name = MailboxName::parse(wire.as_bytes(), Names::Utf8).expect("a name");
            assert_eq!((name.as_str(), name.written()), (expected, written));
        };
        check("Entwürfe", "Entwürfe", None);
        check("Entw&APw-rfe", "Entw&APw-rfe", None);
        check("inbox", "INBOX", Some("inbox"));
        check("Entwu\u{308}rfe", "Entwürfe", Some("Entwu\u{308}rfe"));
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
        check("", "*%a", "xa", true);
        check("", "%*b", "a/b", true);
        check("x/", "%%", "x/", true);
        let long = "a".repeat(200);
        check("", &format!("%{long}%"), &format!("b{long}c"), true);
        let bomb = "*a%a".repeat(200) + "b";
        for _ in 0..100 {
            check("", &bomb, &"a".repeat(1000), false);
        }
    }

    /// The definition, read aloud.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                by_definition(&pattern[1..], name) || (!name.is_empty() && by_definition(pattern, &name[1..]))
            }
            (Some('%'), next) => {
                by_definition(&pattern[1..], name)
                    || (next.is_some_and(|&c| c != '/') && by_definition(pattern, &name[1..]))
            }
            (Some(a), Some(b)) => a == b && by_definition(&pattern[1..], &name[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_mean_what_they_say(pattern in "[ab/*%]{0,9}", name in "[ab/]{0,9}") {
            let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(Pattern::new("", &pattern).matches(&name), by_definition(&p, &n));
        }

        #[test]
        fn names_survive_the_wire(name in "\\PC{0,20}") {
            prop_assert_eq!(decode(encode(&name).as_bytes(), Names::Utf7), Some(name));
        }

        #[test]
        fn any_bytes_are_a_name_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(name) = MailboxName::parse(&bytes, Names::Utf7) {
                let again = MailboxName::parse(encode(name.as_str()).as_bytes(), Names::Utf7).expect("a name");
                prop_assert_eq!((again.as_str(), again.written()), (name.as_str(), None));
            }
        }
    }
}
