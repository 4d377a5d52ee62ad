//! Who may ask when a twin is busy.

use hub_storage::rooms::set_free_busy_access;

use crate::{Account, AccountId, Address, Hub, Result};

/// Whose questions are answered. What a twin does, and where, is told to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreeBusyAccess {
    /// Every twin of this hub, as people expect who work together.
    #[default]
    Everybody,
    /// Those whom the twin has written to.
    Known,
    Nobody,
}

impl FreeBusyAccess {
    pub const ALL: [Self; 3] = [Self::Everybody, Self::Known, Self::Nobody];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Known => "known",
            Self::Nobody => "nobody",
        }
    }

    const fn number(self) -> i64 {
        match self {
            Self::Everybody => 1,
            Self::Known => 2,
            Self::Nobody => 3,
        }
    }
}

impl Hub {
    /// Says who may ask when a twin is busy. `NotFound`.
    pub async fn set_free_busy_access(&self, handle: &Address, access: FreeBusyAccess) -> Result<()> {
        let id = self.twin(handle).await?;
        let set = self.0.storage.transact([id], move |tx| {
            Box::pin(async move { set_free_busy_access(tx, id, access.number()).await })
        });
        Ok(set.await?)
    }

    /// `NotFound`.
    pub async fn free_busy_access(&self, handle: &Address) -> Result<FreeBusyAccess> {
        self.access_to(self.twin(handle).await?).await
    }

    async fn access_to(&self, account: AccountId) -> Result<FreeBusyAccess> {
        let number = self.0.storage.free_busy_access(account).await?;
        let mut all = FreeBusyAccess::ALL.into_iter();
        Ok(all.find(|access| access.number() == number).unwrap_or_default())
    }
}

impl Account {
    /// Whether this twin may ask when another account is busy.
    pub(super) async fn may_ask(&self, other: AccountId) -> Result<bool> {
        if other == self.id {
            return Ok(true);
        }
        Ok(match self.hub.access_to(other).await? {
            FreeBusyAccess::Everybody => true,
            FreeBusyAccess::Known => {
                let hub = &self.hub.0;
                hub.junk.writes_to(&hub.storage, other, &self.handle.key()).await?
            }
            FreeBusyAccess::Nobody => false,
        })
    }
}
