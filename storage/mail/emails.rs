//! E-mails of an account, whatever the mailboxes that they lie in.

use crate::db::{Connection, Row, values};
use crate::mail::{Record, read};
use crate::tx::Tx;
use crate::{AccountId, EmailId, MailboxId, Result, Storage};

/// An e-mail in one of its mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub mailbox: MailboxId,
    pub record: Record,
}

fn placed(row: Row<'_>) -> Result<Placed> {
    Ok(Placed { record: read::record(row)?, mailbox: MailboxId(row.int(6)?) })
}

impl Storage {
    /// Where these e-mails lie, by e-mail and mailbox; also in mailboxes that were deleted and are not
    /// emptied yet.
    pub async fn email_places(&self, account: AccountId, emails: &[EmailId]) -> Result<Vec<Placed>> {
        select(&mut self.reader_of_flags().await?, account, emails).await
    }

    /// E-mails with ids above this one, and the threads they belong to, in any order. Among them are some
    /// that lie in no mailbox any more.
    pub async fn threads_above(&self, account: AccountId, last: EmailId) -> Result<Vec<(EmailId, i64)>> {
        let pair = |row: Row<'_>| Ok((EmailId(row.int(0)?), row.int(1)?));
        let mut reader = self.reader().await?;
        match last.0 {
            // All: they stand in an index that is much smaller than the table.
            0 => {
                let sql = "SELECT id, thread FROM email WHERE account = $1 ORDER BY thread, id";
                reader.query(sql, values![account], pair).await
            }
            _ => {
                let sql = "SELECT id, thread FROM email WHERE account = $1 AND id > $2";
                reader.query(sql, values![account, last], pair).await
            }
        }
    }
}

/// [`Storage::email_places`] as this transaction sees them.
pub async fn places(tx: &mut Tx, account: AccountId, emails: &[EmailId]) -> Result<Vec<Placed>> {
    select(&mut tx.connection, account, emails).await
}

async fn select(connection: &mut Connection, account: AccountId, emails: &[EmailId]) -> Result<Vec<Placed>> {
    let mut rows = connection
        .query_many(
            "SELECT m.uid, m.size, m.flags, m.modseq, m.email, m.received_at, m.mailbox
             FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
             WHERE m.account = v.column1 AND m.email BETWEEN v.column2 AND v.column3",
            read::ranges_of(account, emails),
            placed,
        )
        .await?;
    rows.sort_unstable_by_key(|placed| (placed.record.email, placed.mailbox, placed.record.uid));
    Ok(rows)
}
