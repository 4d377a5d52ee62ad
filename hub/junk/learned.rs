//! Which messages were learned as what, and up to where the account was looked at: with it training
//! goes on after a restart as if there had been none, and what was learned can be taken back.

use hub_storage::varint::{put_varint, take_varint};
use std::collections::BTreeSet;

use hub_storage::IdSet;

use super::words::Class;
use crate::{EmailId, Modseq};

const VERSION: u8 = 1;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// Changes up to here were looked at.
    pub(super) modseq: Modseq,
    /// Messages that lay in a mailbox for junk then.
    pub(super) in_junk: BTreeSet<EmailId>,
    junk: BTreeSet<EmailId>,
    good: BTreeSet<EmailId>,
}

impl Learned {
    pub(super) fn class(&self, email: EmailId) -> Option<Class> {
        if self.junk.contains(&email) {
            Some(Class::Junk)
        } else {
            self.good.contains(&email).then_some(Class::Good)
        }
    }

    pub(super) fn note(&mut self, email: EmailId, class: Option<Class>) {
        self.junk.remove(&email);
        self.good.remove(&email);
        match class {
            Some(Class::Good) => self.good.insert(email),
            Some(Class::Junk) => self.junk.insert(email),
            None => true,
        };
    }

    /// What was learned before can no longer be taken back.
    pub(super) fn forget_classes(&mut self) {
        self.junk.clear();
        self.good.clear();
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for set in [&self.in_junk, &self.junk, &self.good] {
            let packed = set.iter().map(|email| email.0 as u64).collect::<IdSet>().encode();
            put_varint(&mut out, packed.len() as u64);
            out.extend_from_slice(&packed);
        }
        out
    }

    /// `None` if the bytes are damaged.
    pub(super) fn decode(modseq: Modseq, bytes: &[u8]) -> Option<Self> {
        let (&VERSION, mut rest) = bytes.split_first()? else { return None };
        let mut set = || {
            let length = usize::try_from(take_varint(&mut rest)?).ok()?;
            let (packed, after) = rest.split_at_checked(length)?;
            rest = after;
            let ids = IdSet::decode(packed).filter(|ids| ids.len() <= MOST)?;
            Some(ids.iter().map(|id| EmailId(id as i64)).collect::<BTreeSet<_>>())
        };
        Some(Self { modseq, in_junk: set()?, junk: set()?, good: set()? })
    }
}

/// Far more than is ever kept; damaged bytes must not become a set of billions.
const MOST: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sets_are_read_back(ids in proptest::collection::vec((1i64..10_000, 0u8..4), 0..60)) {
            let mut learned = Learned { modseq: 7, ..Learned::default() };
            for (id, kind) in ids {
                match kind {
                    0 => learned.note(EmailId(id), Some(Class::Good)),
                    1 => learned.note(EmailId(id), Some(Class::Junk)),
                    2 => learned.note(EmailId(id), None),
                    _ => drop(learned.in_junk.insert(EmailId(id))),
                }
            }
            prop_assert_eq!(Learned::decode(7, &learned.encode()), Some(learned));
        }

        #[test]
        fn damaged_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Learned::decode(1, &bytes);
        }
    }
}
