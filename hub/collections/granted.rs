//! What others have granted: calendars and address books among the twin's own, with names and colours that
//! it chooses itself, and invitations to more.

use hub_storage::items::{self as rows, CollectionFacts, CollectionGrantRow, CollectionId, CollectionKind};
use hub_storage::{AccountId, Error as Refusal};

use crate::collections::reach::By;
use crate::collections::settings::{apply, set_properties};
use crate::collections::sharing::{Access, CollectionGrant, FOR_OWNER, Status};
use crate::collections::{Collection, CollectionPatch, Collections};
use crate::{Account, Address, Error, Result, SyncState};

/// What names of shared collections begin with, before the twin's number for them. No collection of
/// its own has such a name.
const SHARED: &str = "shared-";

/// Of whom a collection is, if not the twin's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFrom {
    pub owner: Address,
    pub access: Access,
    /// The last segment of its URL among its owner's.
    pub name: String,
    pub summary: String,
}

/// Something that a twin has not seen yet: an invitation, that one has changed or was taken back, or an
/// answer to one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The last segment of its URL.
    pub name: String,
    /// Names the invitation.
    pub uid: String,
    pub etag: String,
    /// The twin is the owner, and somebody has answered.
    pub is_reply: bool,
    pub grant: CollectionGrant,
}

/// The twin's number of a shared collection of this name.
pub(super) fn link_of(name: &str) -> Option<i64> {
    let digits = name.strip_prefix(SHARED)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

pub(super) fn name_of(link: i64) -> String {
    format!("{SHARED}{link}")
}

impl Account {
    /// The collections in which one of such a name is: a shared one is its owner's. `None` for the name of
    /// one of its own.
    pub async fn granted_collections(&self, kind: CollectionKind, name: &str) -> Result<Option<Collections>> {
        let Some(link) = link_of(name) else { return Ok(None) };
        let found = self.hub.0.storage.granted_collection(self.id, link).await?;
        let (_, grant) = found.ok_or(Error::NotFound("collection"))?;
        Status::is_open(grant.status, grant.kind == kind)?;
        let by = By::Grant { grantee: self.id, link };
        Ok(Some(Collections { hub: self.hub.clone(), account: grant.owner, kind, by }))
    }

    /// All that others share with the twin and it has accepted.
    pub async fn shared_collections(&self, kind: CollectionKind) -> Result<Vec<Collection>> {
        let granted = self.hub.0.storage.granted_collections(self.id).await?;
        if granted.is_empty() {
            return Ok(Vec::new());
        }
        let twins = self.hub.0.storage.collections_granted(self.id).await?;
        let owner = |grant: &CollectionGrantRow| {
            let twins = twins.iter().find(|twins| twins.grant.link == grant.link)?;
            Address::parse(&twins.owner).ok()
        };
        let shared = granted.into_iter().filter_map(|(row, grant)| {
            Status::is_open(grant.status, grant.kind == kind).ok()?;
            merged(row, &grant, owner(&grant)?)
        });
        Ok(shared.collect())
    }

    /// Another twin's calendars, for which this one is a proxy. `NotFound`.
    pub async fn calendars_as_proxy(&self, owner: &str) -> Result<(Collections, CollectionGrant)> {
        let owner = owner.to_lowercase();
        let grant = self.proxy_for().await?.into_iter().find(|grant| grant.owner.key() == owner);
        let grant = grant.ok_or(Error::NotFound("calendars"))?;
        let by = By::Proxy { grantee: self.id };
        let (hub, account, kind) = (self.hub.clone(), grant.row.owner, CollectionKind::Calendar);
        Ok((Collections { hub, account, kind, by }, grant))
    }

    /// Accepts or declines an invitation, or changes the answer; `uid` names it. Tells the name that the
    /// collection has among the twin's own, if it is there now. `NotFound`.
    pub async fn answer_invitation(&self, uid: &str, accept: bool) -> Result<Option<String>> {
        let all = self.hub.0.storage.collections_granted(self.id).await?;
        let mut all = all.into_iter().filter_map(CollectionGrant::of);
        let grant = all.find(|grant| self.hub.invitation(&grant.row) == uid);
        let grant = grant.filter(|grant| grant.collection != CollectionId::ALL);
        let grant = grant.ok_or(Error::NotFound("invitation"))?.row;
        let (which, link) = ((grant.owner, grant.collection, grant.grantee), grant.link);
        self.settle(which, if accept { Status::Accepted } else { Status::Declined }).await?;
        Ok(accept.then(|| name_of(link)))
    }

    async fn settle(&self, which: (AccountId, CollectionId, AccountId), status: Status) -> Result<()> {
        let (owner, collection, grantee) = which;
        let settle = self.hub.0.storage.transact([owner, grantee], move |tx| {
            Box::pin(async move {
                let row = rows::grant_of(tx, owner, collection, grantee).await?;
                let row = row.filter(|row| row.status != Status::Revoked.number());
                let row = row.ok_or(Refusal::NotFound("invitation"))?;
                match row.status == status.number() {
                    true => rows::settle_grant(tx, which, row.status, row.news & FOR_OWNER).await,
                    false => rows::settle_grant(tx, which, status.number(), FOR_OWNER).await,
                }
            })
        });
        Ok(settle.await?)
    }

    /// What the twin has not seen yet.
    pub async fn notifications(&self) -> Result<Vec<Notification>> {
        let storage = &self.hub.0.storage;
        let as_grantee = storage.collections_granted(self.id).await?;
        let as_owner = storage.collection_grants(self.id).await?;
        let rows =
            as_grantee.into_iter().map(|row| (row, false)).chain(as_owner.into_iter().map(|row| (row, true)));
        let told = rows.filter(|(row, is_reply)| {
            let bit = if *is_reply { FOR_OWNER } else { rows::FOR_GRANTEE };
            row.grant.news & bit != 0
        });
        let note = |(row, is_reply): (rows::GrantOfTwins, bool)| {
            let uid = self.hub.invitation(&row.grant);
            let grant = CollectionGrant::of(row)?;
            let row = &grant.row;
            let text = format!("{} {} {} {}", row.access, row.status, row.changed_at, grant.summary);
            let etag = blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect();
            let what = if is_reply { "reply" } else { "invite" };
            Some(Notification { name: format!("{what}-{uid}.xml"), uid, etag, is_reply, grant })
        };
        Ok(told.filter_map(note).collect())
    }

    /// A notification was seen. `NotFound`.
    pub async fn dismiss_notification(&self, name: &str) -> Result<()> {
        let found = self.notifications().await?.into_iter().find(|one| one.name == name);
        let found = found.ok_or(Error::NotFound("notification"))?;
        let (row, bit) = (found.grant.row, if found.is_reply { FOR_OWNER } else { rows::FOR_GRANTEE });
        let (owner, collection, grantee) = (row.owner, row.collection, row.grantee);
        let dismiss = self.hub.0.storage.transact([owner, grantee], move |tx| {
            Box::pin(async move {
                let Some(row) = rows::grant_of(tx, owner, collection, grantee).await? else { return Ok(()) };
                let news = row.news & !bit;
                match row.status == Status::Revoked.number() && news == 0 {
                    true => rows::forget_grant(tx, owner, collection, grantee).await,
                    false => rows::settle_grant(tx, (owner, collection, grantee), row.status, news).await,
                }
            })
        });
        Ok(dismiss.await?)
    }
}

/// Another one for others.
pub fn tag_of(notifications: &[Notification]) -> String {
    let mut hasher = blake3::Hasher::new();
    for one in notifications {
        hasher.update(format!("{} {}\n", one.name, one.etag).as_bytes());
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

impl crate::Hub {
    /// What names an invitation to those whom it concerns; nobody else can guess it.
    fn invitation(&self, grant: &CollectionGrantRow) -> String {
        let CollectionGrantRow { owner, collection, grantee, link, .. } = grant;
        let text = format!("invitation {} {} {} {link}", owner.0, collection.0, grantee.0);
        super::item::hex(&self.0.storage.fingerprint(text.as_bytes())[..16])
    }
}

impl Collections {
    /// Changes whenever anything in any of them does; of all of a twin's, in what others share with it, too.
    pub async fn tag(&self) -> Result<String> {
        let own = self.list().await?;
        let newest = own.iter().map(|one| one.state).max().unwrap_or(SyncState::all(0));
        let mut tag = format!("{newest}-{}", own.len());
        if self.by != By::Owner {
            return Ok(tag);
        }
        let granted = self.storage().granted_collections(self.account).await?;
        let mut shared = granted.iter().filter(|(_, grant)| grant.kind == self.kind).peekable();
        if shared.peek().is_some() {
            let mut hasher = blake3::Hasher::new();
            for (row, grant) in shared {
                let CollectionGrantRow { link, access, status, changed_at, .. } = grant;
                hasher.update(format!("{link} {access} {status} {changed_at} {}\n", row.modseq).as_bytes());
            }
            tag.push('-');
            tag.extend(hasher.finalize().to_hex().chars().take(16));
        }
        Ok(tag)
    }

    /// The collection that somebody granted, by the name that it has among the grantee's.
    pub(super) async fn find_granted(&self, grantee: AccountId, link: i64, name: &str) -> Result<Collection> {
        let missing = Error::NotFound("collection");
        let Some((row, grant)) = self.storage().granted_collection(grantee, link).await? else {
            return Err(missing);
        };
        Status::is_open(grant.status, grant.kind == self.kind && name == name_of(link))?;
        let owner = self.storage().account(grant.owner).await?;
        let owner = owner.and_then(|owner| Address::parse(&owner.handle).ok());
        owner.and_then(|owner| merged(row, &grant, owner)).ok_or(missing)
    }

    /// What the grantee says of a collection; the rest is its owner's.
    pub(super) async fn describe(
        &self,
        grantee: AccountId,
        link: i64,
        name: &str,
        patch: CollectionPatch,
    ) -> Result<Collection> {
        if patch.name.is_some() || patch.components.is_some() || patch.time_zone.is_some() {
            return Err(Error::Forbidden("this is for the owner of the calendar or address book"));
        }
        let (owner, kind) = (self.account, self.kind);
        let describe = self.storage().transact([owner, grantee], move |tx| {
            Box::pin(async move {
                let granted = rows::granted_collection(tx, grantee, link).await?;
                let (_, grant) = granted.ok_or(Refusal::NotFound("collection"))?;
                Status::is_open(grant.status, grant.kind == kind)?;
                let mut facts = grant.facts;
                if let Err(error) = apply(&mut facts, &patch) {
                    return Ok(Err(error));
                }
                rows::describe_grant(tx, grantee, link, &facts).await?;
                set_properties(tx, grantee, link, patch.properties.clone()).await.map(Ok)
            })
        });
        describe.await??;
        self.find(name).await
    }

    /// The grantee has no more use for it; it is told to the owner as declined.
    pub(super) async fn leave(&self, grantee: AccountId, link: i64) -> Result<()> {
        let (owner, kind) = (self.account, self.kind);
        let leave = self.storage().transact([owner, grantee], move |tx| {
            Box::pin(async move {
                let granted = rows::granted_collection(tx, grantee, link).await?;
                let (_, grant) = granted.ok_or(Refusal::NotFound("collection"))?;
                Status::is_open(grant.status, grant.kind == kind)?;
                let which = (owner, grant.collection, grantee);
                rows::settle_grant(tx, which, Status::Declined.number(), FOR_OWNER).await
            })
        });
        Ok(leave.await?)
    }
}

/// A collection with what its grantee says of it in place of what its owner does.
fn merged(row: rows::CollectionRow, grant: &CollectionGrantRow, owner: Address) -> Option<Collection> {
    let name = name_of(grant.link);
    let said = |own: &String, theirs: &String| if own.is_empty() { theirs.clone() } else { own.clone() };
    let facts = CollectionFacts {
        display_name: said(&grant.facts.display_name, &grant.summary),
        description: said(&grant.facts.description, &row.facts.description),
        color: said(&grant.facts.color, &row.facts.color),
        position: grant.facts.position,
        is_transparent: grant.facts.is_transparent,
        ..row.facts.clone()
    };
    let shared = SharedFrom {
        owner,
        access: Access::from_number(grant.access)?,
        name: row.name.clone(),
        summary: grant.summary.clone(),
    };
    let mut collection = Collection::from(row);
    (collection.name, collection.facts, collection.shared) = (name, facts, Some(shared));
    Some(collection)
}
