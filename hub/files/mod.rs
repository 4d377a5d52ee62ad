//! Files: a tree of folders and files per twin, its trash, versions, locks, dead properties and
//! what has changed in it.
//!
//! Every operation takes a [`FilePath`] and decides within one transaction: the path, the
//! preconditions, the locks, the quota. What it did is on disk when it returns `Ok`.
//!
//! Limits: a name has 255 bytes, a path [`FilePath::LEVELS`] names and [`FilePath::BYTES`] bytes, an
//! account [`NODES`] files and folders. A file is as large as quota and disk allow.

mod changes;
mod conditions;
mod locks;
mod node;
mod path;
mod properties;
mod read;
mod trash;
mod tree;
mod upload;
mod versions;

use hub_storage::AccountId;

pub use changes::{FileChange, FileChanges, SyncState};
pub use conditions::{Conditions, IfList, IfTerm, Precondition, StateOf};
pub use locks::{FileLock, LockRequest, LockScope, LockToken};
pub use node::{Node, NodeKind};
pub use hub_storage::files::NodeId;
pub use path::FilePath;
pub use properties::{NodePatch, PropertyName};
pub use read::{Listing, OpenFile, Walk, Walked};
pub use trash::{Trashed, TrashedId};
pub use tree::{CopyDepth, Overwrite, Placed};
pub use upload::{FileMetadata, Upload};
pub use versions::{Version, VersionId};

use crate::{Account, Error, Hub, Result};

/// Files and folders of an account, its trash included.
pub const NODES: u64 = 5_000_000;

/// A twin's files, or the part of them that a grant or a link opens. Cheap to clone.
///
/// Errors of every method: `NotFound` (the file or folder itself), `Conflict` (a folder on the way
/// to it does not exist, or is a file), `Forbidden`, `Unavailable`. Others are told with the method.
#[derive(Clone)]
pub struct Files {
    pub(crate) hub: Hub,
    /// Whose they are; their quota counts.
    pub(crate) owner: AccountId,
    /// What the empty path names.
    pub(crate) top: NodeId,
    /// Who works on them: locks are held in this name.
    pub(crate) user: AccountId,
}

impl Account {
    /// The twin's files.
    pub fn files(&self) -> Files;

    /// Where uploads in pieces are gathered: a tree of its own that no file program sees, emptied of
    /// what is older than a day. See [`Files::assemble`].
    pub fn uploads(&self) -> Files;
}

impl Files {
    /// One node by its path. `NotFound`; also if a folder on the way does not exist.
    pub async fn lookup(&self, path: &FilePath) -> Result<Node>;

    // ---- read.rs

    /// What lies in a folder, in the order of names, a page at a time. Nothing is held between two
    /// pages: what changes meanwhile is seen or not. (For a file: an empty listing.)
    pub fn list(&self, folder: &Node) -> Listing;

    /// Everything below a folder, in no particular order but parents before what is in them, a page
    /// at a time, in memory that does not grow with the tree.
    pub fn walk(&self, folder: &Node) -> Walk;

    /// Opens a file for reading. `Invalid` for a folder.
    pub async fn open(&self, path: &FilePath) -> Result<OpenFile>;

    // ---- upload.rs

    /// Begins to write the file at `path`: refuses at once what would be refused at the end
    /// (`Conflict`, `Stale`, `Locked`, `OverQuota` if `expected` bytes do not fit, `Exists` if a
    /// folder is there), so that nobody sends gigabytes in vain. Nothing is visible before
    /// [`Upload::finish`].
    pub async fn begin(&self, path: &FilePath, expected: Option<u64>, conditions: Conditions) -> Result<Upload>;

    /// Puts the files in folder `parts` (of [`Account::uploads`]), in the order of their names,
    /// together to the file at `path`, and removes the folder. Names that are numbers are ordered as numbers.
    pub async fn assemble(
        &self,
        parts: &FilePath,
        path: &FilePath,
        metadata: FileMetadata,
        conditions: Conditions,
    ) -> Result<Placed>;

    // ---- tree.rs

    /// Makes a folder, with these dead properties (RFC 5689 §3). `Exists` if anything is there,
    /// `Conflict` if its parent is not, `Locked`, `Stale`, `Limit`, `OverQuota`.
    pub async fn make_folder(
        &self,
        path: &FilePath,
        properties: Vec<(PropertyName, String)>,
        conditions: Conditions,
    ) -> Result<Node>;

    /// RFC 4918 §9.8. Copies no bytes. What is at the destination goes to the trash first, if it may
    /// (else `Exists`). `Forbidden` onto or into itself, `Limit` for more than 100,000 nodes.
    pub async fn copy(
        &self,
        from: &FilePath,
        to: &FilePath,
        depth: CopyDepth,
        overwrite: Overwrite,
        conditions: Conditions,
    ) -> Result<Placed>;

    /// RFC 4918 §9.9. One row, whatever is in it; the node keeps its id, its locks do not move.
    pub async fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        overwrite: Overwrite,
        conditions: Conditions,
    ) -> Result<Placed>;

    /// Puts a file or a whole folder into the trash, where it stays for `trash_days`. `Locked` if
    /// anything in it is locked by a lock that was not submitted.
    pub async fn delete(&self, path: &FilePath, conditions: Conditions) -> Result<()>;

    // ---- trash.rs

    /// What is in the trash, newest first, at most 1,000.
    pub async fn trash(&self) -> Result<Vec<Trashed>>;
    /// Puts it back, to where it was or to `to`; makes the folders that are no longer there.
    /// `Exists` if there is something else by now.
    pub async fn restore(&self, id: TrashedId, to: Option<&FilePath>) -> Result<Node>;
    /// Removes it for good.
    pub async fn purge(&self, id: TrashedId) -> Result<()>;
    pub async fn empty_trash(&self) -> Result<()>;

    // ---- versions.rs

    /// Earlier contents of a file, newest first.
    pub async fn versions(&self, path: &FilePath) -> Result<Vec<Version>>;
    pub async fn open_version(&self, path: &FilePath, version: VersionId) -> Result<OpenFile>;
    /// Makes an earlier content the present one; the present one becomes a version.
    pub async fn restore_version(&self, path: &FilePath, version: VersionId, conditions: Conditions) -> Result<Node>;

    // ---- properties.rs

    /// Dead properties of these nodes, in one statement per 64; nodes without any are left out.
    pub async fn properties(&self, nodes: &[NodeId]) -> Result<HashMap<NodeId, Vec<(PropertyName, String)>>>;

    /// Changes dead properties and the times of a node, all or nothing (RFC 4918 §9.2). `Limit` if
    /// there would be more than 100 properties, or 64 KiB of them.
    pub async fn patch(&self, path: &FilePath, patch: NodePatch, conditions: Conditions) -> Result<Node>;

    // ---- locks.rs

    /// RFC 4918 §9.10. A lock on a name where nothing is makes an empty file there (§7.3; `created`).
    /// `Locked` if a lock in the way excludes it; `Limit` for more than 500 locks of an account.
    pub async fn lock(&self, path: &FilePath, request: LockRequest, conditions: Conditions) -> Result<(FileLock, Placed)>;
    /// RFC 4918 §9.10.2: the lock's time starts anew. `Stale` unless it covers `path`.
    pub async fn refresh_lock(&self, path: &FilePath, token: &LockToken, timeout_seconds: u32) -> Result<FileLock>;
    /// RFC 4918 §9.11. `Conflict` unless the lock covers `path`; `Forbidden` if it is somebody else's.
    pub async fn unlock(&self, path: &FilePath, token: &LockToken) -> Result<()>;
    /// All locks of the account that have not expired: at most 500. [`FileLock::covers`] tells which
    /// concern a node.
    pub async fn locks(&self) -> Result<Vec<FileLock>>;

    // ---- changes.rs

    /// The state of the files as of now, for a sync-token (RFC 6578).
    pub async fn state(&self) -> Result<SyncState>;
    /// What has changed below a folder since `since` (`None`: everything that is there, nothing
    /// that has gone), at most `limit` (10,000) at a time in the order of change.
    /// `Stale` if the state is too old, or not one of this account's.
    pub async fn changes(&self, folder: &FilePath, since: Option<SyncState>, depth: SyncDepth, limit: usize) -> Result<FileChanges>;

    /// Bytes in use and the limit in bytes (`None`: no limit); mail counts as well.
    pub async fn quota(&self) -> Result<(u64, Option<u64>)>;
}
