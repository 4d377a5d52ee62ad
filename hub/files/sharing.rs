//! Grants: files that twins of this hub share with each other. Whoever was granted something finds it
//! under [`SHARED`], by the handle of its owner.
//!
//! Every change asks within its transaction whether the grant is still there, so a grant that was
//! taken back is worth nothing at once.

use std::collections::{HashMap, HashSet};

use hub_storage::files::{self, GrantRow, NodeId};
use hub_storage::{AccountId, Error as Refusal};

use crate::files::{FilePath, Files, Node};
use crate::{Account, Address, Error, Hub, Result};

/// The folder at a twin's top in which it finds what others share with it.
pub const SHARED: &str = "Shared with me";
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
    /// Unix seconds.
    pub granted_at: i64,
}

/// What a twin was granted by another.
#[derive(Clone, Debug)]
pub struct Granted {
    pub owner: Address,
    /// What it is called in the folder of its owner: the node's name, with a number if there are several.
    pub name: String,
    pub access: Access,
    pub node: Node,
    account: AccountId,
}

impl Account {
    /// What others share with the twin, by owner and name.
    pub async fn granted(&self) -> Result<Vec<Granted>> {
        let storage = &self.hub.0.storage;
        let mut rows = storage.files_granted(self.id).await?;
        rows.sort_by(|a, b| (a.owner, &a.node.key, a.node.id).cmp(&(b.owner, &b.node.key, b.node.id)));
        let (mut handles, mut names, mut granted) = (HashMap::new(), HashSet::new(), Vec::new());
        for row in rows {
            let Some(access) = Access::from_number(row.access) else { continue };
            if !self.hub.is_in_files(row.owner, row.node.id).await? {
                continue;
            }
            let owner = self.hub.handle_of(&mut handles, row.owner).await?;
            let first = row.node.name.clone();
            let numbered = (2..).map(|n| format!("{first} ({n})"));
            let mut free = std::iter::once(first.clone()).chain(numbered);
            let name = free.find(|name| names.insert((row.owner, name.clone()))).unwrap_or_default();
            let node = self.hub.0.etags.node(row.owner, row.node);
            granted.push(Granted { owner, name, access, node, account: row.owner });
        }
        Ok(granted)
    }

    /// The files that a path of the twin's leads into, and the path within them: its own, or below
    /// `Shared with me/OWNER/NAME` somebody else's. `NotFound` if nothing is shared there;
    /// `Forbidden` for the folders on the way, which nobody keeps: see [`Account::granted`].
    pub async fn files_at(&self, path: &FilePath) -> Result<(Files, FilePath)> {
        let mut names = path.names();
        if names.next() != Some(SHARED) {
            return Ok((self.files(), path.clone()));
        }
        let (Some(owner), Some(name)) = (names.next(), names.next()) else {
            return Err(Error::Forbidden("this folder only shows what others share"));
        };
        let granted = self.granted().await?.into_iter();
        let granted = granted.filter(|one| one.owner.key() == owner.to_lowercase());
        let granted = granted.into_iter().find(|one| one.name == name);
        let granted = granted.ok_or(Error::NotFound("file or folder"))?;
        Ok((self.open_granted(&granted), FilePath::from_names(names)?))
    }

    /// The files that a grant opens.
    pub fn open_granted(&self, granted: &Granted) -> Files {
        Files {
            hub: self.hub.clone(),
            owner: granted.account,
            top: granted.node.id,
            user: self.id,
            by: By::Grant,
            access: granted.access,
        }
    }
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
        let (mut handles, mut grants) = (HashMap::new(), Vec::new());
        for GrantRow { grantee, access, granted_at, node, .. } in
            self.storage().file_grants(self.owner).await?
        {
            if let Some(access) = Access::from_number(access) {
                let grantee = self.hub.handle_of(&mut handles, grantee).await?;
                grants.push(Grant { grantee, access, node: self.node(node), granted_at });
            }
        }
        Ok(grants)
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
    async fn handle_of(
        &self,
        known: &mut HashMap<AccountId, Address>,
        account: AccountId,
    ) -> Result<Address> {
        if let Some(handle) = known.get(&account) {
            return Ok(handle.clone());
        }
        let row = self.0.storage.account(account).await?.ok_or(Error::NotFound("account"))?;
        let handle = Address::parse(&row.handle)?;
        known.insert(account, handle.clone());
        Ok(handle)
    }

    /// False for what is in the trash.
    pub(super) async fn is_in_files(&self, owner: AccountId, node: NodeId) -> Result<bool> {
        let above = self.0.storage.file_ancestors(owner, node).await?;
        Ok(above.first().is_some_and(|top| top.id == NodeId::FILES))
    }
}
