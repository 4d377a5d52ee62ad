//! What others share with a twin, as a folder among its own files: `Shared with me/OWNER/NAME`.
//!
//! The folder is there as long as there is something in it. Should the twin have something of its own by
//! that name, then that stays where it is and the folder gets a number.

use std::collections::HashSet;

use hub_storage::AccountId;
use hub_storage::files::{GrantRow, NodeId};

use crate::files::path::{key, numbered};
use crate::files::sharing::By;
use crate::files::{Access, FilePath, Files, Node, NodeKind};
use crate::{Account, Address, Error, Result};

/// The folder at a twin's top in which it finds what others share with it.
pub const SHARED: &str = "Shared with me";
/// Numbers that it may get.
const NUMBERS: usize = 100;

/// What a twin was granted by another.
#[derive(Clone, Debug)]
pub struct Granted {
    pub owner: Address,
    pub access: Access,
    /// With the name that it has in the folder of its owner: its own, with a number if there are several.
    pub node: Node,
    account: AccountId,
}

/// All that others share with a twin; never nothing.
#[derive(Clone, Debug)]
pub struct Shares {
    /// The name of the folder at the twin's top.
    pub name: String,
    /// By owner and name.
    granted: Vec<Granted>,
}

/// Where a path of a twin's leads.
pub enum Reached {
    Own(Files),
    /// Into what somebody else has granted: where that is, and the path from there on.
    Granted {
        granted: Box<Granted>,
        files: Files,
        at: FilePath,
        rest: FilePath,
    },
    /// To the folder of all shares, or with an owner to that of its shares. Nobody keeps these folders.
    Shares(Shares, Option<Address>),
}

impl Account {
    /// What others share with the twin, by owner and name.
    pub async fn granted(&self) -> Result<Vec<Granted>> {
        let mut rows = self.hub.0.storage.files_granted(self.id).await?;
        rows.sort_by(|(a, _), (b, _)| {
            (a.owner, &a.node.key, a.node.id).cmp(&(b.owner, &b.node.key, b.node.id))
        });
        let mut names = HashSet::new();
        let granted = |(row, handle): (GrantRow, String)| {
            let (access, owner) = (Access::from_number(row.access)?, Address::parse(&handle).ok()?);
            let mut node = self.hub.0.etags.node(row.owner, row.node);
            let numbered = (2..).map(|number| numbered(&node.name, number));
            let mut free = std::iter::once(node.name.clone()).chain(numbered);
            node.name = free.find(|name| names.insert((row.owner, key(name))))?;
            Some(Granted { owner, access, node, account: row.owner })
        };
        Ok(rows.into_iter().filter_map(granted).collect())
    }

    /// The folder of what others share with the twin, if they do.
    pub async fn shares(&self) -> Result<Option<Shares>> {
        let granted = self.granted().await?;
        if granted.is_empty() {
            return Ok(None);
        }
        let own = self.files();
        for number in 1..=NUMBERS {
            let name = if number == 1 { SHARED.to_owned() } else { format!("{SHARED} ({number})") };
            match own.lookup(&FilePath::root().join(&name)?).await {
                Err(Error::NotFound(_)) => return Ok(Some(Shares { name, granted })),
                taken => drop(taken?),
            }
        }
        Ok(None)
    }

    /// Where a path leads: among the twin's own files, or those that others share with it. `NotFound` if
    /// nothing is shared there.
    pub async fn reach(&self, path: &FilePath) -> Result<Reached> {
        let mut names = path.names();
        let Some(first) = names.next().filter(|name| name.starts_with(SHARED)) else {
            return Ok(Reached::Own(self.files()));
        };
        let Some(shares) = self.shares().await?.filter(|shares| shares.name == first) else {
            return Ok(Reached::Own(self.files()));
        };
        let nothing = || Error::NotFound("file or folder");
        let Some(owner) = names.next().map(str::to_lowercase) else {
            return Ok(Reached::Shares(shares, None));
        };
        let Some(name) = names.next() else {
            let owner = shares.owners().find(|one| one.key() == owner).cloned().ok_or_else(nothing)?;
            return Ok(Reached::Shares(shares, Some(owner)));
        };
        let is_it = |one: &Granted| one.owner.key() == owner && key(&one.node.name) == key(name);
        let granted = shares.granted.into_iter().find(is_it).ok_or_else(nothing)?;
        let files = self.open_granted(&granted);
        let at = FilePath::from_names(path.names().take(3))?;
        Ok(Reached::Granted { granted: Box::new(granted), files, at, rest: FilePath::from_names(names)? })
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

impl Granted {
    /// Where the twin finds it.
    pub fn path(&self, shares: &Shares) -> Result<FilePath> {
        FilePath::from_names([&shares.name, &self.owner.to_string(), &self.node.name])
    }

    /// Tells the owner from others: a node's id is one of its own owner's only.
    pub fn owner_number(&self) -> i64 {
        self.account.0
    }
}

impl Shares {
    pub fn owners(&self) -> impl Iterator<Item = &Address> {
        self.granted.chunk_by(|a, b| a.account == b.account).map(|granted| &granted[0].owner)
    }

    /// All of them, or those of one owner.
    pub fn granted<'a>(&'a self, owner: Option<&'a Address>) -> impl Iterator<Item = &'a Granted> {
        self.granted.iter().filter(move |one| owner.is_none_or(|owner| one.owner.key() == owner.key()))
    }

    /// The folder of all shares, or of those of an owner, as if somebody kept it.
    pub fn folder(&self, owner: Option<&Address>) -> Node {
        let granted = || self.granted(owner);
        let newest = granted().map(|one| one.node.modified_at).max().unwrap_or(0);
        Node {
            // Beyond all ids that are given.
            id: NodeId(i64::MAX - owner.map_or(0, |_| granted().next().map_or(0, |one| one.account.0))),
            kind: NodeKind::Folder,
            name: owner.map_or_else(|| self.name.clone(), Address::to_string),
            size: granted().map(|one| one.node.size).sum(),
            nodes: 1 + granted().map(|one| one.node.nodes).sum::<u64>(),
            content_type: String::new(),
            created_at: newest,
            modified_at: newest,
            etag: self.etag(owner, ""),
            modseq: 0,
            checksum: String::new(),
            has_properties: false,
            blob: None,
        }
    }

    /// The etag of the twin's own top tells what happens in the folder, too: some clients look into a
    /// folder only if its etag is another one.
    pub fn add_to(&self, top: &mut Node) {
        top.etag = self.etag(None, &top.etag);
    }

    fn etag(&self, owner: Option<&Address>, with: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(with.as_bytes());
        for Granted { owner, access, node, .. } in self.granted(owner) {
            let text = format!("\0{owner}\0{}\0{}\0{}", node.name, node.etag, access.number());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex().chars().take(32).collect()
    }
}
