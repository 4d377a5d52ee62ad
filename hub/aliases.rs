//! Aliases: addresses of ours that lead to twins, to other aliases, or elsewhere.

use hub_storage::{accounts, forward};

use crate::route::MOST_TARGETS;
use crate::{Address, Error, Hub, Result};

/// An alias, and one of those whom it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasInfo {
    pub alias: Address,
    pub target: Address,
}

impl Hub {
    /// Mail for `alias` goes to `target` too; if that is a twin, it may send as the alias. `Exists`;
    /// `NotFound` for a domain that is not ours, or if nobody here has the target; `Limit`; `Invalid` if it
    /// would run in a circle.
    pub async fn add_alias(&self, alias: &Address, target: &Address) -> Result<()> {
        let storage = &self.0.storage;
        if !storage.has_domain(alias.domain()).await? {
            return Err(Error::NotFound("domain"));
        }
        let (key, written) = (alias.key(), alias.to_string());
        match self.twin(target).await {
            Ok(id) => {
                let add = storage.transact([id], move |tx| {
                    Box::pin(async move { accounts::add_address(tx, id, &key, &written).await })
                });
                return Ok(add.await?);
            }
            Err(Error::NotFound(_)) => self.check_target(alias, target).await?,
            Err(error) => return Err(error),
        }
        let (target_key, target) = (target.key(), target.to_string());
        let add = storage.transact([], move |tx| {
            Box::pin(async move { forward::add(tx, (&key, &written), (&target_key, &target)).await })
        });
        add.await?;
        tracing::info!(%alias, "an alias leads to another address now");
        Ok(())
    }

    /// Whether an address that is no twin's handle may be the target of an alias.
    async fn check_target(&self, alias: &Address, target: &Address) -> Result<()> {
        let own = self.members(alias.key()).await?;
        if own.accounts.len() + own.elsewhere.len() >= MOST_TARGETS {
            return Err(Error::Limit("an alias leads to 100 addresses at most"));
        }
        if !self.0.storage.has_domain(target.domain()).await? {
            return Ok(());
        }
        let (members, aliases) = self.resolve(target.key()).await?;
        if aliases.contains(&alias.key()) {
            return Err(Error::Invalid(format!("mail for {alias} would run in a circle")));
        }
        match members.is_empty() {
            true => Err(Error::NotFound("twin")),
            false => Ok(()),
        }
    }

    /// Takes a target away from an alias. `NotFound`; `Forbidden` for a twin's own handle.
    pub async fn remove_alias(&self, alias: &Address, target: &Address) -> Result<()> {
        let (key, target_key) = (alias.key(), target.key());
        let storage = &self.0.storage;
        let id = match self.twin(target).await {
            Ok(id) => id,
            Err(Error::NotFound(_)) => {
                let remove = storage.transact([], move |tx| {
                    Box::pin(async move { forward::remove(tx, &key, &target_key).await })
                });
                return Ok(remove.await?);
            }
            Err(error) => return Err(error),
        };
        if key == target_key {
            return Err(Error::Forbidden("a twin's own address cannot be removed from it"));
        }
        let remove = storage
            .transact([id], move |tx| Box::pin(async move { accounts::remove_address(tx, id, &key).await }));
        Ok(remove.await?)
    }

    /// All aliases: those of twins first, then those that lead to other addresses.
    pub async fn aliases(&self) -> Result<Vec<AliasInfo>> {
        let mut aliases = Vec::new();
        for twin in self.twins().await? {
            let of_twin = twin.aliases.into_iter();
            aliases.extend(of_twin.map(|alias| AliasInfo { alias, target: twin.handle.clone() }));
        }
        for row in self.0.storage.forwards().await? {
            let (alias, target) = (Address::parse(&row.written)?, Address::parse(&row.target)?);
            aliases.push(AliasInfo { alias, target });
        }
        Ok(aliases)
    }
}
