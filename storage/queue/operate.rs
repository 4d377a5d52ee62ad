//! What an operator does to the queue.

use std::collections::BTreeSet;

use super::look::{self, QueueFilter, QueuedRow};
use super::{HELD, Hop, WAITS, settle};
use crate::changes::Change;
use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Out of the queue, without a word to anybody.
    Delete,
    /// Not to be tried until it is released.
    Hold,
    /// Ends a hold; due at once.
    Release,
    /// Due at once.
    Retry,
}

/// Numbers of recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operated {
    pub done: usize,
    /// Left alone, because they are just being sent to.
    pub busy: usize,
}

/// Does it to all recipients that the filter names and that it makes sense for.
pub async fn operate(tx: &mut Tx, operation: Operation, filter: &QueueFilter) -> Result<Operated> {
    let now = tx.now;
    let rows = look::rows(&mut tx.connection, filter, now, usize::MAX).await?;
    let (busy, free): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.leased);
    let concerns = |row: &QueuedRow| match operation {
        Operation::Delete => true,
        Operation::Hold | Operation::Retry => !row.held && !row.ended,
        Operation::Release => row.held,
    };
    let status = if operation == Operation::Hold { HELD } else { WAITS };
    let deletes = operation == Operation::Delete;
    let recipients = free.iter().filter(|row| concerns(row));
    let recipients =
        recipients.map(|row| values![row.message, row.recipient, now, status, deletes]).collect::<Vec<_>>();
    // Another node may have claimed or ended some since they were read.
    let sql = "UPDATE queue_recipient SET status = v.column4, due_at = v.column3, leased_by = ''
         FROM (VALUES {values}) AS v
         WHERE message = v.column1 AND id = v.column2 AND (leased_by = '' OR due_at <= v.column3)
           AND (status <= 1 OR v.column5 = 1)
         RETURNING message, id, hop_kind, hop_name, account";
    let changed = tx
        .connection
        .query_many(sql, recipients, |row| {
            let hop = Hop { kind: row.text(2)?, name: row.text(3)? };
            Ok(((row.int(0)?, row.int(1)?), (hop, AccountId(row.int(4)?))))
        })
        .await?;
    let (recipients, flows): (Vec<_>, BTreeSet<_>) = changed.into_iter().unzip();
    match operation {
        Operation::Delete => drop(settle::remove(tx, &recipients).await?),
        Operation::Hold => {}
        Operation::Release | Operation::Retry => {
            for (hop, account) in flows {
                tx.changed(Change::Queue { hop, account, again: true });
            }
        }
    }
    Ok(Operated { done: recipients.len(), busy: busy.len() })
}
