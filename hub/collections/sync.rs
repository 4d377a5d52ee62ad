//! What has changed in a collection (RFC 6578).

use std::fmt;
use std::str::FromStr;

use hub_storage::items::{CollectionId, Since};

use crate::collections::{Collections, Item};
use crate::{Error, Modseq, Result};

/// Changes of one answer at most.
const MOST: usize = 10_000;

/// How far somebody knows a collection: its modseq, and how much of what came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemState(Since);

impl ItemState {
    pub(super) fn all(modseq: Modseq) -> Self {
        Self(Since::all(modseq))
    }

    pub fn modseq(self) -> Modseq {
        self.0.modseq
    }
}

/// `MODSEQ`, or `MODSEQ-ID` between two pages.
impl fmt::Display for ItemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Since { modseq, id: i64::MAX } => write!(f, "{modseq}"),
            Since { modseq, id } => write!(f, "{modseq}-{id}"),
        }
    }
}

impl FromStr for ItemState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let stale = |_| Error::Stale;
        let (modseq, id) = text.split_once('-').map_or((text, None), |(modseq, id)| (modseq, Some(id)));
        let modseq: Modseq = modseq.parse().map_err(stale)?;
        let id = id.map(str::parse).transpose().map_err(stale)?.unwrap_or(i64::MAX);
        match modseq <= i64::MAX as u64 && id >= 0 {
            true => Ok(Self(Since { modseq, id })),
            false => Err(Error::Stale),
        }
    }
}

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
    pub state: ItemState,
    pub has_more: bool,
}

impl Collections {
    /// What has changed since a state (`None`: everything that is there), in the order of change,
    /// `most` at most. `Stale` if the state is too old, or none of this collection.
    pub async fn changes(
        &self,
        collection: CollectionId,
        since: Option<ItemState>,
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
            state: ItemState(changes.state),
            has_more: changes.has_more,
        })
    }
}
