//! Empties the queue towards the relay host, or the hosts of each recipient's domain: takes what is due
//! under a lease, sends it, records what became of each recipient, and reports failures to the sender.
//!
//! A message leaves the queue only after the other host's 250 or a final failure was recorded. If
//! the hub dies between that 250 and the record, the message is sent twice; it is never lost.

#[cfg(test)]
mod mx_tests;
pub(crate) mod next_hop;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hub::{Hub, NextHop, Outcome, QueuedMessage, QueuedRecipient};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::Service;
use crate::dsn::{self, Action, Report, ReportedRecipient};
use crate::retry::{next_attempt, scaled};
use crate::settings::Settings;
use crate::status::causes;
use crate::work::unix_now;
use next_hop::{Broken, Connection, Connector, NoConnection, Server, Verdict};

/// Messages sent at one time to the relay host, each on a connection of its own.
const CONNECTIONS: usize = 4;
/// Messages sent at one time where each domain has its own hosts: some of them are slow, or gone.
const MX_CONNECTIONS: usize = 32;
/// Connections kept open while there is something to send.
const MOST_IDLE: usize = 32;
/// An attempt ends before its lease does: nobody else may begin the next one meanwhile. It is time
/// enough for 50 MiB at 50 KiB/s.
const ATTEMPT_TIME: Duration = Duration::from_secs(18 * 60);
const LEASE_SECONDS: i64 = 20 * 60;
/// How often due messages are looked for when nobody tells of new ones.
const POLL: Duration = Duration::from_secs(30);
/// After the relay host, which gets everything, could not be reached, so long nothing is taken from
/// the queue: one attempt probes it for all.
const DOWN_TIME: Duration = Duration::from_secs(60);
/// For attempts under way when the server ends; what remains is sent after the lease.
const DRAIN_TIME: Duration = Duration::from_secs(8);

/// Runs until `shutdown`.
pub async fn run(service: Arc<Service>, shutdown: CancellationToken) {
    let connector = match Connector::new(&service) {
        Ok(connector) => connector,
        Err(Broken(why)) => {
            error!(why, "mail to the outside stays in the queue: the relay host cannot be used");
            return;
        }
    };
    let most = if connector.reaches(&NextHop::Relay) { CONNECTIONS } else { MX_CONNECTIONS };
    let sender = Arc::new(Sender {
        hub: service.hub.clone(),
        settings: Arc::clone(&service.settings),
        connector,
        idle: Mutex::default(),
    });
    let mut attempts = JoinSet::new();
    let poll = scaled(POLL, service.settings.clock_scale);
    let down_time = scaled(DOWN_TIME, service.settings.clock_scale);
    while !shutdown.is_cancelled() {
        let room = most - attempts.len();
        let due = sender.take_due(room).await;
        if !due.is_empty() {
            for message in due {
                let sender = Arc::clone(&sender);
                attempts.spawn(async move { sender.attempt(message).await });
            }
            continue;
        }
        if attempts.is_empty() {
            sender.close_idle().await;
        }
        let reached = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = attempts.join_next() => ended.unwrap_or_else(|panicked| {
                error!(error = causes(&panicked), "an attempt to send a message panicked");
                Reached::No
            }),
            () = service.hub.queue_filled(), if room > 0 => Reached::Yes,
            () = tokio::time::sleep(poll), if room > 0 => Reached::Yes,
        };
        if let Reached::No = reached {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(down_time) => {}
            }
        }
    }
    let all_ended = async { while attempts.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIME, all_ended).await.is_err() {
        warn!("attempts to send did not end in time; their messages are tried again later");
    }
    sender.close_idle().await;
}

/// Whether the relay host could be talked to.
enum Reached {
    No,
    Yes,
}

struct Sender {
    hub: Hub,
    settings: Arc<Settings>,
    connector: Connector,
    /// Connections whose last message went well.
    idle: Mutex<Vec<(NextHop, Connection)>>,
}

impl Sender {
    async fn take_due(&self, room: usize) -> Vec<QueuedMessage> {
        if room == 0 {
            return Vec::new();
        }
        match self.hub.take_due(unix_now(), room, LEASE_SECONDS).await {
            Ok(due) => due,
            Err(error) => {
                error!(error = causes(&error), "the queue cannot be read");
                Vec::new()
            }
        }
    }

    async fn attempt(&self, message: QueuedMessage) -> Reached {
        let end = Instant::now() + ATTEMPT_TIME;
        let mut reached = Reached::Yes;
        for (hop, part) in self.parts(message) {
            let sent = tokio::time::timeout_at(end, self.send(&hop, &part)).await;
            let late = Err(Verdict::Deferred("the attempt took too long".into()));
            let (verdicts, server) = match sent.unwrap_or(late) {
                Ok((verdicts, server)) => (verdicts, Some(server)),
                Err(verdict) => {
                    // What is wrong with one domain's hosts says nothing about another's.
                    if hop == NextHop::Relay {
                        reached = Reached::No;
                    }
                    (vec![verdict; part.recipients.len()], None)
                }
            };
            let verdicts = self.give_up_on_old(&part, verdicts);
            self.record(&part, &verdicts, server.as_ref()).await;
        }
        reached
    }

    /// The message once for each next hop, with its recipients there: they share a transaction.
    fn parts(&self, message: QueuedMessage) -> Vec<(NextHop, QueuedMessage)> {
        if self.connector.reaches(&NextHop::Relay) {
            return vec![(NextHop::Relay, message)];
        }
        let mut domains: BTreeMap<String, Vec<QueuedRecipient>> = BTreeMap::new();
        for recipient in &message.recipients {
            let domain = recipient.address.domain().to_ascii_lowercase();
            domains.entry(domain).or_default().push(recipient.clone());
        }
        let part =
            |(domain, recipients)| (NextHop::Mx(domain), QueuedMessage { recipients, ..message.clone() });
        domains.into_iter().map(part).collect()
    }

    /// Sends on a connection that is open already, or on a new one.
    async fn send(&self, hop: &NextHop, message: &QueuedMessage) -> Result<(Vec<Verdict>, Server), Verdict> {
        let mut connection = match self.alive(hop).await {
            Some(connection) => connection,
            None => {
                let connected = self.connector.connect(hop).await;
                connected.map_err(|NoConnection { verdict, host }| {
                    info!(?hop, host, "no connection");
                    verdict
                })?
            }
        };
        let sent = connection.send(&self.hub, message).await;
        let verdicts = sent.map_err(|Broken(why)| Verdict::Deferred(why))?;
        let server = connection.server().clone();
        if let Some(superfluous) = self.keep(hop, connection) {
            superfluous.quit().await;
        }
        Ok((verdicts, server))
    }

    /// Gives the connection back if there are enough.
    fn keep(&self, hop: &NextHop, connection: Connection) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= MOST_IDLE {
            return Some(connection);
        }
        idle.push((hop.clone(), connection));
        None
    }

    async fn alive(&self, hop: &NextHop) -> Option<Connection> {
        while let Some(mut connection) = self.take_idle(|other| other == hop) {
            if connection.is_alive().await {
                return Some(connection);
            }
        }
        None
    }

    fn take_idle(&self, wanted: impl Fn(&NextHop) -> bool) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.iter().rposition(|(hop, _)| wanted(hop))?;
        Some(idle.swap_remove(place).1)
    }

    async fn close_idle(&self) {
        while let Some(connection) = self.take_idle(|_| true) {
            connection.quit().await;
        }
    }

    /// What was put off for five days fails.
    fn give_up_on_old(&self, message: &QueuedMessage, verdicts: Vec<Verdict>) -> Vec<Verdict> {
        let expired = next_attempt(unix_now(), message.created_at, 1, self.settings.clock_scale, 0).is_none();
        let fail = |verdict| match verdict {
            Verdict::Deferred(why) if expired => {
                Verdict::Failed(format!("5.4.7 could not be delivered in time, at last: {why}"))
            }
            other => other,
        };
        verdicts.into_iter().map(fail).collect()
    }

    /// Reports first, then the queue: dying in between reports twice, never not at all.
    async fn record(&self, message: &QueuedMessage, verdicts: &[Verdict], server: Option<&Server>) {
        self.log(message, verdicts, server);
        let reported = self.report(message, verdicts, server).await;
        let now = unix_now();
        let outcomes = message.recipients.iter().zip(verdicts).map(|(recipient, verdict)| {
            let outcome = match verdict.clone() {
                Verdict::Delivered(status) => Outcome::Delivered { status },
                Verdict::Failed(status) if reported => Outcome::Failed { status },
                Verdict::Deferred(status) | Verdict::Failed(status) => {
                    let scale = self.settings.clock_scale;
                    let attempts = recipient.attempts + 1;
                    let next = next_attempt(now, message.created_at, attempts, scale, message.id as u64);
                    // Past the end only if the report could not be delivered; then soon again.
                    let next_attempt_at = next.unwrap_or(now + 60);
                    Outcome::Deferred { status, next_attempt_at }
                }
            };
            (recipient.id, outcome)
        });
        if let Err(error) = self.hub.settle(message.id, outcomes.collect()).await {
            error!(
                queue_id = message.id,
                error = causes(&error),
                "the outcome of an attempt was not recorded"
            );
        }
    }

    fn log(&self, message: &QueuedMessage, verdicts: &[Verdict], server: Option<&Server>) {
        for (recipient, verdict) in message.recipients.iter().zip(verdicts) {
            let (outcome, status) = match verdict {
                Verdict::Deferred(status) => ("deferred", status),
                Verdict::Delivered(status) => ("sent", status),
                Verdict::Failed(status) => ("failed", status),
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

    /// Tells the sender what it has to know (RFC 3461 §5.2, RFC 5321 §6.1): failures unless NOTIFY
    /// forbids it, and the handing over to a host that does not report if NOTIFY=SUCCESS asks for
    /// it. True if that is done or nobody is there to be told.
    async fn report(&self, message: &QueuedMessage, verdicts: &[Verdict], server: Option<&Server>) -> bool {
        let Some(sender) = &message.reverse_path else {
            return true;
        };
        let is_reporting = server.is_some_and(|server| server.reports);
        let recipients: Vec<_> = message
            .recipients
            .iter()
            .zip(verdicts)
            .filter_map(|(recipient, verdict)| {
                let (action, status) = match verdict {
                    Verdict::Failed(status) if recipient.notify.failure => (Action::Failed, status),
                    Verdict::Delivered(status) if recipient.notify.success && !is_reporting => {
                        (Action::Relayed, status)
                    }
                    _ => return None,
                };
                let original = recipient.original.as_deref();
                Some(ReportedRecipient { address: &recipient.address, original, action, status })
            })
            .collect();
        if recipients.is_empty() {
            return true;
        }
        let now = unix_now();
        let report = Report {
            host_name: &self.settings.host_name,
            sender,
            envelope_id: message.envelope_id.as_deref(),
            id: &message
                .recipients
                .first()
                .map_or_else(String::new, |first| format!("q{}-{}-{}", message.id, first.id, first.attempts)),
            arrived_at: message.created_at,
            at: now,
            remote: server.map(|server| server.host.as_str()),
            recipients,
        };
        match dsn::deliver(&self.hub, &report, Some(message)).await {
            Ok(true) => true,
            Ok(false) => {
                warn!(queue_id = message.id, sender = %sender, "the sender is gone and is not told");
                true
            }
            Err(error) => {
                error!(queue_id = message.id, error = causes(&error), "the sender could not be told");
                false
            }
        }
    }
}
