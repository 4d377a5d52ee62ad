//! The tree of mailboxes.

use crate::changes::{Change, Kind};
use crate::db::{Connection, Row, values};
use crate::mail::{Role, metadata};
use crate::tx::Tx;
use crate::{AccountId, Error, IdSet, MailboxId, Modseq, Result, Storage, Uid, UidValidity};

/// A mailbox and its counters. `parent` 0 is the root.
#[derive(Clone, Debug)]
pub struct MailboxRow {
    pub id: MailboxId,
    pub parent: MailboxId,
    pub name: String,
    pub role: Option<Role>,
    /// False for a name that exists only because it has children.
    pub selectable: bool,
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub modseq: Modseq,
    pub total: u32,
    pub unseen: u32,
    pub bytes: u64,
    /// Where a client lists it among its siblings (RFC 8621 §2).
    pub sort_order: u32,
}

impl MailboxRow {
    pub const ROOT: MailboxId = MailboxId(0);
}

/// Parent of mailboxes that were deleted and whose messages are being reclaimed.
const DELETED: MailboxId = MailboxId(-1);

const SELECT: &str =
    "SELECT id, parent, name, role, selectable, uid_validity, uid_next, modseq, total, unseen, bytes,
      sort_order
    FROM mailbox WHERE account = $1 AND parent >= 0";

fn mailbox_row(row: Row<'_>) -> Result<MailboxRow> {
    Ok(MailboxRow {
        id: MailboxId(row.int(0)?),
        parent: MailboxId(row.int(1)?),
        name: row.text(2)?,
        role: Role::from_name(&row.text(3)?),
        selectable: row.int(4)? != 0,
        uid_validity: row.int(5)? as u32,
        uid_next: row.int(6)? as u32,
        modseq: row.int(7)? as u64,
        total: row.int(8)? as u32,
        unseen: row.int(9)? as u32,
        bytes: row.int(10)? as u64,
        sort_order: row.int(11)? as u32,
    })
}

impl Storage {
    /// All mailboxes of an account, and its subscribed paths, as of one commit.
    pub async fn mailboxes(&self, account: AccountId) -> Result<(Vec<MailboxRow>, Vec<String>)> {
        let mut reader = self.reader_of_flags().await?;
        reader.begin_read();
        let rows = reader.query(SELECT, values![account], mailbox_row).await;
        let paths = subscriptions(&mut reader, account).await;
        reader.commit().await?;
        Ok((rows?, paths?))
    }

    /// The account's keywords; the n-th has flag bit 8 + n.
    pub async fn keywords(&self, account: AccountId) -> Result<Vec<String>> {
        keywords(&mut self.reader().await?, account).await
    }
}

async fn subscriptions(connection: &mut Connection, account: AccountId) -> Result<Vec<String>> {
    connection
        .query("SELECT path FROM subscription WHERE account = $1 ORDER BY path", values![account], |row| {
            row.text(0)
        })
        .await
}

async fn keywords(connection: &mut Connection, account: AccountId) -> Result<Vec<String>> {
    connection
        .query("SELECT name FROM keyword WHERE account = $1 ORDER BY bit", values![account], |row| {
            row.text(0)
        })
        .await
}

/// The mailboxes as this transaction sees their names (their counters may be older).
pub async fn list(tx: &mut Tx, account: AccountId) -> Result<Vec<MailboxRow>> {
    tx.connection.query(SELECT, values![account], mailbox_row).await
}

/// Makes a mailbox. Its UIDVALIDITY is larger than any given out before.
pub async fn create(
    tx: &mut Tx,
    account: AccountId,
    parent: MailboxId,
    name: &str,
    role: Option<Role>,
    selectable: bool,
) -> Result<MailboxId> {
    let id = match role {
        Some(Role::Inbox) => MailboxId::INBOX,
        _ => MailboxId(tx.take_ids(account, 1)?),
    };
    let modseq = tx.modseq(account)?;
    let uid_validity = next_uid_validity(tx).await?;
    let inserted = tx
        .connection
        .execute(
            "INSERT INTO mailbox (account, id, parent, name, role, selectable, uid_validity, uid_next,
               created_modseq, modseq, total, unseen, bytes)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8, 0, 0, 0)
             ON CONFLICT (account, parent, name) DO NOTHING",
            values![account, id, parent, name, role.map_or("", Role::name), selectable, uid_validity, modseq],
        )
        .await?;
    if inserted == 0 {
        return Err(Error::Exists("mailbox"));
    }
    let created = IdSet::range(id.0 as u64, id.0 as u64);
    tx.journal(account, Kind::Mailbox, 0, created, IdSet::new(), IdSet::new());
    tx.changed(Change::Mailboxes(account));
    Ok(id)
}

/// Makes a bare name a mailbox that can hold messages.
pub async fn make_selectable(
    tx: &mut Tx,
    account: AccountId,
    id: MailboxId,
    role: Option<Role>,
) -> Result<()> {
    tx.release_mailbox(account, id).await?;
    let uid_validity = next_uid_validity(tx).await?;
    tx.connection
        .execute(
            "UPDATE mailbox SET selectable = 1, uid_validity = $3, role = $4 WHERE account = $1 AND id = $2",
            values![account, id, uid_validity, role.map_or("", Role::name)],
        )
        .await?;
    journal_updated(tx, account, id);
    Ok(())
}

/// UIDVALIDITY is a time that never runs backwards: a mailbox deleted and made again, even after
/// the clock was set back, gets a larger one (RFC 9051 §2.3.1.1).
async fn next_uid_validity(tx: &mut Tx) -> Result<UidValidity> {
    let now = tx.now;
    let value = tx
        .connection
        .first(
            "UPDATE counter SET value = CASE WHEN value >= $2 THEN value + 1 ELSE $2 END
             WHERE name = $1 RETURNING value",
            values!["uid_validity", now],
            |row| row.int(0),
        )
        .await?;
    value
        .and_then(|v| u32::try_from(v).ok())
        .ok_or_else(|| Error::damaged("the counter uid_validity is missing from the database or has run out"))
}

/// Gives a mailbox another parent and name; everything else stays.
pub async fn rename(
    tx: &mut Tx,
    account: AccountId,
    id: MailboxId,
    parent: MailboxId,
    name: &str,
) -> Result<()> {
    tx.release_mailbox(account, id).await?;
    let taken = tx
        .connection
        .first(
            "SELECT id FROM mailbox WHERE account = $1 AND parent = $2 AND name = $3 AND id <> $4",
            values![account, parent, name, id],
            |row| row.int(0),
        )
        .await?;
    if taken.is_some() {
        return Err(Error::Exists("mailbox"));
    }
    tx.connection
        .execute(
            "UPDATE mailbox SET parent = $3, name = $4 WHERE account = $1 AND id = $2",
            values![account, id, parent, name],
        )
        .await?;
    journal_updated(tx, account, id);
    Ok(())
}

/// Deletes a mailbox: at once for everybody to see, its messages in slices later
/// ([`Storage::reclaim`]). If it has children a bare name takes its place.
pub async fn delete(tx: &mut Tx, account: AccountId, mailbox: &MailboxRow, has_children: bool) -> Result<()> {
    tx.load_mailboxes(vec![(account, mailbox.id)]).await?;
    if let Ok(state) = tx.mailbox(account, mailbox.id) {
        let bytes = state.bytes;
        tx.give_back_bytes(account, bytes)?;
    }
    tx.release_mailbox(account, mailbox.id).await?;
    tx.connection
        .execute(
            "UPDATE mailbox SET parent = $3, name = $4, role = '', selectable = 0
             WHERE account = $1 AND id = $2",
            values![account, mailbox.id, DELETED, mailbox.id.to_string()],
        )
        .await?;
    tx.connection
        .execute(
            "DELETE FROM mailbox_index WHERE account = $1 AND mailbox = $2",
            values![account, mailbox.id],
        )
        .await?;
    if has_children {
        let bare = create(tx, account, mailbox.parent, &mailbox.name, None, false).await?;
        tx.connection
            .execute(
                "UPDATE mailbox SET parent = $3 WHERE account = $1 AND parent = $2",
                values![account, mailbox.id, bare],
            )
            .await?;
    }
    let destroyed = IdSet::range(mailbox.id.0 as u64, mailbox.id.0 as u64);
    tx.journal(account, Kind::Mailbox, 0, IdSet::new(), IdSet::new(), destroyed);
    metadata::remove_all(tx, account, mailbox.id).await?;
    tx.changed(Change::MailboxDeleted { account, mailbox: mailbox.id });
    tx.changed(Change::Mailboxes(account));
    Ok(())
}

/// A mailbox of any account that was deleted and still has its row.
pub(crate) async fn first_deleted(connection: &mut Connection) -> Result<Option<(AccountId, MailboxId)>> {
    connection
        .first("SELECT account, id FROM mailbox WHERE parent = $1 LIMIT 1", values![DELETED], |row| {
            Ok((AccountId(row.int(0)?), MailboxId(row.int(1)?)))
        })
        .await
}

/// What clients may choose about a mailbox besides its name.
pub async fn set_use(
    tx: &mut Tx,
    account: AccountId,
    id: MailboxId,
    role: Option<Role>,
    sort_order: u32,
) -> Result<()> {
    let sql = "UPDATE mailbox SET role = $3, sort_order = $4 WHERE account = $1 AND id = $2";
    tx.connection.execute(sql, values![account, id, role.map_or("", Role::name), sort_order]).await?;
    touch(tx, account, id);
    Ok(())
}

/// Notes that something about a mailbox is other than before, like its subscription.
pub fn touch(tx: &mut Tx, account: AccountId, id: MailboxId) {
    journal_updated(tx, account, id);
}

fn journal_updated(tx: &mut Tx, account: AccountId, id: MailboxId) {
    let updated = IdSet::range(id.0 as u64, id.0 as u64);
    tx.journal(account, Kind::Mailbox, 0, IdSet::new(), updated, IdSet::new());
    tx.changed(Change::Mailboxes(account));
}

pub async fn subscribe(tx: &mut Tx, account: AccountId, path: &str, subscribed: bool) -> Result<()> {
    let sql = if subscribed {
        "INSERT INTO subscription (account, path) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM subscription WHERE account = $1 AND path = $2"
    };
    tx.connection.execute(sql, values![account, path]).await?;
    tx.changed(Change::Mailboxes(account));
    Ok(())
}

/// Subscribed paths as this transaction sees them.
pub async fn subscribed(tx: &mut Tx, account: AccountId) -> Result<Vec<String>> {
    subscriptions(&mut tx.connection, account).await
}

/// Makes keywords that the account does not have yet. `Limit` when its flag bits are used up.
pub async fn add_keywords(tx: &mut Tx, account: AccountId, names: &[String]) -> Result<()> {
    let known = keywords(&mut tx.connection, account).await?;
    let mut new: Vec<&String> = Vec::new();
    for name in names {
        let same = |other: &&String| other.eq_ignore_ascii_case(name);
        if !known.iter().any(|k| same(&k)) && !new.iter().any(same) {
            new.push(name);
        }
    }
    if known.len() + new.len() > crate::Flags::MAX_KEYWORDS {
        return Err(Error::Limit("an account can have 55 different keywords"));
    }
    let rows =
        new.iter().enumerate().map(|(n, name)| values![account, (known.len() + n) as i64, name.as_str()]);
    tx.connection
        .execute_many("INSERT INTO keyword (account, bit, name) VALUES {values}", rows.collect())
        .await?;
    tx.changed(Change::Keywords(account));
    Ok(())
}

/// The mailbox of that name below `parent`.
pub async fn child(
    tx: &mut Tx,
    account: AccountId,
    parent: MailboxId,
    name: &str,
) -> Result<Option<MailboxRow>> {
    let sql =
        "SELECT id, parent, name, role, selectable, uid_validity, uid_next, modseq, total, unseen, bytes,
          sort_order
        FROM mailbox WHERE account = $1 AND parent = $2 AND name = $3";
    tx.connection.first(sql, values![account, parent, name], mailbox_row).await
}

/// True if there is a mailbox with this id that was not deleted.
pub async fn exists(tx: &mut Tx, account: AccountId, id: MailboxId) -> Result<bool> {
    let sql = "SELECT id FROM mailbox WHERE account = $1 AND id = $2 AND parent >= 0";
    Ok(tx.connection.first(sql, values![account, id], |row| row.int(0)).await?.is_some())
}

/// The roles that mailboxes of the account have.
pub async fn roles(tx: &mut Tx, account: AccountId) -> Result<Vec<Role>> {
    let sql = "SELECT role FROM mailbox WHERE account = $1 AND parent >= 0 AND role <> ''";
    let names = tx.connection.query(sql, values![account], |row| row.text(0)).await?;
    Ok(names.iter().filter_map(|name| Role::from_name(name)).collect())
}

/// Number of mailboxes of the account.
pub async fn count(tx: &mut Tx, account: AccountId) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM mailbox WHERE account = $1 AND parent >= 0";
    Ok(tx.connection.first(sql, values![account], |row| row.int(0)).await?.unwrap_or(0) as u64)
}
