//! Being told that something in a twin's files has changed.

use std::collections::HashMap;
use std::sync::Mutex;

use hub_storage::Change;
use tokio::sync::watch;

use crate::files::Files;
use crate::{AccountId, Modseq};

/// An eye on a twin's files; dropping it ends the watching.
pub struct FileWatch(watch::Receiver<Modseq>);

impl FileWatch {
    /// Waits until a change was committed that came after the last one told here. [`Files::changes`] says
    /// what it was. Never, once the hub has closed.
    pub async fn changed(&mut self) -> Modseq {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }
}

/// Who watches whose files.
#[derive(Default)]
pub(crate) struct FileWatches(Mutex<HashMap<AccountId, watch::Sender<Modseq>>>);

impl FileWatches {
    fn watch(&self, account: AccountId) -> FileWatch {
        let mut watches = crate::locked(&self.0);
        // Those whose last watcher has gone since.
        watches.retain(|_, sender| sender.receiver_count() > 0);
        FileWatch(watches.entry(account).or_insert_with(|| watch::channel(0).0).subscribe())
    }

    /// Something was committed.
    pub(crate) fn note(&self, changes: &[Change]) {
        for change in changes {
            if let Change::Files { account, modseq, .. } = change
                && let Some(sender) = crate::locked(&self.0).get(account)
            {
                sender.send_replace(*modseq);
            }
        }
    }
}

impl Files {
    /// Begins to watch these files, or all of the owner's for whoever sees a part of them.
    pub fn watch(&self) -> FileWatch {
        self.hub.0.file_watches.watch(self.owner)
    }
}
