//! Looking up and reading.

use bytes::Bytes;
use hub_storage::{BlobId, OpenBlob};

use crate::files::{FilePath, Files, Node};
use crate::{Error, Result};

/// Contents of up to so many bytes are kept in memory for a while.
const SMALL: u64 = 64 << 10;

impl Files {
    /// The file or folder at a path. `NotFound`.
    pub async fn lookup(&self, path: &FilePath) -> Result<Node> {
        self.may_read()?;
        let mut chain = self.storage().file_path(self.owner, self.top, path.keys()).await?;
        let node = chain.pop().filter(|_| chain.len() == path.keys().len());
        node.map(|row| self.node(row)).ok_or(Error::NotFound("file or folder"))
    }

    /// Opens a file for reading. `NotFound`, `Invalid` for a folder.
    pub async fn open(&self, path: &FilePath) -> Result<OpenFile> {
        self.may_read()?;
        let ticket = match self.recall(path) {
            Ok(node) => return self.open_node(node).await,
            Err(ticket) => ticket,
        };
        let (mut chain, content) =
            self.storage().file_with_content(self.owner, self.top, path.keys()).await?;
        let row = chain.pop().filter(|_| chain.len() == path.keys().len());
        let node = self.node(row.ok_or(Error::NotFound("file or folder"))?);
        if node.is_folder() {
            return Err(a_folder());
        }
        self.remember(ticket, path, &node);
        match (node.blob, content) {
            (None, _) => Ok(OpenFile { node, content: Content::Known(Bytes::new()) }),
            (Some(blob), Some(content)) => self.opened(node, blob, content).await,
            // The blob has no row: that is said as of any other.
            (Some(_), None) => self.open_node(node).await,
        }
    }

    /// Content that fits is kept for whoever asks for it next.
    async fn opened(&self, node: Node, blob: BlobId, content: OpenBlob) -> Result<OpenFile> {
        if node.size > SMALL {
            return Ok(OpenFile { node, content: Content::Kept(content) });
        }
        let bytes = content.read(0, SMALL as usize).await?;
        self.hub.0.recent.keep_start(blob, &bytes);
        Ok(OpenFile { node, content: Content::Known(bytes) })
    }

    /// Opens a file that was looked up. `Invalid` for a folder.
    pub async fn open_node(&self, node: Node) -> Result<OpenFile> {
        self.may_read()?;
        if node.is_folder() {
            return Err(a_folder());
        }
        let Some(blob) = node.blob else {
            return Ok(OpenFile { node, content: Content::Known(Bytes::new()) });
        };
        let size = usize::try_from(node.size).unwrap_or(usize::MAX);
        match self.hub.0.recent.start_of(blob, size) {
            Some(bytes) => Ok(OpenFile { node, content: Content::Known(bytes) }),
            None => {
                let content = self.storage().open_blob(blob).await?;
                self.opened(node, blob, content).await
            }
        }
    }

    /// Bytes in use, mail included, and the limit in bytes (`None`: no limit).
    pub async fn quota(&self) -> Result<(u64, Option<u64>)> {
        let row = self.storage().account(self.owner).await?.ok_or(Error::NotFound("account"))?;
        Ok((row.bytes, (row.quota > 0).then_some(row.quota)))
    }
}

fn a_folder() -> Error {
    Error::Invalid("a folder has no content".to_owned())
}

/// A file opened for reading. It goes on to be readable for half an hour after it was replaced or
/// removed.
pub struct OpenFile {
    pub node: Node,
    content: Content,
}

enum Content {
    Kept(OpenBlob),
    Known(Bytes),
}

impl OpenFile {
    pub(super) fn new(node: Node, content: Option<OpenBlob>) -> Self {
        let content = content.map_or(Content::Known(Bytes::new()), Content::Kept);
        Self { node, content }
    }

    /// At most `length` bytes from `offset` on; fewer at the end. 128 KiB are a good length.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        match &self.content {
            Content::Kept(content) => Ok(content.read(offset, length).await?),
            Content::Known(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(start..start.saturating_add(length).min(bytes.len())))
            }
        }
    }
}
