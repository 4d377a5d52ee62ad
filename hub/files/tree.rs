//! Making folders, copying, moving, deleting.

use hub_storage::files::{self, Content, CopyDepth as Depth, NewNode, NodeId, NodeRow, Place, Times};
use hub_storage::{Error as Refusal, Result as Decision, Tx};

use crate::Result;
use crate::files::change::{Found, Work};
use crate::files::locks::is_below;
use crate::files::{Conditions, FilePath, Files, Node, PropertyName, properties};

/// Nodes of one copy at most: it is one statement, and others wait for it.
const COPIED: u64 = 100_000;

/// How much of a folder is copied (RFC 4918 §9.8.3). A file is always copied whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDepth {
    Infinity,
    Zero,
}

/// What becomes of something that is at the destination (RFC 4918 §10.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It gives way: a file to a file as its version, else to the trash.
    Allow,
    /// It stays; the operation fails with `Exists`.
    Refuse,
}

/// Something that was put somewhere.
#[derive(Clone, Debug)]
pub struct Placed {
    pub node: Node,
    /// Nothing was there before.
    pub created: bool,
}

impl Files {
    /// Makes a folder, with dead properties (RFC 5689 §3). `Exists` if anything is there, `Conflict`,
    /// `Locked`, `Stale`, `Limit`, `OverQuota`.
    pub async fn make_folder(
        &self,
        path: &FilePath,
        set: Vec<(PropertyName, String)>,
        conditions: Conditions,
    ) -> Result<Node> {
        let (work, path) = (self.work(), path.clone());
        let row = self
            .transact(move |tx| {
                Box::pin(async move {
                    let found = work.find(tx, &path).await?;
                    work.check(tx, &found, &conditions).await?;
                    if found.node().is_some() {
                        return Err(Refusal::Exists("file or folder"));
                    }
                    work.may_change_members(&found, &conditions)?;
                    let node = work.make_folder(tx, &found.place()?).await?;
                    if set.is_empty() {
                        return Ok(node);
                    }
                    let set = set.into_iter().map(|(name, value)| (name, Some(value))).collect();
                    properties::write(tx, work.account, &found.above(), &node, set, Times::default()).await
                })
            })
            .await?;
        Ok(self.node(row))
    }

    /// Copies a file or folder with its dead properties, but no bytes (RFC 4918 §9.8), to a path of these
    /// files or others. `NotFound`, `Conflict`, `Exists`, `Forbidden` onto or into itself, `Locked`,
    /// `Stale`, `OverQuota`, `Limit` for more than 100,000 nodes.
    pub async fn copy(
        &self,
        from: &FilePath,
        (target, to): (&Self, &FilePath),
        depth: CopyDepth,
        overwrite: Overwrite,
        conditions: Conditions,
    ) -> Result<Placed> {
        let (work, other, from, to) = (self.work(), target.work(), from.clone(), to.clone());
        let placed = self
            .storage()
            .transact([self.owner, target.owner], move |tx| {
                Box::pin(async move {
                    let from = work.find_to_read(tx, &from).await?;
                    work.check(tx, &from, &conditions).await?;
                    let node = from.existing()?;
                    let to = other.find(tx, &to).await?;
                    let place = other.clear(tx, (&work, &from), &to, overwrite, &conditions).await?;
                    let depth = if depth == CopyDepth::Infinity { Depth::Infinity } else { Depth::Zero };
                    let copy = work.copy(tx, node, depth, (&other, &place)).await?;
                    other.inherit(tx, &to, &copy).await?;
                    Ok((copy, to.node().is_none()))
                })
            })
            .await?;
        Ok(target.placed(placed))
    }

    /// Moves a file or folder with all that is in it (RFC 4918 §9.9): one row. It keeps its id; its locks
    /// end (§7.5). To another twin's files it moves as a copy, and what was here goes into the trash.
    /// `NotFound`, `Conflict`, `Exists`, `Forbidden` onto or into itself, `Locked`, `Stale`, `Limit`.
    pub async fn rename(
        &self,
        from: &FilePath,
        (target, to): (&Self, &FilePath),
        overwrite: Overwrite,
        conditions: Conditions,
    ) -> Result<Placed> {
        let (work, other, from, to) = (self.work(), target.work(), from.clone(), to.clone());
        let placed = self
            .storage()
            .transact([self.owner, target.owner], move |tx| {
                Box::pin(async move {
                    let from = work.find(tx, &from).await?;
                    work.check(tx, &from, &conditions).await?;
                    let node = from.existing()?;
                    if from.path.is_root() {
                        return Err(Refusal::Forbidden("that is the top of all files"));
                    }
                    work.may_take_away(&from, &conditions)?;
                    let to = other.find(tx, &to).await?;
                    let place = other.clear(tx, (&work, &from), &to, overwrite, &conditions).await?;
                    work.end_locks(tx, &from, true).await?;
                    let moved = if work.account == other.account {
                        files::move_to(tx, work.account, node, &from.above(), &place).await?
                    } else {
                        let copy = work.copy(tx, node, Depth::Infinity, (&other, &place)).await?;
                        work.throw_away(tx, &from).await?;
                        copy
                    };
                    other.inherit(tx, &to, &moved).await?;
                    Ok((moved, to.node().is_none()))
                })
            })
            .await?;
        Ok(target.placed(placed))
    }

    /// Puts a file, or a folder with all that is in it, into the trash. `NotFound`, `Forbidden` for the
    /// top, `Stale`, `Locked` if anything in it has a lock that was not submitted.
    pub async fn delete(&self, path: &FilePath, conditions: Conditions) -> Result<()> {
        let (work, path) = (self.work(), path.clone());
        self.transact(move |tx| {
            Box::pin(async move {
                let found = work.find(tx, &path).await?;
                work.check(tx, &found, &conditions).await?;
                found.existing()?;
                if found.path.is_root() {
                    return Err(Refusal::Forbidden("that is the top of all files"));
                }
                work.may_take_away(&found, &conditions)?;
                work.end_locks(tx, &found, true).await?;
                work.throw_away(tx, &found).await
            })
        })
        .await
    }
}

impl Work {
    pub(super) async fn make_folder(&self, tx: &mut Tx, place: &Place) -> Decision<NodeRow> {
        let now = crate::unix_now();
        let new = NewNode {
            is_folder: true,
            content: Content::Empty,
            content_type: String::new(),
            checksum: String::new(),
            created_at: now,
            modified_at: now,
        };
        files::create(tx, self.account, place, new).await
    }

    async fn copy(
        &self,
        tx: &mut Tx,
        node: &NodeRow,
        depth: Depth,
        (other, place): (&Self, &Place),
    ) -> Decision<NodeRow> {
        if depth == Depth::Infinity && node.nodes > COPIED {
            return Err(Refusal::Limit("files and folders copied at a time"));
        }
        files::copy(tx, self.account, node, depth, other.account, place).await
    }

    /// Sees to it that the destination of a copy or move is free.
    async fn clear(
        &self,
        tx: &mut Tx,
        (source, from): (&Self, &Found),
        to: &Found,
        overwrite: Overwrite,
        conditions: &Conditions,
    ) -> Decision<Place> {
        // RFC 4918 §9.8.5, §9.9.4: source and destination are the same; or one would go with the other.
        let (start, end) = (from.location(), to.location());
        let is_within = start == end || is_below(&start, &end) || is_below(&end, &start);
        if source.account == self.account && is_within {
            return Err(Refusal::Forbidden("source and destination lie within each other"));
        }
        let place = to.place()?;
        let node = from.existing()?;
        if node.is_folder && node.nodes > 1 {
            let levels = to.levels() + files::height(tx, source.account, node.id).await?;
            if levels > FilePath::LEVELS as u64 {
                return Err(Refusal::Limit("folders within folders"));
            }
        }
        if to.node().is_none() {
            self.may_change_members(to, conditions)?;
            return Ok(place);
        }
        if overwrite == Overwrite::Refuse {
            return Err(Refusal::Exists("file or folder"));
        }
        self.may_take_away(to, conditions)?;
        // A lock on the destination itself stays: it is on the name (RFC 4918 §9.9.3).
        self.end_locks(tx, to, false).await?;
        match to.node() {
            Some(old) if !old.is_folder && !node.is_folder => {
                files::remove(tx, self.account, old, &to.above()).await?;
            }
            _ => self.throw_away(tx, to).await?,
        }
        Ok(place)
    }

    /// What a file that gave way to another had becomes versions of that one: many programs save by
    /// moving a new file over the old one.
    async fn inherit(&self, tx: &mut Tx, to: &Found, new: &NodeRow) -> Decision<()> {
        match to.node() {
            Some(old) if !old.is_folder && !new.is_folder => {
                files::inherit(tx, self.account, old, new, self.settings.versions).await
            }
            _ => Ok(()),
        }
    }

    /// Puts it into the trash, unless nobody is going to miss it.
    pub(super) async fn throw_away(&self, tx: &mut Tx, found: &Found) -> Decision<()> {
        let (node, above) = (found.existing()?, found.above());
        if self.top == NodeId::UPLOADS || is_litter(node) || self.settings.trash_days == 0 {
            return files::remove(tx, self.account, node, &above).await;
        }
        files::trash(tx, self.account, node, &above, &found.written()).await
    }
}

/// Empty files, and those that macOS makes beside others and Windows in every folder: they come and
/// go all the time.
fn is_litter(node: &NodeRow) -> bool {
    let name = node.name.as_str();
    let is_known = name.starts_with("._") || [".DS_Store", "Thumbs.db", "desktop.ini"].contains(&name);
    !node.is_folder && (node.size == 0 || is_known)
}
