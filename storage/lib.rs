//! Rows, blobs and the change log, on SQLite or PostgreSQL. The only room with SQL.
//!
//! No rules, no sockets, no parsing of mail: what is allowed is decided in `hub`.
//!
//! Writing: [`Storage::append`] for messages, [`Storage::transact`] for everything else; both go to
//! one writer task that commits in groups (`writer.rs`). Whoever gets an `Ok` may promise it to the
//! world. Reading: methods of [`Storage`] on pooled connections that see committed data only.
//!
//! Every account has one counter, its [`Modseq`], taken once per commit; the journal (`changes.rs`)
//! says what each step created, updated and destroyed.

pub mod accounts;
mod batch;
mod blobs;
mod changes;
mod checkpoint;
pub mod contacts;
mod counted;
mod db;
pub mod dkim;
mod error;
pub mod files;
mod flags;
pub mod forward;
mod id;
mod idset;
pub mod imports;
pub mod items;
pub mod itip;
pub mod junk;
mod known;
mod mail;
mod node;
pub mod oauth;
mod open;
mod patience;
pub mod peers;
mod power;
pub mod queue;
pub mod reports;
pub mod rooms;
pub mod sieve;
mod spool;
pub mod submissions;
mod terms;
#[cfg(test)]
mod tests;
mod told;
pub mod transport;
pub mod twin_log;
pub mod twins;
mod tx;
pub mod uploads;
pub mod varint;
mod writer;
mod zip;

pub use blobs::StagedBlob;
pub use changes::{Change, Counters, Folded, Heads, Journal, JournalRow, Kind, Since};
pub use error::{Error, Result};
pub use flags::Flags;
pub use id::{AccountId, BlobId, EmailId, MailboxId, Modseq, Uid, UidValidity};
pub use idset::IdSet;
pub use mail::append::{Appended, NewEmail, append_within};
pub use mail::change::Copied;
pub use mail::emails::Placed;
pub use mail::mailboxes::MailboxRow;
pub use mail::read::{MailboxIndex, OpenBlob, StoredEmail};
pub use mail::summaries::SummaryRow;
pub use mail::{Edit, Record, Role, change as messages, emails, mailboxes, metadata, packed};
pub use open::{Database, Options, Storage};
pub use spool::Spool;
pub use terms::{Candidates, Corpus, TERMS, TermBatch};
pub use told::{FlagEdit, Foreseen, Listener};
pub use tx::Tx;
pub use writer::BoxFuture;

/// An error with all its causes in one line, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Unix seconds.
pub(crate) fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs() as i64)
}

/// A lock that a panicking holder does not poison: what it guards is valid at every step.
pub(crate) fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
