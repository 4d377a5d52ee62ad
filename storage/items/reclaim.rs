//! Forgetting what has gone.

use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, Result};

/// Names per slice.
const SLICE: i64 = 500;

/// Forgets names that went before `old` (Unix seconds); whoever synchronises from before that has to
/// start again. Returns true if there may be more.
pub(crate) async fn trim(tx: &mut Tx, old: i64) -> Result<bool> {
    let sql = "SELECT account, collection, modseq, name FROM item_gone WHERE gone_at < $1 ORDER BY gone_at LIMIT $2";
    let gone = tx
        .connection
        .query(sql, values![old, SLICE], |row| Ok((row.int(0)?, row.int(1)?, row.int(2)?, row.text(3)?)))
        .await?;
    let names =
        gone.iter().map(|(account, collection, _, name)| values![*account, *collection, name.as_str()]);
    let sql = "DELETE FROM item_gone WHERE (account, collection, name) IN (VALUES {values})";
    tx.connection.execute_many(sql, names.collect()).await?;
    let mut floors = std::collections::BTreeMap::new();
    for (account, collection, modseq, _) in &gone {
        let floor = floors.entry((*account, *collection)).or_insert(0);
        *floor = (*floor).max(*modseq);
    }
    let rows = floors.into_iter().map(|((account, collection), floor)| values![account, collection, floor]);
    let sql = "UPDATE collection SET floor = v.column3 FROM (VALUES {values}) AS v
         WHERE account = v.column1 AND id = v.column2 AND floor < v.column3";
    tx.connection.execute_many(sql, rows.collect()).await?;
    Ok(gone.len() == SLICE as usize)
}

/// Removes everything of an account.
pub(crate) async fn remove_all_of(tx: &mut Tx, account: AccountId) -> Result<()> {
    for sql in [
        "DELETE FROM alarm WHERE account = $1",
        "DELETE FROM item_property WHERE account = $1",
        "DELETE FROM item_data WHERE account = $1",
        "DELETE FROM item_occurrence WHERE account = $1",
        "DELETE FROM item_gone WHERE account = $1",
        "DELETE FROM item WHERE account = $1",
        "DELETE FROM item_property WHERE (account, object) IN
           (SELECT grantee, link FROM collection_grant WHERE account = $1)",
        "DELETE FROM collection_grant WHERE account = $1",
        "DELETE FROM collection_grant WHERE grantee = $1",
        "DELETE FROM collection WHERE account = $1",
    ] {
        tx.connection.execute(sql, values![account]).await?;
    }
    Ok(())
}
