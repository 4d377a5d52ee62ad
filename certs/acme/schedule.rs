//! When to order and when to try again. Pure: the time is given.

use std::time::Duration;

use crate::der::Facts;

/// So long an authority that gave no advice is not asked for it.
pub(super) const NO_ADVICE: Duration = Duration::from_secs(86_400);

/// How bad a failure is, and so how long the pause after the first of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gravity {
    /// The authority was not reached, or something failed here.
    Unreachable,
    /// The authority said no. Some allow five failed validations an hour.
    Refused,
    RateLimited,
}

impl Gravity {
    fn first_pause(self) -> u64 {
        match self {
            Self::Unreachable => 60,
            Self::Refused => 10 * 60,
            Self::RateLimited => 60 * 60,
        }
    }
}

/// No pause is longer than this: half a day of a certificate's last weeks.
const LONGEST_PAUSE: u64 = 12 * 60 * 60;

/// The pauses of a row of failures: twice as long each time, with jitter, so that hubs that failed
/// together do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: i64,
}

impl Backoff {
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// What is left of the pause.
    pub(super) fn pause(&self, now: i64) -> Option<Duration> {
        (self.failures > 0 && self.until > now).then(|| within(self.until - now))
    }

    /// Begins the next pause.
    pub(super) fn failed(&mut self, now: i64, gravity: Gravity) -> Duration {
        let doubled = gravity.first_pause().saturating_mul(1 << self.failures.min(16));
        let pause = doubled.min(LONGEST_PAUSE);
        let mut random = [0; 2];
        // Without randomness the pause is a round one.
        let _ = getrandom::fill(&mut random);
        let pause = pause + pause / 10 * u64::from(u16::from_be_bytes(random)) / 65_536;
        self.failures += 1;
        self.until = now + pause as i64;
        Duration::from_secs(pause)
    }
}

/// Two thirds of the certificate's life, and a bit that its serial number decides: the same after
/// every restart, different for every hub.
pub(super) fn renewal(facts: &Facts) -> i64 {
    let life = (facts.not_after - facts.not_before).max(0);
    let two_thirds = facts.not_before + life * 2 / 3;
    pick(two_thirds, two_thirds + life / 30, &facts.serial)
}

/// A moment in a window (RFC 9773 §4.2 wants a random one), decided by the serial number, which is
/// random (RFC 5280 §4.1.2.2 and the rules of browsers).
pub(super) fn pick(start: i64, end: i64, serial: &[u8]) -> i64 {
    let tail = serial.iter().rev().take(4).fold(0i64, |sum, &byte| sum << 8 | i64::from(byte));
    let width = end.saturating_sub(start).max(0);
    start.saturating_add(((i128::from(width) * i128::from(tail)) >> 32) as i64)
}

/// How long advice is believed: what the authority says (RFC 9773 §4.3), within reason.
pub(super) fn advice_life(said: Duration) -> Duration {
    said.clamp(Duration::from_secs(60 * 60), Duration::from_secs(86_400))
}

pub(super) fn within(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn facts(serial: &[u8]) -> Facts {
        Facts {
            names: Vec::new(),
            addresses: Vec::new(),
            not_before: 1000 * DAY,
            not_after: 1090 * DAY,
            public_key: Vec::new(),
            serial: serial.to_vec(),
            authority_key: None,
        }
    }

    #[test]
    fn certificates_are_renewed_after_two_thirds_of_their_life() {
        assert_eq!(renewal(&facts(&[0; 16])), 1060 * DAY);
        let late = renewal(&facts(&[0xff; 16]));
        assert!(late > 1062 * DAY && late <= 1063 * DAY, "{late}");
        assert_eq!(renewal(&facts(&[])), 1060 * DAY);
        let backwards = Facts { not_after: 999 * DAY, ..facts(&[1]) };
        assert_eq!(renewal(&backwards), 1000 * DAY);
    }

    #[test]
    fn a_moment_in_the_window() {
        assert_eq!(pick(100, 200, &[0x80, 0, 0, 0]), 100, "the last octets come first");
        assert_eq!(pick(100, 200, &[0, 0, 0, 0x80]), 150);
        assert_eq!(pick(100, 50, &[0xff; 4]), 100);
        assert_eq!(pick(i64::MIN, i64::MAX, &[0; 4]), i64::MIN);
    }

    #[test]
    fn pauses_double_up_to_half_a_day() {
        for (gravity, first) in
            [(Gravity::Unreachable, 60), (Gravity::Refused, 600), (Gravity::RateLimited, 3600)]
        {
            let mut backoff = Backoff::default();
            assert_eq!(backoff.pause(0), None);
            let mut expected = first;
            for _ in 0..40 {
                let pause = backoff.failed(1000, gravity).as_secs();
                assert!((expected..=expected + expected / 10).contains(&pause), "{gravity:?} {pause}");
                assert_eq!(backoff.pause(1000), Some(Duration::from_secs(pause)));
                assert_eq!(backoff.pause(1000 + pause as i64), None);
                expected = (expected * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
