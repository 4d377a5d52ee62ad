//! Messages of an account: put, change, copy, move, remove, read.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hub_storage::{FlagEdit, Kind, NewEmail, mailboxes, messages as rows};

use crate::{
    Account, AccountId, EmailId, Error, Flags, Hub, IdSet, Incoming, MailboxId, Modseq, OpenMailbox, Result,
    Uid, UidValidity,
};

/// Messages per commit of a large move or expunge: nobody else waits for more than that.
const SLICE: usize = 2_000;

/// The messages of one account: `account.messages()`.
#[derive(Clone, Copy)]
pub struct Messages<'a> {
    pub(crate) account: &'a Account,
}

/// A message to put into a mailbox.
pub struct NewMessage {
    pub incoming: Incoming,
    pub flags: Flags,
    /// Unix seconds (INTERNALDATE).
    pub received_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub uid_validity: UidValidity,
    pub uids: Vec<Uid>,
}

/// What COPY or MOVE did: the n-th UID of `from` became the n-th of `to` (RFC 4315 §3).
/// Both are empty if no message was left to copy, which is not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub uid_validity: UidValidity,
    pub from: IdSet,
    pub to: IdSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagChange {
    Add(Flags),
    Remove(Flags),
    Replace(Flags),
}

impl FlagChange {
    /// (set, clear). Bit 63 is never touched: the database's integers are signed.
    fn bits(self) -> (Flags, Flags) {
        match self {
            Self::Add(flags) => (flags, Flags::NONE),
            Self::Remove(flags) => (Flags::NONE, flags),
            Self::Replace(flags) => (flags, Flags(!flags.0 & (i64::MAX as u64))),
        }
    }
}

/// The account's keywords in the order of their flag bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords(pub Vec<String>);

impl Keywords {
    /// The flag of a keyword, whatever its case.
    pub fn flag(&self, name: &str) -> Option<Flags> {
        self.0.iter().position(|known| known.eq_ignore_ascii_case(name)).map(Flags::keyword)
    }
}

/// A kept message: what FETCH needs besides the index record.
#[derive(Clone)]
pub struct Message {
    /// Header fields that the hub put in front at delivery (Return-Path, Received …). The message
    /// as clients see it is `prefix` followed by the bytes received.
    pub prefix: Bytes,
    /// Encoded [`crate::Summary`]; all its offsets count from the end of `prefix`.
    pub summary: Bytes,
    /// The conversation that it belongs to (RFC 8474 §5.2, RFC 8621 §3).
    pub thread: i64,
    pub(crate) blob: hub_storage::BlobId,
    pub(crate) blob_size: u64,
}

impl From<hub_storage::StoredEmail> for Message {
    fn from(row: hub_storage::StoredEmail) -> Self {
        Self {
            prefix: row.prefix,
            summary: row.summary,
            thread: row.thread,
            blob: row.blob,
            blob_size: row.blob_size,
        }
    }
}

impl Message {
    /// RFC822.SIZE: exactly what reading all of it gives.
    pub fn size(&self) -> u64 {
        self.prefix.len() as u64 + self.blob_size
    }
}

impl Hub {
    pub(crate) async fn keywords_of(&self, account: AccountId) -> Result<Arc<Keywords>> {
        let cache = &self.0.keywords;
        match cache.get(&account) {
            Ok(known) => Ok(known),
            Err(ticket) => {
                let keywords = Arc::new(Keywords(self.0.storage.keywords(account).await?));
                cache.put(ticket, account, Arc::clone(&keywords));
                Ok(keywords)
            }
        }
    }
}

impl Messages<'_> {
    pub(crate) fn storage(&self) -> &hub_storage::Storage {
        &self.account.hub.0.storage
    }

    /// Opens a mailbox for looking at; loads its index if nobody has it open. `NotFound`.
    pub async fn open(&self, id: MailboxId) -> Result<Arc<OpenMailbox>> {
        self.account.hub.0.mailboxes.open(self.storage(), (self.account.id, id)).await
    }

    /// The account's keywords, from memory if they have not changed.
    pub async fn keywords(&self) -> Result<Arc<Keywords>> {
        self.account.hub.keywords_of(self.account.id).await
    }

    /// The flag bits of these keyword names (case-insensitive), made up if `create`. Names unknown
    /// otherwise are left out. `Limit` beyond [`Flags::MAX_KEYWORDS`].
    pub async fn keyword_flags(&self, names: &[&str], create: bool) -> Result<Flags> {
        let mut keywords = self.keywords().await?;
        if create && names.iter().any(|name| keywords.flag(name).is_none()) {
            let account = self.account.id;
            let new: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            self.storage()
                .transact([account], move |tx| {
                    Box::pin(async move { mailboxes::add_keywords(tx, account, &new).await })
                })
                .await?;
            keywords = self.keywords().await?;
        }
        Ok(names.iter().filter_map(|name| keywords.flag(name)).fold(Flags::NONE, |a, b| a | b))
    }

    /// Puts messages into a mailbox, all or none, in order. On disk when it returns.
    /// `NotFound`, `OverQuota`, `Unavailable`.
    pub async fn append(&self, mailbox: MailboxId, messages: Vec<NewMessage>) -> Result<Appended> {
        let account = self.account.id;
        let emails: Vec<NewEmail> = messages
            .into_iter()
            .map(|message| {
                let place = (account, mailbox);
                message.incoming.into_email(place, Vec::new(), message.flags, message.received_at)
            })
            .collect();
        let appended = self.storage().append(emails).await?;
        Ok(Appended {
            uid_validity: appended.first().map_or(0, |a| a.uid_validity),
            uids: appended.into_iter().map(|a| a.uid).collect(),
        })
    }

    /// Puts a message into mailbox `to` in the place of the message `uid` of `from`, in one commit:
    /// nobody sees both or neither. `NotFound` if that or a mailbox is gone, `OverQuota`.
    pub async fn replace(
        &self,
        (from, uid): (MailboxId, Uid),
        to: MailboxId,
        message: NewMessage,
    ) -> Result<Appended> {
        let account = self.account.id;
        let NewMessage { incoming, flags, received_at } = message;
        let email = incoming.into_email((account, to), Vec::new(), flags, received_at);
        let appended = self
            .storage()
            .transact([account], move |tx| {
                Box::pin(async move { rows::replace(tx, account, (from, uid), email).await })
            })
            .await?;
        Ok(Appended { uid_validity: appended.uid_validity, uids: vec![appended.uid] })
    }

    /// Changes flags of those of `uids` that still exist and, with `unchanged_since`, whose modseq is
    /// not above it; returns the UIDs that failed that test (RFC 7162 §3.1.3). Everybody sees them when it
    /// returns; they survive a crash after 100 ms at most.
    pub async fn change_flags(
        &self,
        mailbox: MailboxId,
        uids: &IdSet,
        change: FlagChange,
        unchanged_since: Option<Modseq>,
    ) -> Result<IdSet> {
        let (set, clear) = change.bits();
        let (account, uids) = (self.account.id, uids.clone());
        let edit = FlagEdit { account, mailbox, uids, set, clear, unchanged_since };
        Ok(self.storage().change_flags(edit).await?)
    }

    /// Copies those of `uids` that still exist, with their flags, all or none. `NotFound` if a
    /// mailbox is gone, `OverQuota`.
    pub async fn copy(&self, from: MailboxId, uids: &IdSet, to: MailboxId) -> Result<Copied> {
        let (account, uids) = (self.account.id, uids.clone());
        let copied = self
            .storage()
            .transact_in(account, [from, to], move |tx| {
                Box::pin(async move { rows::copy(tx, account, from, &uids, to).await })
            })
            .await?;
        Ok(Copied { uid_validity: copied.uid_validity, from: copied.from, to: copied.to })
    }

    /// Moves those of `uids` that still exist; each message is in exactly one of the two at any time.
    pub async fn move_to(&self, from: MailboxId, uids: &IdSet, to: MailboxId) -> Result<Copied> {
        let account = self.account.id;
        let mut moved = Copied { uid_validity: 0, from: IdSet::new(), to: IdSet::new() };
        for slice in self.existing_slices(from, Some(uids), Flags::NONE).await? {
            let step = self
                .storage()
                .transact_in(account, [from, to], move |tx| {
                    Box::pin(async move { rows::move_to(tx, account, from, &slice, to).await })
                })
                .await?;
            moved.uid_validity = step.uid_validity;
            moved.from.extend(&step.from);
            moved.to.extend(&step.to);
        }
        if moved.uid_validity == 0 {
            moved.uid_validity = self.open(to).await?.snapshot().uid_validity;
        }
        Ok(moved)
    }

    /// Removes messages that have `\Deleted`: all of them, or those among `uids`. Returns the UIDs removed.
    pub async fn expunge(&self, mailbox: MailboxId, uids: Option<&IdSet>) -> Result<IdSet> {
        let account = self.account.id;
        let mut removed = IdSet::new();
        for slice in self.existing_slices(mailbox, uids, Flags::DELETED).await? {
            removed.extend(
                &self
                    .storage()
                    .transact_in(account, [mailbox], move |tx| {
                        Box::pin(
                            async move { rows::expunge(tx, account, mailbox, &slice, Flags::DELETED).await },
                        )
                    })
                    .await?,
            );
        }
        Ok(removed)
    }

    /// Removes those of `uids` that exist, whatever their flags.
    pub async fn remove(&self, mailbox: MailboxId, uids: &IdSet) -> Result<()> {
        let account = self.account.id;
        for slice in self.existing_slices(mailbox, Some(uids), Flags::NONE).await? {
            let remove = self.storage().transact_in(account, [mailbox], move |tx| {
                Box::pin(async move { rows::expunge(tx, account, mailbox, &slice, Flags::NONE).await })
            });
            remove.await?;
        }
        Ok(())
    }

    /// Those of `uids` (all, if `None`) that exist and have `having`, in sets of at most [`SLICE`].
    async fn existing_slices(
        &self,
        mailbox: MailboxId,
        uids: Option<&IdSet>,
        having: Flags,
    ) -> Result<Vec<IdSet>> {
        let snapshot = self.open(mailbox).await?.snapshot();
        let all = IdSet::range(1, u64::from(u32::MAX));
        let mut slices: Vec<IdSet> = Vec::new();
        let mut count = SLICE;
        for &(first, last) in uids.unwrap_or(&all).ranges() {
            let start = snapshot.lower_bound(u32::try_from(first).unwrap_or(u32::MAX));
            for record in snapshot.iter_from(start).take_while(|r| u64::from(r.uid) <= last) {
                if !record.flags.contains(having) {
                    continue;
                }
                if count == SLICE {
                    slices.push(IdSet::new());
                    count = 0;
                }
                if let Some(slice) = slices.last_mut() {
                    slice.insert(u64::from(record.uid));
                    count += 1;
                }
            }
        }
        Ok(slices)
    }

    /// UIDs removed from a mailbox after `since` (RFC 7162 §3.2.10 VANISHED); `None` if the journal
    /// does not reach back so far.
    pub async fn vanished_since(&self, mailbox: MailboxId, since: Modseq) -> Result<Option<IdSet>> {
        let account = self.account.id;
        if let Some(removed) = self.account.hub.0.mailboxes.removed_since((account, mailbox), since) {
            return Ok(Some(removed));
        }
        let changes = self.storage().changes_since(account, Kind::Uid, mailbox.0, since).await?;
        // A client may have seen a message that came after the modseq it has noted.
        Ok(changes.map(|changes| {
            let (destroyed, passed) = (changes.destroyed.iter(), changes.passed.iter());
            destroyed.chain(passed).collect::<BTreeSet<u64>>().into_iter().collect()
        }))
    }

    /// The kept messages of these ids, in the same order, in one go; `None` for one that is gone.
    /// Call it with up to a few hundred at a time.
    pub async fn fetch(&self, emails: &[EmailId]) -> Result<Vec<Option<Message>>> {
        let account = self.account.id;
        let read = async |missing: Vec<EmailId>| self.storage().emails(account, &missing).await;
        self.known_or(emails, read).await
    }

    /// The same for small messages of which [`Messages::read_starts`] is going to be asked: their
    /// bytes are read in the same go and kept for a moment.
    pub async fn fetch_whole(&self, emails: &[EmailId]) -> Result<Vec<Option<Message>>> {
        let (account, recent) = (self.account.id, &self.account.hub.0.recent);
        let read = async |missing: Vec<EmailId>| {
            let rows = self.storage().whole_emails(account, &missing).await?;
            let keep = |(row, bytes): (hub_storage::StoredEmail, Option<Bytes>)| {
                bytes.iter().for_each(|bytes| recent.keep_start(row.blob, bytes));
                row
            };
            Ok(rows.into_iter().map(keep).collect())
        };
        self.known_or(emails, read).await
    }

    /// Messages from memory, or what `read` says of those that are not there.
    async fn known_or(
        &self,
        emails: &[EmailId],
        read: impl AsyncFnOnce(Vec<EmailId>) -> hub_storage::Result<Vec<hub_storage::StoredEmail>>,
    ) -> Result<Vec<Option<Message>>> {
        let (account, recent) = (self.account.id, &self.account.hub.0.recent);
        let mut messages = recent.rows(account, emails);
        let mut missing: Vec<EmailId> =
            emails.iter().zip(&messages).filter(|(_, known)| known.is_none()).map(|(id, _)| *id).collect();
        if missing.is_empty() {
            return Ok(messages);
        }
        missing.sort_unstable();
        missing.dedup();
        let rows = read(missing).await?;
        let found: HashMap<EmailId, Message> =
            rows.into_iter().map(|row| (row.id, Message::from(row))).collect();
        for (email, message) in &found {
            recent.keep_row(account, *email, message);
        }
        for (email, message) in emails.iter().zip(&mut messages) {
            if message.is_none() {
                *message = found.get(email).cloned();
            }
        }
        Ok(messages)
    }

    /// When these messages were put into the mailbox, in Unix seconds (RFC 8514); without those that
    /// are gone. Call it with up to a few hundred at a time.
    pub async fn saved_at(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<HashMap<Uid, i64>> {
        Ok(self.storage().saved_at(self.account.id, mailbox, uids).await?.into_iter().collect())
    }

    /// Opens a message for reading it in pieces.
    pub async fn open_message(&self, message: &Message) -> Result<OpenMessage> {
        OpenMessage::open(self.storage(), message).await
    }

    /// The first so many bytes of each message, prefix included, at once: for FETCH of many small
    /// ones, or of headers. `u64::MAX` is all of it.
    pub async fn read_starts(&self, wanted: &[(&Message, u64)]) -> Result<Vec<Bytes>> {
        let recent = &self.account.hub.0.recent;
        let length = |(message, until): &(&Message, u64)| {
            let length = until.saturating_sub(message.prefix.len() as u64);
            usize::try_from(length).unwrap_or(usize::MAX)
        };
        let mut bodies: Vec<Option<Bytes>> =
            wanted.iter().map(|one| recent.start(one.0, length(one))).collect();
        let missing: Vec<&(&Message, u64)> =
            wanted.iter().zip(&bodies).filter(|(_, known)| known.is_none()).map(|(one, _)| one).collect();
        if !missing.is_empty() {
            let starts: Vec<_> = missing.iter().map(|one| (one.0.blob, length(one))).collect();
            let read = self.storage().read_starts(&starts).await?;
            for (one, bytes) in missing.iter().zip(&read) {
                recent.keep_start(one.0.blob, bytes);
            }
            let mut read = read.into_iter();
            bodies.iter_mut().filter(|body| body.is_none()).for_each(|body| *body = read.next());
        }
        let whole = |((message, until), body): (&(&Message, u64), Option<Bytes>)| {
            let body = body.unwrap_or_default();
            let prefix =
                usize::try_from(*until).map_or(message.prefix.len(), |n| n.min(message.prefix.len()));
            match prefix {
                0 => body,
                _ => [&message.prefix[..prefix], &body].concat().into(),
            }
        };
        Ok(wanted.iter().zip(bodies).map(whole).collect())
    }
}

/// A message that was looked up for reading it in pieces.
pub struct OpenMessage {
    prefix: Bytes,
    size: u64,
    body: hub_storage::OpenBlob,
}

impl OpenMessage {
    pub(crate) async fn open(storage: &hub_storage::Storage, message: &Message) -> Result<Self> {
        let body = storage.open_blob(message.blob).await?;
        Ok(Self { prefix: message.prefix.clone(), size: message.size(), body })
    }

    /// Bytes of the message, prefix included; the range is cut to its length. Reads no more than needed.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let end = range.end.min(self.size);
        let start = range.start.min(end);
        let prefix = self.prefix.len() as u64;
        if end <= prefix {
            return Ok(self.prefix.slice(start as usize..end as usize));
        }
        let from = start.saturating_sub(prefix);
        let length =
            usize::try_from(end - prefix - from).map_err(|_| Error::TooLarge { limit: usize::MAX as u64 })?;
        let body = self.body.read(from, length).await?;
        if start >= prefix {
            return Ok(body);
        }
        Ok([&self.prefix[start as usize..], &body].concat().into())
    }
}

pub(crate) async fn read_message(
    storage: &hub_storage::Storage,
    message: &Message,
    range: Range<u64>,
) -> Result<Bytes> {
    OpenMessage::open(storage, message).await?.read(range).await
}
