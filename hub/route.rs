//! Whose an address is.

use std::collections::HashSet;

use hub_storage::forward::Target;

use crate::deliver::Recipient;
use crate::{AccountId, Address, Error, Hub, Result};

/// Addresses that an alias can lead to, also by way of others.
pub(crate) const MOST_TARGETS: usize = 100;

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The address is of somebody here, or an alias.
    Local(Members),
    /// The domain is ours but nobody has this address.
    Unknown,
    /// The domain is not ours.
    Elsewhere,
}

/// Who gets the mail for an address of ours: an alias can name several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub accounts: Vec<AccountId>,
    /// Addresses that are not ours.
    pub elsewhere: Vec<Address>,
}

impl Members {
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.elsewhere.is_empty()
    }
}

impl<A: Into<Vec<AccountId>>> From<A> for Members {
    fn from(accounts: A) -> Self {
        Self { accounts: accounts.into(), elsewhere: Vec::new() }
    }
}

impl Hub {
    /// Decides where mail for `address` goes: exact address or alias first, then without `+detail`,
    /// then the alias `*` of the domain, which takes what nobody else has;
    /// `postmaster` of every domain of ours always exists (RFC 5321 §4.5.1).
    pub async fn route(&self, address: &Address) -> Result<Route> {
        let key = address.key();
        match self.0.routes.get(&key) {
            Ok(route) => Ok(route),
            Err(ticket) => {
                let route = self.find_route(address).await?;
                // Misses are not kept: anybody can ask for any number of them.
                if matches!(route, Route::Local(_)) {
                    self.0.routes.put(ticket, key, route.clone());
                }
                Ok(route)
            }
        }
    }

    async fn find_route(&self, address: &Address) -> Result<Route> {
        if !self.0.storage.has_domain(address.domain()).await? {
            return Ok(Route::Elsewhere);
        }
        let mut members = self.members(address.key()).await?;
        if members.is_empty()
            && let Some(plain) = address.without_detail()
        {
            members = self.members(plain.key()).await?;
        }
        if members.is_empty() && address.local().eq_ignore_ascii_case("postmaster") {
            return Ok(Route::Local(self.postmaster().await?.members));
        }
        if members.is_empty() {
            members = self.members(format!("*@{}", address.domain())).await?;
        }
        Ok(if members.is_empty() { Route::Unknown } else { Route::Local(members) })
    }

    /// Whom exactly this address (in lower case) leads to.
    pub(crate) async fn members(&self, key: String) -> Result<Members> {
        Ok(self.resolve(key).await?.0)
    }

    /// Follows an address (in lower case) to its ends, and tells by way of which addresses. Each is
    /// followed once: aliases may run in a circle.
    pub(crate) async fn resolve(&self, key: String) -> Result<(Members, HashSet<String>)> {
        let (storage, mut members) = (&self.0.storage, Members::default());
        let (mut open, mut seen) = (vec![key.clone()], HashSet::from([key]));
        while let Some(key) = open.pop() {
            for target in storage.targets(&key).await? {
                match target {
                    Target::Account(account) if members.accounts.contains(&account) => {}
                    Target::Account(account) => members.accounts.push(account),
                    Target::Address(written) => {
                        let address = Address::parse(&written)?;
                        if seen.len() > MOST_TARGETS || !seen.insert(address.key()) {
                            continue;
                        }
                        match storage.has_domain(address.domain()).await? {
                            true => open.push(address.key()),
                            false => members.elsewhere.push(address),
                        }
                    }
                }
            }
        }
        Ok((members, seen))
    }

    /// Whom `RCPT TO:<postmaster>` without a domain reaches: who has that address in any domain of
    /// ours, else the hub's first twin. `NotFound` as long as there is no twin at all.
    pub async fn postmaster(&self) -> Result<Recipient> {
        let storage = &self.0.storage;
        let domains = storage.domains().await?;
        for domain in &domains {
            let address = Address::parse(&format!("postmaster@{domain}"))?;
            let members = self.members(address.key()).await?;
            if !members.is_empty() {
                return Ok(Recipient { address, members });
            }
        }
        let first = storage.accounts().await?.into_iter().next().ok_or(Error::NotFound("postmaster"))?;
        let domain = domains.first().map_or("localhost", String::as_str);
        let address = Address::parse(&format!("postmaster@{domain}"))?;
        Ok(Recipient { address, members: [first.id].into() })
    }

    /// `OverQuota` if one of the accounts has no room for `bytes` more: to be said at RCPT TO, so that
    /// one full mailbox does not hold up a message for everybody else.
    pub async fn room_for(&self, accounts: &[AccountId], bytes: u64) -> Result<()> {
        for id in accounts {
            let Err(ticket) = self.0.unlimited.get(id) else { continue };
            let account = self.0.storage.account(*id).await?.ok_or(Error::NotFound("account"))?;
            if account.quota == 0 {
                self.0.unlimited.put(ticket, *id, ());
            } else if account.bytes.saturating_add(bytes) > account.quota {
                return Err(Error::OverQuota { used: account.bytes, limit: account.quota });
            }
        }
        Ok(())
    }
}
