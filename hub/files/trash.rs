//! What was deleted, until it is removed for good.

use hub_storage::files::{self, NodeId};
use hub_storage::{Error as Refusal, Result as Decision, Tx};

use crate::files::change::Work;
use crate::files::{FilePath, Files, Node};
use crate::{Hub, Result};

/// Entries of a listing.
const LISTED: usize = 1000;
/// Entries removed in one transaction.
const SLICE: usize = 200;
/// Seconds after which an upload in pieces that nobody finished is forgotten.
const UPLOAD_AGE: i64 = 24 * 3600;
const DAY: i64 = 24 * 3600;

/// Something in the trash.
#[derive(Clone, Debug)]
pub struct Trashed {
    /// Its id is what it is restored by.
    pub node: Node,
    /// Where it was.
    pub path: String,
    /// Unix seconds.
    pub trashed_at: i64,
}

impl Files {
    /// What is in the trash, newest first, at most 1,000.
    pub async fn trash(&self) -> Result<Vec<Trashed>> {
        self.is_owner()?;
        let rows = self.storage().file_trash(self.owner, LISTED).await?;
        let trashed = rows.into_iter().map(|row| Trashed {
            node: self.node(row.node),
            path: row.path,
            trashed_at: row.trashed_at,
        });
        Ok(trashed.collect())
    }

    /// Puts something back where it was, or to `to`. Folders that are no longer there are made.
    /// `NotFound`, `Exists`, `Conflict` if a file is in the way, `Locked`.
    pub async fn restore(&self, id: NodeId, to: Option<&FilePath>) -> Result<Node> {
        self.is_owner()?;
        let (work, to) = (self.work(), to.cloned());
        let row = self
            .transact(move |tx| {
                Box::pin(async move {
                    let trashed = files::trashed(tx, work.account, id).await?;
                    let path = match to {
                        Some(path) => path,
                        None => FilePath::parse(&trashed.path).map_err(|_| Refusal::Conflict("folder"))?,
                    };
                    work.make_folders(tx, &path).await?;
                    let found = work.find(tx, &path).await?;
                    if found.node().is_some() {
                        return Err(Refusal::Exists("file or folder"));
                    }
                    work.may_change_members(&found, &crate::files::Conditions::default())?;
                    let levels = found.levels() + files::height(tx, work.account, id).await?;
                    if trashed.node.is_folder && levels > FilePath::LEVELS as u64 {
                        return Err(Refusal::Limit("folders within folders"));
                    }
                    files::restore(tx, work.account, &trashed.node, &found.place()?).await
                })
            })
            .await?;
        Ok(self.node(row))
    }

    /// Removes something in the trash for good. `NotFound`.
    pub async fn purge(&self, id: NodeId) -> Result<()> {
        self.is_owner()?;
        let account = self.owner;
        self.transact(move |tx| {
            Box::pin(async move {
                let trashed = files::trashed(tx, account, id).await?;
                files::purge(tx, account, &trashed.node).await
            })
        })
        .await?;
        self.hub.remove_files().await
    }

    /// Removes all that is in the trash for good.
    pub async fn empty_trash(&self) -> Result<()> {
        self.is_owner()?;
        loop {
            let rows = self.storage().file_trash(self.owner, SLICE).await?;
            if rows.is_empty() {
                return self.hub.remove_files().await;
            }
            let account = self.owner;
            self.transact(move |tx| {
                Box::pin(async move {
                    for row in &rows {
                        files::purge(tx, account, &row.node).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        }
    }
}

impl Work {
    /// Makes the folders above a path that do not exist.
    async fn make_folders(&self, tx: &mut Tx, path: &FilePath) -> Decision<()> {
        let mut missing = Vec::new();
        let mut folder = path.parent();
        while let Some(path) = folder {
            let found = self.find(tx, &path).await?;
            if found.node().is_some() {
                break;
            }
            folder = path.parent();
            missing.push(path);
        }
        for path in missing.into_iter().rev() {
            let found = self.find(tx, &path).await?;
            self.may_change_members(&found, &crate::files::Conditions::default())?;
            self.make_folder(tx, &found.place()?).await?;
        }
        Ok(())
    }
}

impl Hub {
    /// Gives back the bytes of what was removed.
    async fn remove_files(&self) -> Result<()> {
        while self.0.storage.reclaim_files().await? {}
        Ok(())
    }
}

/// Removes what has been in the trash long enough, old versions and forgotten uploads.
pub(crate) async fn expire(
    storage: &hub_storage::Storage,
    settings: super::FileSettings,
    now: i64,
) -> hub_storage::Result<()> {
    loop {
        let before = now - i64::from(settings.trash_days) * DAY;
        let old = storage.file_trash_before(before, SLICE).await?;
        for (account, node) in &old {
            let (account, node) = (*account, *node);
            let purge = storage.transact([account], move |tx| {
                Box::pin(async move {
                    let trashed = files::trashed(tx, account, node).await?;
                    files::purge(tx, account, &trashed.node).await
                })
            });
            match purge.await {
                // Somebody has restored it meanwhile.
                Ok(()) | Err(Refusal::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if old.len() < SLICE {
            break;
        }
    }
    let before = now - i64::from(settings.version_days) * DAY;
    while storage.expire_versions(before).await? {}
    while storage.expire_uploads(now - UPLOAD_AGE).await? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use hub_storage::{Database, Options, Storage};

    use super::*;
    use crate::files::{Conditions, FileMetadata};
    use crate::{Address, Door, Secret, Settings};

    async fn write(files: &Files, at: &str, bytes: &[u8]) {
        let path = FilePath::parse(at).expect("a path");
        let mut upload = files.begin(&path, None, Conditions::default()).await.expect("begun");
        upload.write(bytes).await.expect("written");
        upload.finish(FileMetadata::default()).await.expect("stored");
    }

    /// What is kept of earlier times goes when its time is over, and not before.
    #[tokio::test]
    async fn everything_has_its_time() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = Options { data_dir: directory.path().to_owned(), database: Database::Sqlite };
        let hub = Hub::open(Storage::open(options).await.expect("opens"), Settings::default())
            .await
            .expect("opens");
        hub.add_domain("example.org").await.expect("added");
        let alice = Address::parse("alice@example.org").expect("an address");
        hub.add_twin(&alice, &Secret::new("alice")).await.expect("added");
        let account = hub.login("alice", &Secret::new("alice"), Door::Dav).await.expect("right");
        let (files, uploads) = (account.files(), account.uploads());
        write(&files, "kept", b"first").await;
        write(&files, "kept", b"second").await;
        write(&files, "deleted", b"deleted").await;
        files
            .delete(&FilePath::parse("deleted").expect("a path"), Conditions::default())
            .await
            .expect("deleted");
        write(&uploads, "part", b"part").await;

        let (now, settings) = (crate::unix_now(), hub.0.settings.files);
        let kept = FilePath::parse("kept").expect("a path");
        for (seconds, trashed, versions, parts) in [
            (UPLOAD_AGE - 60, 1, 1, 1),
            (UPLOAD_AGE + 60, 1, 1, 0),
            (30 * DAY - 60, 1, 1, 0),
            (30 * DAY + 60, 0, 1, 0),
            (90 * DAY - 60, 0, 1, 0),
            (90 * DAY + 60, 0, 0, 0),
        ] {
            expire(&hub.0.storage, settings, now + seconds).await.expect("expired");
            let listed = uploads.list(&uploads.lookup(&FilePath::root()).await.expect("there")).next().await;
            let found = (
                files.trash().await.expect("read").len(),
                files.versions(&kept).await.expect("read").len(),
                listed.expect("read").map_or(0, |nodes| nodes.len()),
            );
            assert_eq!(found, (trashed, versions, parts), "after {seconds} s");
        }
        hub.remove_files().await.expect("removed");
        assert_eq!(files.quota().await.expect("read").0, 6, "only the present content counts");
    }
}
