//! The text of documents, for searches: plain text, HTML, PDF, and what office programs write.
//!
//! Bytes to text, and nothing else: no files, no clock. What a file is, its first bytes tell, not its
//! name: the same content has the same text wherever it lies. No input is an error; what cannot be read
//! has no text. How much is read, unpacked and given is bounded here, by the limits below. PDF and office
//! files are read with parsers of others: [`Kind::is_risky`]. Whoever serves others meanwhile lets a
//! process of its own do that, with little memory and little time.
//!
//! - OpenDocument 1.3 (text, spreadsheets, presentations), part 2 §3: content.xml
//! - Office Open XML (ISO/IEC 29500-1): WordprocessingML, SpreadsheetML, PresentationML
//! - PDF 1.7 (ISO 32000-1), as far as its fonts tell what their glyphs mean; not if it is encrypted

#![deny(clippy::disallowed_methods)]

mod office;
mod pdf;
mod plain;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes from which a file's kind can be told.
pub const START: usize = 4 << 10;

/// Bytes of text of a document at most; what follows is not searched.
pub const MOST_TEXT: usize = 4 << 20;

/// Of a format that can only be read as a whole. Almost all documents are smaller.
const MOST_WHOLE: u64 = 64 << 20;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Html,
    /// A ZIP archive: perhaps the file of an office program.
    Office,
    Pdf,
    Plain,
}

impl Kind {
    /// By its first [`START`] bytes. `None` for what has no text.
    pub fn of(start: &[u8]) -> Option<Self> {
        let start = &start[..start.len().min(START)];
        // ISO 32000-1 annex H.3.4.1: readers look for it in the first 1024 bytes.
        let head = &start[..start.len().min(1024)];
        match start {
            [b'P', b'K', 3, 4, ..] => Some(Self::Office),
            _ if memchr::memmem::find(head, b"%PDF-").is_some() => Some(Self::Pdf),
            _ if !plain::is_text(start) => None,
            _ if plain::is_html(start) => Some(Self::Html),
            _ => Some(Self::Plain),
        }
    }

    /// How many of a file's bytes [`text`] wants; `None` if it is too large to be read.
    pub fn wants(self, size: u64) -> Option<u64> {
        match self {
            // Markup is not text.
            Self::Html => Some(size.min(2 * MOST_TEXT as u64)),
            Self::Plain => Some(size.min(MOST_TEXT as u64)),
            Self::Office | Self::Pdf => (size <= MOST_WHOLE).then_some(size),
        }
    }

    /// Whether parsers of others read it, which might want more time or memory than they should.
    pub fn is_risky(self) -> bool {
        matches!(self, Self::Office | Self::Pdf)
    }
}

/// The text of a document, of which these are the bytes that [`Kind::wants`]; at most [`MOST_TEXT`].
/// Empty if there is none, or it cannot be read.
pub fn text(kind: Kind, document: &[u8]) -> String {
    let mut text = match kind {
        Kind::Html => plain::html(document),
        Kind::Plain => plain::text(document),
        Kind::Office => contained(|| office::text(document)),
        Kind::Pdf => contained(|| pdf::text(document)),
    };
    cut(&mut text, MOST_TEXT);
    text
}

/// A parser that gives up by a panic has found nothing.
fn contained(read: impl FnOnce() -> String) -> String {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}

/// Cuts a text between two characters.
fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds() {
        for (start, kind) in [
            (&b"Hello\n"[..], Some(Kind::Plain)),
            (b"# Title\n\nMarkdown", Some(Kind::Plain)),
            (b"\xef\xbb\xbfwith a mark", Some(Kind::Plain)),
            (b"\xff\xfeU\0T\0F\0", Some(Kind::Plain)),
            (b"caf\xe9 in Latin 1", Some(Kind::Plain)),
            (b"  \n<!DOCTYPE html><p>x", Some(Kind::Html)),
            (b"<html lang=en>", Some(Kind::Html)),
            (b"<?xml version=\"1.0\"?><svg/>", Some(Kind::Plain)),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", Some(Kind::Pdf)),
            (b"junk before\n%PDF-1.4\n", Some(Kind::Pdf)),
            (b"PK\x03\x04\x14\0", Some(Kind::Office)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", None),
            (b"\x7fELF\x02\x01", None),
            (b"", None),
        ] {
            assert_eq!(Kind::of(start), kind, "{:?}", String::from_utf8_lossy(start));
        }
    }

    #[test]
    fn what_is_wanted() {
        assert_eq!(Kind::Plain.wants(10), Some(10));
        assert_eq!(Kind::Plain.wants(1 << 40), Some(MOST_TEXT as u64));
        assert_eq!(Kind::Pdf.wants(1 << 20), Some(1 << 20));
        assert_eq!(Kind::Pdf.wants(1 << 40), None);
    }

    #[test]
    fn no_text_is_longer_than_allowed() {
        let text = text(Kind::Plain, "ä".repeat(MOST_TEXT).as_bytes());
        assert!(text.len() <= MOST_TEXT && text.ends_with('ä'));
    }

    proptest! {
        /// Whatever it is taken for.
        #[test]
        fn any_bytes_have_some_text(mut bytes in prop::collection::vec(any::<u8>(), 0..2000), at in 0usize..4) {
            for start in [&b""[..], b"PK\x03\x04", b"%PDF-1.4\n", b"<html>"] {
                bytes.splice(0..at.min(bytes.len()), start.iter().copied());
                for kind in [Kind::Html, Kind::Office, Kind::Pdf, Kind::Plain] {
                    text(kind, &bytes);
                }
                Kind::of(&bytes);
            }
        }
    }
}
