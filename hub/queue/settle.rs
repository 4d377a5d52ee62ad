//! What became of recipients that were claimed, and the report about it, in one commit: who dies in
//! between has neither removed a recipient without a word nor reported twice.

use hub_storage::queue::{self, Attempt, Settled};

use super::{QueuedMessage, retry};
use crate::decide::Decided;
use crate::{Delivery, Error, Hub, Result};

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
}

/// An attempt at one message, as it is to be recorded.
pub struct Settlement {
    pub message: i64,
    pub expires_at: i64,
    pub outcomes: Vec<RecipientOutcome>,
    /// The host that was spoken to, and what protected the connection; empty if nothing.
    pub remote: String,
    pub tls: String,
    /// What the sender is told.
    pub report: Option<Delivery>,
}

/// The rows of a settlement.
struct Prepared {
    message: i64,
    recipients: Vec<(i64, i64)>,
    report: Decided,
    settled: queue::Settlement,
    /// Instead, if the report finds no room: failures are kept and tried again.
    unreported: queue::Settlement,
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
}

impl Hub {
    /// Records attempts; delivered and failed recipients leave the queue, and the message with the last
    /// of them. Each attempt with its report is recorded as a whole or, if somebody else has its
    /// recipients by now, not at all. Durable when it returns; then it tells when and where each
    /// deferred recipient is due next: (message, Unix time).
    pub async fn settle(&self, now: i64, settlements: &[Settlement]) -> Result<Vec<(i64, i64)>> {
        let mut prepared = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            let report = self.decide_report(settlement.report.as_ref()).await?;
            prepared.push(self.prepare(now, settlement, report));
        }
        let accounts: Vec<_> = prepared.iter().flat_map(|prepared| prepared.report.accounts()).collect();
        let lessee = self.0.storage.lessee().to_owned();
        let settle = self.0.storage.transact(accounts, move |tx| {
            Box::pin(async move {
                let all: Vec<_> = prepared.iter().flat_map(|p| p.recipients.iter().copied()).collect();
                let leased = queue::still_leased(tx, &lessee, &all).await?;
                let mut rows = Vec::with_capacity(prepared.len());
                for prepared in prepared {
                    if !prepared.recipients.iter().all(|recipient| leased.contains(recipient)) {
                        let queue_id = prepared.message;
                        tracing::warn!(
                            queue_id,
                            "an attempt was not recorded: its recipients are others' now"
                        );
                        continue;
                    }
                    rows.push(match prepared.report.perform(tx).await {
                        Ok(_) => prepared.settled,
                        Err(hub_storage::Error::OverQuota { .. }) => prepared.unreported,
                        // Nobody is left to be told.
                        Err(hub_storage::Error::NotFound(_)) => prepared.settled,
                        Err(error) => return Err(error),
                    });
                }
                queue::settle(tx, &rows).await?;
                Ok(next_times(&rows))
            })
        });
        Ok(settle.await?)
    }

    /// What the receiver of a report does with it; nothing, if they want none.
    pub(super) async fn decide_report(&self, report: Option<&Delivery>) -> Result<Decided> {
        match report {
            None => Ok(Decided::default()),
            Some(report) => match self.decide(report).await {
                Err(Error::Refused(_)) => Ok(Decided::default()),
                decided => decided,
            },
        }
    }

    fn prepare(&self, now: i64, settlement: &Settlement, report: Decided) -> Prepared {
        let Settlement { message, expires_at, outcomes, remote, tls, .. } = settlement;
        let (message, expires_at) = (*message, *expires_at);
        let scale = self.0.settings.queue.clock_scale;
        let deferred = |number: u32, answer: &str, next_at: i64| {
            let (remote, tls, answer) = (remote.clone(), tls.clone(), answer.to_owned());
            Settled::Deferred(Attempt { number, remote, tls, answer, next_at })
        };
        let seed = message as u64;
        let row = |outcome: &RecipientOutcome| match &outcome.outcome {
            Outcome::Deferred { status } => {
                let next = retry::next_attempt(now, expires_at, outcome.attempt, scale, seed);
                deferred(outcome.attempt, status, next)
            }
            Outcome::Delivered { .. } | Outcome::Failed { .. } => Settled::Done,
        };
        let kept = |outcome: &RecipientOutcome| match &outcome.outcome {
            Outcome::Failed { status } if now < expires_at => {
                let status = format!("{status} (the sender's mailbox has no room for the report)");
                deferred(outcome.attempt, &status, retry::later(now, scale))
            }
            _ => row(outcome),
        };
        let settlement = |row: &dyn Fn(&RecipientOutcome) -> Settled| queue::Settlement {
            message,
            outcomes: outcomes.iter().map(|outcome| (outcome.recipient, row(outcome))).collect(),
        };
        Prepared {
            message,
            recipients: outcomes.iter().map(|outcome| (message, outcome.recipient)).collect(),
            report,
            settled: settlement(&row),
            unreported: settlement(&kept),
        }
    }
}

fn next_times(rows: &[queue::Settlement]) -> Vec<(i64, i64)> {
    let of_message = |row: &queue::Settlement| {
        let times = row.outcomes.iter().filter_map(|(_, settled)| match settled {
            Settled::Deferred(attempt) => Some(attempt.next_at),
            Settled::Done => None,
        });
        times.min().map(|next_at| (row.message, next_at))
    };
    rows.iter().filter_map(of_message).collect()
}
