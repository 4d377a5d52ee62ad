//! What every change does first: find what it is about, ask whether it may.

use hub_storage::files::{self, LockRow, NodeId, NodeRow, Place};
use hub_storage::{AccountId, BoxFuture, Error as Refusal, Result as Decision, Tx};

use crate::Result;
use crate::files::conditions::State;
use crate::files::locks::{blocking, is_below};
use crate::files::node::Etags;
use crate::files::{Conditions, FilePath, FileSettings, Files, NODES, Placed};

/// What a transaction needs to know of whoever asks.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) account: AccountId,
    pub(super) top: NodeId,
    pub(super) user: AccountId,
    pub(super) etags: Etags,
    pub(super) settings: FileSettings,
}

/// A path as a transaction finds it.
pub(super) struct Found {
    pub(super) path: FilePath,
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
        self.chain.iter().take(self.path.keys().len()).map(|node| node.id).collect()
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
        if self.chain.first().is_some_and(|top| top.nodes >= NODES) {
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
        }
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
    /// Finds a path, and the locks.
    pub(super) async fn find(&self, tx: &mut Tx, path: &FilePath) -> Decision<Found> {
        let (chain, mut locks) = files::resolve(tx, self.account, self.top, path.keys()).await?;
        if self.top != NodeId::FILES {
            // Locks are on paths from the top of the files.
            locks.clear();
        }
        Ok(Found { path: path.clone(), chain, locks })
    }

    /// `Stale` unless the conditions hold.
    pub(super) async fn check(&self, tx: &mut Tx, target: &Found, conditions: &Conditions) -> Decision<()> {
        let mut others = Vec::new();
        if !conditions.is_too_long() {
            for path in conditions.paths() {
                others.push(self.state(&self.find(tx, &path).await?));
            }
        }
        conditions.check(&self.state(target), &others, &target.locks)
    }

    pub(super) fn state(&self, found: &Found) -> State {
        let node = found.node();
        State {
            path: found.path.clone(),
            etag: node.map(|node| self.etags.of(self.account, node)),
            modified_at: node.map_or(0, |node| node.modified_at),
        }
    }

    /// `Held` if a lock keeps the user from changing what is there.
    pub(super) fn may_change(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        self.may_change_at(found, &found.path.joined_keys(), conditions)
    }

    /// The same for what comes into its folder, or goes from there: a lock on a folder keeps its
    /// members (RFC 4918 §7.4).
    pub(super) fn may_change_members(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        if let Some(folder) = found.path.parent() {
            self.may_change_at(found, &folder.joined_keys(), conditions)?;
        }
        self.may_change(found, conditions)
    }

    /// The same for what goes with all that is in it.
    pub(super) fn may_take_away(&self, found: &Found, conditions: &Conditions) -> Decision<()> {
        self.may_change_members(found, conditions)?;
        let path = found.path.joined_keys();
        let mut below = found.locks.iter().filter(|lock| is_below(&lock.path, &path));
        below.try_for_each(|lock| self.may_change_at(found, &lock.path, conditions))
    }

    fn may_change_at(&self, found: &Found, path: &str, conditions: &Conditions) -> Decision<()> {
        match blocking(&found.locks, path, self.user, conditions) {
            Some(lock) => Err(Refusal::Held(lock.path.clone())),
            None => Ok(()),
        }
    }

    /// Ends the locks below a path that is taken away; with `itself` also those on it.
    pub(super) async fn end_locks(&self, tx: &mut Tx, found: &Found, itself: bool) -> Decision<()> {
        let path = found.path.joined_keys();
        let ends = |lock: &&LockRow| is_below(&lock.path, &path) || itself && lock.path == path;
        let tokens: Vec<&str> = found.locks.iter().filter(ends).map(|lock| lock.token.as_str()).collect();
        files::unlock(tx, self.account, &tokens).await
    }
}
