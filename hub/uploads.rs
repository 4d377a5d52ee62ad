//! What a client brings before it says what it is for (RFC 8620 §6.1).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hub_storage::{OpenBlob, uploads};

use crate::{Account, Error, Result, Spool};

/// Uploads of an account that wait for their use, and their bytes; the oldest go first.
const MOST: (usize, u64) = (1_000, 1 << 30);

/// An upload that was looked up for reading it.
pub struct OpenUpload {
    size: u64,
    body: OpenBlob,
}

impl OpenUpload {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of it; the range is cut to its length.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let end = range.end.min(self.size);
        let start = range.start.min(end);
        let length =
            usize::try_from(end - start).map_err(|_| Error::TooLarge { limit: usize::MAX as u64 })?;
        Ok(self.body.read(start, length).await?)
    }
}

impl Account {
    /// Keeps what has arrived for a day; returns its number and its size in bytes.
    pub async fn keep_upload(&self, spool: Spool) -> Result<(i64, u64)> {
        let blob = Arc::new(spool.finish().await?);
        let size = blob.size();
        let account = self.id;
        let bytes = blob.in_memory().map_or(0, Bytes::len);
        let id = self
            .hub
            .0
            .storage
            .transact_writing(account, bytes, move |tx| {
                Box::pin(async move { uploads::put(tx, account, &blob, MOST).await })
            })
            .await?;
        Ok((id, size))
    }

    pub async fn upload(&self, id: i64) -> Result<OpenUpload> {
        let found = self.hub.0.storage.upload(self.id, id).await?;
        let (row, body) = found.ok_or(Error::NotFound("upload"))?;
        Ok(OpenUpload { size: row.size, body })
    }
}
