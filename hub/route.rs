//! Whose an address is.

use crate::deliver::Recipient;
use crate::{AccountId, Address, Error, Hub, Result};

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To these twins of this hub (an alias can name several).
    Local(Vec<AccountId>),
    /// The domain is ours but nobody has this address.
    Unknown,
    /// The domain is not ours.
    Elsewhere,
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
        let storage = &self.0.storage;
        if !storage.has_domain(address.domain()).await? {
            return Ok(Route::Elsewhere);
        }
        let mut accounts = storage.accounts_of_address(&address.key()).await?;
        if accounts.is_empty()
            && let Some(plain) = address.without_detail()
        {
            accounts = storage.accounts_of_address(&plain.key()).await?;
        }
        if accounts.is_empty() && address.local().eq_ignore_ascii_case("postmaster") {
            return Ok(Route::Local(self.postmaster().await?.accounts));
        }
        if accounts.is_empty() {
            accounts = storage.accounts_of_address(&format!("*@{}", address.domain())).await?;
        }
        if accounts.is_empty() {
            return Ok(Route::Unknown);
        }
        Ok(Route::Local(accounts.into_iter().map(|account| account.id).collect()))
    }

    /// Whom `RCPT TO:<postmaster>` without a domain reaches: who has that address in any domain of
    /// ours, else the hub's first twin. `NotFound` as long as there is no twin at all.
    pub async fn postmaster(&self) -> Result<Recipient> {
        let storage = &self.0.storage;
        let domains = storage.domains().await?;
        for domain in &domains {
            let address = Address::parse(&format!("postmaster@{domain}"))?;
            let accounts = storage.accounts_of_address(&address.key()).await?;
            if !accounts.is_empty() {
                return Ok(Recipient { address, accounts: accounts.into_iter().map(|a| a.id).collect() });
            }
        }
        let first = storage.accounts().await?.into_iter().next().ok_or(Error::NotFound("postmaster"))?;
        let domain = domains.first().map_or("localhost", String::as_str);
        Ok(Recipient { address: Address::parse(&format!("postmaster@{domain}"))?, accounts: vec![first.id] })
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
