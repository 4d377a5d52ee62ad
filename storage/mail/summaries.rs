//! Reading the summaries of many messages for what is kept of them in memory.

use crate::db::{Row, values};
use crate::{AccountId, EmailId, MailboxId, Result, Storage, Uid};

/// What is known of an e-mail without its text.
#[derive(Clone, Copy)]
pub struct SummaryRow<'a> {
    pub email: EmailId,
    pub thread: i64,
    pub summary: &'a [u8],
}

/// Columns `id, thread, summary`.
fn summary_row(row: Row<'_>) -> Result<SummaryRow<'_>> {
    Ok(SummaryRow { email: EmailId(row.int(0)?), thread: row.int(1)?, summary: row.slice(2)? })
}

impl Storage {
    /// The e-mails behind a range of a mailbox's UIDs, in one scan, handed over as they come.
    pub async fn mailbox_summaries(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        (first, last): (Uid, Uid),
        mut take: impl FnMut(SummaryRow<'_>) + Send,
    ) -> Result<()> {
        self.reader()
            .await?
            .query(
                "SELECT e.id, e.thread, e.summary FROM mailbox_message m CROSS JOIN email e
                 WHERE m.account = $1 AND m.mailbox = $2 AND m.uid BETWEEN $3 AND $4
                   AND e.account = m.account AND e.id = m.email",
                values![account, mailbox, first, last],
                |row| summary_row(row).map(&mut take),
            )
            .await
            .map(drop)
    }

    /// These e-mails, in any order; what does not exist is left out.
    pub async fn summaries(
        &self,
        account: AccountId,
        ids: &[EmailId],
        mut take: impl FnMut(SummaryRow<'_>) + Send,
    ) -> Result<()> {
        self.reader()
            .await?
            .query_many(
                "SELECT e.id, e.thread, e.summary FROM (VALUES {values}) AS v CROSS JOIN email e
                 WHERE e.account = v.column1 AND e.id BETWEEN v.column2 AND v.column3",
                super::read::ranges_of(account, ids),
                |row| summary_row(row).map(&mut take),
            )
            .await
            .map(drop)
    }

    /// The messages that were put into the mailbox in `from..until` (Unix seconds), ascending, with
    /// their times.
    pub async fn saved_between(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        from: i64,
        until: i64,
    ) -> Result<Vec<(Uid, i64)>> {
        self.reader()
            .await?
            .query(
                "SELECT uid, saved_at FROM mailbox_message
                 WHERE account = $1 AND mailbox = $2 AND saved_at >= $3 AND saved_at < $4 ORDER BY uid",
                values![account, mailbox, from, until],
                |row| Ok((row.int(0)? as u32, row.int(1)?)),
            )
            .await
    }
}
