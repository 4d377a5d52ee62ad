//! Content transfer encodings (RFC 2045 §6), decoded forgivingly.

use std::borrow::Cow;

/// Decodes a body by the name of its encoding. `None` if the encoding is unknown (for BINARY that
/// is `UNKNOWN-CTE`).
pub fn decode_transfer<'a>(body: &'a [u8], encoding: &str) -> Option<Cow<'a, [u8]>> {
    let is = |name: &str| encoding.eq_ignore_ascii_case(name);
    if is("base64") {
        Some(Cow::Owned(decode_base64(body)))
    } else if is("quoted-printable") {
        Some(Cow::Owned(decode_quoted_printable(body)))
    } else if is("7bit") || is("8bit") || is("binary") {
        Some(Cow::Borrowed(body))
    } else {
        None
    }
}

/// RFC 2045 §6.8: characters outside the alphabet are ignored, padding ends a group.
pub(crate) fn decode_base64(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() / 4 * 3 + 3);
    let mut bits = 0u32;
    let mut count = 0;
    for &byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                put_base64_rest(&mut out, bits, count);
                (bits, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    put_base64_rest(&mut out, bits, count);
    out
}

/// The octets of a group that ended early.
fn put_base64_rest(out: &mut Vec<u8>, bits: u32, count: u32) {
    match count {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
}

/// RFC 2045 §6.7: white space at the end of a line was added on the way, and an equals sign that
/// introduces nothing stands for itself.
pub(crate) fn decode_quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let text = match line {
            [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => text,
            _ => line,
        };
        let line_break = &line[text.len()..];
        let text = crate::header::trim_end(text);
        let (text, is_soft) = match text.strip_suffix(b"=") {
            Some(text) => (text, true),
            None => (text, false),
        };
        put_quoted_printable_line(&mut out, text);
        if !is_soft {
            out.extend_from_slice(line_break);
        }
    }
    out
}

fn put_quoted_printable_line(out: &mut Vec<u8>, mut text: &[u8]) {
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
            assert_eq!(String::from_utf8_lossy(&decode_quoted_printable(body.as_bytes())), decoded);
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

    proptest! {
        #[test]
        fn base64_is_read_back(bytes: Vec<u8>, width in 1usize..80) {
            let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let lines: Vec<_> = text.as_bytes().chunks(width).collect();
            prop_assert_eq!(decode_base64(&lines.join(&b"\r\n"[..])), bytes);
        }
    }
}
