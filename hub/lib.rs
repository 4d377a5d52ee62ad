//! The hub's native primitives and every rule about them: accounts, messages (later contacts,
//! agenda, files), the one way in ([`Hub::deliver`]) and the one way out ([`Account::submit`]).
//!
//! It may touch storage and the clock. It must not know wire words, sockets or HTTP types: how a
//! refusal is said is decided in each protocol's `status.rs`.
//!
//! User data is reached through an [`Account`], which only a login (or local delivery) can make.

mod accounts;
mod address;
mod admin;
mod deliver;
mod error;
mod mailbox;
mod messages;
mod password;
mod search;
mod snapshot;
mod submit;

pub use accounts::{Account, Door, ScramCredentials};
pub use address::{Address, normal_domain};
pub use admin::{AppPasswordInfo, TwinInfo};
pub use deliver::{Delivery, Incoming, Recipient, Route};
pub use error::{Error, Result};
pub use hub_mime::{Part, PartKind, Summary};
pub use hub_storage::{
    AccountId, EmailId, Flags, IdSet, MailboxId, Modseq, Record, Role, Spool, Storage, Uid, UidValidity,
};
pub use mailbox::OpenMailbox;
pub use messages::{Appended, Copied, FlagChange, Keywords, MailboxInfo, Message, Messages, NewMessage};
pub use password::Secret;
pub use search::Criterion;
pub use snapshot::{Difference, Snapshot, difference};
pub use submit::{
    Notify, Outcome, QueueEntry, QueuedMessage, QueuedRecipient, Return, Submission, SubmissionRecipient,
    Submitted,
};

use std::sync::Arc;

/// The hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    storage: Storage,
}

/// Limits and choices that the hub itself needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Quota of a new twin in bytes; `None` is no limit.
    pub default_quota: Option<u64>,
    /// Memory for mailbox indexes that nobody has open, in bytes.
    pub index_cache: u64,
}

impl Hub {
    pub async fn open(storage: Storage, settings: Settings) -> Result<Self> {
        todo!()
    }

    /// Finishes what is being written and closes the database.
    pub async fn close(&self) {
        todo!()
    }
}
