//! The queue for the owner of the hub: to look at, and to interfere.

use hub_storage::queue::{self, QueuedRow};
pub use hub_storage::queue::{Operated as QueueOperated, Operation as QueueOperation, QueueFilter};

use super::NextHop;
use crate::{Error, Hub, Result, locked};

/// Recipients that a list has at most.
const MOST_LISTED: usize = 100_000;

/// One recipient in the queue.
#[derive(Clone, Debug)]
pub struct QueueEntry {
    pub message: i64,
    pub recipient: i64,
    pub reverse_path: String,
    pub address: String,
    /// `None` for one that this version does not know.
    pub next_hop: Option<NextHop>,
    pub size: u64,
    pub attempts: u32,
    /// Unix seconds.
    pub created_at: i64,
    pub expires_at: i64,
    pub delay_told_at: Option<i64>,
    pub next_attempt_at: i64,
    pub state: QueueState,
    /// The last answer; empty before the first attempt.
    pub last_status: String,
    /// The last attempts, the latest first; empty in a list.
    pub attempts_log: Vec<queue::AttemptRow>,
}

/// Why a recipient is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// It is over, and its sender is to be told.
    Ended,
    /// An operator holds it.
    Held,
    /// It is due, but its next hop could not be reached and is left alone for a while.
    HopDown(Pause),
    /// Somebody is sending it, or is about to.
    Sending,
    /// Until its next attempt.
    Waits,
}

/// Why a next hop is left alone, and until when (Unix seconds).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub until: i64,
    pub why: String,
}

impl Hub {
    /// What fits the filter, oldest first.
    pub async fn queue(&self, filter: &QueueFilter) -> Result<Vec<QueueEntry>> {
        let rows = self.0.storage.queue(filter, MOST_LISTED).await?;
        Ok(rows.into_iter().map(|row| self.entry(row)).collect())
    }

    /// One message with its attempts. `NotFound`.
    pub async fn queued(&self, message: i64) -> Result<Vec<QueueEntry>> {
        let rows = self.0.storage.queued(message).await?;
        if rows.is_empty() {
            return Err(Error::NotFound("queued message"));
        }
        Ok(rows.into_iter().map(|row| self.entry(row)).collect())
    }

    /// Does it to all recipients that fit the filter; those that are being sent to are left alone.
    pub async fn operate_queue(
        &self,
        operation: QueueOperation,
        filter: QueueFilter,
    ) -> Result<QueueOperated> {
        let operate = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { queue::operate(tx, operation, &filter).await }));
        Ok(operate.await?)
    }

    /// Whoever sends to a next hop says when it leaves it alone, and when it is back (`None`).
    pub fn note_pause(&self, hop: &NextHop, pause: Option<Pause>) {
        let mut pauses = locked(&self.0.pauses);
        match pause {
            Some(pause) => {
                let now = crate::unix_now();
                pauses.retain(|_, pause| pause.until > now);
                pauses.insert(hop.clone(), pause);
            }
            None => drop(pauses.remove(hop)),
        }
    }

    fn entry(&self, row: QueuedRow) -> QueueEntry {
        let next_hop = NextHop::from_stored(&row.hop);
        let now = crate::unix_now();
        let pause = next_hop.as_ref().and_then(|hop| locked(&self.0.pauses).get(hop).cloned());
        let state = match pause {
            _ if row.ended => QueueState::Ended,
            _ if row.held => QueueState::Held,
            _ if row.leased => QueueState::Sending,
            Some(pause) if row.due_at <= now && pause.until > now => QueueState::HopDown(pause),
            _ => QueueState::Waits,
        };
        QueueEntry {
            message: row.message,
            recipient: row.recipient,
            reverse_path: row.reverse_path,
            address: row.address,
            next_hop,
            size: row.size,
            attempts: row.attempts,
            created_at: row.created_at,
            expires_at: row.expires_at,
            delay_told_at: (row.delay_told_at > 0).then_some(row.delay_told_at),
            next_attempt_at: row.due_at,
            state,
            last_status: row.last_status,
            attempts_log: row.log,
        }
    }
}
