//! The hub's native primitives and every rule about them: accounts, messages, files,
//! agenda and contacts, the one way in ([`Hub::deliver`]) and the one way out ([`Account::submit`]).
//!
//! It may touch storage and the clock. It must not know wire words, sockets or HTTP types: how a
//! refusal is said is decided in each protocol's `status.rs`.
//!
//! User data is reached through an [`Account`], which only a log-in (or local delivery) can make.

mod accounts;
mod address;
mod admin;
mod alarms;
mod aliases;
mod cache;
pub mod collections;
mod conversion;
mod decide;
mod deliver;
mod directory;
pub mod emails;
mod error;
mod facts;
pub mod files;
mod greylist;
mod identities;
mod import;
mod incoming;
mod junk;
mod keys;
mod login;
mod mailbox;
mod mailboxes;
mod messages;
mod metadata;
pub mod oauth;
mod outgoing;
mod password;
mod precondition;
mod queue;
mod recent;
mod removals;
mod reports;
pub mod rooms;
mod route;
mod rules;
pub mod schedule;
mod scopes;
mod search;
mod sent;
mod snapshot;
mod sort;
mod srs;
mod submit;
mod sync_state;
mod textsearch;
mod thread;
mod threads;
mod transport;
mod twins;
mod uploads;
mod vacation;
mod verdict;
mod watch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use hub_storage::{Change, Edit, FlagEdit, Foreseen, Listener};

pub use accounts::{Account, Door};
pub use address::{Address, normal_domain};
pub use admin::{AppPasswordInfo, TwinInfo};
pub use aliases::AliasInfo;
pub use deliver::{Delivery, Origin, Recipient};
pub use error::{Error, Result};
pub use hub_ical as ical;
pub use hub_identity as identity;
pub use hub_itip as itip;
pub use hub_merkle::Checkpoint;
pub use hub_mime::{Part, PartKind, Summary};
pub use hub_sieve::{Limits as SieveLimits, extensions as sieve_extensions};
pub use hub_storage::{
    AccountId, EmailId, Flags, IdSet, MailboxId, Modseq, Record, Role, Spool, StagedBlob, Storage, Uid,
    UidValidity,
};
pub use identities::{Identity, SendingStates};
pub use import::Imported;
pub use incoming::Incoming;
pub use junk::{Class, HEADER as JUNK_HEADER, Judgement, JunkStatistics};
pub use keys::{KeyState, SigningKey};
pub use mailbox::OpenMailbox;
pub use mailboxes::MailboxInfo;
pub use messages::{Appended, Copied, FlagChange, Keywords, Message, Messages, NewMessage, OpenMessage};
pub use metadata::{Annotation, METADATA_VALUE};
pub use outgoing::Outgoing;
pub use password::{ScramCredentials, Secret};
pub use precondition::Precondition;
pub use queue::{
    Attended, Claim, End, Ended, Filled, NextHop, Outcome, Overdue, Pause, QueueEntry, QueueFilter,
    QueueOperated, QueueOperation, QueueSettings, QueueState, QueuedMessage, QueuedRecipient, RENEW,
    RecipientOutcome, Schedule, Settlement, Telling, TlsDemand, Why,
};
pub use reports::{
    DmarcFacts, ReceivedReport, ReportKind, TlsFailure, TlsPolicy, TlsPolicyKind, TlsSession, Unsecured,
};
pub use route::{Members, Route};
pub use rules::ScriptInfo;
pub use scopes::Scopes;
pub use search::{Criterion, Progress};
pub use sent::{Sent, SentAs, SentState, SentTo, Undo};
pub use snapshot::{Difference, Snapshot, difference};
pub use sort::{SortCriterion, SortKey};
pub use srs::Srs;
pub use submit::{Notify, Return, Submission, SubmissionRecipient, Submitted};
pub use sync_state::SyncState;
pub use threads::{ThreadAlgorithm, Threads};
pub use transport::StsPolicy;
pub use twins::{Found, LONGEST_DESCRIPTOR, LONGEST_ENTRY, PeerHub, PeerTwin, TwinIdentity};
pub use uploads::OpenUpload;
pub use vacation::Vacation;
pub use verdict::{AuthResult, DkimVerdict, DmarcPolicy, DmarcVerdict, Listing, SpfVerdict, Verdict};
pub use watch::{Happenings, MessagesHappened, Watch};

/// How often what nobody refers to any more is looked for.
const MAINTENANCE: Duration = Duration::from_secs(60);
/// Between urgent copies of large indexes: changing all flags of a mailbox over and over must not
/// make the hub write its index as often.
const COPY_PAUSE: Duration = Duration::from_secs(5);

/// The hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    storage: Storage,
    settings: Settings,
    /// Of this run only: for what must look the same each time and mean nothing.
    secret: [u8; 32],
    logins: login::Logins,
    oauth: oauth::Waiting,
    mailboxes: mailbox::Mailboxes,
    directories: directory::Directories,
    recent: recent::Recent,
    facts: facts::Facts,
    keywords: cache::Cache<AccountId, Arc<Keywords>>,
    conversations: emails::Conversations,
    /// Where addresses (lower case) lead, for the hot path of every RCPT TO.
    routes: cache::Cache<String, Route>,
    /// Rules about mail of accounts, and which have none.
    rules: cache::Cache<AccountId, Option<Arc<rules::Rules>>>,
    site_scripts: Mutex<Arc<rules::SiteScripts>>,
    /// Accounts without a quota: for them nothing need be asked.
    unlimited: cache::Cache<AccountId, ()>,
    signers: keys::Signers,
    reports: reports::Counts,
    contacts: greylist::Contacts,
    watches: watch::Watches,
    queue_news: queue::News,
    /// Next hops that are left alone for a while.
    pauses: Mutex<HashMap<NextHop, Pause>>,
    text_index: Arc<textsearch::TextIndex>,
    file_texts: Arc<textsearch::FileTexts>,
    etags: files::Etags,
    file_watches: files::FileWatches,
    listings: files::Listings,
    lately: files::Lately,
    junk: Arc<junk::Junk>,
    /// Messages about calendars have come by mail.
    itip_news: Arc<tokio::sync::Notify>,
    itip_pace: schedule::Pace,
    /// Something in a calendar has changed: its next alarm may be another one.
    alarm_news: Arc<tokio::sync::Notify>,
    maintenance: Mutex<tokio::task::JoinSet<()>>,
}

/// Limits and choices that the hub itself needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Quota of a new twin in bytes; `None` is no limit.
    pub default_quota: Option<u64>,
    /// Memory for mailbox indexes that nobody has open, in bytes.
    pub index_cache: u64,
    /// Memory for what searching and sorting need of headers, in bytes.
    pub header_cache: u64,
    /// Memory for messages that were read lately, in bytes.
    pub message_cache: u64,
    pub queue: QueueSettings,
    pub files: files::FileSettings,
    /// A program that reads a document and prints its text (`twinhub document-text`): parsers of other
    /// people's formats are kept apart, with little memory and little time. `None`: they run in this process.
    pub document_reader: Option<PathBuf>,
    /// Where browsers find the hub's pages, as `https://HOST`; `*` in it stands for the domain. `None`:
    /// nobody is told of any.
    pub pages: Option<String>,
}

impl Default for Settings {
    /// No quota, small caches: what tests and tools need.
    fn default() -> Self {
        Self {
            default_quota: None,
            index_cache: 1 << 20,
            header_cache: 1 << 20,
            message_cache: 1 << 20,
            queue: QueueSettings::default(),
            files: files::FileSettings::default(),
            document_reader: None,
            pages: None,
        }
    }
}

impl Hub {
    /// Starts the hub on an open storage. It must be the only hub on it.
    pub async fn open(storage: Storage, settings: Settings) -> Result<Self> {
        Self::take_over_queue(&storage, settings.queue.relay).await?;
        twins::give_identities(&storage).await?;
        let etags = files::Etags::new(&storage);
        let mut secret = [0; 32];
        password::random(&mut secret)?;
        let hub = Self(Arc::new(Inner {
            mailboxes: mailbox::Mailboxes::new(settings.index_cache),
            directories: directory::Directories::new(),
            logins: login::Logins::new()?,
            oauth: oauth::Waiting::default(),
            facts: facts::Facts::new(settings.header_cache),
            recent: recent::Recent::new(settings.message_cache),
            junk: Arc::new(junk::Junk::open(&storage).await?),
            storage,
            settings,
            secret,
            keywords: cache::Cache::new(),
            conversations: emails::Conversations::default(),
            routes: cache::Cache::new(),
            rules: cache::Cache::new(),
            site_scripts: Mutex::default(),
            unlimited: cache::Cache::new(),
            signers: keys::Signers::default(),
            reports: reports::Counts::default(),
            contacts: greylist::Contacts::default(),
            watches: watch::Watches::default(),
            queue_news: queue::News::default(),
            pauses: Mutex::default(),
            text_index: Arc::default(),
            file_texts: Arc::default(),
            etags,
            file_watches: files::FileWatches::default(),
            itip_news: Arc::default(),
            itip_pace: schedule::Pace::default(),
            listings: files::Listings::default(),
            lately: files::Lately::default(),
            alarm_news: Arc::default(),
            maintenance: Mutex::default(),
        }));
        hub.0.storage.listen(Box::new(Ear(Arc::downgrade(&hub.0))));
        let mut maintenance = locked(&hub.0.maintenance);
        maintenance.spawn(maintain(Arc::downgrade(&hub.0)));
        maintenance.spawn(copy_when_urgent(Arc::downgrade(&hub.0), hub.0.mailboxes.urgent()));
        let arrivals = Arc::clone(&hub.0.text_index);
        maintenance.spawn(textsearch::keep_indexed(Arc::downgrade(&hub.0), arrivals));
        let texts = Arc::clone(&hub.0.file_texts);
        maintenance.spawn(textsearch::keep_read(Arc::downgrade(&hub.0), texts));
        maintenance.spawn(junk::keep_trained(Arc::downgrade(&hub.0), Arc::clone(&hub.0.junk)));
        let itip_news = Arc::clone(&hub.0.itip_news);
        maintenance.spawn(schedule::keep_carried(Arc::downgrade(&hub.0), itip_news));
        let alarm_news = Arc::clone(&hub.0.alarm_news);
        maintenance.spawn(alarms::keep_ringing(Arc::downgrade(&hub.0), alarm_news));
        drop(maintenance);
        Ok(hub)
    }

    /// Finishes what is being written and closes the database.
    pub async fn close(&self) {
        locked(&self.0.maintenance).abort_all();
        self.0.mailboxes.copy_drifted(&self.0.storage).await;
        if let Err(error) = self.0.write_counts().await {
            tracing::warn!(%error, "what is to be reported was not counted");
        }
        if let Err(error) = self.0.write_contacts().await {
            tracing::warn!(%error, "first contacts were not noted");
        }
        self.0.storage.close().await;
    }
}

/// Hears of commits.
struct Ear(Weak<Inner>);

impl Listener for Ear {
    fn committed(&self, changes: Vec<Change>) {
        if let Some(inner) = self.0.upgrade() {
            inner.committed(changes);
        }
    }

    fn foresee(&self, edit: &FlagEdit) -> Option<Foreseen> {
        self.0.upgrade()?.mailboxes.foresee(edit)
    }
}

impl Inner {
    /// Brings everything in memory up to a commit, before it is acknowledged to anybody.
    fn committed(&self, changes: Vec<Change>) {
        for change in &changes {
            match change {
                Change::Account(account) => {
                    self.logins.forget(*account);
                    self.keywords.remove(account);
                    self.routes.clear();
                    self.rules.remove(account);
                    self.unlimited.remove(account);
                    self.directories.forget(*account);
                }
                Change::Aliases => self.routes.clear(),
                Change::Counters { account, counters } => self.directories.count(*account, counters),
                Change::Domains => {
                    self.routes.clear();
                    self.signers.forget();
                }
                Change::Keywords(account) => self.keywords.remove(account),
                Change::Messages { account, edit: Edit::Added(records), .. } => {
                    self.text_index.arrived(*account, records);
                }
                Change::Queue { hop, account, again } => self.queue_news.note(hop, *account, *again),
                Change::Scripts(account) => self.rules.remove(account),
                Change::Tokens(account) => self.logins.forget(*account),
                Change::Items { .. } => self.alarm_news.notify_one(),
                Change::Collections(_) => {}
                Change::Mailboxes(account) => self.directories.forget(*account),
                Change::MailboxDeleted { account, mailbox } => self.facts.forget((*account, *mailbox)),
                Change::Files { account, .. } => self.file_texts.changed(*account),
                Change::Messages { .. } | Change::Metadata { .. } => {}
            }
        }
        self.watches.note(&changes);
        self.lately.note(&changes);
        self.file_watches.note(&changes);
        self.junk.note(&changes);
        self.mailboxes.apply(changes);
    }
}

/// Gives back what nobody refers to any more, a slice at a time, and keeps copies of large indexes.
async fn maintain(hub: Weak<Inner>) {
    if let Some(hub) = hub.upgrade() {
        match hub.storage.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed blob files that an interrupted run left behind"),
            Err(error) => {
                tracing::warn!(error = %hub_storage::chain(&error), "the blob directory was not swept");
            }
        }
    }
    loop {
        tokio::time::sleep(MAINTENANCE).await;
        let Some(hub) = hub.upgrade() else { return };
        loop {
            match hub.storage.reclaim(unix_now()).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(error = %hub_storage::chain(&error), "nothing was reclaimed this time");
                    break;
                }
            }
        }
        if let Err(error) = files::trash::expire(&hub.storage, hub.settings.files, unix_now()).await {
            tracing::warn!(error = %hub_storage::chain(&error), "old files were not removed this time");
        }
        hub.mailboxes.copy_drifted(&hub.storage).await;
        if let Err(error) = hub.write_counts().await {
            tracing::warn!(%error, "what is to be reported was not counted");
        }
        while collections::keep_indexed(&hub.storage).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the index of calendars was not moved on this time");
            false
        }) {}
        if let Err(error) = hub.write_contacts().await {
            tracing::warn!(%error, "first contacts were not noted");
        }
    }
}

/// Keeps the packed copies of mailboxes that change fast near the truth.
async fn copy_when_urgent(hub: Weak<Inner>, urgent: Arc<tokio::sync::Notify>) {
    loop {
        urgent.notified().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.mailboxes.copy_drifted(&hub.storage).await;
        drop(hub);
        tokio::time::sleep(COPY_PAUSE).await;
    }
}

/// Runs long work where it holds up nobody.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let busy = |_| Error::Unavailable(hub_storage::Error::Busy);
    tokio::task::spawn_blocking(work).await.map_err(busy)
}

/// Unix seconds.
pub fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs() as i64)
}

/// A lock that a panicking holder does not poison: what it guards is valid at every step.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
