//! Scripts of accounts, and what their runs have noted.

use std::collections::HashSet;

use crate::changes::{Change, Kind};
use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Error, IdSet, Result, Storage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptRow {
    pub name: String,
    pub is_active: bool,
    pub text: String,
}

fn script_row(row: Row<'_>) -> Result<ScriptRow> {
    Ok(ScriptRow { name: row.text(0)?, is_active: row.int(1)? != 0, text: row.text(2)? })
}

const SELECT: &str = "SELECT name, is_active, text FROM sieve_script WHERE account = $1";

impl Storage {
    /// All scripts of an account, by name.
    pub async fn scripts(&self, account: AccountId) -> Result<Vec<ScriptRow>> {
        let sql = "SELECT name, is_active, text FROM sieve_script WHERE account = $1 ORDER BY name";
        self.reader().await?.query(sql, values![account], script_row).await
    }

    pub async fn script(&self, account: AccountId, name: &str) -> Result<Option<ScriptRow>> {
        let sql = "SELECT name, is_active, text FROM sieve_script WHERE account = $1 AND name = $2";
        self.reader().await?.first(sql, values![account, name], script_row).await
    }

    /// Those of these hashes that were noted and have not expired at `now`.
    pub async fn seen(&self, account: AccountId, hashes: &[Vec<u8>], now: i64) -> Result<HashSet<Vec<u8>>> {
        let rows = hashes.iter().map(|hash| values![account, hash.as_slice(), now]).collect();
        let template = "SELECT s.hash FROM (VALUES {values}) AS v CROSS JOIN sieve_seen s
             WHERE s.account = v.column1 AND s.hash = v.column2 AND s.expires_at > v.column3";
        let found = self.reader().await?.query_many(template, rows, |row| row.bytes(0)).await?;
        Ok(found.into_iter().collect())
    }
}

/// The scripts as this transaction sees them.
pub async fn list(tx: &mut Tx, account: AccountId) -> Result<Vec<ScriptRow>> {
    tx.connection.query(SELECT, values![account], script_row).await
}

/// Writes a script, in the place of one with the same name.
pub async fn put(tx: &mut Tx, account: AccountId, name: &str, text: &str) -> Result<()> {
    let new = tx.take_ids(account, 1)?;
    let sql = "INSERT INTO sieve_script (account, name, id, is_active, text) VALUES ($1, $2, $3, 0, $4)
        ON CONFLICT (account, name) DO UPDATE SET text = $4 RETURNING id";
    let id = tx.connection.first(sql, values![account, name, new, text], |row| row.int(0)).await?;
    let id = id.ok_or_else(|| Error::damaged("a script was not written"))?;
    let only = |id: i64| std::iter::once(id as u64).collect::<IdSet>();
    match id == new {
        true => changed(tx, account, only(id), IdSet::new(), IdSet::new()),
        false => changed(tx, account, IdSet::new(), only(id), IdSet::new()),
    }
    Ok(())
}

/// Takes a script into use, or none. `NotFound`.
pub async fn activate(tx: &mut Tx, account: AccountId, name: Option<&str>) -> Result<()> {
    let sql = "UPDATE sieve_script SET is_active = 0 WHERE account = $1 AND is_active = 1 RETURNING id";
    let mut ids = tx.connection.query(sql, values![account], |row| row.int(0)).await?;
    if let Some(name) = name {
        let sql = "UPDATE sieve_script SET is_active = 1 WHERE account = $1 AND name = $2 RETURNING id";
        let id = tx.connection.first(sql, values![account, name], |row| row.int(0)).await?;
        ids.push(id.ok_or(Error::NotFound("script"))?);
    }
    let updated = ids.into_iter().map(|id| id as u64).collect();
    changed(tx, account, IdSet::new(), updated, IdSet::new());
    Ok(())
}

/// `NotFound`.
pub async fn remove(tx: &mut Tx, account: AccountId, name: &str) -> Result<()> {
    let sql = "DELETE FROM sieve_script WHERE account = $1 AND name = $2 RETURNING id";
    let id = tx.connection.first(sql, values![account, name], |row| row.int(0)).await?;
    let id = id.ok_or(Error::NotFound("script"))?;
    changed(tx, account, IdSet::new(), IdSet::new(), std::iter::once(id as u64).collect());
    Ok(())
}

/// `NotFound`. The new name must be free.
pub async fn rename(tx: &mut Tx, account: AccountId, from: &str, to: &str) -> Result<()> {
    let sql = "UPDATE sieve_script SET name = $3 WHERE account = $1 AND name = $2 RETURNING id";
    let id = tx.connection.first(sql, values![account, from, to], |row| row.int(0)).await?;
    let id = id.ok_or(Error::NotFound("script"))?;
    changed(tx, account, IdSet::new(), std::iter::once(id as u64).collect(), IdSet::new());
    Ok(())
}

fn changed(tx: &mut Tx, account: AccountId, created: IdSet, updated: IdSet, destroyed: IdSet) {
    tx.journal(account, Kind::Script, 0, created, updated, destroyed);
    tx.changed(Change::Scripts(account));
}

/// Notes hashes until the times given, and forgets what has expired.
pub async fn note(tx: &mut Tx, account: AccountId, hashes: &[(Vec<u8>, i64)]) -> Result<()> {
    let now = tx.now;
    let sql = "DELETE FROM sieve_seen WHERE account = $1 AND expires_at <= $2";
    tx.connection.execute(sql, values![account, now]).await?;
    let rows = hashes.iter().map(|(hash, expires_at)| values![account, hash.as_slice(), *expires_at]);
    let template = "INSERT INTO sieve_seen (account, hash, expires_at) VALUES {values}
        ON CONFLICT (account, hash) DO UPDATE SET expires_at = excluded.expires_at";
    tx.connection.execute_many(template, rows.collect()).await.map(drop)
}
