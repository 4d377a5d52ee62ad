//! The outbound queue: one row per recipient, claimed with a lease.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::blobs::StagedBlob;
use crate::changes::Change;
use crate::db::values;
use crate::mail::{append, reclaim};
use crate::tx::Tx;
use crate::{AccountId, BlobId, Error, Result, Storage};

/// A message to queue; the fields are kept as given.
pub struct NewQueued {
    /// The sender's account.
    pub account: AccountId,
    pub reverse_path: String,
    pub blob: Arc<StagedBlob>,
    pub prefix: Vec<u8>,
    pub ret: String,
    pub envelope_id: String,
    pub smtputf8: bool,
    pub eight_bit: bool,
    pub recipients: Vec<NewRecipient>,
}

pub struct NewRecipient {
    pub address: String,
    pub domain: String,
    pub notify: i64,
    pub original: String,
}

/// A message taken for an attempt, with those recipients that are due.
#[derive(Clone)]
pub struct DueMessage {
    pub id: i64,
    pub reverse_path: String,
    pub blob: BlobId,
    pub size: u64,
    pub prefix: Bytes,
    pub ret: String,
    pub envelope_id: String,
    pub smtputf8: bool,
    pub eight_bit: bool,
    pub created_at: i64,
    pub recipients: Vec<DueRecipient>,
}

#[derive(Clone, Debug)]
pub struct DueRecipient {
    pub id: i64,
    pub address: String,
    pub notify: i64,
    pub original: String,
    pub attempts: u32,
}

/// One recipient as an operator sees it.
#[derive(Clone, Debug)]
pub struct QueuedRow {
    pub message: i64,
    pub recipient: i64,
    pub reverse_path: String,
    pub address: String,
    pub size: u64,
    pub attempts: u32,
    pub created_at: i64,
    pub next_attempt_at: i64,
    pub last_status: String,
}

/// What to write down about a recipient after an attempt.
pub enum Settled {
    Deferred {
        status: String,
        next_attempt_at: i64,
    },
    /// Delivered or failed for good: it leaves the queue.
    Done,
}

/// Puts a message into the queue, due at once. Returns its queue id.
pub async fn push(tx: &mut Tx, message: &NewQueued) -> Result<i64> {
    append::refer(tx, vec![(&message.blob, 1)]).await?;
    let id = tx
        .connection
        .first(
            "UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value",
            values!["queue"],
            |row| row.int(0),
        )
        .await?
        .ok_or_else(|| Error::damaged("the counter queue is missing from the database"))?;
    let now = tx.now;
    tx.connection
        .execute(
            "INSERT INTO queue_message (id, account, reverse_path, blob, size, prefix, ret, envelope_id,
               smtputf8, eight_bit, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            values![
                id,
                message.account,
                message.reverse_path.as_str(),
                message.blob.id(),
                message.blob.size(),
                message.prefix.as_slice(),
                message.ret.as_str(),
                message.envelope_id.as_str(),
                message.smtputf8,
                message.eight_bit,
                now
            ],
        )
        .await?;
    let rows = message.recipients.iter().enumerate().map(|(n, recipient)| {
        values![
            id,
            n as i64 + 1,
            recipient.address.as_str(),
            recipient.domain.as_str(),
            recipient.notify,
            recipient.original.as_str(),
            0i64,
            now,
            0i64,
            ""
        ]
    });
    tx.connection
        .execute_many(
            "INSERT INTO queue_recipient (message, id, address, domain, notify, original, attempts,
               next_attempt_at, leased_until, last_status) VALUES {values}",
            rows.collect(),
        )
        .await?;
    tx.changed(Change::Queue);
    Ok(id)
}

/// Takes the recipients of up to `limit` messages that are due at `now`, under a lease.
pub async fn take_due(tx: &mut Tx, now: i64, limit: usize, lease_seconds: i64) -> Result<Vec<DueMessage>> {
    // Only the writer claims, so no row can be claimed twice; several nodes on one PostgreSQL would
    // need FOR UPDATE SKIP LOCKED here.
    let mut due = tx
        .connection
        .query(
            "SELECT message FROM queue_recipient WHERE next_attempt_at <= $1 AND leased_until <= $1
             ORDER BY next_attempt_at LIMIT $2",
            values![now, limit as i64 * 10],
            |row| row.int(0),
        )
        .await?;
    due.sort_unstable();
    due.dedup();
    due.truncate(limit);
    let mut recipients: BTreeMap<i64, Vec<DueRecipient>> = BTreeMap::new();
    let rows = due.iter().map(|message| values![*message, now, now + lease_seconds]).collect();
    let claimed = tx
        .connection
        .query_many(
            "UPDATE queue_recipient SET leased_until = v.column3 FROM (VALUES {values}) AS v
             WHERE message = v.column1 AND next_attempt_at <= v.column2 AND leased_until <= v.column2
             RETURNING message, id, address, notify, original, attempts",
            rows,
            |row| {
                let recipient = DueRecipient {
                    id: row.int(1)?,
                    address: row.text(2)?,
                    notify: row.int(3)?,
                    original: row.text(4)?,
                    attempts: row.int(5)? as u32,
                };
                Ok((row.int(0)?, recipient))
            },
        )
        .await?;
    for (message, recipient) in claimed {
        recipients.entry(message).or_default().push(recipient);
    }
    let rows = recipients.keys().map(|id| values![*id]).collect();
    let mut messages = tx
        .connection
        .query_many(
            "SELECT q.id, q.reverse_path, q.blob, q.size, q.prefix, q.ret, q.envelope_id, q.smtputf8,
               q.eight_bit, q.created_at
             FROM (VALUES {values}) AS v CROSS JOIN queue_message q WHERE q.id = v.column1",
            rows,
            |row| {
                Ok(DueMessage {
                    id: row.int(0)?,
                    reverse_path: row.text(1)?,
                    blob: row.blob_id(2)?,
                    size: row.int(3)? as u64,
                    prefix: row.bytes(4)?.into(),
                    ret: row.text(5)?,
                    envelope_id: row.text(6)?,
                    smtputf8: row.int(7)? != 0,
                    eight_bit: row.int(8)? != 0,
                    created_at: row.int(9)?,
                    recipients: Vec::new(),
                })
            },
        )
        .await?;
    for message in &mut messages {
        message.recipients = recipients.remove(&message.id).unwrap_or_default();
        message.recipients.sort_by_key(|recipient| recipient.id);
    }
    messages.sort_by_key(|message| message.id);
    Ok(messages)
}

/// Ends all leases: those who held them died with the process before.
pub async fn release_leases(tx: &mut Tx) -> Result<()> {
    let sql = "UPDATE queue_recipient SET leased_until = 0 WHERE leased_until > 0";
    tx.connection.execute(sql, values![]).await.map(drop)
}

/// Writes down what became of recipients; the message goes with the last of them.
pub async fn settle(tx: &mut Tx, message: i64, outcomes: &[(i64, Settled)]) -> Result<()> {
    for (recipient, outcome) in outcomes {
        match outcome {
            Settled::Done => {
                let sql = "DELETE FROM queue_recipient WHERE message = $1 AND id = $2";
                tx.connection.execute(sql, values![message, *recipient]).await?;
            }
            Settled::Deferred { status, next_attempt_at } => {
                let sql = "UPDATE queue_recipient SET attempts = attempts + 1, next_attempt_at = $3,
                    leased_until = 0, last_status = $4 WHERE message = $1 AND id = $2";
                let values = values![message, *recipient, *next_attempt_at, status.as_str()];
                tx.connection.execute(sql, values).await?;
            }
        }
    }
    let finished = tx
        .connection
        .query(
            "DELETE FROM queue_message WHERE id = $1 AND NOT EXISTS
               (SELECT 1 FROM queue_recipient WHERE message = $1) RETURNING blob",
            values![message],
            |row| row.blob_id(0),
        )
        .await?;
    let now = tx.now;
    reclaim::release(&mut tx.connection, now, finished).await
}

impl Storage {
    /// The whole queue, oldest first.
    pub async fn queue(&self) -> Result<Vec<QueuedRow>> {
        let sql = "SELECT r.message, r.id, q.reverse_path, r.address, q.size, r.attempts, q.created_at,
              r.next_attempt_at, r.last_status, q.prefix
            FROM queue_message q CROSS JOIN queue_recipient r WHERE r.message = q.id ORDER BY r.message, r.id";
        self.reader()
            .await?
            .query(sql, values![], |row| {
                Ok(QueuedRow {
                    message: row.int(0)?,
                    recipient: row.int(1)?,
                    reverse_path: row.text(2)?,
                    address: row.text(3)?,
                    size: row.int(4)? as u64 + row.bytes(9)?.len() as u64,
                    attempts: row.int(5)? as u32,
                    created_at: row.int(6)?,
                    next_attempt_at: row.int(7)?,
                    last_status: row.text(8)?,
                })
            })
            .await
    }
}
