//! Files and folders by their ids, which stay the same wherever they go, and what has changed of them (RFC 8620
//! §5.2). What is in the trash is gone.

use std::collections::{BTreeSet, HashMap};

use hub_storage::Kind;
use hub_storage::files::NodeId;

use crate::emails::{Changes, folded};
use crate::files::{FilePath, Files, Node};
use crate::{Modseq, Result};

/// Nodes below folders that came or went as wholes; beyond that changes are not told.
const MOST: usize = 20_000;

/// A file or folder, and where it is.
#[derive(Clone, Debug)]
pub struct Located {
    pub path: FilePath,
    /// The folder that it is in; `None` for the top.
    pub parent: Option<NodeId>,
    pub node: Node,
}

impl Files {
    /// Files and folders by their ids, in any order; what is not below the top of these files is left out.
    pub async fn located(&self, nodes: &[NodeId]) -> Result<Vec<Located>> {
        self.may_read()?;
        let names = self.storage().file_names(self.owner, nodes).await?;
        let rows = self.storage().file_nodes(self.owner, nodes).await?;
        let mut located = Vec::with_capacity(rows.len());
        for row in rows {
            let Some([(top, _), below @ ..]) = names.get(&row.id).map(Vec::as_slice) else { continue };
            if *top != self.top || below.is_empty() {
                continue;
            }
            let path = FilePath::from_names(below.iter().map(|(_, name)| name))?;
            let parent = below.len().checked_sub(2).map(|above| below[above].0);
            located.push(Located { path, parent, node: self.node(row) });
        }
        Ok(located)
    }

    /// All of them, parents before what is in them; `None` if there are more than `most`.
    pub async fn all_located(&self, most: usize) -> Result<Option<Vec<Located>>> {
        let top = self.lookup(&FilePath::root()).await?;
        if top.nodes > most as u64 + 1 {
            return Ok(None);
        }
        let mut walk = self.walk(&top);
        let mut by_path: HashMap<String, NodeId> = HashMap::new();
        let mut all = Vec::new();
        while let Some(page) = walk.next().await? {
            for walked in page {
                let parent = walked.path.rsplit_once('/').and_then(|(above, _)| by_path.get(above).copied());
                if walked.node.is_folder() {
                    by_path.insert(walked.path.clone(), walked.node.id);
                }
                all.push(Located { path: FilePath::parse(&walked.path)?, parent, node: walked.node });
            }
            // They may have become more meanwhile.
            if all.len() > most {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    /// The state of all files and folders: the modseq of the last change.
    pub async fn files_state(&self) -> Result<Modseq> {
        Ok(self.lookup(&FilePath::root()).await?.modseq)
    }

    /// Files and folders that have come, changed or gone, `most` at most. `None` if that cannot be told: too
    /// long ago, or too much at once.
    pub async fn changed_nodes(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.files_state().await?;
        let journal = self.storage().journal_since(self.owner, Kind::File, 0, since).await?;
        let Some(changes) = journal.and_then(|journal| folded(&journal, state, most)) else {
            return Ok(None);
        };
        self.within(changes, most).await
    }

    /// A folder that came or went, into the trash or out of it, is one change of the journal: here it is one of
    /// each that is in it.
    async fn within(&self, changes: Changes, most: usize) -> Result<Option<Changes>> {
        let ids = |ids: &[i64]| ids.iter().map(|id| NodeId(*id)).collect::<Vec<_>>();
        let there = self.located(&[ids(&changes.created), ids(&changes.updated)].concat()).await?;
        let there: HashMap<i64, bool> =
            there.iter().map(|one| (one.node.id.0, one.node.is_folder())).collect();
        let (updated, gone): (Vec<i64>, Vec<i64>) =
            changes.updated.iter().partition(|id| there.contains_key(id));
        let new_folders = changes.created.iter().filter(|id| there.get(id) == Some(&true));
        let new_folders: Vec<NodeId> = new_folders.map(|id| NodeId(*id)).collect();
        let (Some(came), Some(went)) = (self.below(new_folders).await?, self.below(ids(&gone)).await?) else {
            return Ok(None);
        };
        let known: BTreeSet<i64> = updated.iter().copied().collect();
        let created = changes.created.iter().copied().filter(|id| there.contains_key(id)).chain(came);
        let created: BTreeSet<i64> = created.filter(|id| !known.contains(id)).collect();
        // What came and went in between was never told.
        let passed: BTreeSet<i64> = changes.created.iter().copied().collect();
        let destroyed = changes.destroyed.iter().copied().chain(gone).chain(went);
        let destroyed: BTreeSet<i64> = destroyed.filter(|id| !passed.contains(id)).collect();
        let (created, destroyed): (Vec<i64>, Vec<i64>) =
            (created.into_iter().collect(), destroyed.into_iter().collect());
        if created.len() + updated.len() + destroyed.len() > most {
            return Ok(None);
        }
        Ok(Some(Changes { created, updated, destroyed, ..changes }))
    }

    /// All that is below these folders, wherever they are; `None` if that is too much.
    async fn below(&self, mut folders: Vec<NodeId>) -> Result<Option<Vec<i64>>> {
        let mut all = Vec::new();
        while !folders.is_empty() {
            let children = self.storage().file_children_of(self.owner, &folders).await?;
            all.extend(children.iter().map(|row| row.id.0));
            if all.len() > MOST {
                return Ok(None);
            }
            folders = children.iter().filter(|row| row.is_folder).map(|row| row.id).collect();
        }
        Ok(Some(all))
    }
}
