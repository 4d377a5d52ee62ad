//! Rows, blobs and the change log, on SQLite or PostgreSQL. No rules, no sockets, no parsing.

mod flags;
mod id;
mod idset;

pub use flags::Flags;
pub use id::{AccountId, BlobId, EmailId, MailboxId, Modseq, Uid, UidValidity};
pub use idset::IdSet;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} does not exist")]
    NotFound(&'static str),
    #[error("{0} exists already")]
    Exists(&'static str),
    #[error("limit reached: {0}")]
    Limit(&'static str),
    #[error("quota exceeded: {used} of {limit} bytes are in use")]
    OverQuota { used: u64, limit: u64 },
}

/// A message's row in a mailbox: what the in-memory index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub uid: Uid,
    /// RFC822.SIZE in bytes.
    pub size: u32,
    pub flags: Flags,
    pub modseq: Modseq,
    pub email: EmailId,
    /// INTERNALDATE, Unix seconds.
    pub received_at: i64,
}

/// One step of a commit in one mailbox.
#[derive(Clone, Debug)]
pub enum Edit {
    Added(Vec<Record>),
    Flags { uids: IdSet, set: Flags, clear: Flags, unchanged_since: Option<Modseq> },
    Removed(IdSet),
}

/// RFC 6154 §2, RFC 8621 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Archive,
    Drafts,
    Inbox,
    Junk,
    Sent,
    Trash,
}

pub struct StagedBlob;
pub struct Spool;
impl Spool {
    /// Adds bytes. `TooLarge` is the caller's to check: see `len`.
    pub async fn write(&mut self, _chunk: &[u8]) -> Result<(), Error> {
        todo!()
    }
    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        todo!()
    }
}
#[derive(Clone)]
pub struct Storage;
pub struct MailboxRow;
