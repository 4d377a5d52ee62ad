//! Dead properties (RFC 4918 §4) of collections and items.

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Result, Storage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPropertyRow {
    /// The id of a collection or an item: they are of one sequence.
    pub object: i64,
    pub namespace: String,
    pub name: String,
    /// XML; opaque here.
    pub value: String,
}

fn property_row(row: Row<'_>) -> Result<ItemPropertyRow> {
    Ok(ItemPropertyRow {
        object: row.int(0)?,
        namespace: row.text(1)?,
        name: row.text(2)?,
        value: row.text(3)?,
    })
}

impl Storage {
    /// Dead properties of these collections and items, in any order.
    pub async fn item_properties(&self, account: AccountId, objects: &[i64]) -> Result<Vec<ItemPropertyRow>> {
        let sql = "SELECT p.object, p.namespace, p.name, p.value
             FROM (VALUES {values}) AS v CROSS JOIN item_property p
             WHERE p.account = v.column1 AND p.object = v.column2";
        let rows = objects.iter().map(|object| values![account, *object]).collect();
        self.reader().await?.query_many(sql, rows, property_row).await
    }
}

/// Sets properties of an object, or removes those without value; in order, so that the last one
/// counts. Returns how many it has then, and their bytes.
pub async fn patch_properties(
    tx: &mut Tx,
    account: AccountId,
    object: i64,
    set: Vec<(String, String, Option<String>)>,
) -> Result<(usize, u64)> {
    for (namespace, name, value) in set {
        match value {
            Some(value) => {
                let sql = "INSERT INTO item_property (account, object, namespace, name, value)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (account, object, namespace, name) DO UPDATE SET value = excluded.value";
                tx.connection.defer(sql, values![account, object, namespace, name, value]);
            }
            None => {
                let sql = "DELETE FROM item_property
                     WHERE account = $1 AND object = $2 AND namespace = $3 AND name = $4";
                tx.connection.defer(sql, values![account, object, namespace, name]);
            }
        }
    }
    let sql =
        "SELECT COUNT(*), COALESCE(CAST(SUM(LENGTH(namespace) + LENGTH(name) + LENGTH(value)) AS BIGINT), 0)
         FROM item_property WHERE account = $1 AND object = $2";
    let count =
        tx.connection.first(sql, values![account, object], |row| Ok((row.int(0)?, row.int(1)?))).await?;
    let (count, bytes) = count.unwrap_or_default();
    Ok((count as usize, bytes as u64))
}
