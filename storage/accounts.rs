//! Accounts, credentials, addresses, domains.

use crate::changes::Change;
use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

#[derive(Clone, Debug)]
pub struct AccountRow {
    pub id: AccountId,
    /// The primary address as written.
    pub handle: String,
    /// Password hash in PHC form; empty if there is no password.
    pub password: String,
    /// Encoded SCRAM credentials; opaque here.
    pub scram: Vec<u8>,
    /// Bytes; 0 is no limit.
    pub quota: u64,
    pub bytes: u64,
    pub created_at: i64,
    /// Names of capabilities that its mail programs are not told, separated by spaces.
    pub hidden_capabilities: String,
}

#[derive(Clone, Debug)]
pub struct AddressRow {
    pub account: AccountId,
    /// As written, not lower-cased.
    pub written: String,
}

#[derive(Clone, Debug)]
pub struct AppPasswordRow {
    pub id: i64,
    pub name: String,
    pub hash: Vec<u8>,
    /// Door names separated by spaces; empty is all.
    pub doors: String,
    pub created_at: i64,
    /// 0: never.
    pub last_used_at: i64,
}

fn account_row(row: Row<'_>) -> Result<AccountRow> {
    Ok(AccountRow {
        id: AccountId(row.int(0)?),
        handle: row.text(1)?,
        password: row.text(2)?,
        scram: row.bytes(3)?,
        quota: row.int(4)? as u64,
        bytes: row.int(5)? as u64,
        created_at: row.int(6)?,
        hidden_capabilities: row.text(7)?,
    })
}

impl Storage {
    pub async fn domains(&self) -> Result<Vec<String>> {
        let sql = "SELECT name FROM domain ORDER BY name";
        self.reader().await?.query(sql, values![], |row| row.text(0)).await
    }

    pub async fn has_domain(&self, name: &str) -> Result<bool> {
        let sql = "SELECT name FROM domain WHERE name = $1";
        Ok(self.reader().await?.first(sql, values![name], |row| row.text(0)).await?.is_some())
    }

    pub async fn accounts(&self) -> Result<Vec<AccountRow>> {
        let sql = "SELECT a.id, a.handle, a.password, a.scram, a.quota, a.bytes, a.created_at,
              a.hidden_capabilities
            FROM account a ORDER BY a.id";
        self.reader().await?.query(sql, values![], account_row).await
    }

    pub async fn account(&self, id: AccountId) -> Result<Option<AccountRow>> {
        let sql = "SELECT a.id, a.handle, a.password, a.scram, a.quota, a.bytes, a.created_at,
              a.hidden_capabilities
            FROM account a WHERE a.id = $1";
        self.reader().await?.first(sql, values![id], account_row).await
    }

    /// Accounts that an address (lower case) leads to.
    pub async fn accounts_of_address(&self, address: &str) -> Result<Vec<AccountRow>> {
        let sql = "SELECT a.id, a.handle, a.password, a.scram, a.quota, a.bytes, a.created_at,
              a.hidden_capabilities
            FROM address d CROSS JOIN account a WHERE d.address = $1 AND a.id = d.account ORDER BY a.id";
        self.reader().await?.query(sql, values![address], account_row).await
    }

    /// All addresses of all accounts, or of one.
    pub async fn addresses(&self, account: Option<AccountId>) -> Result<Vec<AddressRow>> {
        let map = |row: Row<'_>| Ok(AddressRow { account: AccountId(row.int(0)?), written: row.text(1)? });
        let mut reader = self.reader().await?;
        match account {
            Some(account) => {
                let sql =
                    "SELECT account, written FROM address WHERE account = $1 ORDER BY created_at, address";
                reader.query(sql, values![account], map).await
            }
            None => {
                let sql = "SELECT account, written FROM address ORDER BY account, created_at, address";
                reader.query(sql, values![], map).await
            }
        }
    }

    pub async fn app_passwords(&self, account: AccountId) -> Result<Vec<AppPasswordRow>> {
        let sql = "SELECT id, name, hash, doors, created_at, last_used_at FROM app_password
            WHERE account = $1 ORDER BY id";
        self.reader()
            .await?
            .query(sql, values![account], |row| {
                Ok(AppPasswordRow {
                    id: row.int(0)?,
                    name: row.text(1)?,
                    hash: row.bytes(2)?,
                    doors: row.text(3)?,
                    created_at: row.int(4)?,
                    last_used_at: row.int(5)?,
                })
            })
            .await
    }
}

pub async fn add_domain(tx: &mut Tx, name: &str) -> Result<()> {
    let now = tx.now;
    let sql = "INSERT INTO domain (name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    match tx.connection.execute(sql, values![name, now]).await? {
        0 => Err(Error::Exists("domain")),
        _ => {
            tx.changed(Change::Domains);
            Ok(())
        }
    }
}

/// Makes an account with its primary address and locks it for this transaction.
pub async fn add_account(
    tx: &mut Tx,
    key: &str,
    written: &str,
    password: &str,
    scram: &[u8],
    quota: u64,
) -> Result<AccountId> {
    let taken = "SELECT account FROM address WHERE address = $1";
    if tx.connection.first(taken, values![key], |row| row.int(0)).await?.is_some() {
        return Err(Error::Exists("address"));
    }
    let id = tx
        .connection
        .first(
            "UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value",
            values!["account"],
            |row| row.int(0),
        )
        .await?
        .ok_or_else(|| Error::damaged("the counter account is missing from the database"))?;
    let id = AccountId(id);
    let now = tx.now;
    // Ids up to 15 are reserved: INBOX is 1.
    tx.connection
        .execute(
            "INSERT INTO account (id, handle, password, scram, modseq, next_id, journal_floor, quota, bytes, created_at)
             VALUES ($1, $2, $3, $4, 1, 16, 0, $5, 0, $6)",
            values![id, written, password, scram, quota, now],
        )
        .await?;
    add_address(tx, id, key, written).await?;
    crate::files::add_tops(tx, id);
    tx.lock_accounts(vec![id]).await?;
    Ok(id)
}

/// `Exists` if the account has the address already.
pub async fn add_address(tx: &mut Tx, account: AccountId, key: &str, written: &str) -> Result<()> {
    let now = tx.now;
    let sql = "INSERT INTO address (address, account, written, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    if tx.connection.execute(sql, values![key, account, written, now]).await? == 0 {
        return Err(Error::Exists("address"));
    }
    tx.changed(Change::Account(account));
    Ok(())
}

pub async fn remove_address(tx: &mut Tx, account: AccountId, key: &str) -> Result<()> {
    let sql = "DELETE FROM address WHERE address = $1 AND account = $2";
    if tx.connection.execute(sql, values![key, account]).await? == 0 {
        return Err(Error::NotFound("alias"));
    }
    tx.changed(Change::Account(account));
    Ok(())
}

/// What programs were granted ends with the password that it was granted with.
pub async fn set_password(tx: &mut Tx, account: AccountId, password: &str, scram: &[u8]) -> Result<()> {
    let sql = "UPDATE account SET password = $2, scram = $3 WHERE id = $1";
    if tx.connection.execute(sql, values![account, password, scram]).await? == 0 {
        return Err(Error::NotFound("twin"));
    }
    crate::oauth::remove_all_of(tx, account).await?;
    tx.changed(Change::Account(account));
    Ok(())
}

pub async fn set_quota(tx: &mut Tx, account: AccountId, quota: u64) -> Result<()> {
    // The account is locked, so the counter in memory must follow.
    tx.account_mut(account)?.quota = quota;
    let sql = "UPDATE account SET quota = $2 WHERE id = $1";
    tx.connection.execute(sql, values![account, quota]).await?;
    tx.changed(Change::Account(account));
    Ok(())
}

/// Names of capabilities, separated by spaces.
pub async fn hide_capabilities(tx: &mut Tx, account: AccountId, names: &str) -> Result<()> {
    let sql = "UPDATE account SET hidden_capabilities = $2 WHERE id = $1";
    if tx.connection.execute(sql, values![account, names]).await? == 0 {
        return Err(Error::NotFound("twin"));
    }
    tx.changed(Change::Account(account));
    Ok(())
}

/// Removes an account and every row of it. Its blobs lose their references.
pub async fn remove_account(tx: &mut Tx, account: AccountId) -> Result<()> {
    tx.forget_account(account);
    let now = tx.now;
    // What was sent and is still queued leaves all the same: it has been accepted.
    tx.connection
        .execute(
            "UPDATE blob SET refs = refs - n.uses,
               unused_at = CASE WHEN refs <= n.uses THEN $2 ELSE 0 END
             FROM (SELECT blob AS used, COUNT(*) AS uses FROM email WHERE account = $1 GROUP BY blob) AS n
             WHERE hash = n.used",
            values![account, now],
        )
        .await?;
    crate::files::remove_all_of(tx, account).await?;
    crate::items::remove_all_of(tx, account).await?;
    crate::itip::remove_all_of(tx, account).await?;
    crate::oauth::remove_all_of(tx, account).await?;
    crate::twins::remove_all_of(tx, account).await?;
    crate::uploads::remove_all_of(tx, account).await?;
    for sql in [
        "DELETE FROM free_busy WHERE account = $1",
        "DELETE FROM room WHERE account = $1",
        "DELETE FROM email WHERE account = $1",
        "DELETE FROM mailbox_message WHERE account = $1",
        "DELETE FROM mailbox WHERE account = $1",
        "DELETE FROM mailbox_index WHERE account = $1",
        "DELETE FROM metadata WHERE account = $1",
        "DELETE FROM term_segment WHERE account = $1",
        "DELETE FROM term_block WHERE account = $1",
        "DELETE FROM subscription WHERE account = $1",
        "DELETE FROM keyword WHERE account = $1",
        "DELETE FROM thread_reference WHERE account = $1",
        "DELETE FROM journal WHERE account = $1",
        "DELETE FROM app_password WHERE account = $1",
        "DELETE FROM imported WHERE account = $1",
        "DELETE FROM import_source WHERE account = $1",
        "DELETE FROM sieve_script WHERE account = $1",
        "DELETE FROM sieve_seen WHERE account = $1",
        "DELETE FROM identity WHERE account = $1",
        "DELETE FROM submission WHERE account = $1",
        "DELETE FROM vacation WHERE account = $1",
        "DELETE FROM junk_progress WHERE account = $1",
        "DELETE FROM junk_part WHERE account = $1",
        "DELETE FROM address WHERE account = $1",
        "DELETE FROM account WHERE id = $1",
    ] {
        tx.connection.execute(sql, values![account]).await?;
    }
    tx.changed(Change::Account(account));
    Ok(())
}

pub async fn add_app_password(
    tx: &mut Tx,
    account: AccountId,
    name: &str,
    hash: &[u8],
    doors: &str,
) -> Result<i64> {
    let id = tx.take_ids(account, 1)?;
    let now = tx.now;
    tx.connection
        .execute(
            "INSERT INTO app_password (account, id, name, hash, doors, created_at, last_used_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0)",
            values![account, id, name, hash, doors, now],
        )
        .await?;
    tx.changed(Change::Account(account));
    Ok(id)
}

pub async fn remove_app_password(tx: &mut Tx, account: AccountId, id: i64) -> Result<()> {
    let sql = "DELETE FROM app_password WHERE account = $1 AND id = $2";
    if tx.connection.execute(sql, values![account, id]).await? == 0 {
        return Err(Error::NotFound("app password"));
    }
    tx.changed(Change::Account(account));
    Ok(())
}

pub async fn used_app_password(tx: &mut Tx, account: AccountId, id: i64) -> Result<()> {
    let now = tx.now;
    let sql = "UPDATE app_password SET last_used_at = $3 WHERE account = $1 AND id = $2";
    tx.connection.execute(sql, values![account, id, now]).await.map(drop)
}
