//! Reading items: by name, by UID, page by page, and what has changed.

use crate::changes::Since;
use crate::db::{Row, values};
use crate::items::{CollectionId, ITEM_COLUMNS, ItemId, ItemRow, item_columns, item_row};
use crate::{AccountId, Error, Result, Storage};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedItem {
    pub at: Since,
    pub name: String,
    /// `None`: nothing has this name any more.
    pub row: Option<ItemRow>,
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedItems {
    pub changes: Vec<ChangedItem>,
    /// What is known with this page.
    pub state: Since,
    pub has_more: bool,
}

impl Storage {
    /// Items of a collection in the order of their names, after one of them, `most` at most.
    pub async fn items(
        &self,
        account: AccountId,
        collection: CollectionId,
        after: &str,
        most: usize,
    ) -> Result<Vec<ItemRow>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            " FROM item i WHERE i.account = $1 AND i.collection = $2 AND i.name > $3 ORDER BY i.name LIMIT $4"
        );
        let values = values![account, collection.0, after, most as i64];
        self.reader().await?.query(sql, values, item_row).await
    }

    /// Those of these names that exist, in any order, without their bytes.
    pub async fn items_named(
        &self,
        account: AccountId,
        collection: CollectionId,
        names: &[&str],
    ) -> Result<Vec<ItemRow>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            " FROM (VALUES {values}) AS v CROSS JOIN item i
              WHERE i.account = v.column1 AND i.collection = v.column2 AND i.name = v.column3"
        );
        let rows = names.iter().map(|name| values![account, collection.0, *name]).collect();
        self.reader().await?.query_many(sql, rows, item_row).await
    }

    /// Items by their ids, in any order, without their bytes; what does not exist is left out.
    pub async fn items_by_id(&self, account: AccountId, items: &[ItemId]) -> Result<Vec<ItemRow>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            " FROM (VALUES {values}) AS v CROSS JOIN item i WHERE i.account = v.column1 AND i.id = v.column2"
        );
        let rows = items.iter().map(|item| values![account, item.0]).collect();
        self.reader().await?.query_many(sql, rows, item_row).await
    }

    /// Items of calendars that have a UID, with the names of their calendars: one in each at most.
    pub async fn items_with_uid(&self, account: AccountId, uid: &str) -> Result<Vec<(ItemRow, String)>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            ", c.name FROM item i CROSS JOIN collection c WHERE i.account = $1 AND i.uid = $2
               AND c.account = $1 AND c.id = i.collection AND c.kind = 1 ORDER BY i.id"
        );
        let item = |row: Row<'_>| Ok((item_row(row)?, row.text(ITEM_COLUMNS)?));
        self.reader().await?.query(sql, values![account, uid], item).await
    }

    /// The bytes of items, in any order; what does not exist is left out.
    pub async fn item_data(&self, account: AccountId, items: &[ItemId]) -> Result<Vec<(ItemId, Vec<u8>)>> {
        let sql = "SELECT d.id, d.data FROM (VALUES {values}) AS v CROSS JOIN item_data d
             WHERE d.account = v.column1 AND d.id = v.column2";
        let rows = items.iter().map(|item| values![account, item.0]).collect();
        self.reader().await?.query_many(sql, rows, |row| Ok((ItemId(row.int(0)?), row.bytes(1)?))).await
    }

    /// Items with their bytes, of one moment, in any order; what does not exist is left out.
    pub async fn items_with_data(
        &self,
        account: AccountId,
        items: &[ItemId],
    ) -> Result<Vec<(ItemRow, Vec<u8>)>> {
        let sql = concat!(
            "SELECT ",
            item_columns!(),
            ", d.data FROM (VALUES {values}) AS v CROSS JOIN item i CROSS JOIN item_data d
              WHERE i.account = v.column1 AND i.id = v.column2 AND d.account = v.column1 AND d.id = v.column2"
        );
        let rows = items.iter().map(|item| values![account, item.0]).collect();
        let read = |row: Row<'_>| {
            let data = row.bytes(ITEM_COLUMNS)?;
            Ok((item_row(row)?, data))
        };
        self.reader().await?.query_many(sql, rows, read).await
    }

    /// At most `most` changes of a collection since a state (`None`: all that is there), in the order
    /// in which they were made. `None`: what has gone since is not known (any more). `NotFound`.
    pub async fn item_changes(
        &self,
        account: AccountId,
        collection: CollectionId,
        since: Option<Since>,
        most: usize,
    ) -> Result<Option<ChangedItems>> {
        let mut reader = self.reader().await?;
        reader.begin_read();
        let changes = changes(&mut reader, account, collection, since, most).await;
        reader.commit().await?;
        changes
    }
}

/// Rows of one change: what came, and names that it had before in the same commit.
const ROWS_OF_ONE: usize = 8;

async fn changes(
    reader: &mut crate::db::Connection,
    account: AccountId,
    collection: CollectionId,
    since: Option<Since>,
    most: usize,
) -> Result<Option<ChangedItems>> {
    let sql = "SELECT modseq, floor FROM collection WHERE account = $1 AND id = $2";
    let bounds = reader
        .first(sql, values![account, collection.0], |row| Ok((row.int(0)? as u64, row.int(1)? as u64)))
        .await?;
    let (modseq, floor) = bounds.ok_or(Error::NotFound("collection"))?;
    if since.is_some_and(|since| !since.is_known(floor, modseq)) {
        return Ok(None);
    }
    let from = since.unwrap_or(Since::nothing(modseq));
    let values = values![account, collection.0, from.modseq, from.id, (most + ROWS_OF_ONE) as i64];
    let sql = concat!(
        "SELECT ",
        item_columns!(),
        " FROM item i WHERE i.account = $1 AND i.collection = $2 AND (i.changed, i.id) > ($3, $4)
          ORDER BY i.changed, i.id LIMIT $5"
    );
    let changed = |row: Row<'_>| {
        let row = item_row(row)?;
        let at = Since { modseq: row.changed, id: row.id.0, began: 0 };
        Ok(ChangedItem { at, name: row.name.clone(), row: Some(row) })
    };
    let mut changes = reader.query(sql, values.clone(), changed).await?;
    if since.is_some() {
        let sql = "SELECT name, modseq, id FROM item_gone
             WHERE account = $1 AND collection = $2 AND (modseq, id) > ($3, $4) AND modseq > $6
             ORDER BY modseq, id LIMIT $5";
        let gone = |row: Row<'_>| {
            let at = Since { modseq: row.int(1)? as u64, id: row.int(2)?, began: 0 };
            Ok(ChangedItem { at, name: row.text(0)?, row: None })
        };
        let values = [values, values![from.began]].concat();
        changes.append(&mut reader.query(sql, values, gone).await?);
        changes.sort_by_key(|change| change.at);
    }
    // A renamed item is one change with two rows, of one place: they go together.
    let mut cut = most.min(changes.len());
    while cut > 0 && changes.get(cut).is_some_and(|next| next.at == changes[cut - 1].at) {
        cut += 1;
    }
    let has_more = changes.len() > cut;
    changes.truncate(cut);
    let state = match changes.last() {
        Some(last) if has_more => Since { began: from.began, ..last.at },
        _ => Since::all(modseq),
    };
    Ok(Some(ChangedItems { changes, state, has_more }))
}
