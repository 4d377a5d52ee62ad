//! Connections per account: enough for every client's habits, not for a runaway one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hub::AccountId;

/// How many connections each account has open.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<AccountId, usize>>>);

/// One connection of an account; dropping it frees the place.
pub(crate) struct Place {
    places: Places,
    account: AccountId,
}

impl Places {
    /// Takes a place unless the account has `most` already.
    pub(crate) fn take(&self, account: AccountId, most: usize) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), account })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_freed() {
        let places = Places::default();
        let (one, other) = (AccountId(1), AccountId(2));
        let first = places.take(one, 2).expect("first");
        let _second = places.take(one, 2).expect("second");
        assert!(places.take(one, 2).is_none());
        assert!(places.take(other, 2).is_some());
        drop(first);
        assert!(places.take(one, 2).is_some());
        assert_eq!(places.0.lock().expect("no panic").len(), 1);
    }
}
