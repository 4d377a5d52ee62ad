//! Giving back what was removed, in slices so that the writer is never held up.

use crate::changes::Kind;
use crate::db::{Row, values};
use crate::files::change::{Effect, remove};
use crate::files::{NodeId, blob, node_columns, node_row, versions};
use crate::tx::Tx;
use crate::{AccountId, BlobId, IdSet, Result, Storage};

/// Rows per slice.
const SLICE: i64 = 500;
/// Folders per slice: a statement each.
const FOLDERS: usize = 50;

/// A node that is going.
struct Going {
    id: i64,
    is_folder: bool,
    blob: Option<BlobId>,
    size: u64,
    properties: u64,
}

fn going(row: Row<'_>) -> Result<Going> {
    Ok(Going {
        id: row.int(0)?,
        is_folder: row.int(1)? != 0,
        blob: blob(row, 2)?,
        size: row.int(3)? as u64,
        properties: row.int(4)? as u64,
    })
}

impl Storage {
    /// Gives back one slice of what was removed, in any account. Returns true if there may be more.
    pub async fn reclaim_files(&self) -> Result<bool> {
        // The id of `NodeId::REMOVED` as it stands in the partial index.
        let sql = "SELECT account FROM file_node WHERE parent = 5 LIMIT 1";
        let found = self.reader().await?.first(sql, values![], |row| Ok(AccountId(row.int(0)?))).await?;
        match found {
            Some(account) => {
                self.transact([account], move |tx| Box::pin(remove_slice(tx, account))).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Removes versions that were replaced before `before`, a slice of them. Returns true if there
    /// may be more.
    pub async fn expire_versions(&self, before: i64) -> Result<bool> {
        let sql = "SELECT account FROM file_version WHERE replaced_at < $1 ORDER BY replaced_at LIMIT 1";
        let found =
            self.reader().await?.first(sql, values![before], |row| Ok(AccountId(row.int(0)?))).await?;
        match found {
            Some(account) => {
                self.transact([account], move |tx| Box::pin(expire_slice(tx, account, before))).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

impl Storage {
    /// Removes uploads in pieces that were last added to before `before`, one account's. Returns true
    /// if there may be more.
    pub async fn expire_uploads(&self, before: i64) -> Result<bool> {
        // The id of `NodeId::UPLOADS` as it stands in the partial index.
        let sql = "SELECT account FROM file_node WHERE parent = 4 AND modified_at < $1 LIMIT 1";
        let found =
            self.reader().await?.first(sql, values![before], |row| Ok(AccountId(row.int(0)?))).await?;
        match found {
            Some(account) => {
                self.transact([account], move |tx| Box::pin(expire_uploads(tx, account, before))).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

async fn expire_uploads(tx: &mut Tx, account: AccountId, before: i64) -> Result<()> {
    let sql = concat!(
        "SELECT ",
        node_columns!(),
        " FROM file_node f WHERE f.account = $1 AND f.parent = 4 AND f.modified_at < $2 LIMIT $3"
    );
    let old = tx.connection.query(sql, values![account, before, SLICE], |row| node_row(row, 0)).await?;
    for node in old {
        remove(tx, account, &node, &[NodeId::UPLOADS]).await?;
    }
    Ok(())
}

async fn expire_slice(tx: &mut Tx, account: AccountId, before: i64) -> Result<()> {
    let sql = "DELETE FROM file_version WHERE (account, node, id) IN (
           SELECT account, node, id FROM file_version WHERE replaced_at < $2 AND account = $1
           ORDER BY replaced_at LIMIT $3)
         RETURNING blob, size";
    let take = |row: Row<'_>| Ok((blob(row, 0)?, row.int(1)? as u64));
    let dropped = tx.connection.query(sql, values![account, before, SLICE], take).await?;
    versions::give_back(tx, account, dropped).await
}

/// Removes files, and lifts what is in a few folders up to where it is next.
async fn remove_slice(tx: &mut Tx, account: AccountId) -> Result<()> {
    let here = children(tx, account, NodeId::REMOVED).await?;
    let (folders, mut gone): (Vec<Going>, Vec<Going>) = here.into_iter().partition(|node| node.is_folder);
    let mut lifted = 0;
    for folder in folders.into_iter().take(FOLDERS) {
        if gone.len() + lifted >= SLICE as usize {
            break;
        }
        let within = children(tx, account, NodeId(folder.id)).await?;
        let is_all = within.len() < SLICE as usize;
        let (folders, files): (Vec<Going>, Vec<Going>) = within.into_iter().partition(|node| node.is_folder);
        lift(tx, account, &folders);
        lifted += folders.len();
        gone.extend(files);
        if is_all {
            gone.push(folder);
        }
    }
    forget(tx, account, gone).await
}

async fn children(tx: &mut Tx, account: AccountId, folder: NodeId) -> Result<Vec<Going>> {
    let sql = "SELECT id, folder, blob, size, properties FROM file_node
         WHERE account = $1 AND parent = $2 ORDER BY key LIMIT $3";
    tx.connection.query(sql, values![account, folder.0, SLICE], going).await
}

fn lift(tx: &mut Tx, account: AccountId, folders: &[Going]) {
    let rows = folders.iter().map(|node| values![account, node.id, node.id.to_string(), NodeId::REMOVED.0]);
    tx.connection.defer_many(
        "UPDATE file_node SET key = v.column3, parent = v.column4
         FROM (VALUES {values}) AS v WHERE account = v.column1 AND id = v.column2",
        rows.collect(),
    );
}

/// Removes rows with all that belongs to them.
async fn forget(tx: &mut Tx, account: AccountId, gone: Vec<Going>) -> Result<()> {
    let ids = || gone.iter().map(|node| values![account, node.id]).collect::<Vec<_>>();
    let files = gone.iter().filter(|node| !node.is_folder);
    let mut contents: Vec<(Option<BlobId>, u64)> = files.clone().map(|node| (node.blob, node.size)).collect();
    let bytes: u64 = contents.iter().map(|(_, size)| size).sum();
    let versions = tx
        .connection
        .query_many(
            "DELETE FROM file_version WHERE (account, node) IN (VALUES {values}) RETURNING blob, size",
            files.map(|node| values![account, node.id]).collect(),
            |row| Ok((blob(row, 0)?, row.int(1)? as u64)),
        )
        .await?;
    contents.extend(versions);
    versions::give_back(tx, account, contents).await?;
    let properties = gone.iter().filter(|node| node.properties > 0);
    tx.connection.defer_many(
        "DELETE FROM file_property WHERE (account, node) IN (VALUES {values})",
        properties.map(|node| values![account, node.id]).collect(),
    );
    let folders = gone.iter().filter(|node| node.is_folder);
    tx.connection.defer_many(
        "DELETE FROM file_gone WHERE (account, parent) IN (VALUES {values})",
        folders.map(|node| values![account, node.id]).collect(),
    );
    tx.connection.defer_many("DELETE FROM file_grant WHERE (account, node) IN (VALUES {values})", ids());
    tx.connection.defer_many("DELETE FROM file_link WHERE (account, node) IN (VALUES {values})", ids());
    tx.connection.defer_many("DELETE FROM file_node WHERE (account, id) IN (VALUES {values})", ids());
    tx.give_back_bytes(account, gone.iter().map(|node| node.properties).sum())?;
    let mut effect = Effect::default();
    effect.on(&[NodeId::REMOVED], -(bytes as i64), -(gone.len() as i64));
    effect.write(tx, account)?;
    let destroyed = gone.iter().map(|node| node.id as u64).collect();
    tx.journal(account, Kind::File, 0, IdSet::new(), IdSet::new(), destroyed);
    Ok(())
}

/// Forgets names that went before `before`, a slice at a time. Returns true if there may be more.
pub(crate) async fn trim(tx: &mut Tx, before: i64) -> Result<bool> {
    let sql = "DELETE FROM file_gone WHERE (account, parent, key) IN (
           SELECT account, parent, key FROM file_gone WHERE gone_at < $1 ORDER BY gone_at LIMIT $2)
         RETURNING account, modseq";
    let trimmed =
        tx.connection.query(sql, values![before, SLICE], |row| Ok((row.int(0)?, row.int(1)?))).await?;
    let has_more = trimmed.len() as i64 == SLICE;
    let mut floors = std::collections::BTreeMap::new();
    for (account, modseq) in trimmed {
        let floor: &mut i64 = floors.entry(account).or_default();
        *floor = (*floor).max(modseq);
    }
    tx.connection.defer_many(
        "UPDATE account SET files_floor = v.column2 FROM (VALUES {values}) AS v
         WHERE id = v.column1 AND files_floor < v.column2",
        floors.into_iter().map(|(account, floor)| values![account, floor]).collect(),
    );
    Ok(has_more)
}

/// Removes every row of an account's files. Their blobs lose their references.
pub(crate) async fn remove_all_of(tx: &mut Tx, account: AccountId) -> Result<()> {
    let now = tx.now;
    for sql in [
        "UPDATE blob SET refs = refs - n.uses, unused_at = CASE WHEN refs <= n.uses THEN $2 ELSE 0 END
         FROM (SELECT blob AS used, COUNT(*) AS uses FROM file_node
               WHERE account = $1 AND folder = 0 AND size > 0 GROUP BY blob) AS n
         WHERE hash = n.used",
        "UPDATE blob SET refs = refs - n.uses, unused_at = CASE WHEN refs <= n.uses THEN $2 ELSE 0 END
         FROM (SELECT blob AS used, COUNT(*) AS uses FROM file_version
               WHERE account = $1 AND size > 0 GROUP BY blob) AS n
         WHERE hash = n.used",
    ] {
        tx.connection.execute(sql, values![account, now]).await?;
    }
    for sql in [
        "DELETE FROM file_node WHERE account = $1",
        "DELETE FROM file_gone WHERE account = $1",
        "DELETE FROM file_trash WHERE account = $1",
        "DELETE FROM file_version WHERE account = $1",
        "DELETE FROM file_property WHERE account = $1",
        "DELETE FROM file_lock WHERE account = $1",
        "DELETE FROM file_grant WHERE account = $1",
        "DELETE FROM file_grant WHERE grantee = $1",
        "DELETE FROM file_link WHERE account = $1",
        "DELETE FROM file_text WHERE account = $1",
    ] {
        tx.connection.execute(sql, values![account]).await?;
    }
    Ok(())
}
