//! Changing what is in mailboxes: flags, copies, moves, expunges.

use crate::changes::Kind;
use crate::db::{Answer, Statement, Value, chunks, values};
use crate::mail::append::{Appended, NewEmail, append_within};
use crate::mail::{Edit, Record};
use crate::tx::Tx;
use crate::{AccountId, EmailId, Error, Flags, IdSet, MailboxId, Modseq, Result, Uid, UidValidity};

/// Up to so many ranges are deleted one by one; of more, many in a statement that looks them up first.
const FEW_RANGES: usize = 8;

/// What a copy or move did; the n-th of `from` became the n-th of `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub uid_validity: UidValidity,
    pub from: IdSet,
    pub to: IdSet,
}

/// Changes flags of the messages in `uids` that this would change and, with `unchanged_since`,
/// whose modseq is not above it. Returns those that failed that test.
pub async fn change_flags(
    tx: &mut Tx,
    account: AccountId,
    mailbox: MailboxId,
    uids: &IdSet,
    set: Flags,
    clear: Flags,
    unchanged_since: Option<Modseq>,
) -> Result<IdSet> {
    tx.load_mailboxes(vec![(account, mailbox)]).await?;
    tx.mailbox(account, mailbox)?;
    let modseq = tx.modseq(account)?;
    let since = unchanged_since.unwrap_or(i64::MAX as u64);
    let ranges = |more: Vec<Value>| {
        let row = |&(first, last): &(u64, u64)| {
            [values![account, mailbox, first, last, since], more.clone()].concat()
        };
        uids.ranges().iter().map(row).collect()
    };
    let mut statements: Vec<Statement> = Vec::new();
    if unchanged_since.is_some() {
        statements.extend(chunks(SELECT_NEWER, ranges(Vec::new())));
    }
    let first_count = statements.len();
    // \Seen decides the mailbox's count of unseen messages.
    let sees = set.contains(Flags::SEEN);
    if !((set | clear) & Flags::SEEN).is_empty() {
        statements.extend(chunks(COUNT_SEEN, ranges(values![i64::from(!sees)])));
    }
    let first_update = statements.len();
    statements.extend(chunks(UPDATE_FLAGS, ranges(values![set, clear, modseq, false])));

    let (mut failed, mut changed, mut unseen) = (IdSet::new(), 0, 0);
    let take = |statement, answer: Answer<'_>| {
        match answer {
            Answer::Row(row) if statement < first_count => failed.insert(row.int(0)? as u64),
            Answer::Row(row) => unseen += if sees { -row.int(0)? } else { row.int(0)? },
            Answer::Done(rows) if statement >= first_update => changed += rows,
            Answer::Done(_) => {}
        }
        Ok(())
    };
    tx.connection.run_each(statements, take).await?;
    if changed > 0 {
        let state = tx.mailbox_mut(account, mailbox)?;
        state.unseen = state.unseen.saturating_add_signed(unseen);
        tx.journal(account, Kind::Uid, mailbox.0, IdSet::new(), uids.clone(), IdSet::new());
        tx.edited(account, mailbox, Edit::Flags { uids: uids.clone(), set, clear, unchanged_since })?;
    }
    Ok(failed)
}

/// Those of these ranges that are newer than they may be.
const SELECT_NEWER: &str = "SELECT m.uid FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
    WHERE m.account = v.column1 AND m.mailbox = v.column2 AND m.uid BETWEEN v.column3 AND v.column4
      AND m.modseq > v.column5";

/// Those that the change is going to make seen or unseen.
const COUNT_SEEN: &str = "SELECT COUNT(*) FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
    WHERE m.account = v.column1 AND m.mailbox = v.column2 AND m.uid BETWEEN v.column3 AND v.column4
      AND m.modseq <= v.column5 AND (m.flags & 1) = v.column6";

pub(crate) const UPDATE_FLAGS: &str = "UPDATE mailbox_message
    SET flags = (flags & ~v.column7) | v.column6, modseq = v.column8
    FROM (VALUES {values}) AS v
    WHERE account = v.column1 AND mailbox = v.column2 AND uid BETWEEN v.column3 AND v.column4
      AND modseq <= v.column5
      AND ((flags & v.column7) <> 0 OR (flags & v.column6) <> v.column6 OR v.column9 <> 0)";

/// Rows of the messages in `uids` that exist, ascending.
async fn rows(tx: &mut Tx, account: AccountId, mailbox: MailboxId, uids: &IdSet) -> Result<Vec<Record>> {
    let range = |&(first, last): &(u64, u64)| values![account, mailbox, first, last];
    let ranges = uids.ranges().iter().map(range).collect();
    let mut records =
        tx.connection.query_many(super::read::SELECT_RANGES, ranges, super::read::record).await?;
    records.sort_unstable_by_key(|record| record.uid);
    Ok(records)
}

/// Copies messages with their flags into another mailbox of the account.
pub async fn copy(
    tx: &mut Tx,
    account: AccountId,
    from: MailboxId,
    uids: &IdSet,
    to: MailboxId,
) -> Result<Copied> {
    tx.load_mailboxes(vec![(account, from), (account, to)]).await?;
    tx.mailbox(account, from)?;
    let records = rows(tx, account, from, uids).await?;
    let bytes = records.iter().map(|r| u64::from(r.size)).sum();
    tx.take_bytes(account, bytes)?;
    let copied = insert_copies(tx, account, from, &records, to)?;
    if !records.is_empty() {
        tx.journal_emails(account, [], records.iter().map(|r| r.email), []);
    }
    Ok(copied)
}

/// Moves messages: each is in exactly one of the two mailboxes before and after the commit.
pub async fn move_to(
    tx: &mut Tx,
    account: AccountId,
    from: MailboxId,
    uids: &IdSet,
    to: MailboxId,
) -> Result<Copied> {
    tx.load_mailboxes(vec![(account, from), (account, to)]).await?;
    tx.mailbox(account, from)?;
    let records = rows(tx, account, from, uids).await?;
    let copied = insert_copies(tx, account, from, &records, to)?;
    // In the same mailbox too: copies have other UIDs.
    let range = |&(first, last): &(u64, u64)| values![account, from, first, last];
    tx.connection.defer_many(DELETE_MOVED, copied.from.ranges().iter().map(range).collect());
    note_removed(tx, account, from, &records)?;
    if !records.is_empty() {
        tx.journal_emails(account, [], records.iter().map(|r| r.email), []);
    }
    Ok(copied)
}

/// Puts rows like these of `from` into `to`, with its next UIDs.
fn insert_copies(
    tx: &mut Tx,
    account: AccountId,
    from: MailboxId,
    records: &[Record],
    to: MailboxId,
) -> Result<Copied> {
    let modseq = tx.modseq(account)?;
    let mut copied = Copied { uid_validity: tx.mailbox(account, to)?.uid_validity, ..Copied::default() };
    if records.is_empty() {
        return Ok(copied);
    }
    let mut added = Vec::with_capacity(records.len());
    // Runs of messages whose UIDs grow by the same number: first, last, growth.
    let mut runs: Vec<(Uid, Uid, i64)> = Vec::new();
    let now = tx.now;
    let state = tx.mailbox_mut(account, to)?;
    if u64::from(state.uid_next) + records.len() as u64 >= u64::from(u32::MAX) {
        return Err(Error::Limit("the mailbox has used up its UIDs"));
    }
    for record in records {
        let uid: Uid = state.uid_next;
        state.uid_next += 1;
        state.total += 1;
        state.unseen += u64::from(!record.flags.contains(Flags::SEEN));
        state.bytes += u64::from(record.size);
        copied.from.insert(u64::from(record.uid));
        copied.to.insert(u64::from(uid));
        let growth = i64::from(uid) - i64::from(record.uid);
        match runs.last_mut() {
            Some(run) if run.2 == growth => run.1 = record.uid,
            _ => runs.push((record.uid, record.uid, growth)),
        }
        added.push(Record { uid, modseq, ..*record });
    }
    let row = |(first, last, growth)| values![account, from, first, last, to, growth, modseq, now];
    tx.connection.defer_many(INSERT_COPIES, runs.into_iter().map(row).collect());
    tx.journal(account, Kind::Uid, to.0, copied.to.clone(), IdSet::new(), IdSet::new());
    tx.edited(account, to, Edit::Added(added))?;
    Ok(copied)
}

/// The database copies what it has, rather than be told it.
const INSERT_COPIES: &str = "INSERT INTO mailbox_message
    (account, mailbox, uid, email, flags, modseq, size, received_at, saved_at)
    SELECT m.account, v.column5, m.uid + v.column6, m.email, m.flags, v.column7, m.size, m.received_at, v.column8
    FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
    WHERE m.account = v.column1 AND m.mailbox = v.column2 AND m.uid BETWEEN v.column3 AND v.column4";

const DELETE_MOVED: &str = "DELETE FROM mailbox_message WHERE (account, mailbox, uid) IN
    (SELECT m.account, m.mailbox, m.uid FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
     WHERE m.account = v.column1 AND m.mailbox = v.column2 AND m.uid BETWEEN v.column3 AND v.column4)";

/// Deletes the rows of those messages in `uids` that have `having`, leaving the e-mails themselves;
/// returns what they were, ascending.
async fn take_rows(
    tx: &mut Tx,
    account: AccountId,
    mailbox: MailboxId,
    uids: &IdSet,
    having: Flags,
) -> Result<Vec<Record>> {
    let ranges = uids.ranges().iter().map(|&(first, last)| values![account, mailbox, first, last, having]);
    let statements: Vec<Statement> = if uids.ranges().len() > FEW_RANGES {
        chunks(DELETE_SCATTERED, ranges.collect()).collect()
    } else {
        ranges.map(|range| (DELETE_RANGE, range)).collect()
    };
    let mut records = Vec::new();
    let take = |_, answer: Answer<'_>| {
        if let Answer::Row(row) = answer {
            records.push(super::read::record(row)?);
        }
        Ok(())
    };
    tx.connection.run_each(statements, take).await?;
    records.sort_unstable_by_key(|record| record.uid);
    Ok(records)
}

const DELETE_RANGE: &str = "DELETE FROM mailbox_message
    WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 AND (flags & $5) = $5
    RETURNING uid, size, flags, modseq, email, received_at";

const DELETE_SCATTERED: &str = "DELETE FROM mailbox_message WHERE (account, mailbox, uid) IN
    (SELECT m.account, m.mailbox, m.uid FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
     WHERE m.account = v.column1 AND m.mailbox = v.column2
       AND m.uid BETWEEN v.column3 AND v.column4 AND (m.flags & v.column5) = v.column5)
    RETURNING uid, size, flags, modseq, email, received_at";

/// Counts and notes that these messages have gone from a mailbox.
fn note_removed(tx: &mut Tx, account: AccountId, mailbox: MailboxId, records: &[Record]) -> Result<IdSet> {
    let uids: IdSet = records.iter().map(|r| u64::from(r.uid)).collect();
    if uids.is_empty() {
        return Ok(uids);
    }
    let state = tx.mailbox_mut(account, mailbox)?;
    for record in records {
        state.total = state.total.saturating_sub(1);
        state.unseen = state.unseen.saturating_sub(u64::from(!record.flags.contains(Flags::SEEN)));
        state.bytes = state.bytes.saturating_sub(u64::from(record.size));
    }
    tx.journal(account, Kind::Uid, mailbox.0, IdSet::new(), IdSet::new(), uids.clone());
    tx.edited(account, mailbox, Edit::Removed(uids.clone()))?;
    Ok(uids)
}

/// Removes the messages in `uids` that have `having` (all, if that is empty). E-mails that lie in
/// no mailbox any more are marked as gone and reclaimed later.
pub async fn expunge(
    tx: &mut Tx,
    account: AccountId,
    mailbox: MailboxId,
    uids: &IdSet,
    having: Flags,
) -> Result<IdSet> {
    tx.load_mailboxes(vec![(account, mailbox)]).await?;
    tx.mailbox(account, mailbox)?;
    let records = take_rows(tx, account, mailbox, uids, having).await?;
    let removed = note_removed(tx, account, mailbox, &records)?;
    let bytes = records.iter().map(|r| u64::from(r.size)).sum();
    tx.give_back_bytes(account, bytes)?;
    let emails: Vec<EmailId> = records.iter().map(|r| r.email).collect();
    let gone = mark_gone(tx, account, &emails).await?;
    if !emails.is_empty() {
        let left = emails.iter().copied().filter(|email| !gone.contains(&email.0));
        tx.journal_emails(account, [], left.collect::<Vec<_>>(), gone.iter().map(|id| EmailId(*id)));
    }
    Ok(removed)
}

/// Puts a message into a mailbox in the place of another, which goes, as one commit (RFC 8508). Only
/// the net size counts towards the quota. `NotFound` if the other is gone already.
pub async fn replace(
    tx: &mut Tx,
    account: AccountId,
    (from, uid): (MailboxId, Uid),
    email: NewEmail,
) -> Result<Appended> {
    if expunge(tx, account, from, &IdSet::range(uid.into(), uid.into()), Flags::NONE).await?.is_empty() {
        return Err(Error::NotFound("message"));
    }
    append_within(tx, &[email]).await?.pop().ok_or(Error::NotFound("message"))
}

/// Marks those e-mails that lie in no mailbox any more; returns them.
pub(crate) async fn mark_gone(
    tx: &mut Tx,
    account: AccountId,
    emails: &[EmailId],
) -> Result<std::collections::BTreeSet<i64>> {
    let now = tx.now;
    let emails: IdSet = emails.iter().map(|email| email.0 as u64).collect();
    let rows = emails.ranges().iter().map(|&(first, last)| values![account, first, last, now]).collect();
    let gone = tx
        .connection
        .query_many(
            "UPDATE email SET gone_at = v.column4 FROM (VALUES {values}) AS v
             WHERE account = v.column1 AND id BETWEEN v.column2 AND v.column3 AND NOT EXISTS
               (SELECT 1 FROM mailbox_message m WHERE m.account = email.account AND m.email = email.id)
             RETURNING id, thread",
            rows,
            |row| Ok((row.int(0)?, row.int(1)?)),
        )
        .await?;
    if !gone.is_empty() {
        let threads =
            gone.iter().map(|(_, thread)| *thread as u64).collect::<std::collections::BTreeSet<_>>();
        let threads = threads.into_iter().collect();
        tx.journal(account, Kind::Thread, 0, IdSet::new(), threads, IdSet::new());
    }
    Ok(gone.into_iter().map(|(id, _)| id).collect())
}
