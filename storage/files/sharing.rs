//! Who else may see files: grants to other twins of this hub, and public links.

use crate::db::{Row, values};
use crate::files::{NodeId, NodeRow, node_columns, node_row};
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

/// A grant, as its owner or its grantee sees it.
#[derive(Clone, Debug)]
pub struct GrantRow {
    pub owner: AccountId,
    pub grantee: AccountId,
    /// A number that the hub gives meaning to; opaque here.
    pub access: i64,
    pub granted_at: i64,
    pub node: NodeRow,
}

#[derive(Clone, Debug)]
pub struct LinkRow {
    pub owner: AccountId,
    pub id: i64,
    pub access: i64,
    /// A password's hash in PHC form; empty if there is none.
    pub password: String,
    pub created_at: i64,
    /// Unix seconds; 0 is never.
    pub expires_at: i64,
    pub node: NodeRow,
}

/// A grant, and the handle of the other twin.
fn grant_row(row: Row<'_>) -> Result<(GrantRow, String)> {
    let grant = GrantRow {
        owner: AccountId(row.int(0)?),
        grantee: AccountId(row.int(1)?),
        access: row.int(2)?,
        granted_at: row.int(3)?,
        node: node_row(row, 4)?,
    };
    Ok((grant, row.text(20)?))
}

fn link_row(row: Row<'_>) -> Result<LinkRow> {
    Ok(LinkRow {
        owner: AccountId(row.int(0)?),
        id: row.int(1)?,
        access: row.int(2)?,
        password: row.text(3)?,
        created_at: row.int(4)?,
        expires_at: row.int(5)?,
        node: node_row(row, 6)?,
    })
}

const GRANTS: &str = concat!(
    "SELECT g.account, g.grantee, g.access, g.granted_at, ",
    node_columns!(),
    ", a.handle
     FROM file_grant g CROSS JOIN file_node f CROSS JOIN account a
     WHERE g.account = $1 AND f.account = g.account AND f.id = g.node AND a.id = g.grantee"
);

/// What a twin was granted and can be found below the top of its owner's files ($2).
const GRANTED: &str = concat!(
    "WITH RECURSIVE n (account, node, parent) AS (
       SELECT g.account, g.node, f.parent FROM file_grant g CROSS JOIN file_node f
       WHERE g.grantee = $1 AND f.account = g.account AND f.id = g.node
       UNION ALL
       SELECT n.account, n.node, f.parent FROM n CROSS JOIN file_node f
       WHERE n.parent <> $2 AND f.account = n.account AND f.id = n.parent)
     SELECT g.account, g.grantee, g.access, g.granted_at, ",
    node_columns!(),
    ", a.handle
     FROM n CROSS JOIN file_grant g CROSS JOIN file_node f CROSS JOIN account a
     WHERE n.parent = $2 AND g.account = n.account AND g.node = n.node AND g.grantee = $1
       AND f.account = n.account AND f.id = n.node AND a.id = n.account"
);

const LINKS: &str = concat!(
    "SELECT l.account, l.id, l.access, l.password, l.created_at, l.expires_at, ",
    node_columns!(),
    " FROM file_link l CROSS JOIN file_node f
      WHERE l.account = $1 AND f.account = l.account AND f.id = l.node"
);

const LINK: &str = concat!(
    "SELECT l.account, l.id, l.access, l.password, l.created_at, l.expires_at, ",
    node_columns!(),
    " FROM file_link l CROSS JOIN file_node f
      WHERE l.token = $1 AND f.account = l.account AND f.id = l.node"
);

/// From a node up to the top, as far as there are folders above.
const ANCESTORS: &str = concat!(
    "WITH RECURSIVE n (id, parent, level) AS (
       SELECT f.id, f.parent, 0 FROM file_node f WHERE f.account = $1 AND f.id = $2
       UNION ALL
       SELECT f.id, f.parent, n.level + 1 FROM n CROSS JOIN file_node f WHERE f.account = $1 AND f.id = n.parent)
     SELECT ",
    node_columns!(),
    " FROM n CROSS JOIN file_node f WHERE f.account = $1 AND f.id = n.id AND n.level > 0 ORDER BY n.level DESC"
);

impl Storage {
    /// What a twin has granted to others, with their handles.
    pub async fn file_grants(&self, owner: AccountId) -> Result<Vec<(GrantRow, String)>> {
        self.reader().await?.query(GRANTS, values![owner], grant_row).await
    }

    /// What others have granted to a twin, with the owners' handles, but for what is in the trash.
    pub async fn files_granted(&self, grantee: AccountId) -> Result<Vec<(GrantRow, String)>> {
        self.reader().await?.query(GRANTED, values![grantee, NodeId::FILES.0], grant_row).await
    }

    /// A twin's public links.
    pub async fn file_links(&self, owner: AccountId) -> Result<Vec<LinkRow>> {
        self.reader().await?.query(LINKS, values![owner], link_row).await
    }

    /// The public link with a token of this hash.
    pub async fn file_link(&self, token: &[u8]) -> Result<Option<LinkRow>> {
        self.reader().await?.first(LINK, values![token], link_row).await
    }

    /// The folders above a node, from the top down.
    pub async fn file_ancestors(&self, account: AccountId, node: NodeId) -> Result<Vec<NodeRow>> {
        self.reader().await?.query(ANCESTORS, values![account, node.0], |row| node_row(row, 0)).await
    }
}

/// The folders above a node, from the top down.
pub async fn ancestors(tx: &mut Tx, account: AccountId, node: NodeId) -> Result<Vec<NodeRow>> {
    tx.connection.query(ANCESTORS, values![account, node.0], |row| node_row(row, 0)).await
}

/// What a twin may do with a node that it was granted, if it was.
pub async fn access(tx: &mut Tx, owner: AccountId, node: NodeId, grantee: AccountId) -> Result<Option<i64>> {
    let sql = "SELECT access FROM file_grant WHERE account = $1 AND node = $2 AND grantee = $3";
    tx.connection.first(sql, values![owner, node.0, grantee], |row| row.int(0)).await
}

/// Grants a twin access to a node, or changes what was granted.
pub async fn grant(
    tx: &mut Tx,
    owner: AccountId,
    node: NodeId,
    grantee: AccountId,
    access: i64,
    most: usize,
) -> Result<()> {
    let now = tx.now;
    let sql = "INSERT INTO file_grant (account, node, grantee, access, granted_at) VALUES {values}
         ON CONFLICT (account, node, grantee) DO UPDATE SET access = excluded.access";
    tx.connection.defer_many(sql, vec![values![owner, node.0, grantee, access, now]]);
    let count = "SELECT COUNT(*) FROM file_grant WHERE account = $1";
    at_most(tx, count, owner, most, "grants").await?;
    Ok(())
}

async fn at_most(
    tx: &mut Tx,
    count: &'static str,
    owner: AccountId,
    most: usize,
    what: &'static str,
) -> Result<()> {
    let count = tx.connection.first(count, values![owner], |row| row.int(0)).await?.unwrap_or(0);
    if count as usize > most { Err(Error::Limit(what)) } else { Ok(()) }
}

/// Takes a grant back. `NotFound`.
pub async fn revoke(tx: &mut Tx, owner: AccountId, node: NodeId, grantee: AccountId) -> Result<()> {
    let sql = "DELETE FROM file_grant WHERE account = $1 AND node = $2 AND grantee = $3";
    if tx.connection.execute(sql, values![owner, node.0, grantee]).await? == 0 {
        return Err(Error::NotFound("grant"));
    }
    // What the grantee has locked by virtue of it.
    let sql = "DELETE FROM file_lock WHERE account = $1 AND holder = $2";
    tx.connection.defer(sql, values![owner, grantee]);
    Ok(())
}

/// A link that is to be.
pub struct NewLink {
    pub node: NodeId,
    /// The hash of its token.
    pub token: Vec<u8>,
    pub access: i64,
    pub password: String,
    pub expires_at: i64,
}

/// Makes a public link; returns its id.
pub async fn add_link(tx: &mut Tx, owner: AccountId, new: NewLink, most: usize) -> Result<i64> {
    let (id, now) = (tx.take_ids(owner, 1)?, tx.now);
    let sql = "INSERT INTO file_link (account, id, token, node, access, password, created_at, expires_at)
         VALUES {values}";
    let row = values![owner, id, new.token, new.node.0, new.access, new.password, now, new.expires_at];
    tx.connection.defer_many(sql, vec![row]);
    at_most(tx, "SELECT COUNT(*) FROM file_link WHERE account = $1", owner, most, "links").await?;
    Ok(id)
}

/// `NotFound`.
pub async fn remove_link(tx: &mut Tx, owner: AccountId, id: i64) -> Result<()> {
    let sql = "DELETE FROM file_link WHERE account = $1 AND id = $2";
    match tx.connection.execute(sql, values![owner, id]).await? {
        0 => Err(Error::NotFound("link")),
        _ => Ok(()),
    }
}

/// True if a link is still there and has not expired.
pub async fn has_link(tx: &mut Tx, owner: AccountId, id: i64) -> Result<bool> {
    let now = tx.now;
    let sql =
        "SELECT id FROM file_link WHERE account = $1 AND id = $2 AND (expires_at = 0 OR expires_at > $3)";
    Ok(tx.connection.first(sql, values![owner, id, now], |row| row.int(0)).await?.is_some())
}
