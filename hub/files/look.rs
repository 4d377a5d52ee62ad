//! What is asked about files beside their content: where they are, what may be done, whether conditions hold.

use std::collections::HashMap;

use hub_storage::files::NodeId;

use crate::files::change::Found;
use crate::files::path::numbered;
use crate::files::sharing::By;
use crate::files::{Access, Conditions, FilePath, Files};
use crate::{Error, Result};

/// Numbers that are tried for a name that is taken.
const NUMBERS: usize = 1000;

impl Files {
    /// `Stale` unless the lists of `If` hold (RFC 4918 §10.4), for whoever only reads.
    pub async fn check(&self, path: &FilePath, conditions: &Conditions) -> Result<()> {
        self.may_read()?;
        let lists = conditions.lists.clone();
        self.check_now(path, &Conditions { lists, ..Conditions::default() }).await.map(drop)
    }

    /// Finds a path and the locks, outside of a transaction. `Stale` unless the conditions hold.
    pub(super) async fn check_now(&self, path: &FilePath, conditions: &Conditions) -> Result<Found> {
        let (storage, work) = (self.storage(), self.work());
        let base = match self.by {
            By::Owner => Vec::new(),
            By::Grant | By::Link(_) => storage.file_ancestors(self.owner, self.top).await?,
        };
        let find = async |path: FilePath| -> Result<Found> {
            let chain = storage.file_path(self.owner, self.top, path.keys()).await?;
            Ok(Found { path, base: base.clone(), chain, locks: Vec::new() })
        };
        let mut others = Vec::new();
        if !conditions.is_too_long() {
            for path in conditions.paths() {
                others.push(work.state(&find(path).await?));
            }
        }
        let mut found = find(path.clone()).await?;
        found.locks = storage.file_locks(self.owner, crate::unix_now()).await?;
        conditions.check(&work.state(&found), &others, &found.locks)?;
        Ok(found)
    }

    /// A path that is still free, with this name or one that has a number. It tells somebody who may only
    /// add files no more than adding one would.
    pub async fn free_path(&self, path: &FilePath) -> Result<FilePath> {
        let Some((folder, name)) = path.parent().zip(path.name()) else { return Ok(path.clone()) };
        let mut free = path.clone();
        for number in 2..=NUMBERS {
            let chain = self.storage().file_path(self.owner, self.top, free.keys()).await?;
            if chain.len() <= free.keys().len() {
                return Ok(free);
            }
            free = folder.join(&numbered(name, number))?;
        }
        Err(Error::Exists("file or folder"))
    }

    /// Where these nodes are; what is in the trash is left out.
    pub(super) async fn paths(&self, nodes: &[NodeId]) -> Result<HashMap<NodeId, FilePath>> {
        let mut paths = HashMap::new();
        for (node, names) in self.storage().file_names(self.owner, nodes).await? {
            if let Some(((NodeId::FILES, _), names)) = names.split_first() {
                paths.insert(node, FilePath::from_names(names.iter().map(|(_, name)| name))?);
            }
        }
        Ok(paths)
    }

    /// What may be done with these files.
    pub fn access(&self) -> Access {
        self.access
    }
}
