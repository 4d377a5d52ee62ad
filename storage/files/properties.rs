//! Dead properties (RFC 4918 §4) and the times that a client may set.

use std::collections::BTreeMap;

use crate::changes::Kind;
use crate::db::{Row, values};
use crate::files::change::{Effect, only};
use crate::files::{NodeId, NodeRow};
use crate::tx::Tx;
use crate::{AccountId, IdSet, Result, Storage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyRow {
    pub namespace: String,
    pub name: String,
    /// XML; opaque here.
    pub value: String,
}

impl PropertyRow {
    /// What it takes of the quota.
    fn bytes(&self) -> u64 {
        (self.namespace.len() + self.name.len() + self.value.len()) as u64
    }
}

fn property_row(row: Row<'_>, at: usize) -> Result<PropertyRow> {
    Ok(PropertyRow { namespace: row.text(at)?, name: row.text(at + 1)?, value: row.text(at + 2)? })
}

const SELECT: &str = "SELECT q.node, q.namespace, q.name, q.value
    FROM (VALUES {values}) AS v CROSS JOIN file_property q
    WHERE q.account = v.column1 AND q.node = v.column2";

impl Storage {
    /// Dead properties of these nodes, in any order.
    pub async fn file_properties(
        &self,
        account: AccountId,
        nodes: &[NodeId],
    ) -> Result<Vec<(NodeId, PropertyRow)>> {
        let rows = nodes.iter().map(|node| values![account, node.0]).collect();
        let map = |row: Row<'_>| Ok((NodeId(row.int(0)?), property_row(row, 1)?));
        self.reader().await?.query_many(SELECT, rows, map).await
    }
}

/// Facts about a node that a client may set; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Times {
    pub modified_at: Option<i64>,
    pub created_at: Option<i64>,
    pub content_type: Option<String>,
}

/// What a node has of dead properties: how many, and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyCount {
    pub count: usize,
    pub bytes: u64,
}

/// Sets properties, or removes those without value, in order. Returns the node as it is then, and
/// how many properties it has. `OverQuota`.
pub async fn patch(
    tx: &mut Tx,
    account: AccountId,
    above: &[NodeId],
    node: &NodeRow,
    set: Vec<(String, String, Option<String>)>,
    times: Times,
) -> Result<(NodeRow, PropertyCount)> {
    let modseq = tx.modseq(account)?;
    let count = match set.is_empty() {
        true => PropertyCount { count: 0, bytes: node.properties },
        false => write(tx, account, node.id, set).await?,
    };
    tx.give_back_bytes(account, node.properties)?;
    tx.take_bytes(account, count.bytes)?;
    let changed = NodeRow {
        properties: count.bytes,
        modified_at: times.modified_at.unwrap_or(node.modified_at),
        created_at: times.created_at.unwrap_or(node.created_at),
        content_type: times.content_type.unwrap_or_else(|| node.content_type.clone()),
        changed: modseq,
        tree: modseq,
        ..node.clone()
    };
    let mut effect = Effect::default();
    effect.within(above, 0);
    effect.apply(tx, account)?;
    let sql = "UPDATE file_node SET properties = $3, modified_at = $4, created_at = $5, content_type = $6,
           changed = $7, tree = $7 WHERE account = $1 AND id = $2";
    let row = values![
        account,
        node.id.0,
        count.bytes,
        changed.modified_at,
        changed.created_at,
        changed.content_type.as_str(),
        modseq
    ];
    tx.connection.defer(sql, row);
    tx.journal(account, Kind::File, 0, IdSet::new(), only(node.id), IdSet::new());
    Ok((changed, count))
}

async fn write(
    tx: &mut Tx,
    account: AccountId,
    node: NodeId,
    set: Vec<(String, String, Option<String>)>,
) -> Result<PropertyCount> {
    let rows = tx.connection.query_many(SELECT, vec![values![account, node.0]], |row| property_row(row, 1));
    let mut all: BTreeMap<(String, String), String> =
        rows.await?.into_iter().map(|row| ((row.namespace, row.name), row.value)).collect();
    for (namespace, name, value) in set {
        match value {
            Some(value) => drop(all.insert((namespace, name), value)),
            None => drop(all.remove(&(namespace, name))),
        }
    }
    let rows: Vec<PropertyRow> =
        all.into_iter().map(|((namespace, name), value)| PropertyRow { namespace, name, value }).collect();
    let bytes = rows.iter().map(PropertyRow::bytes).sum();
    let count = PropertyCount { count: rows.len(), bytes };
    let sql = "DELETE FROM file_property WHERE account = $1 AND node = $2";
    tx.connection.defer(sql, values![account, node.0]);
    let row = |row: PropertyRow| values![account, node.0, row.namespace, row.name, row.value];
    let sql = "INSERT INTO file_property (account, node, namespace, name, value) VALUES {values}";
    tx.connection.defer_many(sql, rows.into_iter().map(row).collect());
    Ok(count)
}
