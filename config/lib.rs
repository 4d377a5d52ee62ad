//! Typed settings and their reference text. A leaf: it knows no other crate, and each room is
//! handed its own part by the binary.
//!
//! `hub.toml` in this folder is generated from the doc comments in `sections.rs`
//! (`twinhub config > config/hub.toml`); a test fails when it is stale. Every setting has a safe
//! default, so a hub runs without any file.

mod dnsbl;
mod examine;
mod files;
mod nearest;
mod network;
mod proxy;
mod rates;
mod read;
mod render;
mod section;
mod sections;
mod twins;
mod value;

pub use dnsbl::Dnsbl;
pub use files::Files;
pub use network::{Network, Networks};
pub use proxy::Proxy;
pub use rates::Rates;
pub use read::{Errors, Problem};
pub use sections::{
    Acme, Authentication, Config, General, Limits, Listen, Lmtp, Log, Milter, Outbound, Public, Relay,
    Resolver, Tls,
};
pub use twins::Twins;
pub use value::{
    AcmeChallenge, CertificateFiles, Database, Dnssec, Endpoint, Endpoints, LogFormat, LogLevel,
    MilterFailure, MtaSts, Quota, RelayTls, Size,
};
