//! What is due, and who has it: claims, leases and next hops.

use std::collections::BTreeMap;

use super::{DueMessage, due_columns, due_recipient, with_recipients};
use crate::db::values;
use crate::tx::Tx;
use crate::{AccountId, Result, Storage, node};

/// What one sender has for one next hop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The name of the hop; its kind is the asker's.
    pub hop: String,
    pub account: AccountId,
}

impl Storage {
    /// Every flow of a kind of hop, with the time at which its next recipient may be claimed. It reads
    /// one index entry per flow, not per recipient: MIN of the next larger name is one probe.
    pub async fn queue_timetable(&self, kind: &str, limit: usize) -> Result<Vec<(Flow, i64)>> {
        let sql = "WITH RECURSIVE hop (name) AS (
              SELECT MIN(hop_name) FROM queue_recipient WHERE hop_kind = $1 AND status = 0
              UNION ALL
              SELECT (SELECT MIN(hop_name) FROM queue_recipient
                      WHERE hop_kind = $1 AND status = 0 AND hop_name > hop.name)
              FROM hop WHERE hop.name IS NOT NULL
            ), flow (name, sender) AS (
              SELECT hop.name, (SELECT MIN(account) FROM queue_recipient
                      WHERE hop_kind = $1 AND status = 0 AND hop_name = hop.name)
              FROM hop WHERE hop.name IS NOT NULL
              UNION ALL
              SELECT flow.name, (SELECT MIN(account) FROM queue_recipient
                      WHERE hop_kind = $1 AND status = 0 AND hop_name = flow.name AND account > flow.sender)
              FROM flow WHERE flow.sender IS NOT NULL
            )
            SELECT flow.name, flow.sender, (SELECT MIN(due_at) FROM queue_recipient
                      WHERE hop_kind = $1 AND status = 0 AND hop_name = flow.name AND account = flow.sender)
            FROM flow WHERE flow.sender IS NOT NULL LIMIT $2";
        let flow = |row: crate::db::Row<'_>| {
            Ok((Flow { hop: row.text(0)?, account: AccountId(row.int(1)?) }, row.int(2)?))
        };
        self.reader().await?.query(sql, values![kind, limit as i64], flow).await
    }
}

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "WITH due (m, n) AS MATERIALIZED (
               SELECT message, id FROM queue_recipient
               WHERE hop_kind = $1 AND status = 0 AND hop_name = $2 AND account = $3 AND due_at <= $4
               ORDER BY due_at, message, id LIMIT $5 ",
            $lock,
            ")
             UPDATE queue_recipient SET due_at = $6, leased_by = $7 FROM due WHERE message = m AND id = n
             RETURNING ",
            due_columns!()
        )
    };
}

/// Claims up to `limit` recipients of a flow that are due at `now`, under a lease until `until`.
/// Nobody else gets one of them: on SQLite there is one writer, on PostgreSQL rows that another
/// node is just claiming are passed over.
pub async fn claim(
    tx: &mut Tx,
    kind: &str,
    flow: &Flow,
    limit: usize,
    (now, until): (i64, i64),
    lessee: &str,
) -> Result<Vec<DueMessage>> {
    let sql = if tx.connection.is_sqlite() { claim!("") } else { claim!("FOR UPDATE SKIP LOCKED") };
    let values = values![kind, flow.hop.as_str(), flow.account, now, limit as i64, until, lessee];
    let claimed = tx.connection.query(sql, values, due_recipient).await?;
    let mut recipients: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for (message, recipient) in claimed {
        recipients.entry(message).or_default().push(recipient);
    }
    with_recipients(tx, recipients).await
}

/// Moves the end of a lessee's leases of these recipients (message, id) to `until`.
pub async fn lease(tx: &mut Tx, recipients: &[(i64, i64)], until: i64, lessee: &str) -> Result<()> {
    let rows = recipients.iter().map(|(message, id)| values![*message, *id, until, lessee]).collect();
    let sql = "UPDATE queue_recipient SET due_at = v.column3 FROM (VALUES {values}) AS v
         WHERE message = v.column1 AND id = v.column2 AND leased_by = v.column4";
    tx.connection.execute_many(sql, rows).await.map(drop)
}

/// Gives a lessee's recipients (message, id) back untouched, to be claimed from `due_at` on. A renewal that
/// was under way meanwhile does not take them again.
pub async fn give_back(tx: &mut Tx, recipients: &[(i64, i64)], due_at: i64, lessee: &str) -> Result<()> {
    let rows = recipients.iter().map(|(message, id)| values![*message, *id, due_at, lessee]).collect();
    let sql = "UPDATE queue_recipient SET due_at = v.column3, leased_by = '' FROM (VALUES {values}) AS v
         WHERE message = v.column1 AND id = v.column2 AND leased_by = v.column4";
    tx.connection.execute_many(sql, rows).await.map(drop)
}

/// Ends all leases of the runs of this node that are over. At the start of a run, and from time to time
/// after it: PostgreSQL may still have been working on the last commit of a process that was killed.
/// Returns how many there were.
pub async fn release_leases(tx: &mut Tx, lessee: &str) -> Result<u64> {
    let now = tx.now;
    let (first, last) = node::every_run(lessee);
    let sql = "UPDATE queue_recipient SET due_at = $4, leased_by = ''
         WHERE leased_by <> '' AND leased_by >= $1 AND leased_by <= $2 AND leased_by <> $3";
    tx.connection.execute(sql, values![first, last, lessee, now]).await
}

/// Sends everything by the relay host from now on, or nothing any more: messages that were queued
/// under the configuration before must follow it.
pub async fn reroute(tx: &mut Tx, relay: bool) -> Result<()> {
    // What the sender demands stands behind the kind, and stays.
    let sql = if relay {
        "UPDATE queue_recipient SET hop_kind = 'relay' || substr(hop_kind, 3), hop_name = ''
         WHERE hop_kind >= 'mx' AND hop_kind < 'my'"
    } else {
        "UPDATE queue_recipient SET hop_kind = 'mx' || substr(hop_kind, 6), hop_name = domain
         WHERE hop_kind >= 'relay' AND hop_kind < 'relaz'"
    };
    tx.connection.execute(sql, values![]).await.map(drop)
}
