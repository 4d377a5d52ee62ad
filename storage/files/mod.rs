//! Files: the rows of a tree of nodes per account, with its trash, versions, dead properties, locks
//! and the names that have gone.
//!
//! A folder's row counts what is in it (bytes, nodes, last modseq), so that a change costs its
//! ancestors a statement, and nothing ever has to add up a tree.

mod change;
mod changes;
mod copy;
mod locks;
mod properties;
mod read;
mod reclaim;
mod sharing;
mod texts;
mod trash;
mod versions;

pub(crate) use change::add_tops;
pub use change::{Content, NewNode, Place, create, move_to, remove, replace};
pub use changes::{ChangedNode, ChangedNodes};
pub use copy::{CopyDepth, copy};
pub use locks::{LockRow, lock, refresh_lock, unlock};
pub use properties::{PropertyCount, PropertyRow, Times, patch};
pub use read::{height, resolve};
pub(crate) use reclaim::{remove_all_of, trim};
pub use sharing::{
    GrantRow, LinkRow, NewLink, access, add_link, ancestors, grant, has_link, remove_link, revoke,
};
pub use texts::{KnownText, TextForm};
pub use trash::{TrashRow, purge, restore, trash, trashed};
pub use versions::{VersionRow, inherit, version};

use crate::db::Row;
use crate::{BlobId, Error, Modseq, Result};

/// A file or folder within its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub i64);

impl NodeId {
    /// The top of a twin's files. Every account has this node and the next three from the start.
    pub const FILES: Self = Self(2);
    /// The top of what is in the trash.
    pub const TRASH: Self = Self(3);
    /// The top of uploads in pieces.
    pub const UPLOADS: Self = Self(4);
    /// The top of what is being removed, a slice at a time.
    pub const REMOVED: Self = Self(5);
}

/// A node as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    pub id: NodeId,
    pub parent: NodeId,
    /// The name in NFC: what it is found by.
    pub key: String,
    /// The name as it was written.
    pub name: String,
    pub is_folder: bool,
    /// `None` for a folder or an empty file.
    pub blob: Option<BlobId>,
    /// Bytes; of a folder, of all files below.
    pub size: u64,
    /// The node and all nodes below.
    pub nodes: u64,
    pub content_type: String,
    pub checksum: String,
    pub created_at: i64,
    pub modified_at: i64,
    /// When it was changed itself.
    pub changed: Modseq,
    /// When it got its name and parent.
    pub placed: Modseq,
    /// When it or anything below was changed.
    pub tree: Modseq,
    /// Bytes of its dead properties.
    pub properties: u64,
}

/// The columns of a node `f`, for [`node_row`].
macro_rules! node_columns {
    () => {
        "f.id, f.parent, f.key, f.name, f.folder, f.blob, f.size, f.nodes, f.content_type, f.checksum,
         f.created_at, f.modified_at, f.changed, f.placed, f.tree, f.properties"
    };
}
pub(crate) use node_columns;

/// Reads [`node_columns`] from column `at` on.
fn node_row(row: Row<'_>, at: usize) -> Result<NodeRow> {
    Ok(NodeRow {
        id: NodeId(row.int(at)?),
        parent: NodeId(row.int(at + 1)?),
        key: row.text(at + 2)?,
        name: row.text(at + 3)?,
        is_folder: row.int(at + 4)? != 0,
        blob: blob(row, at + 5)?,
        size: row.int(at + 6)? as u64,
        nodes: row.int(at + 7)? as u64,
        content_type: row.text(at + 8)?,
        checksum: row.text(at + 9)?,
        created_at: row.int(at + 10)?,
        modified_at: row.int(at + 11)?,
        changed: row.int(at + 12)? as u64,
        placed: row.int(at + 13)? as u64,
        tree: row.int(at + 14)? as u64,
        properties: row.int(at + 15)? as u64,
    })
}

/// A content's id; no bytes stand for no content.
fn blob(row: Row<'_>, column: usize) -> Result<Option<BlobId>> {
    let bytes = row.slice(column)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let id = BlobId::from_slice(bytes);
    id.map(Some).ok_or_else(|| Error::damaged("a file's blob id does not have 32 bytes"))
}

fn blob_value(blob: Option<BlobId>) -> Vec<u8> {
    blob.map_or_else(Vec::new, |id| id.0.to_vec())
}
