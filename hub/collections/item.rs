//! One object: stored, read, moved, copied, removed.

use std::fmt;

use bytes::Bytes;
use hub_storage::items as rows;
use hub_storage::items::{CollectionId, CollectionKind, ItemId, ItemKind, ItemRow, NewItem, ScheduleTag};

use crate::collections::calendar::Read;
use crate::collections::settings::{check_name, set_properties};
use crate::collections::{Collections, MOST_BYTES, Overwrite, PropertyName, Reach, calendar, card};
use crate::precondition::Precondition;
use crate::{AccountId, Error, Result, unix_now};

/// Bytes of a UID: RFC 7986 §5.3 asks that 255 be understood.
pub(super) const UID: usize = 1_000;
/// Items whose rows are read at a time.
pub(super) const PAGE: usize = 500;

/// An object in a calendar or an address book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: ItemId,
    /// Where it lies.
    pub collection: CollectionId,
    /// The last segment of its URL.
    pub name: String,
    pub uid: String,
    pub kind: ItemKind,
    /// Strong, without quotes: of its bytes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// Unix seconds.
    pub created_at: i64,
    pub modified_at: i64,
    /// `Schedule-Tag` (RFC 6638 §3.2.10), without quotation marks; `None` if nobody is invited by it.
    pub schedule_tag: Option<String>,
}

impl From<ItemRow> for Item {
    fn from(row: ItemRow) -> Self {
        let schedule_tag = (row.schedule_tag > 0).then(|| row.schedule_tag.to_string());
        let ItemRow { id, collection, name, uid, kind, size, created_at, modified_at, .. } = row;
        Self {
            id,
            collection,
            name,
            uid,
            kind,
            etag: hex(&row.etag),
            size,
            created_at,
            modified_at,
            schedule_tag,
        }
    }
}

/// Why an object is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Of another version than 3.0 and 4.0.
    CardVersion(String),
    /// The collection does not take this kind.
    Kind(ItemKind),
    /// No iCalendar text; why.
    NotCalendar(String),
    /// No vCard text; why.
    NotCard(String),
    /// Several objects, or none; why.
    NotOneObject(String),
    /// More than so many bytes.
    TooLarge(u64),
    /// What has this name in the collection has another UID: it would be lost.
    UidChanged,
    /// The item of this name in the collection has the same UID.
    UidTaken(String),
}

/// For a person to read.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CardVersion(version) => write!(f, "the version of the card is {version:?}, not 3.0 or 4.0"),
            Self::Kind(_) => f.write_str("this calendar or address book does not take such objects"),
            Self::NotCalendar(why) | Self::NotCard(why) | Self::NotOneObject(why) => f.write_str(why),
            Self::TooLarge(limit) => write!(f, "an object has at most {limit} bytes"),
            Self::UidChanged => f.write_str("another object has this name; it goes by being deleted"),
            Self::UidTaken(name) => write!(f, "{name} here has the same UID"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    Refused(Refusal),
    Stored(Placed),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub item: Item,
    /// Nothing had this name before.
    pub created: bool,
}

/// What a write transaction decides, for those who asked.
type Decided<T> = hub_storage::Result<Result<T, Refused>>;

enum Refused {
    Object(Refusal),
    Request(Error),
}

impl Collections {
    /// Items of a collection in the order of their names, after one of them, a page at a time; an
    /// empty page is the end.
    pub async fn items(&self, collection: CollectionId, after: &str) -> Result<Vec<Item>> {
        let rows = self.storage().items(self.account, collection, after, PAGE).await?;
        Ok(rows.into_iter().map(Item::from).collect())
    }

    /// One item. `NotFound`.
    pub async fn item(&self, collection: CollectionId, name: &str) -> Result<Item> {
        let found = self.items_named(collection, &[name]).await?;
        found.into_iter().next().ok_or(Error::NotFound("item"))
    }

    /// Those of these names that there are, in any order.
    pub async fn items_named(&self, collection: CollectionId, names: &[&str]) -> Result<Vec<Item>> {
        let rows = self.storage().items_named(self.account, collection, names).await?;
        Ok(rows.into_iter().map(Item::from).collect())
    }

    /// Items by their ids, in any order, whatever collection of this kind they lie in; what has gone is
    /// left out.
    pub async fn items_by_id(&self, items: &[ItemId]) -> Result<Vec<Item>> {
        let mine: Vec<CollectionId> =
            self.storage().collections(self.account, self.kind).await?.iter().map(|row| row.id).collect();
        let rows = self.storage().items_by_id(self.account, items).await?;
        Ok(rows.into_iter().filter(|row| mine.contains(&row.collection)).map(Item::from).collect())
    }

    /// Items with their bytes as they were stored, in any order; what has gone is left out.
    pub async fn contents(&self, items: &[ItemId]) -> Result<Vec<(Item, Bytes)>> {
        let found = self.storage().items_with_data(self.account, items).await?;
        Ok(found.into_iter().map(|(row, data)| (row.into(), data.into())).collect())
    }

    /// Stores an object under a name, in the place of what is there. It is read once, to be found by,
    /// and kept as it came. `Stale`, `OverQuota`, `Invalid` for a name that is none.
    pub async fn put(
        &self,
        collection: &str,
        name: &str,
        data: Bytes,
        preconditions: Vec<Precondition>,
    ) -> Result<PutOutcome> {
        check_name(name)?;
        if self.kind == CollectionKind::Inbox {
            return Err(Error::Forbidden("only others put messages into an inbox"));
        }
        if data.len() > MOST_BYTES {
            return Ok(PutOutcome::Refused(Refusal::TooLarge(MOST_BYTES as u64)));
        }
        let put = self.put_into(collection, name, data.clone(), preconditions.clone()).await;
        match put {
            // If it is one of the usual ones, it is made now.
            Err(Error::NotFound(_)) if self.find(collection).await.is_ok() => {
                self.put_into(collection, name, data, preconditions).await
            }
            put => put,
        }
    }

    async fn put_into(
        &self,
        collection: &str,
        name: &str,
        data: Bytes,
        preconditions: Vec<Precondition>,
    ) -> Result<PutOutcome> {
        let new = match self.read(name, data).await? {
            Ok(new) => new,
            Err(refusal) => return Ok(PutOutcome::Refused(refusal)),
        };
        let (account, reach, collection) = (self.account, self.reach(), collection.to_owned());
        let put = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let into = reach.to_change(tx, &collection).await?;
                if into.facts.components & new.kind as i64 == 0 {
                    return Ok(Err(Refused::Object(Refusal::Kind(new.kind))));
                }
                let existing = rows::existing(tx, account, into.id, &new.name, &new.uid).await?;
                if let Err(error) = check(&preconditions, existing.named.as_ref()) {
                    return Ok(Err(Refused::Request(error)));
                }
                if let Some(other) = existing.same_uid {
                    return Ok(Err(Refused::Object(Refusal::UidTaken(other.name))));
                }
                let before = existing.named.as_ref();
                if before.is_some_and(|before| is_another(before, &new)) {
                    return Ok(Err(Refused::Object(Refusal::UidChanged)));
                }
                let created = before.is_none();
                // The same bytes again change nothing, and wake nobody.
                let row = match existing.named {
                    Some(row) if row.etag == new.etag && row.uid == new.uid => row,
                    named => rows::put(tx, account, into.id, named.as_ref(), new).await?,
                };
                Ok(Ok(Placed { item: row.into(), created }))
            })
        });
        outcome(put.await)
    }

    /// Removes an item. `Stale`.
    pub async fn remove_item(
        &self,
        collection: &str,
        name: &str,
        preconditions: Vec<Precondition>,
    ) -> Result<()> {
        let (account, reach) = (self.account, self.reach());
        let (collection, name) = (collection.to_owned(), name.to_owned());
        let remove = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let row = match existing(tx, reach, (account, &collection), &name, &preconditions).await? {
                    Ok(row) => row,
                    Err(error) => return Ok(Err(error)),
                };
                rows::remove(tx, account, row.collection, &[row]).await.map(Ok)
            })
        });
        remove.await?
    }

    /// Sets dead properties of an item, or removes those without value. `Stale`, `Limit`.
    pub async fn patch_item(
        &self,
        collection: &str,
        name: &str,
        properties: Vec<(PropertyName, Option<String>)>,
        preconditions: Vec<Precondition>,
    ) -> Result<()> {
        let (account, reach) = (self.account, self.reach());
        let (collection, name) = (collection.to_owned(), name.to_owned());
        let patch = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let row = match existing(tx, reach, (account, &collection), &name, &preconditions).await? {
                    Ok(row) => row,
                    Err(error) => return Ok(Err(error)),
                };
                set_properties(tx, account, row.id.0, properties).await.map(Ok)
            })
        });
        patch.await?
    }

    /// Gives an item another name or collection. `Exists` if something is there that may not be
    /// overwritten, `Stale` for the item that is moved.
    pub async fn move_item(
        &self,
        from: (&str, &str),
        to: (&str, &str),
        overwrite: Overwrite,
        preconditions: Vec<Precondition>,
    ) -> Result<PutOutcome> {
        self.transfer(from, to, overwrite, preconditions, Transfer::Move).await
    }

    /// Stores the same bytes under another name as well: in another collection, for a UID may be in
    /// each only once.
    pub async fn copy_item(
        &self,
        from: (&str, &str),
        to: (&str, &str),
        overwrite: Overwrite,
        preconditions: Vec<Precondition>,
    ) -> Result<PutOutcome> {
        self.transfer(from, to, overwrite, preconditions, Transfer::Copy).await
    }

    async fn transfer(
        &self,
        from: (&str, &str),
        to: (&str, &str),
        overwrite: Overwrite,
        preconditions: Vec<Precondition>,
        transfer: Transfer,
    ) -> Result<PutOutcome> {
        check_name(to.1)?;
        self.find(to.0).await?;
        let source = self.item(self.find(from.0).await?.id, from.1).await?;
        // What a copy says of itself is read again; a moved item keeps what it has.
        let copy = match transfer {
            Transfer::Move => None,
            Transfer::Copy => {
                let data = self.contents(&[source.id]).await?.pop().ok_or(Error::NotFound("item"))?.1;
                match self.read(to.1, data).await? {
                    Ok(new) => Some(new),
                    Err(refusal) => return Ok(PutOutcome::Refused(refusal)),
                }
            }
        };
        let (account, reach) = (self.account, self.reach());
        let from = (from.0.to_owned(), from.1.to_owned());
        let to = (to.0.to_owned(), to.1.to_owned());
        let transfer = self.storage().transact([account], move |tx| {
            Box::pin(async move {
                let out_of = reach.to_change(tx, &from.0).await?;
                let into = reach.to_change(tx, &to.0).await?;
                let source = rows::existing(tx, account, out_of.id, &from.1, "").await?.named;
                if let Err(error) = check(&preconditions, source.as_ref()) {
                    return Ok(Err(Refused::Request(error)));
                }
                let Some(source) = source else {
                    return Ok(Err(Refused::Request(Error::NotFound("item"))));
                };
                // What was read for the copy must still be what is there.
                if copy.as_ref().is_some_and(|new| new.etag != source.etag) {
                    return Ok(Err(Refused::Request(Error::Stale)));
                }
                if into.facts.components & source.kind as i64 == 0 {
                    return Ok(Err(Refused::Object(Refusal::Kind(source.kind))));
                }
                let existing = rows::existing(tx, account, into.id, &to.1, &source.uid).await?;
                let is_itself = |row: &ItemRow| copy.is_none() && row.id == source.id;
                if let Some(other) = existing.same_uid.filter(|row| !is_itself(row)) {
                    return Ok(Err(Refused::Object(Refusal::UidTaken(other.name))));
                }
                let created = match existing.named {
                    None => true,
                    Some(row) if row.id == source.id => {
                        return Ok(Err(Refused::Request(Error::Forbidden("onto itself"))));
                    }
                    Some(_) if overwrite == Overwrite::Refuse => {
                        return Ok(Err(Refused::Request(Error::Exists("item"))));
                    }
                    Some(row) => {
                        rows::remove(tx, account, into.id, &[row]).await?;
                        false
                    }
                };
                let row = match copy {
                    None => rows::move_to(tx, account, &source, into.id, &to.1).await?,
                    Some(new) => rows::put(tx, account, into.id, None, new).await?,
                };
                Ok(Ok(Placed { item: row.into(), created }))
            })
        });
        outcome(transfer.await)
    }

    /// Reads what an object says of itself.
    pub(crate) async fn read(&self, name: &str, data: Bytes) -> Result<Result<NewItem, Refusal>> {
        let (kind, name, now) = (self.kind, name.to_owned(), unix_now());
        let etag = self.storage().fingerprint(&data)[..16].to_vec();
        let read = move || {
            let read = match kind {
                CollectionKind::Calendar | CollectionKind::Inbox => calendar::read(&data, now),
                CollectionKind::AddressBook => card::read(&data, &name),
            };
            read.map(|Read { uid, kind, index, is_scheduling }| NewItem {
                name,
                uid,
                kind,
                etag,
                data: data.to_vec(),
                index,
                tag: if is_scheduling { ScheduleTag::Fresh } else { ScheduleTag::Absent },
            })
        };
        crate::apart(read).await
    }
}

/// An item as it is in a transaction. `NotFound`, `Stale`.
async fn existing(
    tx: &mut hub_storage::Tx,
    reach: Reach,
    (account, collection): (AccountId, &str),
    name: &str,
    preconditions: &[Precondition],
) -> hub_storage::Result<Result<ItemRow>> {
    let within = reach.to_change(tx, collection).await?;
    let row = rows::existing(tx, account, within.id, name, "").await?.named;
    let checked = check(preconditions, row.as_ref());
    Ok(checked.and_then(|()| row.ok_or(Error::NotFound("item"))))
}

/// RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1. Cards that have none may get one.
pub(crate) fn is_another(before: &ItemRow, new: &NewItem) -> bool {
    let has_own = |uid: &str| !uid.starts_with(card::BY_NAME);
    before.uid != new.uid && has_own(&before.uid) && has_own(&new.uid)
}

#[derive(Clone, Copy)]
enum Transfer {
    Copy,
    Move,
}

fn outcome(decided: Decided<Placed>) -> Result<PutOutcome> {
    Ok(match decided? {
        Ok(placed) => PutOutcome::Stored(placed),
        Err(Refused::Object(refusal)) => PutOutcome::Refused(refusal),
        Err(Refused::Request(error)) => return Err(error),
    })
}

/// `Stale` unless all hold for what is there.
pub(crate) fn check(preconditions: &[Precondition], there: Option<&ItemRow>) -> Result<()> {
    let etag = there.map(|row| hex(&row.etag));
    let modified_at = there.map_or(0, |row| row.modified_at);
    match preconditions.iter().all(|one| one.holds(etag.as_deref(), modified_at)) {
        true => Ok(()),
        false => Err(Error::Stale),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
