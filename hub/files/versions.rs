//! Earlier contents of files.

use hub_storage::files;

use crate::Result;
use crate::files::upload::FileMetadata;
use crate::files::{Conditions, FilePath, Files, Node, OpenFile};
use hub_storage::Error as Refusal;

/// Names a version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub i64);

/// What a file was before.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: VersionId,
    pub size: u64,
    pub content_type: String,
    pub etag: String,
    /// When it was written, and when it was replaced; Unix seconds.
    pub modified_at: i64,
    pub replaced_at: i64,
}

impl Files {
    /// Earlier contents of a file, the newest first. `NotFound`.
    pub async fn versions(&self, path: &FilePath) -> Result<Vec<Version>> {
        let node = self.lookup(path).await?;
        let mut rows = self.storage().file_versions(self.owner, node.id).await?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        let version = |row: files::VersionRow| Version {
            id: VersionId(row.id),
            size: row.size,
            etag: self.hub.0.etags.of_content(self.owner, row.blob),
            content_type: row.content_type,
            modified_at: row.modified_at,
            replaced_at: row.replaced_at,
        };
        Ok(rows.into_iter().map(version).collect())
    }

    /// Opens an earlier content for reading. `NotFound`.
    pub async fn open_version(&self, path: &FilePath, version: VersionId) -> Result<OpenFile> {
        let node = self.lookup(path).await?;
        let rows = self.storage().file_versions(self.owner, node.id).await?;
        let row = rows.into_iter().find(|row| row.id == version.0);
        let row = row.ok_or(crate::Error::NotFound("version"))?;
        let content = match row.blob {
            Some(blob) => Some(self.storage().open_blob(blob).await?),
            None => None,
        };
        let node = Node {
            size: row.size,
            etag: self.hub.0.etags.of_content(self.owner, row.blob),
            content_type: row.content_type,
            checksum: row.checksum,
            modified_at: row.modified_at,
            blob: row.blob,
            ..node
        };
        Ok(OpenFile::new(node, content))
    }

    /// Makes an earlier content the present one; the present one becomes a version. `NotFound`, `Stale`,
    /// `Locked`, `OverQuota`.
    pub async fn restore_version(
        &self,
        path: &FilePath,
        version: VersionId,
        conditions: Conditions,
    ) -> Result<Node> {
        let (work, path) = (self.work(), path.clone());
        let row = self
            .transact(move |tx| {
                Box::pin(async move {
                    let found = work.find(tx, &path).await?;
                    work.check(tx, &found, &conditions).await?;
                    let node = found.existing()?;
                    if node.is_folder {
                        return Err(Refusal::NotFound("version"));
                    }
                    work.may_change(&found, &conditions)?;
                    let version = files::version(tx, work.account, node.id, version.0).await?;
                    let metadata = FileMetadata {
                        content_type: version.content_type.clone(),
                        checksum: version.checksum.clone(),
                        ..FileMetadata::default()
                    };
                    Ok(work.put(tx, &found, version.content(), metadata).await?.0)
                })
            })
            .await?;
        Ok(self.node(row))
    }
}
