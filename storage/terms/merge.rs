//! Few large segments out of many small ones.

use std::collections::HashSet;

use super::bits::BitWriter;
use super::lists::{Lists, put_list};
use super::segments::{self, SLICE, Segment};
use super::{Corpus, STEPS, TERMS, shift_for};
use crate::db::{Connection, values};
use crate::{AccountId, Error, Result, Storage};

/// So many neighbours of about one size become one segment.
const FANOUT: usize = 8;
/// Documents of the smallest size class.
const SMALLEST: u32 = 64;
/// A segment of so many documents is not merged any further: a query reads few of these, and a
/// merge takes a second.
const LARGE: u32 = 8 * 1024;

/// Terms that are merged at a time.
const STEP_TERMS: u32 = TERMS / STEPS;

impl Storage {
    /// Merges segments where there are too many of them, or where most documents of one are gone, once.
    /// Returns true if there may be more to do. Only one call per index at a time.
    pub async fn merge_terms(&self, account: AccountId, corpus: Corpus) -> Result<bool> {
        self.clean_index(account, corpus).await?;
        let segments = segments::live(&mut self.reader().await?, account, corpus).await?;
        let survivors = self.survivors(account, corpus).await?;
        let left = |segment: &Segment| survivors.get(&segment.id).copied().unwrap_or(0);
        let empty: Vec<i64> = segments.iter().filter(|s| left(s) == 0).map(|s| s.id).collect();
        if !empty.is_empty() {
            self.retire_segments(account, empty).await?;
            return Ok(true);
        }
        let wasteful = segments.iter().position(|s| left(s) < u64::from(s.documents) / 2);
        let chosen = wasteful.map(|at| at..at + 1).or_else(|| crowded(&segments));
        let Some(chosen) = chosen else { return Ok(false) };
        self.merge(account, &segments[chosen]).await?;
        self.clean_index(account, corpus).await?;
        Ok(true)
    }

    async fn merge(&self, account: AccountId, old: &[Segment]) -> Result<()> {
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(()) };
        let alive = alive(&mut self.reader().await?, account, first.corpus, (first.first, last.last)).await?;
        let mut new = Segment {
            id: 0,
            corpus: first.corpus,
            first: first.first,
            last: last.last,
            documents: 0,
            shift: shift_for(old.iter().map(|segment| segment.bytes).sum()),
            bytes: 0,
            ids: crate::IdSet::new(),
        };
        // Where each document of each old segment goes; nowhere if it is gone.
        let mut moved: Vec<Vec<Option<u32>>> = Vec::with_capacity(old.len());
        for segment in old {
            let place = |id: u64| {
                alive.contains(&(id as i64)).then(|| {
                    new.ids.insert(id);
                    new.documents += 1;
                    new.documents - 1
                })
            };
            moved.push(segment.ids.iter().map(place).collect());
        }
        new.id = self.begin_segment(account, &new).await?;
        let (documents, shift) = (new.documents, new.shift);
        for step in 0..STEPS {
            let mut inputs = Vec::with_capacity(old.len());
            for segment in old {
                inputs.push((segment.documents, self.read_step(account, segment, step).await?));
            }
            let work = tokio::task::spawn_blocking(move || {
                let blocks = merge_step(&inputs, &moved, documents, shift);
                (blocks, moved)
            });
            let (blocks, back) = work.await.map_err(|_| Error::Busy)?;
            moved = back;
            let blocks = blocks.ok_or_else(|| Error::damaged("a block of the search index is damaged"))?;
            new.bytes += blocks.iter().map(|block| block.len() as u64).sum::<u64>();
            let first = (step * STEP_TERMS) >> shift;
            for (index, slice) in blocks.chunks(SLICE).enumerate() {
                self.write_blocks(account, new.id, first + (index * SLICE) as u32, slice.to_vec()).await?;
            }
        }
        let old = old.iter().map(|segment| segment.id).collect();
        self.replace_segments(account, new.id, new.bytes, old).await
    }

    /// The blocks of one step of a segment, in order.
    async fn read_step(&self, account: AccountId, segment: &Segment, step: u32) -> Result<Vec<Vec<u8>>> {
        let first = (step * STEP_TERMS) >> segment.shift;
        let last = (((step + 1) * STEP_TERMS) >> segment.shift) - 1;
        let blocks = self
            .reader()
            .await?
            .query(
                "SELECT data FROM term_block
                 WHERE account = $1 AND segment = $2 AND block BETWEEN $3 AND $4 ORDER BY block",
                values![account, segment.id, first, last],
                |row| row.bytes(0),
            )
            .await?;
        if blocks.len() as u32 != last - first + 1 {
            return Err(Error::damaged("a block of the search index is missing"));
        }
        Ok(blocks)
    }
}

/// The first run of neighbours of at most one size class that is long enough to be merged.
fn crowded(segments: &[Segment]) -> Option<std::ops::Range<usize>> {
    let mut limit = SMALLEST;
    while limit < LARGE {
        let mut start = 0;
        for end in 1..=segments.len() {
            if segments[end - 1].documents >= limit {
                start = end;
            } else if end - start == FANOUT {
                return Some(start..end);
            }
        }
        limit *= FANOUT as u32;
    }
    None
}

/// The documents of a range that still exist.
async fn alive(
    reader: &mut Connection,
    account: AccountId,
    corpus: Corpus,
    (first, last): (i64, i64),
) -> Result<HashSet<i64>> {
    let sql = match corpus {
        Corpus::Mail => "SELECT id FROM email WHERE account = $1 AND id BETWEEN $2 AND $3",
        Corpus::Files => "SELECT id FROM file_text WHERE account = $1 AND id BETWEEN $2 AND $3 AND form > 0",
    };
    let ids = reader.query(sql, values![account, first, last], |row| row.int(0)).await?;
    Ok(ids.into_iter().collect())
}

/// Joins the lists of the terms of one step. `None` if a block is damaged.
fn merge_step(
    inputs: &[(u32, Vec<Vec<u8>>)],
    moved: &[Vec<Option<u32>>],
    documents: u32,
    shift: u32,
) -> Option<Vec<Vec<u8>>> {
    let mut open: Vec<(u32, std::slice::Iter<'_, Vec<u8>>, Option<Lists<'_>>)> =
        inputs.iter().map(|(documents, blocks)| (*documents, blocks.iter(), None)).collect();
    let terms_per_block: Vec<u32> =
        inputs.iter().map(|(_, blocks)| STEP_TERMS / blocks.len() as u32).collect();
    let mut blocks = Vec::with_capacity((STEP_TERMS >> shift) as usize);
    let mut out = BitWriter::default();
    let mut list = Vec::new();
    for term in 0..STEP_TERMS {
        list.clear();
        for (index, (documents, blocks, lists)) in open.iter_mut().enumerate() {
            if term % terms_per_block[index] == 0 {
                *lists = Some(Lists::new(blocks.next()?, *documents));
            }
            let to = |document: u32| moved[index][document as usize];
            lists.as_mut()?.next_into(&mut list, to)?;
        }
        put_list(&mut out, &list, documents);
        if (term + 1) % (1 << shift) == 0 {
            blocks.push(std::mem::take(&mut out).finish());
        }
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_size_are_merged() {
        let check = |sizes: &[u32], run: Option<std::ops::Range<usize>>| {
            let segment = |(id, &documents): (usize, &u32)| Segment {
                id: id as i64,
                corpus: Corpus::Mail,
                first: 0,
                last: 0,
                documents,
                shift: 0,
                bytes: 0,
                ids: crate::IdSet::new(),
            };
            let segments: Vec<Segment> = sizes.iter().enumerate().map(segment).collect();
            assert_eq!(crowded(&segments), run, "{sizes:?}");
        };
        check(&[], None);
        check(&[32; 7], None);
        check(&[32; 8], Some(0..8));
        check(&[10_000, 32, 32, 32, 32, 32, 32, 32, 32], Some(1..9));
        check(&[10_000, 32, 32, 32, 32, 500, 32, 32, 32], Some(1..9));
        check(&[300, 300, 300, 300, 300, 300, 300, 300, 32], Some(0..8));
        check(&[32, 32, 32, 32, 10_000, 32, 32, 32, 32], None);
        check(&[10_000; 20], None);
    }
}
