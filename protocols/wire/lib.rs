//! What every protocol needs between a socket and its grammar: listeners with limits, connections
//! that are plain TCP or TLS, the header of a proxy in front (PROXY protocol), SASL exchanges (RFC 4422),
//! delays after failed log-ins, how rooms share the web listener, who asks there, and small bodies.
//!
//! It must not know any protocol's grammar, the hub, or who a user is. A protocol crate calls
//! [`listen()`] with a handler and gets a [`Connection`] for each client that is within the limits.

mod bearer;
mod bind;
mod client;
pub mod http;
pub mod http_login;
pub mod limits;
mod listen;
mod proxy;
pub mod sasl;
mod scram;
pub mod small_body;
mod stream;

pub use bind::bind;
pub use client::tls_connector;
pub use hub_config::{Network, Networks};
pub use listen::{DRAIN_TIME, ListenOptions, listen};
pub use stream::{Connection, HANDSHAKE_TIME};
