//! The text of a message that SEARCH looks into.

use std::borrow::Cow;

use crate::content::{ContentType, transfer_encoding};
use crate::fields::{header_text, header_values};
use crate::transfer::TransferDecoder;
use crate::{Part, PartKind, charset, html, transfer};

/// Of a part that can only be decoded as a whole so much is: HTML, and charsets that change their
/// meaning on the way. 64 MB of HTML are not written by people.
const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// A line that is longer is cut at a space, and a word that is longer anywhere.
const MAX_LINE: usize = 1024 * 1024;

/// The body of a message as texts, one after the other: text parts with their transfer encoding and
/// charset decoded and HTML made text. Decoded one at a time.
///
/// `message` holds the bytes that the offsets of `parts` count in; it may be cut short. For a message
/// that is too large to be in memory [`PartText`] does the same piece by piece.
pub fn searchable_texts<'a>(message: &'a [u8], parts: &'a [Part]) -> impl Iterator<Item = String> + 'a {
    parts.iter().filter(|part| part.kind == PartKind::Leaf).filter_map(move |part| {
        let text = PartText::new(slice(message, part.header_start, part.body_start))?;
        Some(text.of(slice(message, part.body_start, part.body_end)))
    })
}

/// The headers of parts and of messages within, as a person reads them: TEXT looks at them, BODY does
/// not (RFC 9051 §6.4.4). That of the message itself, the first part, is not among them.
pub fn headers_within<'a>(message: &'a [u8], parts: &'a [Part]) -> impl Iterator<Item = String> + 'a {
    parts.iter().skip(1).map(move |part| header_text(slice(message, part.header_start, part.body_start)))
}

/// Decodes the text of a part without children, whole or in pieces.
pub struct PartText {
    encoding: String,
    charset: Option<String>,
    is_html: bool,
    /// `None` if the encoding is unknown.
    transfer: Option<TransferDecoder>,
    /// Without its transfer encoding, what waits for the end of its line.
    decoded: Vec<u8>,
}

impl PartText {
    /// For the part with this header; `None` if it is not text.
    pub fn new(header: &[u8]) -> Option<Self> {
        let value = |name| header_values(header, name).next();
        let content_type = match value("Content-Type") {
            Some(value) => ContentType::parse(&value).unwrap_or_else(ContentType::text_plain),
            None => ContentType::text_plain(),
        };
        // A multipart or message that is a leaf was malformed, or nested too deep.
        if !["message", "multipart", "text"].iter().any(|kind| content_type.kind.eq_ignore_ascii_case(kind)) {
            return None;
        }
        let encoding = transfer_encoding(value("Content-Transfer-Encoding").as_deref());
        Some(Self {
            transfer: TransferDecoder::new(&encoding),
            encoding,
            charset: content_type.parameters.value("charset"),
            is_html: content_type.is("text", "html"),
            decoded: Vec::new(),
        })
    }

    /// The text of the whole body.
    fn of(&self, body: &[u8]) -> String {
        let body = if self.is_whole() { &body[..body.len().min(MAX_WHOLE)] } else { body };
        let decoded = transfer::decode_transfer(body, &self.encoding).unwrap_or(Cow::Borrowed(body));
        self.text(&decoded)
    }

    fn text(&self, decoded: &[u8]) -> String {
        let text = charset::decode(decoded, self.charset.as_deref());
        if self.is_html { html::to_text(&text, MAX_WHOLE) } else { text.into_owned() }
    }

    /// True if the meaning of a line depends on what precedes it.
    fn is_whole(&self) -> bool {
        self.is_html || self.charset.as_deref().is_some_and(charset::is_stateful)
    }

    /// The text that more of the body completes: lines, or nothing yet. A charset that is not true
    /// is made up for line by line then, not for the whole.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let is_full = self.is_whole() && self.decoded.len() >= MAX_WHOLE;
        match &mut self.transfer {
            _ if is_full => {}
            Some(transfer) => transfer.feed(bytes, &mut self.decoded),
            None => self.decoded.extend_from_slice(bytes),
        }
        if self.is_whole() {
            return String::new();
        }
        let lines = take_lines(&mut self.decoded);
        self.text(&lines)
    }

    /// The rest of the text.
    pub fn finish(mut self) -> String {
        if let Some(transfer) = &mut self.transfer {
            transfer.finish(&mut self.decoded);
        }
        self.text(&self.decoded)
    }
}

/// Takes all complete lines from the front.
fn take_lines(bytes: &mut Vec<u8>) -> Vec<u8> {
    let end = memchr::memrchr(b'\n', bytes).map(|at| at + 1);
    let end = end.or_else(|| (bytes.len() > MAX_LINE).then(|| last_word_end(bytes)));
    let rest = bytes.split_off(end.unwrap_or(0));
    std::mem::replace(bytes, rest)
}

/// Where to cut what has no line break: behind a space, else between two characters of UTF-8.
fn last_word_end(bytes: &[u8]) -> usize {
    let is_inner = |byte: u8| byte & 0xc0 == 0x80;
    let boundary = || (bytes.len() - 4..bytes.len()).rev().find(|&at| !is_inner(bytes[at]));
    memchr::memrchr(b' ', bytes).map(|at| at + 1).or_else(boundary).unwrap_or(bytes.len())
}

fn slice(message: &[u8], start: u64, end: u64) -> &[u8] {
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(message.len());
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(end);
    &message[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;
    use proptest::prelude::*;

    #[test]
    fn texts_of_a_message() {
        let message = b"Subject: =?utf-8?q?outer?=\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n\
            --a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Gr=FC=DF=\r\ne\r\n\
            --a\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
            PHA+SGVsbG8gPGI+V29ybGQ8L2I+ITwvcD4=\r\n\
            --a\r\nContent-Type: image/png\r\n\r\nsecret\r\n\
            --a\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?inner_=C3=BC?=\r\n\r\ninner body\r\n\
            --a--\r\nepilogue";
        let mut scanner = Scanner::new();
        scanner.feed(message);
        let parts = scanner.finish().parts;
        let texts: Vec<_> = searchable_texts(message, &parts).collect();
        assert_eq!(texts, ["Grüße", "Hello World!", "inner body"]);
        let headers: Vec<_> = headers_within(message, &parts).collect();
        assert_eq!(headers.len(), 5);
        assert_eq!(
            headers[2..],
            ["Content-Type: image/png\n", "Content-Type: message/rfc822\n", "Subject: inner ü\n"]
        );
        for length in 0..message.len() {
            let _ = searchable_texts(&message[..length], &parts).count();
            let _ = headers_within(&message[..length], &parts).count();
        }
    }

    #[test]
    fn malformed_parts_are_text() {
        let check = |message: &str, text: &str| {
            let mut scanner = Scanner::new();
            scanner.feed(message.as_bytes());
            let parts = scanner.finish().parts;
            assert_eq!(searchable_texts(message.as_bytes(), &parts).collect::<String>(), text);
        };
        check("", "");
        check("\nbody", "body");
        check("Content-Type: what\n\nbody", "body");
        check("Content-Type: multipart/mixed\n\nbody", "body");
        check("Content-Transfer-Encoding: x-unknown\n\nbody", "body");
        check("Content-Type: application/pdf\n\nbody", "");
    }

    #[test]
    fn a_line_without_end_is_cut_between_words() {
        let mut text = PartText::new(b"Content-Type: text/plain; charset=utf-8\r\n\r\n").expect("text");
        let line = "wörter ".repeat(300_000);
        let mut read = String::new();
        for piece in line.as_bytes().chunks(100_001) {
            read += &text.feed(piece);
            assert!(text.decoded.len() <= MAX_LINE);
        }
        assert!(read.ends_with(' ') && read.len() > MAX_LINE);
        assert_eq!(read + &text.finish(), line);
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole(
            lines in proptest::collection::vec("[a-z ü世]{0,12}(=\r)?", 0..12),
            encoding in "7bit|quoted-printable|base64|unknown",
            kind in "plain|html|plain; charset=utf-8|plain; charset=iso-2022-jp|plain; charset=koi8-r",
            size in 1usize..20,
        ) {
            use base64::Engine;
            let plain = lines.join("\n");
            let body = match encoding.as_str() {
                "base64" => base64::engine::general_purpose::STANDARD.encode(&plain),
                _ => plain,
            };
            let header = format!("Content-Type: text/{kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
            let new = || PartText::new(header.as_bytes()).expect("text");
            let mut pieces = new();
            let mut read = String::new();
            for piece in body.as_bytes().chunks(size) {
                read += &pieces.feed(piece);
            }
            prop_assert_eq!(read + &pieces.finish(), new().of(body.as_bytes()));
        }
    }
}
