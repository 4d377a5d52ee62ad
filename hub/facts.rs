//! What SEARCH, SORT and THREAD need to know of each e-mail's header, in memory.
//!
//! A mailbox's facts are read from the summaries the first time they are asked for, in a few scans,
//! and then only those of messages that have come. E-mails never change, so nothing is ever wrong;
//! what is gone is dropped when it is much. All mailboxes together stay within a budget of bytes:
//! the one used longest ago is forgotten first.

use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::{Arc, Mutex};

use crate::{AccountId, EmailId, MailboxId, Messages, Record, Result, Snapshot, Uid};

mod criteria;
mod table;

pub(crate) use criteria::{asks_facts, fact_leaf, facts_suffice};
use table::Builder;
pub(crate) use table::{Fact, Key, Table, Text};

type Place = (AccountId, MailboxId);

/// Messages whose summaries are read by one scan of the mailbox.
const SCAN: usize = 4096;
/// Messages whose facts are looked up before others get their turn.
const TURN: usize = 8192;

/// The facts of all mailboxes that were asked for.
pub(crate) struct Facts {
    budget: u64,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    mailboxes: HashMap<Place, Entry>,
    bytes: u64,
    /// Counts uses.
    clock: u64,
}

struct Entry {
    shared: Arc<Shared>,
    used: u64,
    bytes: u64,
}

/// One mailbox's facts. Whoever misses some reads them while the others wait for the same.
#[derive(Default)]
struct Shared {
    table: Mutex<Arc<Table>>,
    reading: tokio::sync::Mutex<()>,
}

impl Facts {
    pub(crate) fn new(budget: u64) -> Self {
        Self { budget, hasher: RandomState::new(), kept: Mutex::default() }
    }

    fn shared(&self, place: Place) -> Arc<Shared> {
        let mut kept = crate::locked(&self.kept);
        kept.clock += 1;
        let used = kept.clock;
        let entry =
            kept.mailboxes.entry(place).or_insert_with(|| Entry { shared: Arc::default(), used, bytes: 0 });
        entry.used = used;
        Arc::clone(&entry.shared)
    }

    /// Counts a mailbox's facts anew and forgets others if they are too much together. A mailbox that
    /// is larger than the budget is kept until another one is used.
    fn weigh(&self, place: Place, bytes: u64) {
        let mut kept = crate::locked(&self.kept);
        let Some(entry) = kept.mailboxes.get_mut(&place) else { return };
        let before = std::mem::replace(&mut entry.bytes, bytes);
        kept.bytes = kept.bytes - before + bytes;
        if kept.bytes <= self.budget {
            return;
        }
        let mut by_use: Vec<(u64, Place)> =
            kept.mailboxes.iter().map(|(place, entry)| (entry.used, *place)).collect();
        by_use.sort_unstable();
        // Some more than needed, so that this is not done for each new mailbox.
        let target = self.budget - self.budget / 8;
        for (_, other) in by_use {
            if kept.bytes <= target {
                break;
            }
            if other != place
                && let Some(entry) = kept.mailboxes.remove(&other)
            {
                kept.bytes -= entry.bytes;
            }
        }
    }

    /// A mailbox is gone.
    pub(crate) fn forget(&self, place: Place) {
        let mut kept = crate::locked(&self.kept);
        if let Some(entry) = kept.mailboxes.remove(&place) {
            kept.bytes -= entry.bytes;
        }
    }
}

impl Messages<'_> {
    /// Facts of these messages of a mailbox, and of others. Of a message that has been reclaimed
    /// there are none.
    pub(crate) async fn facts(
        &self,
        mailbox: MailboxId,
        snapshot: &Snapshot,
        records: &[Record],
    ) -> Result<Arc<Table>> {
        let facts = &self.account.hub.0.facts;
        let place = (self.account.id, mailbox);
        let shared = facts.shared(place);
        let known = || Arc::clone(&crate::locked(&shared.table));
        if let Some(table) = self.known_facts(mailbox, records).await {
            return Ok(table);
        }
        let _reading = shared.reading.lock().await;
        let table = known();
        let missing = missing(&table, records).await;
        if missing.is_empty() {
            return Ok(table);
        }
        let mut table = Table::clone(&table);
        self.read_facts(mailbox, &missing, &mut table).await?;
        if table.len() > 2 * snapshot.len() as usize + SCAN {
            let alive: HashSet<EmailId> = snapshot.iter().map(|record| record.email).collect();
            table.retain(|email| alive.contains(&email));
        }
        let table = Arc::new(table);
        *crate::locked(&shared.table) = Arc::clone(&table);
        facts.weigh(place, table.weight() as u64);
        Ok(table)
    }

    /// The same if they are all in memory.
    pub(crate) async fn known_facts(&self, mailbox: MailboxId, records: &[Record]) -> Option<Arc<Table>> {
        let shared = self.account.hub.0.facts.shared((self.account.id, mailbox));
        let table = Arc::clone(&crate::locked(&shared.table));
        missing(&table, records).await.is_empty().then_some(table)
    }

    async fn read_facts(&self, mailbox: MailboxId, missing: &[Record], table: &mut Table) -> Result<()> {
        let mut builder = Builder::new(&self.account.hub.0.facts.hasher);
        for page in missing.chunks(SCAN) {
            self.read_page(mailbox, page, &mut builder).await?;
            tokio::task::yield_now().await;
        }
        table.add(builder);
        Ok(())
    }

    /// By a scan of the mailbox if most of what lies there is wanted, else one by one.
    async fn read_page(&self, mailbox: MailboxId, page: &[Record], builder: &mut Builder<'_>) -> Result<()> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
        let mut wanted: HashSet<EmailId> = page.iter().map(|record| record.email).collect();
        let mut take = |row: hub_storage::SummaryRow<'_>, wanted: &mut HashSet<EmailId>| {
            if wanted.remove(&row.email) {
                builder.put(row.email, row.thread, row.summary);
            }
        };
        let storage = self.storage();
        if is_dense(page) {
            let range: (Uid, Uid) = (first.uid, last.uid);
            storage.mailbox_summaries(self.account.id, mailbox, range, |row| take(row, &mut wanted)).await?;
        }
        // Others have been expunged meanwhile, and can still be read for an hour.
        if !wanted.is_empty() {
            let rest: Vec<EmailId> = wanted.iter().copied().collect();
            storage.summaries(self.account.id, &rest, |row| take(row, &mut wanted)).await?;
        }
        Ok(())
    }
}

/// True if a scan from the first to the last UID does not read much for nothing.
fn is_dense(page: &[Record]) -> bool {
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return false };
    page.len() > 16 && (last.uid - first.uid) as usize / 4 <= page.len()
}

async fn missing(table: &Table, records: &[Record]) -> Vec<Record> {
    let mut cursor = table.cursor();
    let mut missing = Vec::new();
    for turn in records.chunks(TURN) {
        missing.extend(turn.iter().filter(|record| cursor.find(record.email).is_none()));
        tokio::task::yield_now().await;
    }
    missing
}
