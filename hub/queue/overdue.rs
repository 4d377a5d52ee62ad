//! What senders are to be told: of recipients that have failed, all that did within a short time in one
//! report, and of those that have waited so long, whether or not they were tried of late: their next
//! hop may be down. A report and the end of the recipients that it is about are one commit.

use std::collections::HashSet;

use hub_storage::queue::{self, Settled};

use super::{NextHop, QueuedMessage, QueuedRecipient, TlsDemand, retry};
use crate::decide::Decided;
use crate::{Delivery, Error, Hub, Result};

pub use hub_storage::queue::End;

/// Messages looked after in one commit.
const SLICE: usize = 50;

/// A message whose sender is to be told, with those recipients that wait.
pub struct Overdue {
    pub message: QueuedMessage,
    /// Recipients that are over.
    pub ended: Vec<Ended>,
    /// What is to be told of those that wait, if anything.
    pub why: Option<Why>,
    attend_at: i64,
    delay_told: bool,
}

/// A recipient that is over.
pub struct Ended {
    pub recipient: QueuedRecipient,
    pub end: End,
    /// The host that has said so, if it was one.
    pub remote: Option<String>,
    /// Unix seconds.
    pub at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is late (RFC 3461 §5.3: NOTIFY=DELAY, or none).
    Delay,
    /// Its time is over: the recipients have failed.
    End,
}

/// A message that was looked after.
pub struct Attended {
    pub overdue: Overdue,
    pub telling: Telling,
}

/// What its sender is told.
pub enum Telling {
    /// The report could not be made; again after a while.
    Later,
    Nothing,
    Report(Box<Delivery>),
}

/// What is to be recorded of a message that was looked after.
struct Work {
    message: i64,
    /// Until when a report that finds no room is tried again.
    expires_at: i64,
    why: Option<Why>,
    waiting: Vec<(i64, i64)>,
    ended: Vec<(i64, i64)>,
    /// `None`: later.
    report: Option<Decided>,
}

impl Hub {
    /// Messages to look after at `now`. There may be more when these were.
    pub async fn overdue(&self, now: i64) -> Result<Vec<Overdue>> {
        let found = self.0.storage.transact([], move |tx| Box::pin(queue::overdue(tx, now, SLICE))).await?;
        let scale = self.0.settings.queue.clock_scale;
        let (overdue, damaged) = understood(found, now, scale);
        if !damaged.is_empty() {
            // They must not stand before the others for ever.
            let later = retry::later(now, scale);
            let postpone = self
                .0
                .storage
                .transact([], move |tx| Box::pin(async move { queue::postpone(tx, &damaged, later).await }));
            postpone.await?;
        }
        Ok(overdue)
    }

    /// Records that messages were looked after, each with its report in the same commit: who is over,
    /// and at the end of the message's time who waits, leaves the queue. What another node has looked
    /// after, or is sending just now, is left alone.
    pub async fn attend(&self, now: i64, attended: Vec<Attended>) -> Result<()> {
        let scale = self.0.settings.queue.clock_scale;
        let times: Vec<_> = attended.iter().map(|attended| attended.next(now, scale)).collect();
        let mut work = Vec::with_capacity(attended.len());
        for attended in attended {
            work.push(self.work(attended).await?);
        }
        let accounts: Vec<_> =
            work.iter().filter_map(|work| work.report.as_ref()).flat_map(Decided::accounts).collect();
        let attend = self.0.storage.transact(accounts, move |tx| {
            Box::pin(async move {
                let ours = queue::attend(tx, &times).await?;
                let ending = work.iter().filter(|work| work.why == Some(Why::End));
                let ending: Vec<_> = ending.flat_map(|work| work.waiting.iter().copied()).collect();
                let free: HashSet<_> = queue::still_waiting(tx, now, &ending).await?;
                let (mut gone, mut later) = (Vec::new(), Vec::new());
                for work in work {
                    let is_free = work.why != Some(Why::End) || work.waiting.iter().all(|r| free.contains(r));
                    let Some(report) =
                        work.report.as_ref().filter(|_| ours.contains(&work.message) && is_free)
                    else {
                        continue;
                    };
                    match report.perform(tx).await {
                        Err(hub_storage::Error::OverQuota { .. }) if now < work.expires_at => {
                            later.push(work.message);
                        }
                        // Who has no room to the end is told less; or nobody is left to be told.
                        Ok(_)
                        | Err(hub_storage::Error::OverQuota { .. } | hub_storage::Error::NotFound(_)) => {
                            gone.push(work.into_settlement());
                        }
                        Err(error) => return Err(error),
                    }
                }
                queue::settle(tx, &gone, retry::gathered(now, scale)).await?;
                queue::postpone(tx, &later, retry::later(now, scale)).await
            })
        });
        Ok(attend.await?)
    }

    async fn work(&self, Attended { overdue, telling }: Attended) -> Result<Work> {
        let Overdue { message, ended, why, .. } = overdue;
        let report = match telling {
            Telling::Later => None,
            Telling::Nothing => Some(Decided::default()),
            Telling::Report(report) => match self.decide(&report).await {
                Ok(decided) => Some(decided),
                // Who wants no reports has none.
                Err(Error::Refused(_)) => Some(Decided::default()),
                Err(error @ Error::Unavailable(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(queue_id = message.id, %error, "a report cannot be delivered yet");
                    None
                }
            },
        };
        Ok(Work {
            message: message.id,
            expires_at: message.expires_at,
            why,
            waiting: message.claimed().collect(),
            ended: ended.iter().map(|ended| (message.id, ended.recipient.id)).collect(),
            report,
        })
    }
}

/// What can be understood, and the ids of what cannot.
fn understood(rows: Vec<queue::Overdue>, now: i64, scale: f64) -> (Vec<Overdue>, Vec<i64>) {
    let (mut overdue, mut damaged) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let id = row.message.id;
        match Overdue::from_row(row, now, scale) {
            Some(one) => overdue.push(one),
            None => damaged.push(id),
        }
    }
    (overdue, damaged)
}

impl Overdue {
    /// `None` for one that cannot be understood.
    fn from_row(row: queue::Overdue, now: i64, scale: f64) -> Option<Self> {
        let queue::Overdue { mut message, recipients, attend_at, delay_told } = row;
        // They may have several next hops, but one demand on the way there.
        let hop = recipients.first().and_then(|first| NextHop::from_stored(&first.hop));
        let hop = hop.unwrap_or(NextHop::Relay(TlsDemand::ByPolicy));
        let (mut ends, mut waiting) = (Vec::new(), Vec::new());
        for recipient in recipients {
            match recipient.end {
                Some(end) => {
                    message.recipients.push(recipient.recipient);
                    let remote = Some(recipient.remote).filter(|remote| !remote.is_empty());
                    ends.push((end, remote, recipient.tried_at));
                }
                None => waiting.push(recipient.recipient),
            }
        }
        message.recipients.append(&mut waiting);
        let mut message = QueuedMessage::from_row(message, &hop)?;
        let over = message.recipients.drain(..ends.len()).zip(ends);
        let ended = over.map(|(recipient, (end, remote, at))| Ended { recipient, end, remote, at }).collect();
        let is_late = !delay_told && now >= retry::late_at(message.created_at, scale);
        let why = match now >= message.expires_at {
            true => Some(Why::End),
            false => is_late.then_some(Why::Delay),
        };
        Some(Self { message, ended, why, attend_at, delay_told })
    }
}

impl Attended {
    /// For the storage: when to look after it again, and whether the sender was told of the delay.
    fn next(&self, now: i64, scale: f64) -> (i64, i64, i64, bool) {
        let Overdue { message, why, attend_at, delay_told, .. } = &self.overdue;
        let late_at = retry::late_at(message.created_at, scale);
        let nothing_waits = message.recipients.is_empty();
        let (mut told, mut next) = (false, retry::end(message.expires_at, scale));
        match (&self.telling, why) {
            (Telling::Later, _) => next = retry::later(now, scale),
            // All of it is being sent, or held by an operator.
            (_, Some(Why::Delay)) if nothing_waits => next = retry::soon(now, scale),
            (telling, Some(Why::Delay)) => told = matches!(telling, Telling::Report(_)),
            (_, Some(Why::End)) => next = retry::soon(now, scale),
            (_, None) if !delay_told && now < late_at => next = late_at,
            (_, None) => {}
        }
        (message.id, *attend_at, next, told)
    }
}

impl Work {
    fn into_settlement(self) -> queue::Settlement {
        let over = if self.why == Some(Why::End) { self.waiting } else { Vec::new() };
        let outcomes = self.ended.into_iter().chain(over).map(|(_, id)| (id, Settled::Done));
        queue::Settlement { message: self.message, outcomes: outcomes.collect() }
    }
}

#[cfg(test)]
mod tests {
    use hub_storage::queue::DueMessage;
    use hub_storage::{AccountId, BlobId};

    use super::*;

    fn row(id: i64, reverse_path: &str) -> queue::Overdue {
        let message = DueMessage {
            id,
            account: AccountId(1),
            reverse_path: reverse_path.to_owned(),
            ret: String::new(),
            envelope_id: String::new(),
            smtputf8: false,
            eight_bit: false,
            passed_on: false,
            created_at: 0,
            expires_at: 100,
            blob: BlobId([0; 32]),
            size: 1,
            prefix: bytes::Bytes::new(),
            recipients: Vec::new(),
        };
        queue::Overdue { message, recipients: Vec::new(), attend_at: 50, delay_told: false }
    }

    #[test]
    fn damaged_rows_hold_up_nobody() {
        let rows = vec![row(1, "not an address"), row(2, "alice@example.org"), row(3, "")];
        let (overdue, damaged) = understood(rows, 60, 1.0);
        assert_eq!(damaged, [1]);
        assert_eq!(overdue.iter().map(|one| one.message.id).collect::<Vec<_>>(), [2, 3]);
    }
}
