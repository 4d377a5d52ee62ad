//! When the alarms of an item are to be looked at next: one moment for each item that has some.

use crate::db::{Row, values};
use crate::items::ItemId;
use crate::tx::Tx;
use crate::{AccountId, Result, Storage};

/// An item whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueAlarm {
    pub account: AccountId,
    pub item: ItemId,
    pub due_at: i64,
    /// Every alarm up to this moment has been sent.
    pub done_to: i64,
}

/// An item with what its alarms depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmSource {
    pub data: Vec<u8>,
    /// The zone of its calendar, as text.
    pub time_zone: String,
}

impl Storage {
    /// What is due, the earliest first, `most` at most.
    pub async fn alarms_due(&self, now: i64, most: usize) -> Result<Vec<DueAlarm>> {
        let sql = "SELECT account, item, due_at, done_to FROM alarm WHERE due_at <= $1
             ORDER BY due_at, account, item LIMIT $2";
        let due = |row: Row<'_>| {
            Ok(DueAlarm {
                account: AccountId(row.int(0)?),
                item: ItemId(row.int(1)?),
                due_at: row.int(2)?,
                done_to: row.int(3)?,
            })
        };
        self.reader().await?.query(sql, values![now, most as i64], due).await
    }

    /// When something is due next.
    pub async fn next_alarm_at(&self) -> Result<Option<i64>> {
        let sql = "SELECT due_at FROM alarm ORDER BY due_at LIMIT 1";
        self.reader().await?.first(sql, values![], |row| row.int(0)).await
    }

    /// What an alarm is about, if it is still there.
    pub async fn alarm_source(&self, account: AccountId, item: ItemId) -> Result<Option<AlarmSource>> {
        let sql = "SELECT d.data, c.time_zone FROM item i CROSS JOIN collection c CROSS JOIN item_data d
             WHERE i.account = $1 AND i.id = $2 AND c.account = $1 AND c.id = i.collection
               AND d.account = $1 AND d.id = $2";
        let source = |row: Row<'_>| Ok(AlarmSource { data: row.bytes(0)?, time_zone: row.text(1)? });
        self.reader().await?.first(sql, values![account, item.0], source).await
    }
}

/// Notes up to when everything has been sent, and when to look again, if ever. False if somebody else did,
/// or the item was changed.
pub async fn move_on(tx: &mut Tx, due: DueAlarm, done_to: i64, next: Option<i64>) -> Result<bool> {
    let DueAlarm { account, item, due_at, done_to: before } = due;
    let moved = match next {
        Some(next) => {
            let sql = "UPDATE alarm SET due_at = $5, done_to = $6
                 WHERE account = $1 AND item = $2 AND due_at = $3 AND done_to = $4";
            tx.connection.execute(sql, values![account, item.0, due_at, before, next, done_to]).await?
        }
        None => {
            let sql = "DELETE FROM alarm WHERE account = $1 AND item = $2 AND due_at = $3 AND done_to = $4";
            tx.connection.execute(sql, values![account, item.0, due_at, before]).await?
        }
    };
    Ok(moved == 1)
}

/// An item was stored: what is due and was not looked at yet stays due.
pub(super) fn set(tx: &mut Tx, account: AccountId, item: ItemId, at: i64) {
    let sql = "INSERT INTO alarm (account, item, due_at, done_to) VALUES {values}
         ON CONFLICT (account, item) DO UPDATE SET
           due_at = CASE WHEN alarm.due_at <= excluded.done_to THEN alarm.due_at ELSE excluded.due_at END,
           done_to = CASE WHEN alarm.due_at <= excluded.done_to THEN alarm.done_to ELSE excluded.done_to END";
    let now = tx.now;
    tx.connection.defer_many(sql, vec![values![account, item.0, at, now]]);
}

/// An item was stored that has no more alarms.
pub(super) fn unset(tx: &mut Tx, account: AccountId, item: ItemId) {
    let sql = "DELETE FROM alarm WHERE account = $1 AND item = $2 AND due_at > $3";
    let now = tx.now;
    tx.connection.defer(sql, values![account, item.0, now]);
}

pub(super) fn forget(tx: &mut Tx, account: AccountId, items: &[ItemId]) {
    let rows = items.iter().map(|item| values![account, item.0]);
    tx.connection.defer_many("DELETE FROM alarm WHERE (account, item) IN (VALUES {values})", rows.collect());
}
