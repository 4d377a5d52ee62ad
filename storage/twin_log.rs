//! Logs of what domains have said of their twins: the complete subtrees of a Merkle tree each.

use crate::db::{Connection, Row, Value, values};
use crate::tx::Tx;
use crate::{Error, Result, Storage};

/// A complete subtree: level, position, hash.
pub type NodeRow = (i64, i64, Vec<u8>);

impl Storage {
    /// How many leaves the log of a domain has.
    pub async fn twin_log_size(&self, domain: &str) -> Result<u64> {
        let sql = "SELECT size FROM twin_log WHERE domain = $1";
        let size = self.reader().await?.first(sql, values![domain], |row| row.int(0)).await?;
        Ok(size.unwrap_or(0) as u64)
    }

    /// Those of these nodes (level, position) that there are.
    pub async fn twin_log_nodes(&self, domain: &str, nodes: &[(i64, i64)]) -> Result<Vec<NodeRow>> {
        read(&mut self.reader().await?, domain, nodes).await
    }
}

/// Makes a log longer by `leaves`, and keeps it for this transaction. Returns how many it had before.
pub async fn extend(tx: &mut Tx, domain: &str, leaves: u64) -> Result<u64> {
    let sql = "INSERT INTO twin_log (domain, size) VALUES ($1, $2)
        ON CONFLICT (domain) DO UPDATE SET size = twin_log.size + excluded.size RETURNING size";
    let size = tx.connection.first(sql, values![domain, leaves], |row| row.int(0)).await?;
    let before = size.and_then(|size| (size as u64).checked_sub(leaves));
    before.ok_or_else(|| Error::damaged("the log of a domain has no size"))
}

/// Like [`Storage::twin_log_nodes`], within a transaction.
pub async fn nodes(tx: &mut Tx, domain: &str, nodes: &[(i64, i64)]) -> Result<Vec<NodeRow>> {
    read(&mut tx.connection, domain, nodes).await
}

pub fn put(tx: &mut Tx, domain: &str, nodes: Vec<NodeRow>) {
    let row = |(level, position, hash): NodeRow| -> Vec<Value> { values![domain, level, position, hash] };
    let rows = nodes.into_iter().map(row).collect();
    let sql = "INSERT INTO twin_log_node (domain, level, position, hash) VALUES {values}";
    tx.connection.defer_many(sql, rows);
}

async fn read(connection: &mut Connection, domain: &str, nodes: &[(i64, i64)]) -> Result<Vec<NodeRow>> {
    let sql = "SELECT n.level, n.position, n.hash FROM (VALUES {values}) AS v CROSS JOIN twin_log_node n
        WHERE n.domain = v.column1 AND n.level = v.column2 AND n.position = v.column3";
    let rows = nodes.iter().map(|(level, position)| values![domain, *level, *position]).collect();
    let node = |row: Row<'_>| Ok((row.int(0)?, row.int(1)?, row.bytes(2)?));
    connection.query_many(sql, rows, node).await
}
