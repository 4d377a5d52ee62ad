//! Each twin's own junk filter: naive Bayes over the words of messages, together with the reputation
//! of authenticated senders and with what receiving found out ([`crate::Verdict`]).
//!
//! It is trained by what the twin does, over whatever protocol: a message that comes into a mailbox
//! for junk, or gets `$Junk`, is junk; one that leaves it, or gets `$NotJunk`, is good. A task in the
//! background compares where messages are with what was learned of them (`training`), so that
//! nobody who moves a message waits for it, and nothing is missed over a restart. What the filter
//! itself has put among the junk teaches it nothing.
//!
//! Deliveries ask [`Evidence::judge`]. For a twin whose filter knows nothing that is a look into a
//! set in memory.

mod judge;
mod learned;
mod score;
mod senders;
#[cfg(test)]
mod tests;
mod tokens;
mod training;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use hub_storage::junk::Part;
use hub_storage::{Change, Edit, Storage};
use tokio::sync::Notify;

pub use judge::{Class, HEADER, Judgement};
pub(crate) use judge::{Evidence, without_verdicts};
pub(crate) use training::keep_trained;

use crate::cache::Cache;
use crate::{AccountId, Address, Flags, Hub, MailboxId, Result, locked};
use senders::{SenderKey, Senders};
use words::Words;

/// Messages of either kind that must be learned before words decide: with fewer, any word is a sign.
const ENOUGH: u32 = 5;
/// A filter of usual size, in bytes, has the weight 1 in the cache, which holds 10,000 of these.
const USUAL_SIZE: usize = 4 * 1024;
/// Addresses written to that wait to be noted, in all; more are forgotten.
const MOST_WAITING: usize = 100_000;

/// What one twin's filter knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    words: Words,
    senders: Senders,
}

impl Filter {
    /// `None` if words cannot decide yet.
    fn trained_words(&self) -> Option<&Words> {
        (self.words.junk() >= ENOUGH && self.words.good() >= ENOUGH).then_some(&self.words)
    }

    fn from_parts(account: AccountId, mut parts: HashMap<Part, Vec<u8>>) -> Self {
        fn decoded<T: Default>(account: AccountId, read: Option<Option<T>>) -> T {
            match read {
                Some(Some(part)) => part,
                Some(None) => {
                    tracing::warn!(
                        account = account.0,
                        "a part of the junk filter is damaged; it begins anew"
                    );
                    T::default()
                }
                None => T::default(),
            }
        }
        let words = parts.remove(&Part::Words).map(|bytes| Words::decode(&bytes));
        let senders = parts.remove(&Part::Senders).map(|bytes| Senders::decode(&bytes));
        Self { words: decoded(account, words), senders: decoded(account, senders) }
    }

    fn weight(&self) -> usize {
        (self.words.len() * 8 + self.senders.len() * 24) / USUAL_SIZE + 1
    }
}

/// Mailboxes and keywords of an account that training looks at.
#[derive(Clone)]
struct Watched {
    mailboxes: Arc<[MailboxId]>,
    junk: Flags,
    not_junk: Flags,
}

/// The hub's part of all junk filters.
pub(crate) struct Junk {
    /// Accounts whose filter knows anything.
    known: Mutex<HashSet<AccountId>>,
    filters: Cache<AccountId, Arc<Filter>>,
    watched: Cache<AccountId, Watched>,
    /// Accounts in which something happened that may be learned from.
    due: Mutex<HashSet<AccountId>>,
    /// Whom twins wrote to since that was last noted.
    written_to: Mutex<HashMap<AccountId, Vec<SenderKey>>>,
    happened: Notify,
    /// Held while accounts are trained: what is read must not be older than what is written.
    turn: tokio::sync::Mutex<()>,
}

impl Junk {
    pub(crate) async fn open(storage: &Storage) -> Result<Self> {
        Ok(Self {
            known: Mutex::new(storage.junk_accounts().await?.into_iter().collect()),
            filters: Cache::new(),
            watched: Cache::new(),
            due: Mutex::new(storage.junk_unlearned().await?.into_iter().collect()),
            written_to: Mutex::default(),
            happened: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// What the account's filter knows; `None` for nothing.
    async fn filter(&self, storage: &Storage, account: AccountId) -> Result<Option<Arc<Filter>>> {
        if !locked(&self.known).contains(&account) {
            return Ok(None);
        }
        match self.filters.get(&account) {
            Ok(filter) => Ok(Some(filter)),
            Err(ticket) => {
                let filter = Arc::new(Filter::from_parts(account, storage.junk_parts(account).await?));
                self.filters.put_weighted(ticket, account, Arc::clone(&filter), filter.weight());
                Ok(Some(filter))
            }
        }
    }

    /// The twin has sent mail to this address.
    pub(crate) async fn writes_to(
        &self,
        storage: &Storage,
        account: AccountId,
        address: &str,
    ) -> Result<bool> {
        let key = SenderKey::address(address);
        if locked(&self.written_to).get(&account).is_some_and(|keys| keys.contains(&key)) {
            return Ok(true);
        }
        let filter = self.filter(storage, account).await?;
        Ok(filter.is_some_and(|filter| filter.senders.of(key).sent > 0))
    }

    /// Looks at the changes of a commit for something to learn from.
    pub(crate) fn note(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Account(account) | Change::Keywords(account) | Change::Mailboxes(account) => {
                    self.watched.remove(account);
                }
                Change::MailboxDeleted { account, .. } => self.watched.remove(account),
                Change::Messages { account, mailbox, edit, .. }
                    if self.may_teach(*account, *mailbox, edit) =>
                {
                    locked(&self.due).insert(*account);
                    self.happened.notify_one();
                }
                _ => {}
            }
        }
    }

    /// False for what surely teaches nothing, which is nearly everything.
    fn may_teach(&self, account: AccountId, mailbox: MailboxId, edit: &Edit) -> bool {
        let watched = self.watched.get(&account).ok();
        match edit {
            Edit::Added(_) | Edit::Removed(_) => {
                mailbox != MailboxId::INBOX && watched.is_none_or(|w| w.mailboxes.contains(&mailbox))
            }
            Edit::Flags { set, clear, .. } => watched.is_none_or(|w| {
                let keywords = w.junk | w.not_junk;
                // Who replaces all flags clears all others.
                let changed = if set.is_empty() { *clear } else { *set };
                !(changed & keywords).is_empty()
            }),
        }
    }

    /// A twin has sent a message to these addresses.
    pub(crate) fn wrote_to<'a>(&self, account: AccountId, addresses: impl Iterator<Item = &'a Address>) {
        let mut waiting = locked(&self.written_to);
        let count: usize = waiting.values().map(Vec::len).sum();
        let keys = addresses.map(|address| SenderKey::address(&address.key()));
        waiting.entry(account).or_default().extend(keys.take(MOST_WAITING.saturating_sub(count)));
    }
}

/// What a twin's filter has learned, for the hub's owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JunkStatistics {
    pub good_messages: u32,
    pub junk_messages: u32,
    pub words: usize,
    pub senders: usize,
    /// Those of the senders that the twin has written to.
    pub correspondents: usize,
    /// Bytes in the database.
    pub bytes: usize,
}

impl Hub {
    /// What the filter of a twin has learned. `NotFound`.
    pub async fn junk_statistics(&self, twin: &Address) -> Result<JunkStatistics> {
        let account = self.account_for_owner(twin).await?.id;
        let parts = self.0.storage.junk_parts(account).await?;
        let bytes = parts.values().map(Vec::len).sum();
        let filter = Filter::from_parts(account, parts);
        Ok(JunkStatistics {
            good_messages: filter.words.good(),
            junk_messages: filter.words.junk(),
            words: filter.words.len(),
            senders: filter.senders.len(),
            correspondents: filter.senders.correspondents(),
            bytes,
        })
    }
}

/// FNV-1a, 64 bits: a hash that is the same on every machine and in every version.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
