//! The web door: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113), plain and over TLS with ALPN, and what
//! programs ask of it to set themselves up.
//!
//! The room keeps HTTP's limits and picks a handler by path. It must not know how anything is
//! stored, and it decides nothing but what a path means. It knows `hub` (which domains are hosted)
//! and `hub-wire`.
//!
//! The way of a request: `connection` speaks HTTP within limits; a path that another room has
//! ([`Mount`]) goes there, else `router` picks by path and a file per concern answers; `reply` has the words all of them use. What is offered where is in
//! [`Services`], the one source for every discovery document, for DNS records and for what the
//! server prints when it starts.
//!
//! Discovery: MTA-STS policies (RFC 8461), Mozilla autoconfig, Outlook autodiscover (POX and the JSON redirect), Apple
//! configuration profiles. RFCs: 6186 and 8314 (which servers are named first), 8615 (.well-known), 8555 §8.3
//! and 8737 (proofs for certificate authorities).

mod challenge;
mod connection;
mod discovery;
mod front;
mod patience;
mod redirect;
mod reply;
mod request;
mod router;
mod services;
mod status;
mod target;
mod xml;

use std::sync::Arc;

use hub::Hub;
use hub_wire::ListenOptions;
use hub_wire::http::Mount;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use discovery::mta_sts::{Mode as StsMode, Policy};
pub use services::{Ports, Protocol, Security, Server, Services};

/// What an `https` listener offers in TLS, best first (RFC 7301).
pub const ALPN: &[&str] = &["h2", "http/1.1", ACME_ALPN];

/// What a certificate authority names that looks for a proof (RFC 8737): the handshake is the answer.
const ACME_ALPN: &str = "acme-tls/1";

/// From a token to the proof.
pub type Proofs = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What all connections share.
pub struct Service {
    pub hub: Hub,
    pub services: Services,
    /// The proof with this token for a certificate authority, if there is one now (RFC 8555 §8.3).
    pub challenges: Proofs,
    /// Other rooms that answer on the same listener; the first that takes a path has it.
    pub mounts: Vec<Arc<dyn Mount>>,
}

/// Serves HTTP on `listener` until `shutdown`; requests that were begun may end.
pub async fn serve(
    listener: TcpListener,
    options: ListenOptions,
    service: Arc<Service>,
    shutdown: CancellationToken,
) {
    let token = shutdown.clone();
    hub_wire::listen(listener, options, shutdown, move |connection| {
        connection::converse(Arc::clone(&service), connection, token.clone())
    })
    .await;
}
