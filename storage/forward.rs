//! Aliases that lead to other addresses. Those that lead to accounts of this hub are addresses of
//! these (`accounts.rs`).

use crate::changes::Change;
use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

/// What an address leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Account(AccountId),
    /// As written.
    Address(String),
}

/// An alias as written, and where it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRow {
    pub written: String,
    pub target: String,
}

impl Storage {
    /// All that an address (lower case) leads to.
    pub async fn targets(&self, address: &str) -> Result<Vec<Target>> {
        let sql = "SELECT account, '' FROM address WHERE address = $1
            UNION ALL SELECT 0, target_written FROM forward WHERE address = $1 ORDER BY 1, 2";
        let target = |row: crate::db::Row<'_>| {
            Ok(match row.int(0)? {
                0 => Target::Address(row.text(1)?),
                account => Target::Account(AccountId(account)),
            })
        };
        self.reader().await?.query(sql, values![address], target).await
    }

    /// All aliases that lead to other addresses.
    pub async fn forwards(&self) -> Result<Vec<ForwardRow>> {
        let sql = "SELECT written, target_written FROM forward ORDER BY address, target";
        let row = |row: crate::db::Row<'_>| Ok(ForwardRow { written: row.text(0)?, target: row.text(1)? });
        self.reader().await?.query(sql, values![], row).await
    }
}

/// `alias` and `target`: in lower case, and as written. `Exists`.
pub async fn add(tx: &mut Tx, alias: (&str, &str), target: (&str, &str)) -> Result<()> {
    let now = tx.now;
    let sql = "INSERT INTO forward (address, written, target, target_written, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    match tx.connection.execute(sql, values![alias.0, alias.1, target.0, target.1, now]).await? {
        0 => Err(Error::Exists("alias")),
        _ => {
            tx.changed(Change::Aliases);
            Ok(())
        }
    }
}

/// Both in lower case. `NotFound`.
pub async fn remove(tx: &mut Tx, alias: &str, target: &str) -> Result<()> {
    let sql = "DELETE FROM forward WHERE address = $1 AND target = $2";
    if tx.connection.execute(sql, values![alias, target]).await? == 0 {
        return Err(Error::NotFound("alias"));
    }
    tx.changed(Change::Aliases);
    Ok(())
}
