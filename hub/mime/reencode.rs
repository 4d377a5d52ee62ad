//! Messages that not every host can have are put into other words (RFC 2045 §6): each part that has
//! what it must not have is encoded, text as quoted-printable, everything else as base64.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Part, PartKind, Scanner, header_values, part_encoding};

/// Octets of a line without its CR LF (RFC 5322 §2.1.1).
const MAX_LINE: usize = 998;

/// What a message must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// RFC 6152 §3: for a host without 8BITMIME.
    EightBit,
    /// RFC 5321 §4.5.3.1.6: hosts may fold longer lines, or refuse them.
    LongLines,
}

/// Why a message stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotConvertible {
    /// There is no encoding for bytes between the parts, or for those of an encoding.
    Broken,
    Header,
    /// RFC 1847 §2.1: what was signed must not change.
    Signed,
    TooLarge,
}

impl fmt::Display for NotConvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the message is not well-formed MIME",
            Self::Header => "the message has it in its header",
            Self::Signed => "the message is signed as it is",
            Self::TooLarge => "the message is too large to be converted",
        })
    }
}

impl Unfit {
    /// Whether these bytes have nothing of it.
    pub fn is_absent(self, bytes: &[u8]) -> bool {
        match self {
            Self::EightBit => bytes.is_ascii(),
            Self::LongLines => {
                let mut lines = LongLines::default();
                !lines.feed(bytes) && !lines.end()
            }
        }
    }
}

/// Looks for long lines in pieces of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongLines {
    /// Octets of the line that goes on in the next piece.
    line: usize,
}

impl LongLines {
    /// Whether the next piece has the end of a long line, or is in one.
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            // With its CR.
            if self.line + end - start > MAX_LINE + 1 {
                return true;
            }
            (self.line, start) = (0, end + 1);
        }
        self.line += piece.len() - start;
        self.line > MAX_LINE + 1
    }

    /// Whether the last line, which has no end of its own, is a long one.
    pub fn end(self) -> bool {
        self.line > MAX_LINE
    }
}

/// The message without what it must not have.
pub fn reencode(message: &[u8], unfit: Unfit) -> Result<Vec<u8>, NotConvertible> {
    let mut scanner = Scanner::new();
    scanner.feed(message);
    let parts = scanner.finish().parts;
    let mut out = Vec::with_capacity(message.len() + message.len() / 2);
    let mut at = 0;
    for part in &parts {
        // Boundaries and what stands between parts.
        let span = |from: u64, to: u64| message.get(from as usize..to as usize).ok_or(NotConvertible::Broken);
        let between = span(at, part.header_start)?;
        let header = span(part.header_start, part.body_start)?;
        let body = span(part.body_start, part.body_end)?;
        copy(between, (unfit, NotConvertible::Broken), &mut out)?;
        if unfit.is_absent(body) {
            copy(header, (unfit, NotConvertible::Header), &mut out)?;
            at = part.body_start;
            if part.kind == PartKind::Leaf {
                out.extend_from_slice(body);
                at = part.body_end;
            }
            continue;
        }
        at = convert_part(part, header, body, unfit, &mut out)?;
    }
    let rest = message.get(at as usize..).unwrap_or_default();
    copy(rest, (unfit, NotConvertible::Broken), &mut out)?;
    Ok(out)
}

/// Writes the header, and the body too if it is a leaf's; tells how far that is.
fn convert_part(
    part: &Part,
    header: &[u8],
    body: &[u8],
    unfit: Unfit,
    out: &mut Vec<u8>,
) -> Result<u64, NotConvertible> {
    if !unfit.is_absent(header) {
        return Err(NotConvertible::Header);
    }
    let kind = content_type(header);
    if kind.starts_with("multipart/signed") || kind.starts_with("multipart/encrypted") {
        return Err(NotConvertible::Signed);
    }
    if !matches!(part_encoding(header).as_str(), "" | "7bit" | "8bit" | "binary") {
        return Err(NotConvertible::Broken);
    }
    if part.kind != PartKind::Leaf {
        // The parts inside say for themselves how they are encoded.
        match unfit {
            Unfit::EightBit => write_header(header, "7bit", out),
            Unfit::LongLines => out.extend_from_slice(header),
        }
        return Ok(part.body_start);
    }
    if kind.is_empty() || kind.starts_with("text/") {
        write_header(header, "quoted-printable", out);
        quoted_printable(body, out);
    } else {
        write_header(header, "base64", out);
        for line in STANDARD.encode(body).as_bytes().chunks(76) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok(part.body_end)
}

fn copy(
    bytes: &[u8],
    (unfit, otherwise): (Unfit, NotConvertible),
    out: &mut Vec<u8>,
) -> Result<(), NotConvertible> {
    if !unfit.is_absent(bytes) {
        return Err(otherwise);
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// Type and subtype in lower case.
fn content_type(header: &[u8]) -> String {
    let value = header_values(header, "Content-Type").next().unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The header with another Content-Transfer-Encoding.
fn write_header(header: &[u8], encoding: &str, out: &mut Vec<u8>) {
    let mut skipping = false;
    let mut fields = header;
    while !fields.is_empty() {
        let end = memchr::memchr(b'\n', fields).map_or(fields.len(), |at| at + 1);
        let (line, rest) = fields.split_at(end);
        fields = rest;
        if line == b"\r\n" || line == b"\n" {
            break;
        }
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            const NAME: &[u8] = b"content-transfer-encoding";
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            skipping = name.trim_ascii_end().eq_ignore_ascii_case(NAME);
        }
        if !skipping {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes());
}

/// RFC 2045 §6.7. Line breaks of the text stay line breaks.
fn quoted_printable(body: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (at, &byte) in body.iter().enumerate() {
        let breaks = |at: usize| body[at..].starts_with(b"\r\n");
        if breaks(at) {
            out.extend_from_slice(b"\r\n");
            column = 0;
            continue;
        }
        if byte == b'\n' && at > 0 && body[at - 1] == b'\r' {
            continue;
        }
        // Rule 3: white space at the end of a line would be taken off on the way.
        let is_last = at + 1 == body.len() || breaks(at + 1);
        let literal = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (matches!(byte, b' ' | b'\t') && !is_last);
        let width = if literal { 1 } else { 3 };
        // Rule 5: 76 characters with the "=".
        if column + width > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if literal {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("={byte:02X}").as_bytes());
        }
        column += width;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Section, decode_transfer, section_range};

    #[test]
    fn rfc2045_6_parts_are_encoded_by_what_they_are() {
        for (message, expected) in [
            ("Subject: x\r\n\r\nplain\r\n", Ok("Subject: x\r\n\r\nplain\r\n")),
            (
                "Subject: x\r\nContent-Transfer-Encoding: 8bit\r\nTo: y\r\n\r\ngr\u{fc}n \r\n",
                Ok(
                    "Subject: x\r\nTo: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BCn=20\r\n",
                ),
            ),
            (
                "Content-Type: image/x\r\n\r\n\u{fc}",
                Ok("Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\nw7w=\r\n"),
            ),
            (
                "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
                 --b\r\n\r\nascii\r\n--b\r\nContent-Type: text/html\r\n\r\n\u{fc}\r\n--b--\r\n",
                Ok("Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
                 --b\r\n\r\nascii\r\n--b\r\nContent-Type: text/html\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n--b--\r\n"),
            ),
            ("Subject: \u{fc}\r\n\r\nx\r\n", Err(NotConvertible::Header)),
            (
                "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\u{fc}\r\n--b--\r\n",
                Err(NotConvertible::Signed),
            ),
            ("Content-Transfer-Encoding: base64\r\n\r\n\u{fc}\r\n", Err(NotConvertible::Broken)),
        ] {
            let converted = reencode(message.as_bytes(), Unfit::EightBit);
            let text = converted.map(|bytes| String::from_utf8(bytes).expect("ASCII"));
            assert_eq!(text.as_deref(), expected.as_ref().map(|text| *text), "{message:?}");
        }
    }

    #[test]
    fn rfc5322_2_1_1_lines_are_shortened() {
        let (fits, long) = ("x".repeat(998), "x".repeat(999));
        for (message, expected) in [
            (format!("Subject: x\r\n\r\n{fits}\r\ng\u{fc}\r\n"), Ok(None)),
            (
                format!("Subject: x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{long}\r\n"),
                Ok(Some("Content-Transfer-Encoding: quoted-printable\r\n\r\nxxx")),
            ),
            (
                format!(
                    "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
                     --b\r\n\r\ng\u{fc}\r\n--b\r\nContent-Type: a/b\r\n\r\n{long}\r\n--b--\r\n"
                ),
                Ok(Some(
                    "8bit\r\n\r\n--b\r\n\r\ng\u{fc}\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64",
                )),
            ),
            (format!("Subject: {long}\r\n\r\n{long}\r\n"), Err(NotConvertible::Header)),
            (
                format!("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n{long}\r\n--b--\r\n"),
                Err(NotConvertible::Signed),
            ),
            (format!("Content-Transfer-Encoding: base64\r\n\r\n{long}\r\n"), Err(NotConvertible::Broken)),
        ] {
            let converted = reencode(message.as_bytes(), Unfit::LongLines);
            match (converted, expected) {
                (Ok(bytes), Ok(Some(piece))) => {
                    let text = String::from_utf8(bytes).expect("UTF-8");
                    assert!(text.contains(piece), "{text}");
                    assert!(text.lines().all(|line| line.len() <= MAX_LINE), "{text}");
                }
                (converted, expected) => {
                    assert_eq!(converted, expected.map(|_| message.clone().into_bytes()), "{message}");
                }
            }
        }
    }

    proptest! {
        /// Pieces of any size tell the same as the whole.
        #[test]
        fn long_lines_are_found_in_pieces(lines in prop::collection::vec(990usize..1005, 1..4), size in 1usize..700) {
            let text: String = lines.iter().map(|length| "x".repeat(*length) + "\r\n").collect();
            let mut looking = LongLines::default();
            let found = text.as_bytes().chunks(size).any(|piece| looking.feed(piece));
            prop_assert_eq!(found, lines.iter().any(|length| *length > MAX_LINE));
        }

        /// Lines stay short and 7-bit, and decoding gives the text back.
        #[test]
        fn what_is_encoded_can_be_decoded(text in "([a-z =ü\t]{0,120}\r\n){1,4}") {
            let message = format!("Subject: x\r\n\r\n{text}");
            let converted = reencode(message.as_bytes(), Unfit::EightBit).expect("convertible");
            prop_assert!(converted.is_ascii());
            prop_assert!(text.is_ascii() || converted.split(|&b| b == b'\n').all(|line| line.len() <= 77));
            let mut scanner = Scanner::new();
            scanner.feed(&converted);
            let parts = scanner.finish().parts;
            let range = section_range(&parts, &[], Section::Text).expect("a body");
            let body = &converted[range.start as usize..range.end as usize];
            let encoding = if text.is_ascii() { "7bit" } else { "quoted-printable" };
            let decoded = decode_transfer(body, encoding).expect("known");
            prop_assert_eq!(String::from_utf8_lossy(&decoded), text);
        }
    }
}
