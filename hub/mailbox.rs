//! Open mailboxes: one shared index per mailbox in memory, kept true by the writer's commits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use hub_storage::{AccountId, Change, Edit, Modseq, Storage};
use tokio::sync::{OnceCell, watch};

use crate::{Error, MailboxId, Result, Snapshot};

type Key = (AccountId, MailboxId);

/// A mailbox that somebody looks at. All sessions of it share one.
pub struct OpenMailbox {
    key: Key,
    state: watch::Sender<Arc<Snapshot>>,
    loading: Mutex<Loading>,
    loaded: OnceCell<()>,
}

/// Commits that come while the index is being read are kept until it is known which of them the
/// reading has seen.
enum Loading {
    Done,
    Waiting(Vec<(Modseq, Vec<Edit>)>),
}

impl OpenMailbox {
    fn new(key: Key) -> Self {
        Self {
            key,
            state: watch::Sender::new(Arc::new(Snapshot::new(1, 1, 0, Vec::new()))),
            loading: Mutex::new(Loading::Waiting(Vec::new())),
            loaded: OnceCell::new(),
        }
    }

    pub fn id(&self) -> MailboxId {
        self.key.1
    }

    /// The mailbox as of the last commit. A few nanoseconds; never waits for the database.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state.borrow().clone()
    }

    /// Tells of every new snapshot: `changed().await`, then `borrow_and_update().clone()`.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.state.subscribe()
    }

    async fn load(&self, storage: &Storage) -> Result<()> {
        let index = storage.mailbox_index(self.key.0, self.key.1).await?;
        let mut snapshot = Snapshot::new(index.uid_validity, index.uid_next, index.modseq, index.records);
        let mut loading = crate::locked(&self.loading);
        if let Loading::Waiting(commits) = std::mem::replace(&mut *loading, Loading::Done) {
            for (modseq, edits) in commits.into_iter().filter(|(modseq, _)| *modseq > index.modseq) {
                snapshot = snapshot.apply(modseq, &edits);
            }
        }
        self.state.send_replace(Arc::new(snapshot));
        Ok(())
    }

    fn apply(&self, modseq: Modseq, edits: Vec<Edit>) {
        match &mut *crate::locked(&self.loading) {
            Loading::Waiting(commits) => commits.push((modseq, edits)),
            Loading::Done => {
                let next = self.state.borrow().apply(modseq, &edits);
                self.state.send_replace(Arc::new(next));
            }
        }
    }

    fn mark_deleted(&self) {
        let mut next = Snapshot::clone(&self.state.borrow());
        next.deleted = true;
        self.state.send_replace(Arc::new(next));
    }
}

#[derive(Clone)]
struct Weigh;

impl quick_cache::Weighter<Key, Arc<OpenMailbox>> for Weigh {
    fn weight(&self, _: &Key, mailbox: &Arc<OpenMailbox>) -> u64 {
        mailbox.state.borrow().weight()
    }
}

/// Every mailbox that is open, and recently used ones within a budget of bytes.
pub(crate) struct Mailboxes {
    open: Mutex<HashMap<Key, Weak<OpenMailbox>>>,
    recent: quick_cache::sync::Cache<Key, Arc<OpenMailbox>, Weigh>,
}

impl Mailboxes {
    pub(crate) fn new(budget: u64) -> Self {
        Self { open: Mutex::default(), recent: quick_cache::sync::Cache::with_weighter(1000, budget, Weigh) }
    }

    pub(crate) async fn open(&self, storage: &Storage, key: Key) -> Result<Arc<OpenMailbox>> {
        let mailbox = {
            let mut open = crate::locked(&self.open);
            match open.get(&key).and_then(Weak::upgrade) {
                Some(mailbox) => mailbox,
                None => {
                    if open.len() >= 1024 && open.len().is_power_of_two() {
                        open.retain(|_, mailbox| mailbox.strong_count() > 0);
                    }
                    let mailbox = Arc::new(OpenMailbox::new(key));
                    open.insert(key, Arc::downgrade(&mailbox));
                    mailbox
                }
            }
        };
        // Registered before it is read: no commit can fall between the reading and the registering.
        mailbox.loaded.get_or_try_init(|| mailbox.load(storage)).await?;
        if mailbox.snapshot().deleted {
            return Err(Error::NotFound("mailbox"));
        }
        // Touches what is there; a mailbox that grew is weighed anew when it comes back.
        if self.recent.get(&key).is_none() {
            self.recent.insert(key, Arc::clone(&mailbox));
        }
        Ok(mailbox)
    }

    fn find(&self, key: Key) -> Option<Arc<OpenMailbox>> {
        crate::locked(&self.open).get(&key).and_then(Weak::upgrade)
    }

    /// Brings the open mailboxes up to a commit. Called by the writer before it acknowledges.
    pub(crate) fn apply(&self, changes: Vec<Change>) {
        let mut edits: Vec<(Key, Modseq, Vec<Edit>)> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for change in changes {
            match change {
                Change::Messages { account, mailbox, modseq, edit } => {
                    let key = (account, mailbox);
                    let place = *places.entry(key).or_insert_with(|| {
                        edits.push((key, modseq, Vec::new()));
                        edits.len() - 1
                    });
                    edits[place].2.push(edit);
                }
                Change::MailboxDeleted { account, mailbox } => self.forget((account, mailbox)),
                Change::Account(_) | Change::Domains | Change::Keywords(_) | Change::Queue => {}
            }
        }
        for (key, modseq, edits) in edits {
            if let Some(mailbox) = self.find(key) {
                mailbox.apply(modseq, edits);
            }
        }
    }

    fn forget(&self, key: Key) {
        self.recent.remove(&key);
        let mailbox = crate::locked(&self.open).remove(&key);
        if let Some(mailbox) = mailbox.and_then(|mailbox| mailbox.upgrade()) {
            mailbox.mark_deleted();
        }
    }

    pub(crate) fn forget_account(&self, account: AccountId) {
        let keys: Vec<Key> =
            crate::locked(&self.open).keys().filter(|key| key.0 == account).copied().collect();
        for key in keys {
            self.forget(key);
        }
    }
}
