//! What can go wrong, in the hub's own words. Each protocol has one `status.rs` that says it in its.

use hub_storage as storage;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object does not exist (or this login may not know that it does).
    #[error("{0} does not exist")]
    NotFound(&'static str),
    /// An object with this name exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// A precondition (etag, modseq) does not hold any more.
    #[error("it has changed meanwhile")]
    Stale,
    /// The twin's storage quota does not allow it.
    #[error("quota exceeded: {used} of {limit} bytes are in use")]
    OverQuota { used: u64, limit: u64 },
    /// Larger than the configured limit in bytes.
    #[error("too large: the limit is {limit} bytes")]
    TooLarge { limit: u64 },
    /// More objects than a documented limit allows.
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// Something that it rests on does not exist, such as the folder of a new file.
    #[error("{0} does not exist")]
    Conflict(&'static str),
    /// Somebody holds a lock on this path, and it was not submitted.
    #[error("{root} is locked")]
    Locked { root: String },
    /// This login may not do that.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// Login name or secret wrong. Says no more, and takes as long as a right one.
    #[error("authentication failed")]
    BadCredentials,
    /// The request makes no sense; the text says why and may be shown to a person.
    #[error("{0}")]
    Invalid(String),
    /// The recipient's own rules refuse the message, with this reason.
    #[error("{0}")]
    Refused(String),
    /// Temporary: disk full, database locked, shutting down. Nothing was changed; try again.
    #[error("temporarily unavailable")]
    Unavailable(#[source] storage::Error),
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::NotFound(what) => Self::NotFound(what),
            storage::Error::Exists(what) => Self::Exists(what),
            storage::Error::Limit(what) => Self::Limit(what),
            storage::Error::Conflict(what) => Self::Conflict(what),
            storage::Error::Forbidden(what) => Self::Forbidden(what),
            storage::Error::Held(root) => Self::Locked { root },
            storage::Error::Stale => Self::Stale,
            storage::Error::OverQuota { used, limit } => Self::OverQuota { used, limit },
            other => Self::Unavailable(other),
        }
    }
}
