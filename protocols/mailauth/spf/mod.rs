//! SPF (RFC 7208). Our own evaluation instead of mail-auth's, which does not count void look-ups,
//! takes the first of several records, and reads a number of broken records as good ones: the cases
//! of the RFC's test suite in `tests/spf.rs` are the measure.
//!
//! Work is bounded by the RFC: ten terms that ask DNS, two look-ups that find nothing, ten names of
//! an MX or PTR answer.

mod check;
mod macros;
mod record;

use std::net::IpAddr;

use hub::AuthResult;

pub(crate) use check::check_host;

/// What `check_host` (RFC 7208 §4) is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub ip: IpAddr,
    /// The domain whose authorisation is checked.
    pub domain: &'a str,
    /// The reverse-path, or `postmaster@` and the domain.
    pub sender: &'a str,
    pub helo: &'a str,
    /// Our own name, for the macro `r`.
    pub receiver: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfAnswer {
    pub result: AuthResult,
    /// What the domain says to whom it refuses; text of a stranger (RFC 7208 §11.5).
    pub explanation: Option<String>,
}
