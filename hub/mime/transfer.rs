//! Content transfer encodings (RFC 2045 §6), decoded forgivingly.

use std::borrow::Cow;

use crate::content::transfer_encoding;
use crate::fields::header_values;

/// A line of quoted-printable is kept until its end has come, because spaces there do not count; of
/// a longer one only so much. RFC 2045 §6.7 allows 76 characters.
const LONGEST_LINE: usize = 64 << 10;

/// Decodes a body by the name of its encoding. `None` if the encoding is unknown (for BINARY that
/// is `UNKNOWN-CTE`).
pub fn decode_transfer<'a>(body: &'a [u8], encoding: &str) -> Option<Cow<'a, [u8]>> {
    let decoder = TransferDecoder::new(encoding)?;
    Some(match decoder.0 {
        Decoder::Plain => Cow::Borrowed(body),
        _ => Cow::Owned(whole(decoder, body)),
    })
}

/// The encoding that the MIME header of a part names (RFC 2045 §6.1).
pub fn part_encoding(header: &[u8]) -> String {
    transfer_encoding(header_values(header, "Content-Transfer-Encoding").next().as_deref())
}

pub(crate) fn decode_base64(body: &[u8]) -> Vec<u8> {
    whole(TransferDecoder(Decoder::Base64(Base64::default())), body)
}

fn whole(mut decoder: TransferDecoder, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    decoder.feed(body, &mut out);
    decoder.finish(&mut out);
    out
}

/// Decodes a body that comes in pieces, in bounded memory. The result does not depend on the cuts.
pub struct TransferDecoder(Decoder);

enum Decoder {
    Base64(Base64),
    Plain,
    QuotedPrintable(QuotedPrintable),
}

impl TransferDecoder {
    /// `None` if the encoding is unknown.
    pub fn new(encoding: &str) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name);
        Some(Self(if is("base64") {
            Decoder::Base64(Base64::default())
        } else if is("quoted-printable") {
            Decoder::QuotedPrintable(QuotedPrintable::default())
        } else if is("7bit") || is("8bit") || is("binary") {
            Decoder::Plain
        } else {
            return None;
        }))
    }

    /// Appends what the next bytes of the body decode to.
    pub fn feed(&mut self, body: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Decoder::Base64(base64) => base64.feed(body, out),
            Decoder::Plain => out.extend_from_slice(body),
            Decoder::QuotedPrintable(quoted) => quoted.feed(body, out),
        }
    }

    /// Appends what is left at the end of the body.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            Decoder::Base64(base64) => base64.end_group(out),
            Decoder::Plain => {}
            Decoder::QuotedPrintable(quoted) => quoted.end_line(out),
        }
    }
}

/// RFC 2045 §6.8: characters outside the alphabet are ignored, padding ends a group.
#[derive(Default)]
struct Base64 {
    bits: u32,
    /// Characters in `bits`.
    count: u32,
}

impl Base64 {
    fn feed(&mut self, body: &[u8], out: &mut Vec<u8>) {
        for &byte in body {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => {
                    self.end_group(out);
                    continue;
                }
                _ => continue,
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.count += 1;
            if self.count == 4 {
                out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                *self = Self::default();
            }
        }
    }

    /// The octets of a group that ended early.
    fn end_group(&mut self, out: &mut Vec<u8>) {
        match self.count {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
        *self = Self::default();
    }
}

/// RFC 2045 §6.7: white space at the end of a line was added on the way, and an equals sign that
/// introduces nothing stands for itself.
#[derive(Default)]
struct QuotedPrintable {
    /// What has come of a line whose end has not.
    line: Vec<u8>,
}

impl QuotedPrintable {
    fn feed(&mut self, mut body: &[u8], out: &mut Vec<u8>) {
        while !body.is_empty() {
            let room = LONGEST_LINE - self.line.len();
            let end = memchr::memchr(b'\n', &body[..body.len().min(room)]);
            let (piece, rest) = body.split_at(end.map_or(body.len().min(room), |end| end + 1));
            body = rest;
            if end.is_some() && self.line.is_empty() {
                put_line(out, piece);
                continue;
            }
            self.line.extend_from_slice(piece);
            if end.is_some() {
                self.end_line(out);
            } else if self.line.len() == LONGEST_LINE {
                // An escape at the cut waits for its digits.
                let cut = match self.line.as_slice() {
                    [.., b'='] => LONGEST_LINE - 1,
                    [.., b'=', _] => LONGEST_LINE - 2,
                    _ => LONGEST_LINE,
                };
                put_escaped(out, &self.line[..cut]);
                self.line.drain(..cut);
            }
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        put_line(out, &self.line);
        self.line.clear();
    }
}

/// A line, with its line break if it has one.
fn put_line(out: &mut Vec<u8>, line: &[u8]) {
    let text = match line {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => text,
        _ => line,
    };
    let line_break = &line[text.len()..];
    let text = crate::header::trim_end(text);
    match text.strip_suffix(b"=") {
        Some(text) => put_escaped(out, text),
        None => {
            put_escaped(out, text);
            out.extend_from_slice(line_break);
        }
    }
}

fn put_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = memchr::memchr(b'=', text) {
        out.extend_from_slice(&text[..at]);
        match text.get(at + 1..at + 3).and_then(hex_byte) {
            Some(byte) => {
                out.push(byte);
                text = &text[at + 3..];
            }
            None => {
                out.push(b'=');
                text = &text[at + 1..];
            }
        }
    }
    out.extend_from_slice(text);
}

/// The octet that two hexadecimal digits mean.
pub(crate) fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    match digits {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;

    #[test]
    fn base64() {
        let check =
            |body: &str, decoded: &str| assert_eq!(decode_base64(body.as_bytes()), decoded.as_bytes());
        check("SGVsbG8=", "Hello");
        check("SGVs\r\nbG8=\r\n", "Hello");
        check("SGVsbG8", "Hello");
        check("SGVsbA==SGVsbG8=", "HellHello");
        check("S-G*V s!bG8=", "Hello");
        check("S", "");
        check("", "");
    }

    #[test]
    fn quoted_printable() {
        let check = |body: &str, decoded: &str| {
            let found = decode_transfer(body.as_bytes(), "quoted-printable").expect("known");
            assert_eq!(String::from_utf8_lossy(&found), decoded);
        };
        check("a=20b", "a b");
        check("Gr=C3=BC=c3=9fe", "Grüße");
        check("soft=\r\nbreak=\nagain= \t\r\nend", "softbreakagainend");
        check("tail  \r\nx", "tail\r\nx");
        check("1=2, =, =Z1, =3", "1=2, =, =Z1, =3");
        check("a=", "a");
    }

    #[test]
    fn unknown_encodings_are_told() {
        assert_eq!(decode_transfer(b"x", "x-uuencode"), None);
        assert_eq!(decode_transfer(b"a=20", "8BIT").as_deref(), Some(&b"a=20"[..]));
    }

    #[test]
    fn endless_lines_take_bounded_memory() {
        let mut quoted = QuotedPrintable::default();
        let mut out = Vec::new();
        for _ in 0..100 {
            quoted.feed(&[b"=41".repeat(1_000), vec![b' '; 7_001]].concat(), &mut out);
            assert!(quoted.line.capacity() <= 2 * LONGEST_LINE);
        }
        quoted.end_line(&mut out);
        assert_eq!(out.iter().filter(|&&byte| byte == b'A').count(), 100_000);
        assert!(!out.contains(&b'='));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            body in "[ =A-F0-9\r\n\t+/x]{0,80}", size in 1usize..10, base64 in any::<bool>(),
        ) {
            let encoding = if base64 { "base64" } else { "quoted-printable" };
            let mut decoder = TransferDecoder::new(encoding).expect("known");
            let mut out = Vec::new();
            for piece in body.as_bytes().chunks(size) {
                decoder.feed(piece, &mut out);
            }
            decoder.finish(&mut out);
            let expected = decode_transfer(body.as_bytes(), encoding).expect("known");
            prop_assert_eq!(out, expected.into_owned());
        }

        #[test]
        fn base64_is_read_back(bytes: Vec<u8>, width in 1usize..80) {
            let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let lines: Vec<_> = text.as_bytes().chunks(width).collect();
            prop_assert_eq!(decode_base64(&lines.join(&b"\r\n"[..])), bytes);
        }
    }
}
