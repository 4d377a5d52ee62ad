//! DNS: one resolver with one cache for the way out and for checks on senders, and answers that keep
//! apart what mail must keep apart. "There is no such domain" bounces a message; "nobody answered" must not.
//!
//! [`Dns`] asks, [`Error`] says how it went wrong and whether that is final. hickory-resolver speaks
//! the protocol and validates DNSSEC; this room decides when it is asked to, and bounds what it
//! brings back. It must not know what an answer is for.
//!
//! RFC 1035, 2308 (negative answers), 4033–4035 (DNSSEC), 5321 §5.1 (MX), 6698 (TLSA), 7505 (null MX).

mod error;
mod hosts;
mod lookup;
mod resolver;
mod validation;

pub use error::{Error, Kind};
pub use hosts::{Addresses, MailHosts};
pub use lookup::Tlsa;
pub use validation::Validation;

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;

use validation::Validator;

/// What the owner of the hub decides about DNS.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name server to ask instead of those of the system.
    pub server: Option<SocketAddr>,
    /// Time for one answer of the name server; a question may need several.
    pub time: Duration,
    pub validation: Validation,
    /// DNSKEY records, as lines of a zone file, to trust instead of the root's.
    pub trust_anchor: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: None,
            time: Duration::from_secs(5),
            validation: Validation::default(),
            trust_anchor: None,
        }
    }
}

/// The way to ask. One for the whole hub, so that there is one cache.
pub struct Dns {
    /// Asks without validation: for what is only information.
    plain: TokioResolver,
    /// For what mail is sent by.
    validator: Validator,
    time: Duration,
}

impl Dns {
    /// Fails only if the trust anchor cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            plain: resolver::plain(settings)?,
            validator: Validator::new(settings)?,
            time: settings.time,
        })
    }
}
