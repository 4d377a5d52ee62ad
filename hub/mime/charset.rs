//! From octets to text: charsets of MIME, and header octets that have none.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// Text of an unfolded header value: without white space around it, and with control characters that
/// nothing of ours may send on (and tabs) made spaces.
/// RFC 6532: it is UTF-8; if it is not, somebody wrote plain 8-bit text, most likely in the charset
/// that the message names for its body.
pub(crate) fn header_text(raw: &[u8], charset: Option<&str>) -> String {
    let repaired = if raw.is_ascii() { Cow::Borrowed(raw) } else { escape_in_encoded_words(raw) };
    let text = match std::str::from_utf8(&repaired) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => decode(&repaired, charset),
    };
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n', '\0']);
    if trimmed.contains(['\t', '\r', '\n', '\0']) {
        trimmed.replace('\0', "").replace(['\t', '\r', '\n'], " ")
    } else {
        trimmed.to_owned()
    }
}

/// Text in a named charset. A name that is missing, unknown or not true is made up for: UTF-8 if it
/// is well-formed UTF-8, else windows-1252, as mail readers do.
pub fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let charset = charset.map(str::trim).filter(|name| !name.is_empty());
    if bytes.is_ascii() && !charset.is_some_and(is_stateful) {
        return String::from_utf8_lossy(bytes);
    }
    let is_vague = |name: &str| {
        ["us-ascii", "ascii", "utf-8", "utf8"].iter().any(|vague| name.eq_ignore_ascii_case(vague))
    };
    let named = charset.filter(|name| !is_vague(name)).and_then(|name| charset_decoder(name.as_bytes()));
    if let Some(decoder) = named {
        return Cow::Owned(decoder(bytes));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // Declared as UTF-8, or cut off within a character: the rest of it is readable.
        Err(error)
            if charset.is_some_and(|c| c.eq_ignore_ascii_case("utf-8")) || error.error_len().is_none() =>
        {
            String::from_utf8_lossy(bytes)
        }
        Err(_) => match charset_decoder(b"windows-1252") {
            Some(decoder) => Cow::Owned(decoder(bytes)),
            None => String::from_utf8_lossy(bytes),
        },
    }
}

/// The same, and whether the name was missing, unknown or not true where it matters, or octets were replaced.
pub(crate) fn decode_checked<'a>(bytes: &'a [u8], charset: Option<&str>) -> (Cow<'a, str>, bool) {
    let name = charset.map(str::trim).unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let problem = if is(&["utf-8", "utf8"]) {
        std::str::from_utf8(bytes).is_err()
    } else if is(&["us-ascii", "ascii", ""]) {
        !bytes.is_ascii()
    } else {
        charset_decoder(name.as_bytes()).is_none()
    };
    let text = decode(bytes, charset);
    let problem = problem || text.contains(char::REPLACEMENT_CHARACTER);
    (text, problem)
}

/// Charsets in which ASCII octets need not be ASCII text, or that change their meaning on the way.
pub(crate) fn is_stateful(charset: &str) -> bool {
    const PREFIXES: [&str; 8] =
        ["iso-2022-", "csiso2022", "utf-16", "utf16", "utf-7", "utf7", "hz-gb", "utf-32"];
    PREFIXES
        .iter()
        .any(|prefix| charset.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

/// Some senders leave 8-bit octets in the Q encoding, `=?iso-8859-1?Q?Frösche?=`. They are in the
/// charset that is named there, so they can be written as they ought to be.
fn escape_in_encoded_words(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(raw, b"=?").is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len() + 16);
    for (index, word) in raw.split(|&byte| byte == b' ').enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        if !is_q_word(word) {
            out.extend_from_slice(word);
            continue;
        }
        for &byte in word {
            if byte < 0x80 {
                out.push(byte);
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
        }
    }
    Cow::Owned(out)
}

fn is_q_word(word: &[u8]) -> bool {
    let Some(inner) = word.strip_prefix(b"=?").and_then(|w| w.strip_suffix(b"?=")) else { return false };
    let mut pieces = inner.split(|&byte| byte == b'?');
    pieces.next().is_some_and(|charset| charset.is_ascii())
        && pieces.next().is_some_and(|encoding| encoding.eq_ignore_ascii_case(b"q"))
        && pieces.next().is_some()
        && pieces.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_octets_become_text() {
        let check =
            |raw: &[u8], charset: Option<&str>, text: &str| assert_eq!(header_text(raw, charset), text);
        check(b"plain", None, "plain");
        check("Grüße".as_bytes(), None, "Grüße");
        check("Grüße".as_bytes(), Some("us-ascii"), "Grüße");
        check(b"Gr\xfc\xdfe", None, "Grüße");
        check(b"Gr\xfc\xdfe", Some("unknown"), "Grüße");
        check(b"\xcf\xf0\xe8\xe2\xe5\xf2", Some("windows-1251"), "Привет");
        check(b"a\0b\rc\r", None, "ab c");
        check(b"=?iso-8859-1?Q?Fr\xf6sche?= x", None, "=?iso-8859-1?Q?Fr=F6sche?= x");
        check(b"=?iso-8859-1?B?Fr\xf6sche?=", None, "=?iso-8859-1?B?Frösche?=");
    }

    #[test]
    fn body_octets_become_text() {
        let check = |raw: &[u8], charset: Option<&str>, text: &str| assert_eq!(decode(raw, charset), text);
        check(b"abc", None, "abc");
        check("ü".as_bytes(), Some("us-ascii"), "ü");
        check("ü".as_bytes(), Some("utf-8"), "ü");
        check(b"\xfc", Some("utf-8"), "\u{fffd}");
        check(b"\xfc", Some("iso-8859-1"), "ü");
        check(b"a\xc3", None, "a\u{fffd}");
        check(b"\x1b$B%O%m!<\x1b(B", Some("ISO-2022-JP"), "ハロー");
        check(b"\xff\xfea\0b\0", Some("utf-16"), "ab");
        check(b"a+APw-b", Some("utf-7"), "aüb");
    }
}
