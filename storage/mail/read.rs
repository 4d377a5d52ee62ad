//! Reading mailboxes and messages.

use bytes::Bytes;

use crate::blobs::{self, Content};
use crate::db::{Row, values};
use crate::mail::Record;
use crate::{AccountId, BlobId, EmailId, Error, Flags, MailboxId, Modseq, Result, Storage, Uid, UidValidity};

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

/// The whole of a mailbox as of one commit.
pub struct MailboxIndex {
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub modseq: Modseq,
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

/// Below this many messages one scan is as quick as several.
const SPLIT_ABOVE: u64 = 8_000;

impl Storage {
    /// Reads a mailbox's index. A large one is read by two connections at once, each a part of the
    /// UIDs, and read again should a commit fall between the two.
    pub async fn mailbox_index(&self, account: AccountId, mailbox: MailboxId) -> Result<MailboxIndex> {
        let mut reader = self.reader().await?;
        let Some((total, uid_next)) = reader
            .first(
                "SELECT total, uid_next FROM mailbox WHERE account = $1 AND id = $2",
                values![account, mailbox],
                |row| Ok((row.int(0)? as u64, row.int(1)? as u64)),
            )
            .await?
        else {
            return Err(Error::NotFound("mailbox"));
        };
        if total > SPLIT_ABOVE {
            let mut second = self.reader().await?;
            let middle = uid_next / 2;
            let (low, high) = tokio::join!(
                scan(&mut reader, account, mailbox, 1, middle),
                scan(&mut second, account, mailbox, middle + 1, u64::from(u32::MAX)),
            );
            let (mut low, mut high) = (low?, high?);
            if low.modseq == high.modseq {
                low.records.append(&mut high.records);
                return Ok(low);
            }
        }
        scan(&mut reader, account, mailbox, 1, u64::from(u32::MAX)).await
    }

    /// E-mails by id, in any order; what does not exist is left out.
    pub async fn emails(&self, account: AccountId, ids: &[EmailId]) -> Result<Vec<StoredEmail>> {
        let rows = ids.iter().map(|id| values![account, *id]).collect();
        self.reader()
            .await?
            .query_many(
                "SELECT e.id, e.blob, e.size, e.thread, e.prefix, e.summary
                 FROM (VALUES {values}) AS v CROSS JOIN email e
                 WHERE e.account = v.column1 AND e.id = v.column2",
                rows,
                |row| {
                    Ok(StoredEmail {
                        id: EmailId(row.int(0)?),
                        blob: row.blob_id(1)?,
                        blob_size: row.int(2)? as u64,
                        thread: row.int(3)?,
                        prefix: row.bytes(4)?.into(),
                        summary: row.bytes(5)?.into(),
                    })
                },
            )
            .await
    }

    /// Bytes of a blob; fewer at its end.
    pub async fn read_blob(&self, blob: BlobId, offset: u64, length: usize) -> Result<Bytes> {
        let opened = blobs::open(&mut self.reader().await?, self.store(), &[blob]).await?;
        let Some((_, content)) = opened.into_iter().next() else {
            return Err(Error::damaged(format!("blob {} is missing; run twinhub check", blob.to_hex())));
        };
        content.read(offset, length).await
    }

    /// Whole blobs at once, in the order asked for. Large ones come from their files one by one.
    pub async fn read_blobs(&self, ids: &[BlobId]) -> Result<Vec<Bytes>> {
        let mut distinct = ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let opened = blobs::open(&mut self.reader().await?, self.store(), &distinct).await?;
        let mut plain: std::collections::HashMap<BlobId, Bytes> = std::collections::HashMap::new();
        for (id, content) in opened {
            let bytes = match content {
                Content::Plain(bytes) => bytes,
                file @ Content::File(_) => file.read(0, usize::MAX).await?,
            };
            plain.insert(id, bytes);
        }
        ids.iter()
            .map(|id| {
                plain.get(id).cloned().ok_or_else(|| {
                    Error::damaged(format!("blob {} is missing; run twinhub check", id.to_hex()))
                })
            })
            .collect()
    }
}

async fn scan(
    reader: &mut crate::db::Connection,
    account: AccountId,
    mailbox: MailboxId,
    first: u64,
    last: u64,
) -> Result<MailboxIndex> {
    reader.begin_read().await?;
    let index = scan_within(reader, account, mailbox, first, last).await;
    reader.commit().await?;
    index
}

async fn scan_within(
    reader: &mut crate::db::Connection,
    account: AccountId,
    mailbox: MailboxId,
    first: u64,
    last: u64,
) -> Result<MailboxIndex> {
    let head = reader
        .first(
            "SELECT uid_validity, uid_next, modseq FROM mailbox
             WHERE account = $1 AND id = $2 AND selectable <> 0",
            values![account, mailbox],
            |row| Ok((row.int(0)? as u32, row.int(1)? as u32, row.int(2)? as u64)),
        )
        .await?;
    let Some((uid_validity, uid_next, modseq)) = head else {
        return Err(Error::NotFound("mailbox"));
    };
    let records = reader
        .query(
            "SELECT uid, size, flags, modseq, email, received_at FROM mailbox_message
             WHERE account = $1 AND mailbox = $2 AND uid BETWEEN $3 AND $4 ORDER BY uid",
            values![account, mailbox, first, last],
            record,
        )
        .await?;
    Ok(MailboxIndex { uid_validity, uid_next, modseq, records })
}
