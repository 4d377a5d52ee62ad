//! Arriving bytes: in memory while small, then in a file, hashed on the way.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::blobs::{BlobStore, INLINE, Staged, StagedBlob};
use crate::{BlobId, Error, Result, zip};

/// Bytes kept in memory before the spool goes to a file. Most mail is smaller.
const IN_MEMORY: usize = 128 * 1024;

/// Bytes that arrive and are not yet anybody's. Dropping it forgets them.
pub struct Spool {
    store: Arc<BlobStore>,
    hasher: Box<blake3::Hasher>,
    length: u64,
    memory: Vec<u8>,
    file: Option<SpoolFile>,
}

struct SpoolFile {
    /// `None` only while a write is under way on another thread.
    file: Option<File>,
    path: TemporaryPath,
}

/// Removes the file when dropped, unless it was renamed away before.
pub(crate) struct TemporaryPath(pub(crate) PathBuf);

impl Drop for TemporaryPath {
    fn drop(&mut self) {
        // Not found after a rename; anything else is swept away at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Spool {
    pub(crate) fn new(store: Arc<BlobStore>) -> Self {
        let hasher = Box::new(blake3::Hasher::new_keyed(&store.key));
        Self { store, hasher, length: 0, memory: Vec::new(), file: None }
    }

    /// Bytes written so far. Limits are the caller's to check.
    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds bytes. Fails (temporarily) if the disk is full.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.hasher.update(chunk);
        self.length += chunk.len() as u64;
        self.memory.extend_from_slice(chunk);
        if self.memory.len() > IN_MEMORY {
            self.spill().await?;
        }
        Ok(())
    }

    /// Moves what is in memory to the file.
    async fn spill(&mut self) -> Result<()> {
        if self.file.is_none() {
            let path = self.store.new_spool_path()?;
            let file = File::create_new(&path)
                .map_err(Error::io(format!("cannot create the spool file {}", path.display())))?;
            self.file = Some(SpoolFile { file: Some(file), path: TemporaryPath(path) });
        }
        let Some(spool) = &mut self.file else { return Err(Error::Busy) };
        let Some(mut file) = spool.file.take() else { return Err(Error::Busy) };
        let mut bytes = std::mem::take(&mut self.memory);
        let (file, bytes) = tokio::task::spawn_blocking(move || {
            file.write_all(&bytes)?;
            bytes.clear();
            Ok((file, bytes))
        })
        .await
        .map_err(|_| Error::Busy)?
        .map_err(Error::io(format!("cannot write the spool file {}", spool.path.0.display())))?;
        spool.file = Some(file);
        self.memory = bytes;
        Ok(())
    }

    /// Ends the spool: a small body is compressed, a large one is durable in its own file
    /// afterwards. Neither is referred to by anything yet.
    pub async fn finish(mut self) -> Result<StagedBlob> {
        let id = BlobId(*self.hasher.finalize().as_bytes());
        if self.file.is_none() {
            let compressed = zip::pack(&self.memory).map_err(Error::io("cannot compress a message"))?;
            let (encoding, data) = if compressed.len() < self.memory.len() {
                (crate::blobs::Encoding::Zstd, compressed)
            } else {
                (crate::blobs::Encoding::Plain, self.memory.clone())
            };
            if data.len() <= INLINE {
                // It may be kept for long: without what the buffer had grown beyond it.
                let plain = bytes::Bytes::from(self.memory.into_boxed_slice());
                return Ok(StagedBlob {
                    id,
                    size: self.length,
                    staged: Staged::Inline { encoding, data, plain },
                });
            }
        }
        self.spill().await?;
        let Some(SpoolFile { file: Some(file), path }) = self.file else { return Err(Error::Busy) };
        let store = Arc::clone(&self.store);
        let (place, kept) = tokio::task::spawn_blocking(move || store.keep_file(id, &file, path))
            .await
            .map_err(|_| Error::Busy)??;
        Ok(StagedBlob { id, size: self.length, staged: Staged::File { place, path: Arc::new(kept) } })
    }
}
