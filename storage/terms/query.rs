//! Which documents have all of some terms.

use std::collections::{BTreeMap, BTreeSet};

use super::lists::Lists;
use super::segments::{self, Segment};
use super::{Corpus, TERMS};
use crate::db::values;
use crate::{AccountId, Error, IdSet, Result, Storage};

/// Segments whose blocks are in memory at once.
const PAGE: usize = 8;

/// What the index says to some questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The documents that the index knows.
    pub indexed: IdSet,
    /// For each question, those of them that have all its terms.
    pub matching: Vec<IdSet>,
}

/// Blocks by (segment, number).
type Blocks = BTreeMap<(i64, u32), Vec<u8>>;

impl Storage {
    /// Answers questions, each a set of terms that a document must all have. One that asks for no
    /// term is answered with everything.
    pub async fn candidates(
        &self,
        account: AccountId,
        corpus: Corpus,
        questions: &[Vec<u32>],
    ) -> Result<Candidates> {
        let terms: BTreeSet<u32> = questions.iter().flatten().copied().filter(|term| *term < TERMS).collect();
        let mut candidates =
            Candidates { indexed: IdSet::new(), matching: vec![IdSet::new(); questions.len()] };
        let mut reader = self.reader().await?;
        // One state of the database: a segment must not be merged away between head and blocks.
        reader.begin_read();
        let answered = async {
            let segments = segments::live(&mut reader, account, corpus).await?;
            for page in segments.chunks(PAGE) {
                let blocks = read_blocks(&mut reader, account, page, &terms).await?;
                for segment in page {
                    answer(segment, &blocks, &terms, questions, &mut candidates)?;
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        }
        .await;
        reader.commit().await?;
        answered.map(|()| candidates)
    }
}

async fn read_blocks(
    reader: &mut crate::db::Connection,
    account: AccountId,
    segments: &[Segment],
    terms: &BTreeSet<u32>,
) -> Result<Blocks> {
    let wanted: BTreeSet<(i64, u32)> = segments
        .iter()
        .flat_map(|segment| terms.iter().map(|term| (segment.id, term >> segment.shift)))
        .collect();
    let rows = wanted.into_iter().map(|(segment, block)| values![account, segment, block]).collect();
    let blocks = reader
        .query_many(
            "SELECT b.segment, b.block, b.data FROM (VALUES {values}) AS v CROSS JOIN term_block b
             WHERE b.account = v.column1 AND b.segment = v.column2 AND b.block = v.column3",
            rows,
            |row| Ok(((row.int(0)?, row.int(1)? as u32), row.bytes(2)?)),
        )
        .await?;
    Ok(blocks.into_iter().collect())
}

fn answer(
    segment: &Segment,
    blocks: &Blocks,
    terms: &BTreeSet<u32>,
    questions: &[Vec<u32>],
    candidates: &mut Candidates,
) -> Result<()> {
    let lists = read_lists(segment, blocks, terms)
        .ok_or_else(|| Error::damaged("a block of the search index is damaged or missing"))?;
    let ids: Vec<u64> = segment.ids.iter().collect();
    for (terms, matching) in questions.iter().zip(&mut candidates.matching) {
        let mut wanted: Vec<&Vec<u32>> = terms.iter().filter_map(|term| lists.get(term)).collect();
        wanted.sort_unstable_by_key(|list| list.len());
        let mut wanted = wanted.into_iter();
        let Some(rarest) = wanted.next() else {
            matching.extend(&segment.ids);
            continue;
        };
        let mut found = rarest.clone();
        for list in wanted {
            found.retain(|document| list.binary_search(document).is_ok());
        }
        for document in found {
            matching.insert(ids[document as usize]);
        }
    }
    candidates.indexed.extend(&segment.ids);
    Ok(())
}

/// The lists of these terms.
fn read_lists(segment: &Segment, blocks: &Blocks, terms: &BTreeSet<u32>) -> Option<BTreeMap<u32, Vec<u32>>> {
    let mut lists = BTreeMap::new();
    let mut open: Option<(u32, u32, Lists<'_>)> = None;
    for &term in terms {
        let block = term >> segment.shift;
        let (mut next, mut reader) = match open.take() {
            Some((number, next, reader)) if number == block => (next, reader),
            _ => {
                let bytes = blocks.get(&(segment.id, block))?;
                (block << segment.shift, Lists::new(bytes, segment.documents))
            }
        };
        while next < term {
            reader.skip()?;
            next += 1;
        }
        let mut list = Vec::new();
        reader.next_into(&mut list, Some)?;
        lists.insert(term, list);
        open = Some((block, term + 1, reader));
    }
    Some(lists)
}
