//! Sets of UIDs, put together and taken apart.

use std::ops::Range;

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

/// Of the members of these ranges, counted from 0, those at `window`, as ranges.
pub(crate) fn window(ranges: &[(u32, u32)], window: Range<usize>) -> Vec<(u32, u32)> {
    let mut before = 0;
    let mut cut = Vec::new();
    for &(first, last) in ranges {
        let length = (last - first) as usize + 1;
        let start = window.start.saturating_sub(before).min(length);
        let end = window.end.saturating_sub(before).min(length);
        if start < end {
            cut.push((first + start as u32, first + end as u32 - 1));
        }
        before += length;
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_cut_ranges(
            members in proptest::collection::btree_set(1u32..40, 0..20), start in 0usize..25, length in 0usize..25,
        ) {
            let ranges: IdSet = members.iter().map(|&id| u64::from(id)).collect();
            let ranges: Vec<(u32, u32)> =
                ranges.ranges().iter().map(|&(first, last)| (first as u32, last as u32)).collect();
            let cut = window(&ranges, start..start + length);
            let cut = cut.into_iter().flat_map(|(first, last)| first..=last);
            prop_assert!(cut.eq(members.iter().copied().skip(start).take(length)));
        }

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
