//! Sets of UIDs, put together and taken apart.

use hub::IdSet;

/// The ids in both sets.
pub(crate) fn both(a: &IdSet, b: &IdSet) -> IdSet {
    let (mut left, mut right) = (a.ranges(), b.ranges());
    let mut both = IdSet::new();
    while let (Some(&(a_first, a_last)), Some(&(b_first, b_last))) = (left.first(), right.first()) {
        both.insert_range(a_first.max(b_first), a_last.min(b_last));
        if a_last < b_last {
            left = &left[1..];
        } else {
            right = &right[1..];
        }
    }
    both
}

/// The ids in `a` that are not in `b`.
pub(crate) fn without(a: &IdSet, b: &IdSet) -> IdSet {
    let mut gaps = IdSet::new();
    let mut next = 0;
    for &(first, last) in b.ranges() {
        if first > next {
            gaps.insert_range(next, first - 1);
        }
        next = last.saturating_add(1);
    }
    gaps.insert_range(next, u64::MAX);
    both(a, &gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sets_meet_and_part(
            a in proptest::collection::btree_set(1u64..60, 0..30), b in proptest::collection::btree_set(1u64..60, 0..30),
        ) {
            let (x, y): (IdSet, IdSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert!(both(&x, &y).iter().eq(a.intersection(&b).copied()));
            prop_assert!(without(&x, &y).iter().eq(a.difference(&b).copied()));
        }
    }
}
