//! What became of claimed recipients.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::WAITS;
use crate::db::values;
use crate::mail::reclaim;
use crate::tx::Tx;
use crate::{BlobId, Result};

/// Attempts that are kept for each recipient.
pub const ATTEMPTS: i64 = 8;

/// What to write down about a recipient after an attempt.
pub enum Settled {
    Deferred {
        attempt: Attempt,
        next_at: i64,
    },
    /// Delivered or failed for good, and nobody is to be told: it leaves the queue.
    Done,
    /// The same, but the sender is to be told: until then it stays.
    Ended {
        attempt: Attempt,
        end: End,
    },
}

/// How a recipient of whom the sender is to be told has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Failed,
    /// It was handed over to a host that will not report.
    Relayed,
}

pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    pub remote: String,
    pub tls: String,
    pub answer: String,
}

/// What became of recipients of one message.
pub struct Settlement {
    pub message: i64,
    pub outcomes: Vec<(i64, Settled)>,
}

impl Settlement {
    /// Its recipients (message, id).
    pub fn recipients(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.outcomes.iter().map(|(id, _)| (self.message, *id))
    }
}

impl End {
    const FAILED: i64 = 2;
    const RELAYED: i64 = 3;

    /// As `queue_recipient.status`.
    fn status(self) -> i64 {
        match self {
            Self::Failed => Self::FAILED,
            Self::Relayed => Self::RELAYED,
        }
    }

    pub(super) fn from_status(status: i64) -> Option<Self> {
        match status {
            Self::FAILED => Some(Self::Failed),
            Self::RELAYED => Some(Self::Relayed),
            _ => None,
        }
    }
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

/// Writes down what became of recipients; messages go with the last of them. Of a message of which
/// something has ended the sender is told when each other recipient was tried, at the latest at
/// `gathered`.
pub async fn settle(tx: &mut Tx, settlements: &[Settlement], gathered: i64) -> Result<()> {
    let (mut tried, mut attempts, mut done) = (Vec::new(), Vec::new(), Vec::new());
    let now = tx.now;
    for Settlement { message, outcomes } in settlements {
        for (recipient, outcome) in outcomes {
            let (attempt, due_at, status) = match outcome {
                Settled::Done => {
                    done.push((*message, *recipient));
                    continue;
                }
                Settled::Deferred { attempt, next_at } => (attempt, *next_at, WAITS),
                Settled::Ended { attempt, end } => (attempt, now, end.status()),
            };
            let Attempt { number, remote, tls, answer } = attempt;
            tried.push(values![*message, *recipient, *number, due_at, answer.as_str(), status]);
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
    tx.connection.defer_many(
        "UPDATE queue_recipient SET attempts = v.column3, due_at = v.column4, leased_by = '',
           last_status = v.column5, status = v.column6
         FROM (VALUES {values}) AS v WHERE message = v.column1 AND id = v.column2",
        tried,
    );
    tx.connection.defer_many(
        "INSERT INTO queue_attempt (message, recipient, slot, number, made_at, remote, tls, answer)
         VALUES {values} ON CONFLICT (message, recipient, slot) DO UPDATE SET number = excluded.number,
           made_at = excluded.made_at, remote = excluded.remote, tls = excluded.tls,
           answer = excluded.answer",
        attempts,
    );
    let finished = remove(tx, &done).await?;
    let left = settlements.iter().map(|settlement| settlement.message);
    let left: BTreeSet<i64> = left.filter(|message| !finished.contains(message)).collect();
    tell_soon(tx, &left, gathered);
    Ok(())
}

/// Brings forward when messages are looked after of which something has ended.
fn tell_soon(tx: &mut Tx, messages: &BTreeSet<i64>, gathered: i64) {
    let now = tx.now;
    let rows = |at: i64| messages.iter().map(|message| values![*message, at]).collect();
    tx.connection.defer_many(
        "UPDATE queue_message SET attend_at = v.column2 FROM (VALUES {values}) AS v
         WHERE queue_message.id = v.column1 AND attend_at > v.column2
           AND EXISTS (SELECT 1 FROM queue_recipient r WHERE r.message = v.column1 AND r.status > 1)",
        rows(gathered),
    );
    tx.connection.defer_many(
        "UPDATE queue_message SET attend_at = v.column2 FROM (VALUES {values}) AS v
         WHERE queue_message.id = v.column1 AND attend_at > v.column2
           AND EXISTS (SELECT 1 FROM queue_recipient r WHERE r.message = v.column1 AND r.status > 1)
           AND NOT EXISTS (SELECT 1 FROM queue_recipient r
             WHERE r.message = v.column1 AND r.status = 0 AND r.attempts = 0)",
        rows(now),
    );
}

/// Removes recipients, and those of the messages that have none left, whose ids are returned.
pub(super) async fn remove(tx: &mut Tx, recipients: &[(i64, i64)]) -> Result<HashSet<i64>> {
    let rows = || recipients.iter().map(|(message, id)| values![*message, *id]).collect();
    tx.connection
        .defer_many("DELETE FROM queue_attempt WHERE (message, recipient) IN (VALUES {values})", rows());
    tx.connection.defer_many("DELETE FROM queue_recipient WHERE (message, id) IN (VALUES {values})", rows());
    let messages: BTreeSet<i64> = recipients.iter().map(|(message, _)| *message).collect();
    let messages = messages.into_iter().map(|id| values![id]).collect();
    let finished: BTreeMap<i64, BlobId> = tx
        .connection
        .query_many(
            "DELETE FROM queue_message WHERE id IN (VALUES {values}) AND NOT EXISTS
               (SELECT 1 FROM queue_recipient r WHERE r.message = queue_message.id) RETURNING id, blob",
            messages,
            |row| Ok((row.int(0)?, row.blob_id(1)?)),
        )
        .await?
        .into_iter()
        .collect();
    let now = tx.now;
    let ids = finished.keys().copied().collect();
    reclaim::release(&mut tx.connection, now, finished.into_values().collect()).await?;
    Ok(ids)
}
