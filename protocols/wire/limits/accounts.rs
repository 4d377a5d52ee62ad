//! Connections per account: enough for every client's habits, not for a runaway one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use super::lock;

/// How many logged-in connections each account has open at one door. `A` names an account.
#[derive(Clone, Debug)]
pub struct AccountPlaces<A>(Arc<Mutex<HashMap<A, usize>>>);

/// One connection of an account; dropping it frees the place.
#[derive(Debug)]
pub struct AccountPlace<A: Copy + Eq + Hash> {
    places: AccountPlaces<A>,
    account: A,
}

impl<A> Default for AccountPlaces<A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<A: Copy + Eq + Hash> AccountPlaces<A> {
    /// Takes a place unless the account has `most` already.
    pub fn take(&self, account: A, most: usize) -> Option<AccountPlace<A>> {
        let mut counts = lock(&self.0);
        let count = counts.get(&account).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        counts.insert(account, count + 1);
        Some(AccountPlace { places: Self(Arc::clone(&self.0)), account })
    }
}

impl<A: Copy + Eq + Hash> Drop for AccountPlace<A> {
    fn drop(&mut self) {
        let mut counts = lock(&self.places.0);
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
        let places = AccountPlaces::default();
        let first = places.take(1, 2).expect("first");
        let _second = places.take(1, 2).expect("second");
        assert!(places.take(1, 2).is_none());
        assert!(places.take(2, 2).is_some());
        assert!(places.take(3, 0).is_none());
        drop(first);
        assert!(places.take(1, 2).is_some());
        assert_eq!(lock(&places.0).len(), 1);
    }
}
