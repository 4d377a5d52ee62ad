//! Sections of a message: which bytes an item names, and how the answer names it.

use std::ops::Range;

use hub_mime::{Part, are_listed, section_range};

use crate::encode::{self, Buffer};
use crate::grammar::command::{Portion, Section, SectionName};
use crate::grammar::is_atom_char;

/// A header block is looked at up to this size for HEADER.FIELDS; nobody writes a megabyte of them.
pub(crate) const LONGEST_HEADER: u64 = 1 << 20;

/// Where a section's bytes come from. Ranges count from the first byte that clients see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// These bytes as they are.
    Bytes(Range<u64>),
    /// Fields of the header block that lies here.
    Fields(Range<u64>),
    /// Fields that the summary keeps.
    Listed,
    /// There is no such section: NIL.
    Nothing,
}

/// What is known of a message's layout.
pub(crate) struct Layout<'a> {
    /// Bytes that the hub put in front of what it received.
    pub(crate) prefix: u64,
    /// Length of the received header block.
    pub(crate) header: u64,
    /// All of it: RFC822.SIZE.
    pub(crate) size: u64,
    pub(crate) parts: &'a [Part],
    /// What the summary keeps of the header block received.
    pub(crate) listed: Option<&'a [u8]>,
}

/// RFC 9051 §6.4.5.1.
pub(crate) fn locate(section: &Section, layout: &Layout<'_>) -> Source {
    if layout.listed.is_some()
        && section.path.is_empty()
        && let Portion::Fields { names, not: false } = &section.portion
        && are_listed(names)
    {
        return Source::Listed;
    }
    let body_start = (layout.prefix + layout.header).min(layout.size);
    let (kind, is_fields) = match section.portion {
        Portion::All => (hub_mime::Section::Whole, false),
        Portion::Fields { .. } => (hub_mime::Section::Header, true),
        Portion::Header => (hub_mime::Section::Header, false),
        Portion::Mime => (hub_mime::Section::Mime, false),
        Portion::Text => (hub_mime::Section::Text, false),
    };
    let range = if section.path.is_empty() {
        match section.portion {
            Portion::All => 0..layout.size,
            Portion::Fields { .. } | Portion::Header => 0..body_start,
            Portion::Mime => return Source::Nothing,
            Portion::Text => body_start..layout.size,
        }
    } else {
        match section_range(layout.parts, &section.path, kind) {
            Some(range) => {
                let end = (range.end + layout.prefix).min(layout.size);
                (range.start + layout.prefix).min(end)..end
            }
            None => return Source::Nothing,
        }
    };
    if is_fields { Source::Fields(range) } else { Source::Bytes(range) }
}

/// Where the bytes end that must be read for a section.
pub(crate) fn end(section: &Section, layout: &Layout<'_>) -> u64 {
    // To cut decoded content one must decode it from its beginning.
    let partial = section.partial.filter(|_| section.name != SectionName::Binary);
    match locate(section, layout) {
        Source::Bytes(range) => {
            Some(cut(range, partial)).filter(|cut| !cut.is_empty()).map_or(0, |cut| cut.end)
        }
        Source::Fields(range) => fields_within(range).end,
        Source::Listed | Source::Nothing => 0,
    }
}

/// Where a part ends; 0 if there is none.
pub(crate) fn end_of_part(path: &[u32], layout: &Layout<'_>) -> u64 {
    if path.is_empty() {
        return layout.size;
    }
    let part = section_range(layout.parts, path, hub_mime::Section::Whole);
    part.map_or(0, |part| (part.end + layout.prefix).min(layout.size))
}

/// The part of a header block that is looked at for HEADER.FIELDS.
pub(crate) fn fields_within(block: Range<u64>) -> Range<u64> {
    block.start..block.end.min(block.start.saturating_add(LONGEST_HEADER))
}

/// The part of `range` that `<offset.length>` names: exactly min(length, what is left), nothing past
/// the end. Thunderbird takes a shorter answer for the last piece.
pub(crate) fn cut(range: Range<u64>, partial: Option<(u64, u64)>) -> Range<u64> {
    let Some((offset, length)) = partial else { return range };
    let start = range.start.saturating_add(offset).min(range.end);
    start..start.saturating_add(length).min(range.end)
}

/// `BODY[1.2.HEADER.FIELDS (From To)]<0>`: as asked, but the length of the partial is not repeated.
pub(crate) fn write_name(out: &mut Buffer, section: &Section) {
    let name: &[u8] = match section.name {
        SectionName::Binary => b"BINARY[",
        SectionName::Body => b"BODY[",
        SectionName::Rfc822 => b"RFC822",
        SectionName::Rfc822Header => b"RFC822.HEADER",
        SectionName::Rfc822Text => b"RFC822.TEXT",
    };
    out.extend_from_slice(name);
    if !matches!(section.name, SectionName::Binary | SectionName::Body) {
        return;
    }
    write_path(out, &section.path);
    if !section.path.is_empty() && section.portion != Portion::All {
        out.push(b'.');
    }
    match &section.portion {
        Portion::All => {}
        Portion::Fields { names, not } => {
            out.extend_from_slice(if *not { b"HEADER.FIELDS.NOT (" } else { b"HEADER.FIELDS (" });
            for (n, name) in names.iter().enumerate() {
                if n > 0 {
                    out.push(b' ');
                }
                if name.iter().all(|&b| is_atom_char(b) || b == b']') {
                    out.extend_from_slice(name);
                } else {
                    encode::string(out, name);
                }
            }
            out.push(b')');
        }
        Portion::Header => out.extend_from_slice(b"HEADER"),
        Portion::Mime => out.extend_from_slice(b"MIME"),
        Portion::Text => out.extend_from_slice(b"TEXT"),
    }
    out.push(b']');
    if let Some((offset, _)) = section.partial {
        out.push(b'<');
        encode::number(out, offset);
        out.push(b'>');
    }
}

/// `section-part = nz-number *("." nz-number)`
pub(crate) fn write_path(out: &mut Buffer, path: &[u32]) {
    for (n, number) in path.iter().enumerate() {
        if n > 0 {
            out.push(b'.');
        }
        encode::number(out, *number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_mime::Scanner;

    fn section(path: &[u32], portion: Portion, partial: Option<(u64, u64)>) -> Section {
        Section { name: SectionName::Body, path: path.to_vec(), portion, partial, peek: true }
    }

    #[test]
    fn sections_are_found_behind_the_prefix() {
        let prefix = "Received: here\r\n";
        let inner = "Subject: in\r\n\r\ninner\r\n";
        let received = format!(
            "Subject: out\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n"
        );
        let mut scanner = Scanner::new();
        scanner.feed(received.as_bytes());
        let summary = scanner.finish();
        let whole = format!("{prefix}{received}");
        let layout = Layout {
            prefix: prefix.len() as u64,
            header: summary.header_length,
            size: whole.len() as u64,
            parts: &summary.parts,
            listed: summary.listed_fields.as_deref(),
        };
        let header = &whole[..whole.find("\r\n\r\n").expect("header") + 4];
        let check = |path: &[u32], portion: Portion, expected: Option<&str>| {
            let found = match locate(&section(path, portion.clone(), None), &layout) {
                Source::Bytes(range) | Source::Fields(range) => {
                    Some(&whole[range.start as usize..range.end as usize])
                }
                Source::Listed | Source::Nothing => None,
            };
            assert_eq!(found, expected, "{path:?} {portion:?}");
        };
        check(&[], Portion::All, Some(&whole));
        check(&[], Portion::Header, Some(header));
        check(&[], Portion::Text, Some(&whole[header.len()..]));
        check(&[], Portion::Mime, None);
        check(&[1], Portion::All, Some("one"));
        check(&[1], Portion::Mime, Some("\r\n"));
        check(&[1], Portion::Header, None);
        check(&[2], Portion::All, Some(inner));
        // mjl-/mox 39c21f8: the MIME header of a message/rfc822 part.
        check(&[2], Portion::Mime, Some("Content-Type: message/rfc822\r\n\r\n"));
        check(&[2], Portion::Header, Some("Subject: in\r\n\r\n"));
        check(&[2], Portion::Text, Some("inner\r\n"));
        check(&[2, 1], Portion::All, Some("inner\r\n"));
        check(&[3], Portion::All, None);
        check(&[1, 1], Portion::All, None);
        let fields = |names: &[&str]| {
            let names = names.iter().map(|name| name.as_bytes().to_vec()).collect();
            locate(&section(&[], Portion::Fields { names, not: false }, None), &layout)
        };
        assert_eq!(fields(&["Subject", "to"]), Source::Listed);
        assert_eq!(fields(&["Subject", "Received"]), Source::Fields(0..header.len() as u64));
    }

    #[test]
    fn partial_ranges_are_exact() {
        assert_eq!(cut(10..30, None), 10..30);
        assert_eq!(cut(10..30, Some((0, 5))), 10..15);
        assert_eq!(cut(10..30, Some((15, 100))), 25..30);
        assert_eq!(cut(10..30, Some((20, 1))), 30..30);
        assert_eq!(cut(10..30, Some((u64::MAX, u64::MAX))), 30..30);
    }

    #[test]
    fn names_are_echoed() {
        let check = |section: Section, expected: &str| {
            let mut out = Vec::new();
            write_name(&mut out, &section);
            assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        };
        let fields = Portion::Fields { names: vec![b"From".to_vec(), b"X-(y)".to_vec()], not: false };
        check(section(&[], fields, None), "BODY[HEADER.FIELDS (From \"X-(y)\")]");
        check(section(&[1, 2], Portion::Mime, Some((5, 10))), "BODY[1.2.MIME]<5>");
        check(section(&[1], Portion::All, None), "BODY[1]");
        check(section(&[], Portion::All, Some((0, 1))), "BODY[]<0>");
    }
}
