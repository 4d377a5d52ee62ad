//! From the terms of documents to the lists of a new segment.

use super::bits::BitWriter;
use super::lists::put_list;
use super::{TERMS, shift_for};

/// Terms of a batch at most: 24 MB of memory while the segment is made.
const MAX_TERMS: usize = 4_000_000;

/// Documents of a batch at most.
const MAX_DOCUMENTS: usize = 1024;

/// The terms of some documents, ascending by id.
#[derive(Default)]
pub struct TermBatch {
    /// The first and the last document that was looked at.
    pub(super) range: Option<(i64, i64)>,
    pub(super) documents: Vec<i64>,
    /// Where the terms of each document end.
    ends: Vec<usize>,
    terms: Vec<u32>,
}

impl TermBatch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next document with its terms, each once. Terms of [`TERMS`] and above are left out.
    pub fn push(&mut self, id: i64, terms: impl IntoIterator<Item = u32>) {
        self.terms.extend(terms.into_iter().filter(|term| *term < TERMS));
        self.ends.push(self.terms.len());
        self.documents.push(id);
        self.pass(id);
    }

    /// Goes past a document whose terms cannot be told: it stays unknown to the index.
    pub fn pass(&mut self, id: i64) {
        let first = self.range.map_or(id, |(first, _)| first);
        self.range = Some((first, id));
    }

    /// True if no more should be added.
    pub fn is_full(&self) -> bool {
        self.terms.len() >= MAX_TERMS || self.documents.len() >= MAX_DOCUMENTS
    }

    /// The blocks of all terms in order, and their shift.
    pub(super) fn blocks(&self) -> (u32, Vec<Vec<u8>>) {
        // Sorted by counting: `starts[t]` is where the documents of term `t` begin.
        let mut starts = vec![0usize; TERMS as usize + 1];
        for &term in &self.terms {
            starts[term as usize + 1] += 1;
        }
        for term in 1..starts.len() {
            starts[term] += starts[term - 1];
        }
        let mut documents = vec![0u32; self.terms.len()];
        let mut filled = starts.clone();
        let mut begin = 0;
        for (document, &end) in self.ends.iter().enumerate() {
            for &term in &self.terms[begin..end] {
                documents[filled[term as usize]] = document as u32;
                filled[term as usize] += 1;
            }
            begin = end;
        }
        // Three quarters of a byte per entry is what text takes.
        let shift = shift_for(self.terms.len() as u64 * 3 / 4);
        let block = |first: u32| {
            let mut out = BitWriter::default();
            for term in first..first + (1 << shift) {
                let list = &documents[starts[term as usize]..starts[term as usize + 1]];
                put_list(&mut out, list, self.documents.len() as u32);
            }
            out.finish()
        };
        (shift, (0..TERMS).step_by(1 << shift).map(block).collect())
    }
}
