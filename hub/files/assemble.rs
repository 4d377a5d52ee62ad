//! One file from the parts that a client has sent (Nextcloud's chunked upload).

use crate::files::change::Work;
use crate::files::{Conditions, FileMetadata, FilePath, Files, Node, Placed, Upload};
use crate::{Error, Result};

/// Bytes read at a time.
const PIECE: usize = 128 << 10;
/// Parts of one file at most.
const PARTS: usize = 10_000;

/// Parts that were put together. Dropping it forgets the whole, and leaves the parts.
pub struct Assembly {
    upload: Upload,
    uploads: Files,
    parts: FilePath,
    /// They are the same twin's as the file: one commit can be about both.
    together: Option<Work>,
}

impl Files {
    /// Puts the files in the folder `parts` of `uploads` together, in the order of their names (numbers
    /// as numbers), to what is going to be the file at `path`. `look` sees all bytes in order. Errors as of
    /// [`Files::begin`]; `NotFound`; `Limit` for more than 10,000 parts.
    pub async fn assemble(
        &self,
        (uploads, parts): (&Self, &FilePath),
        path: &FilePath,
        conditions: Conditions,
        mut look: impl FnMut(&[u8]) + Send,
    ) -> Result<Assembly> {
        let folder = uploads.lookup(parts).await?;
        let together = (uploads.owner == self.owner).then(|| uploads.work());
        let freed = together.map_or(0, |_| folder.size);
        let mut upload = self.begin_with(path, Some(folder.size), conditions, freed).await?;
        for node in uploads.parts(&folder).await? {
            let file = uploads.open_node(node).await?;
            let mut offset = 0;
            while offset < file.node.size {
                let piece = file.read(offset, PIECE).await?;
                if piece.is_empty() {
                    return Err(Error::Unavailable(hub_storage::Error::Busy));
                }
                offset += piece.len() as u64;
                look(&piece);
                upload.write(&piece).await?;
            }
        }
        Ok(Assembly { upload, uploads: uploads.clone(), parts: parts.clone(), together })
    }

    async fn parts(&self, folder: &Node) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        let mut listing = self.list(folder);
        while let Some(page) = listing.next().await? {
            nodes.extend(page.into_iter().filter(|node| !node.is_folder()));
            if nodes.len() > PARTS {
                return Err(Error::Limit("parts of an upload"));
            }
        }
        nodes.sort_by_cached_key(|node| (node.name.parse::<u64>().unwrap_or(u64::MAX), node.name.clone()));
        Ok(nodes)
    }
}

impl Assembly {
    /// Bytes of all parts.
    pub fn len(&self) -> u64 {
        self.upload.len()
    }

    pub fn is_empty(&self) -> bool {
        self.upload.is_empty()
    }

    /// Puts the file in its place, and removes the parts. Errors as of [`Upload::finish`]; `NotFound` if
    /// somebody else has done it.
    pub async fn finish(self, metadata: FileMetadata) -> Result<Placed> {
        let Self { upload, uploads, parts, together } = self;
        if let Some(work) = together {
            return upload.finish_instead_of(Some((work, parts)), metadata).await;
        }
        let placed = upload.finish(metadata).await?;
        // Should this fail, they go with what was forgotten.
        if let Err(error) = uploads.delete(&parts, Conditions::default()).await {
            tracing::warn!(%error, "parts of an upload are left until tomorrow");
        }
        Ok(placed)
    }
}
