//! The form in which a [`Summary`] is kept: version byte, numbers, section lengths, sections.
//!
//! ```text
//! version u8 | size | header_length | received_count | in_references | sent_at (0, or 1, zigzag, zone)
//! | one length per section | sections in the order of `Section`
//! ```
//! Numbers are LEB128. Looking into it ([`SummaryView`]) reads some twenty short numbers and
//! copies nothing, so that FETCH ENVELOPE of a whole mailbox is a memcpy per message.

use crate::summary::sent_day;
use crate::{Part, PartKind, Summary};

/// Raise it when the layout or the meaning of a section changes, and go on reading the older ones.
const VERSION: u8 = 3;

/// It has no listed fields.
const VERSION_2: u8 = 2;

/// Nor has it `in_references`: all ids are taken for those of References.
const VERSION_1: u8 = 1;

/// Sections in the order in which they are kept; what is read most stands first.
#[derive(Clone, Copy)]
enum Section {
    Envelope,
    BodyStructure,
    Parts,
    Subject,
    From,
    To,
    Cc,
    Bcc,
    MessageId,
    References,
    Preview,
    AuthorAddresses,
    DeliveredTo,
    /// Empty, or [`LISTED`] and the listed fields.
    Listed,
}

const SECTIONS: usize = Section::Listed as usize + 1;

/// Stands before the listed fields, which may be none.
const LISTED: u8 = 1;

impl Summary {
    /// The bytes to keep; [`Summary::decode`] and [`SummaryView::new`] read them.
    pub fn encode(&self) -> Vec<u8> {
        let parts = encode_parts(&self.parts);
        let references = encode_list(&self.references);
        let authors = encode_list(&self.author_addresses);
        let delivered_to = encode_list(&self.delivered_to);
        let listed = self.listed_fields.as_ref().map(|fields| [&[LISTED], fields.as_slice()].concat());
        let sections: [&[u8]; SECTIONS] = [
            &self.envelope,
            &self.body_structure,
            &parts,
            self.subject.as_bytes(),
            self.from.as_bytes(),
            self.to.as_bytes(),
            self.cc.as_bytes(),
            self.bcc.as_bytes(),
            self.message_id.as_bytes(),
            &references,
            self.preview.as_bytes(),
            &authors,
            &delivered_to,
            listed.as_deref().unwrap_or_default(),
        ];
        let length: usize = sections.iter().map(|section| section.len()).sum();
        let mut out = Vec::with_capacity(length + 64);
        out.push(VERSION);
        put_number(&mut out, self.size);
        put_number(&mut out, self.header_length);
        put_number(&mut out, u64::from(self.received_count));
        put_number(&mut out, u64::from(self.in_references));
        match self.sent_at {
            None => out.push(0),
            Some(seconds) => {
                out.push(1);
                put_number(&mut out, ((seconds << 1) ^ (seconds >> 63)) as u64);
                put_number(&mut out, u64::from(self.sent_zone as u16));
            }
        }
        for section in sections {
            put_number(&mut out, section.len() as u64);
        }
        for section in sections {
            out.extend_from_slice(section);
        }
        out
    }

    /// Reads what [`Summary::encode`] made; `None` if it is damaged or of another version.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        let view = SummaryView::new(stored)?;
        let text = |section| std::str::from_utf8(view.section(section)).ok().map(str::to_owned);
        let list = |section| decode_list(view.section(section));
        Some(Self {
            size: view.size,
            header_length: view.header_length,
            envelope: view.envelope().to_vec(),
            body_structure: view.body_structure().to_vec(),
            parts: decode_parts(view.section(Section::Parts))?,
            subject: text(Section::Subject)?,
            from: text(Section::From)?,
            to: text(Section::To)?,
            cc: text(Section::Cc)?,
            bcc: text(Section::Bcc)?,
            message_id: text(Section::MessageId)?,
            references: list(Section::References)?,
            in_references: view.in_references,
            sent_at: view.sent_at,
            sent_zone: view.sent_zone,
            preview: text(Section::Preview)?,
            received_count: view.received_count,
            author_addresses: list(Section::AuthorAddresses)?,
            delivered_to: list(Section::DeliveredTo)?,
            listed_fields: view.listed_fields().map(<[u8]>::to_vec),
        })
    }
}

/// An encoded [`Summary`], looked into without copying. Text that is not UTF-8, which only a
/// damaged database can hold, reads as empty; a damaged list ends early.
#[derive(Clone, Copy)]
pub struct SummaryView<'a> {
    size: u64,
    header_length: u64,
    received_count: u32,
    in_references: u32,
    sent_at: Option<i64>,
    sent_zone: i16,
    sections: &'a [u8],
    /// Where each section ends within `sections`.
    ends: [u32; SECTIONS],
}

impl<'a> SummaryView<'a> {
    /// `None` if the bytes are damaged or of another version.
    pub fn new(stored: &'a [u8]) -> Option<Self> {
        let (&version, mut rest) = stored.split_first()?;
        if !matches!(version, VERSION_1 | VERSION_2 | VERSION) {
            return None;
        }
        let size = take_number(&mut rest)?;
        let header_length = take_number(&mut rest)?;
        let received_count = u32::try_from(take_number(&mut rest)?).ok()?;
        let in_references = match version {
            VERSION_1 => u32::MAX,
            _ => u32::try_from(take_number(&mut rest)?).ok()?,
        };
        let (sent_at, sent_zone) = match take_number(&mut rest)? {
            0 => (None, 0),
            1 => {
                let zigzag = take_number(&mut rest)?;
                let seconds = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                (Some(seconds), u16::try_from(take_number(&mut rest)?).ok()? as i16)
            }
            _ => return None,
        };
        let mut ends = [0; SECTIONS];
        let mut total = 0u32;
        let known = if version == VERSION { SECTIONS } else { Section::Listed as usize };
        for end in &mut ends[..known] {
            total = total.checked_add(u32::try_from(take_number(&mut rest)?).ok()?)?;
            *end = total;
        }
        ends[known..].fill(total);
        (rest.len() == total as usize).then_some(Self {
            size,
            header_length,
            received_count,
            in_references,
            sent_at,
            sent_zone,
            sections: rest,
            ends,
        })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn header_length(&self) -> u64 {
        self.header_length
    }

    pub fn received_count(&self) -> u32 {
        self.received_count
    }

    pub fn sent_at(&self) -> Option<i64> {
        self.sent_at
    }

    /// See [`Summary::sent_day`].
    pub fn sent_day(&self) -> Option<i64> {
        sent_day(self.sent_at, self.sent_zone)
    }

    pub fn envelope(&self) -> &'a [u8] {
        self.section(Section::Envelope)
    }

    pub fn body_structure(&self) -> &'a [u8] {
        self.section(Section::BodyStructure)
    }

    pub fn parts(&self) -> impl Iterator<Item = Part> + 'a {
        let mut rest = self.section(Section::Parts);
        let mut previous = 0;
        std::iter::from_fn(move || take_part(&mut rest, &mut previous))
    }

    pub fn subject(&self) -> &'a str {
        self.text(Section::Subject)
    }

    pub fn from(&self) -> &'a str {
        self.text(Section::From)
    }

    pub fn to(&self) -> &'a str {
        self.text(Section::To)
    }

    pub fn cc(&self) -> &'a str {
        self.text(Section::Cc)
    }

    pub fn bcc(&self) -> &'a str {
        self.text(Section::Bcc)
    }

    pub fn message_id(&self) -> &'a str {
        self.text(Section::MessageId)
    }

    pub fn references(&self) -> impl Iterator<Item = &'a str> {
        self.list(Section::References)
    }

    /// See [`Summary::in_references`]; more than there are if it is not known.
    pub fn in_references(&self) -> usize {
        self.in_references as usize
    }

    pub fn preview(&self) -> &'a str {
        self.text(Section::Preview)
    }

    pub fn author_addresses(&self) -> impl Iterator<Item = &'a str> {
        self.list(Section::AuthorAddresses)
    }

    pub fn delivered_to(&self) -> impl Iterator<Item = &'a str> {
        self.list(Section::DeliveredTo)
    }

    /// See [`Summary::listed_fields`].
    pub fn listed_fields(&self) -> Option<&'a [u8]> {
        self.section(Section::Listed).strip_prefix(&[LISTED])
    }

    fn section(&self, section: Section) -> &'a [u8] {
        let index = section as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.sections[start as usize..self.ends[index] as usize]
    }

    fn text(&self, section: Section) -> &'a str {
        std::str::from_utf8(self.section(section)).unwrap_or_default()
    }

    fn list(&self, section: Section) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.section(section);
        std::iter::from_fn(move || take_item(&mut rest))
    }
}

fn encode_list(items: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        put_number(&mut out, item.len() as u64);
        out.extend_from_slice(item.as_bytes());
    }
    out
}

fn decode_list(mut section: &[u8]) -> Option<Vec<String>> {
    let mut items = Vec::new();
    while !section.is_empty() {
        items.push(take_item(&mut section)?.to_owned());
    }
    Some(items)
}

fn take_item<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (item, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(item).ok()
}

/// Per part: kind, depth, then three distances, since offsets only grow in depth-first order.
fn encode_parts(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.len() * 8);
    let mut previous = 0;
    for part in parts {
        let kind = match part.kind {
            PartKind::Leaf => 0,
            PartKind::Message => 1,
            PartKind::Multipart => 2,
        };
        put_number(&mut out, u64::from(part.depth) * 3 + kind);
        put_number(&mut out, part.header_start.wrapping_sub(previous));
        put_number(&mut out, part.body_start.wrapping_sub(part.header_start));
        put_number(&mut out, part.body_end.wrapping_sub(part.body_start));
        previous = part.header_start;
    }
    out
}

fn decode_parts(mut section: &[u8]) -> Option<Vec<Part>> {
    let mut previous = 0;
    let mut parts = Vec::new();
    while !section.is_empty() {
        parts.push(take_part(&mut section, &mut previous)?);
    }
    Some(parts)
}

fn take_part(rest: &mut &[u8], previous: &mut u64) -> Option<Part> {
    let depth_and_kind = take_number(rest)?;
    let kind = match depth_and_kind % 3 {
        0 => PartKind::Leaf,
        1 => PartKind::Message,
        _ => PartKind::Multipart,
    };
    let header_start = previous.wrapping_add(take_number(rest)?);
    let body_start = header_start.wrapping_add(take_number(rest)?);
    let body_end = body_start.wrapping_add(take_number(rest)?);
    *previous = header_start;
    Some(Part { kind, depth: u16::try_from(depth_and_kind / 3).ok()?, header_start, body_start, body_end })
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for (index, &byte) in rest.iter().enumerate().take(10) {
        // The tenth byte has room for one bit.
        if index == 9 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *rest = &rest[index + 1..];
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = Part> {
        (0u8..3, any::<u16>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
            |(kind, depth, header_start, body_start, body_end)| Part {
                kind: [PartKind::Leaf, PartKind::Message, PartKind::Multipart][usize::from(kind)],
                depth,
                header_start,
                body_start,
                body_end,
            },
        )
    }

    fn summary() -> impl Strategy<Value = Summary> {
        let list = || proptest::collection::vec(".{0,20}", 0..4);
        let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
        (
            (any::<u64>(), any::<u64>(), any::<u32>(), any::<Option<(i64, i16)>>()),
            (bytes(), bytes(), proptest::collection::vec(part(), 0..5)),
            proptest::array::uniform7(".{0,40}"),
            (list(), list(), list(), proptest::option::of(bytes())),
        )
            .prop_map(|((size, header_length, received_count, sent), wire, text, lists)| {
                let [subject, from, to, cc, bcc, message_id, preview] = text;
                Summary {
                    size,
                    header_length,
                    envelope: wire.0,
                    body_structure: wire.1,
                    parts: wire.2,
                    subject,
                    from,
                    to,
                    cc,
                    bcc,
                    message_id,
                    in_references: lists.0.len() as u32 / 2,
                    references: lists.0,
                    sent_at: sent.map(|(at, _)| at),
                    sent_zone: sent.map_or(0, |(_, zone)| zone),
                    preview,
                    received_count,
                    author_addresses: lists.1,
                    delivered_to: lists.2,
                    listed_fields: lists.3,
                }
            })
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(summary in summary()) {
            let stored = summary.encode();
            prop_assert_eq!(Summary::decode(&stored), Some(summary.clone()));
            let view = SummaryView::new(&stored).expect("just encoded");
            prop_assert_eq!(view.size(), summary.size);
            prop_assert_eq!(view.header_length(), summary.header_length);
            prop_assert_eq!(view.received_count(), summary.received_count);
            prop_assert_eq!(view.in_references(), summary.in_references as usize);
            prop_assert_eq!(view.sent_at(), summary.sent_at);
            prop_assert_eq!(view.sent_day(), summary.sent_day());
            prop_assert_eq!(view.envelope(), &summary.envelope[..]);
            prop_assert_eq!(view.body_structure(), &summary.body_structure[..]);
            prop_assert!(view.parts().eq(summary.parts.iter().cloned()));
            prop_assert_eq!(view.subject(), summary.subject);
            prop_assert_eq!(view.from(), summary.from);
            prop_assert_eq!(view.to(), summary.to);
            prop_assert_eq!(view.cc(), summary.cc);
            prop_assert_eq!(view.bcc(), summary.bcc);
            prop_assert_eq!(view.message_id(), summary.message_id);
            prop_assert_eq!(view.preview(), summary.preview);
            prop_assert!(view.references().eq(summary.references.iter()));
            prop_assert!(view.author_addresses().eq(summary.author_addresses.iter()));
            prop_assert!(view.delivered_to().eq(summary.delivered_to.iter()));
            prop_assert_eq!(view.listed_fields(), summary.listed_fields.as_deref());
        }

        #[test]
        fn damage_is_refused_or_read_without_panic(summary in summary(), at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
            let mut stored = summary.encode();
            let at = at.index(stored.len());
            if cut {
                stored.truncate(at);
                prop_assert!(SummaryView::new(&stored).is_none());
                prop_assert!(Summary::decode(&stored).is_none());
            } else {
                stored[at] = byte;
                let _ = Summary::decode(&stored);
                if let Some(view) = SummaryView::new(&stored) {
                    let _ = (view.subject(), view.parts().count(), view.references().count());
                }
            }
        }
    }

    #[test]
    fn another_version_is_not_read() {
        let mut stored = Summary::default().encode();
        assert!(SummaryView::new(&stored).is_some());
        stored[0] = VERSION + 1;
        assert!(SummaryView::new(&stored).is_none());
    }

    #[test]
    fn earlier_versions_are_read() {
        let summary = Summary { size: 7, references: vec!["a@b".into()], ..Summary::default() };
        let mut stored = summary.encode();
        // Behind version, size, header_length, received_count, in_references and "no date", a byte
        // each, come the lengths of the sections.
        stored.remove(6 + Section::Listed as usize);
        stored[0] = VERSION_2;
        let view = SummaryView::new(&stored).expect("understood");
        assert_eq!((view.size(), view.references().count(), view.message_id()), (7, 1, ""));
        assert_eq!(view.listed_fields(), None);
        stored[0] = VERSION_1;
        stored.remove(4);
        let view = SummaryView::new(&stored).expect("understood");
        assert_eq!((view.size(), view.references().count(), view.message_id()), (7, 1, ""));
        assert!(view.in_references() > 1);
    }
}
