//! The hub's native primitives and every rule about them: accounts, messages (later contacts,
//! agenda, files), the one way in ([`Hub::deliver`]) and the one way out ([`Account::submit`]).
//!
//! It may touch storage and the clock. It must not know wire words, sockets or HTTP types: how a
//! refusal is said is decided in each protocol's `status.rs`.
//!
//! User data is reached through an [`Account`], which only a login (or local delivery) can make.

mod accounts;
mod address;
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
pub use submit::{Notify, QueueEntry, Return, Submission, SubmissionRecipient, Submitted};

use std::sync::Arc;

/// The hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    storage: Storage,
}
