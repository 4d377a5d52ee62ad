//! Open mailboxes: one shared index per mailbox in memory, kept true by the writer's commits.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, Weak};

use hub_storage::{AccountId, Change, Edit, FlagEdit, Foreseen, IdSet, Modseq, Storage, packed};
use tokio::sync::{Notify, OnceCell, watch};

use crate::removals::Removals;
use crate::{Error, MailboxId, Result, Snapshot};

type Key = (AccountId, MailboxId);

/// Messages from which on a mailbox gets a packed copy of its index: as many rows lie on several pages,
/// each of which a disk must find.
const COPIED_FROM: u32 = 256;
/// Rows that may have changed since the copy was made: the eighth part of the mailbox, within these
/// bounds. Opening reads them one by one.
const WORTH_A_COPY: RangeInclusive<usize> = 256..=2_000;
/// With so many the copy is not put off: after a large import and a crash the first opening must be
/// quick too.
const URGENT: usize = 10_000;

/// What has changed in a mailbox since its packed copy.
#[derive(Clone, Copy, Default)]
struct Drift {
    /// Rows that came or changed, as far as this run knows.
    rows: usize,
    /// Messages, when it was last open.
    messages: Option<u32>,
}

impl Drift {
    fn is_worth_a_copy(&self) -> bool {
        let (&least, &most) = (WORTH_A_COPY.start(), WORTH_A_COPY.end());
        let part = |messages: u32| messages as usize / 8;
        self.rows >= self.messages.map_or(most, |messages| part(messages).clamp(least, most))
    }
}

/// A mailbox that somebody looks at. All sessions of it share one.
pub struct OpenMailbox {
    key: Key,
    state: watch::Sender<Arc<Snapshot>>,
    loading: Mutex<Loading>,
    removals: Mutex<Removals>,
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
            removals: Mutex::default(),
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

    /// Returns how many rows it has read for want of a packed copy.
    async fn load(&self, storage: &Storage) -> Result<usize> {
        let index = storage.mailbox_index(self.key.0, self.key.1).await?;
        let uncopied = if index.copied_at == 0 { index.records.len() } else { 0 };
        let mut snapshot = Snapshot::new(index.uid_validity, index.uid_next, index.modseq, index.records);
        let mut loading = crate::locked(&self.loading);
        *crate::locked(&self.removals) = Removals::new(index.modseq);
        if let Loading::Waiting(commits) = std::mem::replace(&mut *loading, Loading::Done) {
            for (modseq, edits) in commits.into_iter().filter(|(modseq, _)| *modseq > index.modseq) {
                snapshot = snapshot.apply(modseq, &edits);
                self.note_removals(modseq, &edits);
            }
        }
        // It may have been deleted since it was read.
        snapshot.deleted = self.state.borrow().deleted;
        self.state.send_replace(Arc::new(snapshot));
        Ok(uncopied)
    }

    /// Writes a packed copy of a large mailbox.
    async fn copy(&self, storage: &Storage) -> Result<()> {
        let snapshot = self.snapshot();
        let modseq = snapshot.modseq;
        if snapshot.deleted || snapshot.len() < COPIED_FROM {
            return Ok(());
        }
        let packed = tokio::task::spawn_blocking(move || packed::pack(snapshot.iter()))
            .await
            .map_err(|_| Error::Unavailable(hub_storage::Error::Busy))??;
        let (account, mailbox) = self.key;
        Ok(storage
            .transact([account], move |tx| Box::pin(packed::save(tx, account, mailbox, modseq, packed)))
            .await?)
    }

    fn apply(&self, modseq: Modseq, edits: Vec<Edit>) {
        match &mut *crate::locked(&self.loading) {
            Loading::Waiting(commits) => commits.push((modseq, edits)),
            Loading::Done => {
                let next = self.state.borrow().apply(modseq, &edits);
                self.note_removals(modseq, &edits);
                self.state.send_replace(Arc::new(next));
            }
        }
    }

    fn note_removals(&self, modseq: Modseq, edits: &[Edit]) {
        for edit in edits {
            if let Edit::Removed(uids) = edit {
                crate::locked(&self.removals).note(modseq, uids);
            }
        }
    }

    fn mark_deleted(&self) {
        // Not amid the end of a loading, which puts a new snapshot there.
        let _loading = crate::locked(&self.loading);
        let mut next = Snapshot::clone(&self.state.borrow());
        next.deleted = true;
        self.state.send_replace(Arc::new(next));
    }
}

/// Rows that opening a mailbox must read besides the packed copy, because of an edit.
fn rows_to_read(edit: &Edit) -> usize {
    match edit {
        Edit::Added(records) => records.len(),
        Edit::Flags { uids, .. } => usize::try_from(uids.len()).unwrap_or(usize::MAX),
        Edit::Removed(_) => 0,
    }
}

/// A mailbox in the cache, with its weight when it was put in: the cache takes off what the weigher
/// says later, so that must not change while the mailbox grows.
#[derive(Clone)]
struct Recent {
    _mailbox: Arc<OpenMailbox>,
    weight: u64,
}

#[derive(Clone)]
struct Weigh;

impl quick_cache::Weighter<Key, Recent> for Weigh {
    fn weight(&self, _: &Key, recent: &Recent) -> u64 {
        recent.weight
    }
}

/// Every mailbox that is open, and recently used ones within a budget of bytes.
pub(crate) struct Mailboxes {
    open: Mutex<HashMap<Key, Weak<OpenMailbox>>>,
    recent: quick_cache::sync::Cache<Key, Recent, Weigh>,
    drift: Mutex<HashMap<Key, Drift>>,
    /// Woken when the drift of a mailbox is [`URGENT`].
    urgent: Arc<Notify>,
}

impl Mailboxes {
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            open: Mutex::default(),
            recent: quick_cache::sync::Cache::with_weighter(1000, budget, Weigh),
            drift: Mutex::default(),
            urgent: Arc::default(),
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
        let load = async || -> Result<()> {
            let rows = mailbox.load(storage).await?;
            self.note_drift(key, rows, Some(mailbox.snapshot().len()));
            Ok(())
        };
        mailbox.loaded.get_or_try_init(load).await?;
        if mailbox.snapshot().deleted {
            return Err(Error::NotFound("mailbox"));
        }
        // Touches what is there; a mailbox that has grown much is weighed anew.
        let weight = mailbox.snapshot().weight();
        if self.recent.get(&key).is_none_or(|recent| weight > 2 * recent.weight) {
            self.recent.insert(key, Recent { _mailbox: Arc::clone(&mailbox), weight });
        }
        Ok(mailbox)
    }

    /// Wakes whoever is to call [`Mailboxes::copy_drifted`] soon.
    pub(crate) fn urgent(&self) -> Arc<Notify> {
        Arc::clone(&self.urgent)
    }

    /// Writes packed copies of large mailboxes that have changed much since the last one, so that
    /// they open quickly after the next start. What cannot be written now is tried again.
    pub(crate) async fn copy_drifted(&self, storage: &Storage) {
        let drifted: Vec<(Key, Drift)> =
            crate::locked(&self.drift).extract_if(|_, drift| drift.is_worth_a_copy()).collect();
        for (key, drift) in drifted {
            let copied = match self.open(storage, key).await {
                Ok(mailbox) => mailbox.copy(storage).await,
                Err(error) => Err(error),
            };
            match copied {
                Ok(()) | Err(Error::NotFound(_)) => {}
                Err(error) => {
                    tracing::debug!(mailbox = key.1.0, %error, "no copy of an index was written");
                    crate::locked(&self.drift).entry(key).or_default().rows += drift.rows;
                }
            }
        }
    }

    fn note_drift(&self, key: Key, rows: usize, messages: Option<u32>) {
        let mut drifts = crate::locked(&self.drift);
        let drift = drifts.entry(key).or_default();
        drift.rows += rows;
        drift.messages = messages.or(drift.messages);
        if drift.rows >= URGENT {
            self.urgent.notify_one();
        }
    }

    /// UIDs that left a mailbox after `since`, if it was open all the time.
    pub(crate) fn removed_since(&self, key: Key, since: Modseq) -> Option<IdSet> {
        let mailbox = self.find(key)?;
        let is_loaded = matches!(*crate::locked(&mailbox.loading), Loading::Done);
        if is_loaded { crate::locked(&mailbox.removals).after(since) } else { None }
    }

    /// What a change of flags does to a mailbox that is open.
    pub(crate) fn foresee(&self, edit: &FlagEdit) -> Option<Foreseen> {
        let mailbox = self.find((edit.account, edit.mailbox))?;
        let snapshot = match &*crate::locked(&mailbox.loading) {
            Loading::Waiting(_) => return None,
            Loading::Done => mailbox.snapshot(),
        };
        let (failed, changes, unseen) = snapshot.foresee(edit);
        (!snapshot.deleted).then_some(Foreseen { failed, changes, unseen, mailbox })
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
                | Change::Collections(_)
                | Change::Counters { .. }
                | Change::Aliases
                | Change::Domains
                | Change::Files { .. }
                | Change::Items { .. }
                | Change::Keywords(_)
                | Change::Mailboxes(_)
                | Change::Metadata { .. }
                | Change::Queue { .. }
                | Change::Scripts(_)
                | Change::Tokens(_) => {}
            }
        }
        for (key, modseq, edits) in edits {
            let rows = edits.iter().map(rows_to_read).sum();
            let mailbox = self.find(key);
            if let Some(mailbox) = &mailbox {
                mailbox.apply(modseq, edits);
            }
            self.note_drift(key, rows, mailbox.map(|mailbox| mailbox.snapshot().len()));
        }
    }

    fn forget(&self, key: Key) {
        self.recent.remove(&key);
        crate::locked(&self.drift).remove(&key);
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
