//! What the classifier sees of a message: the set of its words and marks, as small hashes.
//!
//! The words of the subject and of the sender's name are other words than those of the text. Hosts
//! that links lead to, types of parts, names of header fields and the mailing program are marks of
//! their own: they tell senders of junk apart when the words do not.

use std::collections::HashSet;

use hub_mime::{Part, PartKind, fold_cow, header_values, searchable_texts};

/// So much of a message is looked at: what is said later does not decide.
pub(crate) const LOOKED_AT: usize = 256 * 1024;
/// Decoded text that is cut into words, in bytes.
const MOST_TEXT: usize = 64 * 1024;
/// Tokens of one message. Letters have a few hundred; a word list has no more say than a letter.
const MOST_TOKENS: usize = 2_000;
/// Parts whose type is looked at.
const MOST_PARTS: usize = 50;
/// Header fields whose name is looked at.
const MOST_FIELDS: usize = 100;
/// Shorter words say nothing, longer ones are no words.
const SHORTEST: usize = 3;
const LONGEST: usize = 24;

/// The distinct tokens of one message, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens(Vec<u32>);

impl Tokens {
    /// Of the beginning of a message ([`LOOKED_AT`] bytes as received), whose header is
    /// `header_length` bytes long.
    pub(crate) fn of(start: &[u8], header_length: u64, parts: &[Part]) -> Self {
        let header = &start[..usize::try_from(header_length).unwrap_or(usize::MAX).min(start.len())];
        let mut tokens = Collector::default();
        tokens.header(header);
        for part in parts.iter().take(MOST_PARTS).filter(|part| part.kind == PartKind::Leaf) {
            tokens.part_type(slice(start, part.header_start, part.body_start));
        }
        let mut left = MOST_TEXT;
        for text in searchable_texts(start, parts) {
            let text = &text[..text.floor_char_boundary(left)];
            left -= text.len();
            tokens.words("", text);
            if left == 0 {
                break;
            }
        }
        tokens.links(&start[header.len()..]);
        let mut found: Vec<u32> = tokens.0.into_iter().collect();
        found.sort_unstable();
        Self(found)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
impl FromIterator<u32> for Tokens {
    fn from_iter<I: IntoIterator<Item = u32>>(tokens: I) -> Self {
        Self(tokens.into_iter().collect::<std::collections::BTreeSet<u32>>().into_iter().collect())
    }
}

#[derive(Default)]
struct Collector(HashSet<u32>);

impl Collector {
    fn add(&mut self, place: &str, word: &str) {
        if self.0.len() < MOST_TOKENS {
            self.0.insert(token(place, word));
        }
    }

    fn header(&mut self, header: &[u8]) {
        let first = |name| header_values(header, name).next().unwrap_or_default();
        self.words("subject", &first("Subject"));
        let from = first("From");
        self.words("from", &from);
        self.domain("from", &from);
        self.domain("reply-to", &first("Reply-To"));
        self.words("list", &first("List-Id"));
        for name in ["X-Mailer", "User-Agent"] {
            self.words("mailer", &first(name));
        }
        for name in field_names(header).take(MOST_FIELDS) {
            self.add("field", &name.to_ascii_lowercase());
        }
    }

    /// The domain of the last address in a field.
    fn domain(&mut self, place: &str, value: &str) {
        if let Some((_, domain)) = value.rsplit_once('@') {
            let end = domain.find(|c: char| !is_host(c)).unwrap_or(domain.len());
            self.host(place, &domain[..end]);
        }
    }

    /// A host name and the domain that it probably belongs to.
    fn host(&mut self, place: &str, name: &str) {
        let name = name.trim_matches('.').to_lowercase();
        if name.is_empty() || name.len() > 255 {
            return;
        }
        self.add(place, &format!("@{name}"));
        if let Some((at, _)) = name.rmatch_indices('.').nth(1) {
            self.add(place, &format!("@{}", &name[at + 1..]));
        }
    }

    /// `type/subtype` of a part, and the ending of the file's name.
    fn part_type(&mut self, header: &[u8]) {
        for field in ["Content-Type", "Content-Disposition"] {
            let Some(value) = header_values(header, field).next() else { continue };
            let value = value.to_lowercase();
            self.add("type", value.split(';').next().unwrap_or_default().trim());
            if let Some((_, name)) = value.split_once("name=")
                && let Some((_, ending)) = name.trim_end_matches('"').rsplit_once('.')
                && ending.len() <= 8
            {
                self.add("file", ending);
            }
        }
    }

    fn words(&mut self, place: &str, text: &str) {
        for word in fold_cow(text).split_whitespace() {
            self.word(place, word);
        }
    }

    fn word(&mut self, place: &str, word: &str) {
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric() && !"$€£".contains(c));
        if plain.chars().take(LONGEST).any(is_ideographic) {
            return self.pairs(place, plain);
        }
        let length = plain.chars().take(LONGEST + 1).count();
        if length > LONGEST {
            // Addresses are counted elsewhere; of anything else its kind is told.
            if !plain.contains("://") {
                self.add("long", &plain.chars().take(2).collect::<String>());
            }
        } else if length >= SHORTEST {
            self.add(place, plain);
        }
    }

    /// Scripts without spaces: neighbouring characters stand for words.
    fn pairs(&mut self, place: &str, text: &str) {
        let mut before = None;
        for (at, c) in text.char_indices() {
            if let Some(start) = before {
                self.add(place, &text[start..at + c.len_utf8()]);
            }
            before = c.is_alphanumeric().then_some(at);
        }
    }

    /// Hosts that links lead to, in the raw body: HTML that became text has lost them.
    fn links(&mut self, body: &[u8]) {
        for at in memchr::memmem::find_iter(body, b"://") {
            let rest = &body[at + 3..];
            let end = rest.iter().position(|&b| !is_host(char::from(b))).unwrap_or(rest.len());
            if let Ok(host) = std::str::from_utf8(&rest[..end]) {
                self.host("link", host);
            }
        }
    }
}

fn is_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '-'
}

/// Han, Kana, Thai and their like.
fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Names of the fields of a header block.
fn field_names(header: &[u8]) -> impl Iterator<Item = &str> {
    header.split(|&b| b == b'\n').filter_map(|line| {
        let name = &line[..memchr::memchr(b':', line)?];
        let fits = !name.is_empty() && name.len() <= 60 && name.iter().all(u8::is_ascii_graphic);
        fits.then(|| std::str::from_utf8(name).ok()).flatten()
    })
}

/// FNV-1a with a last mix, cut to 32 bits. It is kept in databases and must never change; that others
/// can find words with the same hash gains them no more than using the words themselves.
fn token(place: &str, word: &str) -> u32 {
    let mut hash = super::fnv(place.bytes().chain([0]).chain(word.bytes()));
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    (hash >> 32) as u32
}

fn slice(message: &[u8], start: u64, end: u64) -> &[u8] {
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(message.len());
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(end);
    &message[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_mime::Scanner;
    use proptest::prelude::*;

    fn tokens(message: &str) -> Tokens {
        let mut scanner = Scanner::new();
        scanner.feed(message.as_bytes());
        let summary = scanner.finish();
        Tokens::of(message.as_bytes(), summary.header_length, &summary.parts)
    }

    #[test]
    fn words_and_marks() {
        let found = tokens(
            "From: =?utf-8?q?Best_Sh=C3=B6p?= <offers@mail.shop.example>\r\nSubject: Cheap pills\r\n\
             X-Mailer: Blaster\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
             <p>Buy <b>PILLS</b> for $100 now, <a href=\"https://x.pills.example/a?b\">here</a></p>\
             <p>永久会员</p> pneumonoultramicroscopicsilicovolcanoconiosis",
        );
        let has = |place, word| found.iter().any(|known| known == token(place, word));
        for (place, word) in [
            ("subject", "cheap"),
            ("subject", "pills"),
            ("", "pills"),
            ("", "$100"),
            ("from", "shöp"),
            ("from", "@mail.shop.example"),
            ("from", "@shop.example"),
            ("link", "@x.pills.example"),
            ("link", "@pills.example"),
            ("type", "text/html"),
            ("mailer", "blaster"),
            ("field", "x-mailer"),
            ("", "永久"),
            ("", "久会"),
            ("long", "pn"),
        ] {
            assert!(has(place, word), "{place} {word}");
        }
        assert!(!has("", "cheap"), "a word of the subject only");
    }

    #[test]
    fn a_word_has_the_same_token_for_ever() {
        assert_eq!(token("subject", "pills"), 0x5f4e_e160);
        assert_eq!(token("", ""), 0x9091_d607);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let many: String = (0..100_000).map(|n| format!("word{n} ")).collect();
        assert_eq!(tokens(&format!("Subject: x\r\n\r\n{many}")).iter().count(), MOST_TOKENS);
        let long = format!("Subject: {}\r\n\r\n{}", "x".repeat(1 << 20), "永".repeat(1 << 19));
        assert!(tokens(&long).iter().count() < 10);
    }

    proptest! {
        #[test]
        fn any_bytes_have_tokens(message in "(Subject: .{0,40}\r\n)?(Content-Type: [a-z/;=. \"]{0,30}\r\n)?\r\n(.|\r\n){0,200}", cut in 0usize..300) {
            let mut scanner = Scanner::new();
            scanner.feed(message.as_bytes());
            let summary = scanner.finish();
            let start = &message.as_bytes()[..cut.min(message.len())];
            let found = Tokens::of(start, summary.header_length, &summary.parts);
            prop_assert!(found.0.is_sorted());
        }
    }
}
