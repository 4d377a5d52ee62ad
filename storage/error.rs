//! What broke.

use std::sync::Arc;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Cheap to clone: one failed commit is reported to every job that was in it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} does not exist")]
    NotFound(&'static str),
    #[error("{0} exists already")]
    Exists(&'static str),
    #[error("limit reached: {0}")]
    Limit(&'static str),
    /// Something that it rests on does not exist.
    #[error("{0} does not exist")]
    Conflict(&'static str),
    /// Whoever asked for it may not.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// It is not as whoever asked expects.
    #[error("it has changed meanwhile")]
    Stale,
    /// Somebody holds a lock on this path.
    #[error("{0} is locked")]
    Held(String),
    #[error("quota exceeded: {used} of {limit} bytes are in use")]
    OverQuota { used: u64, limit: u64 },
    /// The data directory or database is not what it should be; the text says what to do.
    #[error("{0}")]
    Damaged(String),
    /// Another process works on the same data directory.
    #[error("{0}")]
    Locked(String),
    #[error("the database refused")]
    Database(#[source] Arc<sqlx::Error>),
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The hub is shutting down, or the writer has more work waiting than it takes.
    #[error("the storage does not take work at the moment")]
    Busy,
}

impl Error {
    /// No room is left on the disk: waiting does not help, making room does.
    pub fn is_disk_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), QuotaExceeded | StorageFull),
            // SQLITE_FULL, and PostgreSQL's disk_full.
            Self::Database(error) => error
                .as_database_error()
                .and_then(|error| error.code())
                .is_some_and(|code| matches!(&*code, "13" | "53100")),
            _ => false,
        }
    }

    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source: Arc::new(source) }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}
