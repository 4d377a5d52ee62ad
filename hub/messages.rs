//! Messages and mailboxes of an account.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Account, EmailId, Flags, IdSet, Incoming, MailboxId, Modseq, OpenMailbox, Result, Role, Uid, UidValidity,
};

/// The messages of one account: `account.messages()`.
#[derive(Clone, Copy)]
pub struct Messages<'a> {
    pub(crate) account: &'a Account,
}

/// A mailbox with its counters as of the last commit.
#[derive(Clone, Debug)]
pub struct MailboxInfo {
    pub id: MailboxId,
    /// Full name from the root, levels separated by `/`; the inbox is `INBOX`.
    pub path: String,
    pub role: Option<Role>,
    /// False for a name that exists only because it has children (`\Noselect`).
    pub selectable: bool,
    pub subscribed: bool,
    pub has_children: bool,
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub modseq: Modseq,
    pub total: u32,
    pub unseen: u32,
    /// Sum of the sizes of its messages, in bytes.
    pub bytes: u64,
}

/// A message to put into a mailbox.
pub struct NewMessage {
    pub incoming: Incoming,
    pub flags: Flags,
    /// Unix seconds (INTERNALDATE).
    pub received_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub uid_validity: UidValidity,
    pub uids: Vec<Uid>,
}

/// What COPY or MOVE did: the n-th UID of `from` became the n-th of `to` (RFC 4315 §3).
/// Both are empty if no message was left to copy, which is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub uid_validity: UidValidity,
    pub from: IdSet,
    pub to: IdSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagChange {
    Add(Flags),
    Remove(Flags),
    Replace(Flags),
}

/// The account's keywords in the order of their flag bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords(pub Vec<String>);

/// A kept message: what FETCH needs besides the index record.
#[derive(Clone)]
pub struct Message {
    /// Header fields that the hub put in front at delivery (Return-Path, Received …). The message
    /// as clients see it is `prefix` followed by the bytes received.
    pub prefix: Bytes,
    /// Encoded [`crate::Summary`]; all its offsets count from the end of `prefix`.
    pub summary: Bytes,
    pub(crate) blob: hub_storage::BlobId,
    pub(crate) blob_size: u64,
}

impl Message {
    /// RFC822.SIZE: exactly what reading all of it gives.
    pub fn size(&self) -> u64 {
        self.prefix.len() as u64 + self.blob_size
    }
}

impl Messages<'_> {
    /// All mailboxes, sorted by path with INBOX first.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxInfo>> {
        todo!()
    }

    /// The mailbox of that name (`INBOX` in any case), `NotFound` if there is none.
    pub async fn mailbox(&self, path: &str) -> Result<MailboxInfo> {
        todo!()
    }

    /// Creates a mailbox, its missing parents too, and subscribes to it. `Exists`, `Invalid`, `Limit`.
    pub async fn create(&self, path: &str, role: Option<Role>) -> Result<MailboxInfo> {
        todo!()
    }

    /// Deletes a mailbox and its messages. With children it stays as a name that cannot be selected
    /// (RFC 9051 §6.3.5). `NotFound`, `Forbidden` for INBOX, `Invalid` for such a bare name with children.
    pub async fn delete(&self, path: &str) -> Result<()> {
        todo!()
    }

    /// Renames a mailbox and all below it; UIDs and UIDVALIDITY stay. Renaming INBOX moves its
    /// messages into a new mailbox (RFC 9051 §6.3.6). `NotFound`, `Exists`, `Invalid`.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        todo!()
    }

    /// Subscribes to or unsubscribes from a name, whether it exists or not (RFC 3501 §6.3.6).
    pub async fn subscribe(&self, path: &str, subscribed: bool) -> Result<()> {
        todo!()
    }

    /// All subscribed names, also those of mailboxes that do not exist any more.
    pub async fn subscriptions(&self) -> Result<Vec<String>> {
        todo!()
    }

    /// Opens a mailbox for looking at; loads its index if nobody has it open. `NotFound`.
    pub async fn open(&self, id: MailboxId) -> Result<Arc<OpenMailbox>> {
        todo!()
    }

    /// The account's keywords. Cached; what is missing from it appears after the next call.
    pub async fn keywords(&self) -> Result<Arc<Keywords>> {
        todo!()
    }

    /// The flag bits of these keyword names (case-insensitive), made up if `create`. Names unknown
    /// otherwise are left out. `Limit` beyond [`Flags::MAX_KEYWORDS`].
    pub async fn keyword_flags(&self, names: &[&str], create: bool) -> Result<Flags> {
        todo!()
    }

    /// Puts messages into a mailbox, all or none, in order. On disk when it returns.
    /// `NotFound`, `OverQuota`, `Unavailable`.
    pub async fn append(&self, mailbox: MailboxId, messages: Vec<NewMessage>) -> Result<Appended> {
        todo!()
    }

    /// Changes flags of those of `uids` that still exist and, with `unchanged_since`, whose modseq is
    /// not above it; returns the UIDs that failed that test (RFC 7162 §3.1.3).
    pub async fn change_flags(
        &self,
        mailbox: MailboxId,
        uids: &IdSet,
        change: FlagChange,
        unchanged_since: Option<Modseq>,
    ) -> Result<IdSet> {
        todo!()
    }

    /// Copies those of `uids` that still exist, with their flags. `NotFound` if a mailbox is gone, `OverQuota`.
    pub async fn copy(&self, from: MailboxId, uids: &IdSet, to: MailboxId) -> Result<Copied> {
        todo!()
    }

    /// Moves those of `uids` that still exist; each message is in exactly one of the two at any time.
    pub async fn move_to(&self, from: MailboxId, uids: &IdSet, to: MailboxId) -> Result<Copied> {
        todo!()
    }

    /// Removes messages that have `\Deleted`: all of them, or those among `uids`. Returns the UIDs removed.
    pub async fn expunge(&self, mailbox: MailboxId, uids: Option<&IdSet>) -> Result<IdSet> {
        todo!()
    }

    /// UIDs removed from a mailbox after `since` (RFC 7162 §3.2.10 VANISHED); `None` if the journal
    /// does not reach back so far.
    pub async fn vanished_since(&self, mailbox: MailboxId, since: Modseq) -> Result<Option<IdSet>> {
        todo!()
    }

    /// The kept messages of these ids, in the same order, in one go; `None` for one that is gone.
    /// Call it with up to a few hundred at a time.
    pub async fn fetch(&self, emails: &[EmailId]) -> Result<Vec<Option<Message>>> {
        todo!()
    }

    /// Bytes of a message, prefix included; the range is cut to its length. Reads no more than needed.
    pub async fn read(&self, message: &Message, range: Range<u64>) -> Result<Bytes> {
        todo!()
    }

    /// Whole messages at once, for FETCH of many small ones.
    pub async fn read_all(&self, messages: &[&Message]) -> Result<Vec<Bytes>> {
        todo!()
    }
}
