//! Another IMAP server as a source, whichever it is and however it misbehaves.

mod account;
mod address;
mod connection;
mod response;
mod tls;

pub use account::import;
pub use address::{Address, Security};
pub use tls::connector;

/// What is needed to log in.
pub struct Login<'a> {
    pub address: &'a Address,
    pub password: &'a hub::Secret,
    pub tls: tokio_rustls::TlsConnector,
    /// Before the second attempt to connect; twice as long before each further one.
    pub pause: std::time::Duration,
}
