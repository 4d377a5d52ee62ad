//! Programs that twins have let in: what they registered, what they were granted, their tokens.

use crate::changes::Change;
use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

/// A program that registered itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    pub id: String,
    pub name: String,
    /// Separated by spaces.
    pub redirect_uris: String,
}

/// What a twin has let a program do.
#[derive(Clone, Debug)]
pub struct GrantRow {
    pub account: AccountId,
    pub id: i64,
    pub client: String,
    pub client_name: String,
    /// A number that the hub gives meaning to; opaque here.
    pub scopes: i64,
    /// Hash of the refresh token that is to be used next.
    pub refresh: Vec<u8>,
    /// Hash of the one before.
    pub prior: Vec<u8>,
    pub created_at: i64,
    pub refreshed_at: i64,
    pub expires_at: i64,
    /// 0: never.
    pub last_used_at: i64,
    pub last_peer: String,
}

/// A grant to be made, with its first tokens.
#[derive(Clone, Debug)]
pub struct NewGrant {
    pub client: String,
    pub client_name: String,
    pub scopes: i64,
    /// Names all refresh tokens of this grant.
    pub family: [u8; 16],
    pub refresh: [u8; 32],
    pub expires_at: i64,
    pub access: Access,
}

/// An access token as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub hash: [u8; 32],
    pub scopes: i64,
    pub expires_at: i64,
}

/// What replaces the refresh token of a grant.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    pub refresh: [u8; 32],
    pub prior: [u8; 32],
    pub expires_at: i64,
}

macro_rules! grant_columns {
    () => {
        "g.account, g.id, g.client, g.client_name, g.scopes, g.refresh, g.prior, g.created_at,
         g.refreshed_at, g.expires_at, g.last_used_at, g.last_peer"
    };
}

fn grant_row(row: Row<'_>) -> Result<GrantRow> {
    Ok(GrantRow {
        account: AccountId(row.int(0)?),
        id: row.int(1)?,
        client: row.text(2)?,
        client_name: row.text(3)?,
        scopes: row.int(4)?,
        refresh: row.bytes(5)?,
        prior: row.bytes(6)?,
        created_at: row.int(7)?,
        refreshed_at: row.int(8)?,
        expires_at: row.int(9)?,
        last_used_at: row.int(10)?,
        last_peer: row.text(11)?,
    })
}

const GRANT_OF_ACCESS: &str = concat!(
    "SELECT ",
    grant_columns!(),
    ", t.scopes, t.expires_at FROM oauth_access t CROSS JOIN oauth_grant g
      WHERE t.hash = $1 AND g.account = t.account AND g.id = t.grant_id"
);
const GRANT_OF_FAMILY: &str = concat!("SELECT ", grant_columns!(), " FROM oauth_grant g WHERE g.family = $1");
const GRANTS: &str =
    concat!("SELECT ", grant_columns!(), " FROM oauth_grant g WHERE g.account = $1 ORDER BY g.id");

impl Storage {
    pub async fn oauth_client(&self, id: &str) -> Result<Option<ClientRow>> {
        let sql = "SELECT id, name, redirect_uris FROM oauth_client WHERE id = $1";
        let row = |row: Row<'_>| {
            Ok(ClientRow { id: row.text(0)?, name: row.text(1)?, redirect_uris: row.text(2)? })
        };
        self.reader().await?.first(sql, values![id], row).await
    }

    /// An access token, by its hash, and the grant behind it.
    pub async fn oauth_access(&self, hash: [u8; 32]) -> Result<Option<(GrantRow, Access)>> {
        let row = |row: Row<'_>| {
            Ok((grant_row(row)?, Access { hash, scopes: row.int(12)?, expires_at: row.int(13)? }))
        };
        self.reader().await?.first(GRANT_OF_ACCESS, values![hash.to_vec()], row).await
    }

    /// The grant whose refresh tokens are of this family.
    pub async fn oauth_grant_of_family(&self, family: &[u8; 16]) -> Result<Option<GrantRow>> {
        self.reader().await?.first(GRANT_OF_FAMILY, values![family.to_vec()], grant_row).await
    }

    pub async fn oauth_grants(&self, account: AccountId) -> Result<Vec<GrantRow>> {
        self.reader().await?.query(GRANTS, values![account], grant_row).await
    }
}

/// Registers a program, unless `most` are registered already: `Limit`.
pub async fn add_client(tx: &mut Tx, client: ClientRow, most: i64) -> Result<()> {
    let now = tx.now;
    let sql = "INSERT INTO oauth_client (id, name, redirect_uris, registered_at, last_used_at)
        SELECT $1, $2, $3, $4, $4 WHERE (SELECT COUNT(*) FROM oauth_client) < $5";
    let values = values![client.id, client.name, client.redirect_uris, now, most];
    match tx.connection.execute(sql, values).await? {
        0 => Err(Error::Limit("programs that registered themselves")),
        _ => Ok(()),
    }
}

/// Makes a grant and returns its number. The account must be locked. Of more than `most`, those that were
/// refreshed longest ago give way.
pub async fn add_grant(tx: &mut Tx, account: AccountId, grant: NewGrant, most: i64) -> Result<i64> {
    let id = tx.take_ids(account, 1)?;
    let now = tx.now;
    let NewGrant { client, client_name, scopes, family, refresh, expires_at, access } = grant;
    let used = "UPDATE oauth_client SET last_used_at = $2 WHERE id = $1";
    tx.connection.execute(used, values![client.as_str(), now]).await?;
    let sql = "INSERT INTO oauth_grant (account, id, client, client_name, scopes, family, refresh, prior,
          created_at, refreshed_at, expires_at, last_used_at, last_peer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $8, $9, 0, '')";
    let (family, refresh) = (family.to_vec(), refresh.to_vec());
    let values = values![account, id, client, client_name, scopes, family, refresh, now, expires_at];
    tx.connection.execute(sql, values).await?;
    add_access(tx, account, id, access).await?;
    let surplus = "SELECT id FROM oauth_grant WHERE account = $1 ORDER BY refreshed_at DESC, id DESC
        LIMIT 1 OFFSET $2";
    if let Some(oldest) = tx.connection.first(surplus, values![account, most], |row| row.int(0)).await? {
        remove_grant(tx, account, oldest).await?;
    }
    Ok(id)
}

/// Another access token of a grant, and another refresh token instead of the one that `expected` is the hash
/// of. `Stale` if the grant has another one by now, or is gone.
pub async fn rotate(
    tx: &mut Tx,
    (account, grant): (AccountId, i64),
    expected: Vec<u8>,
    rotation: Rotation,
    access: Access,
) -> Result<()> {
    let now = tx.now;
    let Rotation { refresh, prior, expires_at } = rotation;
    let sql = "UPDATE oauth_grant SET refresh = $4, prior = $5, refreshed_at = $6, expires_at = $7
        WHERE account = $1 AND id = $2 AND refresh = $3";
    let values = values![account, grant, expected, refresh.to_vec(), prior.to_vec(), now, expires_at];
    if tx.connection.execute(sql, values).await? == 0 {
        return Err(Error::Stale);
    }
    add_access(tx, account, grant, access).await
}

async fn add_access(tx: &mut Tx, account: AccountId, grant: i64, access: Access) -> Result<()> {
    let sql = "INSERT INTO oauth_access (hash, account, grant_id, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5)";
    let values = values![access.hash.to_vec(), account, grant, access.scopes, access.expires_at];
    tx.connection.execute(sql, values).await.map(drop)
}

pub async fn note_use(tx: &mut Tx, account: AccountId, grant: i64, peer: &str) -> Result<()> {
    let now = tx.now;
    let sql = "UPDATE oauth_grant SET last_used_at = $3, last_peer = $4 WHERE account = $1 AND id = $2";
    tx.connection.execute(sql, values![account, grant, now, peer]).await.map(drop)
}

/// Takes a grant back, with all its tokens. `NotFound`.
pub async fn remove_grant(tx: &mut Tx, account: AccountId, grant: i64) -> Result<()> {
    let access = "DELETE FROM oauth_access WHERE account = $1 AND grant_id = $2";
    tx.connection.execute(access, values![account, grant]).await?;
    let sql = "DELETE FROM oauth_grant WHERE account = $1 AND id = $2";
    if tx.connection.execute(sql, values![account, grant]).await? == 0 {
        return Err(Error::NotFound("token"));
    }
    tx.changed(Change::Tokens(account));
    Ok(())
}

pub(crate) async fn remove_all_of(tx: &mut Tx, account: AccountId) -> Result<()> {
    for sql in ["DELETE FROM oauth_access WHERE account = $1", "DELETE FROM oauth_grant WHERE account = $1"] {
        tx.connection.execute(sql, values![account]).await?;
    }
    Ok(())
}

/// Forgets what has expired, and programs that nobody has used since `unused_since`.
pub(crate) async fn trim(tx: &mut Tx, now: i64, unused_since: i64) -> Result<()> {
    tx.connection.execute("DELETE FROM oauth_access WHERE expires_at <= $1", values![now]).await?;
    tx.connection.execute("DELETE FROM oauth_grant WHERE expires_at <= $1", values![now]).await?;
    let sql = "DELETE FROM oauth_client WHERE last_used_at < $1";
    tx.connection.execute(sql, values![unused_since]).await.map(drop)
}
