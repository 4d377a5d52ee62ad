//! Twins' accounts: log-in, credentials, addresses, quota.

use std::fmt;

use crate::{AccountId, Address, Hub, Messages, Result, Secret};

/// The door through which somebody logs in; app passwords can be limited to some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Api,
    Dav,
    Imap,
    Submission,
}

/// What a SCRAM-SHA-256 server needs to know of a user (RFC 5802 §3, RFC 7677).
#[derive(Clone)]
pub struct ScramCredentials {
    pub salt: Vec<u8>,
    pub iterations: u32,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

/// A twin's account, opened by a log-in. Cheap to clone.
#[derive(Clone)]
pub struct Account {
    pub(crate) hub: Hub,
    pub(crate) id: AccountId,
    pub(crate) handle: Address,
}

impl Hub {
    /// Checks a login name (an address of the twin) and its password or an app password.
    ///
    /// Takes equally long for unknown names. Errors: `BadCredentials`, or `Unavailable` if it could
    /// not be checked (never say "wrong password" then: clients would ask for a new one).
    pub async fn login(&self, name: &str, secret: &Secret, door: Door) -> Result<Account> {
        todo!()
    }

    /// The credentials for a SCRAM-SHA-256 exchange. For an unknown name they are made up, but the
    /// same each time, so that nobody learns which names exist (RFC 5802 §9).
    pub async fn scram_credentials(&self, name: &str) -> Result<ScramCredentials> {
        todo!()
    }

    /// Opens the account after a SCRAM exchange has proved `name`'s password.
    pub async fn login_proven(&self, name: &str, door: Door) -> Result<Account> {
        todo!()
    }
}

impl Account {
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The twin's own name: its primary mail address.
    pub fn handle(&self) -> &Address {
        &self.handle
    }

    pub fn messages(&self) -> Messages<'_> {
        Messages { account: self }
    }

    /// True if the twin may send as `address`: its handle, an alias of it, or one of these with a
    /// `+detail`.
    pub async fn may_send_as(&self, address: &Address) -> Result<bool> {
        todo!()
    }

    /// Bytes in use and the limit in bytes (`None`: no limit).
    pub async fn quota(&self) -> Result<(u64, Option<u64>)> {
        todo!()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({} {})", self.id.0, self.handle)
    }
}
