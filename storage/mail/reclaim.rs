//! Giving back what nobody refers to any more, in slices so that the writer is never held up.

use std::collections::BTreeMap;

use crate::db::{Connection, values};
use crate::mail::mailboxes;
use crate::tx::Tx;
use crate::{AccountId, BlobId, EmailId, MailboxId, Result, Storage};

/// How long what is gone can still be read, in seconds: sessions that were not told of an expunge
/// may still fetch the message, and an upload may be about to refer to a blob.
const GRACE: i64 = 3600;
/// Rows per slice.
const SLICE: i64 = 500;
/// Journal rows are kept this long, in seconds. Generous: some clients never recover from a token
/// that has become too old.
const JOURNAL_AGE: i64 = 180 * 24 * 3600;
/// What was brought beforehand waits so long for its use, in seconds. RFC 8620 §6.1: an hour at the least.
const UPLOAD_AGE: i64 = 24 * 3600;

impl Storage {
    /// Reclaims one slice of everything that is due at `now` (Unix seconds). Returns true if there
    /// may be more. Errors leave everything as it was.
    pub async fn reclaim(&self, now: i64) -> Result<bool> {
        let deleted = mailboxes::first_deleted(&mut self.reader().await?).await?;
        let more_messages = match deleted {
            Some((account, mailbox)) => {
                self.transact([account], move |tx| Box::pin(empty_deleted(tx, account, mailbox))).await?
            }
            None => false,
        };
        let more_emails = self.transact([], move |tx| Box::pin(remove_gone(tx, now))).await?;
        let (more_blobs, places) = self.transact([], move |tx| Box::pin(remove_blobs(tx, now))).await?;
        for place in places {
            self.store().remove_file(&place);
        }
        self.transact([], move |tx| Box::pin(trim_journal(tx, now))).await?;
        let old = now - JOURNAL_AGE;
        self.transact([], move |tx| Box::pin(crate::oauth::trim(tx, now, old))).await?;
        let more_names = self.transact([], move |tx| Box::pin(crate::files::trim(tx, old))).await?;
        let more_files = self.reclaim_files().await?;
        let more_items = self.transact([], move |tx| Box::pin(crate::items::trim(tx, old))).await?;
        let old = now - UPLOAD_AGE;
        let more_uploads = self.transact([], move |tx| Box::pin(crate::uploads::trim(tx, old))).await?;
        Ok(more_messages
            || more_emails
            || more_blobs
            || more_names
            || more_files
            || more_items
            || more_uploads)
    }

    /// Looks for damage without changing anything: SQLite's own check, and large bodies whose file is
    /// missing or has another length. A sentence for each; reads every row of the blobs.
    pub async fn find_damage(&self) -> Result<Vec<String>> {
        let mut reader = self.reader().await?;
        let mut found = Vec::new();
        if reader.is_sqlite() {
            let answers = reader.query("PRAGMA quick_check(20)", values![], |row| row.text(0)).await?;
            found.extend(answers.into_iter().filter(|answer| answer != "ok"));
        }
        let files = reader
            .query("SELECT hash, place, size FROM blob WHERE place <> ''", values![], |row| {
                Ok((row.blob_id(0)?, row.text(1)?, row.int(2)? as u64))
            })
            .await?;
        for (id, place, size) in files {
            let path = self.store().path(&place);
            match std::fs::metadata(&path) {
                Ok(file) if file.len() == size => {}
                Ok(file) => found.push(format!(
                    "{} has {} bytes instead of {size} (blob {})",
                    path.display(),
                    file.len(),
                    id.to_hex()
                )),
                Err(error) => found.push(format!("{}: {error} (blob {})", path.display(), id.to_hex())),
            }
        }
        Ok(found)
    }

    /// Removes blob files that no row names: what a crash between file and row left behind.
    pub async fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        let places = self.store().old_files(GRACE as u64)?;
        for places in places.chunks(500) {
            let rows = places.iter().map(|place| values![place.as_str()]).collect();
            let known: std::collections::HashSet<String> = self
                .reader()
                .await?
                .query_many(
                    "SELECT v.column1 FROM (VALUES {values}) AS v
                     WHERE EXISTS (SELECT 1 FROM blob b WHERE b.place = v.column1 AND b.place <> '')",
                    rows,
                    |row| row.text(0),
                )
                .await?
                .into_iter()
                .collect();
            for place in places.iter().filter(|place| !known.contains(*place)) {
                self.store().remove_file(place);
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Takes a slice of messages out of a deleted mailbox, and its row with the last of them.
async fn empty_deleted(tx: &mut Tx, account: AccountId, mailbox: MailboxId) -> Result<bool> {
    let rows = tx
        .connection
        .query(
            "SELECT uid, email FROM mailbox_message WHERE account = $1 AND mailbox = $2 ORDER BY uid LIMIT $3",
            values![account, mailbox, SLICE],
            |row| Ok((row.int(0)?, EmailId(row.int(1)?))),
        )
        .await?;
    let Some(&(last, _)) = rows.last() else {
        tx.release_mailbox(account, mailbox).await?;
        tx.connection
            .execute("DELETE FROM mailbox WHERE account = $1 AND id = $2", values![account, mailbox])
            .await?;
        return Ok(true);
    };
    tx.connection
        .execute(
            "DELETE FROM mailbox_message WHERE account = $1 AND mailbox = $2 AND uid <= $3",
            values![account, mailbox, last],
        )
        .await?;
    let emails: Vec<EmailId> = rows.into_iter().map(|(_, email)| email).collect();
    let gone = super::change::mark_gone(tx, account, &emails).await?;
    let left: Vec<_> = emails.into_iter().filter(|email| !gone.contains(&email.0)).collect();
    tx.journal_emails(account, [], left, gone.into_iter().map(EmailId));
    Ok(true)
}

async fn remove_gone(tx: &mut Tx, now: i64) -> Result<bool> {
    let gone = tx
        .connection
        .query(
            "SELECT account, id, blob FROM email WHERE gone_at > 0 AND gone_at < $1 LIMIT $2",
            values![now - GRACE, SLICE],
            |row| Ok((row.int(0)?, row.int(1)?, row.blob_id(2)?)),
        )
        .await?;
    let more = gone.len() as i64 == SLICE;
    let rows = gone.iter().map(|(account, id, _)| values![*account, *id]).collect();
    tx.connection.execute_many("DELETE FROM email WHERE (account, id) IN (VALUES {values})", rows).await?;
    release(&mut tx.connection, now, gone.into_iter().map(|(_, _, blob)| blob).collect()).await?;
    Ok(more)
}

/// Takes away one reference per blob named; what has none left is reclaimed after the grace period.
pub(crate) async fn release(connection: &mut Connection, now: i64, blobs: Vec<BlobId>) -> Result<()> {
    let mut counts: BTreeMap<BlobId, i64> = BTreeMap::new();
    for blob in blobs {
        *counts.entry(blob).or_default() += 1;
    }
    let rows = counts.into_iter().map(|(blob, count)| values![blob, count, now]).collect();
    connection
        .execute_many(
            "UPDATE blob SET refs = refs - v.column2,
               unused_at = CASE WHEN refs <= v.column2 THEN v.column3 ELSE 0 END
             FROM (VALUES {values}) AS v WHERE hash = v.column1",
            rows,
        )
        .await?;
    Ok(())
}

async fn remove_blobs(tx: &mut Tx, now: i64) -> Result<(bool, Vec<String>)> {
    let unused = tx
        .connection
        .query(
            "SELECT hash, place FROM blob WHERE unused_at > 0 AND unused_at < $1 AND refs <= 0 LIMIT $2",
            values![now - GRACE, SLICE],
            |row| Ok((row.blob_id(0)?, row.text(1)?)),
        )
        .await?;
    let more = unused.len() as i64 == SLICE;
    let rows = unused.iter().map(|(hash, _)| values![*hash]).collect();
    tx.connection.execute_many("DELETE FROM blob WHERE hash IN (VALUES {values})", rows).await?;
    let rows = unused.iter().map(|(hash, _)| values![*hash]).collect();
    tx.connection.execute_many("DELETE FROM file_text WHERE blob IN (VALUES {values})", rows).await?;
    Ok((more, unused.into_iter().map(|(_, place)| place).filter(|place| !place.is_empty()).collect()))
}

async fn trim_journal(tx: &mut Tx, now: i64) -> Result<()> {
    let old = values![now - JOURNAL_AGE];
    let floors = tx
        .connection
        .query(
            "SELECT account, MAX(modseq) FROM journal WHERE made_at < $1 GROUP BY account",
            old.clone(),
            |row| Ok(values![row.int(0)?, row.int(1)?]),
        )
        .await?;
    if floors.is_empty() {
        return Ok(());
    }
    tx.connection
        .execute_many(
            "UPDATE account SET journal_floor = v.column2 FROM (VALUES {values}) AS v WHERE id = v.column1",
            floors,
        )
        .await?;
    tx.connection.execute("DELETE FROM journal WHERE made_at < $1", old).await.map(drop)
}
