//! What the hub's owner does: domains, twins, app passwords.

use std::collections::HashMap;

use hub_storage::accounts as rows;
use hub_storage::mailboxes;
use hub_storage::rooms::{RoomKind, set_room};

use crate::{AccountId, Address, Door, Error, Hub, Result, Role, Secret, password, unix_now};

#[derive(Clone, Debug)]
pub struct TwinInfo {
    pub handle: Address,
    pub aliases: Vec<Address>,
    /// Bytes in use.
    pub used: u64,
    /// Quota in bytes; `None` is no limit.
    pub limit: Option<u64>,
    /// Unix seconds.
    pub created_at: i64,
}

#[derive(Clone, Debug)]
pub struct AppPasswordInfo {
    pub id: i64,
    pub name: String,
    /// Doors it opens; all if empty.
    pub doors: Vec<Door>,
    pub created_at: i64,
    pub last_used_at: Option<i64>,
}

/// The mailboxes that a new twin gets, so that every client finds the same ones (RFC 6154).
pub(crate) const FIRST_MAILBOXES: [(&str, Role); 6] = [
    ("INBOX", Role::Inbox),
    ("Archive", Role::Archive),
    ("Drafts", Role::Drafts),
    ("Junk", Role::Junk),
    ("Sent", Role::Sent),
    ("Trash", Role::Trash),
];

/// Keywords that every account has from the start. Thunderbird uses the junk keywords only if it
/// sees both of them announced.
const FIRST_KEYWORDS: [&str; 5] = ["$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing"];

/// Capabilities of one twin that can be hidden.
const MOST_HIDDEN: usize = 50;

/// Names of capabilities in upper case, each once. What IMAP is made of cannot be hidden.
fn capability_names(names: &[String]) -> Result<Vec<String>> {
    let mut upper: Vec<String> = names.iter().map(|name| name.trim().to_ascii_uppercase()).collect();
    upper.retain(|name| !name.is_empty());
    upper.sort_unstable();
    upper.dedup();
    if upper.len() > MOST_HIDDEN {
        return Err(Error::Invalid(format!("at most {MOST_HIDDEN} capabilities can be hidden")));
    }
    for name in &upper {
        if name.len() > 40 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Invalid(format!(
                "\"{}\" is not the name of a capability",
                name.escape_debug()
            )));
        }
        if name == "IMAP4REV1" {
            return Err(Error::Invalid("IMAP4rev1 cannot be hidden".into()));
        }
    }
    Ok(upper)
}

impl Hub {
    /// Hosts a domain. `Exists`, `Invalid`.
    pub async fn add_domain(&self, name: &str) -> Result<()> {
        let name = crate::normal_domain(name)
            .filter(|name| !name.starts_with('['))
            .ok_or_else(|| Error::Invalid(format!("\"{}\" is not a domain name", name.escape_debug())))?;
        self.0
            .storage
            .transact([], move |tx| Box::pin(async move { rows::add_domain(tx, &name).await }))
            .await?;
        Ok(())
    }

    pub async fn domains(&self) -> Result<Vec<String>> {
        Ok(self.0.storage.domains().await?)
    }

    /// True if this is one of the hub's domains; `name` in the form in which it was added.
    pub async fn hosts_domain(&self, name: &str) -> Result<bool> {
        match crate::normal_domain(name) {
            Some(name) => Ok(self.0.storage.has_domain(&name).await?),
            None => Ok(false),
        }
    }

    /// Makes a twin with its INBOX and the usual mailboxes. `Exists`; `NotFound` if the domain is
    /// not hosted here.
    pub async fn add_twin(&self, handle: &Address, password: &Secret) -> Result<AccountId> {
        let id = self.add_account(handle, Some(password), None).await?;
        tracing::info!(twin = %handle, "twin added");
        Ok(id)
    }

    /// Nobody can log in to one without a password.
    pub(crate) async fn add_account(
        &self,
        handle: &Address,
        password: Option<&Secret>,
        room: Option<(RoomKind, String)>,
    ) -> Result<AccountId> {
        if !self.0.storage.has_domain(handle.domain()).await? {
            return Err(Error::NotFound("domain"));
        }
        let (hash, scram) = match password {
            Some(password) => self.keep_password(password).await.map(|kept| (kept.hash, kept.scram))?,
            None => (String::new(), Vec::new()),
        };
        let (key, written) = (handle.key(), handle.to_string());
        let quota = self.0.settings.default_quota.unwrap_or(0);
        let identity = match room {
            None => crate::twins::new_identity(handle, unix_now())?,
            // Nobody writes to other hubs from one.
            Some(_) => None,
        };
        let id = self
            .0
            .storage
            .transact([], move |tx| {
                Box::pin(async move {
                    let id = rows::add_account(tx, &key, &written, &hash, &scram, quota).await?;
                    if let Some((kind, name)) = room {
                        set_room(tx, id, kind, &name).await?;
                    }
                    for (name, role) in FIRST_MAILBOXES {
                        mailboxes::create(tx, id, hub_storage::MailboxRow::ROOT, name, Some(role), true)
                            .await?;
                        mailboxes::subscribe(tx, id, name, true).await?;
                    }
                    mailboxes::add_keywords(tx, id, &FIRST_KEYWORDS.map(str::to_owned)).await?;
                    let identity = identity.map(|identity| identity.of(id)).into_iter().collect();
                    crate::twins::add_identities(tx, identity).await?;
                    Ok(id)
                })
            })
            .await?;
        Ok(id)
    }

    pub async fn twins(&self) -> Result<Vec<TwinInfo>> {
        let mut addresses: HashMap<AccountId, Vec<Address>> = HashMap::new();
        for row in self.0.storage.addresses(None).await? {
            addresses.entry(row.account).or_default().push(Address::parse(&row.written)?);
        }
        let accounts = self.0.storage.accounts().await?;
        accounts
            .into_iter()
            .map(|account| {
                let handle = Address::parse(&account.handle)?;
                let mut aliases = addresses.remove(&account.id).unwrap_or_default();
                aliases.retain(|alias| alias.key() != handle.key());
                Ok(TwinInfo {
                    handle,
                    aliases,
                    used: account.bytes,
                    limit: (account.quota > 0).then_some(account.quota),
                    created_at: account.created_at,
                })
            })
            .collect()
    }

    /// Programs must ask their twin anew afterwards (RFC 9700 §4.14.2): whoever knew the old password could have
    /// let one in. App passwords stay; they are made by the owner of the hub and taken back one by one.
    pub async fn set_password(&self, handle: &Address, password: &Secret) -> Result<()> {
        let id = self.twin(handle).await?;
        let kept = self.keep_password(password).await?;
        self.0
            .storage
            .transact([id], move |tx| {
                Box::pin(async move { rows::set_password(tx, id, &kept.hash, &kept.scram).await })
            })
            .await?;
        self.0.oauth.forget(id);
        tracing::info!(twin = %handle, "password changed");
        Ok(())
    }

    /// Quota in bytes, `None` for no limit.
    pub async fn set_quota(&self, handle: &Address, limit: Option<u64>) -> Result<()> {
        let id = self.twin(handle).await?;
        let quota = limit.unwrap_or(0);
        self.0.storage.transact([id], move |tx| Box::pin(rows::set_quota(tx, id, quota))).await?;
        Ok(())
    }

    /// Keeps capabilities from the twin's mail programs that log in from now on; `None` only tells. Returns
    /// the names hidden, in upper case. `Invalid`, `NotFound`.
    pub async fn hidden_capabilities(
        &self,
        handle: &Address,
        hide: Option<&[String]>,
    ) -> Result<Vec<String>> {
        let id = self.twin(handle).await?;
        let Some(hide) = hide else {
            let row = self.0.storage.account(id).await?.ok_or(Error::NotFound("twin"))?;
            return Ok(row.hidden_capabilities.split_whitespace().map(str::to_owned).collect());
        };
        let names = capability_names(hide)?;
        let written = names.join(" ");
        self.0
            .storage
            .transact([id], move |tx| {
                Box::pin(async move { rows::hide_capabilities(tx, id, &written).await })
            })
            .await?;
        tracing::info!(twin = %handle, hidden = ?names, "capabilities hidden");
        Ok(names)
    }

    /// Removes a twin with everything it has. What it sent and is still queued leaves all the same.
    /// `NotFound`.
    pub async fn remove_twin(&self, handle: &Address) -> Result<()> {
        let id = self.twin(handle).await?;
        self.0.storage.transact([id], move |tx| Box::pin(rows::remove_account(tx, id))).await?;
        self.0.mailboxes.forget_account(id);
        tracing::info!(twin = %handle, "twin removed");
        Ok(())
    }

    /// Makes a password for one device; it is returned once and kept only as a hash.
    pub async fn add_app_password(
        &self,
        handle: &Address,
        name: &str,
        doors: &[Door],
    ) -> Result<(i64, Secret)> {
        let id = self.twin(handle).await?;
        let secret = Secret::generate()?;
        let hash = password::app_password_hash(&secret).ok_or(Error::BadCredentials)?;
        let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        let doors = doors.iter().map(|door| door.name()).collect::<Vec<_>>().join(" ");
        let number = self
            .0
            .storage
            .transact([id], move |tx| {
                Box::pin(async move { rows::add_app_password(tx, id, &name, &hash, &doors).await })
            })
            .await?;
        tracing::info!(twin = %handle, number, "app password added");
        Ok((number, secret))
    }

    pub async fn app_passwords(&self, handle: &Address) -> Result<Vec<AppPasswordInfo>> {
        let id = self.twin(handle).await?;
        let passwords = self.0.storage.app_passwords(id).await?;
        Ok(passwords
            .into_iter()
            .map(|row| AppPasswordInfo {
                id: row.id,
                name: row.name,
                doors: row.doors.split(' ').filter_map(Door::from_name).collect(),
                created_at: row.created_at,
                last_used_at: (row.last_used_at > 0).then_some(row.last_used_at),
            })
            .collect())
    }

    pub async fn revoke_app_password(&self, handle: &Address, number: i64) -> Result<()> {
        let id = self.twin(handle).await?;
        self.0.storage.transact([id], move |tx| Box::pin(rows::remove_app_password(tx, id, number))).await?;
        tracing::info!(twin = %handle, number, "app password revoked");
        Ok(())
    }

    /// Looks for damage in the database and the data directory, changing nothing: a sentence each.
    pub async fn find_damage(&self) -> Result<Vec<String>> {
        Ok(self.0.storage.find_damage().await?)
    }

    /// The account whose handle this is (not an alias).
    pub(crate) async fn twin(&self, handle: &Address) -> Result<AccountId> {
        let key = handle.key();
        let accounts = self.0.storage.accounts_of_address(&key).await?;
        let twin = accounts.into_iter().find(|account| account.handle.to_lowercase() == key);
        twin.map(|account| account.id).ok_or(Error::NotFound("twin"))
    }

    async fn keep_password(&self, password: &Secret) -> Result<password::Kept> {
        if password.expose().is_empty() {
            return Err(Error::Invalid("an empty password would let everybody in".into()));
        }
        let password = password.clone();
        self.0.logins.hashing(move || password::keep(&password)).await?
    }
}
