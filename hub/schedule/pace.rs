//! How much mail about calendars one twin may cause in an hour. Mail that a person writes has limits of its own
//! where it comes in; this is written by the hub, for whoever can put an event into a calendar.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::{AccountId, locked};

/// Mails of one twin in an hour: two meetings of as many guests as there can be, or a few hundred small
/// ones. What is more waits for the next hour.
const MOST: u32 = 1_000;
const HOUR: i64 = 3_600;

/// The counts of this hour. They begin anew with the process.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Hour>);

#[derive(Default)]
struct Hour {
    number: i64,
    sent: HashMap<AccountId, u32>,
}

impl Pace {
    /// Counts one more mail, if there may be one.
    pub(super) fn take(&self, account: AccountId, now: i64) -> bool {
        let mut hour = locked(&self.0);
        let number = now.div_euclid(HOUR);
        if hour.number != number {
            *hour = Hour { number, sent: HashMap::new() };
        }
        let sent = hour.sent.entry(account).or_default();
        let may = *sent < MOST;
        *sent += u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_waits() {
        let (pace, now) = (Pace::default(), 100 * HOUR);
        let (one, other) = (AccountId(1), AccountId(2));
        for _ in 0..MOST {
            assert!(pace.take(one, now));
        }
        assert!(!pace.take(one, now + HOUR - 1) && pace.take(other, now));
        assert!(pace.take(one, now + HOUR));
    }
}
