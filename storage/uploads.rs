//! What clients have brought beforehand, to be used in what they make next (RFC 8620 §6.1).

use std::sync::Arc;

use crate::db::values;
use crate::mail::append::refer;
use crate::mail::reclaim::release;
use crate::tx::Tx;
use crate::{AccountId, BlobId, OpenBlob, Result, StagedBlob, Storage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadRow {
    pub blob: BlobId,
    /// Bytes.
    pub size: u64,
}

impl Storage {
    pub async fn upload(&self, account: AccountId, id: i64) -> Result<Option<(UploadRow, OpenBlob)>> {
        let sql = "SELECT blob, size FROM upload WHERE account = $1 AND id = $2";
        let row = self
            .reader()
            .await?
            .first(sql, values![account, id], |row| {
                Ok(UploadRow { blob: row.blob_id(0)?, size: row.int(1)? as u64 })
            })
            .await?;
        match row {
            None => Ok(None),
            Some(row) => Ok(Some((row, self.open_blob(row.blob).await?))),
        }
    }
}

/// Keeps an upload. The oldest ones go where the account has more than `most` or than `most_bytes`.
pub async fn put(
    tx: &mut Tx,
    account: AccountId,
    blob: &Arc<StagedBlob>,
    (most, most_bytes): (usize, u64),
) -> Result<i64> {
    let sql = "SELECT id, size, blob FROM upload WHERE account = $1 ORDER BY id DESC";
    let known = tx
        .connection
        .query(sql, values![account], |row| Ok((row.int(0)?, row.int(1)? as u64, row.blob_id(2)?)))
        .await?;
    let mut bytes = blob.size();
    let mut old = Vec::new();
    for (place, (id, size, blob)) in known.into_iter().enumerate() {
        bytes = bytes.saturating_add(size);
        if place + 2 > most || bytes > most_bytes {
            old.push((account.0, id, blob));
        }
    }
    remove(tx, old).await?;
    refer(tx, vec![(blob, 1)]).await?;
    let (id, now) = (tx.take_ids(account, 1)?, tx.now);
    let sql = "INSERT INTO upload (account, id, blob, size, created_at) VALUES ($1, $2, $3, $4, $5)";
    tx.connection.execute(sql, values![account, id, blob.id(), blob.size(), now]).await?;
    Ok(id)
}

/// Removes a slice of those that came before; true if there are more.
pub(crate) async fn trim(tx: &mut Tx, before: i64) -> Result<bool> {
    const SLICE: i64 = 500;
    let sql = "SELECT account, id, blob FROM upload WHERE created_at < $1 LIMIT $2";
    let old = tx
        .connection
        .query(sql, values![before, SLICE], |row| Ok((row.int(0)?, row.int(1)?, row.blob_id(2)?)))
        .await?;
    let more = old.len() as i64 == SLICE;
    remove(tx, old).await?;
    Ok(more)
}

pub(crate) async fn remove_all_of(tx: &mut Tx, account: AccountId) -> Result<()> {
    let sql = "SELECT account, id, blob FROM upload WHERE account = $1";
    let all = tx
        .connection
        .query(sql, values![account], |row| Ok((row.int(0)?, row.int(1)?, row.blob_id(2)?)))
        .await?;
    remove(tx, all).await
}

async fn remove(tx: &mut Tx, uploads: Vec<(i64, i64, BlobId)>) -> Result<()> {
    if uploads.is_empty() {
        return Ok(());
    }
    let now = tx.now;
    let rows = uploads.iter().map(|(account, id, _)| values![*account, *id]).collect();
    tx.connection.execute_many("DELETE FROM upload WHERE (account, id) IN (VALUES {values})", rows).await?;
    release(&mut tx.connection, now, uploads.into_iter().map(|(_, _, blob)| blob).collect()).await
}
