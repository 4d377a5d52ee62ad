//! By what right a twin reaches collections. Every change asks within its transaction whether it still
//! has it, so a grant that was taken back is worth nothing at once.

use hub_storage::items as rows;
use hub_storage::items::{CollectionId, CollectionKind, CollectionRow};
use hub_storage::{AccountId, Error as Refusal, Tx};

use crate::collections::granted::link_of;
use crate::collections::sharing::{Access, Status};

/// By what right collections are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Somebody granted one; with the grantee's number for it.
    Grant {
        grantee: AccountId,
        link: i64,
    },
    Owner,
    /// Somebody granted all calendars.
    Proxy {
        grantee: AccountId,
    },
}

/// Whose collections, and by what right: what a transaction takes along.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(super) account: AccountId,
    pub(super) kind: CollectionKind,
    pub(crate) by: By,
}

impl Reach {
    /// A collection whose items are to be changed. `NotFound`, `Forbidden`.
    pub(crate) async fn to_change(self, tx: &mut Tx, name: &str) -> hub_storage::Result<CollectionRow> {
        match self.by {
            By::Grant { grantee, link } => {
                let granted = rows::granted_collection(tx, grantee, link).await?;
                let (row, grant) = granted.ok_or(Refusal::NotFound("collection"))?;
                Status::is_open(grant.status, grant.kind == self.kind && link_of(name) == Some(link))?;
                may_write(grant.access)?;
                Ok(row)
            }
            By::Owner => rows::collection(tx, self.account, self.kind, name).await,
            By::Proxy { grantee } => {
                let grant = rows::grant_of(tx, self.account, CollectionId::ALL, grantee).await?;
                let grant = grant.ok_or(Refusal::NotFound("collection"))?;
                Status::is_open(grant.status, true)?;
                may_write(grant.access)?;
                rows::collection(tx, self.account, self.kind, name).await
            }
        }
    }

    /// `Forbidden` for all but the owner, who alone makes, renames and removes collections.
    pub(super) fn is_owner(self) -> crate::Result<()> {
        match self.by {
            By::Owner => Ok(()),
            By::Grant { .. } | By::Proxy { .. } => {
                Err(crate::Error::Forbidden("this is for the owner of the calendar or address book"))
            }
        }
    }
}

fn may_write(access: i64) -> hub_storage::Result<()> {
    match Access::from_number(access) {
        Some(Access::Write) => Ok(()),
        Some(Access::Read) | None => Err(Refusal::Forbidden("this was shared to be read only")),
    }
}
