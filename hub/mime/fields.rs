//! Choosing fields from a header block, for `HEADER.FIELDS` and for search.

use crate::charset;
use crate::header::{is_space, split_field};
use crate::words::decode_words;

/// `HEADER.FIELDS` or, if `not`, `HEADER.FIELDS.NOT` (RFC 9051 §6.4.5.1): the fields with these names
/// or all others, as they stand in the block, and the empty line, which is always there. Names are
/// compared in any case. Lines that are no field belong to the others.
pub fn header_fields(block: &[u8], names: &[impl AsRef<[u8]>], not: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(if not { block.len() + 2 } else { 256 });
    choose(&mut out, block, names, not);
    out.extend_from_slice(b"\r\n");
    out
}

/// [`header_fields`] of fields that are listed ([`crate::are_listed`]), from what a summary keeps of
/// them and the prefix in front of the message.
pub fn listed_header_fields(prefix: &[u8], listed: &[u8], names: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(listed.len() + 4);
    choose(&mut out, prefix, names, false);
    choose(&mut out, listed, names, false);
    out.extend_from_slice(b"\r\n");
    out
}

fn choose(out: &mut Vec<u8>, block: &[u8], names: &[impl AsRef<[u8]>], not: bool) {
    let is_named = |name: &[u8]| names.iter().any(|n| n.as_ref().eq_ignore_ascii_case(name));
    for field in Fields::new(block) {
        if field.name.is_some_and(is_named) != not {
            out.extend_from_slice(field.raw);
            if !field.raw.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

/// The values of all fields with this name, decoded: unfolded, and encoded-words as the text they
/// stand for. What `SEARCH HEADER` looks at.
pub fn header_values(block: &[u8], name: &str) -> impl Iterator<Item = String> {
    Fields::new(block)
        .filter(move |field| field.name.is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes())))
        .map(|field| {
            let value = split_field(field.raw).map_or(&[][..], |(_, value)| value);
            decode_words(&charset::header_text(value, None))
        })
}

/// The whole header block as a person reads it, a line per field. What `SEARCH TEXT` looks at. It
/// contains whatever [`header_values`] gives, and the names of the fields.
pub fn header_text(block: &[u8]) -> String {
    let mut out = String::with_capacity(block.len());
    for field in Fields::new(block) {
        let value = match split_field(field.raw) {
            Some((_, value)) => {
                let name = &field.raw[..field.raw.len() - value.len()];
                out.push_str(&charset::header_text(name, None));
                if value.first().copied().is_some_and(is_space) {
                    out.push(' ');
                }
                value
            }
            None => field.raw,
        };
        out.push_str(&decode_words(&charset::header_text(value, None)));
        out.push('\n');
    }
    out
}

/// Names and values of all fields: of each the octets from behind the colon to before the line break that
/// ends it.
pub(crate) fn raw_fields(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    Fields::new(block).filter_map(|field| {
        let (name, value) = split_field(field.raw)?;
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        Some((name, value.strip_suffix(b"\r").unwrap_or(value)))
    })
}

/// A field with its continuation lines, line breaks included.
struct RawField<'a> {
    /// `None` for a line that is not a field.
    name: Option<&'a [u8]>,
    raw: &'a [u8],
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<RawField<'a>> {
        if self.rest.is_empty() || self.rest.starts_with(b"\r\n") || self.rest.starts_with(b"\n") {
            return None;
        }
        let mut end = line_length(self.rest);
        let name = split_field(&self.rest[..end]).map(|(name, _)| name);
        while self.rest.get(end).copied().is_some_and(is_space) {
            end += line_length(&self.rest[end..]);
        }
        let (raw, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(RawField { name, raw })
    }
}

fn line_length(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: &str = "Received: one\r\n two\r\nSubject: Hi\r\n\tthere\r\nno field\r\n more\r\nX : y\r\nSUBJECT: =?utf-8?q?=C3=BC?=\r\nTo: a\r\n\r\n";

    #[test]
    fn fields_are_chosen() {
        let check = |names: &[&str], not: bool, chosen: &str| {
            assert_eq!(String::from_utf8_lossy(&header_fields(BLOCK.as_bytes(), names, not)), chosen);
        };
        check(&["subject"], false, "Subject: Hi\r\n\tthere\r\nSUBJECT: =?utf-8?q?=C3=BC?=\r\n\r\n");
        check(&["To", "RECEIVED"], false, "Received: one\r\n two\r\nTo: a\r\n\r\n");
        check(&["x"], false, "X : y\r\n\r\n");
        check(&["none", "no field"], false, "\r\n");
        check(&["Subject", "Received", "x"], true, "no field\r\n more\r\nTo: a\r\n\r\n");
        check(&[], true, BLOCK);
        let ends = |block: &str| {
            String::from_utf8_lossy(&header_fields(block.as_bytes(), &["a"], false)).into_owned()
        };
        assert_eq!(ends("A: 1"), "A: 1\r\n\r\n");
        assert_eq!(ends("A: 1\n\n"), "A: 1\n\r\n");
        assert_eq!(ends(""), "\r\n");
    }

    #[test]
    fn values_are_decoded() {
        assert!(header_values(BLOCK.as_bytes(), "Subject").eq(["Hi there", "ü"]));
        assert_eq!(header_values(BLOCK.as_bytes(), "Cc").count(), 0);
        assert_eq!(
            header_text(BLOCK.as_bytes()),
            "Received: one two\nSubject: Hi there\nno field more\nX : y\nSUBJECT: ü\nTo: a\n"
        );
    }

    proptest! {
        #[test]
        fn the_text_contains_the_values(block in "(([A-C] ?:|x)[a-zü=? _-]{0,6}(=\\?utf-8\\?q\\?[a-c=ü]{0,4}\\?=[a ]?){0,2}(\r\n y)?\r\n){0,6}") {
            let text = header_text(block.as_bytes());
            for name in ["A", "B", "C"] {
                for value in header_values(block.as_bytes(), name) {
                    prop_assert!(text.contains(&value) && text.contains(name), "{:?} in {:?}", value, text);
                }
            }
        }

        /// Each line is in exactly one of the two subsets.
        #[test]
        fn fields_and_others_make_the_block(block in "([A-C]: [a-z]{0,3}\r\n|  x\r\n|[a-z]{1,4}\r\n){0,8}") {
            let mut lines: Vec<_> = [false, true]
                .into_iter()
                .flat_map(|not| {
                    let chosen = header_fields(block.as_bytes(), &["a", "c"], not);
                    let chosen = String::from_utf8(chosen).expect("text");
                    let chosen = chosen.strip_suffix("\r\n").expect("empty line").to_owned();
                    chosen.lines().map(str::to_owned).collect::<Vec<_>>()
                })
                .collect();
            lines.sort_unstable();
            let mut expected: Vec<_> = block.lines().map(str::to_owned).collect();
            expected.sort_unstable();
            prop_assert_eq!(lines, expected);
        }
    }
}
