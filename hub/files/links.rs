//! Public links: whoever has the address may read a file or folder, or add to a folder, until the link
//! expires or is removed.

use hub_storage::Error as Refusal;
use hub_storage::files::{self, NewLink};

use crate::files::sharing::{Access, By};
use crate::files::{FilePath, Files, Node};
use crate::{AccountId, Error, Hub, Result, Secret, password};

/// Links of an account at most.
const LINKS: usize = 1000;
/// Letters of a token: 160 bits.
const TOKEN: usize = 32;

/// Names a link of a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkId(pub i64);

/// A link that is to be.
#[derive(Clone, Debug)]
pub struct LinkRequest {
    /// [`Access::Read`], or [`Access::Upload`] for a folder.
    pub access: Access,
    pub password: Option<Secret>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
}

/// A link that is there. What opens it is told once, when it is made.
#[derive(Clone, Debug)]
pub struct Link {
    pub id: LinkId,
    pub access: Access,
    pub has_password: bool,
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub created_at: i64,
    pub node: Node,
    /// `None` if it is in the trash.
    pub path: Option<FilePath>,
}

impl Files {
    /// Makes a link to what is at a path; returns the secret part of its address. `NotFound`,
    /// `Forbidden` for the top and for others than the owner, `Invalid`, `Limit` for more than 1,000.
    pub async fn add_link(&self, path: &FilePath, request: LinkRequest) -> Result<(LinkId, Secret)> {
        self.is_owner()?;
        if path.is_root() {
            return Err(Error::Forbidden("a folder in it can be shared, not the top itself"));
        }
        if request.access.may_write() {
            return Err(Error::Invalid("a link is for reading or for adding files".to_owned()));
        }
        let password = match request.password {
            Some(secret) => self.hub.0.logins.hashing(move || password::keep(&secret)).await??.hash,
            None => String::new(),
        };
        let token = random_token()?;
        let hash = hash_of(token.expose());
        let (work, path) = (self.work(), path.clone());
        let id = self
            .transact(move |tx| {
                Box::pin(async move {
                    let found = work.find(tx, &path).await?;
                    let node = found.existing()?;
                    if request.access == Access::Upload && !node.is_folder {
                        return Err(Refusal::Forbidden("files are added to folders"));
                    }
                    let new = NewLink {
                        node: node.id,
                        token: hash,
                        access: request.access.number(),
                        password,
                        expires_at: request.expires_at.unwrap_or(0),
                    };
                    files::add_link(tx, work.account, new, LINKS).await
                })
            })
            .await?;
        Ok((LinkId(id), token))
    }

    /// All links of the owner. `Forbidden` for others.
    pub async fn links(&self) -> Result<Vec<Link>> {
        self.is_owner()?;
        let rows = self.storage().file_links(self.owner).await?;
        let nodes: Vec<_> = rows.iter().map(|row| row.node.id).collect();
        let paths = self.paths(&nodes).await?;
        let link = |row: files::LinkRow| {
            Some(Link {
                path: paths.get(&row.node.id).cloned(),
                id: LinkId(row.id),
                access: Access::from_number(row.access)?,
                has_password: !row.password.is_empty(),
                expires_at: (row.expires_at > 0).then_some(row.expires_at),
                created_at: row.created_at,
                node: self.node(row.node),
            })
        };
        Ok(rows.into_iter().filter_map(link).collect())
    }

    /// Ends a link at once. `NotFound`, `Forbidden`.
    pub async fn remove_link(&self, link: LinkId) -> Result<()> {
        self.is_owner()?;
        let owner = self.owner;
        self.transact(move |tx| Box::pin(files::remove_link(tx, owner, link.0))).await
    }
}

impl Hub {
    /// The files that a link opens; the empty path is what it points to, a folder or a file. `NotFound` if
    /// there is no such link (any more) or what it points to was deleted; `BadCredentials` if it has
    /// another password, or none is given. Who was right is remembered for minutes, as for log-ins; how
    /// often others may guess is for the door to limit.
    pub async fn open_link(&self, token: &str, password: Option<&Secret>) -> Result<Files> {
        let unknown = || Error::NotFound("link");
        if token.len() != TOKEN {
            return Err(unknown());
        }
        let row = self.0.storage.file_link(&hash_of(token)).await?.ok_or_else(unknown)?;
        let has_expired = row.expires_at > 0 && row.expires_at <= crate::unix_now();
        if has_expired || !self.is_in_files(row.owner, row.node.id).await? {
            return Err(unknown());
        }
        if !row.password.is_empty() {
            let secret = password.ok_or(Error::BadCredentials)?;
            if !self.0.logins.verify_of_link(token, secret, row.password).await? {
                return Err(Error::BadCredentials);
            }
        }
        Ok(Files {
            hub: self.clone(),
            owner: row.owner,
            top: row.node.id,
            // Nobody's: links hold no locks.
            user: AccountId(0),
            by: By::Link(row.id),
            access: Access::from_number(row.access).ok_or_else(unknown)?,
        })
    }
}

/// What is kept of a token: it is random, so a plain hash tells nothing.
fn hash_of(token: &str) -> Vec<u8> {
    blake3::hash(token.as_bytes()).as_bytes().to_vec()
}

/// Letters and digits that are not mistaken for each other.
fn random_token() -> Result<Secret> {
    let (first, second) = (Secret::generate()?, Secret::generate()?);
    let letters = first.expose().chars().chain(second.expose().chars()).filter(|c| *c != '-');
    Ok(Secret::new(letters.collect::<String>()))
}
