//! What has left a mailbox while it was open: a client that comes back after a minute is told of it from
//! memory.

use std::collections::VecDeque;

use hub_storage::{IdSet, Modseq};

/// Ranges of UIDs remembered at most, 16 bytes each. Then the oldest are forgotten.
const MOST: usize = 4096;

#[derive(Default)]
pub(crate) struct Removals {
    /// What left up to here is not known.
    since: Modseq,
    /// In the order of commits.
    sets: VecDeque<(Modseq, IdSet)>,
    ranges: usize,
}

impl Removals {
    /// Of a mailbox as it was read at `modseq`.
    pub(crate) fn new(modseq: Modseq) -> Self {
        Self { since: modseq, ..Self::default() }
    }

    pub(crate) fn note(&mut self, modseq: Modseq, uids: &IdSet) {
        self.ranges += uids.ranges().len();
        self.sets.push_back((modseq, uids.clone()));
        while self.ranges > MOST
            && let Some((modseq, uids)) = self.sets.pop_front()
        {
            self.ranges -= uids.ranges().len();
            self.since = modseq;
        }
    }

    /// What left after `modseq`; `None` if that is too long ago.
    pub(crate) fn after(&self, modseq: Modseq) -> Option<IdSet> {
        let mut all = IdSet::new();
        let later = self.sets.iter().rev().take_while(|(at, _)| *at > modseq);
        later.for_each(|(_, uids)| all.extend(uids));
        (modseq >= self.since).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut removals = Removals::new(10);
        removals.note(11, &IdSet::range(1, 2));
        removals.note(11, &IdSet::range(7, 7));
        removals.note(13, &IdSet::range(4, 4));
        let check = |removals: &Removals, since, expected: Option<&[(u64, u64)]>| {
            let after = removals.after(since);
            assert_eq!(after.as_ref().map(IdSet::ranges), expected, "{since}");
        };
        check(&removals, 9, None);
        check(&removals, 10, Some(&[(1, 2), (4, 4), (7, 7)]));
        check(&removals, 11, Some(&[(4, 4)]));
        check(&removals, 13, Some(&[]));
        let scattered: IdSet = (0..MOST as u64 - 1).map(|n| 100 + 2 * n).collect();
        removals.note(14, &scattered);
        check(&removals, 10, None);
        check(&removals, 11, Some([&[(4, 4)], scattered.ranges()].concat().as_slice()));
        removals.note(15, &IdSet::range(1_000_000, 1_000_001));
        check(&removals, 12, None);
        check(&removals, 14, Some(&[(1_000_000, 1_000_001)]));
    }
}
