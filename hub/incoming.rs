//! A message that has arrived: spooled, examined, not yet kept.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hub_mime::{Scanner, Summary};
use hub_storage::{NewEmail, StagedBlob};

use crate::{AccountId, Error, Flags, Hub, MailboxId, Result, Spool};

/// A message whose bytes have arrived completely, examined but not yet kept.
/// Dropping it forgets it.
#[derive(Clone)]
pub struct Incoming {
    pub(crate) blob: Arc<StagedBlob>,
    pub summary: Arc<Summary>,
    encoded: Arc<[u8]>,
    thread_keys: Arc<[i64]>,
}

/// Large bodies are scanned in pieces of this many bytes.
const PIECE: usize = 256 * 1024;

impl Incoming {
    /// The header as it came, with the empty line that ends it.
    pub fn header(&self) -> Result<Bytes> {
        let length = usize::try_from(self.summary.header_length).unwrap_or(usize::MAX);
        Ok(self.blob.read_at(0, length)?)
    }

    /// The rest, in pieces. Reading may wait for the disk.
    pub fn body(&self) -> impl Iterator<Item = io::Result<Bytes>> + Send + 'static {
        let blob = Arc::clone(&self.blob);
        let mut offset = self.summary.header_length;
        std::iter::from_fn(move || {
            if offset >= blob.size() {
                return None;
            }
            let piece = blob.read_at(offset, PIECE).map_err(io::Error::other);
            offset += piece.as_ref().map_or(blob.size(), |piece| piece.len().max(1) as u64);
            Some(piece)
        })
    }

    /// The row of this message in one mailbox.
    pub(crate) fn into_email(
        self,
        (account, mailbox): (AccountId, MailboxId),
        prefix: Vec<u8>,
        flags: Flags,
        received_at: i64,
    ) -> NewEmail {
        NewEmail {
            account,
            mailbox,
            blob: self.blob,
            prefix,
            summary: self.encoded,
            sent_at: self.summary.sent_at.unwrap_or(0),
            thread_keys: self.thread_keys.to_vec(),
            flags,
            received_at,
        }
    }
}

fn scan(blob: &StagedBlob) -> Result<Summary> {
    let mut scanner = Scanner::new();
    if let Some(bytes) = blob.in_memory() {
        scanner.feed(bytes);
    } else {
        let mut offset = 0;
        while offset < blob.size() {
            let piece = blob.read_at(offset, PIECE)?;
            scanner.feed(&piece);
            offset += piece.len().max(1) as u64;
        }
    }
    Ok(scanner.finish())
}

/// RFC 8621 §3: messages of a thread share a message id in Message-ID, In-Reply-To or References,
/// and the base subject.
fn thread_keys(summary: &Summary) -> Vec<i64> {
    let subject = crate::thread::base_subject(&summary.subject);
    let ids = std::iter::once(&summary.message_id).chain(summary.references.iter().rev().take(20));
    let mut keys = Vec::new();
    for id in ids.filter(|id| !id.is_empty()) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(id.as_bytes()).update(&[0]).update(subject.as_bytes());
        let hash = hasher.finalize();
        let (head, _) = hash.as_bytes().split_first_chunk::<8>().expect("a hash has 32 bytes");
        let key = i64::from_be_bytes(*head);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

impl Hub {
    /// A place for arriving bytes: in memory while small, then in a file. Nothing is visible until
    /// it is delivered, appended or submitted.
    pub fn spool(&self) -> Spool {
        self.0.storage.spool()
    }

    /// Ends the spool and summarises the message; a large body is durable in its file afterwards.
    pub async fn examine(&self, spool: Spool) -> Result<Incoming> {
        let blob = Arc::new(spool.finish().await?);
        let summary = if let Some(bytes) = blob.in_memory() {
            self.0.recent.keep_arrived(blob.id(), bytes);
            scan(&blob)?
        } else {
            let blob = Arc::clone(&blob);
            tokio::task::spawn_blocking(move || scan(&blob))
                .await
                .map_err(|_| Error::Unavailable(hub_storage::Error::Busy))??
        };
        let encoded = summary.encode().into();
        let thread_keys = thread_keys(&summary).into();
        Ok(Incoming { blob, summary: Arc::new(summary), encoded, thread_keys })
    }
}
