//! From the terms of e-mails to the lists of a new segment.

use super::bits::BitWriter;
use super::lists::put_list;
use super::{TERMS, shift_for};
use crate::EmailId;

/// Terms of a batch at most: 24 MB of memory while the segment is made.
const MAX_TERMS: usize = 4_000_000;

/// E-mails of a batch at most.
const MAX_DOCUMENTS: usize = 1024;

/// The terms of some e-mails, ascending by id.
#[derive(Default)]
pub struct TermBatch {
    /// The first and the last e-mail that was looked at.
    pub(super) range: Option<(EmailId, EmailId)>,
    pub(super) emails: Vec<EmailId>,
    /// Where the terms of each e-mail end.
    ends: Vec<usize>,
    terms: Vec<u32>,
}

impl TermBatch {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next e-mail with its terms, each once. Terms of [`TERMS`] and above are left out.
    pub fn push(&mut self, email: EmailId, terms: impl IntoIterator<Item = u32>) {
        self.terms.extend(terms.into_iter().filter(|term| *term < TERMS));
        self.ends.push(self.terms.len());
        self.emails.push(email);
        self.pass(email);
    }

    /// Goes past an e-mail whose terms cannot be told: it stays unknown to the index.
    pub fn pass(&mut self, email: EmailId) {
        let first = self.range.map_or(email, |(first, _)| first);
        self.range = Some((first, email));
    }

    /// True if no more should be added.
    pub fn is_full(&self) -> bool {
        self.terms.len() >= MAX_TERMS || self.emails.len() >= MAX_DOCUMENTS
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
                put_list(&mut out, list, self.emails.len() as u32);
            }
            out.finish()
        };
        (shift, (0..TERMS).step_by(1 << shift).map(block).collect())
    }
}
