//! Calendars and address books: collections of objects that are kept as their clients wrote them.
//!
//! What a client stored comes back byte for byte; what it says is read once, when it is stored, to be
//! found by. An index proposes, the bytes decide (`query.rs`).
//!
//! Limits: [`MOST_COLLECTIONS`] of each kind for a twin, [`MOST_BYTES`] for an object.

mod batch;
mod bundle;
mod calendar;
mod card;
mod free_busy;
mod granted;
mod item;
mod keep;
mod query;
mod reach;
mod settings;
mod sharing;
mod states;
mod sync;

pub use hub_storage::items::{CollectionFacts, CollectionId, CollectionKind, ItemId, ItemKind};

pub use crate::files::{Overwrite, PropertyName};
pub use batch::{Incoming, is_enough};
pub use bundle::{BroughtIn, MOST_FILE, TakenOut};
pub use calendar::zone_of;
pub(crate) use calendar::{MESSAGES, message_index};
pub use granted::{Notification, SharedFrom, tag_of};
pub use item::{Item, Placed, PutOutcome, Refusal};
pub(crate) use item::{check as check_preconditions, hex, is_another};
pub(crate) use keep::keep_indexed;
pub use query::{Found, MOST_FOUND, portions_of};
pub(crate) use reach::{By, Reach};
pub(crate) use settings::check_name;
pub use settings::{Collection, CollectionPatch};
pub use sharing::{Access, CollectionGrant, Invitation, Status};
pub use sync::{ItemChange, ItemChanges};

use crate::{Account, AccountId, Hub, Storage};

/// Calendars of a twin, and address books of a twin.
pub const MOST_COLLECTIONS: usize = 500;
/// Bytes of an object. Cards have photos in them.
pub const MOST_BYTES: usize = 10 << 20;

/// A twin's calendars, or its address books; or of another twin's what it has granted. Cheap to clone.
///
/// Errors of every method: `NotFound` (the collection or the item), `Unavailable`. Others are told
/// with the method.
#[derive(Clone)]
pub struct Collections {
    hub: Hub,
    account: AccountId,
    kind: CollectionKind,
    by: By,
}

impl Account {
    pub fn calendars(&self) -> Collections {
        self.collections(CollectionKind::Calendar)
    }

    pub fn address_books(&self) -> Collections {
        self.collections(CollectionKind::AddressBook)
    }

    pub(crate) fn collections(&self, kind: CollectionKind) -> Collections {
        Collections::of(self.hub.clone(), self.id, kind)
    }
}

impl Collections {
    pub(crate) fn of(hub: Hub, account: AccountId, kind: CollectionKind) -> Self {
        Self { hub, account, kind, by: By::Owner }
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.hub.0.storage
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Whose they are.
    pub(crate) fn account(&self) -> AccountId {
        self.account
    }

    pub(crate) fn reach(&self) -> Reach {
        Reach { account: self.account, kind: self.kind, by: self.by }
    }

    /// Calendars, address books, or an inbox.
    pub fn kind(&self) -> CollectionKind {
        self.kind
    }
}
