//! One write transaction, shared by all jobs of a group commit.
//!
//! Counters of accounts and mailboxes are read once, kept in memory while the jobs run, and written
//! back once. A job that fails is undone alone: its rows by a savepoint, its effect on the counters
//! by the undo log.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::blobs::KeptFile;
use crate::changes::{self, Change, JournalEntry, Kind};
use crate::counted::{
    AccountState, LOCK_ACCOUNTS, MailboxState, SELECT_MAILBOXES, UPDATE_ACCOUNTS, UPDATE_MAILBOXES,
    account_state, mailbox_row, mailbox_state,
};
use crate::db::{Answer, Connection, Row, chunks, values};
use crate::known::Known;
use crate::mail::append::NewEmail;
use crate::{AccountId, Edit, EmailId, Error, IdSet, MailboxId, Modseq, Result};

/// Threads by account and hash of a message id.
pub(crate) type Threads = HashMap<(AccountId, i64), i64>;

/// What was known before; nothing, if it was read since.
enum Undo {
    Account(AccountId, Option<AccountState>),
    Mailbox((AccountId, MailboxId), Option<MailboxState>),
}

/// A write transaction. Functions of this crate that change something take it.
pub struct Tx {
    pub(crate) connection: Connection,
    /// Unix seconds at the start of the group.
    pub(crate) now: i64,
    /// Of commits before, as far as this one has not taken it out.
    known: Known,
    accounts: BTreeMap<AccountId, AccountState>,
    mailboxes: BTreeMap<(AccountId, MailboxId), MailboxState>,
    /// What [`Tx::look_ahead`] found, for the first appends of the group.
    threads: Option<Threads>,
    journal: Vec<JournalEntry>,
    changes: Vec<Change>,
    /// Large bodies that rows of this transaction refer to.
    pub(crate) files: Vec<Arc<KeptFile>>,
    undo: Vec<Undo>,
    /// Nothing of it is to stay.
    given_up: bool,
}

/// What a commit leaves.
pub(crate) struct Committed {
    pub(crate) changes: Vec<Change>,
    pub(crate) known: Known,
}

/// Where a failed job goes back to.
pub(crate) struct Mark {
    journal: usize,
    changes: usize,
    files: usize,
}

impl Tx {
    /// `known` is what a commit before left; empty if somebody else may have written since.
    pub(crate) fn begin(mut connection: Connection, known: Known, now: i64) -> Self {
        connection.begin_write();
        Self {
            connection,
            now,
            known,
            accounts: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            threads: None,
            journal: Vec::new(),
            changes: Vec::new(),
            files: Vec::new(),
            undo: Vec::new(),
            given_up: false,
        }
    }

    /// Its only job has failed: [`Tx::commit`] will undo everything, which is what that job expects.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Locks accounts and takes their next modseq. The lock is held until the commit, so nobody can
    /// see modseq n + 1 before n. Accounts that do not exist are passed over.
    pub(crate) async fn lock_accounts(&mut self, ids: Vec<AccountId>) -> Result<()> {
        self.look_ahead(ids, Vec::new(), &[]).await
    }

    /// Locks accounts and reads in the same round trip what the group is going to need and is not
    /// known: counters of mailboxes, and the threads of `appends`, which must be what the group
    /// begins with.
    pub(crate) async fn look_ahead(
        &mut self,
        mut accounts: Vec<AccountId>,
        mut mailboxes: Vec<(AccountId, MailboxId)>,
        appends: &[&NewEmail],
    ) -> Result<()> {
        let mut threads: Vec<_> = appends.iter().flat_map(|email| email.keys()).collect();
        accounts.retain(|id| !self.accounts.contains_key(id) && !self.lock_known(*id));
        mailboxes.retain(|id| !self.mailboxes.contains_key(id) && !self.load_known(*id));
        sort_out(&mut accounts);
        sort_out(&mut mailboxes);
        sort_out(&mut threads);
        if accounts.is_empty() && mailboxes.is_empty() && threads.is_empty() {
            return Ok(());
        }
        let accounts = chunks(LOCK_ACCOUNTS, accounts.iter().map(|id| values![*id]).collect());
        let mut queries: Vec<_> = accounts.collect();
        let first_mailbox = queries.len();
        queries.extend(chunks(SELECT_MAILBOXES, mailboxes.iter().map(|id| values![id.0, id.1]).collect()));
        let first_thread = queries.len();
        queries.extend(chunks(SELECT_THREADS, threads.iter().map(|key| values![key.0, key.1]).collect()));
        let mut found = Threads::new();
        let Self { connection, accounts, mailboxes, undo, .. } = self;
        let take = |query, answer: Answer<'_>| {
            let Answer::Row(row) = answer else { return Ok(()) };
            if query < first_mailbox {
                let (id, state) = account_state(row)?;
                undo.push(Undo::Account(id, accounts.insert(id, state)));
            } else if query < first_thread {
                mailboxes.extend([mailbox_state(row)?]);
            } else {
                found.extend([thread(row)?]);
            }
            Ok(())
        };
        connection.run_each(queries, take).await?;
        self.threads = (!threads.is_empty()).then_some(found);
        Ok(())
    }

    /// Locks an account and loads a mailbox whose counters are known.
    pub(crate) fn take_known(&mut self, account: AccountId, mailbox: MailboxId) {
        if !self.accounts.contains_key(&account) {
            self.lock_known(account);
        }
        if !self.mailboxes.contains_key(&(account, mailbox)) {
            self.load_known((account, mailbox));
        }
    }

    /// This commit's modseq of a locked account is at least `modseq`.
    pub(crate) fn go_on_from(&mut self, account: AccountId, modseq: Modseq) {
        if let Some(state) = self.accounts.get_mut(&account).filter(|state| state.modseq < modseq) {
            state.modseq = modseq;
            state.dirty = true;
        }
    }

    /// Locks an account whose counters are known. Its modseq is written with the others.
    fn lock_known(&mut self, id: AccountId) -> bool {
        let Some(mut state) = self.known.take_account(id) else { return false };
        state.modseq += 1;
        state.dirty = true;
        self.undo.push(Undo::Account(id, self.accounts.insert(id, state)));
        true
    }

    fn load_known(&mut self, id: (AccountId, MailboxId)) -> bool {
        let Some(state) = self.known.take_mailbox(id) else { return false };
        self.undo.push(Undo::Mailbox(id, self.mailboxes.insert(id, state)));
        true
    }

    /// The threads that these message ids belong to, as far as they are known.
    pub(crate) async fn threads(&mut self, mut keys: Vec<(AccountId, i64)>) -> Result<Threads> {
        // What was read ahead is of the time before the first append: good for that one only.
        if let Some(threads) = self.threads.take() {
            return Ok(threads);
        }
        sort_out(&mut keys);
        let rows = keys.iter().map(|key| values![key.0, key.1]).collect();
        let found = self.connection.query_many(SELECT_THREADS, rows, thread).await?;
        Ok(found.into_iter().collect())
    }

    pub(crate) fn knows_threads(&self) -> bool {
        self.threads.is_some()
    }

    /// Forgets what was read ahead and not used, because the appends it was for were refused: what
    /// comes next asks for others.
    pub(crate) fn end_of_appends(&mut self) {
        self.threads = None;
    }

    /// An account that the job locked. `NotFound` if it does not exist (any more).
    pub(crate) fn account(&self, id: AccountId) -> Result<&AccountState> {
        self.accounts.get(&id).ok_or(Error::NotFound("account"))
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> Result<&mut AccountState> {
        let state = self.accounts.get_mut(&id).ok_or(Error::NotFound("account"))?;
        self.undo.push(Undo::Account(id, Some(state.clone())));
        state.dirty = true;
        Ok(state)
    }

    /// This commit's modseq of an account.
    pub fn modseq(&self, account: AccountId) -> Result<Modseq> {
        self.account(account).map(|state| state.modseq)
    }

    /// Takes `count` consecutive ids of the account; returns the first.
    pub(crate) fn take_ids(&mut self, account: AccountId, count: i64) -> Result<i64> {
        let state = self.account_mut(account)?;
        let first = state.next_id;
        state.next_id += count;
        Ok(first)
    }

    /// Adds to the bytes in use. `OverQuota` if that goes over the quota.
    pub(crate) fn take_bytes(&mut self, account: AccountId, bytes: u64) -> Result<()> {
        let AccountState { bytes: used, quota, .. } = *self.account(account)?;
        if quota > 0 && used.saturating_add(bytes) > quota {
            return Err(Error::OverQuota { used, limit: quota });
        }
        self.account_mut(account)?.bytes += bytes;
        Ok(())
    }

    pub(crate) fn give_back_bytes(&mut self, account: AccountId, bytes: u64) -> Result<()> {
        let state = self.account_mut(account)?;
        state.bytes = state.bytes.saturating_sub(bytes);
        Ok(())
    }

    /// Leaves so many bytes of those in use out of account, until [`Tx::claim_back_bytes`].
    pub fn lend_bytes(&mut self, account: AccountId, bytes: u64) -> Result<()> {
        self.give_back_bytes(account, bytes)
    }

    /// Counts them again, whatever the quota.
    pub fn claim_back_bytes(&mut self, account: AccountId, bytes: u64) -> Result<()> {
        self.account_mut(account)?.bytes += bytes;
        Ok(())
    }

    /// Reads the counters of mailboxes that are not known yet.
    pub(crate) async fn load_mailboxes(&mut self, mut ids: Vec<(AccountId, MailboxId)>) -> Result<()> {
        ids.retain(|id| !self.mailboxes.contains_key(id) && !self.load_known(*id));
        sort_out(&mut ids);
        let rows = ids.iter().map(|id| values![id.0, id.1]).collect();
        let states = self.connection.query_many(SELECT_MAILBOXES, rows, mailbox_state).await?;
        for (key, state) in states {
            // A job that fails may have made or changed the row just now.
            self.undo.push(Undo::Mailbox(key, self.mailboxes.insert(key, state)));
        }
        Ok(())
    }

    /// A loaded mailbox that can hold messages. `NotFound` otherwise.
    pub(crate) fn mailbox(&self, account: AccountId, id: MailboxId) -> Result<&MailboxState> {
        self.mailboxes.get(&(account, id)).filter(|m| m.selectable).ok_or(Error::NotFound("mailbox"))
    }

    /// The same for changing it; its modseq becomes this commit's.
    pub(crate) fn mailbox_mut(&mut self, account: AccountId, id: MailboxId) -> Result<&mut MailboxState> {
        let modseq = self.modseq(account)?;
        let key = (account, id);
        let state =
            self.mailboxes.get_mut(&key).filter(|m| m.selectable).ok_or(Error::NotFound("mailbox"))?;
        self.undo.push(Undo::Mailbox(key, Some(state.clone())));
        state.dirty = true;
        state.modseq = modseq;
        Ok(state)
    }

    /// Forgets what is known of a mailbox whose row a statement is about to change or remove,
    /// writing its counters first.
    pub(crate) async fn release_mailbox(&mut self, account: AccountId, id: MailboxId) -> Result<()> {
        let key = (account, id);
        self.known.forget_mailbox(key);
        if let Some(state) = self.mailboxes.remove(&key) {
            if state.dirty {
                self.connection.execute_many(UPDATE_MAILBOXES, vec![mailbox_row(key, &state)]).await?;
            }
            self.undo.push(Undo::Mailbox(key, Some(state)));
        }
        Ok(())
    }

    /// Notes changed objects for the journal.
    pub(crate) fn journal(
        &mut self,
        account: AccountId,
        kind: Kind,
        container: i64,
        created: IdSet,
        updated: IdSet,
        destroyed: IdSet,
    ) {
        self.journal.push(JournalEntry { account, kind, container, created, updated, destroyed });
    }

    /// Notes an edit of a mailbox's messages, for those who have it open.
    pub(crate) fn edited(&mut self, account: AccountId, mailbox: MailboxId, edit: Edit) -> Result<()> {
        let modseq = self.modseq(account)?;
        self.changes.push(Change::Messages { account, mailbox, modseq, edit });
        Ok(())
    }

    /// Notes any other change for those who listen.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Notes e-mails that came, changed or went, whatever the mailbox.
    pub(crate) fn journal_emails(
        &mut self,
        account: AccountId,
        created: impl IntoIterator<Item = EmailId>,
        updated: impl IntoIterator<Item = EmailId>,
        destroyed: impl IntoIterator<Item = EmailId>,
    ) {
        fn set(ids: impl IntoIterator<Item = EmailId>) -> IdSet {
            ids.into_iter().map(|id| id.0 as u64).collect()
        }
        self.journal(account, Kind::Email, 0, set(created), set(updated), set(destroyed));
    }

    pub(crate) fn mark(&mut self) -> Mark {
        self.undo.clear();
        Mark { journal: self.journal.len(), changes: self.changes.len(), files: self.files.len() }
    }

    /// Undoes in memory what was done since the mark.
    pub(crate) fn back_to(&mut self, mark: &Mark) {
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            match undo {
                Undo::Account(id, Some(state)) => drop(self.accounts.insert(id, state)),
                Undo::Account(id, None) => drop(self.accounts.remove(&id)),
                Undo::Mailbox(key, Some(state)) => drop(self.mailboxes.insert(key, state)),
                Undo::Mailbox(key, None) => drop(self.mailboxes.remove(&key)),
            }
        }
        self.journal.truncate(mark.journal);
        self.changes.truncate(mark.changes);
        self.files.truncate(mark.files);
    }

    /// Writes counters and journal, once for the whole group, and commits.
    pub(crate) async fn commit(mut self) -> (Connection, Vec<Arc<KeptFile>>, Result<Committed>) {
        if self.given_up {
            let result = self.connection.rollback().await;
            let nothing = Committed { changes: Vec::new(), known: Known::default() };
            return (self.connection, Vec::new(), result.map(|()| nothing));
        }
        self.flush();
        let result = self.connection.commit().await;
        if let Err(error) = &result {
            tracing::error!(error = %crate::chain(error), "a commit failed; nothing in it was acknowledged");
            let _ = self.connection.rollback().await;
        }
        let Self { connection, files, mut known, accounts, mailboxes, changes, .. } = self;
        if connection.is_sqlite() {
            known.keep(accounts, mailboxes);
        }
        (connection, files, result.map(|()| Committed { changes, known }))
    }

    fn flush(&mut self) {
        let mailboxes = self.mailboxes.iter().filter(|(_, state)| state.dirty);
        let mut rows = Vec::new();
        for (&key, state) in mailboxes {
            rows.push(mailbox_row(key, state));
            self.changes.push(Change::Counters { account: key.0, counters: state.counters(key.1) });
        }
        self.connection.defer_many(UPDATE_MAILBOXES, rows);
        let accounts = self.accounts.iter().filter(|(_, state)| state.dirty);
        let rows =
            accounts.map(|(id, state)| values![*id, state.modseq, state.next_id, state.bytes]).collect();
        self.connection.defer_many(UPDATE_ACCOUNTS, rows);
        self.flush_journal();
    }

    fn flush_journal(&mut self) {
        type Sets = (IdSet, IdSet, IdSet);
        let mut merged: BTreeMap<(AccountId, Kind, i64), Sets> = BTreeMap::new();
        for entry in std::mem::take(&mut self.journal) {
            match merged.entry((entry.account, entry.kind, entry.container)) {
                Entry::Vacant(vacant) => {
                    vacant.insert((entry.created, entry.updated, entry.destroyed));
                }
                Entry::Occupied(mut occupied) => {
                    let (created, updated, destroyed) = occupied.get_mut();
                    created.extend(&entry.created);
                    updated.extend(&entry.updated);
                    destroyed.extend(&entry.destroyed);
                }
            }
        }
        let mut rows = Vec::with_capacity(merged.len());
        for ((account, kind, container), (created, updated, destroyed)) in merged {
            // An account removed within this group has nobody left to ask for its changes.
            if let Some(state) = self.accounts.get(&account) {
                rows.push(values![
                    account,
                    kind as i64,
                    container,
                    state.modseq,
                    self.now,
                    created.encode(),
                    updated.encode(),
                    destroyed.encode()
                ]);
            }
        }
        self.connection.defer_many(changes::INSERT, rows);
    }

    /// Forgets an account whose rows are being removed.
    pub(crate) fn forget_account(&mut self, id: AccountId) {
        self.known.forget_account(id);
        if let Some(state) = self.accounts.remove(&id) {
            self.undo.push(Undo::Account(id, Some(state)));
        }
        let keys: Vec<_> = self.mailboxes.keys().filter(|key| key.0 == id).copied().collect();
        for key in keys {
            let state = self.mailboxes.remove(&key);
            self.undo.push(Undo::Mailbox(key, state));
        }
    }
}

/// Neither order nor repetition matters to a set of keys.
fn sort_out<T: Ord>(keys: &mut Vec<T>) {
    keys.sort_unstable();
    keys.dedup();
}

const SELECT_THREADS: &str =
    "SELECT r.account, r.hash, r.thread FROM (VALUES {values}) AS v CROSS JOIN thread_reference r
     WHERE r.account = v.column1 AND r.hash = v.column2";

fn thread(row: Row<'_>) -> Result<((AccountId, i64), i64)> {
    Ok(((AccountId(row.int(0)?), row.int(1)?), row.int(2)?))
}
