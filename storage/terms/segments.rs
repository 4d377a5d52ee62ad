//! The rows of segments: reading their heads, putting new ones in use, removing old ones.

use std::collections::BTreeMap;

use super::{Corpus, TermBatch};
use crate::db::{Connection, Row, values};
use crate::tx::Tx;
use crate::{AccountId, Error, IdSet, Result, Storage};

const BUILDING: i64 = 0;
pub(super) const LIVE: i64 = 1;
const REMOVED: i64 = 2;

/// Blocks per commit while a segment is written or removed: about a megabyte.
pub(super) const SLICE: usize = 128;

/// A segment without its lists.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) id: i64,
    pub(super) corpus: Corpus,
    /// The documents that it was made of lie between these ids.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) documents: u32,
    pub(super) shift: u32,
    /// Length of its lists in bytes.
    pub(super) bytes: u64,
    /// The n-th id here is document n.
    pub(super) ids: IdSet,
}

fn segment(row: Row<'_>, corpus: Corpus) -> Result<Segment> {
    let damaged = || Error::damaged("a segment of the search index is damaged");
    let segment = Segment {
        id: row.int(0)?,
        corpus,
        first: row.int(1)?,
        last: row.int(2)?,
        documents: row.int(3)? as u32,
        shift: row.int(4)? as u32,
        bytes: row.int(5)? as u64,
        ids: IdSet::decode(&row.bytes(6)?).ok_or_else(damaged)?,
    };
    let sound = segment.shift <= super::MAX_SHIFT && segment.ids.len() == u64::from(segment.documents);
    if sound { Ok(segment) } else { Err(damaged()) }
}

/// The segments in use, ascending by the ids of their documents.
pub(super) async fn live(
    connection: &mut Connection,
    account: AccountId,
    corpus: Corpus,
) -> Result<Vec<Segment>> {
    connection
        .query(
            "SELECT id, first, last, documents, shift, bytes, docs FROM term_segment
             WHERE account = $1 AND state = $2 AND corpus = $3 ORDER BY first",
            values![account, LIVE, corpus],
            |row| segment(row, corpus),
        )
        .await
}

impl Storage {
    /// The next documents to index, with their sizes: those above all that segments are about.
    pub async fn unindexed(
        &self,
        account: AccountId,
        corpus: Corpus,
        limit: usize,
    ) -> Result<Vec<(i64, u64)>> {
        let mut reader = self.reader().await?;
        let last = reader
            .first(
                "SELECT COALESCE(MAX(last), 0) FROM term_segment
                 WHERE account = $1 AND state = $2 AND corpus = $3",
                values![account, LIVE, corpus],
                |row| row.int(0),
            )
            .await?
            .unwrap_or(0);
        let sql = match corpus {
            Corpus::Mail => {
                "SELECT id, size FROM email WHERE account = $1 AND id > $2 AND gone_at = 0 ORDER BY id LIMIT $3"
            }
            Corpus::Files => {
                "SELECT id, size FROM file_text WHERE account = $1 AND id > $2 AND form > 0 ORDER BY id LIMIT $3"
            }
        };
        let values = values![account, last, limit as u64];
        reader.query(sql, values, |row| Ok((row.int(0)?, row.int(1)? as u64))).await
    }

    /// Puts the terms of a batch into the index. Its documents must come after all that are indexed.
    pub async fn index_terms(&self, account: AccountId, corpus: Corpus, batch: TermBatch) -> Result<()> {
        let Some((first, last)) = batch.range else { return Ok(()) };
        let built = tokio::task::spawn_blocking(move || (batch.blocks(), batch));
        let ((shift, blocks), batch) = built.await.map_err(|_| Error::Busy)?;
        let mut segment = Segment {
            id: 0,
            corpus,
            first,
            last,
            documents: batch.documents.len() as u32,
            shift,
            bytes: blocks.iter().map(|block| block.len() as u64).sum(),
            ids: batch.documents.iter().map(|id| *id as u64).collect(),
        };
        segment.id = self.begin_segment(account, &segment).await?;
        for (index, slice) in blocks.chunks(SLICE).enumerate() {
            let slice = slice.to_vec();
            self.write_blocks(account, segment.id, (index * SLICE) as u32, slice).await?;
        }
        self.replace_segments(account, segment.id, segment.bytes, Vec::new()).await
    }

    /// Makes the row of a segment that is not in use yet; returns its id.
    pub(super) async fn begin_segment(&self, account: AccountId, segment: &Segment) -> Result<i64> {
        let segment = segment.clone();
        self.transact([account], move |tx| {
            Box::pin(async move {
                let id = tx.take_ids(account, 1)?;
                let Segment { corpus, first, last, documents, shift, bytes, .. } = segment;
                tx.connection
                    .execute(
                        "INSERT INTO term_segment (account, id, state, first, last, documents, shift, bytes, docs, corpus)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                        values![account, id, BUILDING, first, last, documents, shift, bytes, segment.ids.encode(), corpus],
                    )
                    .await?;
                Ok(id)
            })
        })
        .await
    }

    /// Writes neighbouring blocks of a segment.
    pub(super) async fn write_blocks(
        &self,
        account: AccountId,
        segment: i64,
        first: u32,
        blocks: Vec<Vec<u8>>,
    ) -> Result<()> {
        self.transact([account], move |tx| {
            Box::pin(async move {
                // `NotFound` if the account was removed meanwhile: nothing of it may be left.
                tx.account(account)?;
                let row = |(block, data)| values![account, segment, block, data];
                let rows = (first..).zip(blocks).map(row).collect();
                let insert = "INSERT INTO term_block (account, segment, block, data) VALUES {values}";
                tx.connection.execute_many(insert, rows).await.map(drop)
            })
        })
        .await
    }

    /// Puts a complete segment in use, and the others out of use, in one commit.
    pub(super) async fn replace_segments(
        &self,
        account: AccountId,
        new: i64,
        bytes: u64,
        old: Vec<i64>,
    ) -> Result<()> {
        self.transact([account], move |tx| {
            Box::pin(async move {
                tx.connection
                    .execute(
                        "UPDATE term_segment SET state = $3, bytes = $4 WHERE account = $1 AND id = $2",
                        values![account, new, LIVE, bytes],
                    )
                    .await?;
                retire(tx, account, old).await
            })
        })
        .await
    }

    /// Removes what is not in use: segments that were merged, or that a crash left half written.
    /// Only while nothing else writes to this index.
    pub async fn clean_index(&self, account: AccountId, corpus: Corpus) -> Result<()> {
        let unused = self
            .reader()
            .await?
            .query(
                "SELECT id, shift FROM term_segment WHERE account = $1 AND state <> $2 AND corpus = $3",
                values![account, LIVE, corpus],
                |row| Ok((row.int(0)?, row.int(1)? as u32)),
            )
            .await?;
        for (segment, shift) in unused {
            for first in (0..super::TERMS >> shift).step_by(SLICE) {
                self.transact([], move |tx| {
                    Box::pin(async move {
                        let slice = values![account, segment, first, first + SLICE as u32 - 1];
                        tx.connection
                            .execute(
                                "DELETE FROM term_block WHERE account = $1 AND segment = $2 AND block BETWEEN $3 AND $4",
                                slice,
                            )
                            .await
                    })
                })
                .await?;
            }
            self.transact([], move |tx| {
                Box::pin(async move {
                    let delete = "DELETE FROM term_segment WHERE account = $1 AND id = $2";
                    tx.connection.execute(delete, values![account, segment]).await
                })
            })
            .await?;
        }
        Ok(())
    }

    /// Takes all segments of an index out of use: a damaged index is made anew.
    pub async fn forget_terms(&self, account: AccountId, corpus: Corpus) -> Result<()> {
        let sql = "UPDATE term_segment SET state = $2 WHERE account = $1 AND corpus = $3";
        self.transact([account], move |tx| {
            Box::pin(
                async move { tx.connection.execute(sql, values![account, REMOVED, corpus]).await.map(drop) },
            )
        })
        .await
    }

    /// Takes segments out of use.
    pub(super) async fn retire_segments(&self, account: AccountId, old: Vec<i64>) -> Result<()> {
        self.transact([account], move |tx| Box::pin(retire(tx, account, old))).await
    }

    /// How many documents there still are in the range of each segment.
    pub(super) async fn survivors(&self, account: AccountId, corpus: Corpus) -> Result<BTreeMap<i64, u64>> {
        let sql = match corpus {
            Corpus::Mail => {
                "SELECT s.id, COUNT(e.id) FROM term_segment s LEFT JOIN email e
                   ON e.account = s.account AND e.id BETWEEN s.first AND s.last
                 WHERE s.account = $1 AND s.state = $2 AND s.corpus = $3 GROUP BY s.id"
            }
            Corpus::Files => {
                "SELECT s.id, COUNT(t.id) FROM term_segment s LEFT JOIN file_text t
                   ON t.account = s.account AND t.id BETWEEN s.first AND s.last AND t.form > 0
                 WHERE s.account = $1 AND s.state = $2 AND s.corpus = $3 GROUP BY s.id"
            }
        };
        let map = |row: Row<'_>| Ok((row.int(0)?, row.int(1)? as u64));
        let rows = self.reader().await?.query(sql, values![account, LIVE, corpus], map).await?;
        Ok(rows.into_iter().collect())
    }
}

async fn retire(tx: &mut Tx, account: AccountId, old: Vec<i64>) -> Result<()> {
    let rows = old.into_iter().map(|id| values![account, id, REMOVED]).collect();
    tx.connection
        .execute_many(
            "UPDATE term_segment SET state = v.column3 FROM (VALUES {values}) AS v
             WHERE account = v.column1 AND id = v.column2",
            rows,
        )
        .await
        .map(drop)
}
