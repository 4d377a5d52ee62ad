//! Grants: calendars and address books that twins of this hub share with each other, one by one, or all
//! calendars at once, which makes the other twin a proxy (Apple's caldav-proxy).
//!
//! The other twin is asked (Apple's caldav-sharing §5.4) unless the owner of the hub did it; what it has
//! accepted is among its own (`granted.rs`).

use hub_storage::items::{
    self as rows, CollectionId, CollectionKind, FOR_GRANTEE, NewCollectionGrant, REVOKED,
};
use hub_storage::{AccountId, Error as Refusal};

use crate::collections::Collections;
use crate::{Account, Address, Error, Result};

/// Grants of an account at most.
const GRANTS: usize = 1000;
/// Bytes of what an owner calls a collection when it shares it.
const SUMMARY: usize = 1000;
/// News that the owner has not seen.
pub(super) const FOR_OWNER: i64 = 2;

/// What another twin may do with a calendar or an address book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Reading and changing.
    Write,
}

impl Access {
    const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }

    /// As it is kept.
    const fn number(self) -> i64 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.number() == number)
    }
}

/// What the other twin has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Accepted,
    Declined,
    /// Its owner has taken it back.
    Revoked,
    /// Nothing yet.
    Waiting,
}

impl Status {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Waiting => "waiting",
        }
    }

    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Accepted => 1,
            Self::Declined => 2,
            Self::Revoked => REVOKED,
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Self> {
        let all = [Self::Waiting, Self::Accepted, Self::Declined, Self::Revoked];
        all.into_iter().find(|status| status.number() == number)
    }

    /// `NotFound` unless it was accepted and all else is as it should be.
    pub(super) fn is_open(number: i64, is_fit: bool) -> hub_storage::Result<()> {
        match Self::from_number(number) {
            Some(Self::Accepted) if is_fit => Ok(()),
            _ => Err(Refusal::NotFound("collection")),
        }
    }
}

/// Whether the other twin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitation {
    Ask,
    /// It is as if it had accepted.
    Skip,
}

/// A grant, as its owner or its grantee sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionGrant {
    /// Of the owner's; [`CollectionId::ALL`] is all calendars.
    pub collection: CollectionId,
    /// The last segment of its URL among its owner's; empty if it has gone, and of all.
    pub name: String,
    pub kind: CollectionKind,
    /// Bits of [`rows::ItemKind`].
    pub components: i64,
    pub owner: Address,
    pub grantee: Address,
    pub access: Access,
    pub status: Status,
    /// What its owner called it.
    pub summary: String,
    /// Unix seconds.
    pub changed_at: i64,
    pub(super) row: rows::CollectionGrantRow,
}

impl CollectionGrant {
    pub(super) fn of(row: rows::GrantOfTwins) -> Option<Self> {
        let rows::GrantOfTwins { grant, owner, grantee, name, components } = row;
        Some(Self {
            collection: grant.collection,
            name,
            components,
            kind: grant.kind,
            owner: Address::parse(&owner).ok()?,
            grantee: Address::parse(&grantee).ok()?,
            access: Access::from_number(grant.access)?,
            status: Status::from_number(grant.status)?,
            summary: grant.summary.clone(),
            changed_at: grant.changed_at,
            row: grant,
        })
    }
}

impl Collections {
    /// Grants another twin of this hub access to a collection, or changes what was granted. Whoever has
    /// accepted need not do so again. `Invalid` if the address is not one twin's or the owner's own,
    /// `Forbidden` for others than the owner, `Limit` for more than 1,000 grants.
    pub async fn share(
        &self,
        name: &str,
        grantee: &Address,
        access: Access,
        summary: Option<&str>,
        invitation: Invitation,
    ) -> Result<()> {
        self.reach().is_owner()?;
        if self.kind() == CollectionKind::Inbox {
            return Err(Error::Forbidden("what others send is one's own"));
        }
        let grantee = self.grantee(grantee).await?;
        let found = self.find(name).await?;
        let own_name =
            if found.facts.display_name.is_empty() { &found.name } else { &found.facts.display_name };
        let summary = summary.filter(|summary| !summary.is_empty()).unwrap_or(own_name).to_owned();
        if summary.len() > SUMMARY {
            return Err(Error::TooLarge { limit: SUMMARY as u64 });
        }
        let (reach, name) = (self.reach(), name.to_owned());
        let grant = self.storage().transact([reach.account, grantee], move |tx| {
            Box::pin(async move {
                let collection = reach.to_change(tx, &name).await?.id;
                let before = rows::grant_of(tx, reach.account, collection, grantee).await?;
                let status = match before.as_ref().and_then(|row| Status::from_number(row.status)) {
                    Some(Status::Accepted) => Status::Accepted,
                    _ if invitation == Invitation::Skip => Status::Accepted,
                    _ => Status::Waiting,
                };
                let is_same = |row: &rows::CollectionGrantRow| {
                    (row.access, row.status, &row.summary) == (access.number(), status.number(), &summary)
                };
                if before.as_ref().is_some_and(is_same) {
                    return Ok(());
                }
                let news = if invitation == Invitation::Ask { FOR_GRANTEE } else { 0 };
                let (owner, kind) = (reach.account, reach.kind);
                let (access, status) = (access.number(), status.number());
                let new =
                    NewCollectionGrant { owner, collection, grantee, kind, access, status, news, summary };
                rows::grant_collection(tx, new, GRANTS).await
            })
        });
        Ok(grant.await?)
    }

    /// Takes a grant back. `NotFound`, `Invalid`, `Forbidden`.
    pub async fn unshare(&self, name: &str, grantee: &Address) -> Result<()> {
        self.reach().is_owner()?;
        let grantee = self.grantee(grantee).await?;
        let (reach, name) = (self.reach(), name.to_owned());
        let revoke = self.storage().transact([reach.account, grantee], move |tx| {
            Box::pin(async move {
                let collection = reach.to_change(tx, &name).await?.id;
                let row = rows::grant_of(tx, reach.account, collection, grantee).await?;
                match row.as_ref().and_then(|row| Status::from_number(row.status)) {
                    None | Some(Status::Revoked) => Err(Refusal::NotFound("grant")),
                    Some(Status::Declined) => {
                        rows::forget_grant(tx, reach.account, collection, grantee).await
                    }
                    Some(Status::Accepted | Status::Waiting) => {
                        let which = (reach.account, collection, grantee);
                        rows::settle_grant(tx, which, REVOKED, FOR_GRANTEE).await
                    }
                }
            })
        });
        Ok(revoke.await?)
    }

    /// What the owner has granted of these collections. `Forbidden` for others.
    pub async fn grants(&self) -> Result<Vec<CollectionGrant>> {
        self.reach().is_owner()?;
        let rows = self.storage().collection_grants(self.account()).await?;
        let grants = rows.into_iter().filter_map(CollectionGrant::of);
        let is_here = |grant: &CollectionGrant| {
            grant.kind == self.kind()
                && grant.collection != CollectionId::ALL
                && grant.status != Status::Revoked
        };
        Ok(grants.filter(is_here).collect())
    }

    /// The twin of this hub, another one than the owner, that has an address.
    async fn grantee(&self, address: &Address) -> Result<AccountId> {
        grantee(self.hub(), self.account(), address).await
    }
}

async fn grantee(hub: &crate::Hub, owner: AccountId, address: &Address) -> Result<AccountId> {
    let accounts = hub.0.storage.accounts_of_address(&address.key()).await?;
    match accounts.as_slice() {
        [one] if one.id != owner => Ok(one.id),
        [_] => Err(Error::Invalid("this is the twin's own".to_owned())),
        _ => Err(Error::Invalid("this is not the address of one twin of this hub".to_owned())),
    }
}

impl Account {
    /// Who may act for the twin in all of its calendars.
    pub async fn proxies(&self) -> Result<Vec<CollectionGrant>> {
        let rows = self.hub.0.storage.collection_grants(self.id).await?;
        Ok(rows.into_iter().filter_map(CollectionGrant::of).filter(is_proxy).collect())
    }

    /// For whom the twin may act.
    pub async fn proxy_for(&self) -> Result<Vec<CollectionGrant>> {
        Ok(self.collections_granted().await?.into_iter().filter(is_proxy).collect())
    }

    /// What others grant to the twin, whatever it has answered.
    pub async fn collections_granted(&self) -> Result<Vec<CollectionGrant>> {
        let rows = self.hub.0.storage.collections_granted(self.id).await?;
        let grants = rows.into_iter().filter_map(CollectionGrant::of);
        Ok(grants.filter(|grant| grant.status != Status::Revoked).collect())
    }

    /// Makes these twins, and nobody else, proxies with this access; who had another one has this from
    /// now on. `Invalid`, `Limit`.
    pub async fn set_proxies(&self, access: Access, members: &[Address]) -> Result<()> {
        if members.len() > GRANTS {
            return Err(Error::Limit("grants"));
        }
        let owner = self.id;
        let mut wanted = Vec::with_capacity(members.len());
        for member in members {
            wanted.push(grantee(&self.hub, owner, member).await?);
        }
        let before = self.proxies().await?.into_iter().filter(|grant| grant.access == access);
        let gone: Vec<AccountId> =
            before.map(|grant| grant.row.grantee).filter(|one| !wanted.contains(one)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let all: Vec<AccountId> = [&[owner], &wanted[..], &gone[..]].concat();
        let set = self.hub.0.storage.transact(all, move |tx| {
            Box::pin(async move {
                for grantee in gone {
                    match rows::forget_grant(tx, owner, CollectionId::ALL, grantee).await {
                        // Somebody else was quicker.
                        Ok(()) | Err(Refusal::NotFound(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                for grantee in wanted {
                    let new = NewCollectionGrant {
                        owner,
                        collection: CollectionId::ALL,
                        grantee,
                        kind: CollectionKind::Calendar,
                        access: access.number(),
                        status: Status::Accepted.number(),
                        news: 0,
                        summary: String::new(),
                    };
                    rows::grant_collection(tx, new, GRANTS).await?;
                }
                Ok(())
            })
        });
        Ok(set.await?)
    }
}

fn is_proxy(grant: &CollectionGrant) -> bool {
    grant.collection == CollectionId::ALL && grant.status == Status::Accepted
}
