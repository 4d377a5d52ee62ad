//! What has changed in a collection (RFC 6578).

use hub_storage::items::CollectionId;

use crate::collections::{Collections, Item};
use crate::{Error, Result, SyncState};

/// Changes of one answer at most.
const MOST: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemChange {
    pub name: String,
    /// `None`: it has gone.
    pub item: Option<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemChanges {
    pub changes: Vec<ItemChange>,
    /// What to ask with next.
    pub state: SyncState,
    pub has_more: bool,
}

impl Collections {
    /// What has changed since a state (`None`: everything that is there), in the order of change,
    /// `most` at most. `Stale` if the state is too old, or none of this collection.
    pub async fn changes(
        &self,
        collection: CollectionId,
        since: Option<SyncState>,
        most: usize,
    ) -> Result<ItemChanges> {
        let most = most.clamp(1, MOST);
        let since = since.map(|state| state.0);
        let changes = self.storage().item_changes(self.account, collection, since, most).await?;
        let changes = changes.ok_or(Error::Stale)?;
        let change = |change: hub_storage::items::ChangedItem| ItemChange {
            name: change.name,
            item: change.row.map(Item::from),
        };
        Ok(ItemChanges {
            changes: changes.changes.into_iter().map(change).collect(),
            state: SyncState(changes.state),
            has_more: changes.has_more,
        })
    }
}
