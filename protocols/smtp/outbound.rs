//! Empties the queue: asks the hub's schedule what to claim and where to connect, runs a task for each
//! connection, and records what became of each recipient.
//!
//! A message leaves the queue only after the other side's 250 or a final failure was recorded. If
//! the hub dies between that 250 and the record, the message is sent twice; it is never lost.

#[cfg(test)]
mod hand_tests;
#[cfg(test)]
mod mx_tests;
pub(crate) mod next_hop;
mod overdue;
mod record;
mod settler;
mod talk;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub::{AccountId, Filled, Hub, NextHop, Pause, QueuedMessage, RENEW, Schedule};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::Service;
use crate::settings::Settings;
use crate::status::causes;
use crate::work::unix_now;
use next_hop::{Broken, Connector};
use settler::Settler;

/// How often the timetable is read again: other nodes and operators change it too, and of a sender's
/// mail for one hop only the first is known.
const POLL: Duration = Duration::from_secs(30);
/// For attempts under way when the server ends; what remains is sent after the next start.
const DRAIN_TIME: Duration = Duration::from_secs(8);

/// Runs until `shutdown`.
pub async fn run(service: Arc<Service>, shutdown: CancellationToken) {
    let connector = match Connector::new(&service) {
        Ok(connector) => connector,
        Err(Broken(why)) => {
            error!(why, "mail to the outside stays in the queue: there is no way to send it");
            return;
        }
    };
    let (settler, settling) = Settler::start(service.hub.clone());
    let sender = Arc::new(Sender::new(&service, connector, settler, shutdown));
    let mut connections = JoinSet::new();
    let mut chores = JoinSet::new();
    chores.spawn(keep_leases(Arc::clone(&sender)));
    chores.spawn(overdue::look_after(Arc::clone(&sender)));
    sender.empty_queue(&mut connections).await;
    let unsent = sender.schedule().drain();
    sender.give_back(unsent).await;
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIME, all_ended).await.is_err() {
        warn!("attempts to send did not end in time; their messages are tried again later");
    }
    connections.shutdown().await;
    chores.shutdown().await;
    // With the last who could bring outcomes, the settler ends behind the last of these.
    drop(sender);
    let _ = settling.await;
}

struct Sender {
    hub: Hub,
    settings: Arc<Settings>,
    connector: Connector,
    schedule: Mutex<Schedule<QueuedMessage>>,
    /// Recipients (message, id) that are claimed and not settled; true if they were claimed once more
    /// meanwhile.
    in_hand: Mutex<HashMap<(i64, i64), bool>>,
    settler: Settler,
    /// The schedule may want something else now.
    changed: tokio::sync::Notify,
    /// There may be messages for idle connections.
    ready: tokio::sync::Notify,
    /// There may be something to be told to a sender.
    ended: tokio::sync::Notify,
    shutdown: CancellationToken,
}

impl Sender {
    fn new(service: &Service, connector: Connector, settler: Settler, shutdown: CancellationToken) -> Self {
        Self {
            hub: service.hub.clone(),
            settings: Arc::clone(&service.settings),
            connector,
            schedule: Mutex::new(Schedule::new(service.settings.clock_scale)),
            in_hand: Mutex::default(),
            settler,
            changed: tokio::sync::Notify::new(),
            ready: tokio::sync::Notify::new(),
            ended: tokio::sync::Notify::new(),
            shutdown,
        }
    }

    async fn empty_queue(self: &Arc<Self>, connections: &mut JoinSet<()>) {
        let mut poll = tokio::time::interval(scaled(POLL, self.settings.clock_scale));
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.claim().await;
            self.start(connections);
            let wait = self.schedule().next_time(unix_millis());
            let wait = wait.map_or(POLL, |time| Duration::from_millis((time - unix_millis()).max(1) as u64));
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                filled = self.hub.queue_filled() => self.note(filled).await,
                Some(ended) = connections.join_next() => if let Err(panicked) = ended {
                    error!(error = causes(&panicked), "a connection's task panicked");
                },
                () = self.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
                _ = poll.tick() => self.read_timetable().await,
            }
        }
    }

    async fn read_timetable(&self) {
        if let Err(error) = self.hub.end_late_leases().await {
            warn!(error = causes(&error), "leases of the run before this one were not looked for this time");
        }
        match self.hub.queue_timetable().await {
            Ok(flows) => {
                let mut schedule = self.schedule();
                schedule.tidy(unix_millis());
                for (hop, account, due_at) in flows {
                    self.know(&mut schedule, hop, account, due_at);
                }
            }
            Err(error) => error!(error = causes(&error), "the queue cannot be read"),
        }
    }

    async fn note(&self, filled: Filled) {
        let now = unix_now();
        {
            let mut schedule = self.schedule();
            for ((hop, account), again) in filled.flows {
                if again {
                    schedule.try_now(&hop);
                    self.hub.note_pause(&hop, None);
                }
                self.know(&mut schedule, hop, account, now);
            }
        }
        if filled.missed {
            self.read_timetable().await;
        }
    }

    fn know(&self, schedule: &mut Schedule<QueuedMessage>, hop: NextHop, account: AccountId, due_at: i64) {
        if self.connector.reaches(&hop) {
            schedule.know(hop, account, due_at.saturating_mul(1000));
        }
    }

    /// Claims what the schedule wants.
    async fn claim(&self) {
        let now = unix_millis();
        let claims = self.schedule().claims(now);
        if claims.is_empty() {
            return;
        }
        let found = self.hub.claim(now / 1000, &claims).await.unwrap_or_else(|error| {
            error!(error = causes(&error), "nothing can be claimed from the queue");
            Vec::new()
        });
        let mut found = found.into_iter();
        let mut schedule = self.schedule();
        for claim in &claims {
            let (mut messages, count) = found.next().unwrap_or_default();
            self.take_in_hand(&mut messages);
            schedule.claimed(claim, messages, count == claim.limit);
        }
        drop(schedule);
        self.ready.notify_waiters();
    }

    /// Leaves out recipients that are in hand already: they were given back or settled an instant ago,
    /// or this process was asleep for longer than its lease, and the attempt then under way is not over.
    fn take_in_hand(&self, messages: &mut Vec<QueuedMessage>) {
        let mut in_hand = self.in_hand();
        for message in &mut *messages {
            let id = message.id;
            message.recipients.retain(|recipient| match in_hand.entry((id, recipient.id)) {
                Entry::Occupied(mut again) => {
                    again.insert(true);
                    false
                }
                Entry::Vacant(new) => {
                    new.insert(false);
                    true
                }
            });
        }
        messages.retain(|message| !message.recipients.is_empty());
    }

    /// Opens the connections that the schedule wants.
    fn start(self: &Arc<Self>, connections: &mut JoinSet<()>) {
        loop {
            let Some((hop, message)) = self.schedule().start(unix_millis()) else { return };
            connections.spawn(talk::to(Arc::clone(self), hop, message));
        }
    }

    /// Leaves a hop alone as the schedule decided, and gives its messages back to the queue.
    async fn leave_alone(
        &self,
        hop: &NextHop,
        why: &str,
        (messages, until): (Vec<QueuedMessage>, Option<i64>),
    ) {
        if let Some(until) = until {
            let until = until / 1000;
            info!(?hop, why, until, "the next hop is left alone for a while");
            self.hub.note_pause(hop, Some(Pause { until, why: why.to_owned() }));
        }
        self.give_back(messages).await;
        self.changed.notify_one();
    }

    async fn give_back(&self, messages: Vec<QueuedMessage>) {
        let claimed: Vec<_> = messages.iter().flat_map(QueuedMessage::claimed).collect();
        if let Err(error) = self.hub.give_back(unix_now(), claimed.clone()).await {
            // Then they wait until their lease ends.
            warn!(error = causes(&error), "messages could not be given back to the queue");
        }
        {
            let mut schedule = self.schedule();
            for message in &messages {
                self.know(&mut schedule, message.next_hop.clone(), message.account, unix_now());
            }
        }
        self.let_go(&claimed, unix_now()).await;
    }

    /// These are settled, given back, or somebody else's. What was claimed once more meanwhile is due
    /// again at `due_at`: nobody else would send it before its lease ends.
    async fn let_go(&self, recipients: &[(i64, i64)], due_at: i64) {
        let again: Vec<_> = {
            let mut in_hand = self.in_hand();
            recipients.iter().copied().filter(|one| in_hand.remove(one) == Some(true)).collect()
        };
        if let Err(error) = self.hub.give_back(due_at, again).await {
            warn!(error = causes(&error), "recipients that were claimed twice wait until their lease ends");
        }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule<QueuedMessage>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_hand(&self) -> MutexGuard<'_, HashMap<(i64, i64), bool>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the leases of everything in hand.
async fn keep_leases(sender: Arc<Sender>) {
    loop {
        tokio::time::sleep(RENEW).await;
        let recipients: Vec<_> = sender.in_hand().keys().copied().collect();
        if let Err(error) = sender.hub.renew_leases(unix_now(), recipients).await {
            warn!(error = causes(&error), "leases were not renewed this time");
        }
    }
}

/// A time of this module under the clock scale, at least 50 ms.
fn scaled(time: Duration, scale: f64) -> Duration {
    time.mul_f64(scale.clamp(0.0, 1000.0)).max(Duration::from_millis(50))
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

/// A number that nobody can foresee, to spread pauses.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
