//! Small facts from the database, kept until a commit changes them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

/// Sum of the weights at most; a full cache starts over, which costs a read each.
const MOST: usize = 10_000;

/// Values by key. What was read before a change can never be put in after it: whoever reads takes
/// a ticket first, and a change makes all tickets worthless.
pub(crate) struct Cache<K, V> {
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    changes: u64,
    entries: HashMap<K, V>,
    /// Of everything put in since the cache was last empty.
    weight: usize,
}

/// The state of the cache when a read began.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new() -> Self {
        Self { inner: Mutex::new(Inner { changes: 0, entries: HashMap::new(), weight: 0 }) }
    }

    /// The value, or a ticket for putting it in.
    pub(crate) fn get(&self, key: &K) -> Result<V, Ticket> {
        let inner = crate::locked(&self.inner);
        inner.entries.get(key).cloned().ok_or(Ticket(inner.changes))
    }

    pub(crate) fn put(&self, ticket: Ticket, key: K, value: V) {
        self.put_weighted(ticket, key, value, 1);
    }

    /// Puts in a value that takes the place of `weight` usual ones.
    pub(crate) fn put_weighted(&self, ticket: Ticket, key: K, value: V, weight: usize) {
        let mut inner = crate::locked(&self.inner);
        if inner.changes != ticket.0 {
            return;
        }
        if inner.weight >= MOST {
            inner.entries.clear();
            inner.weight = 0;
        }
        inner.weight += weight;
        inner.entries.insert(key, value);
    }

    pub(crate) fn remove(&self, key: &K) {
        let mut inner = crate::locked(&self.inner);
        inner.changes += 1;
        inner.entries.remove(key);
    }

    pub(crate) fn clear(&self) {
        let mut inner = crate::locked(&self.inner);
        inner.changes += 1;
        inner.entries.clear();
        inner.weight = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let cache: Cache<u8, &str> = Cache::new();
        let ticket = cache.get(&1).expect_err("empty");
        cache.put(ticket, 1, "old");
        assert_eq!(cache.get(&1).ok(), Some("old"));
        let ticket = cache.get(&2).expect_err("not there");
        cache.remove(&1);
        cache.put(ticket, 2, "read before the change");
        assert!(cache.get(&1).is_err() && cache.get(&2).is_err());
    }
}
