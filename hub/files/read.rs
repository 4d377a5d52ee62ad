//! Looking up, listing, reading.

use std::collections::HashMap;

use bytes::Bytes;
use hub_storage::files::{NodeId, NodeRow};
use hub_storage::{AccountId, OpenBlob, Storage};

use crate::files::node::Etags;
use crate::files::{FilePath, Files, Node};
use crate::{Error, Result};

/// Nodes of a page of a listing.
pub const PAGE: usize = 500;
/// Folders whose contents are asked for together.
const FOLDERS: usize = 64;

impl Files {
    /// The file or folder at a path. `NotFound`.
    pub async fn lookup(&self, path: &FilePath) -> Result<Node> {
        self.may_read()?;
        let mut chain = self.storage().file_path(self.owner, self.top, path.keys()).await?;
        let node = chain.pop().filter(|_| chain.len() == path.keys().len());
        node.map(|row| self.node(row)).ok_or(Error::NotFound("file or folder"))
    }

    /// What lies in a folder, by name, a page at a time. Nothing is held between two pages: what
    /// changes meanwhile is seen or not.
    pub fn list(&self, folder: &Node) -> Listing {
        Listing { of: self.source(), folder: folder.id, after: Some(String::new()) }
    }

    /// The same from after a name on.
    pub fn list_after(&self, folder: &Node, name: &str) -> Listing {
        let after = crate::files::path::key(name);
        Listing { of: self.source(), folder: folder.id, after: Some(after) }
    }

    /// Everything below a folder, parents before what is in them, else in no particular order. It
    /// takes the memory of a few pages however large the tree is, and holds nothing between two.
    pub fn walk(&self, folder: &Node) -> Walk {
        let top = Pending { id: folder.id, path: String::new(), nodes: folder.nodes, after: String::new() };
        Walk { of: self.source(), pending: vec![top] }
    }

    /// Opens a file for reading. `NotFound`, `Invalid` for a folder.
    pub async fn open(&self, path: &FilePath) -> Result<OpenFile> {
        let node = self.lookup(path).await?;
        self.open_node(node).await
    }

    /// Opens a file that was looked up. `Invalid` for a folder.
    pub async fn open_node(&self, node: Node) -> Result<OpenFile> {
        self.may_read()?;
        if node.is_folder() {
            return Err(Error::Invalid("a folder has no content".to_owned()));
        }
        let content = match node.blob {
            Some(blob) => Some(self.storage().open_blob(blob).await?),
            None => None,
        };
        Ok(OpenFile { node, content })
    }

    /// Bytes in use, mail included, and the limit in bytes (`None`: no limit).
    pub async fn quota(&self) -> Result<(u64, Option<u64>)> {
        let row = self.storage().account(self.owner).await?.ok_or(Error::NotFound("account"))?;
        Ok((row.bytes, (row.quota > 0).then_some(row.quota)))
    }

    fn source(&self) -> Source {
        Source { storage: self.storage().clone(), account: self.owner, etags: self.hub.0.etags }
    }
}

/// A file opened for reading. It goes on to be readable for half an hour after it was replaced or
/// removed.
pub struct OpenFile {
    pub node: Node,
    content: Option<OpenBlob>,
}

impl OpenFile {
    pub(super) fn new(node: Node, content: Option<OpenBlob>) -> Self {
        Self { node, content }
    }

    /// At most `length` bytes from `offset` on; fewer at the end. 128 KiB are a good length.
    pub async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        match &self.content {
            Some(content) => Ok(content.read(offset, length).await?),
            None => Ok(Bytes::new()),
        }
    }
}

/// Where nodes come from.
struct Source {
    storage: Storage,
    account: AccountId,
    etags: Etags,
}

impl Source {
    fn nodes(&self, rows: Vec<NodeRow>) -> Vec<Node> {
        rows.into_iter().map(|row| self.etags.node(self.account, row)).collect()
    }
}

/// What lies in a folder, a page at a time.
pub struct Listing {
    of: Source,
    folder: NodeId,
    /// `None` at the end.
    after: Option<String>,
}

impl Listing {
    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Node>>> {
        let Some(after) = &self.after else { return Ok(None) };
        let rows = self.of.storage.file_children(self.of.account, self.folder, after, PAGE).await?;
        self.after = rows.last().filter(|_| rows.len() == PAGE).map(|row| row.key.clone());
        Ok((!rows.is_empty()).then(|| self.of.nodes(rows)))
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
    id: NodeId,
    /// With a slash at its end; empty for the top.
    path: String,
    /// All that is below, which bounds what is in it.
    nodes: u64,
    /// What is in it up to this name has come already.
    after: String,
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
        let ids: Vec<NodeId> = folders.iter().map(|folder| folder.id).collect();
        let paths: HashMap<NodeId, String> =
            folders.into_iter().map(|folder| (folder.id, folder.path)).collect();
        let rows = self.of.storage.file_children_of(self.of.account, &ids).await?;
        let walked = rows.into_iter().map(|row| {
            let path = paths.get(&row.parent).map_or("", String::as_str);
            Walked { path: format!("{path}{}", row.name), node: self.of.etags.node(self.of.account, row) }
        });
        let walked: Vec<Walked> = walked.collect();
        self.note(&walked);
        Ok(walked)
    }

    /// A page of one folder.
    async fn large(&mut self, folder: Pending) -> Result<Vec<Walked>> {
        let rows = self.of.storage.file_children(self.of.account, folder.id, &folder.after, PAGE).await?;
        let last = rows.last().filter(|_| rows.len() == PAGE).map(|row| row.key.clone());
        let path = folder.path.clone();
        let nodes = self.of.nodes(rows).into_iter();
        let walked: Vec<Walked> =
            nodes.map(|node| Walked { path: format!("{path}{}", node.name), node }).collect();
        if let Some(after) = last {
            self.pending.push(Pending { after, ..folder });
        }
        self.note(&walked);
        Ok(walked)
    }

    /// Folders are gone into before the rest of where they are, so that few are pending.
    fn note(&mut self, walked: &[Walked]) {
        let folders = walked.iter().filter(|walked| walked.node.is_folder() && walked.node.nodes > 1);
        self.pending.extend(folders.map(|walked| Pending {
            id: walked.node.id,
            path: format!("{}/", walked.path),
            nodes: walked.node.nodes,
            after: String::new(),
        }));
    }
}
