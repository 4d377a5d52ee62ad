//! One connection to a next hop, from the first message to the last.

use std::sync::Arc;
use std::time::Duration;

use hub::{NextHop, QueuedMessage};
use tracing::debug;

use super::next_hop::{Broken, Connection, NoConnection, Server, Verdict};
use super::{Sender, random, scaled, unix_millis};

/// Messages after which a connection is given up: other hosts of the hop may have more time.
const MESSAGES: usize = 100;
/// How long a connection waits for a next message.
const IDLE: Duration = Duration::from_secs(10);
/// The longest attempt: time enough for 50 MiB at 15 KiB/s. Each phase has its own limit besides.
const ATTEMPT_TIME: Duration = Duration::from_secs(3600);

/// Connects, sends `message`, and then what else there is for this hop.
pub(super) async fn to(sender: Arc<Sender>, hop: NextHop, message: QueuedMessage) {
    let _counted = Counted { sender: &sender, hop: &hop };
    match sender.connector.connect(&hop).await {
        Ok(connection) => {
            sender.schedule().opened(&hop);
            sender.changed.notify_one();
            sender.hub.note_pause(&hop, None);
            talk(&sender, &hop, connection, message).await;
        }
        Err(none) => no_connection(&sender, &hop, message, none).await,
    }
    sender.changed.notify_one();
}

/// A connection that panics does not count for ever. Its message stays under lease, as nobody knows
/// what became of it, until the next start.
struct Counted<'a> {
    sender: &'a Sender,
    hop: &'a NextHop,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut schedule = self.sender.schedule();
            schedule.opened(self.hop);
            schedule.closed(self.hop);
        }
    }
}

async fn talk(sender: &Sender, hop: &NextHop, mut connection: Connection, mut message: QueuedMessage) {
    for _ in 0..MESSAGES {
        let sent = tokio::time::timeout(ATTEMPT_TIME, connection.send(&sender.hub, &message)).await;
        let broken = match sent {
            Ok(Ok(verdicts)) => {
                let took = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Delivered(_)));
                sender.record(&message, verdicts, Some(connection.server())).await;
                sender.schedule().answered(hop, took, unix_millis());
                sender.changed.notify_one();
                None
            }
            Ok(Err(Broken(why))) => Some(why),
            Err(_) => Some("the attempt took too long".to_owned()),
        };
        if let Some(why) = broken {
            broke(sender, hop, message, connection.server(), why).await;
            return;
        }
        if !connection.is_usable() {
            break;
        }
        match next(sender, hop, &mut connection).await {
            Some(next) => message = next,
            None => break,
        }
    }
    sender.schedule().closed(hop);
    connection.quit().await;
}

/// The next message for a connection; `None` if it is to be closed.
async fn next(sender: &Sender, hop: &NextHop, connection: &mut Connection) -> Option<QueuedMessage> {
    if sender.shutdown.is_cancelled() {
        return None;
    }
    if let Some(message) = sender.schedule().take(hop) {
        return Some(message);
    }
    sender.schedule().idle(hop, true);
    let idle = scaled(IDLE, sender.settings.clock_scale.max(0.1));
    let waited = tokio::time::timeout(idle, wait(sender, hop)).await;
    sender.schedule().idle(hop, false);
    let message = waited.ok().flatten()?;
    if connection.is_alive().await {
        return Some(message);
    }
    debug!(?hop, "an idle connection was closed by the other side");
    sender.give_back(vec![message]).await;
    None
}

async fn wait(sender: &Sender, hop: &NextHop) -> Option<QueuedMessage> {
    loop {
        let ready = sender.ready.notified();
        if let Some(message) = sender.schedule().take(hop) {
            return Some(message);
        }
        tokio::select! {
            () = ready => {}
            () = sender.shutdown.cancelled() => return None,
        }
    }
}

/// The conversation broke down: the message is tried again, the hop is perhaps left alone.
async fn broke(sender: &Sender, hop: &NextHop, message: QueuedMessage, server: &Server, why: String) {
    let left = sender.schedule().broke(hop, unix_millis(), random());
    sender.leave_alone(hop, &why, left).await;
    let verdicts = vec![Verdict::Deferred(why); message.recipients.len()];
    // What broke down reports nothing.
    let server = Server { reports: false, ..server.clone() };
    sender.record(&message, verdicts, Some(&server)).await;
}

async fn no_connection(sender: &Sender, hop: &NextHop, message: QueuedMessage, none: NoConnection) {
    let NoConnection { verdict, host } = none;
    match &verdict {
        Verdict::Deferred(why) => {
            let left = sender.schedule().unreachable(hop, unix_millis(), random());
            sender.leave_alone(hop, why, left).await;
        }
        // An answer for good is an answer: the hop is not down.
        Verdict::Delivered(_) | Verdict::Failed(_) => {
            sender.schedule().opened(hop);
            sender.schedule().closed(hop);
        }
    }
    let verdicts = vec![verdict; message.recipients.len()];
    let server = host.map(|host| Server { host, tls: String::new(), reports: false });
    sender.record(&message, verdicts, server.as_ref()).await;
}
