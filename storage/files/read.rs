//! Finding nodes: by path, by folder.

use std::collections::{BTreeSet, HashMap};

use crate::db::{Answer, Connection, Row, Statement, Value, exact, values};
use crate::files::{LockRow, NodeId, NodeRow, locks, node_columns, node_row};
use crate::tx::Tx;
use crate::{AccountId, OpenBlob, Result, Storage, blobs};

/// The nodes from a top down a path, as far as they exist.
const PATH: &str = concat!(
    "WITH RECURSIVE v (account, level, key, top) AS (VALUES {values}),
     n (account, level, id) AS (
       SELECT v.account, v.level, v.top FROM v WHERE v.level = 0
       UNION ALL
       SELECT n.account, n.level + 1, f.id FROM n CROSS JOIN v CROSS JOIN file_node f
       WHERE v.level = n.level + 1 AND f.account = n.account AND f.parent = n.id AND f.key = v.key)
     SELECT n.level, ",
    node_columns!(),
    " FROM n CROSS JOIN file_node f WHERE f.account = n.account AND f.id = n.id"
);

/// The same, with the content of the file at the end, if that is what is there.
const PATH_WITH_CONTENT: &str = concat!(
    "WITH RECURSIVE v (account, level, key, top) AS (VALUES {values}),
     n (account, level, id) AS (
       SELECT v.account, v.level, v.top FROM v WHERE v.level = 0
       UNION ALL
       SELECT n.account, n.level + 1, f.id FROM n CROSS JOIN v CROSS JOIN file_node f
       WHERE v.level = n.level + 1 AND f.account = n.account AND f.parent = n.id AND f.key = v.key)
     SELECT n.level, ",
    node_columns!(),
    ", COALESCE(b.size, -1), b.encoding, b.place, b.data
     FROM n CROSS JOIN file_node f LEFT JOIN blob b ON b.hash = f.blob
     WHERE f.account = n.account AND f.id = n.id"
);

fn path(account: AccountId, top: NodeId, keys: &[String]) -> Statement {
    path_as(PATH, account, top, keys)
}

fn path_as(sql: &'static str, account: AccountId, top: NodeId, keys: &[String]) -> Statement {
    let first = values![account, 0i64, "", top.0];
    let row = |(level, key): (usize, &String)| values![account, level as i64 + 1, key.as_str(), top.0];
    exact(sql, std::iter::once(first).chain(keys.iter().enumerate().map(row)).collect())
}

/// Levels and their nodes, in any order, as a chain.
fn chain(mut found: Vec<(i64, NodeRow)>) -> Vec<NodeRow> {
    found.sort_unstable_by_key(|(level, _)| *level);
    found.into_iter().map(|(_, node)| node).collect()
}

/// The nodes from `top` down a path (names in NFC), as far as they exist, and the account's locks
/// that have not expired: what every change asks, in one round trip.
pub async fn resolve(
    tx: &mut Tx,
    account: AccountId,
    top: NodeId,
    keys: &[String],
) -> Result<(Vec<NodeRow>, Vec<LockRow>)> {
    let (mut found, mut held) = (Vec::new(), Vec::new());
    let statements = vec![path(account, top, keys), locks::select(account, tx.now)];
    let take = |statement, answer: Answer<'_>| {
        match answer {
            Answer::Row(row) if statement == 0 => found.push((row.int(0)?, node_row(row, 1)?)),
            Answer::Row(row) => held.push(locks::lock_row(row)?),
            Answer::Done(_) => {}
        }
        Ok(())
    };
    tx.connection.run_each(statements, take).await?;
    Ok((chain(found), held))
}

/// Levels of folders below a folder, itself included.
pub async fn height(tx: &mut Tx, account: AccountId, folder: NodeId) -> Result<u64> {
    let sql = "WITH RECURSIVE n (id, level) AS (
           SELECT $2, 1
           UNION ALL
           SELECT f.id, n.level + 1 FROM n CROSS JOIN file_node f
           WHERE f.account = $1 AND f.parent = n.id AND f.folder = 1)
         SELECT MAX(n.level) FROM n";
    let height = tx.connection.first(sql, values![account, folder.0], |row| row.int(0)).await?;
    Ok(height.unwrap_or(1) as u64)
}

const CHILDREN: &str = concat!(
    "SELECT ",
    node_columns!(),
    " FROM file_node f WHERE f.account = $1 AND f.parent = $2 AND f.key > $3 ORDER BY f.key LIMIT $4"
);

const CHILDREN_OF: &str = concat!(
    "SELECT ",
    node_columns!(),
    " FROM (VALUES {values}) AS v CROSS JOIN file_node f WHERE f.account = v.column1 AND f.parent = v.column2"
);

/// The names of nodes and of all folders above them: level 0 is a node's own.
const NAMES: &str = "WITH RECURSIVE v (account, id) AS (VALUES {values}),
     n (account, id, node, parent, name, level) AS (
       SELECT v.account, v.id, f.id, f.parent, f.name, 0 FROM v CROSS JOIN file_node f
       WHERE f.account = v.account AND f.id = v.id
       UNION ALL
       SELECT n.account, n.id, f.id, f.parent, f.name, n.level + 1 FROM n CROSS JOIN file_node f
       WHERE f.account = n.account AND f.id = n.parent)
     SELECT n.id, n.node, n.name FROM n ORDER BY n.id, n.level DESC";

impl Storage {
    /// For each of these nodes that there is: the nodes from the top of its tree down to it, with their
    /// names.
    pub async fn file_names(
        &self,
        account: AccountId,
        nodes: &[NodeId],
    ) -> Result<HashMap<NodeId, Vec<(NodeId, String)>>> {
        // Each once: its names would come twice.
        let nodes: BTreeSet<NodeId> = nodes.iter().copied().collect();
        let rows = nodes.iter().map(|node| values![account, node.0]).collect();
        let row = |row: Row<'_>| Ok((NodeId(row.int(0)?), NodeId(row.int(1)?), row.text(2)?));
        let mut names: HashMap<NodeId, Vec<(NodeId, String)>> = HashMap::new();
        for (of, node, name) in self.reader().await?.query_many(NAMES, rows, row).await? {
            names.entry(of).or_default().push((node, name));
        }
        Ok(names)
    }

    /// Nodes by their ids, in any order, whatever tree they are in; what does not exist is left out.
    pub async fn file_nodes(&self, account: AccountId, nodes: &[NodeId]) -> Result<Vec<NodeRow>> {
        let sql = concat!(
            "SELECT ",
            node_columns!(),
            " FROM (VALUES {values}) AS v CROSS JOIN file_node f WHERE f.account = v.column1 AND f.id = v.column2"
        );
        let rows = nodes.iter().map(|node| values![account, node.0]).collect();
        self.reader().await?.query_many(sql, rows, |row| node_row(row, 0)).await
    }

    /// The nodes from `top` down a path (names in NFC), as far as they exist.
    pub async fn file_path(&self, account: AccountId, top: NodeId, keys: &[String]) -> Result<Vec<NodeRow>> {
        let mut reader = self.reader().await?;
        path_of(&mut reader, account, top, keys).await
    }

    /// The same, and the content of what the whole path names, in one round trip; no content for a
    /// folder or an empty file.
    pub async fn file_with_content(
        &self,
        account: AccountId,
        top: NodeId,
        keys: &[String],
    ) -> Result<(Vec<NodeRow>, Option<OpenBlob>)> {
        let (sql, values) = path_as(PATH_WITH_CONTENT, account, top, keys);
        let mut content = None;
        let take = |row: Row<'_>| {
            let node = node_row(row, 1)?;
            if let Some(blob) = node.blob.filter(|_| matches!(row.int(17), Ok(0..))) {
                content = Some(blobs::content(row, 17, blob, self.store())?);
            }
            Ok((row.int(0)?, node))
        };
        let found = self.reader().await?.query(sql, values, take).await?;
        Ok((chain(found), content.map(OpenBlob)))
    }

    /// What is in a folder after the name `after` (in NFC), by name.
    pub async fn file_children(
        &self,
        account: AccountId,
        folder: NodeId,
        after: &str,
        most: usize,
    ) -> Result<Vec<NodeRow>> {
        let values = values![account, folder.0, after, most as i64];
        self.reader().await?.query(CHILDREN, values, |row| node_row(row, 0)).await
    }

    /// All that is in these folders, in any order.
    pub async fn file_children_of(&self, account: AccountId, folders: &[NodeId]) -> Result<Vec<NodeRow>> {
        let rows = folders.iter().map(|folder| values![account, folder.0]).collect();
        self.reader().await?.query_many(CHILDREN_OF, rows, |row| node_row(row, 0)).await
    }
}

pub(crate) async fn path_of(
    connection: &mut Connection,
    account: AccountId,
    top: NodeId,
    keys: &[String],
) -> Result<Vec<NodeRow>> {
    let (sql, values): (&'static str, Vec<Value>) = path(account, top, keys);
    let found = connection.query(sql, values, |row| Ok((row.int(0)?, node_row(row, 1)?))).await?;
    Ok(chain(found))
}
