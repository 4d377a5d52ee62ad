//! Letting programs in without giving them a password: the authorization server's rules (OAuth 2.1), without
//! HTTP.
//!
//! A program registers itself (`client`), its twin approves what it asks for (`approval`), it gets tokens
//! (`grants`) by a code (`code`) or, where there is no browser, by waiting for its twin to do this elsewhere
//! (`device`). Nothing is ever fetched from an address that a program gives, so there is nothing to forge.
//!
//! RFCs: 6749 and OAuth 2.1 (draft-ietf-oauth-v2-1), 7636 (PKCE, S256 only), 7009 (revocation), 7591
//! (registration), 8252 (native applications), 8628 (devices), 9700 (security).

mod approval;
mod client;
mod code;
mod device;
mod grants;
mod token;

pub use approval::Approval;
pub use client::Client;
pub use code::Challenge;
pub use device::{DeviceRequest, Poll};
pub use grants::{GrantInfo, Issued};

/// What waits for a program or its twin, in memory: minutes at most.
#[derive(Default)]
pub(crate) struct Waiting {
    codes: std::sync::Mutex<code::Codes>,
    devices: std::sync::Mutex<device::Devices>,
}

impl Waiting {
    /// What this twin has approved and nobody has fetched yet is approved no more.
    pub(crate) fn forget(&self, account: crate::AccountId) {
        crate::locked(&self.codes).forget(account);
        crate::locked(&self.devices).forget(account);
    }
}
