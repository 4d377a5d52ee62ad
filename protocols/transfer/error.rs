//! What can stop a transfer.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection to the source is lost; another one may do better.
    #[error("{0}")]
    Broken(String),
    /// Files that cannot be read or written.
    #[error("{what}: {error}")]
    File {
        what: String,
        #[source]
        error: std::io::Error,
    },
    /// The hub does not take it, or is gone.
    #[error("the hub: {0}")]
    Hub(String),
    /// The source says no: a wrong password, say. Trying again does not help.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    pub(crate) fn file(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_string();
        move |error| Self::File { what, error }
    }
}
