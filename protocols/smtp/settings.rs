//! What the owner of the hub decides about SMTP. The binary fills it from the configuration.

use std::sync::Arc;
use std::time::Duration;

use hub::Secret;
use hub_wire::Networks;

use crate::content::ContentFilter;
use crate::rates::{RateSettings, Rates};

#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub's own name: in the greeting, in Received and in message ids.
    pub host_name: String,
    /// Largest message in bytes, announced as SIZE.
    pub max_message_size: u64,
    /// Recipients of one message; RFC 5321 §4.5.3.1.8 demands 100 at least.
    pub max_recipients: usize,
    /// Received header fields beyond which a message is taken to run in a circle; RFC 5321 §6.3
    /// demands 100 at least.
    pub max_received: u32,
    /// Time for the next command, and for the next bytes of a message; RFC 5321 §4.5.3.2.7 asks a
    /// server to wait 5 minutes at least.
    pub command_time: Duration,
    /// On the submission ports, from the connection to the end of a successful AUTH: who has not
    /// logged in by then is not a mail program.
    pub time_before_login: Duration,
    /// Failed log-ins on one connection before it is closed.
    pub failed_logins: u32,
    /// Whose LMTP connections are taken.
    pub lmtp_networks: Networks,
    /// The name under which the server in front writes Authentication-Results, if these are believed.
    pub lmtp_authserv_id: Option<String>,
    /// How much one network, domain or account may bring.
    pub rates: Arc<Rates>,
    /// Asked about mail from other servers.
    pub content_filter: Option<ContentFilter>,
    /// Where mail for other hosts is handed over. Without it each domain's own hosts get it.
    pub relay: Option<Relay>,
    /// Port of other mail servers; 25 except in tests.
    pub exchange_port: u16,
    /// How TLS to other hosts goes is counted, for reports to their domains (RFC 8460).
    pub tls_reports: bool,
    /// Port of MTA-STS policies; 443 except in tests.
    pub policy_port: u16,
    /// Certificates in PEM to trust besides the public ones, when sending.
    pub trust_roots: Vec<u8>,
    /// How long first contacts that nobody answers for are put off; zero is not at all.
    pub greylisting: Duration,
    /// Senders on this machine are checked too.
    pub check_loopback: bool,
    /// Times between attempts to send are multiplied by this; 1 except in tests.
    pub clock_scale: f64,
}

impl Settings {
    /// Every setting at its default.
    pub fn new(host_name: impl Into<String>) -> Self {
        Self {
            host_name: host_name.into(),
            max_message_size: 50 * 1024 * 1024,
            max_recipients: 1000,
            max_received: 100,
            command_time: Duration::from_secs(300),
            time_before_login: Duration::from_secs(60),
            failed_logins: 3,
            lmtp_networks: Networks::loopback(),
            lmtp_authserv_id: None,
            rates: Arc::new(Rates::new(&RateSettings::default())),
            content_filter: None,
            relay: None,
            exchange_port: 25,
            tls_reports: true,
            policy_port: 443,
            trust_roots: Vec::new(),
            greylisting: Duration::from_secs(300),
            check_loopback: false,
            clock_scale: 1.0,
        }
    }
}

/// A host that takes our mail for all others.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Name or address.
    pub host: String,
    pub port: u16,
    pub security: RelaySecurity,
    /// Login name and password, if it wants them.
    pub credentials: Option<(String, Secret)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelaySecurity {
    /// TLS from the first byte, usually port 465.
    ImplicitTls,
    /// No TLS. A password is sent to a loopback address only.
    Plain,
    /// STARTTLS, usually port 587; never goes on without it.
    StartTls,
}

// Limits that are not for configuring.

/// A message may take the time for a command and one second for each of these bytes: slower than
/// any modem, faster than who wants to hold the connection.
pub(crate) const BYTES_PER_SECOND: u64 = 1024;
/// Octets of a command line with its CR LF. RFC 5321 §4.5.3.1.4 sets 512; with RFC 3461 §5.4 and
/// RFC 6531 §3.4 it is some 1,100.
pub(crate) const MAX_COMMAND: usize = 4096;
/// Octets of AUTH and of the lines that answer it (RFC 4954 §4).
pub(crate) const MAX_AUTH_LINE: usize = 12288;
/// Refused commands and recipients of a connection before it is closed; the same as Postfix's.
pub(crate) const MAX_ERRORS: u32 = 20;
/// Commands that lead nowhere (NOOP, RSET, VRFY, EHLO …) between two messages.
pub(crate) const MAX_IDLE_COMMANDS: u32 = 100;
