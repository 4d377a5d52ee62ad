//! Who a twin writes as, what it has sent through the API, and its answer while away.

use crate::changes::{Change, Kind};
use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, EmailId, IdSet, Result, Storage};

/// What was sent is known so long, in seconds.
const KEPT: i64 = 180 * 24 * 3600;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityRow {
    pub id: i64,
    pub name: String,
    pub email: String,
    /// Lines of address, tab, name.
    pub reply_to: String,
    pub bcc: String,
    pub text_signature: String,
    pub html_signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionRow {
    pub id: i64,
    pub identity: i64,
    pub email: EmailId,
    pub thread: i64,
    /// 0 if nothing of it was queued.
    pub queued: i64,
    pub is_canceled: bool,
    /// Unix seconds.
    pub sent_at: i64,
    pub mail_from: String,
    /// Recipients of this hub, one a line.
    pub local: String,
    /// Recipients elsewhere, one a line.
    pub remote: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VacationRow {
    pub is_enabled: bool,
    /// Unix seconds; 0 for none.
    pub from_at: i64,
    pub until_at: i64,
    pub subject: String,
    pub plain: String,
    pub html: String,
}

fn identity(row: Row<'_>) -> Result<IdentityRow> {
    Ok(IdentityRow {
        id: row.int(0)?,
        name: row.text(1)?,
        email: row.text(2)?,
        reply_to: row.text(3)?,
        bcc: row.text(4)?,
        text_signature: row.text(5)?,
        html_signature: row.text(6)?,
    })
}

fn submission(row: Row<'_>) -> Result<SubmissionRow> {
    Ok(SubmissionRow {
        id: row.int(0)?,
        identity: row.int(1)?,
        email: EmailId(row.int(2)?),
        thread: row.int(3)?,
        queued: row.int(4)?,
        is_canceled: row.int(5)? != 0,
        sent_at: row.int(6)?,
        mail_from: row.text(7)?,
        local: row.text(8)?,
        remote: row.text(9)?,
    })
}

impl Storage {
    pub async fn identities(&self, account: AccountId) -> Result<Vec<IdentityRow>> {
        let sql = "SELECT id, name, email, reply_to, bcc, text_signature, html_signature FROM identity
             WHERE account = $1 ORDER BY id";
        self.reader().await?.query(sql, values![account], identity).await
    }

    /// The latest ones, at most `most`, oldest first.
    pub async fn submissions(&self, account: AccountId, most: usize) -> Result<Vec<SubmissionRow>> {
        let sql = "SELECT id, identity, email, thread, queued, canceled, sent_at, mail_from, local, remote
             FROM submission WHERE account = $1 ORDER BY id DESC LIMIT $2";
        let mut rows = self.reader().await?.query(sql, values![account, most as i64], submission).await?;
        rows.reverse();
        Ok(rows)
    }

    pub async fn vacation(&self, account: AccountId) -> Result<VacationRow> {
        let sql =
            "SELECT is_enabled, from_at, until_at, subject, plain, html FROM vacation WHERE account = $1";
        let row = |row: Row<'_>| {
            Ok(VacationRow {
                is_enabled: row.int(0)? != 0,
                from_at: row.int(1)?,
                until_at: row.int(2)?,
                subject: row.text(3)?,
                plain: row.text(4)?,
                html: row.text(5)?,
            })
        };
        Ok(self.reader().await?.first(sql, values![account], row).await?.unwrap_or_default())
    }
}

/// Writes an identity; a new one has the id -1 and gets another. Returns its id.
pub async fn put_identity(tx: &mut Tx, account: AccountId, row: &IdentityRow) -> Result<i64> {
    let is_new = row.id < 0;
    let id = if is_new { tx.take_ids(account, 1)? } else { row.id };
    let sql = "INSERT INTO identity (account, id, name, email, reply_to, bcc, text_signature, html_signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (account, id) DO UPDATE SET
           name = $3, email = $4, reply_to = $5, bcc = $6, text_signature = $7, html_signature = $8";
    let (name, email) = (row.name.as_str(), row.email.as_str());
    let (reply_to, bcc) = (row.reply_to.as_str(), row.bcc.as_str());
    let (plain, html) = (row.text_signature.as_str(), row.html_signature.as_str());
    tx.connection.execute(sql, values![account, id, name, email, reply_to, bcc, plain, html]).await?;
    match is_new {
        true => journal(tx, account, Kind::Identity, [id], [], []),
        false => journal(tx, account, Kind::Identity, [], [id], []),
    }
    Ok(id)
}

pub async fn remove_identity(tx: &mut Tx, account: AccountId, id: i64) -> Result<()> {
    let sql = "DELETE FROM identity WHERE account = $1 AND id = $2";
    tx.connection.execute(sql, values![account, id]).await?;
    journal(tx, account, Kind::Identity, [], [], [id]);
    Ok(())
}

/// Notes what was sent, and forgets what was sent long ago; returns its id.
pub async fn add_submission(tx: &mut Tx, account: AccountId, row: &SubmissionRow) -> Result<i64> {
    let id = tx.take_ids(account, 1)?;
    let sql = "INSERT INTO submission
           (account, id, identity, email, thread, queued, canceled, sent_at, mail_from, local, remote)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)";
    let (from, local, remote) = (row.mail_from.as_str(), row.local.as_str(), row.remote.as_str());
    let SubmissionRow { identity, email, thread, queued, sent_at, .. } = *row;
    let row = values![account, id, identity, email, thread, queued, sent_at, from, local, remote];
    tx.connection.execute(sql, row).await?;
    journal(tx, account, Kind::Submission, [id], [], []);
    let old = tx.now - KEPT;
    let sql = "DELETE FROM submission WHERE account = $1 AND sent_at < $2 RETURNING id";
    for gone in tx.connection.query(sql, values![account, old], |row| row.int(0)).await? {
        journal(tx, account, Kind::Submission, [], [], [gone]);
    }
    Ok(id)
}

pub async fn cancel_submission(tx: &mut Tx, account: AccountId, id: i64) -> Result<()> {
    let sql = "UPDATE submission SET canceled = 1 WHERE account = $1 AND id = $2";
    tx.connection.execute(sql, values![account, id]).await?;
    journal(tx, account, Kind::Submission, [], [id], []);
    Ok(())
}

pub async fn remove_submission(tx: &mut Tx, account: AccountId, id: i64) -> Result<()> {
    let sql = "DELETE FROM submission WHERE account = $1 AND id = $2";
    tx.connection.execute(sql, values![account, id]).await?;
    journal(tx, account, Kind::Submission, [], [], [id]);
    Ok(())
}

pub async fn set_vacation(tx: &mut Tx, account: AccountId, row: &VacationRow) -> Result<()> {
    let sql = "INSERT INTO vacation (account, is_enabled, from_at, until_at, subject, plain, html)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account) DO UPDATE SET
           is_enabled = $2, from_at = $3, until_at = $4, subject = $5, plain = $6, html = $7";
    let (subject, plain, html) = (row.subject.as_str(), row.plain.as_str(), row.html.as_str());
    let row = values![account, row.is_enabled, row.from_at, row.until_at, subject, plain, html];
    tx.connection.execute(sql, row).await?;
    journal(tx, account, Kind::Vacation, [], [1], []);
    // It is a part of the rules.
    tx.changed(Change::Scripts(account));
    Ok(())
}

fn journal<const A: usize, const B: usize, const C: usize>(
    tx: &mut Tx,
    account: AccountId,
    kind: Kind,
    created: [i64; A],
    updated: [i64; B],
    destroyed: [i64; C],
) {
    fn set<const N: usize>(ids: [i64; N]) -> IdSet {
        ids.into_iter().map(|id| id as u64).collect()
    }
    tx.journal(account, kind, 0, set(created), set(updated), set(destroyed));
}
