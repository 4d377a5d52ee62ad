//! What every change does first: find what it is about, ask whether it may.

use hub_storage::files::{self, LockRow, NodeId, NodeRow, Place};
use hub_storage::{AccountId, BoxFuture, Error as Refusal, Result as Decision, Tx};

use crate::files::conditions::State;
use crate::files::locks::{blocking, is_below, within};
use crate::files::node::Etags;
use crate::files::sharing::{Access, By};
use crate::files::{Conditions, FilePath, FileSettings, Files, NODES, Placed};
use crate::{Error, Result};

/// What a transaction needs to know of whoever asks.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) account: AccountId,
    pub(super) top: NodeId,
    pub(super) user: AccountId,
    pub(super) etags: Etags,
    pub(super) settings: FileSettings,
    pub(super) by: By,
    pub(super) access: Access,
}

/// A path as a transaction finds it.
pub(super) struct Found {
    pub(super) path: FilePath,
    /// The folders above the top, for whoever sees only a part of somebody's files.
    pub(super) base: Vec<NodeRow>,
    /// The nodes from the top down, as far as they exist.
    pub(super) chain: Vec<NodeRow>,
    /// All locks of the account.
    pub(super) locks: Vec<LockRow>,
}

impl Found {
    /// What is there.
    pub(super) fn node(&self) -> Option<&NodeRow> {
        self.chain.get(self.path.keys().len())
    }

    /// The same; `NotFound`.
    pub(super) fn existing(&self) -> Decision<&NodeRow> {
        self.node().ok_or(Refusal::NotFound("file or folder"))
    }

    /// The folders above it.
    pub(super) fn above(&self) -> Vec<NodeId> {
        let chain = self.chain.iter().take(self.path.keys().len());
        self.base.iter().chain(chain).map(|node| node.id).collect()
    }

    /// The named nodes above and with the top.
    fn named(&self) -> impl Iterator<Item = &NodeRow> {
        self.base.iter().chain(self.chain.iter().take(1)).skip(1)
    }

    /// Where it is in the owner's files: names in NFC. Locks go by this.
    pub(super) fn location(&self) -> String {
        let above = self.named().map(|node| node.key.as_str());
        above.chain(self.path.keys().iter().map(String::as_str)).collect::<Vec<_>>().join("/")
    }

    /// The same, names as they were written.
    pub(super) fn written(&self) -> String {
        let above = self.named().map(|node| node.name.as_str());
        above.chain(self.path.names()).collect::<Vec<_>>().join("/")
    }

    /// A lock is in the way, told by its path from the top of whoever asks.
    pub(super) fn held(&self, lock: &LockRow) -> Refusal {
        let top = self.named().map(|node| node.key.as_str()).collect::<Vec<_>>().join("/");
        Refusal::Held(within(&lock.path, &top).to_owned())
    }

    /// Names from the owner's top down.
    pub(super) fn levels(&self) -> u64 {
        (self.named().count() + self.path.keys().len()) as u64
    }

    /// The place of something that is made here. `Conflict` if its folder is not there, `Limit` if
    /// the account has too much already.
    pub(super) fn place(&self) -> Decision<Place> {
        let (Some(key), Some(name)) = (self.path.key(), self.path.name()) else {
            return Err(Refusal::Forbidden("that is the top of all files"));
        };
        let folder = self.path.keys().len().checked_sub(1).and_then(|level| self.chain.get(level));
        if !folder.is_some_and(|folder| folder.is_folder) {
            return Err(Refusal::Conflict("the folder that it is to be in"));
        }
        if self.base.iter().chain(&self.chain).next().is_some_and(|top| top.nodes >= NODES) {
            return Err(Refusal::Limit("files and folders of a twin"));
        }
        Ok(Place { above: self.above(), key: key.to_owned(), name: name.to_owned() })
    }
}

impl Files {
    pub(super) fn work(&self) -> Work {
        Work {
            account: self.owner,
            top: self.top,
            user: self.user,
            etags: self.hub.0.etags,
            settings: self.hub.0.settings.files,
            by: self.by,
            access: self.access,
        }
    }

    /// `Forbidden` for whoever may not look.
    pub(super) fn may_read(&self) -> Result<()> {
        if self.access.may_read() { Ok(()) } else { Err(Error::Forbidden("reading")) }
    }

    /// `Forbidden` for others than the owner.
    pub(super) fn is_owner(&self) -> Result<()> {
        if self.by == By::Owner { Ok(()) } else { Err(Error::Forbidden("only the owner may do that")) }
    }

    pub(super) async fn transact<T, F>(&self, function: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Decision<T>> + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.storage().transact([self.owner], function).await?)
    }

    pub(super) fn placed(&self, (row, is_new): (NodeRow, bool)) -> Placed {
        Placed { node: self.node(row), created: is_new }
    }
}

impl Work {
    /// Finds a path and the locks, for a change. `Forbidden`.
    pub(super) async fn find(&self, tx: &mut Tx, path: &FilePath) -> Decision<Found> {
        if !self.access.may_write() {
            return Err(Refusal::Forbidden("changing these files"));
        }
        self.look(tx, path).await
    }

    /// The same for something that is only added.
    pub(super) async fn find_to_add(&self, tx: &mut Tx, path: &FilePath) -> Decision<Found> {
        if !self.access.may_write() && self.access != Access::Upload {
            return Err(Refusal::Forbidden("changing these files"));
        }
        self.look(tx, path).await
    }

    /// The same for something that is only read.
    pub(super) async fn find_to_read(&self, tx: &mut Tx, path: &FilePath) -> Decision<Found> {
        if !self.access.may_read() {
            return Err(Refusal::Forbidden("reading these files"));
        }
        self.look(tx, path).await
    }

    /// The same, whatever it is for.
    async fn look(&self, tx: &mut Tx, path: &FilePath) -> Decision<Found> {
        let base = self.base(tx).await?;
        let (chain, mut locks) = files::resolve(tx, self.account, self.top, path.keys()).await?;
        if self.top == NodeId::UPLOADS {
            // Locks are on paths from the top of the files.
            locks.clear();
        }
        Ok(Found { path: path.clone(), base, chain, locks })
    }

    /// The folders above the top of whoever is not the owner; `NotFound` if what opened these files was
    /// taken back, or they are in the trash.
    async fn base(&self, tx: &mut Tx) -> Decision<Vec<NodeRow>> {
        let is_open = match self.by {
            By::Owner => return Ok(Vec::new()),
            By::Grant => {
                let access = files::access(tx, self.account, self.top, self.user).await?;
                access.and_then(Access::from_number) == Some(self.access)
            }
            By::Link(id) => files::has_link(tx, self.account, id).await?,
        };
        let base = if is_open { files::ancestors(tx, self.account, self.top).await? } else { Vec::new() };
        match base.first() {
            Some(top) if top.id == NodeId::FILES => Ok(base),
            _ => Err(Refusal::NotFound("file or folder")),
        }
    }

    /// `Stale` unless the conditions hold.
    pub(super) async fn check(&self, tx: &mut Tx, target: &Found, conditions: &Conditions) -> Decision<()> {
        let mut others = Vec::new();
        if !conditions.is_too_long() {
            for path in conditions.paths() {
                others.push(self.state(&self.look(tx, &path).await?));
            }
        }
        conditions.check(&self.state(target), &others, &target.locks)
    }

    pub(super) fn state(&self, found: &Found) -> State {
        let node = found.node();
        State {
            path: found.path.clone(),
            location: found.location(),
            etag: node.map(|node| self.etags.of(self.account, node)),
            modified_at: node.map_or(0, |node| node.modified_at),
        }
    }

    /// `Held` if a lock keeps the user from changing what is there.
    pub(super) fn may_change(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        self.may_change_at(found, &found.location(), conditions)
    }

    /// The same for what comes into its folder, or goes from there: a lock on a folder keeps its
    /// members (RFC 4918 §7.4).
    pub(super) fn may_change_members(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        let location = found.location();
        if !found.path.is_root() {
            let folder = location.rsplit_once('/').map_or("", |(folder, _)| folder);
            self.may_change_at(found, folder, conditions)?;
        }
        self.may_change(found, conditions)
    }

    /// The same for what goes with all that is in it.
    pub(super) fn may_take_away(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        self.may_change_members(found, conditions)?;
        let path = found.location();
        let mut below = found.locks.iter().filter(|lock| is_below(&lock.path, &path));
        below.try_for_each(|lock| self.may_change_at(found, &lock.path, conditions))
    }

    fn may_change_at(&self, found: &Found, path: &str, conditions: &Conditions) -> Decision<()> {
        match blocking(&found.locks, path, self.user, conditions) {
            Some(lock) => Err(found.held(lock)),
            None => Ok(()),
        }
    }

    /// Ends the locks below a path that is taken away; with `itself` also those on it.
    pub(super) async fn end_locks(&self, tx: &mut Tx, found: &Found, itself: bool) -> Decision<()> {
        let path = found.location();
        let ends = |lock: &&LockRow| is_below(&lock.path, &path) || itself && lock.path == path;
        let tokens: Vec<&str> = found.locks.iter().filter(ends).map(|lock| lock.token.as_str()).collect();
        files::unlock(tx, self.account, &tokens).await
    }
}
