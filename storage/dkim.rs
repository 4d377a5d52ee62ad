//! Keys that sign mail of the hosted domains.

use crate::changes::Change;
use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{Error, Result, Storage};

/// A key. Times in Unix seconds; 0 is never.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub domain: String,
    pub selector: String,
    pub algorithm: String,
    /// PKCS #8; empty once it is revoked.
    pub secret: Vec<u8>,
    /// As DNS has it.
    pub public: String,
    pub created_at: i64,
    /// DNS had it first.
    pub seen_at: i64,
    /// It signs from here on.
    pub active_at: i64,
    /// It signs no more from here on.
    pub retired_at: i64,
}

fn key_row(row: Row<'_>) -> Result<KeyRow> {
    Ok(KeyRow {
        domain: row.text(0)?,
        selector: row.text(1)?,
        algorithm: row.text(2)?,
        secret: row.bytes(3)?,
        public: row.text(4)?,
        created_at: row.int(5)?,
        seen_at: row.int(6)?,
        active_at: row.int(7)?,
        retired_at: row.int(8)?,
    })
}

impl Storage {
    /// Keys of a domain, oldest first.
    pub async fn dkim_keys(&self, domain: &str) -> Result<Vec<KeyRow>> {
        let sql =
            "SELECT domain, selector, algorithm, secret, public, created_at, seen_at, active_at, retired_at
            FROM dkim_key WHERE domain = $1 ORDER BY created_at, selector";
        self.reader().await?.query(sql, values![domain], key_row).await
    }
}

/// `Exists` if the domain has a key of this name.
pub async fn add(tx: &mut Tx, key: &KeyRow) -> Result<()> {
    let sql = "INSERT INTO dkim_key
            (domain, selector, algorithm, secret, public, created_at, seen_at, active_at, retired_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let KeyRow { domain, selector, algorithm, secret, public, .. } = key;
    let row = values![
        domain.as_str(),
        selector.as_str(),
        algorithm.as_str(),
        secret.clone(),
        public.as_str(),
        key.created_at,
        key.seen_at,
        key.active_at,
        key.retired_at
    ];
    match tx.connection.execute(sql, row).await? {
        0 => Err(Error::Exists("key")),
        _ => {
            tx.changed(Change::Domains);
            Ok(())
        }
    }
}

/// Sets times and secret of a key that is there.
pub async fn change(tx: &mut Tx, key: &KeyRow) -> Result<()> {
    let sql = "UPDATE dkim_key SET secret = $3, seen_at = $4, active_at = $5, retired_at = $6
        WHERE domain = $1 AND selector = $2";
    let row = values![
        key.domain.as_str(),
        key.selector.as_str(),
        key.secret.clone(),
        key.seen_at,
        key.active_at,
        key.retired_at
    ];
    tx.connection.execute(sql, row).await?;
    tx.changed(Change::Domains);
    Ok(())
}

pub async fn remove(tx: &mut Tx, domain: &str, selector: &str) -> Result<()> {
    let sql = "DELETE FROM dkim_key WHERE domain = $1 AND selector = $2";
    tx.connection.execute(sql, values![domain, selector]).await?;
    Ok(())
}
