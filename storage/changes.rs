//! The change log: what each commit created, updated and destroyed, and what is told at once.

use std::collections::BTreeSet;

use crate::db::values;
use crate::items::CollectionId;
use crate::queue::Hop;
use crate::{AccountId, Edit, IdSet, MailboxId, Modseq, Result, Storage, Uid};

/// What a journal row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// UIDs of a mailbox; the container is the mailbox.
    Uid = 1,
    /// E-mails of the account; no container. Flag changes alone are only under `Uid`: a row of the
    /// e-mails behind `STORE 1:100000` would cost more than the change itself.
    Email = 2,
    /// Mailboxes of the account; no container.
    Mailbox = 3,
    /// Sieve scripts of the account; no container.
    Script = 4,
    /// Files and folders of the account; no container.
    File = 5,
    /// Calendars and address books of the account; the container is the kind.
    Collection = 6,
    /// What lies in a calendar or address book; the container is that.
    Item = 7,
    /// Conversations that e-mails have gone from; no container. What comes to one is known from `Email`.
    Thread = 8,
    /// Who the twin writes as; no container.
    Identity = 9,
    /// What was sent through the API; no container.
    Submission = 10,
    /// The answer while away; no container.
    Vacation = 11,
}

pub(crate) struct JournalEntry {
    pub(crate) account: AccountId,
    pub(crate) kind: Kind,
    pub(crate) container: i64,
    pub(crate) created: IdSet,
    pub(crate) updated: IdSet,
    pub(crate) destroyed: IdSet,
}

pub(crate) const INSERT: &str = "INSERT INTO journal
    (account, kind, container, modseq, made_at, created, updated, destroyed) VALUES {values}";

/// What those who listen are told right after a commit, before anything is acknowledged.
#[derive(Clone, Debug)]
pub enum Change {
    /// Credentials, addresses or existence of an account.
    Account(AccountId),
    /// Aliases that lead to other addresses.
    Aliases,
    /// What is counted of a mailbox whose messages have changed.
    Counters { account: AccountId, counters: Counters },
    /// Calendars or address books themselves: made, changed, removed.
    Collections(AccountId),
    /// A domain was added.
    Domains,
    /// What lies in a calendar or address book.
    Items { account: AccountId, collection: CollectionId, modseq: Modseq },
    /// Keywords were added.
    Keywords(AccountId),
    /// Files or folders; with `only_new`, nothing that was there before.
    Files { account: AccountId, modseq: Modseq, only_new: bool },
    /// A mailbox was deleted.
    MailboxDeleted { account: AccountId, mailbox: MailboxId },
    /// Names or subscriptions of mailboxes.
    Mailboxes(AccountId),
    /// Messages of a mailbox.
    Messages { account: AccountId, mailbox: MailboxId, modseq: Modseq, edit: Edit },
    /// Annotations of a mailbox, or of the account (see [`crate::metadata::OF_ACCOUNT`]).
    Metadata { account: AccountId, mailbox: MailboxId, entries: Vec<String> },
    /// Something was put into the queue for this hop, or an operator wants it tried again at once.
    Queue { hop: Hop, account: AccountId, again: bool },
    /// Sieve scripts of an account.
    Scripts(AccountId),
    /// A program may no longer do what it was granted.
    Tokens(AccountId),
}

/// A place in the changes of files, a calendar or an address book, which come in the order of modseqs
/// and, within one, of ids: all up to here are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Since {
    pub modseq: Modseq,
    /// Within the modseq.
    pub id: i64,
    /// Nothing was known at this modseq: what had gone by then is no news. 0 once everything of then is
    /// known.
    pub began: Modseq,
}

impl Since {
    /// All of a modseq.
    pub const fn all(modseq: Modseq) -> Self {
        Self { modseq, id: i64::MAX, began: 0 }
    }

    /// Nothing, of what is now at this modseq.
    pub(crate) const fn nothing(now: Modseq) -> Self {
        Self { began: now, ..Self::all(0) }
    }

    /// Whether all that has gone since is known, if what had gone by `floor` is forgotten and `now` is
    /// the last modseq.
    pub(crate) fn is_known(self, floor: Modseq, now: Modseq) -> bool {
        self.modseq.max(self.began) >= floor && self.modseq <= now
    }
}

/// A mailbox's counters as of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub mailbox: MailboxId,
    pub uid_next: Uid,
    pub modseq: Modseq,
    pub total: u64,
    pub unseen: u64,
    pub bytes: u64,
}

/// Everything that happened after a modseq, folded: an object created and destroyed since is in
/// neither set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub created: IdSet,
    pub updated: IdSet,
    pub destroyed: IdSet,
    /// Created and destroyed since.
    pub passed: IdSet,
    /// The modseq up to which this holds.
    pub modseq: Modseq,
}

/// What one commit created, updated and destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalRow {
    pub modseq: Modseq,
    pub created: IdSet,
    pub updated: IdSet,
    pub destroyed: IdSet,
}

/// Rows after a modseq, in order, and the account's last modseq.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    pub rows: Vec<JournalRow>,
    pub modseq: Modseq,
}

/// When something of each kind was last noted in the journal. What was forgotten counts as if it were
/// of every kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Of the account, whatever it was.
    pub modseq: Modseq,
    /// Up to here the journal is forgotten.
    pub floor: Modseq,
    pub email: Modseq,
    pub mailbox: Modseq,
    pub script: Modseq,
    pub identity: Modseq,
    pub submission: Modseq,
    pub vacation: Modseq,
}

impl Storage {
    /// The last changes of the account's kinds.
    pub async fn heads(&self, account: AccountId) -> Result<Heads> {
        let sql = "SELECT a.modseq, a.journal_floor,
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 2 AND container = 0),
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 3 AND container = 0),
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 4 AND container = 0),
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 9 AND container = 0),
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 10 AND container = 0),
               (SELECT COALESCE(MAX(modseq), 0) FROM journal WHERE account = $1 AND kind = 11 AND container = 0)
             FROM account a WHERE a.id = $1";
        let heads = self
            .reader()
            .await?
            .first(sql, values![account], |row| {
                let modseq = |column| row.int(column).map(|modseq| modseq as u64);
                let floor = modseq(1)?;
                Ok(Heads {
                    modseq: modseq(0)?,
                    floor,
                    email: modseq(2)?.max(floor),
                    mailbox: modseq(3)?.max(floor),
                    script: modseq(4)?.max(floor),
                    identity: modseq(5)?.max(floor),
                    submission: modseq(6)?.max(floor),
                    vacation: modseq(7)?.max(floor),
                })
            })
            .await?;
        heads.ok_or(crate::Error::NotFound("account"))
    }

    /// The journal of one kind and container after `since`. `None` if it was trimmed above that: the asker
    /// has to start again.
    pub async fn journal_since(
        &self,
        account: AccountId,
        kind: Kind,
        container: i64,
        since: Modseq,
    ) -> Result<Option<Journal>> {
        let mut reader = self.reader_of_flags().await?;
        reader.begin_read();
        let head = reader
            .first("SELECT modseq, journal_floor FROM account WHERE id = $1", values![account], |row| {
                Ok((row.int(0)? as u64, row.int(1)? as u64))
            })
            .await;
        let rows = reader
            .query(
                "SELECT modseq, created, updated, destroyed FROM journal
                 WHERE account = $1 AND kind = $2 AND container = $3 AND modseq > $4 ORDER BY modseq",
                values![account, kind as i64, container, since],
                |row| {
                    let set = |column| -> Result<IdSet> {
                        IdSet::decode(&row.bytes(column)?)
                            .ok_or_else(|| crate::Error::damaged("a journal row is damaged"))
                    };
                    let modseq = row.int(0)? as u64;
                    Ok(JournalRow { modseq, created: set(1)?, updated: set(2)?, destroyed: set(3)? })
                },
            )
            .await;
        reader.commit().await?;
        let (modseq, floor) = head?.ok_or(crate::Error::NotFound("account"))?;
        Ok((since >= floor).then_some(Journal { rows: rows?, modseq }))
    }

    /// [`Storage::journal_since`], folded.
    pub async fn changes_since(
        &self,
        account: AccountId,
        kind: Kind,
        container: i64,
        since: Modseq,
    ) -> Result<Option<Folded>> {
        let Some(journal) = self.journal_since(account, kind, container, since).await? else {
            return Ok(None);
        };
        let (mut created, mut updated) = (BTreeSet::new(), BTreeSet::new());
        let (mut destroyed, mut passed) = (BTreeSet::new(), BTreeSet::new());
        for row in journal.rows {
            created.extend(row.created.iter());
            updated.extend(row.updated.iter().filter(|id| !created.contains(id)));
            for id in row.destroyed.iter() {
                updated.remove(&id);
                if created.remove(&id) {
                    passed.insert(id);
                } else {
                    destroyed.insert(id);
                }
            }
        }
        Ok(Some(Folded {
            created: created.into_iter().collect(),
            updated: updated.into_iter().collect(),
            destroyed: destroyed.into_iter().collect(),
            passed: passed.into_iter().collect(),
            modseq: journal.modseq,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever begins after names were forgotten must be able to go on page by page.
    #[test]
    fn what_is_known_of_what_has_gone() {
        let (floor, now) = (100, 200);
        for (since, known) in [
            (Since::all(99), false),
            (Since::all(100), true),
            (Since::all(200), true),
            (Since::all(201), false),
            (Since { modseq: 3, id: 7, began: 150 }, true),
            (Since { modseq: 3, id: 7, began: 50 }, false),
        ] {
            assert_eq!(since.is_known(floor, now), known, "{since:?}");
        }
    }
}
