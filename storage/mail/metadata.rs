//! Annotations of mailboxes and accounts (RFC 5464).

use crate::changes::Change;
use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, MailboxId, Result, Storage};

/// In place of a mailbox: annotations of the account itself.
pub const OF_ACCOUNT: MailboxId = MailboxId(0);

/// An annotation: its mailbox, its entry in lower case, its value.
pub type Annotation = (MailboxId, String, Vec<u8>);

impl Storage {
    /// The annotations of one mailbox, or of all and the account, by mailbox and entry.
    pub async fn metadata(&self, account: AccountId, mailbox: Option<MailboxId>) -> Result<Vec<Annotation>> {
        let mut reader = self.reader().await?;
        let annotation = |row: crate::db::Row<'_>| Ok((MailboxId(row.int(0)?), row.text(1)?, row.bytes(2)?));
        match mailbox {
            Some(mailbox) => {
                let sql = "SELECT mailbox, entry, value FROM metadata WHERE account = $1 AND mailbox = $2
                    ORDER BY entry";
                reader.query(sql, values![account, mailbox], annotation).await
            }
            None => {
                let sql = "SELECT mailbox, entry, value FROM metadata WHERE account = $1
                    ORDER BY mailbox, entry";
                reader.query(sql, values![account], annotation).await
            }
        }
    }
}

/// Sets entries, or removes those without value.
pub async fn set(
    tx: &mut Tx,
    account: AccountId,
    mailbox: MailboxId,
    entries: Vec<(String, Option<Vec<u8>>)>,
) -> Result<()> {
    let (mut set, mut removed, mut names) = (Vec::new(), Vec::new(), Vec::with_capacity(entries.len()));
    for (entry, value) in entries {
        names.push(entry.clone());
        match value {
            Some(value) => set.push(values![account, mailbox, entry, value]),
            None => removed.push(values![account, mailbox, entry]),
        }
    }
    tx.connection
        .execute_many("DELETE FROM metadata WHERE (account, mailbox, entry) IN (VALUES {values})", removed)
        .await?;
    tx.connection
        .execute_many(
            "INSERT INTO metadata (account, mailbox, entry, value) VALUES {values}
             ON CONFLICT (account, mailbox, entry) DO UPDATE SET value = EXCLUDED.value",
            set,
        )
        .await?;
    tx.changed(Change::Metadata { account, mailbox, entries: names });
    Ok(())
}

/// Entries of the mailbox, and bytes of all values of the account, as this transaction sees them.
pub async fn usage(tx: &mut Tx, account: AccountId, mailbox: MailboxId) -> Result<(u64, u64)> {
    let sql = "SELECT CAST(COALESCE(SUM(CASE WHEN mailbox = $2 THEN 1 ELSE 0 END), 0) AS BIGINT),
          CAST(COALESCE(SUM(LENGTH(entry) + LENGTH(value)), 0) AS BIGINT)
        FROM metadata WHERE account = $1";
    let usage = tx
        .connection
        .first(sql, values![account, mailbox], |row| Ok((row.int(0)? as u64, row.int(1)? as u64)))
        .await?;
    Ok(usage.unwrap_or_default())
}

/// Gives the second mailbox the annotations of the first.
pub async fn copy(tx: &mut Tx, account: AccountId, from: MailboxId, to: MailboxId) -> Result<()> {
    let sql = "INSERT INTO metadata (account, mailbox, entry, value)
        SELECT account, $3, entry, value FROM metadata WHERE account = $1 AND mailbox = $2
        ON CONFLICT (account, mailbox, entry) DO NOTHING";
    tx.connection.execute(sql, values![account, from, to]).await.map(drop)
}

pub(crate) async fn remove_all(tx: &mut Tx, account: AccountId, mailbox: MailboxId) -> Result<()> {
    let sql = "DELETE FROM metadata WHERE account = $1 AND mailbox = $2";
    tx.connection.execute(sql, values![account, mailbox]).await.map(drop)
}
