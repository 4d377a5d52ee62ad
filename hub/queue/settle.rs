//! What became of recipients that were claimed. Of whom the sender is to be told stays until that is done
//! (`overdue.rs`), so that who dies in between has neither removed a recipient without a word nor
//! reported twice.

use hub_storage::queue::{self, Attempt, End, Settled};

use super::{QueuedMessage, QueuedRecipient, retry};
use crate::{Hub, Result};

/// What became of a recipient. The text is the other side's answer or our own reason,
/// like `550 5.1.1 no such user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Deferred { status: String },
    Delivered { status: String },
    Failed { status: String },
}

#[derive(Clone, Debug)]
pub struct RecipientOutcome {
    pub recipient: i64,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    pub outcome: Outcome,
    /// The sender is to be told.
    pub is_told: bool,
}

/// An attempt at one message, as it is to be recorded.
pub struct Settlement {
    pub message: i64,
    pub expires_at: i64,
    pub outcomes: Vec<RecipientOutcome>,
    /// The host that was spoken to, and what protected the connection; empty if nothing.
    pub remote: String,
    pub tls: String,
}

impl QueuedMessage {
    /// What an outcome amounts to at `now`: what is still deferred when the message's time is over has
    /// failed.
    pub fn decide(&self, now: i64, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Deferred { status } if now >= self.expires_at => {
                Outcome::Failed { status: format!("5.4.7 could not be delivered in time, at last: {status}") }
            }
            other => other,
        }
    }

    /// Whether the sender has to know (RFC 3461 §5.2, RFC 5321 §6.1): failures unless NOTIFY forbids it,
    /// and the handing over to a host that does not report if NOTIFY=SUCCESS asks for it. Never in answer
    /// to `<>` (RFC 5321 §4.5.5); but what was passed on in vain comes back, whatever its reverse-path.
    pub fn tells(&self, recipient: &QueuedRecipient, outcome: &Outcome, host_reports: bool) -> bool {
        let (passed_on, has_sender) = (self.passed_on, self.reverse_path.is_some());
        match outcome {
            Outcome::Deferred { .. } => false,
            Outcome::Delivered { .. } => {
                recipient.notify.success && !host_reports && has_sender && !passed_on
            }
            Outcome::Failed { .. } => recipient.notify.failure && (has_sender || passed_on),
        }
    }
}

impl Hub {
    /// Records attempts; who is delivered to or has failed leaves the queue, and the message with the last
    /// of them, but for those of whom the sender is to be told. Each attempt is recorded as a whole or, if
    /// somebody else has its recipients by now, not at all. Durable when it returns; then it tells when
    /// and where each deferred recipient is due next: (message, Unix time).
    pub async fn settle(&self, now: i64, settlements: &[Settlement]) -> Result<Vec<(i64, i64)>> {
        let scale = self.0.settings.queue.clock_scale;
        let rows: Vec<_> = settlements.iter().map(|settlement| settlement.rows(now, scale)).collect();
        let lessee = self.0.storage.lessee().to_owned();
        let settle = self.0.storage.transact([], move |tx| {
            Box::pin(async move {
                let all: Vec<_> = rows.iter().flat_map(queue::Settlement::recipients).collect();
                let leased = queue::still_leased(tx, &lessee, &all).await?;
                let is_ours =
                    |row: &queue::Settlement| row.recipients().all(|recipient| leased.contains(&recipient));
                let (ours, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_ours);
                for row in others {
                    let queue_id = row.message;
                    tracing::warn!(queue_id, "an attempt was not recorded: its recipients are others' now");
                }
                queue::settle(tx, &ours, retry::gathered(now, scale)).await?;
                Ok(next_times(&ours))
            })
        });
        Ok(settle.await?)
    }
}

impl Settlement {
    fn rows(&self, now: i64, scale: f64) -> queue::Settlement {
        let row = |outcome: &RecipientOutcome| {
            let attempt = |answer: &str| Attempt {
                number: outcome.attempt,
                remote: self.remote.clone(),
                tls: self.tls.clone(),
                answer: answer.to_owned(),
            };
            match &outcome.outcome {
                Outcome::Deferred { status } => Settled::Deferred {
                    attempt: attempt(status),
                    next_at: retry::next_attempt(
                        now,
                        self.expires_at,
                        outcome.attempt,
                        scale,
                        self.message as u64,
                    ),
                },
                Outcome::Failed { status } if outcome.is_told => {
                    Settled::Ended { attempt: attempt(status), end: End::Failed }
                }
                Outcome::Delivered { status } if outcome.is_told => {
                    Settled::Ended { attempt: attempt(status), end: End::Relayed }
                }
                Outcome::Delivered { .. } | Outcome::Failed { .. } => Settled::Done,
            }
        };
        let outcomes = self.outcomes.iter().map(|outcome| (outcome.recipient, row(outcome)));
        queue::Settlement { message: self.message, outcomes: outcomes.collect() }
    }
}

fn next_times(rows: &[queue::Settlement]) -> Vec<(i64, i64)> {
    let of_message = |row: &queue::Settlement| {
        let times = row.outcomes.iter().filter_map(|(_, settled)| match settled {
            Settled::Deferred { next_at, .. } => Some(*next_at),
            Settled::Done | Settled::Ended { .. } => None,
        });
        times.min().map(|next_at| (row.message, next_at))
    };
    rows.iter().filter_map(of_message).collect()
}
