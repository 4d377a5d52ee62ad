//! Open mailboxes: one shared index per mailbox in memory, kept true by the writer's commits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use hub_storage::{AccountId, Change, Edit, Modseq, Storage, packed};
use tokio::sync::{OnceCell, watch};

use crate::{Error, MailboxId, Result, Snapshot};

type Key = (AccountId, MailboxId);

/// Messages from which on a mailbox gets a packed copy of its index: reading so many rows takes
/// some 10 ms.
const COPIED_FROM: u32 = 5_000;

/// A mailbox that somebody looks at. All sessions of it share one.
pub struct OpenMailbox {
    key: Key,
    state: watch::Sender<Arc<Snapshot>>,
    loading: Mutex<Loading>,
    loaded: OnceCell<()>,
    /// The modseq of the packed copy in the database; 0 if there is none.
    copied_at: AtomicU64,
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
            copied_at: AtomicU64::new(0),
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
        self.copied_at.store(index.copied_at, Ordering::Relaxed);
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

    /// Writes a packed copy of a large mailbox that has changed since the last one.
    async fn copy(&self, storage: &Storage) -> Result<()> {
        let snapshot = self.snapshot();
        let modseq = snapshot.modseq;
        if snapshot.deleted
            || snapshot.len() < COPIED_FROM
            || modseq == self.copied_at.load(Ordering::Relaxed)
        {
            return Ok(());
        }
        let packed = tokio::task::spawn_blocking(move || packed::pack(snapshot.iter()))
            .await
            .map_err(|_| Error::Unavailable(hub_storage::Error::Busy))??;
        let (account, mailbox) = self.key;
        storage
            .transact([account], move |tx| Box::pin(packed::save(tx, account, mailbox, modseq, packed)))
            .await?;
        self.copied_at.store(modseq, Ordering::Relaxed);
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
    /// Messages that came into mailboxes while nobody had them open: after a large import the
    /// first opening must be quick too.
    unseen_growth: Mutex<HashMap<Key, usize>>,
}

impl Mailboxes {
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            open: Mutex::default(),
            recent: quick_cache::sync::Cache::with_weighter(1000, budget, Weigh),
            unseen_growth: Mutex::default(),
        }
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

    /// Writes copies of the large mailboxes that are in memory, so that they open quickly after the
    /// next start. What cannot be written now is read from its rows then.
    pub(crate) async fn copy_large(&self, storage: &Storage) {
        let grown: Vec<Key> = {
            let mut growth = crate::locked(&self.unseen_growth);
            let grown = growth.extract_if(|_, count| *count >= COPIED_FROM as usize);
            grown.map(|(key, _)| key).collect()
        };
        for key in grown {
            let copied = match self.open(storage, key).await {
                Ok(mailbox) => mailbox.copy(storage).await,
                Err(error) => Err(error),
            };
            if let Err(error) = copied {
                tracing::debug!(mailbox = key.1.0, %error, "no copy of a grown index was written");
            }
        }
        let open: Vec<_> = crate::locked(&self.open).values().filter_map(Weak::upgrade).collect();
        for mailbox in open {
            if let Err(error) = mailbox.copy(storage).await {
                tracing::debug!(mailbox = mailbox.key.1.0, %error, "no copy of an index was written");
            }
        }
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
                Change::Account(_)
                | Change::Domains
                | Change::Keywords(_)
                | Change::Mailboxes(_)
                | Change::Metadata { .. }
                | Change::Queue => {}
            }
        }
        for (key, modseq, edits) in edits {
            match self.find(key) {
                Some(mailbox) => mailbox.apply(modseq, edits),
                None => {
                    let added = |edit: &Edit| if let Edit::Added(records) = edit { records.len() } else { 0 };
                    *crate::locked(&self.unseen_growth).entry(key).or_default() +=
                        edits.iter().map(added).sum::<usize>();
                }
            }
        }
    }

    fn forget(&self, key: Key) {
        self.recent.remove(&key);
        crate::locked(&self.unseen_growth).remove(&key);
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
