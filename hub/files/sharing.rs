//! Grants: files that twins of this hub share with each other. Whoever was granted something finds it
//! under [`SHARED`](super::SHARED), by the handle of its owner.
//!
//! Every change asks within its transaction whether the grant is still there, so a grant that was
//! taken back is worth nothing at once.

use hub_storage::files::{self, NodeId};
use hub_storage::{AccountId, Error as Refusal};

use crate::files::{FilePath, Files, Node};
use crate::{Address, Error, Hub, Result};

/// Grants of an account at most.
const GRANTS: usize = 1000;

/// What somebody may do with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Adding files, without seeing any.
    Upload,
    /// Reading and changing.
    Write,
    /// The same, and granting it to others.
    Share,
}

impl Access {
    const ALL: [Self; 4] = [Self::Read, Self::Upload, Self::Write, Self::Share];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Upload => "upload",
            Self::Write => "write",
            Self::Share => "share",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }

    pub fn may_read(self) -> bool {
        self != Self::Upload
    }

    pub fn may_write(self) -> bool {
        matches!(self, Self::Write | Self::Share)
    }

    /// As it is kept.
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Read => 1,
            Self::Upload => 2,
            Self::Write => 3,
            Self::Share => 4,
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.number() == number)
    }
}

/// What opened somebody's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Grant,
    Link(i64),
    Owner,
}

/// What a twin has granted to another.
#[derive(Clone, Debug)]
pub struct Grant {
    pub grantee: Address,
    pub access: Access,
    pub node: Node,
    /// `None` if it is in the trash.
    pub path: Option<FilePath>,
    /// Unix seconds.
    pub granted_at: i64,
}

impl Files {
    /// Grants another twin of this hub access, or changes what it was granted. `NotFound`, `Invalid` if
    /// the address is not one twin's or the owner's own, `Forbidden` for the top or without
    /// [`Access::Share`], `Limit` for more than 1,000 grants.
    pub async fn grant(&self, path: &FilePath, grantee: &Address, access: Access) -> Result<()> {
        let grantee = self.grantee(grantee).await?;
        if path.is_root() {
            return Err(Error::Forbidden("a folder in it can be shared, not the top itself"));
        }
        if access == Access::Upload {
            return Err(Error::Invalid("uploads without reading are for public links".to_owned()));
        }
        let (work, path) = (self.work(), path.clone());
        self.transact(move |tx| {
            Box::pin(async move {
                if work.access != Access::Share {
                    return Err(Refusal::Forbidden("sharing these files"));
                }
                let node = work.find(tx, &path).await?.existing()?.id;
                files::grant(tx, work.account, node, grantee, access.number(), GRANTS).await
            })
        })
        .await
    }

    /// Takes a grant back, with the locks that came of it. `NotFound`, `Forbidden`.
    pub async fn revoke(&self, path: &FilePath, grantee: &Address) -> Result<()> {
        let grantee = self.grantee(grantee).await?;
        let (work, path) = (self.work(), path.clone());
        self.transact(move |tx| {
            Box::pin(async move {
                if work.access != Access::Share {
                    return Err(Refusal::Forbidden("sharing these files"));
                }
                let node = work.find(tx, &path).await?.existing()?.id;
                files::revoke(tx, work.account, node, grantee).await
            })
        })
        .await
    }

    /// All that the owner has granted. `Forbidden` for others.
    pub async fn grants(&self) -> Result<Vec<Grant>> {
        self.is_owner()?;
        let rows = self.storage().file_grants(self.owner).await?;
        let nodes: Vec<_> = rows.iter().map(|(row, _)| row.node.id).collect();
        let paths = self.paths(&nodes).await?;
        let grant = |(row, handle): (files::GrantRow, String)| {
            let access = Access::from_number(row.access)?;
            let grantee = Address::parse(&handle).ok()?;
            let path = paths.get(&row.node.id).cloned();
            Some(Grant { grantee, access, node: self.node(row.node), path, granted_at: row.granted_at })
        };
        Ok(rows.into_iter().filter_map(grant).collect())
    }

    async fn grantee(&self, address: &Address) -> Result<AccountId> {
        let accounts = self.storage().accounts_of_address(&address.key()).await?;
        match accounts.as_slice() {
            [one] if one.id != self.owner => Ok(one.id),
            [_] => Err(Error::Invalid("the files are this twin's own".to_owned())),
            _ => Err(Error::Invalid("this is not the address of one twin of this hub".to_owned())),
        }
    }
}

impl Hub {
    /// False for what is in the trash.
    pub(super) async fn is_in_files(&self, owner: AccountId, node: NodeId) -> Result<bool> {
        let above = self.0.storage.file_ancestors(owner, node).await?;
        Ok(above.first().is_some_and(|top| top.id == NodeId::FILES))
    }
}
