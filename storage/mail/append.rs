//! Putting messages into mailboxes: about eight inserts and updates for any number of messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::blobs::{self, StagedBlob};
use crate::changes::Kind;
use crate::db::values;
use crate::mail::{Edit, Record};
use crate::tx::Tx;
use crate::{AccountId, BlobId, EmailId, Error, Flags, IdSet, MailboxId, Result, Uid, UidValidity};

/// A message for one mailbox of one account.
#[derive(Clone)]
pub struct NewEmail {
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub blob: Arc<StagedBlob>,
    /// Header fields that the hub puts in front.
    pub prefix: Vec<u8>,
    /// The encoded summary; opaque here.
    pub summary: Arc<[u8]>,
    /// Date header, Unix seconds; 0 if there is none.
    pub sent_at: i64,
    /// Hashes that join messages to threads, the most specific first.
    pub thread_keys: Vec<i64>,
    pub flags: Flags,
    /// INTERNALDATE, Unix seconds.
    pub received_at: i64,
}

impl NewEmail {
    /// RFC822.SIZE.
    pub(crate) fn size(&self) -> u64 {
        self.prefix.len() as u64 + self.blob.size()
    }

    /// What its ids are known under in `thread_reference`.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (AccountId, i64)> + Clone + '_ {
        self.thread_keys.iter().map(|key| (self.account, *key))
    }

    /// Memory that the statements will need, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.prefix.len() + self.summary.len() + self.blob.in_memory().map_or(0, |b| b.len()) + 500
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub uid_validity: UidValidity,
    pub uid: Uid,
    pub email: EmailId,
}

/// Appends groups of messages; each group all or none. The outer error is one of the database.
pub(crate) async fn append_groups(tx: &mut Tx, groups: &[&[NewEmail]]) -> Result<Vec<Result<Vec<Appended>>>> {
    let targets = groups.iter().flat_map(|group| group.iter().map(|e| (e.account, e.mailbox)));
    let targets = targets.collect();
    tx.load_mailboxes(targets).await?;

    let mut results = Vec::with_capacity(groups.len());
    let mut accepted: Vec<(&NewEmail, Appended)> = Vec::new();
    for group in groups {
        results.push(match validate(tx, group) {
            Err(refusal) => Err(refusal),
            Ok(()) => {
                let mut appended = Vec::with_capacity(group.len());
                for email in *group {
                    let place = count(tx, email)?;
                    accepted.push((email, place));
                    appended.push(place);
                }
                Ok(appended)
            }
        });
    }
    if !accepted.is_empty() {
        insert(tx, &accepted).await?;
    }
    Ok(results)
}

/// Everything that can be refused, before anything is changed.
fn validate(tx: &Tx, group: &[NewEmail]) -> Result<()> {
    let mut bytes: HashMap<AccountId, u64> = HashMap::new();
    let mut uids: HashMap<(AccountId, MailboxId), u64> = HashMap::new();
    for email in group {
        // RFC822.SIZE is a 32-bit number (RFC 9051 §9, number).
        if email.size() > u64::from(u32::MAX) {
            return Err(Error::Limit("a message has at most 4 GiB"));
        }
        *bytes.entry(email.account).or_default() += email.size();
        *uids.entry((email.account, email.mailbox)).or_default() += 1;
    }
    for (id, bytes) in bytes {
        let account = tx.account(id)?;
        if account.quota > 0 && account.bytes.saturating_add(bytes) > account.quota {
            return Err(Error::OverQuota { used: account.bytes, limit: account.quota });
        }
    }
    for ((account, mailbox), count) in uids {
        let state = tx.mailbox(account, mailbox)?;
        if u64::from(state.uid_next) + count >= u64::from(u32::MAX) {
            return Err(Error::Limit("the mailbox has used up its UIDs"));
        }
    }
    Ok(())
}

/// Takes ids and counts the message in.
fn count(tx: &mut Tx, email: &NewEmail) -> Result<Appended> {
    let size = email.size();
    let id = EmailId(tx.take_ids(email.account, 1)?);
    tx.take_bytes(email.account, size)?;
    let mailbox = tx.mailbox_mut(email.account, email.mailbox)?;
    let uid = mailbox.uid_next;
    mailbox.uid_next += 1;
    mailbox.total += 1;
    mailbox.unseen += u64::from(!email.flags.contains(Flags::SEEN));
    mailbox.bytes += size;
    Ok(Appended { uid_validity: mailbox.uid_validity, uid, email: id })
}

async fn insert(tx: &mut Tx, accepted: &[(&NewEmail, Appended)]) -> Result<()> {
    insert_blobs(tx, accepted).await?;
    let alone = match accepted {
        [(email, _)] => email.thread_keys.len() <= FEW_KEYS && !tx.knows_threads(),
        _ => false,
    };
    let threads = match accepted {
        [(_, place)] if alone => vec![place.email.0],
        _ => assign_threads(tx, accepted).await?,
    };

    let mut emails = Vec::with_capacity(accepted.len());
    let mut rows = Vec::with_capacity(accepted.len());
    let mut records: BTreeMap<(AccountId, MailboxId), Vec<Record>> = BTreeMap::new();
    for ((email, place), thread) in accepted.iter().zip(threads) {
        let modseq = tx.modseq(email.account)?;
        emails.push(values![
            email.account,
            place.email,
            email.blob.id,
            email.blob.size,
            email.sent_at,
            thread,
            modseq,
            0i64,
            email.prefix.as_slice(),
            &*email.summary
        ]);
        rows.push(values![
            email.account,
            email.mailbox,
            place.uid,
            place.email,
            email.flags,
            modseq,
            email.size(),
            email.received_at,
            tx.now
        ]);
        records.entry((email.account, email.mailbox)).or_default().push(Record {
            uid: place.uid,
            size: email.size() as u32,
            flags: email.flags,
            modseq,
            email: place.email,
            received_at: email.received_at,
        });
    }
    tx.connection.defer_many(
        "INSERT INTO email (account, id, blob, size, sent_at, thread, created_modseq, gone_at, prefix, summary)
         VALUES {values}",
        emails,
    );
    if alone {
        accepted.iter().for_each(|(email, place)| join_thread(tx, email, *place));
    }
    tx.connection.defer_many(INSERT_MESSAGES, rows);

    for ((account, mailbox), records) in records {
        let uids: IdSet = records.iter().map(|r| u64::from(r.uid)).collect();
        tx.journal(account, Kind::Uid, mailbox.0, uids, IdSet::new(), IdSet::new());
        tx.journal_emails(account, records.iter().map(|r| r.email), [], []);
        tx.edited(account, mailbox, Edit::Added(records))?;
    }
    Ok(())
}

const INSERT_MESSAGES: &str = "INSERT INTO mailbox_message
    (account, mailbox, uid, email, flags, modseq, size, received_at, saved_at) VALUES {values}";

/// One row and the right number of references per distinct content.
async fn insert_blobs(tx: &mut Tx, accepted: &[(&NewEmail, Appended)]) -> Result<()> {
    let mut distinct: BTreeMap<BlobId, (&Arc<StagedBlob>, i64)> = BTreeMap::new();
    for (email, _) in accepted {
        distinct.entry(email.blob.id).or_insert((&email.blob, 0)).1 += 1;
    }
    refer(tx, distinct.into_values().collect()).await
}

/// Makes rows for staged blobs, or adds references to those that exist. Each content only once.
pub(crate) async fn refer(tx: &mut Tx, blobs: Vec<(&Arc<StagedBlob>, i64)>) -> Result<()> {
    let rows = blobs.iter().map(|(blob, refs)| blob.row(*refs)).collect();
    if blobs.iter().all(|(blob, _)| blob.file().is_none()) {
        tx.connection.defer_many(blobs::INSERT, rows);
        return Ok(());
    }
    let places: HashMap<BlobId, String> = tx
        .connection
        .query_many(blobs::INSERT, rows, |row| Ok((row.blob_id(0)?, row.text(1)?)))
        .await?
        .into_iter()
        .collect();
    for (blob, _) in blobs {
        if let Some(file) = blob.file()
            && places.get(&blob.id).is_some_and(|place| place == blob.place())
        {
            tx.files.push(Arc::clone(file));
        }
    }
    Ok(())
}

/// Up to so many keys are one statement.
const FEW_KEYS: usize = 16;

/// The same as [`assign_threads`] for one message whose row is its own thread's as yet, without
/// asking first.
fn join_thread(tx: &mut Tx, email: &NewEmail, place: Appended) {
    let keys = email.keys().enumerate();
    let keys = keys.map(|(n, key)| values![key.0, key.1, place.email, n as i64]).collect();
    tx.connection.defer_many(
        "UPDATE email SET thread = n.thread FROM
           (SELECT v.column1 AS account, v.column3 AS id, r.thread AS thread
            FROM (VALUES {values}) AS v CROSS JOIN thread_reference r
            WHERE r.account = v.column1 AND r.hash = v.column2 ORDER BY v.column4 LIMIT 1) AS n
         WHERE email.account = n.account AND email.id = n.id",
        keys,
    );
    let keys = email.keys().map(|key| values![key.0, key.1, place.email]).collect();
    tx.connection.defer_many(
        "INSERT INTO thread_reference (account, hash, thread)
         SELECT v.column1, v.column2, e.thread FROM (VALUES {values}) AS v CROSS JOIN email e
         WHERE e.account = v.column1 AND e.id = v.column3 ON CONFLICT (account, hash) DO NOTHING",
        keys,
    );
}

/// A message belongs to the thread of any message it refers to, or that refers to it; else to its
/// own, named after itself.
async fn assign_threads(tx: &mut Tx, accepted: &[(&NewEmail, Appended)]) -> Result<Vec<i64>> {
    let mut known = tx.threads(accepted.iter().flat_map(|(email, _)| email.keys()).collect()).await?;
    let mut threads = Vec::with_capacity(accepted.len());
    let mut new = Vec::new();
    for (email, place) in accepted {
        let keys = email.keys();
        let thread = keys.clone().find_map(|key| known.get(&key).copied()).unwrap_or(place.email.0);
        for key in keys {
            known.entry(key).or_insert_with(|| {
                new.push(values![key.0, key.1, thread]);
                thread
            });
        }
        threads.push(thread);
    }
    tx.connection.defer_many("INSERT INTO thread_reference (account, hash, thread) VALUES {values}", new);
    Ok(threads)
}

/// Appends within a transaction that does more than this. All or none.
pub async fn append_within(tx: &mut Tx, emails: &[NewEmail]) -> Result<Vec<Appended>> {
    append_groups(tx, &[emails]).await?.pop().unwrap_or(Ok(Vec::new()))
}
