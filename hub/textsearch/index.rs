//! Keeping the index behind text searches up with the mail: in the background, in batches, never
//! while somebody waits for a delivery.
//!
//! A few messages that are not indexed yet cost a search less than a segment of their own, so they
//! are left until there are [`ENOUGH`] of them. Where the index ends is in the database: after a
//! crash, or an upgrade from a version without it, it goes on from there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use hub_storage::{Corpus, Record, Storage, TermBatch};
use tokio::sync::Notify;

use super::terms::Terms;
use super::texts::read_texts;
use crate::{AccountId, EmailId, Inner, Message, Result, locked};

/// Messages that are worth a segment, and bytes.
pub(super) const ENOUGH: Amount = Amount { messages: 32, bytes: 4 * 1024 * 1024 };
/// Messages whose rows are read at once.
const PAGE: usize = 64;
/// Messages to index that are listed at once.
pub(super) const LISTED: usize = 1024;
/// Mail that comes in a stream is indexed together: when hardly any came for so long,
const SETTLE: Duration = Duration::from_secs(1);
/// or there is so much of it. Searches read it meanwhile, which takes a tenth of a second.
const MUCH: Amount = Amount { messages: 4096, bytes: 32 * 1024 * 1024 };
/// How often it is seen whether the hub is still there.
const CHECK: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Default)]
pub(super) struct Amount {
    messages: usize,
    bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn reaches(self, enough: Self) -> bool {
        self.messages >= enough.messages || self.bytes >= enough.bytes
    }
}

/// Of documents with their sizes.
pub(super) fn amount_of(listed: &[(i64, u64)]) -> Amount {
    let mut amount = Amount::default();
    listed.iter().for_each(|(_, bytes)| amount.add(*bytes));
    amount
}

/// What has arrived since it was last indexed.
#[derive(Default)]
pub(crate) struct TextIndex {
    waiting: Mutex<HashMap<AccountId, Amount>>,
    enough: Notify,
}

impl TextIndex {
    /// Counts messages that a commit added.
    pub(crate) fn arrived(&self, account: AccountId, records: &[Record]) {
        let mut waiting = locked(&self.waiting);
        let amount = waiting.entry(account).or_default();
        records.iter().for_each(|record| amount.add(u64::from(record.size)));
        if amount.reaches(ENOUGH) {
            self.enough.notify_one();
        }
    }

    /// Waits for a pause, or until there is much to do.
    async fn settle(&self) {
        let mut before = self.waiting();
        loop {
            tokio::time::sleep(SETTLE).await;
            let now = self.waiting();
            if now.messages < before.messages + ENOUGH.messages || now.reaches(MUCH) {
                return;
            }
            before = now;
        }
    }

    fn waiting(&self) -> Amount {
        let mut sum = Amount::default();
        for amount in locked(&self.waiting).values() {
            sum.messages += amount.messages;
            sum.bytes = sum.bytes.saturating_add(amount.bytes);
        }
        sum
    }

    /// Accounts that have enough to index; their count begins anew.
    fn take_due(&self) -> Vec<AccountId> {
        let due = |_: &AccountId, amount: &mut Amount| amount.reaches(ENOUGH);
        locked(&self.waiting).extract_if(due).map(|(account, _)| account).collect()
    }
}

/// Runs as long as the hub.
pub(crate) async fn keep_indexed(hub: Weak<Inner>, arrivals: Arc<TextIndex>) {
    let accounts = match hub.upgrade() {
        Some(hub) => hub.storage.accounts().await,
        None => return,
    };
    let mut due = match accounts {
        Ok(accounts) => accounts.into_iter().map(|account| account.id).collect(),
        Err(error) => {
            tracing::warn!(error = %hub_storage::chain(&error), "old mail is not indexed for now");
            Vec::new()
        }
    };
    loop {
        for account in std::mem::take(&mut due) {
            let Some(hub) = hub.upgrade() else { return };
            if let Err(error) = index_account(&hub.storage, account, ENOUGH).await {
                // At shutdown nothing can be written any more: this task ends here then.
                tokio::task::yield_now().await;
                tracing::warn!(account = account.0, %error, "the search index stays behind; searches read more");
            }
        }
        if tokio::time::timeout(CHECK, arrivals.enough.notified()).await.is_ok() {
            arrivals.settle().await;
            due = arrivals.take_due();
        }
        if hub.strong_count() == 0 {
            return;
        }
    }
}

/// Indexes what the account has as long as it is enough for a segment, and merges segments.
async fn index_account(storage: &Storage, account: AccountId, enough: Amount) -> Result<()> {
    storage.clean_index(account, Corpus::Mail).await?;
    while index_batch(storage, account, enough).await? {
        while storage.merge_terms(account, Corpus::Mail).await? {}
    }
    Ok(())
}

/// Adds one segment. Returns false if there was not enough for it.
async fn index_batch(storage: &Storage, account: AccountId, enough: Amount) -> Result<bool> {
    let listed = storage.unindexed(account, Corpus::Mail, LISTED).await?;
    if !amount_of(&listed).reaches(enough) || listed.is_empty() {
        return Ok(false);
    }
    let mut batch = TermBatch::new();
    for page in listed.chunks(PAGE) {
        let ids: Vec<EmailId> = page.iter().map(|(id, _)| EmailId(*id)).collect();
        add_page(storage, account, &ids, &mut batch).await?;
        if batch.is_full() {
            break;
        }
    }
    storage.index_terms(account, Corpus::Mail, batch).await?;
    Ok(true)
}

/// Adds the terms of these e-mails, in order. What cannot be read stays unknown to the index.
async fn add_page(
    storage: &Storage,
    account: AccountId,
    ids: &[EmailId],
    batch: &mut TermBatch,
) -> Result<()> {
    let mut rows = storage.emails(account, ids).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let messages: Vec<(EmailId, Message)> =
        rows.into_iter().map(|row| (row.id, Message::from(row))).collect();
    let all: Vec<&Message> = messages.iter().map(|(_, message)| message).collect();
    let terms = |sink: Terms| sink.iter().collect::<Vec<u32>>();
    let read = read_texts(storage, &all, Terms::new, terms).await;
    if let Ok(lists) = read {
        messages.iter().zip(lists).for_each(|((id, _), list)| batch.push(id.0, list));
        return Ok(());
    }
    for (id, message) in &messages {
        match read_texts(storage, &[message], Terms::new, terms).await {
            Ok(lists) => lists.into_iter().for_each(|list| batch.push(id.0, list)),
            Err(error) => {
                tracing::warn!(account = account.0, email = id.0, %error, "a message cannot be indexed");
                batch.pass(id.0);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) async fn index_all(storage: &Storage, account: AccountId) -> Result<()> {
    index_account(storage, account, Amount { messages: 1, bytes: 0 }).await
}
