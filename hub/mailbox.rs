//! Open mailboxes: one shared index per mailbox in memory, kept true by the writer's commits.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{MailboxId, Snapshot};

/// A mailbox that somebody looks at. All sessions of it share one.
pub struct OpenMailbox {
    pub(crate) id: MailboxId,
    pub(crate) state: watch::Sender<Arc<Snapshot>>,
}

impl OpenMailbox {
    pub fn id(&self) -> MailboxId {
        self.id
    }

    /// The mailbox as of the last commit. A few nanoseconds; never waits for the database.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state.borrow().clone()
    }

    /// Tells of every new snapshot: `changed().await`, then `borrow_and_update().clone()`.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.state.subscribe()
    }
}
