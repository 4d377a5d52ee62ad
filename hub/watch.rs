//! What happens in an account, gathered for a session until it asks: which mailboxes, not what in
//! them, so that a session that sleeps costs little however much happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, Weak};

use hub_storage::{Change, Edit, metadata};
use tokio::sync::Notify;

use crate::{Account, AccountId, MailboxId};

/// Mailboxes and annotations gathered at most; beyond that only the overflow is known.
const MOST: usize = 2_000;

/// What has happened since it was last asked for.
#[derive(Debug, Default)]
pub struct Happenings {
    /// Mailboxes whose messages are other than before.
    pub messages: BTreeMap<MailboxId, MessagesHappened>,
    /// Names or subscriptions of mailboxes are other than before.
    pub mailboxes: bool,
    /// Calendars, address books, files, or what lies in them.
    pub objects: bool,
    /// Annotations that were set or removed; without mailbox, of the account.
    pub metadata: BTreeSet<(Option<MailboxId>, String)>,
    /// More has happened than was gathered.
    pub overflow: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessagesHappened {
    pub added: bool,
    pub removed: bool,
    pub flags: bool,
}

/// A session's eye on its account; dropping it ends the watching.
pub struct Watch {
    gathered: Arc<Gathered>,
}

#[derive(Default)]
struct Gathered {
    happenings: Mutex<Happenings>,
    wake: Notify,
}

/// All watches, by account.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<AccountId, Vec<Weak<Gathered>>>>);

impl Account {
    /// Begins to gather what happens in the account, in this session or others.
    pub fn watch(&self) -> Watch {
        self.hub.0.watches.watch(self.id)
    }
}

impl Watch {
    /// Waits until something has happened that was not taken yet.
    pub async fn happened(&self) {
        while crate::locked(&self.gathered.happenings).is_empty() {
            self.gathered.wake.notified().await;
        }
    }

    /// Takes what has happened since the last time.
    pub fn take(&self) -> Happenings {
        std::mem::take(&mut crate::locked(&self.gathered.happenings))
    }

    /// Passes over annotations that this session has set itself.
    pub fn forget_metadata(&self, of: Option<MailboxId>, entries: &[String]) {
        let mut happenings = crate::locked(&self.gathered.happenings);
        for entry in entries {
            happenings.metadata.remove(&(of, entry.clone()));
        }
    }
}

impl Watches {
    fn watch(&self, account: AccountId) -> Watch {
        let gathered = Arc::new(Gathered::default());
        let mut watches = crate::locked(&self.0);
        let eyes = watches.entry(account).or_default();
        // Where nothing happens, nobody else notices who has gone.
        eyes.retain(|eye| eye.strong_count() > 0);
        eyes.push(Arc::downgrade(&gathered));
        Watch { gathered }
    }

    /// Tells the watches of the accounts that these changes are about.
    pub(crate) fn note(&self, changes: &[Change]) {
        let mut watches = crate::locked(&self.0);
        if watches.is_empty() {
            return;
        }
        for change in changes {
            let account = match change {
                Change::Collections(account)
                | Change::Files { account, .. }
                | Change::Items { account, .. }
                | Change::Mailboxes(account)
                | Change::Messages { account, .. }
                | Change::Metadata { account, .. } => account,
                Change::Account(_)
                | Change::Counters { .. }
                | Change::Aliases
                | Change::Domains
                | Change::Keywords(_)
                | Change::MailboxDeleted { .. }
                | Change::Queue { .. }
                | Change::Scripts(_)
                | Change::Tokens(_) => continue,
            };
            let Some(eyes) = watches.get_mut(account) else { continue };
            eyes.retain(|eye| match eye.upgrade() {
                Some(gathered) => {
                    crate::locked(&gathered.happenings).add(change);
                    gathered.wake.notify_one();
                    true
                }
                None => false,
            });
            if eyes.is_empty() {
                watches.remove(account);
            }
        }
    }
}

impl Happenings {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && !self.mailboxes
            && !self.objects
            && self.metadata.is_empty()
            && !self.overflow
    }

    fn add(&mut self, change: &Change) {
        match change {
            Change::Collections(_) | Change::Files { .. } | Change::Items { .. } => self.objects = true,
            Change::Mailboxes(_) => self.mailboxes = true,
            Change::Messages { mailbox, edit, .. } => {
                let happened = self.messages.entry(*mailbox).or_default();
                match edit {
                    Edit::Added(_) => happened.added = true,
                    Edit::Flags { .. } => happened.flags = true,
                    Edit::Removed(_) => happened.removed = true,
                }
            }
            Change::Metadata { mailbox, entries, .. } => {
                let of = Some(*mailbox).filter(|mailbox| *mailbox != metadata::OF_ACCOUNT);
                self.metadata.extend(entries.iter().map(|entry| (of, entry.clone())));
            }
            Change::Account(_)
            | Change::Counters { .. }
            | Change::Aliases
            | Change::Domains
            | Change::Keywords(_)
            | Change::MailboxDeleted { .. }
            | Change::Queue { .. }
            | Change::Scripts(_)
            | Change::Tokens(_) => {}
        }
        if self.messages.len() + self.metadata.len() > MOST {
            *self = Self { overflow: true, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_storage::IdSet;

    const ALICE: AccountId = AccountId(1);

    fn removed(account: AccountId, mailbox: i64) -> Change {
        let edit = Edit::Removed(IdSet::range(1, 2));
        Change::Messages { account, mailbox: MailboxId(mailbox), modseq: 1, edit }
    }

    #[tokio::test]
    async fn what_happens_is_gathered_until_it_is_taken() {
        let watches = Watches::default();
        let (eye, other) = (watches.watch(ALICE), watches.watch(AccountId(2)));
        let entry = "/private/comment".to_owned();
        let of_account =
            Change::Metadata { account: ALICE, mailbox: metadata::OF_ACCOUNT, entries: vec![entry.clone()] };
        watches.note(&[removed(ALICE, 3), removed(ALICE, 3), Change::Mailboxes(ALICE), of_account]);
        eye.happened().await;
        let news = eye.take();
        assert_eq!(
            news.messages.into_iter().collect::<Vec<_>>(),
            [(MailboxId(3), MessagesHappened { removed: true, ..Default::default() })]
        );
        assert!(news.mailboxes && news.metadata.contains(&(None, entry)));
        assert!(eye.take().is_empty() && other.take().is_empty());
        drop(eye);
        watches.note(&[Change::Mailboxes(ALICE)]);
        assert_eq!(crate::locked(&watches.0).len(), 1, "nobody looks at alice any more");
    }

    #[test]
    fn who_has_gone_is_forgotten_where_nothing_happens() {
        let watches = Watches::default();
        let _eye = watches.watch(ALICE);
        (0..100).for_each(|_| drop(watches.watch(ALICE)));
        assert_eq!(crate::locked(&watches.0)[&ALICE].len(), 2, "the one that stays, and the last");
    }

    #[test]
    fn too_much_is_not_gathered() {
        let watches = Watches::default();
        let eye = watches.watch(ALICE);
        let changes: Vec<_> = (1..=MOST as i64 + 1).map(|n| removed(ALICE, n)).collect();
        watches.note(&changes);
        let news = eye.take();
        assert!(news.overflow && news.messages.is_empty());
    }
}
