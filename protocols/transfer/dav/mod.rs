//! Another CalDAV or CardDAV server as a source: its calendars or address books, with their names and
//! colours, and everything in them.
//!
//! Each object has a number made of its URL and its entity-tag, so what is here already is neither fetched
//! nor stored again. RFCs as a client: 4791, 6352, 4918, 5397, 6764 (well-known URLs), 7617 (Basic).

mod account;
mod address;
mod client;
mod discovery;
mod properties;
mod xml;

pub use account::import;
pub use address::Address;

/// What is needed to log in.
pub struct Login<'a> {
    pub address: &'a Address,
    pub password: &'a hub::Secret,
    /// See [`hub_wire::tls_connector`].
    pub tls: tokio_rustls::TlsConnector,
    /// Before the second attempt to connect; twice as long before each further one.
    pub pause: std::time::Duration,
}
