//! Putting items into collections, moving and removing them.

use std::collections::HashSet;

use crate::changes::{Change, Kind};
use crate::db::{Row, Value, values};
use crate::items::alarms;
use crate::items::collections::only;
use crate::items::{CollectionId, ITEM_COLUMNS, ItemId, ItemKind, ItemRow, item_columns, item_row};
use crate::tx::Tx;
use crate::{AccountId, IdSet, Result};

/// What an item is found by besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemIndex {
    /// From the first occurrence to the end of the last; all of time for what has none.
    pub first_at: i64,
    pub last_at: i64,
    /// Starts and ends; none longer than 31 days.
    pub occurrences: Vec<(i64, i64)>,
    /// Not all are in `occurrences`, but those that overlap this window.
    pub is_open: bool,
    pub indexed_from: i64,
    pub indexed_to: i64,
    /// Folded text that a search looks into.
    pub text: String,
    /// When its alarms are to be looked at next.
    pub alarm_at: Option<i64>,
}

/// What becomes of the tag of a scheduling object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScheduleTag {
    /// It is none.
    #[default]
    Absent,
    Fresh,
    /// Only answers were noted.
    Same,
}

#[derive(Clone, Debug)]
pub struct NewItem {
    pub name: String,
    pub uid: String,
    pub kind: ItemKind,
    pub etag: Vec<u8>,
    pub data: Vec<u8>,
    pub index: ItemIndex,
    pub tag: ScheduleTag,
}

/// What is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    pub named: Option<ItemRow>,
    /// An item of another name in the same collection that has the UID.
    pub same_uid: Option<ItemRow>,
}

/// What a collection has under a name, and under a UID.
pub async fn existing(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    name: &str,
    uid: &str,
) -> Result<Existing> {
    // Two look-ups, each by its index.
    let sql = concat!(
        "SELECT ",
        item_columns!(),
        " FROM item i WHERE i.account = $1 AND i.collection = $2 AND i.name = $3
         UNION ALL SELECT ",
        item_columns!(),
        " FROM item i WHERE i.account = $1 AND i.uid = $4 AND i.collection = $2 AND i.name <> $3"
    );
    let rows = tx.connection.query(sql, values![account, collection.0, name, uid], item_row).await?;
    let mut existing = Existing::default();
    for row in rows {
        let place = if row.name == name { &mut existing.named } else { &mut existing.same_uid };
        *place = Some(row);
    }
    Ok(existing)
}

/// What a collection has of these names and UIDs.
pub async fn existing_all(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    wanted: &[(&str, &str)],
) -> Result<Vec<ItemRow>> {
    let by_name = concat!(
        "SELECT ",
        item_columns!(),
        " FROM (VALUES {values}) AS v CROSS JOIN item i
          WHERE i.account = v.column1 AND i.collection = v.column2 AND i.name = v.column3"
    );
    let names = wanted.iter().map(|(name, _)| values![account, collection.0, *name]).collect();
    let mut found = tx.connection.query_many(by_name, names, item_row).await?;
    let by_uid = concat!(
        "SELECT ",
        item_columns!(),
        " FROM (VALUES {values}) AS v CROSS JOIN item i
          WHERE i.account = v.column1 AND i.uid = v.column2 AND i.collection = v.column3"
    );
    let uids = wanted.iter().map(|(_, uid)| values![account, *uid, collection.0]).collect();
    found.append(&mut tx.connection.query_many(by_uid, uids, item_row).await?);
    found.sort_by_key(|row| row.id.0);
    found.dedup_by_key(|row| row.id);
    Ok(found)
}

/// Writes an item, in the place of `before`. Returns it as it is then. `OverQuota`.
pub async fn put(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    before: Option<&ItemRow>,
    new: NewItem,
) -> Result<ItemRow> {
    let row = row_of(tx, account, collection, before, &new)?;
    write(tx, account, collection, vec![(row.clone(), before.is_none(), new)])?;
    Ok(row)
}

/// Writes several, each in the place of what was there; no two are of one name. `OverQuota`.
pub async fn put_all(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    items: Vec<(Option<ItemRow>, NewItem)>,
) -> Result<()> {
    let mut written = Vec::with_capacity(items.len());
    for (before, new) in items {
        let row = row_of(tx, account, collection, before.as_ref(), &new)?;
        written.push((row, before.is_none(), new));
    }
    write(tx, account, collection, written)
}

/// An item as it will be; its bytes are taken.
fn row_of(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    before: Option<&ItemRow>,
    new: &NewItem,
) -> Result<ItemRow> {
    let size = new.data.len() as u64;
    tx.give_back_bytes(account, before.map_or(0, |row| row.size))?;
    tx.take_bytes(account, size)?;
    let (modseq, now) = (tx.modseq(account)?, tx.now);
    let id = match before {
        Some(row) => row.id,
        None => ItemId(tx.take_ids(account, 1)?),
    };
    Ok(ItemRow {
        collection,
        id,
        name: new.name.clone(),
        uid: new.uid.clone(),
        kind: new.kind,
        etag: new.etag.clone(),
        size,
        created_at: before.map_or(now, |row| row.created_at),
        modified_at: now,
        changed: modseq,
        schedule_tag: match (new.tag, before) {
            (ScheduleTag::Absent, _) => 0,
            (ScheduleTag::Same, Some(row)) => row.schedule_tag,
            _ => modseq,
        },
    })
}

/// Rows with whether they are new.
fn write(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    items: Vec<(ItemRow, bool, NewItem)>,
) -> Result<()> {
    let sql = "INSERT INTO item (account, collection, name, id, uid, kind, etag, size, created_at, modified_at,
           changed, schedule_tag, first_at, last_at, is_open, indexed_from, indexed_to) VALUES {values}
         ON CONFLICT (account, collection, name) DO UPDATE SET uid = excluded.uid, kind = excluded.kind,
           etag = excluded.etag, size = excluded.size, modified_at = excluded.modified_at,
           changed = excluded.changed, schedule_tag = excluded.schedule_tag,
           first_at = excluded.first_at, last_at = excluded.last_at,
           is_open = excluded.is_open, indexed_from = excluded.indexed_from, indexed_to = excluded.indexed_to";
    let rows = items.iter().map(|(row, _, new)| item_values(account, row, &new.index)).collect();
    tx.connection.defer_many(sql, rows);
    let (created, updated): (Vec<_>, Vec<_>) = items.iter().partition(|(_, is_new, _)| *is_new);
    let before = updated.iter().map(|(row, ..)| values![account, row.id.0]).collect();
    tx.connection.defer_many(FORGET_OCCURRENCES, before);
    // A name that is used again has not gone.
    let sql = "DELETE FROM item_gone WHERE (account, collection, name) IN (VALUES {values})";
    let names = created.iter().map(|(row, ..)| values![account, collection.0, row.name.as_str()]).collect();
    tx.connection.defer_many(sql, names);
    let happens = items.iter().flat_map(|(row, _, new)| occurrences(account, collection, row.id, &new.index));
    tx.connection.defer_many(WRITE_OCCURRENCES, happens.collect());
    let ids = |of: &[&(ItemRow, bool, NewItem)]| of.iter().map(|(row, ..)| row.id.0 as u64).collect();
    let (created, updated) = (ids(&created), ids(&updated));
    let sql = "INSERT INTO item_data (account, id, data, text) VALUES {values}
         ON CONFLICT (account, id) DO UPDATE SET data = excluded.data, text = excluded.text";
    for (row, is_new, new) in &items {
        match new.index.alarm_at {
            Some(at) => alarms::set(tx, account, row.id, at),
            None if !is_new => alarms::unset(tx, account, row.id),
            None => {}
        }
    }
    let data = items.into_iter().map(|(row, _, new)| values![account, row.id.0, new.data, new.index.text]);
    tx.connection.defer_many(sql, data.collect());
    touched(tx, account, collection, created, updated, IdSet::new())
}

fn item_values(account: AccountId, row: &ItemRow, index: &ItemIndex) -> Vec<Value> {
    let values = values![
        account,
        row.collection.0,
        row.name.as_str(),
        row.id.0,
        row.uid.as_str(),
        row.kind as i64,
        row.etag.as_slice(),
        row.size,
        row.created_at,
        row.modified_at,
        row.changed,
        row.schedule_tag,
        index.first_at,
        index.last_at,
        index.is_open,
        index.indexed_from,
        index.indexed_to,
    ];
    debug_assert_eq!(values.len(), ITEM_COLUMNS + 6, "and the account, and the index");
    values
}

const WRITE_OCCURRENCES: &str =
    "INSERT INTO item_occurrence (account, collection, start_at, item, end_at) VALUES {values}
     ON CONFLICT DO NOTHING";

const FORGET_OCCURRENCES: &str = "DELETE FROM item_occurrence WHERE (account, item) IN (VALUES {values})";

fn occurrences(
    account: AccountId,
    collection: CollectionId,
    id: ItemId,
    index: &ItemIndex,
) -> impl Iterator<Item = Vec<Value>> {
    index.occurrences.iter().map(move |(start, end)| values![account, collection.0, *start, id.0, *end])
}

/// Writes anew when items happen; nothing else of them changes, so nobody is told. What was changed
/// since it was read keeps the index that came with it.
pub async fn reindex(tx: &mut Tx, items: &[(AccountId, ItemRow, ItemIndex)]) -> Result<()> {
    let rows = items.iter().map(|(account, item, index)| {
        let ItemIndex { is_open, indexed_from, indexed_to, .. } = index;
        values![*account, item.id.0, item.changed, *is_open, *indexed_from, *indexed_to]
    });
    let sql = "UPDATE item SET is_open = v.column4, indexed_from = v.column5, indexed_to = v.column6
         FROM (VALUES {values}) AS v WHERE account = v.column1 AND id = v.column2 AND changed = v.column3
         RETURNING account, id";
    let map = |row: Row<'_>| Ok((AccountId(row.int(0)?), ItemId(row.int(1)?)));
    let same: HashSet<_> = tx.connection.query_many(sql, rows.collect(), map).await?.into_iter().collect();
    let same = items.iter().filter(|(account, item, _)| same.contains(&(*account, item.id)));
    let rows = same.clone().map(|(account, item, _)| values![*account, item.id.0]);
    tx.connection.defer_many(FORGET_OCCURRENCES, rows.collect());
    let rows = same.flat_map(|(account, item, index)| occurrences(*account, item.collection, item.id, index));
    tx.connection.defer_many(WRITE_OCCURRENCES, rows.collect());
    Ok(())
}

const GONE: &str = "INSERT INTO item_gone (account, collection, name, id, modseq, gone_at) VALUES {values}
     ON CONFLICT (account, collection, name) DO UPDATE SET id = excluded.id, modseq = excluded.modseq,
       gone_at = excluded.gone_at";

/// Removes items of one collection.
pub async fn remove(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    items: &[ItemRow],
) -> Result<()> {
    let modseq = tx.modseq(account)?;
    tx.give_back_bytes(account, items.iter().map(|item| item.size).sum())?;
    let rows = || items.iter().map(|item| values![account, item.id.0]).collect::<Vec<_>>();
    alarms::forget(tx, account, &items.iter().map(|item| item.id).collect::<Vec<_>>());
    let names = || items.iter().map(|item| values![account, collection.0, item.name.as_str()]).collect();
    for sql in [
        "DELETE FROM item_property WHERE (account, object) IN (VALUES {values})",
        "DELETE FROM item_data WHERE (account, id) IN (VALUES {values})",
        FORGET_OCCURRENCES,
    ] {
        tx.connection.defer_many(sql, rows());
    }
    let sql = "DELETE FROM item WHERE (account, collection, name) IN (VALUES {values})";
    tx.connection.defer_many(sql, names());
    let now = tx.now;
    let gone = items
        .iter()
        .map(|item| values![account, collection.0, item.name.as_str(), item.id.0, modseq, now])
        .collect();
    tx.connection.defer_many(GONE, gone);
    let ids = items.iter().map(|item| item.id.0 as u64).collect();
    touched(tx, account, collection, IdSet::new(), IdSet::new(), ids)
}

/// The oldest items of a collection that has more than `most`, a hundred at a time.
pub async fn beyond(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    most: usize,
) -> Result<Vec<ItemRow>> {
    let sql = concat!(
        "SELECT ",
        item_columns!(),
        " FROM item i WHERE i.account = $1 AND i.collection = $2
          ORDER BY i.changed DESC, i.id DESC LIMIT 100 OFFSET $3"
    );
    tx.connection.query(sql, values![account, collection.0, most as i64], item_row).await
}

/// Gives an item another place, in its collection or another of the same account. Nothing may be
/// there. It keeps its id.
pub async fn move_to(
    tx: &mut Tx,
    account: AccountId,
    item: &ItemRow,
    collection: CollectionId,
    name: &str,
) -> Result<ItemRow> {
    let (modseq, now) = (tx.modseq(account)?, tx.now);
    let sql = "UPDATE item SET collection = $3, name = $4, changed = $5 WHERE account = $1 AND id = $2";
    tx.connection.defer(sql, values![account, item.id.0, collection.0, name, modseq]);
    let sql = "UPDATE item_occurrence SET collection = $3 WHERE account = $1 AND item = $2";
    tx.connection.defer(sql, values![account, item.id.0, collection.0]);
    let sql = "DELETE FROM item_gone WHERE account = $1 AND collection = $2 AND name = $3";
    tx.connection.defer(sql, values![account, collection.0, name]);
    let from = values![account, item.collection.0, item.name.as_str(), item.id.0, modseq, now];
    tx.connection.defer_many(GONE, vec![from]);
    match collection == item.collection {
        true => touched(tx, account, collection, IdSet::new(), only(item.id.0), IdSet::new())?,
        false => {
            touched(tx, account, item.collection, IdSet::new(), IdSet::new(), only(item.id.0))?;
            touched(tx, account, collection, only(item.id.0), IdSet::new(), IdSet::new())?;
        }
    }
    Ok(ItemRow { collection, name: name.to_owned(), changed: modseq, ..item.clone() })
}

/// Notes what came, changed and went in a collection.
fn touched(
    tx: &mut Tx,
    account: AccountId,
    collection: CollectionId,
    created: IdSet,
    updated: IdSet,
    destroyed: IdSet,
) -> Result<()> {
    let modseq = tx.modseq(account)?;
    let sql = "UPDATE collection SET modseq = $3 WHERE account = $1 AND id = $2";
    tx.connection.defer(sql, values![account, collection.0, modseq]);
    tx.journal(account, Kind::Item, collection.0, created, updated, destroyed);
    tx.changed(Change::Items { account, collection, modseq });
    Ok(())
}
