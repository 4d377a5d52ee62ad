//! Copying a tree: one statement, no bytes.

use crate::changes::Kind;
use crate::db::values;
use crate::files::change::Effect;
use crate::files::{NodeId, NodeRow, Place};
use crate::tx::Tx;
use crate::{AccountId, Error, IdSet, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDepth {
    /// The node alone.
    Zero,
    /// With all that is in it.
    Infinity,
}

/// The nodes of the tree below $2 of account $1 (with $4 = 0 only $2 itself) as v.old, and from $3
/// on new ids for them as v.new.
macro_rules! numbered {
    () => {
        "WITH RECURSIVE n (id) AS (
           SELECT f.id FROM file_node f WHERE f.account = $1 AND f.id = $2
           UNION ALL
           SELECT f.id FROM n CROSS JOIN file_node f WHERE f.account = $1 AND f.parent = n.id AND $4 = 1),
         v (old, new) AS (SELECT n.id, $3 - 1 + ROW_NUMBER() OVER (ORDER BY n.id) FROM n)"
    };
}

const COPY_NODES: &str = concat!(
    "INSERT INTO file_node (account, id, parent, key, name, folder, blob, size, nodes, content_type, checksum,
       created_at, modified_at, changed, placed, tree, properties) ",
    numbered!(),
    " SELECT $5, v.new, CASE WHEN f.id = $2 THEN $6 ELSE p.new END, CASE WHEN f.id = $2 THEN $7 ELSE f.key END,
       CASE WHEN f.id = $2 THEN $8 ELSE f.name END, f.folder, f.blob,
       CASE WHEN f.folder = 1 AND $4 = 0 THEN 0 ELSE f.size END, CASE WHEN $4 = 0 THEN 1 ELSE f.nodes END,
       f.content_type, f.checksum, $9, f.modified_at, $10, $10, $10, f.properties
     FROM v CROSS JOIN file_node f LEFT JOIN v AS p ON p.old = f.parent
     WHERE f.account = $1 AND f.id = v.old"
);

const COPY_PROPERTIES: &str = concat!(
    "INSERT INTO file_property (account, node, namespace, name, value) ",
    numbered!(),
    " SELECT $5, v.new, q.namespace, q.name, q.value
     FROM v CROSS JOIN file_property q WHERE q.account = $1 AND q.node = v.old"
);

/// Copies a node with its dead properties to a place that is free, perhaps in another account.
/// `OverQuota`.
pub async fn copy(
    tx: &mut Tx,
    from: AccountId,
    node: &NodeRow,
    depth: CopyDepth,
    to: AccountId,
    place: &Place,
) -> Result<NodeRow> {
    let (is_deep, now, modseq) = (depth == CopyDepth::Infinity, tx.now, tx.modseq(to)?);
    let nodes = if is_deep { node.nodes } else { 1 };
    let size = if is_deep || !node.is_folder { node.size } else { 0 };
    tx.take_bytes(to, size)?;
    let first = tx.take_ids(to, nodes as i64)?;
    let last = first + nodes as i64 - 1;
    let tree = values![from, node.id.0, first, is_deep, to];
    let rest = values![place.parent().0, place.key.as_str(), place.name.as_str(), now, modseq];
    if tx.connection.execute(COPY_NODES, [tree.clone(), rest].concat()).await? != nodes {
        return Err(Error::damaged("a folder's count of what is in it is wrong"));
    }
    let sql = "UPDATE blob SET refs = refs + v.uses, unused_at = 0
         FROM (SELECT f.blob AS hash, COUNT(*) AS uses FROM file_node f
               WHERE f.account = $1 AND f.id BETWEEN $2 AND $3 AND f.size > 0 AND f.folder = 0
               GROUP BY f.blob) AS v
         WHERE blob.hash = v.hash";
    tx.connection.defer(sql, values![to, first, last]);
    copy_properties(tx, tree, to, (first, last)).await?;
    let copied = NodeRow {
        id: root_of_copy(tx, to, place).await?,
        parent: place.parent(),
        key: place.key.clone(),
        name: place.name.clone(),
        size,
        nodes,
        created_at: now,
        changed: modseq,
        placed: modseq,
        tree: modseq,
        ..node.clone()
    };
    let mut effect = Effect::default();
    effect.on(&place.above, size as i64, nodes as i64);
    effect.apply(tx, to)?;
    let created = IdSet::range(first as u64, last as u64);
    tx.journal(to, Kind::File, 0, created, IdSet::new(), IdSet::new());
    Ok(copied)
}

async fn copy_properties(
    tx: &mut Tx,
    tree: Vec<crate::db::Value>,
    to: AccountId,
    (first, last): (i64, i64),
) -> Result<()> {
    // Bytes as an integer on PostgreSQL too, where a SUM of them is a decimal number.
    let sql = "SELECT CAST(COALESCE(SUM(f.properties), 0) AS BIGINT) FROM file_node f
         WHERE f.account = $1 AND f.id BETWEEN $2 AND $3";
    let bytes = tx.connection.first(sql, values![to, first, last], |row| row.int(0)).await?.unwrap_or(0);
    if bytes > 0 {
        tx.take_bytes(to, bytes as u64)?;
        tx.connection.defer(COPY_PROPERTIES, tree);
    }
    Ok(())
}

async fn root_of_copy(tx: &mut Tx, account: AccountId, place: &Place) -> Result<NodeId> {
    let sql = "SELECT f.id FROM file_node f WHERE f.account = $1 AND f.parent = $2 AND f.key = $3";
    let values = values![account, place.parent().0, place.key.as_str()];
    let id = tx.connection.first(sql, values, |row| row.int(0)).await?;
    id.map(NodeId).ok_or_else(|| Error::damaged("a copied node is not there"))
}
