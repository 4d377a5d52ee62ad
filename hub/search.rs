//! Search within a mailbox with the substring semantics of RFC 9051 §6.4.4.

use crate::{Flags, IdSet, Messages, Modseq, OpenMailbox, Result, Snapshot};

/// A search key. Dates are days since 1970-01-01 (as the client wrote them, zone ignored).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    All,
    And(Vec<Criterion>),
    /// Substring of the decoded body text (all text parts).
    Body(String),
    /// All these flags are set.
    Flags(Flags),
    /// A header field with this name contains the text (empty: the field exists).
    Header(String, String),
    LargerThan(u64),
    ModseqAtLeast(Modseq),
    Never,
    Not(Box<Criterion>),
    Or(Box<Criterion>, Box<Criterion>),
    ReceivedBefore(i64),
    ReceivedOn(i64),
    ReceivedSince(i64),
    SentBefore(i64),
    SentOn(i64),
    SentSince(i64),
    SmallerThan(u64),
    /// Substring of header or body.
    Text(String),
    Uids(IdSet),
}

impl Messages<'_> {
    /// Indexes (ascending) of the messages in `snapshot` that match.
    pub async fn search(
        &self,
        mailbox: &OpenMailbox,
        snapshot: &Snapshot,
        criterion: &Criterion,
    ) -> Result<Vec<u32>> {
        todo!()
    }
}
