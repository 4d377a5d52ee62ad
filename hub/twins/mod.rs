//! What makes an account a twin among the twins of other hubs.

mod identity;

pub use identity::TwinIdentity;
pub(crate) use identity::{give_identities, new_identity};
