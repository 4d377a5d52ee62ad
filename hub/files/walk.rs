//! What lies in folders, a page at a time.

use std::collections::HashMap;

use hub_storage::AccountId;
use hub_storage::files::NodeId;

use crate::files::listed::Gathering;
use crate::files::{Files, Node};
use crate::{Hub, Result};

/// Nodes of a page.
pub const PAGE: usize = 500;
/// Folders whose contents are asked for together.
const FOLDERS: usize = 64;

impl Files {
    /// What lies in a folder, by name, a page at a time. Nothing is held between two pages: what
    /// changes meanwhile is seen or not.
    pub fn list(&self, folder: &Node) -> Listing {
        Listing { of: self.source(), rest: Some((Gathering::of(folder), String::new())) }
    }

    /// The same from after a name on.
    pub fn list_after(&self, folder: &Node, name: &str) -> Listing {
        match crate::files::path::key(name) {
            key if key.is_empty() => self.list(folder),
            key => Listing { of: self.source(), rest: Some((Gathering::of_a_part(folder), key)) },
        }
    }

    /// Everything below a folder, parents before what is in them, else in no particular order. It
    /// takes the memory of a few pages however large the tree is, and holds nothing between two.
    pub fn walk(&self, folder: &Node) -> Walk {
        Walk { of: self.source(), pending: vec![Pending::new(folder, String::new())] }
    }

    fn source(&self) -> Source {
        Source { hub: self.hub.clone(), account: self.owner }
    }
}

/// Where nodes come from.
struct Source {
    hub: Hub,
    account: AccountId,
}

impl Source {
    /// What lies in a folder after the name `after`; if there may be more, with the last name. All, if
    /// it is in memory.
    async fn page(&self, listing: &Gathering, after: &str) -> Result<(Vec<Node>, Option<String>)> {
        if after.is_empty()
            && let Some(nodes) = self.remembered(listing)
        {
            return Ok((nodes, None));
        }
        let rows = self.hub.0.storage.file_children(self.account, listing.folder, after, PAGE).await?;
        let last = rows.last().filter(|_| rows.len() == PAGE).map(|row| row.key.clone());
        let nodes = rows.into_iter().map(|row| self.hub.0.etags.node(self.account, row)).collect();
        Ok((nodes, last))
    }

    fn remembered(&self, listing: &Gathering) -> Option<Vec<Node>> {
        let nodes = self.hub.0.listings.get(self.account, listing.folder, listing.modseq)?;
        Some(nodes.to_vec())
    }

    /// All that is in some folders, by name.
    async fn all(&self, listings: Vec<Gathering>) -> Result<HashMap<NodeId, Vec<Node>>> {
        let (mut found, mut unknown) = (HashMap::new(), Vec::new());
        for listing in listings {
            match self.remembered(&listing) {
                Some(nodes) => drop(found.insert(listing.folder, nodes)),
                None => unknown.push(listing),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let ids: Vec<NodeId> = unknown.iter().map(|listing| listing.folder).collect();
        let mut rows = self.hub.0.storage.file_children_of(self.account, &ids).await?;
        rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        for row in rows {
            found.entry(row.parent).or_default().push(self.hub.0.etags.node(self.account, row));
        }
        for mut listing in unknown {
            listing.add(found.get(&listing.folder).map_or(&[], Vec::as_slice));
            listing.keep(self.account, &self.hub.0.listings);
        }
        Ok(found)
    }
}

/// What lies in a folder, a page at a time.
pub struct Listing {
    of: Source,
    /// What has come, and the name up to which that is all; `None` at the end.
    rest: Option<(Gathering, String)>,
}

impl Listing {
    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Node>>> {
        let Some((mut gathering, after)) = self.rest.take() else { return Ok(None) };
        let (nodes, last) = self.of.page(&gathering, &after).await?;
        gathering.add(&nodes);
        match last {
            Some(last) => self.rest = Some((gathering, last)),
            None => gathering.keep(self.of.account, &self.of.hub.0.listings),
        }
        Ok((!nodes.is_empty()).then_some(nodes))
    }
}

/// A node of a walk.
#[derive(Clone, Debug)]
pub struct Walked {
    /// From the folder that the walk began at: `a/b/c`.
    pub path: String,
    pub node: Node,
}

/// All that is below a folder, a page at a time.
pub struct Walk {
    of: Source,
    /// Folders whose contents are still to come; the last one comes next.
    pending: Vec<Pending>,
}

struct Pending {
    /// What has come of it.
    gathering: Gathering,
    /// With a slash at its end; empty for the top.
    path: String,
    /// All that is below, which bounds what is in it.
    nodes: u64,
    /// What is in it up to this name has come already.
    after: String,
}

impl Pending {
    fn new(folder: &Node, path: String) -> Self {
        Self { gathering: Gathering::of(folder), path, nodes: folder.nodes, after: String::new() }
    }
}

impl Walk {
    /// The next page; `None` at the end. Pages may be empty.
    pub async fn next(&mut self) -> Result<Option<Vec<Walked>>> {
        let (mut folders, mut most) = (Vec::new(), 0);
        while let Some(folder) = self.pending.pop_if(|folder| {
            folders.len() < FOLDERS && folder.after.is_empty() && most + folder.nodes <= PAGE as u64
        }) {
            most += folder.nodes;
            folders.push(folder);
        }
        if !folders.is_empty() {
            return self.small(folders).await.map(Some);
        }
        match self.pending.pop() {
            Some(folder) => self.large(folder).await.map(Some),
            None => Ok(None),
        }
    }

    /// All that is in some folders, in one go.
    async fn small(&mut self, folders: Vec<Pending>) -> Result<Vec<Walked>> {
        let (mut paths, mut listings) = (Vec::new(), Vec::new());
        for folder in folders {
            paths.push((folder.gathering.folder, folder.path));
            listings.push(folder.gathering);
        }
        let mut found = self.of.all(listings).await?;
        let walked = paths.into_iter().flat_map(|(id, path)| {
            let nodes = found.remove(&id).unwrap_or_default();
            nodes.into_iter().map(move |node| Walked { path: format!("{path}{}", node.name), node })
        });
        let walked: Vec<Walked> = walked.collect();
        self.note(&walked);
        Ok(walked)
    }

    /// A page of one folder.
    async fn large(&mut self, mut folder: Pending) -> Result<Vec<Walked>> {
        let (nodes, last) = self.of.page(&folder.gathering, &folder.after).await?;
        folder.gathering.add(&nodes);
        let at = |node: Node| Walked { path: format!("{}{}", folder.path, node.name), node };
        let walked: Vec<Walked> = nodes.into_iter().map(at).collect();
        match last {
            Some(after) => self.pending.push(Pending { after, ..folder }),
            None => folder.gathering.keep(self.of.account, &self.of.hub.0.listings),
        }
        self.note(&walked);
        Ok(walked)
    }

    /// Folders are gone into before the rest of where they are, so that few are pending.
    fn note(&mut self, walked: &[Walked]) {
        let folders = walked.iter().filter(|walked| walked.node.is_folder() && walked.node.nodes > 1);
        self.pending.extend(folders.map(|walked| Pending::new(&walked.node, format!("{}/", walked.path))));
    }
}
