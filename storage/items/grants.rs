//! Who else may see calendars and address books: grants to other twins of this hub.

use crate::changes::Change;
use crate::db::{Row, values};
use crate::items::collections::{COLLECTION_COLUMNS, collection_columns, collection_row};
use crate::items::{CollectionFacts, CollectionId, CollectionKind, CollectionRow};
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

/// Seconds for which a grant that was taken back is kept for its grantee to hear of.
const KEPT: i64 = 90 * 24 * 3600;

/// The status of what was taken back: it is kept only so that its grantee hears of it.
pub const REVOKED: i64 = 3;
/// News that the grantee has not seen.
pub const FOR_GRANTEE: i64 = 1;

/// A grant. The hub gives `access`, `status` and `news` their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionGrantRow {
    pub owner: AccountId,
    /// [`CollectionId::ALL`] for all calendars.
    pub collection: CollectionId,
    pub grantee: AccountId,
    pub kind: CollectionKind,
    pub access: i64,
    pub status: i64,
    pub news: i64,
    /// What its owner called it then.
    pub summary: String,
    pub granted_at: i64,
    pub changed_at: i64,
    /// The grantee's number for it; its dead properties are kept under it.
    pub link: i64,
    /// What the grantee says of it; components and time zone are its owner's.
    pub facts: CollectionFacts,
}

/// What is to be granted.
#[derive(Clone, Debug)]
pub struct NewCollectionGrant {
    pub owner: AccountId,
    pub collection: CollectionId,
    pub grantee: AccountId,
    pub kind: CollectionKind,
    pub access: i64,
    /// Of a twin that has none yet.
    pub status: i64,
    pub news: i64,
    pub summary: String,
}

/// A grant as one of its twins sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantOfTwins {
    pub grant: CollectionGrantRow,
    pub owner: String,
    pub grantee: String,
    /// The collection's name among its owner's, and its components; nothing for one that has gone, and for
    /// all.
    pub name: String,
    pub components: i64,
}

macro_rules! columns {
    () => {
        "g.account, g.collection, g.grantee, g.kind, g.access, g.status, g.news, g.summary, g.granted_at,
         g.changed_at, g.link, g.display_name, g.description, g.color, g.position, g.transparent"
    };
}

/// How many columns [`columns`] has.
const COLUMNS: usize = 16;

fn grant_row(row: Row<'_>, at: usize) -> Result<CollectionGrantRow> {
    let kind = row.int(at + 3)?;
    Ok(CollectionGrantRow {
        owner: AccountId(row.int(at)?),
        collection: CollectionId(row.int(at + 1)?),
        grantee: AccountId(row.int(at + 2)?),
        kind: CollectionKind::from_number(kind)
            .ok_or_else(|| Error::damaged("a grant is of a kind that is not known"))?,
        access: row.int(at + 4)?,
        status: row.int(at + 5)?,
        news: row.int(at + 6)?,
        summary: row.text(at + 7)?,
        granted_at: row.int(at + 8)?,
        changed_at: row.int(at + 9)?,
        link: row.int(at + 10)?,
        facts: CollectionFacts {
            display_name: row.text(at + 11)?,
            description: row.text(at + 12)?,
            color: row.text(at + 13)?,
            position: row.int(at + 14)?,
            is_transparent: row.int(at + 15)? != 0,
            ..CollectionFacts::default()
        },
    })
}

fn of_twins(row: Row<'_>) -> Result<GrantOfTwins> {
    Ok(GrantOfTwins {
        grant: grant_row(row, 0)?,
        owner: row.text(COLUMNS)?,
        grantee: row.text(COLUMNS + 1)?,
        name: row.text(COLUMNS + 2)?,
        components: row.int(COLUMNS + 3)?,
    })
}

fn granted(row: Row<'_>) -> Result<(CollectionRow, CollectionGrantRow)> {
    Ok((collection_row(row, 0)?, grant_row(row, COLLECTION_COLUMNS)?))
}

const OF_OWNER: &str = concat!(
    "SELECT ",
    columns!(),
    ", o.handle, a.handle, COALESCE(c.name, ''), COALESCE(c.components, 0)
     FROM collection_grant g CROSS JOIN account o CROSS JOIN account a
     LEFT JOIN collection c ON c.account = g.account AND c.id = g.collection
     WHERE g.account = $1 AND o.id = g.account AND a.id = g.grantee"
);

const OF_GRANTEE: &str = concat!(
    "SELECT ",
    columns!(),
    ", o.handle, a.handle, COALESCE(c.name, ''), COALESCE(c.components, 0)
     FROM collection_grant g CROSS JOIN account o CROSS JOIN account a
     LEFT JOIN collection c ON c.account = g.account AND c.id = g.collection
     WHERE g.grantee = $1 AND o.id = g.account AND a.id = g.grantee"
);

const GRANTED: &str = concat!(
    "SELECT ",
    collection_columns!(),
    ", ",
    columns!(),
    " FROM collection_grant g CROSS JOIN collection c
      WHERE g.grantee = $1 AND g.link = $2 AND c.account = g.account AND c.id = g.collection"
);

impl Storage {
    /// What a twin has granted to others.
    pub async fn collection_grants(&self, owner: AccountId) -> Result<Vec<GrantOfTwins>> {
        self.reader().await?.query(OF_OWNER, values![owner], of_twins).await
    }

    /// What others have granted to a twin.
    pub async fn collections_granted(&self, grantee: AccountId) -> Result<Vec<GrantOfTwins>> {
        self.reader().await?.query(OF_GRANTEE, values![grantee], of_twins).await
    }

    /// The collections behind what others have granted to a twin.
    pub async fn granted_collections(
        &self,
        grantee: AccountId,
    ) -> Result<Vec<(CollectionRow, CollectionGrantRow)>> {
        let sql = concat!(
            "SELECT ",
            collection_columns!(),
            ", ",
            columns!(),
            " FROM collection_grant g CROSS JOIN collection c
              WHERE g.grantee = $1 AND c.account = g.account AND c.id = g.collection ORDER BY g.link"
        );
        self.reader().await?.query(sql, values![grantee], granted).await
    }

    /// One of them, by the grantee's number for it.
    pub async fn granted_collection(
        &self,
        grantee: AccountId,
        link: i64,
    ) -> Result<Option<(CollectionRow, CollectionGrantRow)>> {
        self.reader().await?.first(GRANTED, values![grantee, link], granted).await
    }
}

/// A granted collection as this transaction sees it.
pub async fn granted_collection(
    tx: &mut Tx,
    grantee: AccountId,
    link: i64,
) -> Result<Option<(CollectionRow, CollectionGrantRow)>> {
    tx.connection.first(GRANTED, values![grantee, link], granted).await
}

/// The grant of a collection to a twin, if there is one.
pub async fn grant_of(
    tx: &mut Tx,
    owner: AccountId,
    collection: CollectionId,
    grantee: AccountId,
) -> Result<Option<CollectionGrantRow>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM collection_grant g WHERE g.account = $1 AND g.collection = $2 AND g.grantee = $3"
    );
    tx.connection.first(sql, values![owner, collection.0, grantee], |row| grant_row(row, 0)).await
}

/// Grants a twin access to a collection, or changes what was granted. Both accounts are of the
/// transaction. `Limit` for more than `most` grants.
pub async fn grant_collection(tx: &mut Tx, new: NewCollectionGrant, most: usize) -> Result<()> {
    let NewCollectionGrant { owner, collection, grantee, kind, access, status, news, summary } = new;
    let (link, now) = (tx.take_ids(grantee, 1)?, tx.now);
    let sql = "DELETE FROM collection_grant WHERE account = $1 AND status = $2 AND changed_at < $3";
    tx.connection.defer(sql, values![owner, REVOKED, now - KEPT]);
    // Of one that was taken back and is granted again, only its number is left.
    let sql =
        "INSERT INTO collection_grant (account, collection, grantee, kind, access, status, news, summary,
           granted_at, changed_at, link, display_name, description, color, position, transparent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, '', '', '', 0, 1)
         ON CONFLICT (account, collection, grantee) DO UPDATE SET access = excluded.access,
           status = excluded.status, news = excluded.news, summary = excluded.summary,
           changed_at = excluded.changed_at";
    let values = values![owner, collection.0, grantee, kind as i64, access, status, news, summary, now, link];
    tx.connection.execute(sql, values).await?;
    let sql = "SELECT COUNT(*) FROM collection_grant WHERE account = $1";
    let count = tx.connection.first(sql, values![owner], |row| row.int(0)).await?.unwrap_or(0);
    tx.changed(Change::Collections(owner));
    tx.changed(Change::Collections(grantee));
    if count as usize > most { Err(Error::Limit("grants")) } else { Ok(()) }
}

/// Gives a grant another status and other news. `NotFound`.
pub async fn settle_grant(
    tx: &mut Tx,
    (owner, collection, grantee): (AccountId, CollectionId, AccountId),
    status: i64,
    news: i64,
) -> Result<()> {
    let now = tx.now;
    let sql = "UPDATE collection_grant SET status = $4, news = $5, changed_at = $6
         WHERE account = $1 AND collection = $2 AND grantee = $3";
    let values = values![owner, collection.0, grantee, status, news, now];
    if tx.connection.execute(sql, values).await? == 0 {
        return Err(Error::NotFound("grant"));
    }
    if status == REVOKED {
        let sql = "DELETE FROM item_property WHERE (account, object) IN (SELECT grantee, link
             FROM collection_grant WHERE account = $1 AND collection = $2 AND grantee = $3)";
        tx.connection.defer(sql, values![owner, collection.0, grantee]);
    }
    tx.changed(Change::Collections(owner));
    tx.changed(Change::Collections(grantee));
    Ok(())
}

/// Removes a grant with all that was said of it. `NotFound`.
pub async fn forget_grant(
    tx: &mut Tx,
    owner: AccountId,
    collection: CollectionId,
    grantee: AccountId,
) -> Result<()> {
    let sql = "DELETE FROM item_property WHERE (account, object) IN (SELECT grantee, link
         FROM collection_grant WHERE account = $1 AND collection = $2 AND grantee = $3)";
    tx.connection.defer(sql, values![owner, collection.0, grantee]);
    let sql = "DELETE FROM collection_grant WHERE account = $1 AND collection = $2 AND grantee = $3";
    if tx.connection.execute(sql, values![owner, collection.0, grantee]).await? == 0 {
        return Err(Error::NotFound("grant"));
    }
    tx.changed(Change::Collections(owner));
    tx.changed(Change::Collections(grantee));
    Ok(())
}

/// Writes what the grantee says of a collection.
pub async fn describe_grant(
    tx: &mut Tx,
    grantee: AccountId,
    link: i64,
    facts: &CollectionFacts,
) -> Result<()> {
    let now = tx.now;
    let sql = "UPDATE collection_grant SET display_name = $3, description = $4, color = $5, position = $6,
           transparent = $7, changed_at = $8 WHERE grantee = $1 AND link = $2";
    let values = values![
        grantee,
        link,
        facts.display_name.as_str(),
        facts.description.as_str(),
        facts.color.as_str(),
        facts.position,
        facts.is_transparent,
        now,
    ];
    tx.connection.execute(sql, values).await?;
    tx.changed(Change::Collections(grantee));
    Ok(())
}
