//! Text and bytes as mail can carry them: encoded-words (RFC 2047), quoted-printable and base64 (RFC 2045).

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// RFC 5322 §2.1.1: characters of a line that should not be passed.
const LINE: usize = 76;
/// Octets of one encoded-word before it is encoded: 45 are 60 characters, 72 with what is around.
const WORD: usize = 45;

/// A name that nobody else has or can guess, for boundaries and message ids.
pub(crate) fn token() -> String {
    let mut bytes = [0; 18];
    // Without randomness a boundary would be guessable, nothing more; there always is some.
    if getrandom::fill(&mut bytes).is_err() {
        tracing::warn!("the system has no randomness");
    }
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Unstructured text for a header field; encoded where it must be.
pub(crate) fn header_text(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && !text.contains("=?");
    let has_long_word = text.split(' ').any(|word| word.len() > 900);
    if is_plain && !has_long_word { text.to_owned() } else { encoded_words(text) }
}

/// RFC 2047 §5 (3): a phrase is words, a quoted string, or encoded.
pub(crate) fn phrase(text: &str) -> String {
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~ ".contains(&byte);
    if !text.is_ascii() || text.bytes().any(|byte| byte < 0x20) || text.contains("=?") {
        return encoded_words(text);
    }
    match text.bytes().all(is_atom) && !text.is_empty() && text.trim() == text {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(WORD);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        words.push(format!("=?utf-8?b?{}?=", BASE64_STANDARD.encode(word)));
        rest = after;
    }
    words.join(" ")
}

/// A field, folded at spaces (RFC 5322 §2.2.3).
pub(crate) fn folded(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for word in value.split(' ') {
        if column + 1 + word.len() > LINE && column > 1 && !word.is_empty() {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    out.extend_from_slice(b"\r\n");
}

/// The encoding for a text, and its octets with line ends of mail.
pub(crate) fn text(text: &str) -> (&'static str, Vec<u8>) {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let is_plain = |line: &str| {
        line.len() <= 998 && line.bytes().all(|byte| (0x20..0x7f).contains(&byte) || byte == b'\t')
    };
    if lines.split('\n').all(is_plain) {
        return ("7bit", lines.replace('\n', "\r\n").into_bytes());
    }
    ("quoted-printable", quoted_printable(&lines))
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 3 / 2);
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.extend_from_slice(b"\r\n");
        }
        let mut column = 0;
        for (at, byte) in line.bytes().enumerate() {
            let is_last = at + 1 == line.len();
            let is_plain = (0x21..0x7f).contains(&byte) && byte != b'=';
            let piece = match byte {
                _ if is_plain => (byte as char).to_string(),
                b' ' | b'\t' if !is_last => (byte as char).to_string(),
                _ => format!("={byte:02X}"),
            };
            if column + piece.len() >= LINE {
                out.extend_from_slice(b"=\r\n");
                column = 0;
            }
            out.extend_from_slice(piece.as_bytes());
            column += piece.len();
        }
    }
    out
}

/// Base64 in lines, of bytes that come in pieces.
#[derive(Default)]
pub(crate) struct Base64Lines {
    /// Octets that do not fill a line yet.
    rest: Vec<u8>,
}

/// Octets of a line of 76 characters.
const OCTETS: usize = 57;

impl Base64Lines {
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / OCTETS * OCTETS;
        let out = lines(&self.rest[..whole]);
        self.rest.drain(..whole);
        out
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        lines(&self.rest)
    }
}

fn lines(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 3 / 2);
    for line in bytes.chunks(OCTETS) {
        out.extend_from_slice(BASE64_STANDARD.encode(line).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_mime::{decode_transfer, text_form};
    use proptest::prelude::*;

    #[test]
    fn phrases() {
        for (text, expected) in [
            ("Joe Doe", "Joe Doe"),
            ("Doe, Joe", "\"Doe, Joe\""),
            ("a \"b\" c", "\"a \\\"b\\\" c\""),
            ("J\u{f6}rg", "=?utf-8?b?SsO2cmc=?="),
            ("", "\"\""),
        ] {
            assert_eq!(phrase(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_read_back(body in "([a-z =\t\u{fc}\u{4e16}]{0,40}(\r\n|\n)?){0,8}") {
            let (encoding, bytes) = text(&body);
            prop_assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 1000));
            let decoded = decode_transfer(&bytes, encoding).expect("known").into_owned();
            let expected = body.replace("\r\n", "\n").replace('\n', "\r\n");
            prop_assert_eq!(String::from_utf8(decoded).expect("text"), expected);
        }

        #[test]
        fn header_texts_are_read_back(words in proptest::collection::vec("[a-z=?\u{fc}\u{4e16}]{1,30}", 0..20)) {
            let text = words.join(" ");
            let mut field = Vec::new();
            folded("Subject", &header_text(&text), &mut field);
            prop_assert!(field.split(|byte| *byte == b'\n').all(|line| line.len() <= 80));
            let value = &field[b"Subject:".len()..field.len() - 2];
            prop_assert_eq!(text_form(value), text);
        }

        #[test]
        fn bytes_are_read_back(bytes: Vec<u8>, size in 1usize..70) {
            let mut encoder = Base64Lines::default();
            let mut out: Vec<u8> = bytes.chunks(size).flat_map(|piece| encoder.feed(piece)).collect();
            out.extend(encoder.finish());
            prop_assert_eq!(decode_transfer(&out, "base64").expect("known").into_owned(), bytes);
        }
    }
}
