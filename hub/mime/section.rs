//! Sections of a message (RFC 9051 §6.4.5.1): which bytes `BODY[2.1.MIME]` names.

use std::ops::Range;

use crate::{Part, PartKind};

/// The part specifier behind the part numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `HEADER`, and the header that `HEADER.FIELDS` chooses from; with the empty line at its end.
    Header,
    /// `MIME`
    Mime,
    /// `TEXT`
    Text,
    /// None: the part's body, or without numbers the whole message.
    Whole,
}

/// The bytes of a section of the message whose parts these are. `None` if it does not exist or the
/// specifier does not fit it: `HEADER` and `TEXT` of something that is not a message, `MIME`
/// without a part number.
pub fn section_range(parts: &[Part], path: &[u32], section: Section) -> Option<Range<u64>> {
    let top = parts.first()?;
    if path.is_empty() {
        return match section {
            Section::Header => Some(top.header_start..top.body_start),
            Section::Mime => None,
            Section::Text => Some(top.body_start..top.body_end),
            Section::Whole => Some(top.header_start..top.body_end),
        };
    }
    let index = find_part(parts, path)?;
    let part = &parts[index];
    match section {
        Section::Mime => Some(part.header_start..part.body_start),
        Section::Whole => Some(part.body_start..part.body_end),
        Section::Header | Section::Text if part.kind == PartKind::Message => {
            let message = parts.get(index + 1)?;
            Some(if section == Section::Header {
                message.header_start..message.body_start
            } else {
                message.body_start..message.body_end
            })
        }
        Section::Header | Section::Text => None,
    }
}

/// Index of the part with these numbers.
pub fn find_part(parts: &[Part], path: &[u32]) -> Option<usize> {
    let (&first, rest) = path.split_first()?;
    let mut index = find_in_message(parts, 0, first)?;
    for &number in rest {
        index = match parts.get(index)?.kind {
            PartKind::Leaf => return None,
            PartKind::Message => find_in_message(parts, index + 1, number)?,
            PartKind::Multipart => find_child(parts, index, number)?,
        };
    }
    Some(index)
}

/// Part `number` of the message whose top part is `parts[top]`. A message that is not multipart has
/// a part 1 all the same, which is its body.
fn find_in_message(parts: &[Part], top: usize, number: u32) -> Option<usize> {
    match parts.get(top)?.kind {
        PartKind::Multipart => find_child(parts, top, number),
        PartKind::Leaf | PartKind::Message => (number == 1).then_some(top),
    }
}

fn find_child(parts: &[Part], parent: usize, number: u32) -> Option<usize> {
    let depth = parts[parent].depth;
    let below = parts[parent + 1..].iter().take_while(|part| part.depth > depth);
    let children = below.enumerate().filter(|(_, part)| part.depth == depth + 1);
    let mut numbered = (1u32..).zip(children.map(|(at, _)| parent + 1 + at));
    numbered.find(|(n, _)| *n == number).map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    /// The example of RFC 9051 §6.4.5.1.
    const MESSAGE: &str = "\
Subject: top
Content-Type: multipart/mixed; boundary=a

--a

1
--a
Content-Type: application/octet-stream

2
--a
Content-Type: message/rfc822

Subject: 3
Content-Type: multipart/mixed; boundary=b

--b

3.1
--b
Content-Type: application/octet-stream

3.2
--b--
--a
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: image/gif

4.1
--c
Content-Type: message/rfc822

Subject: 4.2
Content-Type: multipart/mixed; boundary=d

--d

4.2.1
--d
Content-Type: multipart/alternative; boundary=e

--e

4.2.2.1
--e
Content-Type: text/richtext

4.2.2.2
--e--
--d--
--c--
--a--
";

    fn get<'a>(message: &'a str, path: &[u32], section: Section) -> Option<&'a str> {
        let mut scanner = Scanner::new();
        scanner.feed(message.as_bytes());
        let parts = scanner.finish().parts;
        section_range(&parts, path, section).map(|range| &message[range.start as usize..range.end as usize])
    }

    #[test]
    fn rfc9051_6_4_5_1_example() {
        let check =
            |path: &[u32], text: &str| assert_eq!(get(MESSAGE, path, Section::Whole), Some(text), "{path:?}");
        check(&[], MESSAGE);
        check(&[1], "1");
        check(&[2], "2");
        check(&[3, 1], "3.1");
        check(&[3, 2], "3.2");
        check(&[4, 1], "4.1");
        check(&[4, 2, 1], "4.2.1");
        check(&[4, 2, 2, 1], "4.2.2.1");
        check(&[4, 2, 2, 2], "4.2.2.2");
        for path in [&[5][..], &[0], &[1, 1], &[3, 3], &[4, 3], &[4, 2, 3], &[4, 2, 2, 3], &[3, 1, 1]] {
            assert_eq!(get(MESSAGE, path, Section::Whole), None, "{path:?}");
            assert_eq!(get(MESSAGE, path, Section::Mime), None, "{path:?}");
        }
    }

    #[test]
    fn specifiers() {
        let check = |path: &[u32], section, start: Option<&str>, end: &str| {
            let got = get(MESSAGE, path, section);
            assert_eq!(
                got.map(|text| text.lines().next().unwrap_or_default()),
                start,
                "{path:?} {section:?}"
            );
            assert!(got.unwrap_or_default().ends_with(end), "{path:?} {section:?} {got:?}");
        };
        check(&[], Section::Header, Some("Subject: top"), "boundary=a\n\n");
        check(&[], Section::Text, Some("--a"), "--a--\n");
        check(&[], Section::Mime, None, "");
        check(&[1], Section::Mime, Some(""), "\n");
        check(&[2], Section::Mime, Some("Content-Type: application/octet-stream"), "\n\n");
        check(&[2], Section::Header, None, "");
        check(&[2], Section::Text, None, "");
        check(&[3], Section::Whole, Some("Subject: 3"), "--b--");
        check(&[3], Section::Mime, Some("Content-Type: message/rfc822"), "\n\n");
        check(&[3], Section::Header, Some("Subject: 3"), "boundary=b\n\n");
        check(&[3], Section::Text, Some("--b"), "--b--");
        check(&[4], Section::Header, None, "");
        check(&[4], Section::Mime, Some("Content-Type: multipart/mixed; boundary=c"), "\n\n");
        check(&[4, 2], Section::Header, Some("Subject: 4.2"), "boundary=d\n\n");
        check(&[4, 2], Section::Text, Some("--d"), "--d--");
        check(&[4, 2, 2], Section::Mime, Some("Content-Type: multipart/alternative; boundary=e"), "\n\n");
    }

    #[test]
    fn one_part_messages_have_a_part_1() {
        let plain = "Subject: x\r\n\r\nbody\r\n";
        assert_eq!(get(plain, &[1], Section::Whole), Some("body\r\n"));
        assert_eq!(get(plain, &[1], Section::Mime), Some("Subject: x\r\n\r\n"));
        assert_eq!(get(plain, &[1], Section::Text), None);
        assert_eq!(get(plain, &[1, 1], Section::Whole), None);
        assert_eq!(get(plain, &[2], Section::Whole), None);

        let forwarded = "Content-Type: message/rfc822\n\nSubject: in\n\nbody\n";
        assert_eq!(get(forwarded, &[1], Section::Whole), Some("Subject: in\n\nbody\n"));
        assert_eq!(get(forwarded, &[1], Section::Header), Some("Subject: in\n\n"));
        assert_eq!(get(forwarded, &[1], Section::Text), Some("body\n"));
        assert_eq!(get(forwarded, &[1, 1], Section::Whole), Some("body\n"));

        let empty = "Content-Type: multipart/mixed; boundary=x\n\nno parts";
        assert_eq!(get(empty, &[1], Section::Whole), Some(""));
    }

    #[test]
    fn messages_without_body() {
        assert_eq!(get("", &[], Section::Header), Some(""));
        assert_eq!(get("Subject: x", &[], Section::Header), Some("Subject: x"));
        assert_eq!(get("Subject: x", &[], Section::Text), Some(""));
        assert_eq!(get("Subject: x\r\n\r\n", &[], Section::Header), Some("Subject: x\r\n\r\n"));
        assert_eq!(get("\r\nbody", &[], Section::Header), Some("\r\n"));
        assert_eq!(get("\r\nbody", &[1], Section::Whole), Some("body"));
    }
}
