//! Ids as clients see them: those of e-mails, threads and mailboxes are the OBJECTID ids of IMAP (RFC 8474).

use std::fmt;

use hub::collections::{CollectionId, ItemId};
use hub::files::NodeId;
use hub::{AccountId, EmailId, MailboxId};

pub(crate) fn account(id: AccountId) -> String {
    format!("A{}", id.0)
}

pub(crate) fn address_book(id: CollectionId) -> String {
    format!("B{}", id.0)
}

pub(crate) fn card(id: ItemId) -> String {
    format!("C{}", id.0)
}

pub(crate) fn email(id: EmailId) -> String {
    format!("E{}", id.0)
}

pub(crate) fn file(id: NodeId) -> String {
    format!("F{}", id.0)
}

pub(crate) fn mailbox(id: MailboxId) -> String {
    format!("M{}", id.0)
}

pub(crate) fn thread(id: i64) -> String {
    format!("T{id}")
}

pub(crate) fn parse_address_book(text: &str) -> Option<CollectionId> {
    number(text, 'B').map(CollectionId)
}

pub(crate) fn parse_card(text: &str) -> Option<ItemId> {
    number(text, 'C').map(ItemId)
}

pub(crate) fn parse_file(text: &str) -> Option<NodeId> {
    number(text, 'F').map(NodeId)
}

pub(crate) fn parse_email(text: &str) -> Option<EmailId> {
    number(text, 'E').map(EmailId)
}

pub(crate) fn parse_mailbox(text: &str) -> Option<MailboxId> {
    number(text, 'M').map(MailboxId)
}

pub(crate) fn parse_thread(text: &str) -> Option<i64> {
    number(text, 'T')
}

/// `letter` and a number as we write it: no sign, no zero in front.
pub(crate) fn number(text: &str, letter: char) -> Option<i64> {
    let digits = text.strip_prefix(letter)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_number)
}

/// Bytes that a client can ask for: a message, an upload, or a part of one of these, or a part of a message
/// that is such a part. Or what lies in a card or in a file, by a number that stands for what is in it.
///
/// ```text
/// blob-id = ("G" email / "U" upload) *("." part) / ("P" card / "N" file) "." part    ; parts by their number in depth-first order
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlobId {
    pub(crate) of: BlobOf,
    /// Each within the message that the one before it is.
    pub(crate) parts: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BlobOf {
    Card(ItemId),
    Email(EmailId),
    File(NodeId),
    Upload(i64),
}

/// Messages within messages that a blob id leads through.
const MAX_PARTS: usize = 8;

impl BlobId {
    pub(crate) fn email(id: EmailId) -> Self {
        Self { of: BlobOf::Email(id), parts: Vec::new() }
    }

    pub(crate) fn part(&self, number: usize) -> Self {
        let mut parts = self.parts.clone();
        parts.push(u32::try_from(number).unwrap_or(u32::MAX));
        Self { of: self.of, parts }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut pieces = text.split('.');
        let first = pieces.next()?;
        let of = number(first, 'G').map(|id| BlobOf::Email(EmailId(id)));
        let of = of.or_else(|| number(first, 'U').map(BlobOf::Upload));
        let of = of.or_else(|| number(first, 'N').map(|id| BlobOf::File(NodeId(id))));
        let of = of.or_else(|| number(first, 'P').map(|id| BlobOf::Card(ItemId(id))))?;
        let part = |piece: &str| {
            let is_number = !piece.is_empty() && piece.bytes().all(|byte| byte.is_ascii_digit());
            piece.parse().ok().filter(|number: &u32| is_number && number.to_string() == piece)
        };
        let parts = pieces.map(part).collect::<Option<Vec<u32>>>()?;
        (parts.len() <= MAX_PARTS).then_some(Self { of, parts })
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            BlobOf::Card(id) => write!(f, "P{}", id.0)?,
            BlobOf::Email(id) => write!(f, "G{}", id.0)?,
            BlobOf::File(id) => write!(f, "N{}", id.0)?,
            BlobOf::Upload(id) => write!(f, "U{id}")?,
        }
        self.parts.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        assert_eq!(parse_email(&email(EmailId(12))), Some(EmailId(12)));
        for text in ["G12", "U3", "G12.0", "G12.3.1", "P7.4294967295", "N9.0"] {
            assert_eq!(BlobId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            "G",
            "G-1",
            "G01",
            "G1.",
            "G1.01",
            "G1.+1",
            "X1",
            "G1.1.1.1.1.1.1.1.1.1",
            "G99999999999999999999",
        ] {
            assert_eq!(BlobId::parse(text), None, "{text}");
        }
        for text in ["E0", "E01", "E+1", "M1", "E", "e1"] {
            assert_eq!(parse_email(text), None, "{text}");
        }
    }
}
