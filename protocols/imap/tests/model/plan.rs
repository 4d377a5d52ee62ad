//! What the sessions do.

use proptest::prelude::*;

use crate::mailbox::{Change, Flags};

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) session: usize,
    pub(crate) act: Act,
}

/// Messages by sequence number or by UID. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) uid: bool,
    pub(crate) ranges: Vec<(u32, u32)>,
}

/// `UNCHANGEDSINCE`: without it, with a modseq that lets all be changed, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    Always,
    Now,
    Never,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Append { mailbox: usize, count: usize, flags: Flags },
    Close,
    Copy { set: Set, mailbox: usize },
    Expunge,
    Fetch { set: Set, what: &'static str },
    Idle,
    Move { set: Set },
    Noop,
    Search { uid: bool, key: &'static str },
    Select { mailbox: usize, read_only: bool },
    Store { set: Set, change: Change, silent: bool, flags: Flags, since: Since },
    UidExpunge { set: Set },
    Unselect,
}

pub(crate) fn step(sessions: usize) -> impl Strategy<Value = Step> {
    (0..sessions, act()).prop_map(|(session, act)| Step { session, act })
}

fn act() -> impl Strategy<Value = Act> {
    let change = prop_oneof![Just(Change::Add), Just(Change::Remove), Just(Change::Replace)];
    let since = prop_oneof![4 => Just(Since::Always), 1 => Just(Since::Now), 1 => Just(Since::Never)];
    // One that looks at flags, one that does not, one that sets \Seen.
    let what = prop::sample::select(vec!["FLAGS", "RFC822.SIZE", "BODY[TEXT]"]);
    let key = prop::sample::select(vec!["ALL", "SEEN", "DELETED", "NOT FLAGGED", "KEYWORD word"]);
    prop_oneof![
        6 => (0usize..2, 1usize..4, flags()).prop_map(|(mailbox, count, flags)| Act::Append { mailbox, count, flags }),
        1 => Just(Act::Close),
        2 => (set(), 0usize..2).prop_map(|(set, mailbox)| Act::Copy { set, mailbox }),
        3 => Just(Act::Expunge),
        4 => (set(), what).prop_map(|(set, what)| Act::Fetch { set, what }),
        2 => Just(Act::Idle),
        2 => set().prop_map(|set| Act::Move { set }),
        4 => Just(Act::Noop),
        3 => (any::<bool>(), key).prop_map(|(uid, key)| Act::Search { uid, key }),
        2 => (0usize..2, any::<bool>()).prop_map(|(mailbox, read_only)| Act::Select { mailbox, read_only }),
        6 => (set(), change, any::<bool>(), flags(), since)
            .prop_map(|(set, change, silent, flags, since)| Act::Store { set, change, silent, flags, since }),
        1 => set().prop_map(|set| Act::UidExpunge { set: Set { uid: true, ..set } }),
        1 => Just(Act::Unselect),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    let ranges = proptest::collection::vec((0u32..12, 0u32..12), 1..3);
    (any::<bool>(), ranges).prop_map(|(uid, ranges)| Set { uid, ranges })
}

/// \Deleted is likely, so that EXPUNGE has something to do.
fn flags() -> impl Strategy<Value = Flags> {
    let flag = prop::sample::select(vec!["\\Deleted", "\\Deleted", "\\Seen", "\\Flagged", "word", "other"]);
    proptest::collection::btree_set(flag.prop_map(str::to_owned), 0..3)
}
