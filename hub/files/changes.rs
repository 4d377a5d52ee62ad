//! What has changed below a folder (RFC 6578), and being told that something has.

use crate::files::{FilePath, Files, Node};
use crate::{Error, Result, SyncState};

/// Changes of a page.
const PAGE: usize = 10_000;

/// How far below the folder changes are looked for (RFC 6578 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncDepth {
    Infinity,
    One,
}

/// Something that has changed, or gone.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// From the folder that was asked about: `a/b/c`.
    pub path: String,
    /// `None` if nothing is there any more.
    pub node: Option<Node>,
}

/// A page of changes.
#[derive(Clone, Debug)]
pub struct FileChanges {
    pub changes: Vec<FileChange>,
    /// What is known with these changes: what to ask with next.
    pub state: SyncState,
    /// There are more to come.
    pub has_more: bool,
}

impl Node {
    /// The state of a folder with all that is below it: its sync-token.
    pub fn state(&self) -> SyncState {
        SyncState::all(self.modseq)
    }
}

impl Files {
    /// What has changed below a folder since `since`, at most `limit` at a time (and 10,000), in the
    /// order of change. Without `since`: all that is there, and nothing that has gone. `NotFound`;
    /// `Stale` if it is too long ago, or was never so.
    pub async fn changes(
        &self,
        folder: &FilePath,
        since: Option<SyncState>,
        depth: SyncDepth,
        limit: usize,
    ) -> Result<FileChanges> {
        self.may_read()?;
        let (since, is_deep) = (since.map(|state| state.0), depth == SyncDepth::Infinity);
        let most = limit.clamp(1, PAGE);
        let changes =
            self.storage().file_changes(self.owner, self.top, folder.keys(), since, is_deep, most).await?;
        let changes = changes.ok_or(Error::Stale)?;
        let change = |change: hub_storage::files::ChangedNode| FileChange {
            path: change.path,
            node: change.node.map(|row| self.node(row)),
        };
        Ok(FileChanges {
            state: SyncState(changes.state),
            has_more: changes.has_more,
            changes: changes.changes.into_iter().map(change).collect(),
        })
    }
}
