//! An index from terms to documents, which proposes candidates to a search. A document is an e-mail, or
//! the content of files, and each [`Corpus`] of an account has its own index.
//!
//! A term is a small number that `hub` makes of text; what it stands for is not known here. The
//! documents of a corpus are indexed in ascending order of their ids, a batch at a time, and each
//! batch is a segment. Neighbouring segments are merged in the background, so that there are few,
//! and what is gone is left out then. A segment is written in slices and counts from the commit
//! that marks it live, so that a crash leaves a smaller index, never a wrong one.
//!
//! What is in no segment is unknown: the search has to look at it. Nothing here is needed to be
//! right, and all of it can be deleted.

mod bits;
mod build;
mod lists;
mod merge;
mod query;
mod segments;

pub use build::TermBatch;
pub use query::Candidates;

/// What is indexed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// E-mails, by their ids.
    Mail = 0,
    /// Contents of files, by the ids of their texts.
    Files = 1,
}

impl From<Corpus> for crate::db::Value {
    fn from(corpus: Corpus) -> Self {
        Self::Int(corpus as i64)
    }
}

/// Terms are numbers below this.
pub const TERMS: u32 = 1 << 17;

/// Blocks that a segment is read and merged in at a time; every segment has at least so many.
const STEPS: u32 = 16;

/// `2^shift` terms in a block.
const MAX_SHIFT: u32 = (TERMS / STEPS).ilog2();

/// Bytes that a block should have at most: what a query reads per term and segment.
const BLOCK_BYTES: u64 = 8 * 1024;

/// The shift with which lists of so many bytes make blocks of the right size.
fn shift_for(bytes: u64) -> u32 {
    let blocks = (bytes / BLOCK_BYTES).clamp(u64::from(STEPS), u64::from(TERMS / 16));
    (u64::from(TERMS) / blocks).ilog2().min(MAX_SHIFT)
}
