//! Lists of documents per term, in blocks.
//!
//! A document is the place of an e-mail in its segment. A block holds the lists of `2^shift`
//! neighbouring terms without any directory: a list is its length, then the gaps between its
//! documents in Rice code, whose parameter follows from the length. Of a term that more than half
//! of the documents have, those that lack it are listed, so that what all have costs a few bits.

use super::bits::{BitReader, BitWriter};

/// Adds the list of the next term: documents below `documents`, ascending.
pub(super) fn put_list(out: &mut BitWriter, list: &[u32], documents: u32) {
    let count = list.len() as u32;
    out.put_gamma(count + 1);
    if count > documents / 2 {
        let mut listed = list.iter().copied().peekable();
        let lacking = (0..documents).filter(|document| listed.next_if_eq(document).is_none());
        put_gaps(out, lacking, documents - count, documents);
    } else {
        put_gaps(out, list.iter().copied(), count, documents);
    }
}

fn put_gaps(out: &mut BitWriter, list: impl Iterator<Item = u32>, count: u32, documents: u32) {
    let k = rice_parameter(count, documents);
    let mut next = 0;
    for document in list {
        out.put_rice(document - next, k);
        next = document + 1;
    }
}

/// Near the best for gaps of `documents / count` on average.
fn rice_parameter(count: u32, documents: u32) -> u32 {
    let gap = u64::from(documents) * 11 / (u64::from(count.max(1)) * 16);
    gap.max(1).ilog2()
}

/// Reads the lists of a block one after the other. `None` if the block is damaged.
pub(super) struct Lists<'a> {
    bits: BitReader<'a>,
    documents: u32,
    gaps: Vec<u32>,
}

impl<'a> Lists<'a> {
    pub(super) fn new(block: &'a [u8], documents: u32) -> Self {
        Self { bits: BitReader::new(block), documents, gaps: Vec::new() }
    }

    pub(super) fn skip(&mut self) -> Option<()> {
        let (_, listed) = self.head()?;
        let k = rice_parameter(listed, self.documents);
        for _ in 0..listed {
            self.bits.take_rice(k)?;
        }
        Some(())
    }

    /// Appends the documents of the next list to `out`, each with `to` applied.
    pub(super) fn next_into(&mut self, out: &mut Vec<u32>, to: impl Fn(u32) -> Option<u32>) -> Option<()> {
        let (count, listed) = self.head()?;
        let k = rice_parameter(listed, self.documents);
        if count == listed && count <= self.documents / 2 {
            let mut next = 0u32;
            for _ in 0..listed {
                let document = self.take_document(&mut next, k)?;
                out.extend(to(document));
            }
            return Some(());
        }
        self.gaps.clear();
        let mut next = 0u32;
        for _ in 0..listed {
            let document = self.take_document(&mut next, k)?;
            self.gaps.push(document);
        }
        let mut lacking = self.gaps.iter().copied().peekable();
        out.extend((0..self.documents).filter(|d| lacking.next_if_eq(d).is_none()).filter_map(to));
        Some(())
    }

    fn take_document(&mut self, next: &mut u32, k: u32) -> Option<u32> {
        let document = next.checked_add(self.bits.take_rice(k)?)?;
        if document >= self.documents {
            return None;
        }
        *next = document + 1;
        Some(document)
    }

    /// The length of the next list, and how many documents are written for it.
    fn head(&mut self) -> Option<(u32, u32)> {
        let count = self.bits.take_gamma()? - 1;
        let lacking = self.documents.checked_sub(count)?;
        Some((count, if count > self.documents / 2 { lacking } else { count }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_are_read_back(documents in 1u32..300, seeds in proptest::collection::vec((any::<u64>(), 0u32..9), 1..20)) {
            let lists: Vec<Vec<u32>> = seeds.iter().map(|&(seed, rarity)| {
                let has = |d: &u32| rarity == 8 || (seed ^ u64::from(*d)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56 < 256 >> rarity;
                (0..documents).filter(has).collect()
            }).collect();
            let mut out = BitWriter::default();
            for list in &lists {
                put_list(&mut out, list, documents);
            }
            let block = out.finish();
            let mut reader = Lists::new(&block, documents);
            for (index, list) in lists.iter().enumerate() {
                if index % 3 == 2 {
                    prop_assert!(reader.skip().is_some());
                    continue;
                }
                let mut read = Vec::new();
                prop_assert!(reader.next_into(&mut read, Some).is_some());
                prop_assert_eq!(&read, list);
            }
        }

        #[test]
        fn damage_is_told_or_read_within_bounds(block in proptest::collection::vec(any::<u8>(), 0..60), documents in 0u32..200) {
            let mut reader = Lists::new(&block, documents);
            let mut read = Vec::new();
            while reader.next_into(&mut read, Some).is_some() {}
            prop_assert!(read.iter().all(|&document| document < documents));
        }
    }
}
