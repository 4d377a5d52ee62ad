//! What a run decides. Nothing of it has been done yet.

use std::sync::Arc;

/// What to do with the message. Without a [`Action::Keep`], [`Action::FileInto`] or
/// [`Action::Redirect`] it is thrown away, because the script wants that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// In the order in which they are to be done; the implicit keep (RFC 5228 §2.10.2) is one of them.
    pub actions: Vec<Action>,
    /// To be noted once the actions are done (RFC 7352 §3).
    pub ids: Vec<SeenId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    FileInto(FileInto),
    Keep(Copied),
    Redirect { address: String, header: Option<Arc<[u8]>> },
    Reject { reason: String, extended: bool },
    Vacation(Vacation),
}

/// How the message is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// `\Seen` and the like, and keywords; each once.
    pub flags: Vec<String>,
    /// The whole header block, if the script has changed it (RFC 5293).
    pub header: Option<Arc<[u8]>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInto {
    pub mailbox: String,
    /// RFC 5490 §3.2.
    pub create: bool,
    /// RFC 8579 §4: this mailbox comes first, if there is one.
    pub special_use: Option<String>,
    pub copied: Copied,
}

/// RFC 5230. Whether there is an answer is for the caller to decide, who knows what was answered before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vacation {
    /// Who gets one answer gets no other for so long.
    pub seconds: u64,
    pub subject: Option<String>,
    pub from: Option<String>,
    /// Other addresses of the user.
    pub addresses: Vec<String>,
    /// The reason is a MIME entity with its header.
    pub mime: bool,
    /// Answers with the same handle are the same (RFC 5230 §4.2).
    pub handle: String,
    pub reason: String,
}

/// An id of the duplicate test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenId {
    pub id: String,
    pub seconds: u64,
}
