//! Locks on paths (RFC 4918 §6).

use crate::db::{Row, Statement, values};
use crate::tx::Tx;
use crate::{AccountId, Result, Storage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRow {
    pub token: String,
    /// Of the lock's root: names in NFC, from the top of the account's files.
    pub path: String,
    /// Whose it is.
    pub holder: AccountId,
    pub is_exclusive: bool,
    /// Depth infinity.
    pub is_deep: bool,
    /// XML; opaque here.
    pub owner: String,
    pub timeout_seconds: u32,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Locks of an account that have not expired.
pub(super) fn select(account: AccountId, now: i64) -> Statement {
    let sql = "SELECT token, path, holder, exclusive, deep, owner, timeout_seconds, expires_at FROM file_lock
         WHERE account = $1 AND expires_at > $2";
    (sql, values![account, now])
}

pub(super) fn lock_row(row: Row<'_>) -> Result<LockRow> {
    Ok(LockRow {
        token: row.text(0)?,
        path: row.text(1)?,
        holder: AccountId(row.int(2)?),
        is_exclusive: row.int(3)? != 0,
        is_deep: row.int(4)? != 0,
        owner: row.text(5)?,
        timeout_seconds: row.int(6)? as u32,
        expires_at: row.int(7)?,
    })
}

impl Storage {
    /// Locks of an account that have not expired at `now`.
    pub async fn file_locks(&self, account: AccountId, now: i64) -> Result<Vec<LockRow>> {
        let (sql, values) = select(account, now);
        self.reader().await?.query(sql, values, lock_row).await
    }
}

/// Writes a lock down, and forgets those that have expired.
pub async fn lock(tx: &mut Tx, account: AccountId, row: &LockRow) -> Result<()> {
    let now = tx.now;
    let sql = "DELETE FROM file_lock WHERE account = $1 AND expires_at <= $2";
    tx.connection.defer(sql, values![account, now]);
    let sql = "INSERT INTO file_lock
         (account, token, path, holder, exclusive, deep, owner, timeout_seconds, expires_at) VALUES {values}";
    let values = values![
        account,
        row.token.as_str(),
        row.path.as_str(),
        row.holder,
        row.is_exclusive,
        row.is_deep,
        row.owner.as_str(),
        row.timeout_seconds,
        row.expires_at
    ];
    tx.connection.defer_many(sql, vec![values]);
    Ok(())
}

pub async fn refresh_lock(tx: &mut Tx, account: AccountId, row: &LockRow) -> Result<()> {
    let sql = "UPDATE file_lock SET timeout_seconds = $3, expires_at = $4 WHERE account = $1 AND token = $2";
    tx.connection.defer(sql, values![account, row.token.as_str(), row.timeout_seconds, row.expires_at]);
    Ok(())
}

pub async fn unlock(tx: &mut Tx, account: AccountId, tokens: &[&str]) -> Result<()> {
    let rows = tokens.iter().map(|token| values![account, *token]).collect();
    tx.connection.defer_many("DELETE FROM file_lock WHERE (account, token) IN (VALUES {values})", rows);
    Ok(())
}
