//! Sets of ids as sorted, disjoint, inclusive ranges; packed for the journal.
//!
//! `STORE 1:100000` is one range of a few bytes, not 100,000 rows.

use crate::varint::{put_varint, take_varint};

/// A set of positive integers as ranges. Inserting in ascending order is O(1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet {
    ranges: Vec<(u64, u64)>,
}

impl IdSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// The set of all integers `first..=last`; empty if `first > last`.
    pub fn range(first: u64, last: u64) -> Self {
        let mut set = Self::new();
        set.insert_range(first, last);
        set
    }

    pub fn insert(&mut self, id: u64) {
        self.insert_range(id, id);
    }

    /// Adds `first..=last`, joining neighbours.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        match self.ranges.last_mut() {
            None => return self.ranges.push((first, last)),
            Some(tail) if first > tail.1.saturating_add(1) => {
                return self.ranges.push((first, last));
            }
            Some(tail) if first >= tail.0 => {
                tail.1 = tail.1.max(last);
                return;
            }
            Some(_) => {}
        }
        // Out of order: find every range that touches the new one and replace them by one.
        let start = self.ranges.partition_point(|r| r.1.saturating_add(1) < first);
        let end = self.ranges.partition_point(|r| r.0 <= last.saturating_add(1));
        let mut joined = (first, last);
        for range in &self.ranges[start..end] {
            joined.0 = joined.0.min(range.0);
            joined.1 = joined.1.max(range.1);
        }
        self.ranges.splice(start..end, [joined]);
    }

    pub fn extend(&mut self, other: &Self) {
        for &(first, last) in &other.ranges {
            self.insert_range(first, last);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Number of ids in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| (r.1 - r.0).saturating_add(1)).fold(0, u64::saturating_add)
    }

    pub fn contains(&self, id: u64) -> bool {
        let at = self.ranges.partition_point(|r| r.1 < id);
        self.ranges.get(at).is_some_and(|r| r.0 <= id)
    }

    /// The sorted, disjoint, inclusive ranges.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| first..=last)
    }

    pub fn min(&self) -> Option<u64> {
        self.ranges.first().map(|r| r.0)
    }

    pub fn max(&self) -> Option<u64> {
        self.ranges.last().map(|r| r.1)
    }

    /// Varint pairs of (gap since the previous range's end, length − 1).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.ranges.len() * 3);
        let mut previous = 0;
        for &(first, last) in &self.ranges {
            put_varint(&mut out, first - previous);
            put_varint(&mut out, last - first);
            previous = last;
        }
        out
    }

    /// Reads what [`IdSet::encode`] wrote; `None` if the bytes are damaged.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut set = Self::new();
        let mut previous = 0u64;
        while !bytes.is_empty() {
            let first = previous.checked_add(take_varint(&mut bytes)?)?;
            let last = first.checked_add(take_varint(&mut bytes)?)?;
            set.insert_range(first, last);
            previous = last;
        }
        Some(set)
    }
}

impl FromIterator<u64> for IdSet {
    fn from_iter<I: IntoIterator<Item = u64>>(ids: I) -> Self {
        let mut set = Self::new();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(ranges in proptest::collection::vec((1u64..300, 0u64..20), 0..40)) {
            let mut set = IdSet::new();
            let mut model = BTreeSet::new();
            for (first, length) in ranges {
                set.insert_range(first, first + length);
                model.extend(first..=first + length);
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert!((0..330).all(|id| set.contains(id) == model.contains(&id)));
            prop_assert!(set.ranges().windows(2).all(|w| w[0].1 + 1 < w[1].0));
            prop_assert_eq!(IdSet::decode(&set.encode()), Some(set));
        }

        #[test]
        fn damaged_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = IdSet::decode(&bytes);
        }
    }

    #[test]
    fn a_hundred_thousand_flag_changes_are_a_few_bytes() {
        assert!(IdSet::range(1, 100_000).encode().len() <= 4);
    }
}
