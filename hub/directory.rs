//! Accounts' mailboxes in memory, with the counters of the last commit: LIST, STATUS, SELECT and
//! APPEND ask for them all the time, and nothing changes without a commit of this hub.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use hub_storage::{Counters, MailboxRow, Storage};

use crate::cache::Cache;
use crate::mailboxes::{LEVELS, MailboxInfo};
use crate::{AccountId, MailboxId, Result, Role};

/// The mailboxes and subscriptions of one account.
pub(crate) struct Directory {
    /// Sorted by path, INBOX first. Only counters change; for anything else there is a new directory.
    infos: Mutex<Vec<MailboxInfo>>,
    by_path: HashMap<String, usize>,
    by_id: HashMap<MailboxId, usize>,
    /// All subscribed paths, sorted, whether they exist or not.
    subscriptions: Vec<String>,
}

impl Directory {
    fn new(rows: Vec<MailboxRow>, subscriptions: Vec<String>) -> Self {
        let subscribed: HashSet<&str> = subscriptions.iter().map(String::as_str).collect();
        let parents: HashSet<MailboxId> = rows.iter().map(|row| row.parent).collect();
        let mut paths = paths(&rows);
        let mut infos: Vec<MailboxInfo> = rows
            .into_iter()
            .map(|row| {
                let path = paths.remove(&row.id).unwrap_or_else(|| row.name.clone());
                let (has_children, subscribed) =
                    (parents.contains(&row.id), subscribed.contains(path.as_str()));
                MailboxInfo::new(row, path, has_children, subscribed)
            })
            .collect();
        infos.sort_by(|a, b| (a.id != MailboxId::INBOX, &a.path).cmp(&(b.id != MailboxId::INBOX, &b.path)));
        let places = || infos.iter().enumerate();
        Self {
            by_path: places().map(|(place, info)| (info.path.clone(), place)).collect(),
            by_id: places().map(|(place, info)| (info.id, place)).collect(),
            infos: Mutex::new(infos),
            subscriptions,
        }
    }

    pub(crate) fn all(&self) -> Vec<MailboxInfo> {
        crate::locked(&self.infos).clone()
    }

    /// The mailbox with this path, which must be in its normal form.
    pub(crate) fn at(&self, path: &str) -> Option<MailboxInfo> {
        let place = *self.by_path.get(path)?;
        crate::locked(&self.infos).get(place).cloned()
    }

    /// Those of these mailboxes that there are.
    pub(crate) fn with(&self, ids: &[MailboxId]) -> Vec<MailboxInfo> {
        let infos = crate::locked(&self.infos);
        ids.iter().filter_map(|id| infos.get(*self.by_id.get(id)?).cloned()).collect()
    }

    /// The mailbox with this special use, if it can hold messages.
    pub(crate) fn with_role(&self, role: Role) -> Option<MailboxId> {
        let infos = crate::locked(&self.infos);
        infos.iter().find(|info| info.role == Some(role) && info.selectable).map(|info| info.id)
    }

    pub(crate) fn subscriptions(&self) -> &[String] {
        &self.subscriptions
    }

    fn count(&self, counters: &Counters) {
        let Some(&place) = self.by_id.get(&counters.mailbox) else { return };
        if let Some(info) = crate::locked(&self.infos).get_mut(place) {
            info.uid_next = counters.uid_next;
            info.modseq = counters.modseq;
            info.total = u32::try_from(counters.total).unwrap_or(u32::MAX);
            info.unseen = u32::try_from(counters.unseen).unwrap_or(u32::MAX);
            info.bytes = counters.bytes;
        }
    }
}

/// Full paths of all rows.
pub(crate) fn paths(rows: &[MailboxRow]) -> HashMap<MailboxId, String> {
    let by_id: HashMap<MailboxId, &MailboxRow> = rows.iter().map(|row| (row.id, row)).collect();
    let mut paths = HashMap::with_capacity(rows.len());
    for row in rows {
        let mut names = vec![row.name.as_str()];
        let mut above = row.parent;
        while let Some(parent) = by_id.get(&above).filter(|_| names.len() <= LEVELS) {
            names.push(&parent.name);
            above = parent.parent;
        }
        names.reverse();
        paths.insert(row.id, names.join("/"));
    }
    paths
}

/// The directories of recently used accounts.
pub(crate) struct Directories(Cache<AccountId, Arc<Directory>>);

impl Directories {
    pub(crate) fn new() -> Self {
        Self(Cache::new())
    }

    /// The account's directory as of the last commit.
    pub(crate) async fn get(&self, storage: &Storage, account: AccountId) -> Result<Arc<Directory>> {
        match self.0.get(&account) {
            Ok(directory) => Ok(directory),
            Err(ticket) => {
                let (rows, subscriptions) = storage.mailboxes(account).await?;
                let weight = rows.len() + subscriptions.len();
                let directory = Arc::new(Directory::new(rows, subscriptions));
                self.0.put_weighted(ticket, account, Arc::clone(&directory), weight / 20 + 1);
                Ok(directory)
            }
        }
    }

    /// A commit has left a mailbox with these counters.
    pub(crate) fn count(&self, account: AccountId, counters: &Counters) {
        match self.0.get(&account) {
            Ok(directory) => directory.count(counters),
            // Whoever is reading it just now may have read too early.
            Err(_) => self.0.remove(&account),
        }
    }

    pub(crate) fn forget(&self, account: AccountId) {
        self.0.remove(&account);
    }
}
