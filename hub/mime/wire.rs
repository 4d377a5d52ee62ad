//! IMAP strings for the wire, 7-bit whatever the message holds.
//!
//! Header text may be raw UTF-8 (RFC 6532) or plainly 8-bit. Without UTF8=ACCEPT such octets must
//! not be sent: quoted strings are 7-bit, and literals SHOULD have 8-bit octets only if their
//! charset is identified (RFC 3501 §4.3.1). So text becomes encoded-words (RFC 2047) and parameter
//! values become extended ones (RFC 2231), which is what the sender should have written.

use std::borrow::Cow;

use base64::Engine;

/// Longer strings go as literals: some clients limit the length of a line (RFC 2683 §3.2.1.5).
const MAX_QUOTED: usize = 1000;

/// An encoded-word may be 75 characters long (RFC 2047 §2); `=?utf-8?q?` and `?=` take twelve.
const MAX_ENCODED: usize = 75 - 12;

/// `nil`
pub(crate) const NIL: &[u8] = b"NIL";

/// `nstring` of header text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_string(out, &seven_bit(text)),
        None => out.extend_from_slice(NIL),
    }
}

/// `string` of text that is 7-bit but for oddities, such as media types: those become `?`.
pub(crate) fn put_token(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() {
        put_string(out, text);
    } else {
        put_string(out, &text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>());
    }
}

/// `string SP string`: a parameter's name and value. A name that ends in `*` announces an RFC 2231
/// value with charset and percent signs.
pub(crate) fn put_parameter(out: &mut Vec<u8>, name: &str, value: &str) {
    if value.is_ascii() {
        put_token(out, name);
        out.push(b' ');
        put_string(out, value);
    } else {
        let star = if name.ends_with('*') { "" } else { "*" };
        put_token(out, &format!("{name}{star}"));
        out.push(b' ');
        put_string(out, &extended_value(value, name.ends_with('*')));
    }
}

/// `string = quoted / literal`, of 7-bit text.
fn put_string(out: &mut Vec<u8>, text: &str) {
    let sendable = |byte: u8| !matches!(byte, 0 | b'\r' | b'\n') && byte < 0x80;
    let mut text = Cow::Borrowed(text);
    if !text.bytes().all(sendable) {
        // Headers are unfolded and made 7-bit before; nothing of this comes here.
        text = Cow::Owned(
            text.chars().map(|c| if c.is_ascii() && sendable(c as u8) { c } else { ' ' }).collect(),
        );
    }
    if text.len() > MAX_QUOTED {
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Text with its non-ASCII words made encoded-words.
pub(crate) fn seven_bit(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut run = String::new();
    let mut words = text.split(' ').peekable();
    let mut follows_encoded_word = false;
    let mut first = true;
    while let Some(word) = words.next() {
        if !std::mem::take(&mut first) {
            out.push(' ');
        }
        if word.is_ascii() {
            out.push_str(word);
            follows_encoded_word = is_encoded_word(word);
            continue;
        }
        // White space between two encoded-words is not shown (RFC 2047 §6.2), so white space that
        // is to be seen goes into one of them.
        run.clear();
        if follows_encoded_word {
            run.push(' ');
        }
        run.push_str(word);
        while let Some(next) = words.next_if(|next| !next.is_ascii()) {
            run.push(' ');
            run.push_str(next);
        }
        if words.peek().is_some_and(|next| is_encoded_word(next)) {
            run.push(' ');
        }
        put_encoded_words(&mut out, &run);
        follows_encoded_word = true;
    }
    Cow::Owned(out)
}

pub(crate) fn is_encoded_word(word: &str) -> bool {
    word.len() > 6 && word.starts_with("=?") && word.ends_with("?=")
}

/// Encoded-words for `text`, in the encoding that is shorter.
fn put_encoded_words(out: &mut String, text: &str) {
    let length_in_q: usize = text.chars().map(q_length).sum();
    let use_q = length_in_q <= text.len().div_ceil(3) * 4;
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        // Each encoded-word holds whole characters (RFC 2047 §5).
        let mut length = 0;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                length += if use_q { q_length(*c) } else { c.len_utf8() };
                length > if use_q { MAX_ENCODED } else { MAX_ENCODED / 4 * 3 }
            })
            .map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        if !std::mem::take(&mut first) {
            out.push(' ');
        }
        if use_q {
            out.push_str("=?utf-8?q?");
            for c in piece.chars() {
                put_q(out, c);
            }
        } else {
            out.push_str("=?utf-8?b?");
            base64::engine::general_purpose::STANDARD.encode_string(piece, out);
        }
        out.push_str("?=");
        rest = after;
    }
}

/// What may stand for itself in an encoded-word wherever it stands (RFC 2047 §5, rule 3).
fn is_q_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '!' | '*' | '+' | '-' | '/')
}

fn q_length(c: char) -> usize {
    if c == ' ' || is_q_safe(c) { 1 } else { 3 * c.len_utf8() }
}

fn put_q(out: &mut String, c: char) {
    if c == ' ' {
        out.push('_');
    } else if is_q_safe(c) {
        out.push(c);
    } else {
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            put_hex(out, '=', byte);
        }
    }
}

/// `extended-value` of RFC 2231 §7. One that the sender had marked as extended keeps its charset
/// and its percent signs; only the raw octets are escaped.
fn extended_value(value: &str, extended: bool) -> String {
    let mut out = String::with_capacity(value.len() * 2);
    if !extended {
        out.push_str("utf-8''");
    }
    for c in value.chars() {
        let safe = if extended {
            c.is_ascii()
        } else {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~')
        };
        if safe {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                put_hex(&mut out, '%', byte);
            }
        }
    }
    out
}

fn put_hex(out: &mut String, mark: char, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push(mark);
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::HeaderValue;
    use mail_parser::parsers::MessageStream;
    use proptest::prelude::*;

    #[test]
    fn strings() {
        let check = |text: Option<&str>, wire: &str| {
            let mut out = Vec::new();
            put_text(&mut out, text);
            assert_eq!(String::from_utf8_lossy(&out), wire);
        };
        check(None, "NIL");
        check(Some(""), r#""""#);
        check(Some(r#"a "b" \c"#), r#""a \"b\" \\c""#);
        check(Some("Grüße"), r#""=?utf-8?b?R3LDvMOfZQ==?=""#);
        check(Some("Re: Frösche fangen"), r#""Re: =?utf-8?q?Fr=C3=B6sche?= fangen""#);
        check(Some("你好 世界!"), r#""=?utf-8?b?5L2g5aW9IOS4lueVjCE=?=""#);
        check(Some("=?utf-8?q?a?= ü"), r#""=?utf-8?q?a?= =?utf-8?b?IMO8?=""#);
        check(Some("ü =?utf-8?q?a?="), r#""=?utf-8?b?w7wg?= =?utf-8?q?a?=""#);
        check(Some("a\r\nb\0c"), r#""a  b c""#);
        let long = "x".repeat(1001);
        check(Some(&long), &format!("{{1001}}\r\n{long}"));
    }

    #[test]
    fn parameters() {
        let check = |name: &str, value: &str, wire: &str| {
            let mut out = Vec::new();
            put_parameter(&mut out, name, value);
            assert_eq!(String::from_utf8_lossy(&out), wire);
        };
        check("name", "a b.txt", r#""name" "a b.txt""#);
        check("filename", "Grüße 1.txt", r#""filename*" "utf-8''Gr%C3%BC%C3%9Fe%201.txt""#);
        check("filename*", "utf-8''Grü%20.txt", r#""filename*" "utf-8''Gr%C3%BC%20.txt""#);
    }

    proptest! {
        /// A client that knows RFC 2047 reads the same text again.
        #[test]
        fn encoded_words_are_read_back(words in proptest::collection::vec("[a-zäöü你😀\"(),._?=]{1,40}", 1..8)) {
            let text = words.join(" ");
            prop_assume!(!text.contains("=?"));
            let wire = seven_bit(&text).into_owned();
            prop_assert!(wire.is_ascii());
            prop_assert!(wire.split(' ').all(|word| !is_encoded_word(word) || word.len() <= 75));
            let line = format!("{wire}\n");
            let HeaderValue::Text(read) = MessageStream::new(line.as_bytes()).parse_unstructured() else {
                return Err(TestCaseError::fail("nothing read"));
            };
            prop_assert_eq!(read.trim(), text);
        }
    }
}
