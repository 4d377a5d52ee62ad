//! What the junk filters of accounts have learned; its meaning is `hub`'s.

use std::collections::HashMap;

use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, EmailId, MailboxId, Modseq, Result, Role, Storage, Uid};

/// The packed parts of a filter that deliveries look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Words = 1,
    Senders = 2,
}

/// What is to be kept; the rest stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The change up to which the account was looked at, and what was learned from.
    pub progress: Option<(Modseq, Vec<u8>)>,
    pub parts: Vec<(Part, Vec<u8>)>,
}

/// Where a message lies.
pub type MessagePlace = (EmailId, MailboxId, Uid);

impl Storage {
    /// Accounts whose filter knows anything.
    pub async fn junk_accounts(&self) -> Result<Vec<AccountId>> {
        let sql = "SELECT DISTINCT account FROM junk_part";
        self.reader().await?.query(sql, values![], |row| Ok(AccountId(row.int(0)?))).await
    }

    /// Accounts that have changed a mailbox for junk since they were last looked at.
    pub async fn junk_unlearned(&self) -> Result<Vec<AccountId>> {
        let sql = "SELECT DISTINCT m.account FROM mailbox m
            LEFT JOIN junk_progress p ON p.account = m.account
            WHERE m.role = $1 AND m.modseq > COALESCE(p.modseq, 0) AND (m.total > 0 OR p.modseq > 0)";
        let junk = Role::Junk.name();
        self.reader().await?.query(sql, values![junk], |row| Ok(AccountId(row.int(0)?))).await
    }

    /// The parts of an account's filter that there are.
    pub async fn junk_parts(&self, account: AccountId) -> Result<HashMap<Part, Vec<u8>>> {
        let sql = "SELECT part, data FROM junk_part WHERE account = $1";
        let rows =
            self.reader().await?.query(sql, values![account], |row| Ok((row.int(0)?, row.bytes(1)?))).await?;
        let part = |(part, data)| match part {
            1 => Some((Part::Words, data)),
            2 => Some((Part::Senders, data)),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(part).collect())
    }

    /// Up to where the account was looked at, and what was learned from; `None` for never.
    pub async fn junk_progress(&self, account: AccountId) -> Result<Option<(Modseq, Vec<u8>)>> {
        let sql = "SELECT modseq, learned FROM junk_progress WHERE account = $1";
        let mut reader = self.reader().await?;
        reader.first(sql, values![account], |row| Ok((row.int(0)? as u64, row.bytes(1)?))).await
    }

    /// All places of these e-mails; none for one that is gone.
    pub async fn places(&self, account: AccountId, emails: &[EmailId]) -> Result<Vec<MessagePlace>> {
        let rows = emails.iter().map(|email| values![account, *email]).collect();
        self.reader()
            .await?
            .query_many(
                "SELECT m.email, m.mailbox, m.uid FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
                 WHERE m.account = v.column1 AND m.email = v.column2",
                rows,
                |row| Ok((EmailId(row.int(0)?), MailboxId(row.int(1)?), row.int(2)? as u32)),
            )
            .await
    }
}

/// Keeps parts of accounts' filters. An account that was removed meanwhile is left out: nothing of it
/// may be left. The accounts must be locked.
pub async fn keep(tx: &mut Tx, filters: Vec<(AccountId, Kept)>) -> Result<()> {
    let (mut progress, mut parts) = (Vec::new(), Vec::new());
    for (account, kept) in filters.into_iter().filter(|(account, _)| tx.account(*account).is_ok()) {
        progress.extend(kept.progress.map(|(modseq, learned)| values![account, modseq, learned]));
        parts.extend(kept.parts.into_iter().map(|(part, data)| values![account, part as i64, data]));
    }
    let template = "INSERT INTO junk_progress (account, modseq, learned) VALUES {values}
        ON CONFLICT (account) DO UPDATE SET modseq = EXCLUDED.modseq, learned = EXCLUDED.learned";
    tx.connection.execute_many(template, progress).await?;
    let template = "INSERT INTO junk_part (account, part, data) VALUES {values}
        ON CONFLICT (account, part) DO UPDATE SET data = EXCLUDED.data";
    tx.connection.execute_many(template, parts).await.map(drop)
}
