//! What became of claimed recipients, and what has waited too long.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{DueMessage, due_columns, due_recipient, with_recipients};
use crate::db::values;
use crate::mail::reclaim;
use crate::tx::Tx;
use crate::{BlobId, Result};

/// Attempts that are kept for each recipient.
pub const ATTEMPTS: i64 = 8;

/// What to write down about a recipient after an attempt.
pub enum Settled {
    Deferred(Attempt),
    /// Delivered or failed for good: it leaves the queue.
    Done,
}

/// An attempt that did not bring it.
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    pub remote: String,
    pub tls: String,
    pub answer: String,
    pub next_at: i64,
}

/// What became of recipients of one message.
pub struct Settlement {
    pub message: i64,
    pub outcomes: Vec<(i64, Settled)>,
}

/// Those of the recipients (message, id) that a lessee still has under lease, locked until the commit.
/// The others were taken by somebody else, or an operator removed them.
pub async fn still_leased(
    tx: &mut Tx,
    lessee: &str,
    recipients: &[(i64, i64)],
) -> Result<HashSet<(i64, i64)>> {
    // The lock is an update: what SELECT … FOR UPDATE would do, in words that SQLite knows too.
    let rows = recipients.iter().map(|(message, id)| values![*message, *id, lessee]).collect();
    let sql = "UPDATE queue_recipient SET leased_by = '' FROM (VALUES {values}) AS v
         WHERE message = v.column1 AND id = v.column2 AND leased_by = v.column3 RETURNING message, id";
    let leased = tx.connection.query_many(sql, rows, |row| Ok((row.int(0)?, row.int(1)?))).await?;
    Ok(leased.into_iter().collect())
}

/// Writes down what became of recipients; messages go with the last of them.
pub async fn settle(tx: &mut Tx, settlements: &[Settlement]) -> Result<()> {
    let mut deferred = Vec::new();
    let mut attempts = Vec::new();
    let mut done = Vec::new();
    let now = tx.now;
    for Settlement { message, outcomes } in settlements {
        for (recipient, outcome) in outcomes {
            match outcome {
                Settled::Done => done.push((*message, *recipient)),
                Settled::Deferred(Attempt { number, remote, tls, answer, next_at }) => {
                    deferred.push(values![*message, *recipient, *number, *next_at, answer.as_str()]);
                    let slot = i64::from(*number) % ATTEMPTS;
                    attempts.push(values![
                        *message,
                        *recipient,
                        slot,
                        *number,
                        now,
                        remote.as_str(),
                        tls.as_str(),
                        answer.as_str()
                    ]);
                }
            }
        }
    }
    tx.connection.defer_many(
        "UPDATE queue_recipient SET attempts = v.column3, due_at = v.column4, leased_by = '',
           last_status = v.column5
         FROM (VALUES {values}) AS v WHERE message = v.column1 AND id = v.column2",
        deferred,
    );
    tx.connection.defer_many(
        "INSERT INTO queue_attempt (message, recipient, slot, number, made_at, remote, tls, answer)
         VALUES {values} ON CONFLICT (message, recipient, slot) DO UPDATE SET number = excluded.number,
           made_at = excluded.made_at, remote = excluded.remote, tls = excluded.tls,
           answer = excluded.answer",
        attempts,
    );
    remove(tx, &done).await
}

/// Removes recipients, and those of the messages that have none left.
pub(super) async fn remove(tx: &mut Tx, recipients: &[(i64, i64)]) -> Result<()> {
    let rows = || recipients.iter().map(|(message, id)| values![*message, *id]).collect();
    tx.connection
        .defer_many("DELETE FROM queue_attempt WHERE (message, recipient) IN (VALUES {values})", rows());
    tx.connection.defer_many("DELETE FROM queue_recipient WHERE (message, id) IN (VALUES {values})", rows());
    let messages: BTreeSet<i64> = recipients.iter().map(|(message, _)| *message).collect();
    let messages = messages.into_iter().map(|id| values![id]).collect();
    let finished: Vec<BlobId> = tx
        .connection
        .query_many(
            "DELETE FROM queue_message WHERE id IN (VALUES {values}) AND NOT EXISTS
               (SELECT 1 FROM queue_recipient r WHERE r.message = queue_message.id) RETURNING blob",
            messages,
            |row| row.blob_id(0),
        )
        .await?;
    let now = tx.now;
    reclaim::release(&mut tx.connection, now, finished).await
}

/// A message about which the sender is to be told something, with the recipients that wait and are
/// not just being sent to.
pub struct Overdue {
    pub message: DueMessage,
    pub attend_at: i64,
}

/// Messages whose time to be looked after has come, the longest overdue first.
pub async fn overdue(tx: &mut Tx, now: i64, limit: usize) -> Result<Vec<Overdue>> {
    let sql = "SELECT id, attend_at FROM queue_message WHERE attend_at <= $1 ORDER BY attend_at LIMIT $2";
    let due = tx.connection.query(sql, values![now, limit as i64], |row| Ok((row.int(0)?, row.int(1)?)));
    let mut times: BTreeMap<i64, i64> = due.await?.into_iter().collect();
    let rows = times.keys().map(|id| values![*id, now]).collect();
    let sql = concat!(
        "SELECT ",
        due_columns!(),
        " FROM (VALUES {values}) AS v CROSS JOIN queue_recipient
         WHERE message = v.column1 AND status = 0 AND (leased_by = '' OR due_at <= v.column2)"
    );
    let found = tx.connection.query_many(sql, rows, due_recipient).await?;
    let mut recipients: BTreeMap<i64, Vec<_>> = times.keys().map(|id| (*id, Vec::new())).collect();
    for (message, recipient) in found {
        recipients.entry(message).or_default().push(recipient);
    }
    let messages = with_recipients(tx, recipients).await?;
    let overdue = |message: DueMessage| {
        let attend_at = times.remove(&message.id)?;
        Some(Overdue { message, attend_at })
    };
    Ok(messages.into_iter().filter_map(overdue).collect())
}

/// Sets when messages are to be looked after next: (id, its time until now, the next one, whether the
/// sender is told of a delay now). Returns the ids of those that nobody else has looked after
/// meanwhile.
pub async fn attend(tx: &mut Tx, messages: &[(i64, i64, i64, bool)]) -> Result<HashSet<i64>> {
    let now = tx.now;
    let rows = messages
        .iter()
        .map(|(id, before, next, told)| values![*id, *before, *next, if *told { now } else { 0 }])
        .collect();
    let sql = "UPDATE queue_message SET attend_at = v.column3,
           delay_told_at = CASE WHEN v.column4 > 0 THEN v.column4 ELSE delay_told_at END
         FROM (VALUES {values}) AS v WHERE id = v.column1 AND attend_at = v.column2 RETURNING id";
    Ok(tx.connection.query_many(sql, rows, |row| row.int(0)).await?.into_iter().collect())
}

/// Those of the recipients (message, id) that wait and are not just being sent to, locked until the
/// commit.
pub async fn still_waiting(tx: &mut Tx, now: i64, recipients: &[(i64, i64)]) -> Result<HashSet<(i64, i64)>> {
    let rows = recipients.iter().map(|(message, id)| values![*message, *id, now]).collect();
    // The update is the lock, as above.
    let sql = "UPDATE queue_recipient SET leased_by = '' FROM (VALUES {values}) AS v
         WHERE message = v.column1 AND id = v.column2 AND status = 0
           AND (leased_by = '' OR due_at <= v.column3) RETURNING message, id";
    let free = tx.connection.query_many(sql, rows, |row| Ok((row.int(0)?, row.int(1)?))).await?;
    Ok(free.into_iter().collect())
}
