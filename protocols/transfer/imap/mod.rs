//! Another IMAP server as a source, whichever it is and however it misbehaves.

mod account;
mod address;
mod connection;
mod response;

pub use account::import;
pub(crate) use address::decoded;
pub use address::{Address, Security};

/// What is needed to log in.
pub struct Login<'a> {
    pub address: &'a Address,
    pub password: &'a hub::Secret,
    /// See [`hub_wire::tls_connector`].
    pub tls: tokio_rustls::TlsConnector,
    /// Before the second attempt to connect; twice as long before each further one.
    pub pause: std::time::Duration,
}
