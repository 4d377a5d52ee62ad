//! Collections themselves: made, described, removed.

use std::collections::HashMap;

use hub_storage::items as rows;
use hub_storage::items::{CollectionFacts, CollectionId, CollectionKind, CollectionRow, ItemKind};

use crate::collections::granted::{link_of, name_of};
use crate::collections::{By, Collections, MOST_COLLECTIONS, SharedFrom};
use crate::files::{Property, PropertyName};
use crate::{Error, Result, SyncState, schedule};

/// Bytes of a name in a URL.
const NAME: usize = 255;
/// Bytes of a name or a description for people, and of a time zone.
const TEXT: usize = 64 << 10;
/// Dead properties of one object, and bytes of all of them.
const PROPERTIES: usize = 100;
const PROPERTY_BYTES: u64 = 64 << 10;

/// A calendar or an address book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub id: CollectionId,
    /// The last segment of its URL.
    pub name: String,
    pub facts: CollectionFacts,
    /// Unix seconds.
    pub created_at: i64,
    /// Changes when anything in it or it itself does.
    pub state: SyncState,
    /// It is somebody else's.
    pub shared: Option<SharedFrom>,
}

impl Collection {
    /// Whether it takes such items.
    pub fn takes(&self, kind: ItemKind) -> bool {
        self.facts.components & kind as i64 != 0
    }
}

impl From<CollectionRow> for Collection {
    fn from(row: CollectionRow) -> Self {
        let CollectionRow { id, name, facts, created_at, modseq, .. } = row;
        Self { id, name, facts, created_at, state: SyncState::all(modseq), shared: None }
    }
}

/// What is to be changed of a collection; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionPatch {
    pub name: Option<String>,
    pub display_name: Option<String>,
    pub description: Option<String>,
    /// `#RRGGBB` or `#RRGGBBAA`, or nothing.
    pub color: Option<String>,
    pub position: Option<i64>,
    /// Bits of [`ItemKind`].
    pub components: Option<i64>,
    /// An iCalendar object with one VTIMEZONE (RFC 4791 §5.2.2), or nothing.
    pub time_zone: Option<String>,
    pub is_transparent: Option<bool>,
    /// Dead properties, those without value to be removed; the value is XML.
    pub properties: Vec<(PropertyName, Option<String>)>,
}

impl Collections {
    /// All of them, in the twin's order. A twin that has none gets the usual ones: programs have no use
    /// for an empty home.
    pub async fn list(&self) -> Result<Vec<Collection>> {
        if let By::Grant { grantee, link } = self.by {
            return Ok(vec![self.find_granted(grantee, link, &name_of(link)).await?]);
        }
        let mut rows = self.storage().collections(self.account, self.kind).await?;
        if rows.is_empty() {
            self.make_usual_ones().await?;
            rows = self.storage().collections(self.account, self.kind).await?;
        }
        Ok(rows.into_iter().map(Collection::from).collect())
    }

    pub async fn find(&self, name: &str) -> Result<Collection> {
        if let By::Grant { grantee, link } = self.by {
            return self.find_granted(grantee, link, name).await;
        }
        let find = || self.storage().collection(self.account, self.kind, name);
        let mut row = find().await?;
        // The usual ones have names that programs are told before anybody lists them.
        if row.is_none() && self.usual().iter().any(|usual| usual.0 == name) {
            self.make_usual_ones().await?;
            row = find().await?;
        }
        row.map(Collection::from).ok_or(Error::NotFound("collection"))
    }

    /// Makes a collection. `Exists`, `Limit`, `Invalid`.
    pub async fn create(&self, name: &str, patch: CollectionPatch) -> Result<Collection> {
        self.reach().is_owner()?;
        check_own_name(name)?;
        if self.kind == CollectionKind::Inbox {
            return Err(Error::Forbidden("there is one inbox"));
        }
        let mut facts = CollectionFacts { components: all_of(self.kind), ..CollectionFacts::default() };
        apply(&mut facts, &patch)?;
        if facts.components & all_of(self.kind) == 0 {
            return Err(Error::Invalid("a collection must take some kind of item".into()));
        }
        // The usual ones come first, or a program that is told of them would find nothing.
        self.list().await?;
        let (account, kind, name) = (self.account, self.kind, name.to_owned());
        let made = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let id = rows::create_collection(tx, account, kind, &name, &facts, MOST_COLLECTIONS).await?;
                set_properties(tx, account, id.0, patch.properties).await?;
                rows::collection(tx, account, kind, &name).await
            })
        });
        Ok(made.await?.into())
    }

    /// Changes a collection, all or nothing. `Exists` for a name that another one has, `Limit`, `Invalid`.
    pub async fn update(&self, name: &str, patch: CollectionPatch) -> Result<Collection> {
        if let By::Grant { grantee, link } = self.by {
            return self.describe(grantee, link, name, patch).await;
        }
        self.reach().is_owner()?;
        if let Some(name) = &patch.name {
            check_own_name(name)?;
            if self.kind == CollectionKind::Inbox {
                return Err(Error::Forbidden("there is one inbox"));
            }
        }
        let (account, kind, name) = (self.account, self.kind, name.to_owned());
        let updated = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let row = rows::collection(tx, account, kind, &name).await?;
                let mut facts = row.facts.clone();
                if let Err(error) = apply(&mut facts, &patch) {
                    return Ok(Err(error));
                }
                let name = patch.name.as_deref().unwrap_or(&name);
                rows::update_collection(tx, account, kind, row.id, name, &facts).await?;
                set_properties(tx, account, row.id.0, patch.properties.clone()).await?;
                rows::collection(tx, account, kind, name).await.map(Ok)
            })
        });
        Ok(updated.await??.into())
    }

    /// Removes a collection with all that is in it. What somebody else has granted is only left.
    pub async fn remove(&self, name: &str) -> Result<()> {
        if let By::Grant { grantee, link } = self.by {
            return self.leave(grantee, link).await;
        }
        self.reach().is_owner()?;
        if self.kind == CollectionKind::Inbox {
            return Err(Error::Forbidden("there is one inbox"));
        }
        let (account, kind, name) = (self.account, self.kind, name.to_owned());
        let remove = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let row = rows::collection(tx, account, kind, &name).await?;
                rows::remove_collection(tx, account, row.id).await
            })
        });
        Ok(remove.await?)
    }

    /// Dead properties of objects, by the ids of collections or items.
    pub async fn properties(&self, objects: &[i64]) -> Result<HashMap<i64, Vec<Property>>> {
        let mut all: HashMap<i64, Vec<Property>> = HashMap::new();
        for row in self.storage().item_properties(self.account, objects).await? {
            let name = PropertyName { namespace: row.namespace, name: row.name };
            all.entry(row.object).or_default().push((name, row.value));
        }
        Ok(all)
    }

    /// The same of collections, by their ids: of what was granted, those of the grantee.
    pub async fn properties_of(&self, collections: &[Collection]) -> Result<HashMap<i64, Vec<Property>>> {
        let By::Grant { grantee, link } = self.by else {
            let ids: Vec<i64> = collections.iter().map(|one| one.id.0).collect();
            return self.properties(&ids).await;
        };
        let mut all: HashMap<i64, Vec<Property>> = HashMap::new();
        let Some(collection) = collections.first() else { return Ok(all) };
        for row in self.storage().item_properties(grantee, &[link]).await? {
            let name = PropertyName { namespace: row.namespace, name: row.name };
            all.entry(collection.id.0).or_default().push((name, row.value));
        }
        Ok(all)
    }

    /// Name, name for people, what it takes. Apple's programs show no calendar that takes both events
    /// and tasks.
    fn usual(&self) -> &'static [(&'static str, &'static str, i64)] {
        match self.kind {
            CollectionKind::Calendar => &[
                ("calendar", "Calendar", ItemKind::Event as i64 | ItemKind::Availability as i64),
                ("tasks", "Tasks", ItemKind::Todo as i64 | ItemKind::Journal as i64),
            ],
            CollectionKind::Inbox => {
                &[(schedule::INBOX, "Inbox", super::MESSAGES), (schedule::OUTBOX, "Outbox", 0)]
            }
            CollectionKind::AddressBook => {
                &[("contacts", "Contacts", ItemKind::Card as i64 | ItemKind::Group as i64)]
            }
        }
    }

    /// Unless somebody else has made some by now.
    async fn make_usual_ones(&self) -> Result<()> {
        let (account, kind, usual) = (self.account, self.kind, self.usual());
        let make = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                if rows::has_collections(tx, account, kind).await? {
                    return Ok(());
                }
                for (position, (name, display_name, components)) in (0..).zip(usual) {
                    let facts = CollectionFacts {
                        display_name: (*display_name).to_owned(),
                        components: *components,
                        position,
                        ..CollectionFacts::default()
                    };
                    rows::create_collection(tx, account, kind, name, &facts, MOST_COLLECTIONS).await?;
                }
                Ok(())
            })
        });
        Ok(make.await?)
    }
}

/// Sets dead properties. `Limit`.
pub(super) async fn set_properties(
    tx: &mut hub_storage::Tx,
    account: crate::AccountId,
    object: i64,
    set: Vec<(PropertyName, Option<String>)>,
) -> hub_storage::Result<()> {
    if set.is_empty() {
        return Ok(());
    }
    let set = set.into_iter().map(|(name, value)| (name.namespace, name.name, value)).collect();
    let (count, bytes) = rows::patch_properties(tx, account, object, set).await?;
    match count > PROPERTIES || bytes > PROPERTY_BYTES {
        true => Err(hub_storage::Error::Limit("an object has at most 100 properties and 64 KiB of them")),
        false => Ok(()),
    }
}

pub(super) fn apply(facts: &mut CollectionFacts, patch: &CollectionPatch) -> Result<()> {
    let take = |place: &mut String, text: &Option<String>| match text {
        Some(text) if text.len() > TEXT => Err(Error::TooLarge { limit: TEXT as u64 }),
        Some(text) => {
            place.clone_from(text);
            Ok(())
        }
        None => Ok(()),
    };
    take(&mut facts.display_name, &patch.display_name)?;
    take(&mut facts.description, &patch.description)?;
    if let Some(color) = &patch.color {
        if !is_color(color) {
            return Err(Error::Invalid("a colour is #RRGGBB or #RRGGBBAA".into()));
        }
        facts.color.clone_from(color);
    }
    if let Some(zone) = &patch.time_zone {
        if !zone.is_empty() && super::calendar::zone_of(zone).is_none() {
            return Err(Error::Invalid("this is not an iCalendar object with one time zone".into()));
        }
        take(&mut facts.time_zone, &patch.time_zone)?;
    }
    facts.position = patch.position.unwrap_or(facts.position);
    facts.components = patch.components.unwrap_or(facts.components);
    facts.is_transparent = patch.is_transparent.unwrap_or(facts.is_transparent);
    Ok(())
}

fn is_color(color: &str) -> bool {
    let digits = color.strip_prefix('#').unwrap_or_default();
    color.is_empty() || (matches!(digits.len(), 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `Invalid` for what cannot be a segment of a URL.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_name = !name.is_empty()
        && name.len() <= NAME
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c == '/' || c.is_control());
    match is_name {
        true => Ok(()),
        false => {
            Err(Error::Invalid(format!("a name has 1 to {NAME} bytes and no slash or control character")))
        }
    }
}

/// The same for one of the twin's own.
fn check_own_name(name: &str) -> Result<()> {
    match link_of(name) {
        Some(_) => Err(Error::Invalid("such a name is for what others share".to_owned())),
        None => check_name(name),
    }
}

fn all_of(kind: CollectionKind) -> i64 {
    let is_card = |one: &ItemKind| matches!(one, ItemKind::Card | ItemKind::Group);
    let wanted = kind == CollectionKind::AddressBook;
    ItemKind::ALL.iter().filter(|one| is_card(one) == wanted).map(|one| *one as i64).sum()
}
