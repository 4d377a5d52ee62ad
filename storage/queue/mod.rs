//! The outbound queue: a message and one row for each of its recipients, on the way to a next hop.
//!
//! A recipient is claimed under a lease: `due_at` moves to the lease's end, so that it is claimable
//! again when nobody renews, and `leased_by` names the run of a node. What is settled must still be
//! leased by the one who settles it, so what a run says that is over counts only before the next run
//! ends its leases.

mod claim;
mod look;
mod operate;
mod overdue;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

pub use claim::{Flow, claim, give_back, lease, release_leases, reroute};
pub use look::{AttemptRow, QueueFilter, QueuedRow};
pub use operate::{Operated, Operation, operate};
pub use overdue::{Overdue, OverdueRecipient, attend, overdue, postpone, still_waiting};
pub use settle::{ATTEMPTS, Attempt, End, Settled, Settlement, settle, still_leased};

use crate::blobs::StagedBlob;
use crate::changes::Change;
use crate::db::{Row, values};
use crate::mail::append;
use crate::tx::Tx;
use crate::{AccountId, BlobId, Error, Result};

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
    pub passed_on: bool,
    /// When the sender is told of recipients that are still queued, and when these have failed.
    pub attend_at: i64,
    pub expires_at: i64,
    pub recipients: Vec<NewRecipient>,
}

pub struct NewRecipient {
    pub address: String,
    pub domain: String,
    pub hop: Hop,
    pub notify: i64,
    pub original: String,
}

/// Where a recipient's message goes next: a kind of road, and the name of its other end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    pub kind: String,
    pub name: String,
}

/// A message taken for an attempt, with some of its recipients.
#[derive(Clone)]
pub struct DueMessage {
    pub id: i64,
    pub account: AccountId,
    pub reverse_path: String,
    pub blob: BlobId,
    pub size: u64,
    pub prefix: Bytes,
    pub ret: String,
    pub envelope_id: String,
    pub smtputf8: bool,
    pub eight_bit: bool,
    pub passed_on: bool,
    pub created_at: i64,
    pub expires_at: i64,
    pub recipients: Vec<DueRecipient>,
}

#[derive(Clone, Debug)]
pub struct DueRecipient {
    pub id: i64,
    pub address: String,
    pub notify: i64,
    pub original: String,
    pub attempts: u32,
    pub last_status: String,
}

/// Of `queue_recipient.status`; more of them are in [`End`].
const WAITS: i64 = 0;
const HELD: i64 = 1;

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
    tx.connection.defer(
        "INSERT INTO queue_message (id, account, reverse_path, blob, size, prefix, ret, envelope_id,
           smtputf8, eight_bit, created_at, attend_at, expires_at, passed_on)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
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
            now,
            message.attend_at,
            message.expires_at,
            message.passed_on
        ],
    );
    let rows = message.recipients.iter().enumerate().map(|(n, recipient)| {
        values![
            id,
            n as i64 + 1,
            message.account,
            recipient.address.as_str(),
            recipient.domain.as_str(),
            recipient.hop.kind.as_str(),
            recipient.hop.name.as_str(),
            recipient.notify,
            recipient.original.as_str(),
            0i64,
            now,
            ""
        ]
    });
    tx.connection.defer_many(
        "INSERT INTO queue_recipient (message, id, account, address, domain, hop_kind, hop_name, notify,
           original, attempts, due_at, last_status) VALUES {values}",
        rows.collect(),
    );
    let hops: BTreeSet<_> = message.recipients.iter().map(|r| r.hop.clone()).collect();
    for hop in hops {
        tx.changed(Change::Queue { hop, account: message.account, again: false });
    }
    Ok(id)
}

/// Reads messages and gives each its recipients, in the order of their ids.
async fn with_recipients(
    tx: &mut Tx,
    mut recipients: BTreeMap<i64, Vec<DueRecipient>>,
) -> Result<Vec<DueMessage>> {
    let rows = recipients.keys().map(|id| values![*id]).collect();
    let sql = "SELECT q.id, q.account, q.reverse_path, q.blob, q.size, q.prefix, q.ret, q.envelope_id,
           q.smtputf8, q.eight_bit, q.created_at, q.expires_at, q.passed_on
         FROM (VALUES {values}) AS v CROSS JOIN queue_message q WHERE q.id = v.column1";
    let mut messages = tx.connection.query_many(sql, rows, due_message).await?;
    for message in &mut messages {
        message.recipients = recipients.remove(&message.id).unwrap_or_default();
        message.recipients.sort_by_key(|recipient| recipient.id);
    }
    messages.sort_by_key(|message| message.id);
    Ok(messages)
}

fn due_message(row: Row<'_>) -> Result<DueMessage> {
    Ok(DueMessage {
        id: row.int(0)?,
        account: AccountId(row.int(1)?),
        reverse_path: row.text(2)?,
        blob: row.blob_id(3)?,
        size: row.int(4)? as u64,
        prefix: row.bytes(5)?.into(),
        ret: row.text(6)?,
        envelope_id: row.text(7)?,
        smtputf8: row.int(8)? != 0,
        eight_bit: row.int(9)? != 0,
        created_at: row.int(10)?,
        expires_at: row.int(11)?,
        passed_on: row.int(12)? != 0,
        recipients: Vec::new(),
    })
}

/// Columns of [`due_recipient`].
macro_rules! due_columns {
    () => {
        "message, id, address, notify, original, attempts, last_status"
    };
}
use due_columns;

fn due_recipient(row: Row<'_>) -> Result<(i64, DueRecipient)> {
    let recipient = DueRecipient {
        id: row.int(1)?,
        address: row.text(2)?,
        notify: row.int(3)?,
        original: row.text(4)?,
        attempts: row.int(5)? as u32,
        last_status: row.text(6)?,
    };
    Ok((row.int(0)?, recipient))
}
