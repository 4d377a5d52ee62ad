//! Content lines: what iCalendar (RFC 5545 §3.1) and vCard (RFC 6350 §3.2) are made of.

use std::borrow::Cow;

use crate::Error;

/// Logical lines of a text. A calendar of ten thousand events has about 200,000.
pub(crate) const MAX_LINES: usize = 500_000;

/// Logical lines, and where in the text each of them ends.
#[derive(Debug, Default)]
pub(crate) struct Lines<'a> {
    pub(crate) texts: Vec<Cow<'a, str>>,
    pub(crate) ends: Vec<usize>,
}

/// `contentline`s, unfolded. What is not UTF-8 is replaced: a text is read to be found, and served as it
/// came. Lines end with CRLF or a bare LF; empty ones are left out, and so is a byte-order
/// mark at the beginning.
pub(crate) fn lines(bytes: &[u8]) -> Result<Lines<'_>, Error> {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Lines::default();
    while !rest.is_empty() {
        let (raw, folds) = logical_line(rest);
        rest = &rest[raw.len()..];
        let text = match folds {
            0 => String::from_utf8_lossy(without_break(raw)),
            // Folds may stand within a character, so they go first.
            _ => Cow::Owned(String::from_utf8_lossy(&unfolded(raw)).into_owned()),
        };
        if text.trim().is_empty() {
            continue;
        }
        if lines.texts.len() == MAX_LINES {
            return Err(Error::TooManyLines);
        }
        lines.texts.push(text);
        lines.ends.push(bytes.len() - rest.len());
    }
    Ok(lines)
}

/// Up to a line break that white space does not follow, and how many others it has.
fn logical_line(bytes: &[u8]) -> (&[u8], usize) {
    let mut folds = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        match bytes.get(end + 1) {
            Some(b' ' | b'\t') => folds += 1,
            _ => return (&bytes[..=end], folds),
        }
    }
    (bytes, folds)
}

fn without_break(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn unfolded(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    for (number, piece) in line.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // The white space at the beginning is part of the fold.
        out.extend_from_slice(without_break(if number == 0 { piece } else { &piece[1..] }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines(bytes).expect("few").texts.into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn folds_are_taken_out() {
        // RFC 5545 §3.1.
        let folded = b"DESCRIPTION:This is a lo\r\n ng description\r\n  that exists on a long line.\r\nEND:X";
        assert_eq!(
            texts(folded),
            ["DESCRIPTION:This is a long description that exists on a long line.", "END:X"]
        );
        assert_eq!(texts(b"A:1\n\t2\n\nB:3\n"), ["A:12", "B:3"]);
        assert_eq!(texts("\u{feff}A:1".as_bytes()), ["A:1"]);
    }

    #[test]
    fn folds_may_cut_characters() {
        assert_eq!(texts(b"A:\xc3\r\n \xa4"), ["A:\u{e4}"]);
        assert_eq!(texts(b"A:\xe4"), ["A:\u{fffd}"], "ISO 8859-1");
    }
}
