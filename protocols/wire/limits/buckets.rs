//! So many events in a time, counted for each of many at once (a token bucket each).
//!
//! A bucket is one moment: when it will be full again. Whoever waits is let in again by itself.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// `events` at once, and as many again in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub events: u32,
    pub period: Duration,
}

impl Rate {
    /// `None`, no limit, for 0.
    pub fn per_minute(events: u32) -> Option<Self> {
        Self::per(events, 60)
    }

    pub fn per_hour(events: u32) -> Option<Self> {
        Self::per(events, 3600)
    }

    pub fn per_day(events: u32) -> Option<Self> {
        Self::per(events, 24 * 3600)
    }

    fn per(events: u32, seconds: u64) -> Option<Self> {
        (events > 0).then_some(Self { events, period: Duration::from_secs(seconds) })
    }

    /// Time in which a bucket gets `count` events back.
    fn time(&self, count: u32) -> Duration {
        let nanos = self.period.as_nanos() * u128::from(count) / u128::from(self.events);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A bucket for each of those who are counted. The table has a fixed size (8,192 buckets, 128 KiB);
/// when a row of it is full, the bucket that is fullest gives way, so a flood of strangers frees none
/// of the worst.
pub struct Buckets {
    rate: Rate,
    hasher: RandomState,
    started: Instant,
    slots: Mutex<Box<[Slot]>>,
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Keyed hash of who it is about; nobody outside can make two collide on purpose.
    fingerprint: u64,
    /// When the bucket is full again, since `started`, in nanoseconds.
    full_at: u64,
}

const ROWS: usize = 2048;
const ROW: usize = 4;

impl Buckets {
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            hasher: RandomState::new(),
            started: Instant::now(),
            slots: Mutex::new(vec![Slot::default(); ROWS * ROW].into_boxed_slice()),
        }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes `count` events of `who`, or none and says how long it takes until there are so many.
    pub fn take(&self, who: impl Hash, count: u32) -> Result<(), Duration> {
        self.take_at(who, count, self.started.elapsed())
    }

    fn take_at(&self, who: impl Hash, count: u32, now: Duration) -> Result<(), Duration> {
        let fingerprint = self.hasher.hash_one(who).max(1); // 0 is an empty slot
        let now = nanos(now);
        let mut slots = lock(&self.slots);
        let start = (fingerprint % ROWS as u64) as usize * ROW;
        let row = &mut slots[start..start + ROW];
        let known = row.iter().position(|slot| slot.fingerprint == fingerprint);
        let full_at = known.map_or(now, |at| row[at].full_at.max(now));
        // More than a bucket holds is let through when it is full.
        let taken = nanos(self.rate.time(count.min(self.rate.events)));
        let latest = now.saturating_add(nanos(self.rate.period));
        let next = full_at.saturating_add(taken);
        if next > latest {
            return Err(Duration::from_nanos(next - latest));
        }
        let fullest = || (0..ROW).min_by_key(|&at| row[at].full_at);
        if let Some(at) = known.or_else(fullest) {
            row[at] = Slot { fingerprint, full_at: next };
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn buckets(events: u32, seconds: u64) -> Buckets {
        Buckets::new(Rate { events, period: Duration::from_secs(seconds) })
    }

    #[test]
    fn what_was_taken_comes_back() {
        let hourly = buckets(60, 3600);
        let at = Duration::from_secs;
        for n in 0..60 {
            assert_eq!(hourly.take_at("a", 1, at(0)), Ok(()), "{n}");
        }
        assert_eq!(hourly.take_at("a", 1, at(0)), Err(at(60)));
        assert_eq!(hourly.take_at("b", 1, at(0)), Ok(()), "somebody else");
        assert_eq!(hourly.take_at("a", 1, at(59)), Err(at(1)));
        assert_eq!(hourly.take_at("a", 1, at(60)), Ok(()));
        assert_eq!(hourly.take_at("a", 5, at(120)), Err(at(240)));
        assert_eq!(hourly.take_at("a", 1, at(120)), Ok(()), "who was refused lost nothing");
        assert_eq!(hourly.take_at("a", 60, at(10_000)), Ok(()));
        assert_eq!(hourly.take_at("c", 1_000, at(10_000)), Ok(()), "a full bucket is all there is");
        assert_eq!(hourly.take_at("c", 1, at(10_000)), Err(at(60)));
    }

    #[test]
    fn a_flood_of_strangers_does_not_free_the_worst() {
        let slow = buckets(2, 1_000_000);
        let now = Duration::from_secs(1);
        slow.take_at("worst", 2, now).expect("the first two");
        for n in 0..100_000u32 {
            let _ = slow.take_at(n, 1, now);
        }
        assert!(slow.take_at("worst", 1, now).is_err());
        assert_eq!(lock(&slow.slots).len(), ROWS * ROW);
    }

    proptest! {
        /// Between any two moments no more is taken than one bucket and what came back meanwhile.
        #[test]
        fn never_more_than_the_rate(
            events in 1u32..20,
            takes in proptest::collection::vec((0u64..3_000, 1u32..6), 1..80),
        ) {
            let buckets = buckets(events, 10);
            let mut now = 0u64;
            let mut taken: Vec<(u64, u32)> = Vec::new();
            for (pause, count) in takes {
                now += pause;
                let count = count.min(events);
                match buckets.take_at("x", count, Duration::from_millis(now)) {
                    Ok(()) => taken.push((now, count)),
                    Err(wait) => {
                        let later = Duration::from_millis(now) + wait;
                        let mut other = taken.clone();
                        other.push((later.as_millis() as u64, count));
                        prop_assert!(within(&other, events), "it could have been let in earlier or never");
                    }
                }
                prop_assert!(within(&taken, events), "{taken:?}");
            }
        }
    }

    /// In milliseconds, for a period of 10 seconds.
    fn within(taken: &[(u64, u32)], events: u32) -> bool {
        (0..taken.len()).all(|from| {
            let mut sum = 0;
            taken[from..].iter().all(|(at, count)| {
                sum += u64::from(*count);
                let back = (at - taken[from].0) * u64::from(events) / 10_000 + 1;
                sum <= u64::from(events) + back
            })
        })
    }
}
