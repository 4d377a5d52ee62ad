//! When to try again, and how long (pure).

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// Pauses after the first, second … attempt; the last one is repeated. One minute first: that is
/// what greylisting asks for.
const PAUSES: [i64; 7] = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];

/// RFC 5321 §4.5.4.1 asks for 4–5 days at least.
const GIVE_UP_AFTER: i64 = 5 * 24 * HOUR;
/// What has no sender to be told of its failure is mostly a report itself: it is of less worth, and
/// more often undeliverable.
const GIVE_UP_ON_REPORTS_AFTER: i64 = 2 * 24 * HOUR;
const TELL_DELAY_AFTER: i64 = 4 * HOUR;
/// How long a failure waits for those of the same message at other next hops, to be told with them. As
/// soon as each of these was tried, there is nothing to wait for.
const GATHER: i64 = 2 * MINUTE;
/// For the last attempt, at the end of a message's time, before it fails without one: its next hop
/// may be down and left alone.
const LAST_ATTEMPT: i64 = 15 * MINUTE;

/// The times of one message in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) attend_at: i64,
    pub(crate) expires_at: i64,
}

/// The times of a message that is queued now. `tell_delay`: its sender wants to know of a delay.
pub(crate) fn times(now: i64, has_sender: bool, tell_delay: bool, scale: f64) -> Times {
    let life = if has_sender { GIVE_UP_AFTER } else { GIVE_UP_ON_REPORTS_AFTER };
    let expires_at = now.saturating_add(scaled(life, scale));
    let attend_at = if has_sender && tell_delay { late_at(now, scale) } else { end(expires_at, scale) };
    Times { attend_at, expires_at }
}

/// When the sender is told that a message is late.
pub(crate) fn late_at(created_at: i64, scale: f64) -> i64 {
    created_at.saturating_add(scaled(TELL_DELAY_AFTER, scale))
}

/// Until when what fails now is told at the latest.
pub(crate) fn gathered(now: i64, scale: f64) -> i64 {
    now.saturating_add(scaled(GATHER, scale))
}

/// When a message fails even if no attempt was made at the end of its time.
pub(crate) fn end(expires_at: i64, scale: f64) -> i64 {
    expires_at.saturating_add(scaled(LAST_ATTEMPT, scale))
}

/// When to look after a message again whose recipients cannot be touched just now.
pub(crate) fn soon(now: i64, scale: f64) -> i64 {
    now.saturating_add(scaled(MINUTE, scale))
}

/// When to try again to report what could not be reported.
pub(crate) fn later(now: i64, scale: f64) -> i64 {
    now.saturating_add(scaled(HOUR, scale))
}

/// Unix time of the next attempt after `attempts` have failed; the last one is made when time is up,
/// not somewhat before. `seed` spreads what failed together by up to a tenth, so that it does not
/// come back together.
pub(crate) fn next_attempt(now: i64, expires_at: i64, attempts: u32, scale: f64, seed: u64) -> i64 {
    let pause = PAUSES[(attempts.max(1) as usize - 1).min(PAUSES.len() - 1)] as f64;
    let spread = (mix(seed ^ u64::from(attempts)) % 1000) as f64 / 10_000.0;
    let next = now.saturating_add(seconds(pause * (1.0 + spread) * scale));
    if next > expires_at && now < expires_at { expires_at } else { next }
}

/// Milliseconds that a next hop is left alone after the `failures`th failure in a row to reach it;
/// `random` (any number) spreads them. No longer than 30 minutes: that is what one more attempt costs.
pub(crate) fn hop_pause(failures: u32, scale: f64, random: u64) -> i64 {
    const LONGEST: usize = 3;
    let pause = PAUSES[(failures.max(1) as usize - 1).min(LONGEST)] as f64;
    let spread = (mix(random) % 1000) as f64 / 10_000.0;
    ((pause * 1000.0 * (1.0 + spread) * scale) as i64).max(50)
}

fn scaled(time: i64, scale: f64) -> i64 {
    seconds(time as f64 * scale)
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

    const DAY: i64 = 24 * HOUR;

    #[test]
    fn pauses_grow_to_four_hours() {
        for (attempts, minutes) in
            [(1, 1), (2, 5), (3, 15), (4, 30), (5, 60), (6, 120), (7, 240), (8, 240), (40, 240)]
        {
            let least = minutes * 60;
            let next = next_attempt(0, 5 * DAY, attempts, 1.0, 7);
            assert!((least..=least + least / 10 + 1).contains(&next), "{attempts}: {next}");
        }
    }

    #[test]
    fn five_days_are_enough() {
        assert_eq!(next_attempt(5 * DAY - 10, 5 * DAY, 30, 1.0, 0), 5 * DAY, "one last attempt");
        let times = std::iter::successors(Some((0, 1)), |&(now, attempts)| {
            let next = next_attempt(now, 5 * DAY, attempts, 1.0, 3);
            (now < 5 * DAY).then_some((next, attempts + 1))
        });
        assert!((30..=40).contains(&times.count()));
    }

    #[test]
    fn what_has_no_sender_has_less_time() {
        let of_user = times(1000, true, true, 1.0);
        assert_eq!(of_user, Times { attend_at: 1000 + 4 * HOUR, expires_at: 1000 + 5 * DAY });
        let of_report = times(1000, false, true, 1.0);
        assert_eq!(of_report.expires_at, 1000 + 2 * DAY);
        assert_eq!(of_report.attend_at, 1000 + 2 * DAY + LAST_ATTEMPT, "nobody to tell of a delay");
        assert_eq!(times(0, true, false, 1.0).attend_at, 5 * DAY + LAST_ATTEMPT, "NOTIFY without DELAY");
    }

    #[test]
    fn messages_that_failed_together_spread() {
        let times: std::collections::HashSet<_> =
            (0..100).map(|seed| next_attempt(0, DAY, 7, 1.0, seed)).collect();
        assert!(times.len() > 50);
    }

    #[test]
    fn the_clock_scale_shortens_everything() {
        assert_eq!(next_attempt(0, 100, 1, 0.001, 0), 1);
        assert_eq!(times(0, true, true, 0.001), Times { attend_at: 15, expires_at: 432 });
        assert_eq!(hop_pause(1, 0.0, 0), 50);
    }

    #[test]
    fn a_next_hop_is_left_alone_for_half_an_hour_at_most() {
        for (failures, minutes) in [(1, 1), (2, 5), (3, 15), (4, 30), (90, 30)] {
            let least = minutes * 60_000;
            assert!((least..=least + least / 10).contains(&hop_pause(failures, 1.0, 9)), "{failures}");
        }
    }
}
