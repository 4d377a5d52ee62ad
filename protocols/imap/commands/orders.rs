//! Results in an order that are kept up to date: CONTEXT=SORT (RFC 5267 §4.3.3, §4.3.4). A client is told at which
//! positions of its list results go away and come in.
//!
//! E-mails never change, so two results never change places: what stays keeps its order.

use std::collections::{HashMap, HashSet};

use hub::{IdSet, SortCriterion, Uid};

use crate::encode::{self, Buffer};

/// Results of one ordered context at most: all are sorted again when some are added.
pub(super) const RESULT_LIMIT: usize = 20_000;

/// The order of a context's results, as the client knows them.
pub(super) struct Order {
    pub(super) criteria: Vec<SortCriterion>,
    pub(super) uids: Vec<Uid>,
}

/// Results that go away or come in side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Of the first one, counted from 1, when all runs before are dealt with.
    position: usize,
    uids: Vec<Uid>,
}

impl Order {
    /// Takes results out.
    pub(super) fn remove(&mut self, gone: &IdSet) -> Vec<Run> {
        let runs = runs(&self.uids, gone, |at, removed| at - removed);
        self.uids.retain(|uid| !gone.contains((*uid).into()));
        runs
    }

    /// Takes over what the results are now, in their order: `added`, and those that it had, without the ones that
    /// are gone though the client was not told yet.
    pub(super) fn insert(&mut self, sorted: Vec<Uid>, added: &IdSet) -> Vec<Run> {
        self.uids = with_untold(&self.uids, sorted);
        runs(&self.uids, added, |at, _| at)
    }
}

/// `sorted` with what is in `known` only, each behind the one that it is behind there.
fn with_untold(known: &[Uid], sorted: Vec<Uid>) -> Vec<Uid> {
    let present: HashSet<Uid> = sorted.iter().copied().collect();
    let mut behind: HashMap<Option<Uid>, Vec<Uid>> = HashMap::new();
    let mut last = None;
    for uid in known {
        match present.contains(uid) {
            true => last = Some(*uid),
            false => behind.entry(last).or_default().push(*uid),
        }
    }
    if behind.is_empty() {
        return sorted;
    }
    let mut all = behind.remove(&None).unwrap_or_default();
    for uid in sorted {
        all.push(uid);
        all.extend(behind.remove(&Some(uid)).unwrap_or_default());
    }
    all
}

/// The runs of those that are in `these`; `place` makes a position (from 0) of one in the list, and of how many
/// of these came before.
fn runs(uids: &[Uid], these: &IdSet, place: impl Fn(usize, usize) -> usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut count, mut goes_on) = (0, false);
    for (at, uid) in uids.iter().enumerate() {
        let is_one = these.contains((*uid).into());
        match runs.last_mut() {
            Some(run) if is_one && goes_on => run.uids.push(*uid),
            _ if is_one => runs.push(Run { position: place(at, count) + 1, uids: vec![*uid] }),
            _ => {}
        }
        count += usize::from(is_one);
        goes_on = is_one;
    }
    runs
}

/// `SP ("ADDTO" / "REMOVEFROM") SP "(" context-position SP sequence-set *(SP context-position SP sequence-set) ")"`
pub(super) fn write_runs(out: &mut Buffer, word: &str, runs: &[Run], number: impl Fn(Uid) -> u64) {
    for (n, Run { position, uids }) in runs.iter().enumerate() {
        match n {
            0 => out.extend_from_slice(format!(" {word} ({position} ").as_bytes()),
            _ => out.extend_from_slice(format!(" {position} ").as_bytes()),
        }
        encode::runs(out, uids.iter().map(|uid| number(*uid)));
    }
    if !runs.is_empty() {
        out.push(b')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(uids: &[Uid]) -> Order {
        Order { criteria: Vec::new(), uids: uids.to_vec() }
    }

    fn written(word: &str, runs: &[Run]) -> String {
        let mut out = Vec::new();
        write_runs(&mut out, word, runs, u64::from);
        String::from_utf8(out).expect("ASCII")
    }

    /// RFC 5267 §4.3.3: 2731:2733 come in before 2734:2735.
    #[test]
    fn rfc5267_4_3_3() {
        let mut order = order(&[2734, 2735]);
        let runs =
            order.insert(vec![2731, 2732, 2733, 2734, 2735], &[2731, 2732, 2733].into_iter().collect());
        assert_eq!(written("ADDTO", &runs), " ADDTO (1 2731:2733)");
    }

    #[test]
    fn positions_are_of_the_list_as_it_is_by_then() {
        let mut order = order(&[9, 4, 7, 2, 5]);
        let runs = order.remove(&[9, 7, 2].into_iter().collect());
        assert_eq!(
            (written("REMOVEFROM", &runs).as_str(), &order.uids[..]),
            (" REMOVEFROM (1 9 2 7,2)", &[4, 5][..])
        );
        let runs = order.insert(vec![8, 4, 3, 5, 1], &[8, 3, 1].into_iter().collect());
        assert_eq!(written("ADDTO", &runs), " ADDTO (1 8 3 3 5 1)");
        assert_eq!(written("ADDTO", &[]), "");
    }

    #[test]
    fn what_is_gone_untold_keeps_its_place() {
        let mut order = order(&[9, 4, 7, 2]);
        let runs = order.insert(vec![4, 8, 2, 3], &[8, 3].into_iter().collect());
        assert_eq!(order.uids, [9, 4, 7, 8, 2, 3]);
        assert_eq!(written("ADDTO", &runs), " ADDTO (4 8 6 3)");
    }

    proptest! {
        /// A client that does what it is told has the list that the server has.
        #[test]
        fn lists_are_followed(
            before in proptest::collection::btree_set(1u32..30, 0..20).prop_map(Vec::from_iter).prop_shuffle(),
            gone in proptest::collection::btree_set(1u64..30, 0..10),
            added in proptest::collection::vec((30u32..60, 0usize..20), 0..10),
        ) {
            let mut order = order(&before);
            let mut client = before;
            for Run { position, uids } in order.remove(&gone.into_iter().collect()) {
                prop_assert_eq!(&client[position - 1..position - 1 + uids.len()], &uids[..]);
                client.drain(position - 1..position - 1 + uids.len());
            }
            prop_assert_eq!(&client, &order.uids);
            let (mut after, mut new) = (client.clone(), IdSet::new());
            for (uid, at) in added {
                if !after.contains(&uid) {
                    after.insert(at.min(after.len()), uid);
                    new.insert(uid.into());
                }
            }
            for Run { position, uids } in order.insert(after, &new) {
                client.splice(position - 1..position - 1, uids);
            }
            prop_assert_eq!(&client, &order.uids);
        }
    }
}
