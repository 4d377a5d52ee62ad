//! Calendars and address books, and what lies in them: one kind of collection with one kind of item.
//!
//! The bytes of an item are kept as they came and mean nothing here. Beside them lies what they are
//! found by: name, UID, a folded text, and when they happen.

pub mod alarms;
mod change;
mod collections;
mod find;
mod grants;
mod journal;
mod properties;
mod read;
mod reclaim;

pub use change::{
    Existing, ItemIndex, NewItem, ScheduleTag, beyond, existing, existing_all, move_to, put, put_all,
    reindex, remove,
};
pub use collections::{
    CollectionFacts, CollectionRow, collection, create_collection, has_collections, remove_collection,
    update_collection,
};
pub use find::TimeWindow;
pub use grants::{
    CollectionGrantRow, FOR_GRANTEE, GrantOfTwins, NewCollectionGrant, REVOKED, describe_grant, forget_grant,
    grant_collection, grant_of, granted_collection, settle_grant,
};
pub use properties::{ItemPropertyRow, patch_properties};
pub use read::{ChangedItem, ChangedItems};
pub(crate) use reclaim::{remove_all_of, trim};

use crate::db::Row;
use crate::{Modseq, Result};

/// A calendar or an address book within its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(pub i64);

impl CollectionId {
    /// Of a grant: all calendars.
    pub const ALL: Self = Self(0);
}

/// An event, a task, a card … within its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(pub i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CollectionKind {
    Calendar = 1,
    AddressBook = 2,
    /// Messages about calendar objects, as they came.
    Inbox = 3,
}

impl CollectionKind {
    fn from_number(number: i64) -> Option<Self> {
        [Self::Calendar, Self::AddressBook, Self::Inbox].into_iter().find(|kind| *kind as i64 == number)
    }
}

/// What an item is. Each is a bit, so that a collection can say which it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKind {
    Event = 1,
    Todo = 2,
    Journal = 4,
    FreeBusy = 8,
    Availability = 16,
    Card = 32,
    /// A card that stands for several contacts.
    Group = 64,
}

impl ItemKind {
    pub const ALL: [Self; 7] =
        [Self::Event, Self::Todo, Self::Journal, Self::FreeBusy, Self::Availability, Self::Card, Self::Group];
}

/// An item without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    pub collection: CollectionId,
    pub id: ItemId,
    /// The last segment of its URL.
    pub name: String,
    pub uid: String,
    pub kind: ItemKind,
    /// Opaque here; another one for other bytes.
    pub etag: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// Unix seconds.
    pub created_at: i64,
    pub modified_at: i64,
    pub changed: Modseq,
    /// When more of it than answers was changed last; 0 if nobody is invited by it.
    pub schedule_tag: Modseq,
}

/// The columns of an item `i`, for [`item_row`].
macro_rules! item_columns {
    () => {
        "i.collection, i.id, i.name, i.uid, i.kind, i.etag, i.size, i.created_at, i.modified_at, i.changed,
         i.schedule_tag"
    };
}
pub(crate) use item_columns;

/// How many columns [`item_columns`] has.
const ITEM_COLUMNS: usize = 11;

fn item_row(row: Row<'_>) -> Result<ItemRow> {
    let kind = row.int(4)?;
    Ok(ItemRow {
        collection: CollectionId(row.int(0)?),
        id: ItemId(row.int(1)?),
        name: row.text(2)?,
        uid: row.text(3)?,
        kind: ItemKind::ALL
            .into_iter()
            .find(|one| *one as i64 == kind)
            .ok_or_else(|| crate::Error::damaged("an item has a kind that is not known"))?,
        etag: row.bytes(5)?,
        size: row.int(6)? as u64,
        created_at: row.int(7)?,
        modified_at: row.int(8)?,
        changed: row.int(9)? as u64,
        schedule_tag: row.int(10)? as u64,
    })
}
