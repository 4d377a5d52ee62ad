//! From verdicts to what is recorded and reported.

use hub::{Delivery, Outcome, QueuedMessage, QueuedRecipient, RecipientOutcome, Settlement};
use tracing::{error, info, warn};

use super::Sender;
use super::next_hop::{Server, Verdict};
use crate::dsn::{self, Action, Report, ReportedRecipient};
use crate::status::causes;
use crate::work::unix_now;

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Deferred(status) => Self::Deferred { status },
            Verdict::Delivered(status) => Self::Delivered { status },
            Verdict::Failed(status) => Self::Failed { status },
        }
    }
}

impl Sender {
    /// Records an attempt, together with what the sender is told of it. Returns when that is on disk, so
    /// that a crash doubles one message of a connection at most.
    pub(super) async fn record(
        &self,
        message: &QueuedMessage,
        verdicts: Vec<Verdict>,
        server: Option<&Server>,
    ) {
        let now = unix_now();
        let mut outcomes: Vec<_> =
            verdicts.into_iter().map(|verdict| message.decide(now, verdict.into())).collect();
        log(message, &outcomes, server);
        let report = match self.report(message, &outcomes, server).await {
            Ok(report) => report,
            Err(error) => {
                error!(queue_id = message.id, error = causes(&error), "the report could not be written");
                outcomes.iter_mut().for_each(keep);
                None
            }
        };
        let outcomes = message.recipients.iter().zip(outcomes).map(|(recipient, outcome)| RecipientOutcome {
            recipient: recipient.id,
            attempt: recipient.attempts + 1,
            outcome,
        });
        let settlement = Settlement {
            message: message.id,
            expires_at: message.expires_at,
            outcomes: outcomes.collect(),
            remote: server.map(|server| server.host.clone()).unwrap_or_default(),
            tls: server.map(|server| server.tls.clone()).unwrap_or_default(),
            report,
        };
        let next_at = self.settler.settle(settlement).await;
        let claimed: Vec<_> = message.claimed().collect();
        self.let_go(&claimed, next_at.unwrap_or_else(unix_now)).await;
        if let Some(next_at) = next_at {
            let mut schedule = self.schedule();
            self.know(&mut schedule, message.next_hop.clone(), message.account, next_at);
        }
    }

    /// What the sender has to know (RFC 3461 §5.2, RFC 5321 §6.1): failures unless NOTIFY forbids it,
    /// and the handing over to a host that does not report if NOTIFY=SUCCESS asks for it.
    async fn report(
        &self,
        message: &QueuedMessage,
        outcomes: &[Outcome],
        server: Option<&Server>,
    ) -> hub::Result<Option<Delivery>> {
        let is_reporting = server.is_some_and(|server| server.reports);
        let reported = |(recipient, outcome): (&QueuedRecipient, &Outcome)| match outcome {
            Outcome::Failed { status } if recipient.notify.failure => {
                Some((recipient.clone(), Action::Failed, status.clone()))
            }
            Outcome::Delivered { status } if recipient.notify.success && !is_reporting => {
                Some((recipient.clone(), Action::Relayed, status.clone()))
            }
            _ => None,
        };
        let recipients = message.recipients.iter().zip(outcomes).filter_map(reported).collect();
        self.compose(message, recipients, server).await
    }

    /// A report for the sender of a message; `None` if there is nothing to report, or nobody to report
    /// it to (RFC 5321 §4.5.5: never in answer to `<>`). What was passed on in vain comes back to who
    /// passed it on, whatever its reverse-path: that is no answer, and it would be lost.
    pub(super) async fn compose(
        &self,
        message: &QueuedMessage,
        recipients: Vec<(QueuedRecipient, Action, String)>,
        server: Option<&Server>,
    ) -> hub::Result<Option<Delivery>> {
        let Some((first, ..)) = recipients.first() else { return Ok(None) };
        let failed = recipients.iter().any(|(_, action, _)| *action == Action::Failed);
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
        let report = Report {
            host_name: &self.settings.host_name,
            sender: &receiver.address,
            envelope_id: message.envelope_id.as_deref(),
            id: &format!("q{}-{}-{}", message.id, first.id, first.attempts),
            arrived_at: message.created_at,
            at: unix_now(),
            retry_until: Some(message.expires_at),
            remote: server.map(|server| server.host.as_str()),
            recipients: recipients
                .iter()
                .map(|(recipient, action, status)| ReportedRecipient {
                    address: &recipient.address,
                    original: recipient.original.as_deref(),
                    action: *action,
                    status,
                })
                .collect(),
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

/// What failed is tried again rather than removed without a word.
fn keep(outcome: &mut Outcome) {
    if let Outcome::Failed { status } = outcome {
        *outcome = Outcome::Deferred { status: std::mem::take(status) };
    }
}

fn log(message: &QueuedMessage, outcomes: &[Outcome], server: Option<&Server>) {
    for (recipient, outcome) in message.recipients.iter().zip(outcomes) {
        let (outcome, status) = match outcome {
            Outcome::Deferred { status } => ("deferred", status),
            Outcome::Delivered { status } => ("sent", status),
            Outcome::Failed { status } => ("failed", status),
        };
        info!(
            queue_id = message.id,
            from = message.reverse_path.as_ref().map(tracing::field::display),
            to = %recipient.address,
            relay = server.map(|server| server.host.as_str()),
            tls = server.map(|server| server.tls.as_str()),
            attempt = recipient.attempts + 1,
            outcome,
            status,
            "queued message {outcome}"
        );
    }
}
