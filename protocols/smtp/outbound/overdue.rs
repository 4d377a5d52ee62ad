//! Tells senders of delays, and of the end of what was never delivered.

use std::sync::Arc;
use std::time::Duration;

use hub::{Attended, Overdue, Why};
use tracing::{error, info};

use super::{Sender, scaled};
use crate::dsn::Action;
use crate::status::causes;
use crate::work::unix_now;

/// How often it is looked for.
const PAUSE: Duration = Duration::from_secs(60);

pub(super) async fn look_after(sender: Arc<Sender>) {
    loop {
        match sender.look_after_some(unix_now()).await {
            // There may be more.
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(scaled(PAUSE, sender.settings.clock_scale)).await,
            Err(error) => {
                error!(error = causes(&error), "senders could not be told of delays this time");
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
            let Overdue { message, why, .. } = &overdue;
            let recipients = message.recipients.iter().filter_map(|recipient| {
                let (action, status) = match why {
                    Why::Delay if recipient.notify.delay => (Action::Delayed, recipient.last_status.clone()),
                    Why::End if recipient.notify.failure => {
                        let last = &recipient.last_status;
                        (Action::Failed, format!("5.4.7 could not be delivered in time, at last: {last}"))
                    }
                    Why::Delay | Why::End => return None,
                };
                Some((recipient.clone(), action, status))
            });
            let report = self.compose(message, recipients.collect(), None).await?;
            for recipient in &message.recipients {
                info!(queue_id = message.id, to = %recipient.address, ?why, told = report.is_some(), "queued message is late");
            }
            attended.push(Attended { overdue, report });
        }
        self.hub.attend(now, attended).await?;
        Ok(true)
    }
}
