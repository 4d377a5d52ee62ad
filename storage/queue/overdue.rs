//! Messages whose senders are to be told something: what has ended, and what has waited too long.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::settle::End;
use super::{DueMessage, DueRecipient, Hop, due_columns, due_recipient, with_recipients};
use crate::Result;
use crate::db::{Row, values};
use crate::tx::Tx;

/// A message to look after, with its recipients but for those to whom it is just being sent.
pub struct Overdue {
    /// Its recipients stand below.
    pub message: DueMessage,
    pub recipients: Vec<OverdueRecipient>,
    pub attend_at: i64,
    /// The sender was told of the delay.
    pub delay_told: bool,
}

pub struct OverdueRecipient {
    pub recipient: DueRecipient,
    pub hop: Hop,
    /// `None`: it waits.
    pub end: Option<End>,
    /// The host of the last attempt, empty if none was reached, and when it was made.
    pub remote: String,
    pub tried_at: i64,
}

/// Messages whose time to be looked after has come, the longest overdue first.
pub async fn overdue(tx: &mut Tx, now: i64, limit: usize) -> Result<Vec<Overdue>> {
    let sql = "SELECT id, attend_at, delay_told_at FROM queue_message WHERE attend_at <= $1
         ORDER BY attend_at LIMIT $2";
    let due = tx
        .connection
        .query(sql, values![now, limit as i64], |row| Ok((row.int(0)?, (row.int(1)?, row.int(2)? > 0))));
    let mut times: BTreeMap<i64, (i64, bool)> = due.await?.into_iter().collect();
    let rows = times.keys().map(|id| values![*id, now]).collect();
    let sql = concat!(
        "SELECT ",
        due_columns!(),
        ", status, hop_kind, hop_name,
           COALESCE((SELECT remote FROM queue_attempt a WHERE a.message = r.message AND a.recipient = r.id
             AND a.slot = r.attempts % 8), ''),
           COALESCE((SELECT made_at FROM queue_attempt a WHERE a.message = r.message AND a.recipient = r.id
             AND a.slot = r.attempts % 8), 0)
         FROM (VALUES {values}) AS v CROSS JOIN queue_recipient r
         WHERE message = v.column1
           AND (status > 1 OR status = 0 AND (leased_by = '' OR due_at <= v.column2))"
    );
    let mut recipients: HashMap<i64, Vec<_>> = HashMap::new();
    for (message, recipient) in tx.connection.query_many(sql, rows, overdue_recipient).await? {
        recipients.entry(message).or_default().push(recipient);
    }
    let messages = with_recipients(tx, times.keys().map(|id| (*id, Vec::new())).collect()).await?;
    let overdue = |message: DueMessage| {
        let (attend_at, delay_told) = times.remove(&message.id)?;
        let mut recipients = recipients.remove(&message.id).unwrap_or_default();
        recipients.sort_by_key(|overdue| overdue.recipient.id);
        Some(Overdue { message, recipients, attend_at, delay_told })
    };
    Ok(messages.into_iter().filter_map(overdue).collect())
}

fn overdue_recipient(row: Row<'_>) -> Result<(i64, OverdueRecipient)> {
    let (message, recipient) = due_recipient(row)?;
    let overdue = OverdueRecipient {
        recipient,
        end: End::from_status(row.int(7)?),
        hop: Hop { kind: row.text(8)?, name: row.text(9)? },
        remote: row.text(10)?,
        tried_at: row.int(11)?,
    };
    Ok((message, overdue))
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

/// Looks after messages again at `at` only.
pub async fn postpone(tx: &mut Tx, messages: &[i64], at: i64) -> Result<()> {
    let rows = messages.iter().map(|id| values![*id, at]).collect();
    let sql = "UPDATE queue_message SET attend_at = v.column2 FROM (VALUES {values}) AS v
         WHERE id = v.column1";
    tx.connection.execute_many(sql, rows).await.map(drop)
}

/// Those of the recipients (message, id) that wait and are not just being sent to, locked until the
/// commit.
pub async fn still_waiting(tx: &mut Tx, now: i64, recipients: &[(i64, i64)]) -> Result<HashSet<(i64, i64)>> {
    let rows = recipients.iter().map(|(message, id)| values![*message, *id, now]).collect();
    // The update is the lock, as in `still_leased`.
    let sql = "UPDATE queue_recipient SET leased_by = '' FROM (VALUES {values}) AS v
         WHERE message = v.column1 AND id = v.column2 AND status = 0
           AND (leased_by = '' OR due_at <= v.column3) RETURNING message, id";
    let free = tx.connection.query_many(sql, rows, |row| Ok((row.int(0)?, row.int(1)?))).await?;
    Ok(free.into_iter().collect())
}
