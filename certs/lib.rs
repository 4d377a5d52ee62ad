//! Keys and certificates: TLS configurations from PEM files with hot reload, certificates from a
//! public authority, an authority of the hub's own when there are none, and the hub key.
//!
//! It knows config; never who uses a certificate. Private keys are written readable by the owner
//! only, atomically and synced; a key that cannot be read is named, never replaced.
//! RFC 5280 (certificates), RFC 6066 §3 (SNI), RFC 8446 (TLS 1.3), RFC 8410 (Ed25519 keys), RFC 8555
//! (ACME), RFC 8737 (TLS-ALPN-01), RFC 9773 (renewal information).

pub mod acme;
mod authority;
mod der;
mod files;
mod host_key;
mod hub_key;
mod loaded;
mod tls;

use std::path::PathBuf;

pub use authority::ascii_name;
pub use files::write_atomically;
pub use hub_key::hub_key;
pub use loaded::{Certificate, authorities};
pub use tls::{Certs, Options};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that must not be overwritten cannot be used.
    #[error("{}: {why}", path.display())]
    File { path: PathBuf, why: String },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        Self::File { path: path.into(), why: why.to_string() }
    }
}
