//! Encoded-words (RFC 2047), decoded.

use std::borrow::Cow;

use crate::charset;
use crate::transfer::{decode_base64, hex_byte};

/// RFC 2047 §2 allows 75 characters, many senders write more. Without a limit, words that are begun
/// and not ended would each be sought to the end.
const MAX_WORD: usize = 8 * 1024;

/// Header text as a person reads it: encoded-words decoded, runs of white space made one space.
pub(crate) fn decode_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Octets of adjacent encoded-words: some senders cut within a character.
    let mut pending: Option<Pending> = None;
    for word in text.split_ascii_whitespace() {
        let mut rest = word;
        let mut at_word_start = true;
        while !rest.is_empty() {
            let (plain, encoded, after) = split_at_encoded_word(rest);
            let space = at_word_start && !(out.is_empty() && pending.is_none());
            if !plain.is_empty() {
                flush(&mut out, &mut pending);
                if space {
                    out.push(' ');
                }
                out.push_str(plain);
            }
            if let Some(encoded) = encoded {
                match &mut pending {
                    // RFC 2047 §6.2: white space between encoded-words is ignored.
                    Some(pending)
                        if pending.charset.eq_ignore_ascii_case(encoded.charset)
                            && !charset::is_stateful(encoded.charset) =>
                    {
                        pending.octets.extend_from_slice(&encoded.octets);
                    }
                    _ => {
                        let follows_encoded = pending.is_some();
                        flush(&mut out, &mut pending);
                        if space && !follows_encoded && plain.is_empty() {
                            out.push(' ');
                        }
                        pending = Some(encoded);
                    }
                }
            }
            at_word_start = false;
            rest = after;
        }
    }
    flush(&mut out, &mut pending);
    out
}

struct Pending<'a> {
    charset: &'a str,
    octets: Vec<u8>,
}

fn flush(out: &mut String, pending: &mut Option<Pending>) {
    if let Some(pending) = pending.take() {
        let text = charset::decode(&pending.octets, Some(pending.charset));
        out.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

/// What stands before the first encoded-word, that word, and what follows it. Some senders put no
/// space between the two.
fn split_at_encoded_word(text: &str) -> (&str, Option<Pending<'_>>, &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find("=?").map(|at| from + at) {
        if let Some((encoded, after)) = decode_word(&text[at..]) {
            return (&text[..at], Some(encoded), after);
        }
        from = at + 2;
    }
    (text, None, "")
}

/// `encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="`
fn decode_word(text: &str) -> Option<(Pending<'_>, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let end = memchr::memmem::find(&rest.as_bytes()[..rest.len().min(MAX_WORD)], b"?=")?;
    let (encoded, after) = (&rest[..end], &rest[end + 2..]);
    let octets = match encoding {
        "b" | "B" => decode_base64(encoded.as_bytes()),
        "q" | "Q" => decode_q(encoded.as_bytes()),
        _ => return None,
    };
    // RFC 2231 §5 puts a language behind the charset.
    let charset = charset.split('*').next().unwrap_or(charset);
    (!charset.is_empty()).then_some((Pending { charset, octets }, after))
}

/// RFC 2047 §4.2.
fn decode_q(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.get(..2).and_then(hex_byte)) {
            (b'_', _) => out.push(b' '),
            (b'=', Some(octet)) => {
                out.push(octet);
                rest = &after[2..];
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Ids within angle brackets (`msg-id`, RFC 5322 §3.6.4), without the brackets. Old mail has other
/// words around them; an id that lacks its brackets counts if nothing else is there.
pub(crate) fn message_ids(value: &str) -> Vec<Cow<'_, str>> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((id, after)) = after.split_once('>') else { break };
        rest = after;
        let without_space = |id: &str| id.split_ascii_whitespace().collect::<String>();
        let id = if id.contains([' ', '\t']) { Cow::Owned(without_space(id)) } else { Cow::Borrowed(id) };
        if !id.is_empty() {
            ids.push(id);
        }
    }
    let bare = value.trim();
    if ids.is_empty() && bare.contains('@') && !bare.contains([' ', '\t', '<', '>']) {
        ids.push(Cow::Borrowed(bare));
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words() {
        let check = |text: &str, decoded: &str| assert_eq!(decode_words(text), decoded, "{text}");
        check("plain   text ", "plain text");
        check("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße");
        check("=?utf-8?B?R3LDvMOfZQ==?= an alle", "Grüße an alle");
        check("Re: =?iso-8859-1?Q?Fr=F6sche_und?= mehr", "Re: Frösche und mehr");
        check("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü");
        check("=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?= =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=", "テストテスト");
        check("a=?utf-8?q?b?=c", "abc");
        check("(=?utf-8?q?b?=)", "(b)");
        check("=?utf-8?x?b?=", "=?utf-8?x?b?=");
        check("=?utf-8?q?open", "=?utf-8?q?open");
        let unending = "=?a?q?x".repeat(40_000);
        check(&unending, &unending);
        check("=?utf-8?q?a=0Ab?=", "a b");
        check("=?us-ascii*en?Q?Keith_Moore?= x", "Keith Moore x");
        // RFC 2047 §8.
        check("=?ISO-8859-1?Q?a?=", "a");
        check("=?ISO-8859-1?Q?a?= b", "a b");
        check("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab");
        check("=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=", "ab");
        check("=?ISO-8859-1?Q?a_b?=", "a b");
        check("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b");
        check(
            "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
            "If you can read this you understand the example.",
        );
        check("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>");
    }

    #[test]
    fn ids() {
        let check = |value: &str, ids: &[&str]| assert_eq!(message_ids(value), ids, "{value}");
        check("<a@b>", &["a@b"]);
        check(" <a@b>\t<c@d> ", &["a@b", "c@d"]);
        check("Your mail of Monday <a@b>", &["a@b"]);
        check("<a @\tb> <>", &["a@b"]);
        check("a@b", &["a@b"]);
        check("nothing here", &[]);
        check("<open", &[]);
    }
}
