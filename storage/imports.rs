//! Which messages of which source an account has imported.

use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, IdSet, Result, Storage};

impl Storage {
    /// The messages of a source that were imported; `None` if nothing was ever said of the source.
    pub async fn imported(&self, account: AccountId, source: &str) -> Result<Option<IdSet>> {
        let mut reader = self.reader().await?;
        let sql = "SELECT id FROM import_source WHERE account = $1 AND name = $2";
        let Some(id) = reader.first(sql, values![account, source], |row| row.int(0)).await? else {
            return Ok(None);
        };
        // In order, so that each is added at the end of the set.
        let sql = "SELECT message FROM imported WHERE account = $1 AND source = $2 ORDER BY message";
        let messages = reader.query(sql, values![account, id], |row| row.int(0)).await?;
        let mut known = IdSet::new();
        for message in messages {
            known.insert(message as u64);
        }
        Ok(Some(known))
    }
}

/// Notes that these messages of a source are imported, and returns those that were not yet: in the
/// same transaction the caller appends exactly these. Numbers have 63 bits.
pub async fn note(tx: &mut Tx, account: AccountId, source: &str, messages: &[u64]) -> Result<Vec<u64>> {
    let sql = "SELECT id FROM import_source WHERE account = $1 AND name = $2";
    let known = tx.connection.first(sql, values![account, source], |row| row.int(0)).await?;
    let id = match known {
        Some(id) => id,
        None => {
            let id = tx.take_ids(account, 1)?;
            let sql = "INSERT INTO import_source (account, name, id, created_at) VALUES ($1, $2, $3, $4)";
            let now = tx.now;
            tx.connection.execute(sql, values![account, source, id, now]).await?;
            id
        }
    };
    let rows = messages.iter().map(|message| values![account, id, *message as i64]).collect();
    let template = "INSERT INTO imported (account, source, message) VALUES {values}
        ON CONFLICT DO NOTHING RETURNING message";
    let fresh = tx.connection.query_many(template, rows, |row| row.int(0)).await?;
    Ok(fresh.into_iter().map(|message| message as u64).collect())
}
