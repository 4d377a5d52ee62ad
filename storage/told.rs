//! Changes of flags alone are told before they are written.
//!
//! Whoever has a mailbox in memory knows what such a change does, and nobody must wait until the
//! database does as well. So the writer asks it, publishes the change and answers; the next commit
//! begins with all that was told before, and comes within [`SOON`]. A crash can take the changes of
//! that time, whose loss costs nobody more than to make them again.
//!
//! Only on SQLite, where nobody else writes, so that counters are known without asking.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::changes::{Change, Kind};
use crate::db::{Value, values};
use crate::known::Known;
use crate::mail::change::{UPDATE_FLAGS, change_flags};
use crate::tx::Tx;
use crate::{AccountId, Edit, Error, Flags, IdSet, MailboxId, Modseq, Result};

/// How long a change may stay unwritten.
const SOON: Duration = Duration::from_millis(100);
/// How long until a commit that failed is tried again, unless there is another.
const AGAIN: Duration = Duration::from_secs(1);
/// Messages whose changes may wait; with more they are written at once, so that whoever changes all
/// flags of large mailboxes again and again keeps the writer only as long as it waits itself: some 150 ms.
const MOST: u64 = 1 << 17;

/// A change of flags of messages in one mailbox.
#[derive(Clone, Debug)]
pub struct FlagEdit {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub uids: IdSet,
    pub set: Flags,
    pub clear: Flags,
    /// Only messages whose modseq is not above it.
    pub unchanged_since: Option<Modseq>,
}

/// What a [`FlagEdit`] does to a mailbox as it is now.
pub struct Foreseen {
    /// UIDs that are newer than they may be.
    pub failed: IdSet,
    /// Some messages get other flags.
    pub changes: bool,
    /// How many messages more are without `\Seen`.
    pub unseen: i64,
    /// Keeps the mailbox in memory until the database is as new.
    pub mailbox: Arc<dyn Any + Send + Sync>,
}

/// Who has mailboxes in memory.
pub trait Listener: Send + Sync {
    /// Called after each commit, before anything in it is acknowledged; and before one for what is
    /// foreseen.
    fn committed(&self, changes: Vec<Change>);

    /// What `edit` does, if the mailbox is in memory and as of the last change.
    fn foresee(&self, edit: &FlagEdit) -> Option<Foreseen>;
}

/// What was told and is not committed yet, in order.
pub(crate) struct Told {
    edits: Vec<Waiting>,
    messages: u64,
    since: Option<Instant>,
    /// A commit with them has failed. They are written before anything else.
    is_late: bool,
    /// True while there are some; for those who read what they change.
    any: Arc<AtomicBool>,
}

struct Waiting {
    edit: FlagEdit,
    modseq: Modseq,
    /// It is several changes of the same messages. Whose flags come out as they were has had others
    /// meanwhile, and whoever has seen those must hear of it.
    is_folded: bool,
    _mailbox: Arc<dyn Any + Send + Sync>,
}

impl Waiting {
    /// True if the later `edit` can be made one with it: it is about just the same messages.
    fn takes(&self, edit: &FlagEdit) -> bool {
        let unconditional = self.edit.unchanged_since.or(edit.unchanged_since).is_none();
        let same_place = (self.edit.account, self.edit.mailbox) == (edit.account, edit.mailbox);
        unconditional && same_place && self.edit.uids == edit.uids
    }

    fn fold(&mut self, edit: &FlagEdit, modseq: Modseq) {
        (self.edit.set, self.edit.clear) = folded((self.edit.set, self.edit.clear), (edit.set, edit.clear));
        (self.modseq, self.is_folded) = (modseq, true);
    }
}

/// One change (set, clear) that does what `first` and `then` do one after the other; what is both set
/// and cleared is set.
fn folded(first: (Flags, Flags), then: (Flags, Flags)) -> (Flags, Flags) {
    ((first.0 & !then.1) | then.0, first.1 | then.1)
}

impl Told {
    pub(crate) fn new(any: Arc<AtomicBool>) -> Self {
        Self { edits: Vec::new(), messages: 0, since: None, is_late: false, any }
    }

    /// When they must be written; `None` if there are none.
    pub(crate) fn due(&self) -> Option<Instant> {
        let wait = match self.is_late {
            true => AGAIN,
            false if self.messages >= MOST => Duration::ZERO,
            false => SOON,
        };
        self.since.map(|since| since + wait)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Publishes what `edit` does and returns the UIDs that failed its test; `None` if that cannot be
    /// told beforehand.
    pub(crate) fn tell(
        &mut self,
        edit: &FlagEdit,
        known: &mut Known,
        listener: &dyn Listener,
    ) -> Option<IdSet> {
        if self.is_late {
            return None;
        }
        let (account, mailbox) = (edit.account, edit.mailbox);
        let foreseen = listener.foresee(edit)?;
        if !foreseen.changes {
            return Some(foreseen.failed);
        }
        let counters = known.count_flags((account, mailbox), foreseen.unseen)?;
        let modseq = counters.modseq;
        let FlagEdit { set, clear, unchanged_since, .. } = *edit;
        let flags = Edit::Flags { uids: edit.uids.clone(), set, clear, unchanged_since };
        listener.committed(vec![
            Change::Messages { account, mailbox, modseq, edit: flags },
            Change::Counters { account, counters },
        ]);
        self.since.get_or_insert_with(Instant::now);
        self.any.store(true, Ordering::Release);
        match self.edits.last_mut() {
            Some(last) if last.takes(edit) => last.fold(edit, modseq),
            _ => {
                self.messages = self.messages.saturating_add(edit.uids.len());
                let (edit, mailbox) = (edit.clone(), foreseen.mailbox);
                self.edits.push(Waiting { edit, modseq, is_folded: false, _mailbox: mailbox });
            }
        }
        Some(foreseen.failed)
    }

    /// Puts them at the head of a transaction.
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<()> {
        if self.is_late {
            return self.write_late(tx).await;
        }
        let mut batch = Batch::default();
        for waiting in &self.edits {
            let edit = &waiting.edit;
            let (account, mailbox) = (edit.account, edit.mailbox);
            tx.take_known(account, mailbox);
            tx.journal(account, Kind::Uid, mailbox.0, IdSet::new(), edit.uids.clone(), IdSet::new());
            if batch.touches(edit) {
                std::mem::take(&mut batch).defer(tx);
            }
            batch.add(waiting);
        }
        batch.defer(tx);
        Ok(())
    }

    /// Counters are those of the database again, so everything is found out anew. Nothing has been
    /// told or committed since, so the modseqs become those that were told, or higher.
    async fn write_late(&self, tx: &mut Tx) -> Result<()> {
        let accounts = self.edits.iter().map(|waiting| waiting.edit.account).collect();
        tx.look_ahead(accounts, Vec::new(), &[]).await?;
        for Waiting { edit, modseq, is_folded, .. } in &self.edits {
            tx.go_on_from(edit.account, *modseq);
            let FlagEdit { account, mailbox, ref uids, set, clear, unchanged_since } = *edit;
            let all = set | clear;
            let steps = match is_folded {
                // To and fro, so that each message gets another modseq.
                true => vec![(all, Flags::NONE), (Flags::NONE, all), (set, Flags::NONE)],
                false => vec![(set, clear)],
            };
            for (set, clear) in steps {
                match change_flags(tx, account, mailbox, uids, set, clear, unchanged_since).await {
                    Ok(_) | Err(Error::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The transaction was committed.
    pub(crate) fn written(&mut self) {
        self.edits.clear();
        (self.messages, self.since, self.is_late) = (0, None, false);
        self.any.store(false, Ordering::Release);
    }

    /// The transaction has failed.
    pub(crate) fn failed(&mut self) {
        if self.edits.is_empty() {
            return;
        }
        self.is_late = true;
        self.since = Some(Instant::now());
    }
}

/// Changes of which no two touch the same message: of several rows that fit one, a statement would
/// take any.
#[derive(Default)]
struct Batch<'a> {
    edits: Vec<&'a FlagEdit>,
    rows: Vec<Vec<Value>>,
}

impl<'a> Batch<'a> {
    fn touches(&self, edit: &FlagEdit) -> bool {
        let place = (edit.account, edit.mailbox);
        let mut same = self.edits.iter().filter(|other| (other.account, other.mailbox) == place);
        same.any(|other| overlap(other.uids.ranges(), edit.uids.ranges()))
    }

    fn add(&mut self, Waiting { edit, modseq, is_folded, .. }: &'a Waiting) {
        let since = edit.unchanged_since.unwrap_or(i64::MAX as u64);
        let row = |&(first, last): &(u64, u64)| {
            values![edit.account, edit.mailbox, first, last, since, edit.set, edit.clear, *modseq, *is_folded]
        };
        self.rows.extend(edit.uids.ranges().iter().map(row));
        self.edits.push(edit);
    }

    fn defer(self, tx: &mut Tx) {
        tx.connection.defer_many(UPDATE_FLAGS, self.rows);
    }
}

/// True if two lists of ascending ranges have a number in common.
fn overlap(mut a: &[(u64, u64)], mut b: &[(u64, u64)]) -> bool {
    while let (Some((x, more_x)), Some((y, more_y))) = (a.split_first(), b.split_first()) {
        if x.0 <= y.1 && y.0 <= x.1 {
            return true;
        }
        if x.1 < y.1 { a = more_x } else { b = more_y }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = IdSet> {
        proptest::collection::vec((1u64..40, 0u64..4), 0..5).prop_map(|ranges| {
            let mut set = IdSet::new();
            ranges.into_iter().for_each(|(first, more)| set.insert_range(first, first + more));
            set
        })
    }

    fn changed(flags: u8, (set, clear): (Flags, Flags)) -> u8 {
        (flags & !clear.0 as u8) | set.0 as u8
    }

    proptest! {
        #[test]
        fn folded_changes_do_what_both_do(flags: u8, a: (u8, u8), b: (u8, u8)) {
            let edit = |(set, clear): (u8, u8)| (Flags(set.into()), Flags(clear.into()));
            let (a, b) = (edit(a), edit(b));
            prop_assert_eq!(changed(flags, folded(a, b)), changed(changed(flags, a), b));
        }

        #[test]
        fn overlaps_are_found(a in set(), b in set()) {
            prop_assert_eq!(overlap(a.ranges(), b.ranges()), a.iter().any(|id| b.contains(id)));
        }
    }
}
