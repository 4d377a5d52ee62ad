//! From verdicts to what is recorded.

use hub::{Outcome, QueuedMessage, RecipientOutcome, Settlement};
use tracing::info;

use super::Sender;
use super::next_hop::{Server, Verdict};
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
    /// Records an attempt. Returns when that is on disk, so that a crash doubles one message of a
    /// connection at most.
    pub(super) async fn record(
        &self,
        message: &QueuedMessage,
        verdicts: Vec<Verdict>,
        server: Option<&Server>,
    ) {
        let now = unix_now();
        let outcomes: Vec<_> =
            verdicts.into_iter().map(|verdict| message.decide(now, verdict.into())).collect();
        log(message, &outcomes, server);
        let host_reports = server.is_some_and(|server| server.reports);
        let outcomes: Vec<_> = message
            .recipients
            .iter()
            .zip(outcomes)
            .map(|(recipient, outcome)| RecipientOutcome {
                recipient: recipient.id,
                attempt: recipient.attempts + 1,
                is_told: message.tells(recipient, &outcome, host_reports),
                outcome,
            })
            .collect();
        let is_told = outcomes.iter().any(|outcome| outcome.is_told);
        let settlement = Settlement {
            message: message.id,
            expires_at: message.expires_at,
            outcomes,
            remote: server.map(|server| server.host.clone()).unwrap_or_default(),
            tls: server.map(|server| server.tls.clone()).unwrap_or_default(),
        };
        let next_at = self.settler.settle(settlement).await;
        let claimed: Vec<_> = message.claimed().collect();
        self.let_go(&claimed, next_at.unwrap_or_else(unix_now)).await;
        if is_told {
            self.ended.notify_one();
        }
        if let Some(next_at) = next_at {
            let mut schedule = self.schedule();
            self.know(&mut schedule, message.next_hop.clone(), message.account, next_at);
        }
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
