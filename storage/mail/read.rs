//! Reading mailboxes and messages.

use std::collections::HashMap;

use bytes::Bytes;

use crate::blobs::{self, Content};
use crate::db::{Connection, Row, Value, values};
use crate::mail::{Record, packed};
use crate::{
    AccountId, BlobId, EmailId, Error, Flags, IdSet, MailboxId, Modseq, Result, Storage, Uid, UidValidity,
};

/// Columns `uid, size, flags, modseq, email, received_at`.
pub(crate) fn record(row: Row<'_>) -> Result<Record> {
    Ok(Record {
        uid: row.int(0)? as u32,
        size: row.int(1)? as u32,
        flags: Flags(row.int(2)? as u64),
        modseq: row.int(3)? as u64,
        email: EmailId(row.int(4)?),
        received_at: row.int(5)?,
    })
}

/// Columns `id, blob, size, thread, prefix, summary`.
fn stored_email(row: Row<'_>) -> Result<StoredEmail> {
    Ok(StoredEmail {
        id: EmailId(row.int(0)?),
        blob: row.blob_id(1)?,
        blob_size: row.int(2)? as u64,
        thread: row.int(3)?,
        prefix: row.bytes(4)?.into(),
        summary: row.bytes(5)?.into(),
    })
}

/// The whole of a mailbox as of one commit.
pub struct MailboxIndex {
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub modseq: Modseq,
    /// The modseq of the packed copy that it was read from; 0 if there was none.
    pub copied_at: Modseq,
    pub records: Vec<Record>,
}

/// A message without its body.
#[derive(Clone)]
pub struct StoredEmail {
    pub id: EmailId,
    pub blob: BlobId,
    /// Size of the blob in bytes.
    pub blob_size: u64,
    pub thread: i64,
    pub prefix: Bytes,
    pub summary: Bytes,
}

/// A blob that was looked up; it can be read as long as the storage keeps what is gone.
pub struct OpenBlob(pub(crate) Content);

impl OpenBlob {
    /// Bytes from `offset` on; fewer at its end.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        self.0.read(offset, length).await
    }
}

/// Below this many messages one scan is as quick as several.
const SPLIT_ABOVE: u64 = 8_000;

impl Storage {
    /// Reads a mailbox's index: from its packed copy and the journal if there is one, else by
    /// reading all rows. A large mailbox is read by two connections at once, each a part of the
    /// UIDs, and read again should a commit fall between the two.
    pub async fn mailbox_index(&self, account: AccountId, mailbox: MailboxId) -> Result<MailboxIndex> {
        let mut reader = self.reader_of_flags().await?;
        if let Some(index) = in_transaction(&mut reader, account, mailbox, Source::Copy).await? {
            return Ok(index);
        }
        let Some(total) = reader
            .first(
                "SELECT total FROM mailbox WHERE account = $1 AND id = $2",
                values![account, mailbox],
                |row| Ok(row.int(0)? as u64),
            )
            .await?
        else {
            return Err(Error::NotFound("mailbox"));
        };
        if total > SPLIT_ABOVE {
            let mut second = self.reader().await?;
            let middle = reader
                .first(
                    "SELECT uid_next FROM mailbox WHERE account = $1 AND id = $2",
                    values![account, mailbox],
                    |row| Ok(row.int(0)? as u64 / 2),
                )
                .await?
                .unwrap_or(0);
            let (low, high) = tokio::join!(
                in_transaction(&mut reader, account, mailbox, Source::Rows(1, middle)),
                in_transaction(&mut second, account, mailbox, Source::Rows(middle + 1, u64::from(u32::MAX))),
            );
            if let (Some(mut low), Some(mut high)) = (low?, high?)
                && low.modseq == high.modseq
            {
                low.records.append(&mut high.records);
                return Ok(low);
            }
        }
        let all = Source::Rows(1, u64::from(u32::MAX));
        in_transaction(&mut reader, account, mailbox, all).await?.ok_or(Error::NotFound("mailbox"))
    }

    /// E-mails by id, in any order; what does not exist is left out.
    pub async fn emails(&self, account: AccountId, ids: &[EmailId]) -> Result<Vec<StoredEmail>> {
        self.reader()
            .await?
            .query_many(
                "SELECT e.id, e.blob, e.size, e.thread, e.prefix, e.summary
                 FROM (VALUES {values}) AS v CROSS JOIN email e
                 WHERE e.account = v.column1 AND e.id BETWEEN v.column2 AND v.column3",
                ranges_of(account, ids),
                stored_email,
            )
            .await
    }

    /// [`Storage::emails`] with their blobs, but for those that are files: for a few small messages that
    /// are read as a whole.
    pub async fn whole_emails(
        &self,
        account: AccountId,
        ids: &[EmailId],
    ) -> Result<Vec<(StoredEmail, Option<Bytes>)>> {
        self.reader()
            .await?
            .query_many(
                "SELECT e.id, e.blob, e.size, e.thread, e.prefix, e.summary, b.size, b.encoding, b.place, b.data
                 FROM (VALUES {values}) AS v CROSS JOIN email e CROSS JOIN blob b
                 WHERE e.account = v.column1 AND e.id BETWEEN v.column2 AND v.column3 AND b.hash = e.blob",
                ranges_of(account, ids),
                |row| {
                    let email = stored_email(row)?;
                    let is_file = !row.text(8)?.is_empty();
                    let bytes = if is_file { None } else { Some(blobs::plain(row, 6, email.blob, usize::MAX)?) };
                    Ok((email, bytes))
                },
            )
            .await
    }

    /// When these messages came into the mailbox, in Unix seconds and any order; what does not exist
    /// is left out.
    pub async fn saved_at(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, i64)>> {
        let rows = uids.iter().map(|uid| values![account, mailbox, *uid]).collect();
        self.reader()
            .await?
            .query_many(
                "SELECT m.uid, m.saved_at FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
                 WHERE m.account = v.column1 AND m.mailbox = v.column2 AND m.uid = v.column3",
                rows,
                |row| Ok((row.int(0)? as u32, row.int(1)?)),
            )
            .await
    }

    /// Opens a blob for reading it in pieces.
    pub async fn open_blob(&self, blob: BlobId) -> Result<OpenBlob> {
        let wanted = HashMap::from([(blob, usize::MAX)]);
        let opened = blobs::open(&mut self.reader().await?, self.store(), &wanted).await?;
        opened.into_iter().next().map(|(_, content)| OpenBlob(content)).ok_or_else(|| missing(blob))
    }

    /// Bytes of a blob; fewer at its end.
    pub async fn read_blob(&self, blob: BlobId, offset: u64, length: usize) -> Result<Bytes> {
        self.open_blob(blob).await?.read(offset, length).await
    }

    /// The first so many bytes of each blob, in the order asked for, at once; fewer where a blob is
    /// shorter. Large ones come from their files one by one.
    pub async fn read_starts(&self, starts: &[(BlobId, usize)]) -> Result<Vec<Bytes>> {
        let mut wanted: HashMap<BlobId, usize> = HashMap::with_capacity(starts.len());
        for (blob, length) in starts {
            let most = wanted.entry(*blob).or_default();
            *most = (*most).max(*length);
        }
        let opened = blobs::open(&mut self.reader().await?, self.store(), &wanted).await?;
        let mut plain: HashMap<BlobId, Bytes> = HashMap::with_capacity(opened.len());
        for (id, content) in opened {
            let length = wanted.get(&id).copied().unwrap_or(0);
            plain.insert(id, content.read(0, length).await?);
        }
        let start = |(blob, length): &(BlobId, usize)| {
            let bytes = plain.get(blob).ok_or_else(|| missing(*blob))?;
            Ok(bytes.slice(..bytes.len().min(*length)))
        };
        starts.iter().map(start).collect()
    }
}

/// A row of values per run of ids: those of neighbours in a mailbox mostly follow each other.
pub(crate) fn ranges_of(account: AccountId, ids: &[EmailId]) -> Vec<Vec<Value>> {
    ranges(account, &ids.iter().map(|id| id.0 as u64).collect())
}

pub(crate) fn ranges(account: AccountId, ids: &IdSet) -> Vec<Vec<Value>> {
    ids.ranges().iter().map(|&(first, last)| values![account, first, last]).collect()
}

fn missing(blob: BlobId) -> Error {
    Error::damaged(format!("blob {} is missing; run twinhub check", blob.to_hex()))
}

/// Where an index is read from.
#[derive(Clone, Copy)]
enum Source {
    /// The packed copy; it may not be there.
    Copy,
    /// The rows of these UIDs.
    Rows(u64, u64),
}

async fn in_transaction(
    reader: &mut Connection,
    account: AccountId,
    mailbox: MailboxId,
    source: Source,
) -> Result<Option<MailboxIndex>> {
    reader.begin_read();
    let index = read_index(reader, account, mailbox, source).await;
    reader.commit().await?;
    index
}

async fn read_index(
    reader: &mut Connection,
    account: AccountId,
    mailbox: MailboxId,
    source: Source,
) -> Result<Option<MailboxIndex>> {
    let head = reader
        .first(
            "SELECT uid_validity, uid_next, modseq FROM mailbox
             WHERE account = $1 AND id = $2 AND selectable <> 0",
            values![account, mailbox],
            |row| {
                Ok(MailboxIndex {
                    uid_validity: row.int(0)? as u32,
                    uid_next: row.int(1)? as u32,
                    modseq: row.int(2)? as u64,
                    copied_at: 0,
                    records: Vec::new(),
                })
            },
        )
        .await?;
    let mut index = head.ok_or(Error::NotFound("mailbox"))?;
    match source {
        Source::Copy => {
            let Some((copied_at, records)) = packed::load(reader, account, mailbox, index.modseq).await?
            else {
                return Ok(None);
            };
            (index.copied_at, index.records) = (copied_at, records);
        }
        Source::Rows(first, last) => index.records = rows(reader, account, mailbox, first, last).await?,
    }
    Ok(Some(index))
}

/// Rows of ranges of UIDs.
pub(crate) const SELECT_RANGES: &str = "SELECT m.uid, m.size, m.flags, m.modseq, m.email, m.received_at
    FROM (VALUES {values}) AS v CROSS JOIN mailbox_message m
    WHERE m.account = v.column1 AND m.mailbox = v.column2 AND m.uid BETWEEN v.column3 AND v.column4";

/// Rows of a range of UIDs, ascending.
pub(crate) async fn rows(
    reader: &mut Connection,
    account: AccountId,
    mailbox: MailboxId,
    first: u64,
    last: u64,
) -> Result<Vec<Record>> {
    reader
        .query(
            "SELECT uid, size, flags, modseq, email, received_at FROM mailbox_message
             WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 ORDER BY uid",
            values![account, mailbox, first, last],
            record,
        )
        .await
}
