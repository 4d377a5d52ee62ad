//! Tells senders of what has failed, of delays, and of the end of what was never delivered: one report for
//! all that is to be told of a message at a time.

use std::sync::Arc;
use std::time::Duration;

use hub::{Attended, Delivery, End, Overdue, QueuedRecipient, Telling, Why};
use tracing::{error, info, warn};

use super::{Sender, scaled};
use crate::dsn::{self, Action, Report, ReportedRecipient};
use crate::status::causes;
use crate::work::unix_now;

/// How often it is looked for, whether or not something has failed.
const PAUSE: Duration = Duration::from_secs(60);

pub(super) async fn look_after(sender: Arc<Sender>) {
    loop {
        match sender.look_after_some(unix_now()).await {
            // There may be more.
            Ok(true) => {}
            Ok(false) => {
                let pause = scaled(PAUSE, sender.settings.clock_scale);
                let _ = tokio::time::timeout(pause, sender.ended.notified()).await;
            }
            Err(error) => {
                error!(error = causes(&error), "senders could not be told of anything this time");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Sender {
    /// Looks after what is overdue at `now`; true if there may be more.
    pub(super) async fn look_after_some(&self, now: i64) -> hub::Result<bool> {
        let found = self.hub.overdue(now).await?;
        if found.is_empty() {
            return Ok(false);
        }
        let mut attended = Vec::with_capacity(found.len());
        for overdue in found {
            let telling = match self.compose(&overdue).await {
                Ok(Some(report)) => Telling::Report(Box::new(report)),
                Ok(None) => Telling::Nothing,
                Err(error) => {
                    let queue_id = overdue.message.id;
                    error!(queue_id, error = causes(&error), "a report could not be written yet");
                    Telling::Later
                }
            };
            log(&overdue, matches!(telling, Telling::Report(_)));
            attended.push(Attended { overdue, telling });
        }
        self.hub.attend(now, attended).await?;
        Ok(true)
    }

    /// A report for the sender of a message; `None` if there is nothing to report, or nobody to report
    /// it to. What was passed on in vain comes back to who passed it on, whatever its reverse-path: that
    /// is no answer, and it would be lost.
    pub(super) async fn compose(&self, overdue: &Overdue) -> hub::Result<Option<Delivery>> {
        let message = &overdue.message;
        let texts = texts(overdue);
        let recipients = reported(overdue, &texts);
        if recipients.is_empty() {
            return Ok(None);
        }
        let failed = recipients.iter().any(|recipient| recipient.action == Action::Failed);
        let receiver = match &message.reverse_path {
            _ if message.passed_on && failed => self.hub.passed_on_by(message).await?,
            _ if message.passed_on => return Ok(None),
            None => return Ok(None),
            Some(reverse_path) => dsn::receiver(&self.hub, reverse_path).await?,
        };
        let Some(receiver) = receiver else {
            warn!(queue_id = message.id, "the sender is gone and is not told");
            return Ok(None);
        };
        let at = unix_now();
        // No two reports begin with the same one at the same time.
        let over = overdue.ended.iter().map(|ended| &ended.recipient);
        let first = over.chain(&message.recipients).next().map_or(0, |recipient| recipient.id);
        let report = Report {
            host_name: &self.settings.host_name,
            sender: &receiver.address,
            envelope_id: message.envelope_id.as_deref(),
            id: &format!("q{}-{first}-{at}", message.id),
            arrived_at: message.created_at,
            at,
            retry_until: Some(message.expires_at),
            recipients,
        };
        let delivery = match dsn::delivery(&self.hub, &report, receiver.clone(), Some(message)).await {
            Ok(delivery) => delivery,
            Err(error) => {
                // What cannot be read cannot be returned, but must be reported all the more.
                error!(queue_id = message.id, error = causes(&error), "a report goes without its message");
                dsn::delivery(&self.hub, &report, receiver.clone(), None).await?
            }
        };
        Ok(Some(delivery))
    }
}

/// What is said of each recipient that waits.
fn texts(overdue: &Overdue) -> Vec<String> {
    let text = |last: &str| match overdue.why {
        Some(Why::End) => format!("5.4.7 could not be delivered in time, at last: {last}"),
        Some(Why::Delay) | None => last.to_owned(),
    };
    overdue.message.recipients.iter().map(|recipient| text(&recipient.last_status)).collect()
}

fn reported<'o>(overdue: &'o Overdue, texts: &'o [String]) -> Vec<ReportedRecipient<'o>> {
    let over = overdue.ended.iter().map(|ended| ReportedRecipient {
        address: &ended.recipient.address,
        original: ended.recipient.original.as_deref(),
        action: match ended.end {
            End::Failed => Action::Failed,
            End::Relayed => Action::Relayed,
        },
        status: &ended.recipient.last_status,
        remote: ended.remote.as_deref(),
        at: ended.at,
    });
    let waiting = overdue.message.recipients.iter().zip(texts).filter_map(|(recipient, status)| {
        let action = match overdue.why? {
            Why::Delay if recipient.notify.delay => Action::Delayed,
            Why::End if recipient.notify.failure => Action::Failed,
            Why::Delay | Why::End => return None,
        };
        let QueuedRecipient { address, original, .. } = recipient;
        let original = original.as_deref();
        Some(ReportedRecipient { address, original, action, status, remote: None, at: unix_now() })
    });
    over.chain(waiting).collect()
}

fn log(overdue: &Overdue, told: bool) {
    let queue_id = overdue.message.id;
    for ended in &overdue.ended {
        info!(queue_id, to = %ended.recipient.address, end = ?ended.end, told, "queued message is over");
    }
    for recipient in overdue.message.recipients.iter().filter(|_| overdue.why.is_some()) {
        info!(queue_id, to = %recipient.address, why = ?overdue.why, told, "queued message is late");
    }
}
