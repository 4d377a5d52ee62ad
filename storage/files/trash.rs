//! What was deleted and can still be put back.

use crate::changes::Kind;
use crate::db::{Row, values};
use crate::files::change::{move_to, remove};
use crate::files::{NodeId, NodeRow, Place, node_columns, node_row};
use crate::tx::Tx;
use crate::{AccountId, Error, IdSet, Result, Storage};

#[derive(Clone, Debug)]
pub struct TrashRow {
    pub node: NodeRow,
    /// Where it was, names as they were written.
    pub path: String,
    pub trashed_at: i64,
}

fn trash_row(row: Row<'_>) -> Result<TrashRow> {
    Ok(TrashRow { path: row.text(0)?, trashed_at: row.int(1)?, node: node_row(row, 2)? })
}

const SELECT: &str = concat!(
    "SELECT t.path, t.trashed_at, ",
    node_columns!(),
    " FROM file_trash t CROSS JOIN file_node f WHERE t.account = $1 AND f.account = $1 AND f.id = t.node
      ORDER BY t.trashed_at DESC, f.placed DESC LIMIT $2"
);

const SELECT_ONE: &str = concat!(
    "SELECT t.path, t.trashed_at, ",
    node_columns!(),
    " FROM file_trash t CROSS JOIN file_node f
      WHERE t.account = $1 AND t.node = $2 AND f.account = $1 AND f.id = t.node"
);

impl Storage {
    /// What is in the trash, newest first.
    pub async fn file_trash(&self, account: AccountId, most: usize) -> Result<Vec<TrashRow>> {
        self.reader().await?.query(SELECT, values![account, most as i64], trash_row).await
    }

    /// What lies in the trash since before `before`: its account and node.
    pub async fn file_trash_before(&self, before: i64, most: usize) -> Result<Vec<(AccountId, NodeId)>> {
        let sql = "SELECT account, node FROM file_trash WHERE trashed_at < $1 ORDER BY trashed_at LIMIT $2";
        let map = |row: Row<'_>| Ok((AccountId(row.int(0)?), NodeId(row.int(1)?)));
        self.reader().await?.query(sql, values![before, most as i64], map).await
    }
}

/// `NotFound`.
pub async fn trashed(tx: &mut Tx, account: AccountId, node: NodeId) -> Result<TrashRow> {
    let row = tx.connection.first(SELECT_ONE, values![account, node.0], trash_row).await?;
    row.ok_or(Error::NotFound("file in the trash"))
}

/// Puts a node with all that is in it into the trash.
pub async fn trash(
    tx: &mut Tx,
    account: AccountId,
    node: &NodeRow,
    above: &[NodeId],
    path: &str,
) -> Result<()> {
    let now = tx.now;
    // In the trash a name need not be the only one.
    let to = Place { above: vec![NodeId::TRASH], key: node.id.0.to_string(), name: node.name.clone() };
    move_to(tx, account, node, above, &to).await?;
    let sql = "INSERT INTO file_trash (account, node, path, trashed_at) VALUES {values}";
    tx.connection.defer_many(sql, vec![values![account, node.id.0, path, now]]);
    Ok(())
}

/// Takes a node out of the trash for good.
pub async fn purge(tx: &mut Tx, account: AccountId, node: &NodeRow) -> Result<()> {
    leave(tx, account, node.id);
    remove(tx, account, node, &[NodeId::TRASH]).await
}

fn leave(tx: &mut Tx, account: AccountId, node: NodeId) {
    tx.connection.defer("DELETE FROM file_trash WHERE account = $1 AND node = $2", values![account, node.0]);
}

/// Takes a node out of the trash to a place that is free.
pub async fn restore(tx: &mut Tx, account: AccountId, node: &NodeRow, to: &Place) -> Result<NodeRow> {
    leave(tx, account, node.id);
    let restored = move_to(tx, account, node, &[NodeId::TRASH], to).await?;
    // With all that is in it, for whoever was told that it has gone.
    let created = std::iter::once(node.id.0 as u64).collect();
    tx.journal(account, Kind::File, 0, created, IdSet::new(), IdSet::new());
    Ok(restored)
}
