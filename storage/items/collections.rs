//! Calendars and address books themselves.

use crate::changes::{Change, Kind};
use crate::db::{Row, values};
use crate::items::{CollectionId, CollectionKind};
use crate::tx::Tx;
use crate::{AccountId, Error, IdSet, Modseq, Result, Storage};

/// What its owner says of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionFacts {
    pub display_name: String,
    pub description: String,
    /// `#RRGGBB` or `#RRGGBBAA`; "" if none was chosen.
    pub color: String,
    /// Where it stands among its like.
    pub position: i64,
    /// Bits of [`crate::items::ItemKind`].
    pub components: i64,
    /// A time zone as iCalendar text; "" if none was chosen.
    pub time_zone: String,
    /// What lies in it takes no time from its owner.
    pub is_transparent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRow {
    pub id: CollectionId,
    /// The last segment of its URL.
    pub name: String,
    pub facts: CollectionFacts,
    /// Unix seconds.
    pub created_at: i64,
    /// When it was changed itself.
    pub changed: Modseq,
    /// When it or anything in it was changed.
    pub modseq: Modseq,
    /// Up to here, what has gone from it is forgotten.
    pub floor: Modseq,
}

/// The columns of a collection `c`, for [`collection_row`].
macro_rules! collection_columns {
    () => {
        "c.id, c.name, c.display_name, c.description, c.color, c.position, c.components, c.time_zone,
         c.transparent, c.created_at, c.changed, c.modseq, c.floor"
    };
}
pub(super) use collection_columns;

/// How many columns [`collection_columns`] has.
pub(super) const COLLECTION_COLUMNS: usize = 13;

pub(super) fn collection_row(row: Row<'_>, at: usize) -> Result<CollectionRow> {
    Ok(CollectionRow {
        id: CollectionId(row.int(at)?),
        name: row.text(at + 1)?,
        facts: CollectionFacts {
            display_name: row.text(at + 2)?,
            description: row.text(at + 3)?,
            color: row.text(at + 4)?,
            position: row.int(at + 5)?,
            components: row.int(at + 6)?,
            time_zone: row.text(at + 7)?,
            is_transparent: row.int(at + 8)? != 0,
        },
        created_at: row.int(at + 9)?,
        changed: row.int(at + 10)? as u64,
        modseq: row.int(at + 11)? as u64,
        floor: row.int(at + 12)? as u64,
    })
}

const BY_NAME: &str = concat!(
    "SELECT ",
    collection_columns!(),
    " FROM collection c WHERE c.account = $1 AND c.kind = $2 AND c.name = $3"
);

impl Storage {
    /// The calendars or the address books of an account, in their owner's order.
    pub async fn collections(&self, account: AccountId, kind: CollectionKind) -> Result<Vec<CollectionRow>> {
        let sql = concat!(
            "SELECT ",
            collection_columns!(),
            " FROM collection c WHERE c.account = $1 AND c.kind = $2 ORDER BY c.position, c.name"
        );
        self.reader().await?.query(sql, values![account, kind as i64], |row| collection_row(row, 0)).await
    }

    pub async fn collection(
        &self,
        account: AccountId,
        kind: CollectionKind,
        name: &str,
    ) -> Result<Option<CollectionRow>> {
        let values = values![account, kind as i64, name];
        self.reader().await?.first(BY_NAME, values, |row| collection_row(row, 0)).await
    }
}

/// A collection as this transaction sees it. `NotFound`.
pub async fn collection(
    tx: &mut Tx,
    account: AccountId,
    kind: CollectionKind,
    name: &str,
) -> Result<CollectionRow> {
    let values = values![account, kind as i64, name];
    let row = tx.connection.first(BY_NAME, values, |row| collection_row(row, 0)).await?;
    row.ok_or(Error::NotFound("collection"))
}

/// Makes a collection. `Exists` if the name is taken; `Limit` if there are `most` already.
pub async fn create_collection(
    tx: &mut Tx,
    account: AccountId,
    kind: CollectionKind,
    name: &str,
    facts: &CollectionFacts,
    most: usize,
) -> Result<CollectionId> {
    let sql = "SELECT COUNT(*) FROM collection WHERE account = $1 AND kind = $2";
    let count = tx.connection.first(sql, values![account, kind as i64], |row| row.int(0)).await?;
    if count.unwrap_or(0) as usize >= most {
        return Err(Error::Limit("so many calendars or address books are allowed"));
    }
    let (id, modseq, now) = (tx.take_ids(account, 1)?, tx.modseq(account)?, tx.now);
    let sql = "INSERT INTO collection (account, id, kind, name, display_name, description, color, position,
           components, time_zone, transparent, created_at, changed, modseq, floor)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13)
         ON CONFLICT (account, kind, name) DO NOTHING";
    let values = values![
        account,
        id,
        kind as i64,
        name,
        facts.display_name.as_str(),
        facts.description.as_str(),
        facts.color.as_str(),
        facts.position,
        facts.components,
        facts.time_zone.as_str(),
        facts.is_transparent,
        now,
        modseq,
    ];
    if tx.connection.execute(sql, values).await? == 0 {
        return Err(Error::Exists("collection"));
    }
    tx.journal(account, Kind::Collection, kind as i64, only(id), IdSet::new(), IdSet::new());
    tx.changed(Change::Collections(account));
    Ok(CollectionId(id))
}

/// Whether the account has a collection of this kind.
pub async fn has_collections(tx: &mut Tx, account: AccountId, kind: CollectionKind) -> Result<bool> {
    let sql = "SELECT id FROM collection WHERE account = $1 AND kind = $2 LIMIT 1";
    Ok(tx.connection.first(sql, values![account, kind as i64], |row| row.int(0)).await?.is_some())
}

/// Changes a collection's name and facts. `Exists` if the name is another one's.
pub async fn update_collection(
    tx: &mut Tx,
    account: AccountId,
    kind: CollectionKind,
    id: CollectionId,
    name: &str,
    facts: &CollectionFacts,
) -> Result<()> {
    let modseq = tx.modseq(account)?;
    let sql = "SELECT id FROM collection WHERE account = $1 AND kind = $2 AND name = $3 AND id <> $4";
    let other = tx.connection.first(sql, values![account, kind as i64, name, id.0], |row| row.int(0)).await?;
    if other.is_some() {
        return Err(Error::Exists("collection"));
    }
    let sql =
        "UPDATE collection SET name = $3, display_name = $4, description = $5, color = $6, position = $7,
           components = $8, time_zone = $9, transparent = $10, changed = $11, modseq = $11
         WHERE account = $1 AND id = $2";
    let values = values![
        account,
        id.0,
        name,
        facts.display_name.as_str(),
        facts.description.as_str(),
        facts.color.as_str(),
        facts.position,
        facts.components,
        facts.time_zone.as_str(),
        facts.is_transparent,
        modseq,
    ];
    tx.connection.execute(sql, values).await?;
    tx.journal(account, Kind::Collection, kind as i64, IdSet::new(), only(id.0), IdSet::new());
    tx.changed(Change::Collections(account));
    Ok(())
}

/// Removes a collection with all that is in it. Whom it was granted to is left a note of it.
pub async fn remove_collection(tx: &mut Tx, account: AccountId, id: CollectionId) -> Result<()> {
    let sql =
        "SELECT COALESCE(CAST(SUM(size) AS BIGINT), 0) FROM item WHERE account = $1 AND collection = $2";
    let bytes = tx.connection.first(sql, values![account, id.0], |row| row.int(0)).await?.unwrap_or(0);
    tx.give_back_bytes(account, bytes as u64)?;
    let sql = "SELECT kind FROM collection WHERE account = $1 AND id = $2";
    let kind = tx.connection.first(sql, values![account, id.0], |row| row.int(0)).await?;
    let kind = kind.ok_or(Error::NotFound("collection"))?;
    let sql = "SELECT id FROM item WHERE account = $1 AND collection = $2";
    let items = tx.connection.query(sql, values![account, id.0], |row| row.int(0)).await?;
    for sql in [
        "DELETE FROM item_property WHERE account = $1 AND object IN
           (SELECT id FROM item WHERE account = $1 AND collection = $2)",
        "DELETE FROM alarm WHERE account = $1 AND item IN
           (SELECT id FROM item WHERE account = $1 AND collection = $2)",
        "DELETE FROM item_property WHERE account = $1 AND object = $2",
        "DELETE FROM item_data WHERE account = $1 AND id IN
           (SELECT id FROM item WHERE account = $1 AND collection = $2)",
        "DELETE FROM item_occurrence WHERE account = $1 AND collection = $2",
        "DELETE FROM item_gone WHERE account = $1 AND collection = $2",
        "DELETE FROM item WHERE account = $1 AND collection = $2",
        "DELETE FROM item_property WHERE (account, object) IN
           (SELECT grantee, link FROM collection_grant WHERE account = $1 AND collection = $2)",
        "DELETE FROM collection WHERE account = $1 AND id = $2",
    ] {
        tx.connection.execute(sql, values![account, id.0]).await?;
    }
    let sql = "UPDATE collection_grant SET status = $3, news = $4, changed_at = $5
         WHERE account = $1 AND collection = $2 RETURNING grantee";
    let (told, now) = (super::FOR_GRANTEE, tx.now);
    let values = values![account, id.0, super::REVOKED, told, now];
    for grantee in tx.connection.query(sql, values, |row| Ok(AccountId(row.int(0)?))).await? {
        tx.changed(Change::Collections(grantee));
    }
    let items: IdSet = items.into_iter().map(|id| id as u64).collect();
    tx.modseq(account)?;
    if !items.is_empty() {
        tx.journal(account, Kind::Item, id.0, IdSet::new(), IdSet::new(), items);
    }
    tx.journal(account, Kind::Collection, kind, IdSet::new(), IdSet::new(), only(id.0));
    tx.changed(Change::Collections(account));
    Ok(())
}

pub(super) fn only(id: i64) -> IdSet {
    std::iter::once(id as u64).collect()
}
