//! What has changed in all calendars, or in all address books, since a state (RFC 8620 §5.2).

use crate::collections::Collections;
use crate::emails::{Changes, folded};
use crate::{Modseq, Result};

impl Collections {
    /// The state of these collections and of what lies in them: the modseq of the last change.
    pub async fn state(&self) -> Result<Modseq> {
        Ok(self.storage().collections_modseq(self.account(), self.kind()).await?)
    }

    /// Collections themselves, `most` at most. `None` if that cannot be told any more.
    pub async fn changed_collections(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.state().await?;
        let journal = self.storage().collection_journal(self.account(), self.kind(), since).await?;
        Ok(journal.and_then(|journal| folded(&journal, state, most)))
    }

    /// What lies in any of them, `most` at most. `None` if that cannot be told any more.
    pub async fn changed_items(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.state().await?;
        let journal = self.storage().item_journal(self.account(), self.kind(), since).await?;
        Ok(journal.and_then(|journal| folded(&journal, state, most)))
    }
}
