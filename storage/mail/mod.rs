//! Messages in mailboxes.

pub(crate) mod append;
pub mod change;
pub mod emails;
pub mod mailboxes;
pub mod metadata;
pub mod packed;
pub(crate) mod read;
pub(crate) mod reclaim;
pub(crate) mod summaries;

use crate::{EmailId, Flags, IdSet, Modseq, Uid};

/// A message's row in a mailbox: what the index in memory holds.
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
    /// `flags = flags & !clear | set` for those that this changes and that are not newer.
    Flags {
        uids: IdSet,
        set: Flags,
        clear: Flags,
        unchanged_since: Option<Modseq>,
    },
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

impl Role {
    pub const ALL: [Self; 6] =
        [Self::Archive, Self::Drafts, Self::Inbox, Self::Junk, Self::Sent, Self::Trash];

    /// The name in the database and in JMAP (RFC 8621 §2).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Drafts => "drafts",
            Self::Inbox => "inbox",
            Self::Junk => "junk",
            Self::Sent => "sent",
            Self::Trash => "trash",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}
