//! What makes an account a twin among the twins of other hubs.

mod book;
mod identity;
mod log;
mod peers;

pub use identity::TwinIdentity;
pub(crate) use identity::{add_identities, give_identities, new_identity};
pub use peers::{Found, LONGEST_DESCRIPTOR, LONGEST_ENTRY, PeerHub, PeerTwin};
