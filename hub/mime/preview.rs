//! The first words of a message (RFC 8970).

use crate::content::{ContentType, parse_disposition, transfer_encoding};
use crate::header::{Field, HeaderBlock};
use crate::{charset, html, transfer};

/// See [`crate::Summary::preview`].
const MAX_CHARACTERS: usize = 256;

/// Encoded plain text that is looked at.
const MAX_PLAIN: usize = 4 * 1024;

/// Encoded HTML that is looked at: styles in front of the text are long.
const MAX_HTML: usize = 64 * 1024;

/// Gathers the beginnings of the first plain text and of the first HTML text.
#[derive(Default)]
pub(crate) struct Preview {
    plain: Option<Sample>,
    html: Option<Sample>,
}

struct Sample {
    node: usize,
    encoding: String,
    charset: Option<String>,
    room: usize,
    bytes: Vec<u8>,
}

impl Preview {
    /// A part's body begins: it may be what is to be shown.
    pub(crate) fn consider(&mut self, node: usize, content_type: &ContentType, header: &HeaderBlock) {
        let (slot, room) = if content_type.is("text", "plain") {
            (&mut self.plain, MAX_PLAIN)
        } else if content_type.is("text", "html") {
            (&mut self.html, MAX_HTML)
        } else {
            return;
        };
        let disposition = header.first(Field::ContentDisposition, None);
        let is_attachment = disposition
            .and_then(|value| parse_disposition(&value))
            .is_some_and(|(kind, _)| kind.eq_ignore_ascii_case("attachment"));
        if slot.is_none() && !is_attachment {
            *slot = Some(Sample {
                node,
                encoding: transfer_encoding(header.first(Field::ContentTransferEncoding, None).as_deref()),
                charset: content_type.parameters.value("charset"),
                room,
                bytes: Vec::new(),
            });
        }
    }

    /// More of the body of `node`.
    pub(crate) fn take(&mut self, node: usize, bytes: &[u8]) {
        for sample in [&mut self.plain, &mut self.html].into_iter().flatten().filter(|s| s.node == node) {
            let fits = bytes.len().min(sample.room);
            sample.room -= fits;
            sample.bytes.extend_from_slice(&bytes[..fits]);
        }
    }

    pub(crate) fn finish(self) -> String {
        let plain = self.plain.map(|sample| shorten(&sample.text())).filter(|text| !text.is_empty());
        plain
            .or_else(|| self.html.map(|sample| shorten(&html::to_text(&sample.text(), MAX_PLAIN))))
            .unwrap_or_default()
    }
}

impl Sample {
    fn text(&self) -> String {
        let decoded = transfer::decode_transfer(&self.bytes, &self.encoding).unwrap_or_default();
        charset::decode(&decoded, self.charset.as_deref()).into_owned()
    }
}

/// One line: white space made single spaces, and no invisible characters, with which newsletters
/// fill their previews.
fn shorten(text: &str) -> String {
    let is_invisible = |c: char| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{fffd}')
            || (c.is_control() && !c.is_whitespace())
    };
    let mut out = String::new();
    let mut left = MAX_CHARACTERS;
    let mut pending_space = false;
    for c in text.chars().filter(|&c| !is_invisible(c)) {
        if c.is_whitespace() {
            pending_space = !out.is_empty();
            continue;
        }
        let needed = 1 + usize::from(pending_space);
        if left < needed {
            break;
        }
        left -= needed;
        if std::mem::take(&mut pending_space) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}
