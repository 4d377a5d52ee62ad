//! Keeping up with files, in the background: contents that are new are read once, however many files
//! have them, and what text they have goes into an index of its own, beside that of the mail.
//!
//! What was looked at is in the database, so that it goes on there after a crash, or an upgrade from a
//! version without it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use hub_storage::files::{NodeId, TextForm};
use hub_storage::{BlobId, Corpus, IdSet, Kind, TermBatch};
use tokio::sync::Notify;

use super::documents::{read_documents, terms_of_text, texts_of};
use super::index::{ENOUGH, LISTED, amount_of};
use crate::{AccountId, Error, Inner, Result, apart, locked};

/// What comes in a stream is read together: when nothing came for so long, or at the latest after so
/// many times. Searches look at it meanwhile.
const SETTLE: Duration = Duration::from_secs(1);
const ROUNDS: usize = 15;
/// How often it is seen whether the hub is still there.
const CHECK: Duration = Duration::from_secs(60);
/// Nodes whose contents are asked for at once.
const NODES: usize = 2_000;
/// Contents that are looked at together.
const CONTENTS: usize = 64;

/// Whose files have changed since they were last looked at.
#[derive(Default)]
pub(crate) struct FileTexts {
    changed: Mutex<Changed>,
    news: Notify,
}

#[derive(Default)]
struct Changed {
    accounts: HashSet<AccountId>,
    commits: u64,
}

impl FileTexts {
    /// A commit changed files.
    pub(crate) fn changed(&self, account: AccountId) {
        let mut changed = locked(&self.changed);
        changed.accounts.insert(account);
        changed.commits += 1;
        self.news.notify_one();
    }

    async fn settle(&self) {
        let commits = || locked(&self.changed).commits;
        for _ in 0..ROUNDS {
            let before = commits();
            tokio::time::sleep(SETTLE).await;
            if commits() == before {
                return;
            }
        }
    }

    fn take(&self) -> HashSet<AccountId> {
        std::mem::take(&mut locked(&self.changed).accounts)
    }
}

/// Runs as long as the hub.
pub(crate) async fn keep_read(hub: Weak<Inner>, texts: Arc<FileTexts>) {
    let accounts = match hub.upgrade() {
        Some(hub) => hub.storage.accounts().await,
        None => return,
    };
    let mut due: HashSet<AccountId> = match accounts {
        Ok(accounts) => accounts.into_iter().map(|account| account.id).collect(),
        Err(error) => {
            tracing::warn!(error = %hub_storage::chain(&error), "old files are not read for now");
            HashSet::new()
        }
    };
    loop {
        for account in std::mem::take(&mut due) {
            let Some(hub) = hub.upgrade() else { return };
            if let Err(error) = read_account(&hub, account).await {
                // At shutdown nothing can be written any more: this task ends here then.
                tokio::task::yield_now().await;
                tracing::warn!(account = account.0, %error, "new files are not read for now; searches read more");
            }
        }
        if tokio::time::timeout(CHECK, texts.news.notified()).await.is_ok() {
            texts.settle().await;
            due = texts.take();
        }
        if hub.strong_count() == 0 {
            return;
        }
    }
}

/// Looks at all that has come to an account's files.
pub(super) async fn read_account(hub: &Inner, account: AccountId) -> Result<()> {
    let (since, now) = hub.storage.files_read(account).await?;
    if since < now {
        let changes = match since {
            0 => None,
            _ => hub.storage.changes_since(account, Kind::File, 0, since).await?,
        };
        match changes {
            Some(mut changes) => {
                changes.created.extend(&changes.updated);
                read_nodes(hub, account, &changes.created).await?;
            }
            None => {
                let mut last = NodeId(0);
                loop {
                    let nodes = hub.storage.nodes_after(account, last, NODES).await?;
                    let Some(max) = nodes.max() else { break };
                    read_nodes(hub, account, &nodes).await?;
                    last = NodeId(max as i64);
                }
            }
        }
        hub.storage.set_files_read(account, now).await?;
    }
    index(hub, account).await
}

async fn read_nodes(hub: &Inner, account: AccountId, nodes: &IdSet) -> Result<()> {
    let ids: Vec<u64> = nodes.iter().collect();
    for page in ids.chunks(NODES) {
        let page: IdSet = page.iter().copied().collect();
        let unread: Vec<(BlobId, u64)> =
            hub.storage.unread_contents(account, &page).await?.into_iter().collect();
        for contents in unread.chunks(CONTENTS) {
            read_contents(hub, account, contents).await?;
        }
    }
    Ok(())
}

/// What cannot be read, because it has gone or its file is damaged, has no text.
async fn read_contents(hub: &Inner, account: AccountId, contents: &[(BlobId, u64)]) -> Result<()> {
    let mut forms = read_documents(hub, contents).await;
    if let Err(Error::Unavailable(hub_storage::Error::Damaged(_))) = forms {
        let mut all = Vec::with_capacity(contents.len());
        for content in contents {
            let form = match read_documents(hub, std::slice::from_ref(content)).await {
                Err(Error::Unavailable(hub_storage::Error::Damaged(damage))) => {
                    tracing::debug!(account = account.0, %damage, "a file's content cannot be read");
                    None
                }
                other => other?.pop(),
            };
            all.push(form.unwrap_or(TextForm::Nothing));
        }
        forms = Ok(all);
    }
    let texts = contents.iter().map(|(blob, _)| *blob).zip(forms?).collect();
    Ok(hub.storage.add_texts(account, texts).await?)
}

/// Indexes texts as long as there are enough for a segment, and merges segments.
async fn index(hub: &Inner, account: AccountId) -> Result<()> {
    let storage = &hub.storage;
    storage.clean_index(account, Corpus::Files).await?;
    while index_batch(hub, account).await? {
        while storage.merge_terms(account, Corpus::Files).await? {}
    }
    Ok(())
}

/// Adds one segment. Returns false if there was not enough for it.
async fn index_batch(hub: &Inner, account: AccountId) -> Result<bool> {
    let listed = hub.storage.unindexed(account, Corpus::Files, LISTED).await?;
    if !amount_of(&listed).reaches(ENOUGH) {
        return Ok(false);
    }
    let mut batch = TermBatch::new();
    for page in listed.chunks(CONTENTS) {
        let ids: Vec<i64> = page.iter().map(|(id, _)| *id).collect();
        let mut texts = hub.storage.texts(account, &ids).await?;
        texts.sort_unstable_by_key(|(id, ..)| *id);
        let (ids, forms): (Vec<i64>, Vec<_>) =
            texts.into_iter().map(|(id, blob, form)| (id, (blob, form))).unzip();
        match texts_of(hub, forms).await {
            Ok(texts) => {
                let terms =
                    apart(move || texts.iter().map(|text| terms_of_text(text)).collect::<Vec<_>>()).await?;
                ids.into_iter().zip(terms).for_each(|(id, terms)| batch.push(id, terms));
            }
            Err(error) => {
                tracing::warn!(account = account.0, %error, "some files are not in the index; searches read them");
                ids.into_iter().for_each(|id| batch.pass(id));
            }
        }
        if batch.is_full() {
            break;
        }
    }
    hub.storage.index_terms(account, Corpus::Files, batch).await?;
    Ok(true)
}
