//! Accounts in the eyes of others: rooms and other things that can be reserved, and who may ask when people
//! are busy.

use crate::changes::Change;
use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Error, Result, Storage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomKind {
    Room = 1,
    Resource = 2,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    pub account: AccountId,
    /// Its address as written.
    pub handle: String,
    pub kind: RoomKind,
    /// For people.
    pub name: String,
}

fn room_row(row: Row<'_>) -> Result<RoomRow> {
    let kind = match row.int(2)? {
        1 => RoomKind::Room,
        2 => RoomKind::Resource,
        _ => return Err(Error::damaged("a room has a kind that is not known")),
    };
    Ok(RoomRow { account: AccountId(row.int(0)?), handle: row.text(1)?, kind, name: row.text(3)? })
}

impl Storage {
    /// In the order in which they were made.
    pub async fn rooms(&self) -> Result<Vec<RoomRow>> {
        let sql = "SELECT r.account, a.handle, r.kind, r.name FROM room r CROSS JOIN account a
             WHERE a.id = r.account ORDER BY r.account";
        self.reader().await?.query(sql, values![], room_row).await
    }

    /// `None` if the account is a person's.
    pub async fn room(&self, account: AccountId) -> Result<Option<RoomRow>> {
        let sql = "SELECT r.account, a.handle, r.kind, r.name FROM room r CROSS JOIN account a
             WHERE r.account = $1 AND a.id = $1";
        self.reader().await?.first(sql, values![account], room_row).await
    }
}

impl Storage {
    /// Who may ask when an account is busy; 0 if it has not said.
    pub async fn free_busy_access(&self, account: AccountId) -> Result<i64> {
        let sql = "SELECT access FROM free_busy WHERE account = $1";
        Ok(self.reader().await?.first(sql, values![account], |row| row.int(0)).await?.unwrap_or(0))
    }
}

/// Says who may ask when an account is busy.
pub async fn set_free_busy_access(tx: &mut Tx, account: AccountId, access: i64) -> Result<()> {
    let sql = "INSERT INTO free_busy (account, access) VALUES ($1, $2)
         ON CONFLICT (account) DO UPDATE SET access = excluded.access";
    tx.connection.execute(sql, values![account, access]).await?;
    Ok(())
}

/// Says what an account is.
pub async fn set_room(tx: &mut Tx, account: AccountId, kind: RoomKind, name: &str) -> Result<()> {
    let sql = "INSERT INTO room (account, kind, name) VALUES ($1, $2, $3)
         ON CONFLICT (account) DO UPDATE SET kind = excluded.kind, name = excluded.name";
    tx.connection.execute(sql, values![account, kind as i64, name]).await?;
    tx.changed(Change::Account(account));
    Ok(())
}
