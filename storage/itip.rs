//! iTIP messages on their way from one twin to others: written with the change that they are about,
//! and gone when the sender's copy tells what became of them. What is in them means nothing here.

use crate::db::{Row, values};
use crate::tx::Tx;
use crate::{AccountId, Result, Storage};

/// A message that is to be sent, or that came by mail and is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItip {
    pub uid: String,
    pub sender: String,
    /// "" is the account itself.
    pub recipients: Vec<String>,
    pub data: Vec<u8>,
}

/// One message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItipKey {
    pub account: AccountId,
    pub message: i64,
    pub recipient: String,
}

/// A message with those of its recipients that are still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItipRow {
    pub account: AccountId,
    pub id: i64,
    pub uid: String,
    pub sender: String,
    pub data: Vec<u8>,
    pub created_at: i64,
    /// With the number of attempts before.
    pub recipients: Vec<(String, i64)>,
}

impl Storage {
    /// Messages with recipients that are due, in the order in which they were written, `most` at most.
    pub async fn itip_due(&self, now: i64, most: usize) -> Result<Vec<(AccountId, i64)>> {
        let sql = "SELECT account, message FROM itip_recipient WHERE status = '' AND due_at <= $1
             ORDER BY due_at, account, message LIMIT $2";
        let key = |row: Row<'_>| Ok((AccountId(row.int(0)?), row.int(1)?));
        let mut due = self.reader().await?.query(sql, values![now, most as i64], key).await?;
        due.dedup();
        Ok(due)
    }

    /// Messages as far as somebody is still to be told, in any order.
    pub async fn itip_messages(&self, ids: &[(AccountId, i64)]) -> Result<Vec<ItipRow>> {
        let rows = || ids.iter().map(|(account, id)| values![*account, *id]).collect::<Vec<_>>();
        let mut reader = self.reader().await?;
        let sql = "SELECT m.account, m.id, m.uid, m.sender, m.data, m.created_at
             FROM (VALUES {values}) AS v CROSS JOIN itip_message m
             WHERE m.account = v.column1 AND m.id = v.column2";
        let message = |row: Row<'_>| {
            Ok(ItipRow {
                account: AccountId(row.int(0)?),
                id: row.int(1)?,
                uid: row.text(2)?,
                sender: row.text(3)?,
                data: row.bytes(4)?,
                created_at: row.int(5)?,
                recipients: Vec::new(),
            })
        };
        let mut messages = reader.query_many(sql, rows(), message).await?;
        let sql = "SELECT r.account, r.message, r.recipient, r.attempts
             FROM (VALUES {values}) AS v CROSS JOIN itip_recipient r
             WHERE r.account = v.column1 AND r.message = v.column2 AND r.status = ''";
        let recipient = |row: Row<'_>| Ok((AccountId(row.int(0)?), row.int(1)?, (row.text(2)?, row.int(3)?)));
        for (account, id, recipient) in reader.query_many(sql, rows(), recipient).await? {
            let its = messages.iter_mut().find(|message| message.account == account && message.id == id);
            its.into_iter().for_each(|message| message.recipients.push(recipient.clone()));
        }
        Ok(messages)
    }

    /// What became of messages about an object, as far as that is not in the sender's copy yet.
    pub async fn itip_done(&self, account: AccountId, uid: &str) -> Result<Vec<(ItipKey, String)>> {
        let sql = "SELECT r.message, r.recipient, r.status FROM itip_message m CROSS JOIN itip_recipient r
             WHERE m.account = $1 AND m.uid = $2 AND r.account = $1 AND r.message = m.id AND r.status <> ''
             ORDER BY r.message";
        let done = |row: Row<'_>| {
            Ok((ItipKey { account, message: row.int(0)?, recipient: row.text(1)? }, row.text(2)?))
        };
        self.reader().await?.query(sql, values![account, uid], done).await
    }

    /// Objects whose copy is to be told what became of messages, `most` at most.
    pub async fn itip_to_tell(&self, most: usize) -> Result<Vec<(AccountId, String)>> {
        let sql = "SELECT m.account, m.uid FROM itip_recipient r CROSS JOIN itip_message m
             WHERE r.status <> '' AND m.account = r.account AND m.id = r.message ORDER BY r.due_at LIMIT $1";
        let object = |row: Row<'_>| Ok((AccountId(row.int(0)?), row.text(1)?));
        let mut objects = self.reader().await?.query(sql, values![most as i64], object).await?;
        objects.sort();
        objects.dedup();
        Ok(objects)
    }
}

/// Notes messages, which are due at `due_at` if nobody has looked after them by then. Returns their ids.
pub async fn push(
    tx: &mut Tx,
    account: AccountId,
    messages: &[NewItip],
    due_at: i64,
) -> Result<Vec<(AccountId, i64)>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let (first, now) = (tx.take_ids(account, messages.len() as i64)?, tx.now);
    let sql = "INSERT INTO itip_message (account, id, uid, sender, data, created_at) VALUES {values}";
    let rows = (first..).zip(messages).map(|(id, message)| {
        let NewItip { uid, sender, data, .. } = message;
        values![account, id, uid.as_str(), sender.as_str(), data.as_slice(), now]
    });
    tx.connection.defer_many(sql, rows.collect());
    let sql = "INSERT INTO itip_recipient (account, message, recipient, status, attempts, due_at)
         VALUES {values} ON CONFLICT DO NOTHING";
    let recipients = (first..).zip(messages).flat_map(|(id, message)| {
        message.recipients.iter().map(move |to| values![account, id, to.as_str(), "", 0i64, due_at])
    });
    tx.connection.defer_many(sql, recipients.collect());
    Ok((first..).take(messages.len()).map(|id| (account, id)).collect())
}

/// Notes what became of a message for one recipient. False if that was noted already: then nothing is
/// to be done any more.
pub async fn settle(tx: &mut Tx, key: &ItipKey, status: &str) -> Result<bool> {
    let sql = "UPDATE itip_recipient SET status = $4
         WHERE account = $1 AND message = $2 AND recipient = $3 AND status = ''";
    let values = values![key.account, key.message, key.recipient.as_str(), status];
    Ok(tx.connection.execute(sql, values).await? == 1)
}

/// Puts a recipient off.
pub async fn put_off(tx: &mut Tx, key: &ItipKey, due_at: i64) -> Result<()> {
    let sql = "UPDATE itip_recipient SET due_at = $4, attempts = attempts + 1
         WHERE account = $1 AND message = $2 AND recipient = $3 AND status = ''";
    tx.connection.execute(sql, values![key.account, key.message, key.recipient.as_str(), due_at]).await?;
    Ok(())
}

/// Forgets recipients whose status was told, and messages that have no others.
pub async fn forget(tx: &mut Tx, keys: &[ItipKey]) -> Result<()> {
    let rows = keys.iter().map(|key| values![key.account, key.message, key.recipient.as_str()]);
    let sql = "DELETE FROM itip_recipient WHERE (account, message, recipient) IN (VALUES {values})";
    tx.connection.execute_many(sql, rows.collect()).await?;
    let mut messages: Vec<_> = keys.iter().map(|key| (key.account, key.message)).collect();
    messages.dedup();
    let rows = messages.into_iter().map(|(account, message)| values![account, message]);
    let sql = "DELETE FROM itip_message WHERE (account, id) IN (VALUES {values}) AND NOT EXISTS
         (SELECT 1 FROM itip_recipient r WHERE r.account = itip_message.account AND r.message = itip_message.id)";
    tx.connection.execute_many(sql, rows.collect()).await?;
    Ok(())
}

/// Removes everything of an account.
pub(crate) async fn remove_all_of(tx: &mut Tx, account: AccountId) -> Result<()> {
    for sql in
        ["DELETE FROM itip_recipient WHERE account = $1", "DELETE FROM itip_message WHERE account = $1"]
    {
        tx.connection.execute(sql, values![account]).await?;
    }
    Ok(())
}
