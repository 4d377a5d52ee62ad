//! Who is sent to when: connections and messages by next hop (pure: it is given the time, and numbers
//! for chance).
//!
//! A *flow* is what one sender has for one next hop. The database tells which flows have something due
//! ([`Schedule::know`]); the schedule says which of them to claim from ([`Schedule::claims`]), to which
//! hop to connect ([`Schedule::start`]), and hands claimed messages to connections
//! ([`Schedule::take`]), one sender after the other.
//!
//! A hop that cannot be reached is left alone as a whole; when its pause is over, one connection probes
//! it for all. Times are milliseconds.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::{NextHop, retry};
use crate::AccountId;

/// Connections to all hops, and to one: few at first, more with each message that it takes.
const MOST_CONNECTIONS: usize = 64;
const FIRST_CONNECTIONS: usize = 2;
const MOST_CONNECTIONS_TO_HOP: usize = 20;
/// Between the beginnings of two connections to one hop, as long as the first is still being made.
const PACE: i64 = 25;
/// After a hop refused one connection while it kept others, so long it gets no more than those.
const CROWDED: i64 = 60_000;
/// Conversations that break down in a row before the hop is taken to be down: one alone may be the
/// message's fault.
const BREAKDOWNS: u32 = 3;
/// Recipients claimed of a flow at once. They are of one message where that has so many, and RFC 5321
/// §4.5.3.1.8 makes every host take 100.
const CLAIM: usize = 100;
/// Flows claimed from in one round, and of one hop.
const CLAIMS: usize = 32;
const CLAIMS_OF_HOP: usize = 8;
/// Messages that wait for a connection, in all.
const MOST_READY: usize = 2_000;

/// To be claimed: up to `limit` recipients of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub hop: NextHop,
    pub account: AccountId,
    pub limit: usize,
}

/// Hops and what is known of them. `M` is a claimed message.
pub struct Schedule<M> {
    hops: BTreeMap<NextHop, Hop<M>>,
    /// The hop served last: the next one is the first to be looked at.
    last: Option<NextHop>,
    connections: usize,
    ready: usize,
    scale: f64,
}

struct Hop<M> {
    flows: BTreeMap<AccountId, Waiting>,
    /// Claimed messages by sender, and the senders in the order of their turns.
    ready: BTreeMap<AccountId, VecDeque<M>>,
    turns: VecDeque<AccountId>,
    connections: usize,
    /// Of these, still being made, and with nothing to send.
    connecting: usize,
    idle: usize,
    limit: usize,
    /// No growth of `limit` before.
    crowded_until: i64,
    next_start: i64,
    breakdowns: u32,
    failures: u32,
    /// Left alone until then; after that there is one probe.
    down_until: Option<i64>,
}

/// What is known of a flow.
struct Waiting {
    /// When its next recipient may be claimed.
    due_at: i64,
    claiming: bool,
    /// Longest ago is next.
    claimed_at: i64,
}

impl<M> Default for Hop<M> {
    fn default() -> Self {
        Self {
            flows: BTreeMap::new(),
            ready: BTreeMap::new(),
            turns: VecDeque::new(),
            connections: 0,
            connecting: 0,
            idle: 0,
            limit: FIRST_CONNECTIONS,
            crowded_until: 0,
            next_start: 0,
            breakdowns: 0,
            failures: 0,
            down_until: None,
        }
    }
}

impl<M> Hop<M> {
    fn waiting(&self) -> usize {
        self.ready.values().map(VecDeque::len).sum()
    }

    /// Connections that there may be at `now`.
    fn allowed(&self, now: i64) -> usize {
        match self.down_until {
            None => self.limit,
            Some(until) => usize::from(until <= now),
        }
    }

    /// Whether to claim of this sender's: there is room, or none of its messages waits while others' do.
    fn wants(&self, account: AccountId, now: i64) -> bool {
        match self.down_until {
            None => self.waiting() < self.limit || !self.ready.contains_key(&account),
            // For the probe.
            Some(until) => until <= now && self.connections == 0 && self.ready.is_empty(),
        }
    }

    fn wants_connection(&self, now: i64) -> bool {
        self.waiting() > self.idle && self.connections < self.allowed(now) && self.may_start_at() <= now
    }

    /// A host that takes connections at once need not be spared: `limit` grows no faster than it works.
    fn may_start_at(&self) -> i64 {
        if self.connecting > 0 { self.next_start } else { i64::MIN }
    }

    /// When something may be claimed next of those that are wanted at `now`.
    fn due_at(&self, now: i64) -> Option<i64> {
        let wanted = self.flows.iter().filter(|(account, flow)| !flow.claiming && self.wants(**account, now));
        wanted.map(|(_, flow)| flow.due_at).min()
    }

    fn give_back(&mut self) -> Vec<M> {
        self.turns.clear();
        std::mem::take(&mut self.ready).into_values().flatten().collect()
    }

    fn is_forgettable(&self, now: i64) -> bool {
        self.flows.is_empty()
            && self.connections == 0
            && self.ready.is_empty()
            && self.down_until.is_none_or(|until| until <= now)
    }
}

impl<M> Schedule<M> {
    /// Pauses are multiplied by `scale`.
    pub fn new(scale: f64) -> Self {
        Self { hops: BTreeMap::new(), last: None, connections: 0, ready: 0, scale }
    }

    /// A flow has something that may be claimed from `due_at` on.
    pub fn know(&mut self, hop: NextHop, account: AccountId, due_at: i64) {
        let flow = self.hops.entry(hop).or_default().flows.entry(account).or_insert(Waiting {
            due_at,
            claiming: false,
            claimed_at: i64::MIN,
        });
        flow.due_at = flow.due_at.min(due_at);
    }

    /// Which flows to claim from now; each is to be answered by [`Schedule::claimed`].
    pub fn claims(&mut self, now: i64) -> Vec<Claim> {
        if self.ready >= MOST_READY {
            return Vec::new();
        }
        let hops: Vec<NextHop> = self
            .in_turn()
            .filter(|(_, hop)| hop.due_at(now).is_some_and(|due_at| due_at <= now))
            .take(CLAIMS)
            .map(|(name, _)| name.clone())
            .collect();
        let mut claims = Vec::new();
        for name in hops {
            let Some(hop) = self.hops.get_mut(&name) else { continue };
            let wanted = hop
                .flows
                .iter()
                .filter(|(account, flow)| flow.due_at <= now && !flow.claiming && hop.wants(**account, now));
            let mut due: Vec<_> = wanted.map(|(account, flow)| (flow.claimed_at, *account)).collect();
            due.sort_unstable();
            for (_, account) in due.into_iter().take(CLAIMS_OF_HOP) {
                if let Some(flow) = hop.flows.get_mut(&account) {
                    flow.claiming = true;
                    flow.claimed_at = now;
                    claims.push(Claim { hop: name.clone(), account, limit: CLAIM });
                }
            }
            if claims.len() >= CLAIMS {
                break;
            }
        }
        claims
    }

    /// What a claim brought. `more`: as much as it asked for, so there may be more.
    pub fn claimed(&mut self, claim: &Claim, messages: Vec<M>, more: bool) {
        let Some(hop) = self.hops.get_mut(&claim.hop) else { return };
        if more {
            if let Some(flow) = hop.flows.get_mut(&claim.account) {
                flow.claiming = false;
            }
        } else {
            // What is due later is known again from the database.
            hop.flows.remove(&claim.account);
        }
        if messages.is_empty() {
            return;
        }
        self.ready += messages.len();
        let waiting = hop.ready.entry(claim.account).or_default();
        if waiting.is_empty() {
            hop.turns.push_back(claim.account);
        }
        waiting.extend(messages);
    }

    /// A hop to open a connection to now, and the first message for it. The connection is counted at
    /// once; [`Schedule::opened`] or [`Schedule::unreachable`] follows.
    pub fn start(&mut self, now: i64) -> Option<(NextHop, M)> {
        if self.connections >= MOST_CONNECTIONS {
            return None;
        }
        let name = self.in_turn().find(|(_, hop)| hop.wants_connection(now))?.0.clone();
        let message = self.take(&name)?;
        let hop = self.hops.get_mut(&name)?;
        hop.connections += 1;
        hop.connecting += 1;
        hop.next_start = now + PACE;
        self.connections += 1;
        self.last = Some(name.clone());
        Some((name, message))
    }

    /// The next message for a connection to this hop.
    pub fn take(&mut self, name: &NextHop) -> Option<M> {
        let hop = self.hops.get_mut(name)?;
        let account = hop.turns.pop_front()?;
        let messages = hop.ready.get_mut(&account)?;
        let message = messages.pop_front()?;
        if messages.is_empty() {
            hop.ready.remove(&account);
        } else {
            hop.turns.push_back(account);
        }
        self.ready -= 1;
        Some(message)
    }

    /// A connection was made: the hop is there.
    pub fn opened(&mut self, name: &NextHop) {
        if let Some(hop) = self.hops.get_mut(name) {
            hop.connecting = hop.connecting.saturating_sub(1);
            hop.down_until = None;
            hop.failures = 0;
        }
    }

    /// A connection could not be made. Returns the messages that are to go back to the queue, and
    /// until when the hop is left alone.
    pub fn unreachable(&mut self, name: &NextHop, now: i64, random: u64) -> (Vec<M>, Option<i64>) {
        let crowded = (CROWDED as f64 * self.scale) as i64;
        let Some(hop) = self.leave(name) else { return (Vec::new(), None) };
        hop.connecting = hop.connecting.saturating_sub(1);
        // Those that are open work: the host just wants no more of them.
        let open = hop.connections.saturating_sub(hop.connecting);
        if open > 0 {
            hop.limit = open;
            hop.crowded_until = now + crowded;
            return (Vec::new(), None);
        }
        self.rest(name, now, random)
    }

    /// The host has answered for a message: it works. If it took it, it may get one more connection.
    pub fn answered(&mut self, name: &NextHop, took: bool, now: i64) {
        if let Some(hop) = self.hops.get_mut(name) {
            hop.breakdowns = 0;
            if took && hop.crowded_until <= now {
                hop.limit = (hop.limit + 1).min(MOST_CONNECTIONS_TO_HOP);
            }
        }
    }

    /// A conversation broke down, and its connection with it. As for [`Schedule::unreachable`].
    pub fn broke(&mut self, name: &NextHop, now: i64, random: u64) -> (Vec<M>, Option<i64>) {
        let Some(hop) = self.leave(name) else { return (Vec::new(), None) };
        hop.limit = (hop.limit / 2).max(1);
        hop.breakdowns += 1;
        if hop.breakdowns < BREAKDOWNS {
            return (Vec::new(), None);
        }
        self.rest(name, now, random)
    }

    /// A connection ended in good order.
    pub fn closed(&mut self, name: &NextHop) {
        self.leave(name);
    }

    /// A connection waits for messages, or does not any more.
    pub fn idle(&mut self, name: &NextHop, is_idle: bool) {
        if let Some(hop) = self.hops.get_mut(name) {
            hop.idle = if is_idle { hop.idle + 1 } else { hop.idle.saturating_sub(1) };
        }
    }

    /// Ends the pause of a hop: somebody knows that it works again.
    pub fn try_now(&mut self, name: &NextHop) {
        if let Some(hop) = self.hops.get_mut(name) {
            hop.down_until = hop.down_until.map(|_| i64::MIN);
        }
    }

    /// Takes back all messages that no connection has taken.
    pub fn drain(&mut self) -> Vec<M> {
        self.ready = 0;
        self.hops.values_mut().flat_map(Hop::give_back).collect()
    }

    /// When there may be something to do, if nothing happens before.
    pub fn next_time(&self, now: i64) -> Option<i64> {
        let of_hop = |hop: &Hop<M>| {
            let from = hop.down_until.map_or(now, |until| until.max(now));
            let can_start = self.connections < MOST_CONNECTIONS && hop.wants_connection(i64::MAX);
            let start = can_start.then(|| hop.may_start_at().max(from));
            let claim =
                hop.due_at(i64::MAX).filter(|_| self.ready < MOST_READY).map(|due_at| due_at.max(from));
            start.into_iter().chain(claim).min()
        };
        self.hops.values().filter_map(of_hop).min()
    }

    /// Forgets hops of which nothing need be known.
    pub fn tidy(&mut self, now: i64) {
        self.hops.retain(|_, hop| !hop.is_forgettable(now));
    }

    /// All hops, beginning behind the one that was served last.
    fn in_turn(&self) -> impl Iterator<Item = (&NextHop, &Hop<M>)> {
        let (behind, before) = match &self.last {
            None => ((Bound::Unbounded, Bound::Unbounded), None),
            Some(last) => {
                ((Bound::Excluded(last), Bound::Unbounded), Some((Bound::Unbounded, Bound::Included(last))))
            }
        };
        let before = before.map(|range| self.hops.range::<NextHop, _>(range));
        self.hops.range::<NextHop, _>(behind).chain(before.into_iter().flatten())
    }

    /// Counts a connection out.
    fn leave(&mut self, name: &NextHop) -> Option<&mut Hop<M>> {
        let hop = self.hops.get_mut(name)?;
        hop.connections = hop.connections.saturating_sub(1);
        self.connections = self.connections.saturating_sub(1);
        Some(hop)
    }

    /// Leaves a hop alone for a while.
    fn rest(&mut self, name: &NextHop, now: i64, random: u64) -> (Vec<M>, Option<i64>) {
        let Some(hop) = self.hops.get_mut(name) else { return (Vec::new(), None) };
        if let Some(until) = hop.down_until.filter(|until| *until > now) {
            // Another connection has failed with this one.
            return (Vec::new(), Some(until));
        }
        hop.failures += 1;
        hop.limit = FIRST_CONNECTIONS;
        hop.breakdowns = 0;
        let until = now + retry::hop_pause(hop.failures, self.scale, random);
        hop.down_until = Some(until);
        let messages = hop.give_back();
        self.ready -= messages.len();
        (messages, Some(until))
    }
}
