//! What has changed below a folder since a modseq, a page at a time (RFC 6578).
//!
//! A node counts as changed when it was changed itself, or when a folder above it came to where it is:
//! moving a tree is one row, yet whoever synchronises from above finds all of it at new paths. Changes
//! are ordered by that modseq and by id, so any place in between is a state to go on from, and what
//! changes meanwhile comes last.
//!
//! What was in a folder that another has taken the place of is not known any more: RFC 6578 §3.5.2 would
//! have each of it reported as removed. Whoever synchronises more than one level has to start again.

use crate::changes::Since;
use crate::db::{Connection, Row, Value, values};
use crate::files::read::path_of;
use crate::files::{NodeId, NodeRow, node_columns, node_row};
use crate::{AccountId, Error, Result, Storage};

#[derive(Clone, Debug)]
pub struct ChangedNode {
    pub at: Since,
    /// Names as they were written, from the folder that was asked about.
    pub path: String,
    /// `None` if nothing is there any more.
    pub node: Option<NodeRow>,
}

/// A page of changes.
#[derive(Clone, Debug)]
pub struct ChangedNodes {
    pub changes: Vec<ChangedNode>,
    /// What is known with this page.
    pub state: Since,
    pub has_more: bool,
}

const CHILDREN: &str = concat!(
    "SELECT '', f.changed, ",
    node_columns!(),
    " FROM file_node f WHERE f.account = $1 AND f.parent = $2 AND (f.changed, f.id) > ($3, $4)
      ORDER BY f.changed, f.id LIMIT $5"
);

const GONE_CHILDREN: &str = "SELECT g.name, g.modseq, g.id, 0
    FROM file_gone g
    WHERE g.account = $1 AND g.parent = $2 AND (g.modseq, g.id) > ($3, $4) AND g.modseq > $6 AND NOT EXISTS (
      SELECT 1 FROM file_node f WHERE f.account = $1 AND f.parent = $2 AND f.key = g.key)
    ORDER BY g.modseq, g.id LIMIT $5";

/// The folders below $2 in which something has changed at $3 or later, as n: their paths, and since
/// when they are where they are.
macro_rules! changed_folders {
    () => {
        "WITH RECURSIVE n (id, path, placed) AS (
           SELECT CAST($2 AS BIGINT), '', CAST(0 AS BIGINT)
           UNION ALL
           SELECT f.id, n.path || f.name || '/',
             CASE WHEN f.placed > n.placed THEN f.placed ELSE n.placed END
           FROM n CROSS JOIN file_node f
           WHERE f.account = $1 AND f.parent = n.id AND f.folder = 1 AND (f.tree >= $3 OR n.placed >= $3))"
    };
}

/// What was changed in folders that are where they were; and all that is in those that were moved.
const TREE: &str = concat!(
    changed_folders!(),
    " SELECT n.path, f.changed AS at, ",
    node_columns!(),
    " FROM n CROSS JOIN file_node f
      WHERE n.placed < $3 AND f.account = $1 AND f.parent = n.id AND (f.changed, f.id) > ($3, $4)
      UNION ALL
      SELECT n.path, CASE WHEN f.changed > n.placed THEN f.changed ELSE n.placed END AS at, ",
    node_columns!(),
    " FROM n CROSS JOIN file_node f
      WHERE n.placed >= $3 AND f.account = $1 AND f.parent = n.id
        AND (f.changed > $3 OR n.placed > $3 OR f.id > $4)
      ORDER BY 2, 3 LIMIT $5"
);

/// What has gone, and folders in the place of others: nobody knows any more what was in those.
const GONE_TREE: &str = concat!(
    changed_folders!(),
    " SELECT n.path || g.name, g.modseq, g.id, COALESCE(f.id, 0)
      FROM n CROSS JOIN file_gone g LEFT JOIN file_node f
        ON f.account = g.account AND f.parent = g.parent AND f.key = g.key
      WHERE g.account = $1 AND g.parent = n.id AND (g.modseq, g.id) > ($3, $4) AND g.modseq > $6
        AND (f.id IS NULL OR g.folder = 1 AND f.folder = 1 AND f.id <> g.node)
      ORDER BY 2, 3 LIMIT $5"
);

impl Storage {
    /// At most `most` changes below the folder at a path. `None`: what has gone since then is not
    /// known (any more). `NotFound` if there is no such folder.
    pub async fn file_changes(
        &self,
        account: AccountId,
        top: NodeId,
        keys: &[String],
        since: Option<Since>,
        is_deep: bool,
        most: usize,
    ) -> Result<Option<ChangedNodes>> {
        let mut reader = self.reader().await?;
        reader.begin_read();
        let changes = changes(&mut reader, account, (top, keys), since, is_deep, most).await;
        reader.commit().await?;
        changes
    }
}

async fn changes(
    reader: &mut Connection,
    account: AccountId,
    (top, keys): (NodeId, &[String]),
    since: Option<Since>,
    is_deep: bool,
    most: usize,
) -> Result<Option<ChangedNodes>> {
    let sql = "SELECT modseq, files_floor FROM account WHERE id = $1";
    let bounds =
        reader.first(sql, values![account], |row| Ok((row.int(0)? as u64, row.int(1)? as u64))).await?;
    let (modseq, floor) = bounds.ok_or(Error::NotFound("account"))?;
    if since.is_some_and(|since| !since.is_known(floor, modseq)) {
        return Ok(None);
    }
    let mut chain = path_of(reader, account, top, keys).await?;
    let folder = chain.pop().filter(|node| chain.len() == keys.len() && node.is_folder);
    let folder = folder.ok_or(Error::NotFound("folder"))?;
    let from = since.unwrap_or(Since::nothing(modseq));
    let values: Vec<Value> = values![account, folder.id.0, from.modseq, from.id, most as i64 + 1];
    let sql = if is_deep { TREE } else { CHILDREN };
    let mut changes = reader.query(sql, values.clone(), changed).await?;
    if since.is_some() {
        let sql = if is_deep { GONE_TREE } else { GONE_CHILDREN };
        let gone = reader.query(sql, [values, values![from.began]].concat(), gone).await?;
        if gone.iter().any(|(_, is_replaced)| *is_replaced) {
            return Ok(None);
        }
        changes.extend(gone.into_iter().map(|(change, _)| change));
        changes.sort_by_key(|change| change.at);
    }
    let has_more = changes.len() > most;
    changes.truncate(most);
    let state = match changes.last() {
        Some(last) if has_more => Since { began: from.began, ..last.at },
        _ => Since::all(folder.tree.max(since.map_or(0, |since| since.modseq))),
    };
    Ok(Some(ChangedNodes { changes, state, has_more }))
}

fn changed(row: Row<'_>) -> Result<ChangedNode> {
    let node = node_row(row, 2)?;
    let at = Since { modseq: row.int(1)? as u64, id: node.id.0, began: 0 };
    Ok(ChangedNode { at, path: row.text(0)? + &node.name, node: Some(node) })
}

/// With whether another folder is there now.
fn gone(row: Row<'_>) -> Result<(ChangedNode, bool)> {
    let at = Since { modseq: row.int(1)? as u64, id: row.int(2)?, began: 0 };
    Ok((ChangedNode { path: row.text(0)?, at, node: None }, row.int(3)? != 0))
}
