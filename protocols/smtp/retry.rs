//! When to try again (pure).

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Pauses after the first, second … attempt; the last one is repeated. One minute first: that is
/// what greylisting asks for.
const PAUSES: [u64; 8] = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR];

/// RFC 5321 §4.5.4.1 asks for 4–5 days at least.
const GIVE_UP_AFTER: u64 = 5 * 24 * HOUR;

/// Unix time of the next attempt, after `attempts` have failed; `None` when it is time to give up.
/// `seed` spreads what failed together by up to a tenth, so that it does not come back together.
pub(crate) fn next_attempt(now: i64, created_at: i64, attempts: u32, scale: f64, seed: u64) -> Option<i64> {
    let end = created_at.saturating_add(seconds(GIVE_UP_AFTER as f64 * scale));
    if now >= end {
        return None;
    }
    let last = PAUSES.len() - 1;
    let pause = PAUSES[(attempts.max(1) as usize - 1).min(last)] as f64;
    let spread = (mix(seed ^ u64::from(attempts)) % 1000) as f64 / 10_000.0;
    // The last attempt is made when time is up, not somewhat before.
    Some(now.saturating_add(seconds(pause * (1.0 + spread) * scale)).min(end))
}

/// A time of this module under the clock scale, at least 50 ms.
pub(crate) fn scaled(time: Duration, scale: f64) -> Duration {
    time.mul_f64(scale.clamp(0.0, 1000.0)).max(Duration::from_millis(50))
}

/// Whole seconds, at least one.
fn seconds(seconds: f64) -> i64 {
    (seconds.ceil() as i64).max(1)
}

/// SplitMix64's finaliser: neighbouring seeds give unrelated numbers.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_four_hours() {
        for (attempts, minutes) in
            [(1, 1), (2, 5), (3, 15), (4, 30), (5, 60), (6, 120), (7, 240), (8, 240), (40, 240)]
        {
            let least = minutes * 60;
            let next = next_attempt(0, 0, attempts, 1.0, 7).expect("not yet");
            assert!((least..=least + least / 10 + 1).contains(&next), "{attempts}: {next}");
        }
    }

    #[test]
    fn five_days_are_enough() {
        let day = 24 * 3600;
        assert_eq!(next_attempt(5 * day, 0, 30, 1.0, 0), None);
        assert_eq!(next_attempt(5 * day - 10, 0, 30, 1.0, 0), Some(5 * day), "one last attempt");
        let attempts = std::iter::successors(Some((0, 1)), |&(now, attempts)| {
            next_attempt(now, 0, attempts, 1.0, 3).map(|next| (next, attempts + 1))
        });
        assert!((30..=40).contains(&attempts.count()));
    }

    #[test]
    fn messages_that_failed_together_spread() {
        let times: std::collections::HashSet<_> =
            (0..100).map(|seed| next_attempt(0, 0, 7, 1.0, seed)).collect();
        assert!(times.len() > 50);
    }

    #[test]
    fn the_clock_scale_shortens_everything() {
        assert_eq!(next_attempt(0, 0, 1, 0.001, 0), Some(1));
        assert_eq!(next_attempt(500, 0, 1, 0.001, 0), None);
        assert_eq!(scaled(Duration::from_secs(60), 0.1), Duration::from_secs(6));
        assert_eq!(scaled(Duration::from_secs(1), 0.0), Duration::from_millis(50));
    }
}
