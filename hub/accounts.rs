//! A twin's account: what a log-in opens.

use std::fmt;
use std::sync::Arc;

use crate::{AccountId, Address, Error, Hub, Messages, Result, Scopes};

/// The door through which somebody logs in; app passwords can be limited to some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Api,
    Dav,
    Imap,
    Submission,
}

impl Door {
    pub const ALL: [Self; 4] = [Self::Api, Self::Dav, Self::Imap, Self::Submission];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Dav => "dav",
            Self::Imap => "imap",
            Self::Submission => "submission",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == name)
    }
}

/// A twin's account, opened by a log-in. Cheap to clone.
#[derive(Clone)]
pub struct Account {
    pub(crate) hub: Hub,
    pub(crate) id: AccountId,
    pub(crate) handle: Address,
    pub(crate) hidden_capabilities: Arc<[String]>,
    pub(crate) scopes: Scopes,
}

impl Account {
    pub fn id(&self) -> AccountId {
        self.id
    }

    /// The twin's own name: its primary mail address.
    pub fn handle(&self) -> &Address {
        &self.handle
    }

    /// Names of capabilities that its mail programs are not to be told of, in upper case: the cure for a
    /// program that uses one of them wrongly.
    pub fn hidden_capabilities(&self) -> &[String] {
        &self.hidden_capabilities
    }

    /// What this log-in may do: everything, unless a program logged in with a token.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// `Forbidden` if this log-in may not do all of this.
    pub fn require(&self, needed: Scopes) -> Result<()> {
        match self.scopes.contains(needed) {
            true => Ok(()),
            false => Err(Error::Forbidden("the token does not cover this")),
        }
    }

    /// `Forbidden` if this log-in may change nothing at all.
    pub fn require_change(&self) -> Result<()> {
        match self.scopes.may_change() {
            true => Ok(()),
            false => Err(Error::Forbidden("the token covers no changes")),
        }
    }

    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    pub fn messages(&self) -> Messages<'_> {
        Messages { account: self }
    }

    /// True if the twin may send as `address`: its handle, an alias of it, or one of these with a
    /// `+detail`.
    pub async fn may_send_as(&self, address: &Address) -> Result<bool> {
        let key = address.key();
        let without_detail = address.without_detail().map(|plain| plain.key());
        let own = self.hub.0.storage.addresses(Some(self.id)).await?;
        let has = |wanted: &String| own.iter().any(|row| row.written.to_lowercase() == *wanted);
        if has(&key) || !without_detail.as_ref().is_some_and(has) {
            return Ok(has(&key));
        }
        // With this detail it may be somebody else's.
        Ok(self.hub.members(key).await?.is_empty())
    }

    /// Bytes in use and the limit in bytes (`None`: no limit).
    pub async fn quota(&self) -> Result<(u64, Option<u64>)> {
        let row = self.hub.0.storage.account(self.id).await?.ok_or(Error::NotFound("account"))?;
        Ok((row.bytes, (row.quota > 0).then_some(row.quota)))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({} {})", self.id.0, self.handle)
    }
}
