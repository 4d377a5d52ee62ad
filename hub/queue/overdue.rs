//! What has waited so long that its sender is to be told, whether or not it was tried of late: its
//! next hop may be down.

use std::collections::HashSet;

use hub_storage::queue::{self, Settled};

use super::{NextHop, QueuedMessage, TlsDemand, retry};
use crate::{Delivery, Hub, Result};

/// Messages looked after in one commit.
const SLICE: usize = 50;

/// A message whose sender is to be told, with those recipients that wait.
pub struct Overdue {
    pub message: QueuedMessage,
    pub why: Why,
    attend_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is late (RFC 3461 §5.3: NOTIFY=DELAY, or none).
    Delay,
    /// Its time is over: the recipients have failed.
    End,
}

/// An overdue message that was looked after, and what its sender is told, if anything.
pub struct Attended {
    pub overdue: Overdue,
    pub report: Option<Delivery>,
}

impl Hub {
    /// Messages to look after at `now`. There may be more when these were.
    pub async fn overdue(&self, now: i64) -> Result<Vec<Overdue>> {
        let found = self.0.storage.transact([], move |tx| Box::pin(queue::overdue(tx, now, SLICE))).await?;
        let overdue = |row: queue::Overdue| {
            let why = if now >= row.message.expires_at { Why::End } else { Why::Delay };
            // Recipients of one message may have several next hops; nothing is sent here.
            let message = QueuedMessage::from_row(row.message, &NextHop::Relay(TlsDemand::ByPolicy))?;
            Some(Overdue { message, why, attend_at: row.attend_at })
        };
        Ok(found.into_iter().filter_map(overdue).collect())
    }

    /// Records that messages were looked after, each with its report in the same commit: at the end of
    /// their time the recipients leave the queue. What another node has looked after, or is sending
    /// just now, is left alone.
    pub async fn attend(&self, now: i64, attended: Vec<Attended>) -> Result<()> {
        let scale = self.0.settings.queue.clock_scale;
        let times: Vec<_> = attended.iter().map(|attended| attended.next(now, scale)).collect();
        let mut work = Vec::with_capacity(attended.len());
        for Attended { overdue: Overdue { message, why, .. }, report } in attended {
            let report = self.decide_report(report.as_ref()).await?;
            work.push((message.id, why, message.claimed().collect::<Vec<_>>(), report));
        }
        let accounts: Vec<_> = work.iter().flat_map(|(.., report)| report.accounts()).collect();
        let attend = self.0.storage.transact(accounts, move |tx| {
            Box::pin(async move {
                let ours = queue::attend(tx, &times).await?;
                let ending = work.iter().filter(|(_, why, ..)| *why == Why::End);
                let ending: Vec<_> = ending.flat_map(|(.., recipients, _)| recipients.clone()).collect();
                let free: HashSet<_> = queue::still_waiting(tx, now, &ending).await?;
                let mut gone = Vec::new();
                for (id, why, recipients, report) in work {
                    let is_free = why == Why::Delay || recipients.iter().all(|r| free.contains(r));
                    if !ours.contains(&id) || !is_free {
                        continue;
                    }
                    match report.perform(tx).await {
                        // Who has no room is told less.
                        Ok(_)
                        | Err(hub_storage::Error::OverQuota { .. } | hub_storage::Error::NotFound(_)) => {}
                        Err(error) => return Err(error),
                    }
                    if why == Why::End && !recipients.is_empty() {
                        let outcomes = recipients.iter().map(|(_, id)| (*id, Settled::Done)).collect();
                        gone.push(queue::Settlement { message: id, outcomes });
                    }
                }
                queue::settle(tx, &gone).await
            })
        });
        Ok(attend.await?)
    }
}

impl Attended {
    /// For the storage: when to look after it again, and whether the sender was told of the delay.
    fn next(&self, now: i64, scale: f64) -> (i64, i64, i64, bool) {
        let Overdue { message, why, attend_at } = &self.overdue;
        let told = *why == Why::Delay && self.report.is_some();
        let nothing_waits = message.recipients.is_empty();
        let next = match why {
            // All of it is being sent, or held by an operator.
            Why::Delay | Why::End if nothing_waits => retry::soon(now, scale),
            Why::Delay => retry::end(message.expires_at, scale),
            Why::End => retry::soon(now, scale),
        };
        (message.id, *attend_at, next, told)
    }
}
