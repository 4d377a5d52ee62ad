//! Who is behind a message from another server: iprev, SPF, DKIM, ARC and DMARC, evaluated from the
//! bytes, the envelope and the peer, over the hub's resolver (`hub-dns`).
//!
//! mail-auth does the cryptography and parses what is signed and published. What it lacks or does
//! otherwise is ours: SPF (`spf`), limits on the work that a message can cause, algorithms that
//! count no more (RFC 8301), bodies hashed in pieces, what ARC demands of a chain before it is
//! looked at.
//!
//! It finds out and writes down; what becomes of a message is `hub::Verdict::decide`. It must not
//! know SMTP or storage.
//!
//! RFC 5782 (lists of senders), 6376 (DKIM), 7208 (SPF), 8301 and 8463 (algorithms), 8601
//! (Authentication-Results, iprev), 8617 (ARC), 9989 and 9990 (DMARC and its reports), 8460 (reports
//! about TLS).

mod answers;
mod arc;
mod check;
mod dkim;
mod dmarc;
mod dns;
mod dnsbl;
mod iprev;
mod message;
mod reports;
mod results;
mod spf;

pub use check::{Authenticator, Envelope, Sender};
pub use dnsbl::{List, ListState, Listed};
pub use reports::{MOST_REPORT, MadeReport, Reporting, read_report};
pub use results::authentication_results;
pub use spf::{Query, SpfAnswer};
