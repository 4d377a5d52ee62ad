//! The schedule against a queue and hosts that exist in memory only.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn hop(name: &str) -> NextHop {
    NextHop::Mx(name.into(), crate::TlsDemand::ByPolicy)
}

/// Claims everything that is asked for out of `queue`, and starts what may be started.
struct Play {
    schedule: Schedule<u32>,
    queue: BTreeMap<(NextHop, AccountId), BTreeSet<u32>>,
    now: i64,
}

impl Play {
    fn new() -> Self {
        Self { schedule: Schedule::new(1.0), queue: BTreeMap::new(), now: 0 }
    }

    fn push(&mut self, name: &NextHop, account: i64, messages: impl IntoIterator<Item = u32>) {
        let account = AccountId(account);
        self.queue.entry((name.clone(), account)).or_default().extend(messages);
        self.schedule.know(name.clone(), account, self.now);
    }

    fn claim(&mut self) {
        for claim in self.schedule.claims(self.now) {
            let waiting = self.queue.entry((claim.hop.clone(), claim.account)).or_default();
            let messages: Vec<u32> = waiting.iter().take(claim.limit).copied().collect();
            waiting.retain(|message| !messages.contains(message));
            let more = messages.len() == claim.limit;
            self.schedule.claimed(&claim, messages, more);
        }
    }

    fn start(&mut self) -> Vec<(NextHop, u32)> {
        let mut started = Vec::new();
        self.claim();
        while let Some(start) = self.schedule.start(self.now) {
            started.push(start);
        }
        started
    }

    fn wait(&mut self) {
        let next = self.schedule.next_time(self.now).expect("something to wait for");
        self.now = next.max(self.now + 1);
    }
}

#[test]
fn connections_grow_with_success() {
    let (mut play, far) = (Play::new(), hop("far.test"));
    play.push(&far, 1, 0..1000);
    let mut open = 0;
    for round in 0..40 {
        open += play.start().len();
        play.now += PACE;
        play.schedule.opened(&far);
        play.schedule.answered(&far, true, play.now);
        assert!(open <= FIRST_CONNECTIONS + round + 1, "round {round}: {open}");
    }
    assert_eq!(open, MOST_CONNECTIONS_TO_HOP);
    let near = hop("near.test");
    play.push(&near, 1, 0..1000);
    for _ in 0..10 {
        play.start();
        play.now += PACE;
        play.schedule.answered(&near, false, play.now);
    }
    assert_eq!(play.schedule.hops[&near].connections, FIRST_CONNECTIONS, "who only refuses gets no more");
}

#[test]
fn the_next_connection_waits_only_for_one_that_is_being_made() {
    let (mut play, far) = (Play::new(), hop("far.test"));
    play.push(&far, 1, 0..1000);
    assert_eq!(play.start().len(), 1);
    assert!(play.start().is_empty(), "it may be slow to answer");
    assert_eq!(play.schedule.next_time(play.now), Some(play.now + PACE));
    play.schedule.opened(&far);
    assert_eq!(play.schedule.next_time(play.now), Some(play.now));
    assert_eq!(play.start().len(), 1, "it answered");
    play.now += PACE;
    assert!(play.start().is_empty(), "no more than at first");
}

#[test]
fn one_probe_while_a_hop_is_down() {
    let (mut play, far, near) = (Play::new(), hop("far.test"), hop("near.test"));
    play.push(&far, 1, 0..10);
    assert_eq!(play.start().len(), 1);
    play.now += PACE;
    assert_eq!(play.start().len(), 1);
    let (back, until) = play.schedule.unreachable(&far, play.now, 5);
    assert_eq!(back.len(), 8, "what was claimed goes back to the queue");
    let until = until.expect("a pause");
    assert!((60_000..=66_000 + PACE).contains(&until));
    // The other connection fails too: that is the same failure.
    assert_eq!(play.schedule.unreachable(&far, play.now, 5), (Vec::new(), Some(until)));
    play.push(&far, 1, back);
    play.push(&near, 1, [100]);
    assert_eq!(play.start(), [(near.clone(), 100)], "others are not held up");
    assert_eq!(play.schedule.next_time(play.now), Some(until));
    play.now = until;
    assert_eq!(play.start().len(), 1, "the probe");
    play.now += 10_000;
    assert!(play.start().is_empty(), "only one");
    let (_, second) = play.schedule.unreachable(&far, play.now, 5);
    assert!(second.expect("a pause") >= play.now + 300_000, "longer than the first");
    play.schedule.try_now(&far);
    play.push(&far, 1, [7, 8]);
    assert_eq!(play.start().len(), 1, "an operator knows better");
    play.schedule.opened(&far);
    play.now += PACE;
    assert_eq!(play.start().len(), 1, "it is back");
}

#[test]
fn a_host_that_refuses_one_connection_keeps_the_others() {
    let (mut play, far) = (Play::new(), hop("far.test"));
    play.push(&far, 1, 0..100);
    play.start();
    play.schedule.opened(&far);
    play.now += PACE;
    assert_eq!(play.start().len(), 1);
    assert_eq!(play.schedule.unreachable(&far, play.now, 1), (Vec::new(), None));
    play.now += PACE;
    assert!(play.start().is_empty(), "no more than it takes");
    play.schedule.answered(&far, true, play.now);
    assert!(play.start().is_empty(), "for a while");
    play.now += CROWDED;
    play.schedule.answered(&far, true, play.now);
    assert_eq!(play.start().len(), 1);
}

#[test]
fn one_message_that_breaks_conversations_does_not_stop_the_hop() {
    let (mut play, far) = (Play::new(), hop("far.test"));
    play.push(&far, 1, 0..100);
    for _ in 0..10 {
        assert_eq!(play.start().len(), 1);
        play.schedule.opened(&far);
        assert_eq!(play.schedule.broke(&far, play.now, 1), (Vec::new(), None));
        play.now += PACE;
        assert_eq!(play.start().len(), 1);
        play.schedule.opened(&far);
        play.schedule.answered(&far, true, play.now);
        play.schedule.closed(&far);
        play.now += PACE;
    }
    for _ in 0..BREAKDOWNS - 1 {
        play.start();
        play.schedule.opened(&far);
        assert_eq!(play.schedule.broke(&far, play.now, 1).1, None);
        play.now += PACE;
    }
    play.start();
    assert!(play.schedule.broke(&far, play.now, 1).1.is_some(), "three in a row are the hop's fault");
}

#[test]
fn a_sender_of_thousands_does_not_delay_the_next_one() {
    let (mut play, far) = (Play::new(), hop("far.test"));
    play.push(&far, 1, 0..5000);
    let first = play.start();
    assert_eq!(first.len(), 1);
    play.schedule.opened(&far);
    play.push(&far, 2, [9000]);
    play.claim();
    let next: Vec<u32> = (0..4).filter_map(|_| play.schedule.take(&far)).collect();
    assert!(next.contains(&9000), "{next:?}");
    play.push(&far, 2, 9001..9004);
    play.claim();
    let next: Vec<u32> = (0..6).filter_map(|_| play.schedule.take(&far)).collect();
    assert_eq!(next.iter().filter(|message| **message > 9000).count(), 3, "they alternate: {next:?}");
}

#[test]
fn idle_connections_are_used_first() {
    let (mut play, far) = (Play::new(), hop("far.test"));
    play.push(&far, 1, [1]);
    play.start();
    play.schedule.opened(&far);
    play.schedule.answered(&far, true, play.now);
    assert_eq!(play.schedule.take(&far), None);
    play.schedule.idle(&far, true);
    play.now += PACE;
    play.push(&far, 1, [2]);
    assert!(play.start().is_empty());
    assert_eq!(play.schedule.take(&far), Some(2));
    play.schedule.idle(&far, false);
    play.schedule.closed(&far);
    play.schedule.tidy(play.now);
    assert!(play.schedule.hops.is_empty());
}

proptest! {
    /// Whatever hosts do, no limit is passed; and when all of them work in the end, everything is sent.
    #[test]
    fn nothing_is_forgotten_and_no_limit_passed(
        messages in proptest::collection::vec((0usize..5, 0i64..4), 1..300),
        fates in proptest::collection::vec(0u8..6, 0..400),
    ) {
        let names: Vec<NextHop> = (0..5).map(|n| hop(&format!("h{n}.test"))).collect();
        let mut play = Play::new();
        for (number, (name, account)) in messages.iter().enumerate() {
            play.push(&names[*name], *account, [number as u32]);
        }
        let mut sent = BTreeSet::new();
        let mut open: Vec<(NextHop, Option<u32>, bool)> = Vec::new();
        let mut fates = fates.into_iter();
        for _ in 0..20_000 {
            open.extend(play.start().into_iter().map(|(name, message)| (name, Some(message), false)));
            prop_assert!(open.len() <= MOST_CONNECTIONS);
            for name in &names {
                let to_it = open.iter().filter(|(to, ..)| to == name).count();
                prop_assert!(to_it <= MOST_CONNECTIONS_TO_HOP, "{to_it} connections to {name:?}");
            }
            if open.is_empty() {
                if sent.len() == messages.len() { break }
                play.wait();
                continue;
            }
            let (name, message, is_open) = open.remove(0);
            // Fates end; from then on all is well.
            let fate = fates.next().unwrap_or(5);
            let back = |play: &mut Play, mut messages: Vec<u32>| {
                messages.extend(message);
                for message in messages {
                    let account = play_account(message, &play.queue, &name);
                    play.push(&name, account, [message]);
                }
            };
            let (now, random) = (play.now, u64::from(fate));
            match (is_open, fate) {
                (false, 0 | 1) => {
                    let (messages, _) = play.schedule.unreachable(&name, now, random);
                    back(&mut play, messages);
                }
                (_, 2) => {
                    if !is_open { play.schedule.opened(&name) }
                    let (messages, _) = play.schedule.broke(&name, now, random);
                    back(&mut play, messages);
                }
                _ => {
                    if !is_open { play.schedule.opened(&name) }
                    sent.extend(message);
                    play.schedule.answered(&name, true, now);
                    match play.schedule.take(&name) {
                        Some(next) => open.push((name, Some(next), true)),
                        None => play.schedule.closed(&name),
                    }
                }
            }
            play.now += 1;
        }
        prop_assert_eq!(sent.len(), messages.len());
        prop_assert_eq!(play.schedule.connections, 0);
        prop_assert_eq!(play.schedule.ready, 0);
    }
}

/// Any of the senders of a hop will do for a message that goes back.
fn play_account(message: u32, queue: &BTreeMap<(NextHop, AccountId), BTreeSet<u32>>, name: &NextHop) -> i64 {
    let senders: Vec<i64> =
        queue.keys().filter(|(hop, _)| hop == name).map(|(_, account)| account.0).collect();
    senders.get(message as usize % senders.len().max(1)).copied().unwrap_or(0)
}
