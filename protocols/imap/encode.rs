//! Writes responses into a buffer: numbers, strings, dates, flags, sets. By hand, because a tree
//! of values for each of 100,000 FETCH responses costs ten times as much as the bytes themselves.
//!
//! Whatever came from a client or a message leaves as a quoted string or a literal: no name and no
//! keyword can end a line or open a response of its own.

use hub::{Flags, IdSet};
use hub_civil::Civil;

use crate::grammar::is_atom_char;
use crate::names::{self, Names};

pub(crate) type Buffer = Vec<u8>;

pub(crate) fn number(out: &mut Buffer, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `string = quoted / literal`: quoted where it can be (RFC 9051 §9: no CR, LF, NUL or 8-bit in it).
pub(crate) fn string(out: &mut Buffer, text: &[u8]) {
    let quotable = text.len() <= 1000 && text.iter().all(|&b| matches!(b, b' '..=b'~' | b'\t'));
    if quotable { quoted(out, text) } else { literal(out, text) }
}

/// The same for a client that takes UTF-8 between the quotes (RFC 9051 §4.3).
fn utf8_string(out: &mut Buffer, text: &str) {
    let quotable = text.len() <= 1000 && !text.contains(char::is_control);
    if quotable { quoted(out, text.as_bytes()) } else { literal(out, text.as_bytes()) }
}

/// `astring`, as an atom where it can be one.
pub(crate) fn astring(out: &mut Buffer, text: &str) {
    if !text.is_empty() && text.bytes().all(is_atom_char) {
        out.extend_from_slice(text.as_bytes());
    } else {
        string(out, text.as_bytes());
    }
}

/// Text for a person: in a literal if it is not ASCII and the client has not enabled UTF-8.
pub(crate) fn text(out: &mut Buffer, text: &str, names: Names) {
    match names {
        Names::Utf7 => string(out, text.as_bytes()),
        Names::Utf8 => utf8_string(out, text),
    }
}

fn quoted(out: &mut Buffer, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

pub(crate) fn literal(out: &mut Buffer, bytes: &[u8]) {
    literal_header(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// `"{" number "}" CRLF`; the caller writes the bytes.
pub(crate) fn literal_header(out: &mut Buffer, length: u64) {
    out.push(b'{');
    number(out, length);
    out.extend_from_slice(b"}\r\n");
}

/// A mailbox name, always quoted: Thunderbird's parser of NAMESPACE and mbsync's of LIST are at their
/// best with that.
pub(crate) fn mailbox(out: &mut Buffer, name: &str, names: Names) {
    match names {
        Names::Utf7 => string(out, names::encode(name).as_bytes()),
        Names::Utf8 => utf8_string(out, name),
    }
}

/// `date-time`, in UTC: `"17-Jul-1996 02:44:25 +0000"`.
pub(crate) fn date_time(out: &mut Buffer, seconds: i64) {
    let civil = Civil::of(seconds);
    let digits = |n: i64| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    // date-year has four digits; what lies outside cannot be said.
    let year = civil.date.year.clamp(0, 9999);
    out.push(b'"');
    out.extend_from_slice(&digits(civil.date.day));
    out.push(b'-');
    out.extend_from_slice(civil.month_name().as_bytes());
    out.push(b'-');
    out.extend_from_slice(&digits(year / 100));
    out.extend_from_slice(&digits(year % 100));
    out.push(b' ');
    out.extend_from_slice(&digits(civil.hour));
    out.push(b':');
    out.extend_from_slice(&digits(civil.minute));
    out.push(b':');
    out.extend_from_slice(&digits(civil.second));
    out.extend_from_slice(b" +0000\"");
}

/// `sequence-set` of UIDs or sequence numbers.
pub(crate) fn set(out: &mut Buffer, set: &IdSet) {
    for (n, &(first, last)) in set.ranges().iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        number(out, first);
        if last > first {
            out.push(b':');
            number(out, last);
        }
    }
}

/// `sequence-set` of numbers in any order: only what ascends one by one becomes a range
/// (RFC 5267 §3.2).
pub(crate) fn runs(out: &mut Buffer, numbers: impl Iterator<Item = u64>) {
    let mut numbers = numbers.peekable();
    let mut separator = false;
    while let Some(first) = numbers.next() {
        if std::mem::replace(&mut separator, true) {
            out.push(b',');
        }
        number(out, first);
        let mut last = first;
        while numbers.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        if last > first {
            out.push(b':');
            number(out, last);
        }
    }
}

/// `"(" [flag *(SP flag)] ")"`
pub(crate) fn flags(out: &mut Buffer, flags: Flags, keywords: &[String]) {
    out.push(b'(');
    for (flag, name) in SYSTEM_FLAGS {
        if flags.contains(flag) {
            out.extend_from_slice(name);
        }
    }
    if flags.0 & !Flags::SYSTEM.0 != 0 {
        for position in flags.keyword_positions() {
            if let Some(name) = keywords.get(position) {
                out.extend_from_slice(name.as_bytes());
                out.push(b' ');
            }
        }
    }
    // Each name brought a space; the last one becomes the parenthesis.
    match out.last_mut() {
        Some(last) if *last == b' ' => *last = b')',
        _ => out.push(b')'),
    }
}

pub(crate) const SYSTEM_FLAGS: [(Flags, &[u8]); 5] = [
    (Flags::ANSWERED, b"\\Answered "),
    (Flags::FLAGGED, b"\\Flagged "),
    (Flags::DELETED, b"\\Deleted "),
    (Flags::SEEN, b"\\Seen "),
    (Flags::DRAFT, b"\\Draft "),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Buffer)) -> String {
        let mut out = b"x ".to_vec();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")[2..].to_owned()
    }

    #[test]
    fn strings_cannot_break_out() {
        let check = |text: &str, expected: &str| {
            assert_eq!(written(|out| string(out, text.as_bytes())), expected);
        };
        check("plain", "\"plain\"");
        check("", "\"\"");
        check("a\"b\\c", "\"a\\\"b\\\\c\"");
        check("a\r\n* BYE", "{8}\r\na\r\n* BYE");
        check("é", "{2}\r\né");
        check(&"x".repeat(1001), &format!("{{1001}}\r\n{}", "x".repeat(1001)));
        let name = "Entwürfe & \"co\"";
        assert_eq!(written(|out| mailbox(out, name, Names::Utf7)), "\"Entw&APw-rfe &- \\\"co\\\"\"");
        assert_eq!(written(|out| mailbox(out, name, Names::Utf8)), "\"Entwürfe & \\\"co\\\"\"");
    }

    #[test]
    fn dates_are_those_of_the_rfc() {
        let check =
            |seconds: i64, expected: &str| assert_eq!(written(|out| date_time(out, seconds)), expected);
        check(837_571_465, "\"17-Jul-1996 02:44:25 +0000\"");
        check(0, "\"01-Jan-1970 00:00:00 +0000\"");
        check(-1, "\"31-Dec-1969 23:59:59 +0000\"");
        check(1_709_164_800, "\"29-Feb-2024 00:00:00 +0000\"");
    }

    #[test]
    fn flags_and_sets() {
        let keywords = ["$Junk".to_owned(), "Work".to_owned()];
        let check = |bits: Flags, expected: &str| {
            assert_eq!(written(|out| flags(out, bits, &keywords)), expected);
        };
        check(Flags::NONE, "()");
        check(Flags::SEEN, "(\\Seen)");
        check(Flags::SEEN | Flags::keyword(1), "(\\Seen Work)");
        check(Flags::keyword(0) | Flags::keyword(1), "($Junk Work)");
        check(Flags::keyword(9), "()"); // not known: it has been asked for before this is called
        let mut uids = IdSet::range(2, 4);
        uids.insert(7);
        assert_eq!(written(|out| set(out, &uids)), "2:4,7");
        assert_eq!(written(|out| runs(out, uids.iter())), "2:4,7");
        assert_eq!(written(|out| runs(out, [5, 3, 4, 2, 1].into_iter())), "5,3:4,2,1");
    }
}
