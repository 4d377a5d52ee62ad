//! Does the address have a name that leads back to it? (RFC 8601 §3)

use std::net::IpAddr;

use hub::AuthResult;

use crate::dns::{Dns, Missing};

/// Names of one address that are tried; more than one is rare.
const MAX_NAMES: usize = 3;

/// The result, and the name if there is one.
pub(crate) async fn check(dns: &Dns, peer: IpAddr) -> (AuthResult, Option<String>) {
    let names = match dns.names(peer).await {
        Ok(names) => names,
        // RFC 8601 §2.7.3: nothing is published.
        Err(Missing::Record) => return (AuthResult::PermError, None),
        Err(Missing::Answer) => return (AuthResult::TempError, None),
    };
    let mut result = AuthResult::Fail;
    for name in names.into_iter().take(MAX_NAMES) {
        match dns.addresses(&name, peer).await {
            Ok(addresses) if addresses.contains(&peer) => return (AuthResult::Pass, Some(name)),
            Ok(_) | Err(Missing::Record) => {}
            Err(Missing::Answer) => result = AuthResult::TempError,
        }
    }
    (result, None)
}
