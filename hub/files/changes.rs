//! What has changed below a folder (RFC 6578), and being told that something has.

use std::fmt;
use std::str::FromStr;

use hub_storage::files::Since;

use crate::files::{FilePath, Files, Node};
use crate::{Error, Result};

/// Changes of a page.
const PAGE: usize = 10_000;

/// A state of the files that somebody knows: what a sync-token says. Written as `123`, or as
/// `123-45-0` between two pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncState(Since);

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Since { modseq, id: i64::MAX, .. } => write!(f, "{modseq}"),
            Since { modseq, id, began } => write!(f, "{modseq}-{id}-{began}"),
        }
    }
}

impl FromStr for SyncState {
    type Err = Error;

    /// `Stale` if nobody ever got such a state.
    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| is_number).ok_or(Error::Stale)
        };
        let numbers = text.split('-').map(number).collect::<Result<Vec<i64>>>()?;
        match *numbers.as_slice() {
            [modseq] => Ok(Self(Since::all(modseq as u64))),
            [modseq, id, began] => Ok(Self(Since { modseq: modseq as u64, id, began: began as u64 })),
            _ => Err(Error::Stale),
        }
    }
}

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
        SyncState(Since::all(self.modseq))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_written_and_read() {
        for (text, known) in
            [("0", true), ("123", true), ("123-45-7", true), ("", false), ("-", false), ("12-3", false)]
        {
            let state = text.parse::<SyncState>().ok();
            assert_eq!(state.map(|state| state.to_string()), known.then(|| text.to_owned()), "{text}");
        }
        for text in ["+1", "1-+2-3", "-1", "1--2", "1-2-3-4", "99999999999999999999", "1 "] {
            assert!(text.parse::<SyncState>().is_err(), "{text}");
        }
    }
}
