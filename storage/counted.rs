//! Counters of accounts and mailboxes within a transaction, and their rows.

use crate::changes::Counters;
use crate::db::{Row, Value, values};
use crate::{AccountId, MailboxId, Modseq, Result, Uid, UidValidity};

/// The account's counters within a transaction.
#[derive(Clone, Debug)]
pub(crate) struct AccountState {
    /// The modseq of this commit.
    pub(crate) modseq: Modseq,
    pub(crate) next_id: i64,
    /// Bytes in use, and the quota (0: none).
    pub(crate) bytes: u64,
    pub(crate) quota: u64,
    /// The row is older.
    pub(crate) dirty: bool,
}

/// The mailbox's counters within a transaction.
#[derive(Clone, Debug)]
pub(crate) struct MailboxState {
    pub(crate) selectable: bool,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: Uid,
    pub(crate) modseq: Modseq,
    pub(crate) total: u64,
    pub(crate) unseen: u64,
    pub(crate) bytes: u64,
    /// The row is older.
    pub(crate) dirty: bool,
}

impl AccountState {
    pub(crate) fn committed(self) -> Self {
        Self { dirty: false, ..self }
    }
}

impl MailboxState {
    pub(crate) fn committed(self) -> Self {
        Self { dirty: false, ..self }
    }

    pub(crate) fn count_flags(&mut self, modseq: Modseq, unseen: i64) {
        self.modseq = modseq;
        self.unseen = self.unseen.saturating_add_signed(unseen);
        self.dirty = true;
    }

    pub(crate) fn counters(&self, mailbox: MailboxId) -> Counters {
        let Self { uid_next, modseq, total, unseen, bytes, .. } = *self;
        Counters { mailbox, uid_next, modseq, total, unseen, bytes }
    }
}

pub(crate) const LOCK_ACCOUNTS: &str =
    "UPDATE account SET modseq = modseq + 1 FROM (VALUES {values}) AS v WHERE id = v.column1
     RETURNING id, modseq, next_id, bytes, quota";

pub(crate) fn account_state(row: Row<'_>) -> Result<(AccountId, AccountState)> {
    let state = AccountState {
        modseq: row.int(1)? as u64,
        next_id: row.int(2)?,
        bytes: row.int(3)? as u64,
        quota: row.int(4)? as u64,
        dirty: false,
    };
    Ok((AccountId(row.int(0)?), state))
}

pub(crate) const SELECT_MAILBOXES: &str =
    "SELECT m.account, m.id, m.selectable, m.uid_validity, m.uid_next, m.modseq, m.total, m.unseen, m.bytes
     FROM (VALUES {values}) AS v CROSS JOIN mailbox m
     WHERE m.account = v.column1 AND m.id = v.column2";

pub(crate) fn mailbox_state(row: Row<'_>) -> Result<((AccountId, MailboxId), MailboxState)> {
    let state = MailboxState {
        selectable: row.int(2)? != 0,
        uid_validity: row.int(3)? as u32,
        uid_next: row.int(4)? as u32,
        modseq: row.int(5)? as u64,
        total: row.int(6)? as u64,
        unseen: row.int(7)? as u64,
        bytes: row.int(8)? as u64,
        dirty: false,
    };
    Ok(((AccountId(row.int(0)?), MailboxId(row.int(1)?)), state))
}

pub(crate) const UPDATE_ACCOUNTS: &str =
    "UPDATE account SET modseq = v.column2, next_id = v.column3, bytes = v.column4
    FROM (VALUES {values}) AS v WHERE id = v.column1";

pub(crate) const UPDATE_MAILBOXES: &str =
    "UPDATE mailbox SET uid_next = v.column3, modseq = v.column4, total = v.column5,
        unseen = v.column6, bytes = v.column7
    FROM (VALUES {values}) AS v WHERE account = v.column1 AND id = v.column2";

pub(crate) fn mailbox_row(key: (AccountId, MailboxId), state: &MailboxState) -> Vec<Value> {
    values![key.0, key.1, state.uid_next, state.modseq, state.total, state.unseen, state.bytes]
}
