//! Text files, in whatever charset, and HTML.

use std::borrow::Cow;

use crate::MOST_TEXT;

/// Control characters that text files have: white space, backspace and escape (of terminals).
const CONTROLS: &[u8] = b"\t\n\x0b\x0c\r\x08\x1b";

/// Whether the beginning of a file is that of a text: nothing that only programs write.
pub(crate) fn is_text(start: &[u8]) -> bool {
    let is_odd = |byte: &u8| (*byte < b' ' || *byte == 0x7f) && !CONTROLS.contains(byte);
    !start.is_empty() && (utf16(start).is_some() || !start.iter().any(is_odd))
}

pub(crate) fn is_html(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|first| first.eq_ignore_ascii_case(tag.as_bytes())))
}

pub(crate) fn text(document: &[u8]) -> String {
    decode(document, None).into_owned()
}

pub(crate) fn html(document: &[u8]) -> String {
    hub_mime::html_text(&decode(document, charset_of_html(document)), MOST_TEXT)
}

fn decode<'a>(document: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    match utf16(document) {
        Some((units, is_big)) => {
            let unit =
                |pair: &[u8; 2]| if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
            let characters = char::decode_utf16(units.as_chunks().0.iter().map(unit));
            Cow::Owned(characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        None => hub_mime::decode_charset(document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document), charset),
    }
}

/// What follows the mark of UTF-16, and whether its bytes come in the order of networks.
fn utf16(document: &[u8]) -> Option<(&[u8], bool)> {
    match document {
        [0xff, 0xfe, rest @ ..] => Some((rest, false)),
        [0xfe, 0xff, rest @ ..] => Some((rest, true)),
        _ => None,
    }
}

/// `<meta charset=…>` or `<meta … content="text/html; charset=…">` in the first 1024 bytes, where HTML
/// wants it.
fn charset_of_html(document: &[u8]) -> Option<&str> {
    let head = &document[..document.len().min(1024)];
    let at = memchr::memmem::find(&head.to_ascii_lowercase(), b"charset=")?;
    let value = head[at + "charset=".len()..].trim_ascii_start();
    let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte);
    let length = value.iter().take_while(|byte| is_name(byte)).count();
    std::str::from_utf8(&value[..length]).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets() {
        for (document, expected) in [
            (&b"plain"[..], "plain"),
            ("größer".as_bytes(), "größer"),
            (b"gr\xf6\xdfer", "größer"),
            (b"\xef\xbb\xbfmark", "mark"),
            (b"\xff\xfeh\0i\0\x3d\xd8\x00\xde", "hi😀"),
            (b"\xfe\xff\0h\0i", "hi"),
        ] {
            assert_eq!(text(document), expected);
        }
    }

    #[test]
    fn html_is_read_as_it_says() {
        for (document, expected) in [
            ("<html><p>a<p>b &amp; c<script>no</script>".as_bytes(), "a\nb & c"),
            (b"<html><meta charset='iso-8859-2'><p>\xb1", "ą"),
            (b"<html><meta content=\"text/html; Charset=koi8-r\"><p>\xc1", "а"),
            (b"<html><meta charset=><p>\xc3\xa4", "ä"),
        ] {
            assert_eq!(html(document).trim(), expected);
        }
    }
}
