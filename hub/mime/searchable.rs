//! The text of a message that SEARCH looks into.

use std::borrow::Cow;

use crate::content::{ContentType, transfer_encoding};
use crate::fields::{header_text, header_values};
use crate::{Part, PartKind, charset, html, transfer};

/// Of one part so much is decoded, so that one message cannot take all memory: 16 MB of plain text
/// are 5,000 pages.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// The body of a message as texts, one after the other: text parts with their transfer encoding and
/// charset decoded and HTML made text, and the headers of messages within. Decoded one at a time.
///
/// `message` holds the bytes that the offsets of `parts` count in; it may be cut short.
pub fn searchable_texts<'a>(message: &'a [u8], parts: &'a [Part]) -> impl Iterator<Item = String> + 'a {
    parts.iter().enumerate().filter_map(move |(index, part)| {
        let embedded = index.checked_sub(1).is_some_and(|at| parts[at].kind == PartKind::Message);
        let header = slice(message, part.header_start, part.body_start);
        let in_header = if embedded { header_text(header) } else { String::new() };
        let in_body = match part.kind {
            PartKind::Leaf => leaf_text(header, slice(message, part.body_start, part.body_end)),
            PartKind::Message | PartKind::Multipart => None,
        };
        match (in_header.is_empty(), in_body) {
            (true, text) => text,
            (false, None) => Some(in_header),
            (false, Some(text)) => Some(in_header + &text),
        }
    })
}

/// The text of a part without children; `None` if it is not text.
fn leaf_text(header: &[u8], body: &[u8]) -> Option<String> {
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
    let body = &body[..body.len().min(MAX_TEXT)];
    let decoded = transfer::decode_transfer(body, &encoding).unwrap_or(Cow::Borrowed(body));
    let text = charset::decode(&decoded, content_type.parameters.value("charset").as_deref());
    Some(if content_type.is("text", "html") { html::to_text(&text, MAX_TEXT) } else { text.into_owned() })
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
        assert_eq!(texts, ["Grüße", "Hello World!", "Subject: inner ü\ninner body"]);
        for length in 0..message.len() {
            let _ = searchable_texts(&message[..length], &parts).count();
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
}
