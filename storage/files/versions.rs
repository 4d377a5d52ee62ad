//! Earlier contents of files.

use crate::db::{Row, values};
use crate::files::change::Effect;
use crate::files::{Content, NodeId, NodeRow, blob};
use crate::mail::reclaim::release;
use crate::tx::Tx;
use crate::{AccountId, BlobId, Error, Result, Storage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    pub id: i64,
    pub blob: Option<BlobId>,
    pub size: u64,
    pub content_type: String,
    pub checksum: String,
    pub modified_at: i64,
    pub replaced_at: i64,
}

impl VersionRow {
    pub fn content(&self) -> Content {
        self.blob.map_or(Content::Empty, |blob| Content::Kept { blob, size: self.size })
    }
}

fn version_row(row: Row<'_>) -> Result<VersionRow> {
    Ok(VersionRow {
        id: row.int(0)?,
        blob: blob(row, 1)?,
        size: row.int(2)? as u64,
        content_type: row.text(3)?,
        checksum: row.text(4)?,
        modified_at: row.int(5)?,
        replaced_at: row.int(6)?,
    })
}

const SELECT: &str = "SELECT id, blob, size, content_type, checksum, modified_at, replaced_at
    FROM file_version WHERE account = $1 AND node = $2";

impl Storage {
    /// Earlier contents of a file, in any order.
    pub async fn file_versions(&self, account: AccountId, node: NodeId) -> Result<Vec<VersionRow>> {
        self.reader().await?.query(SELECT, values![account, node.0], version_row).await
    }
}

/// One version of a file. `NotFound`.
pub async fn version(tx: &mut Tx, account: AccountId, node: NodeId, id: i64) -> Result<VersionRow> {
    let all = tx.connection.query(SELECT, values![account, node.0], version_row).await?;
    all.into_iter().find(|version| version.id == id).ok_or(Error::NotFound("version"))
}

/// Keeps the content of a file that is about to get another, or to go, as a version of `of`. Its
/// reference to the blob and its bytes are the version's from now on. Of all versions the last
/// `most` are kept.
pub(super) async fn keep_version(
    tx: &mut Tx,
    account: AccountId,
    of: NodeId,
    content: &NodeRow,
    most: usize,
) -> Result<()> {
    let (now, id) = (tx.now, tx.take_ids(account, 1)?);
    let sql = "INSERT INTO file_version
           (account, node, id, blob, size, content_type, checksum, modified_at, replaced_at) VALUES {values}";
    let row = values![
        account,
        of.0,
        id,
        super::blob_value(content.blob),
        content.size,
        content.content_type.as_str(),
        content.checksum.as_str(),
        content.modified_at,
        now
    ];
    tx.connection.defer_many(sql, vec![row]);
    let sql = "DELETE FROM file_version WHERE account = $1 AND node = $2 AND id IN (
           SELECT id FROM file_version WHERE account = $1 AND node = $2 ORDER BY id DESC LIMIT 10000 OFFSET $3)
         RETURNING blob, size";
    let take = |row: Row<'_>| Ok((blob(row, 0)?, row.int(1)? as u64));
    let dropped = tx.connection.query(sql, values![account, of.0, most as i64], take).await?;
    give_back(tx, account, dropped).await
}

/// Takes away references and bytes of contents that are no longer kept.
pub(super) async fn give_back(
    tx: &mut Tx,
    account: AccountId,
    contents: Vec<(Option<BlobId>, u64)>,
) -> Result<()> {
    if contents.is_empty() {
        return Ok(());
    }
    tx.give_back_bytes(account, contents.iter().map(|(_, size)| size).sum())?;
    let now = tx.now;
    release(&mut tx.connection, now, contents.into_iter().filter_map(|(blob, _)| blob).collect()).await
}

/// What a removed file had, and its content, become versions of the one that took its place.
pub async fn inherit(
    tx: &mut Tx,
    account: AccountId,
    old: &NodeRow,
    new: &NodeRow,
    most: usize,
) -> Result<()> {
    let sql = "UPDATE file_version SET node = $3 WHERE account = $1 AND node = $2";
    tx.connection.defer(sql, values![account, old.id.0, new.id.0]);
    if old.size == 0 || old.blob == new.blob || most == 0 {
        return Ok(());
    }
    // It gives the reference and the bytes away with its content.
    let sql = "UPDATE file_node SET blob = $3, size = 0 WHERE account = $1 AND id = $2";
    tx.connection.defer(sql, values![account, old.id.0, Vec::new()]);
    let mut effect = Effect::default();
    effect.within(&[NodeId::REMOVED], -(old.size as i64));
    effect.write(tx, account)?;
    keep_version(tx, account, new.id, old, most).await
}
