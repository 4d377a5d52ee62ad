//! Files: a tree of files and folders per twin, with its trash, earlier versions, dead properties,
//! locks, and what has changed in it.
//!
//! A change decides within one transaction: what is at the path, the conditions, the locks, the
//! quota. What it did is on disk when it returns `Ok`. Nothing ever reads a file into memory.
//!
//! Limits: a name has 255 bytes, a path [`FilePath::LEVELS`] names and [`FilePath::BYTES`] bytes, a twin
//! [`NODES`] files and folders. A file is as large as quota and disk allow.

mod assemble;
mod change;
mod changes;
mod conditions;
mod find;
mod lately;
mod links;
mod listed;
mod locks;
mod look;
mod node;
mod objects;
mod path;
mod properties;
mod read;
mod shares;
mod sharing;
pub(crate) mod trash;
mod tree;
mod upload;
mod versions;
mod walk;
mod watch;

use hub_storage::Storage;
pub use hub_storage::files::NodeId;
use hub_storage::files::NodeRow;

pub use assemble::Assembly;
pub use changes::{FileChange, FileChanges, SyncDepth};
pub use conditions::{Conditions, IfList, IfTerm, Precondition, StateOf};
pub use find::{FoundFiles, TextFinder};
pub(crate) use lately::Lately;
pub use links::{Link, LinkId, LinkRequest};
pub(crate) use listed::Listings;
pub use locks::{FileLock, LockRequest, LockScope, LockToken};
pub(crate) use node::Etags;
pub use node::{Node, NodeKind};
pub use objects::Located;
pub use path::FilePath;
pub use properties::{NodePatch, Property, PropertyName};
pub use read::OpenFile;
pub use shares::{Granted, Reached, SHARED, Shares};
use sharing::By;
pub use sharing::{Access, Grant};
pub use trash::Trashed;
pub use tree::{CopyDepth, Overwrite, Placed};
pub use upload::{FileMetadata, Upload};
pub use versions::{Version, VersionId};
pub use walk::{Listing, PAGE, Walk, Walked};
pub use watch::FileWatch;
pub(crate) use watch::FileWatches;

use crate::{Account, AccountId, Hub};

/// Files and folders of a twin at most.
pub const NODES: u64 = 5_000_000;

/// What is kept of files that were changed or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Earlier versions of each file.
    pub versions: usize,
    /// Days that an earlier version is kept.
    pub version_days: u32,
    /// Days that something stays in the trash; 0: what is deleted is gone.
    pub trash_days: u32,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self { versions: 20, version_days: 90, trash_days: 30 }
    }
}

/// The files of a twin, or the part of them that a grant or a link opens. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    hub: Hub,
    /// Whose they are, and whose quota counts.
    owner: AccountId,
    /// What the empty path names.
    top: NodeId,
    /// Who works on them: locks are held in this name.
    user: AccountId,
    /// What opened them, and what may be done with them.
    by: By,
    access: Access,
}

impl Account {
    /// The twin's files.
    pub fn files(&self) -> Files {
        self.files_below(NodeId::FILES)
    }

    /// Where uploads in pieces are gathered: a tree of its own that nobody lists, and in which nothing is
    /// kept for longer than a day. See [`Files::assemble`].
    pub fn uploads(&self) -> Files {
        self.files_below(NodeId::UPLOADS)
    }

    fn files_below(&self, top: NodeId) -> Files {
        let (by, access) = (By::Owner, Access::Share);
        Files { hub: self.hub.clone(), owner: self.id, top, user: self.id, by, access }
    }
}

impl Files {
    fn storage(&self) -> &Storage {
        &self.hub.0.storage
    }

    fn node(&self, row: NodeRow) -> Node {
        self.hub.0.etags.node(self.owner, row)
    }
}
