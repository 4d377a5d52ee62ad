//! Messages that were read lately, in memory: every device of a twin asks for a new message within
//! seconds, and each time anew it would be looked up and unpacked.
//!
//! Rows and contents never change, so nothing here can be wrong, only gone: a message that is in no
//! mailbox any more is reclaimed after an hour, and an entry is not believed as long as that.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hub_storage::BlobId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::{AccountId, EmailId, Message};

/// How long an entry is good. The storage keeps what is gone for an hour.
const GOOD: Duration = Duration::from_secs(30 * 60);
/// Longer starts of messages are read again each time: one of them would push out hundreds.
const LONGEST: usize = 128 << 10;
/// The longest one that is kept before anybody has asked for it: to unpack a longer one costs little
/// beside sending it, and a few hundred of them would fill the cache.
const LONGEST_UNASKED: usize = 16 << 10;
/// What an entry costs besides its bytes.
const OVERHEAD: u64 = 150;

#[derive(Clone)]
struct Row {
    message: Message,
    since: Instant,
}

/// The first bytes of a blob, unpacked.
#[derive(Clone)]
struct Start {
    bytes: Bytes,
    since: Instant,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<(AccountId, EmailId), Row> for Weigh {
    fn weight(&self, _: &(AccountId, EmailId), row: &Row) -> u64 {
        OVERHEAD + (row.message.prefix.len() + row.message.summary.len()) as u64
    }
}

impl Weighter<BlobId, Start> for Weigh {
    fn weight(&self, _: &BlobId, start: &Start) -> u64 {
        OVERHEAD + start.bytes.len() as u64
    }
}

/// Both caches within one budget.
pub(crate) struct Recent {
    rows: Cache<(AccountId, EmailId), Row, Weigh>,
    starts: Cache<BlobId, Start, Weigh>,
}

impl Recent {
    /// `budget` in bytes.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            rows: Cache::with_weighter(1000, budget / 4, Weigh),
            starts: Cache::with_weighter(1000, budget - budget / 4, Weigh),
        }
    }

    /// Those of these messages that are known, in the same order.
    pub(crate) fn rows(&self, account: AccountId, emails: &[EmailId]) -> Vec<Option<Message>> {
        let now = Instant::now();
        let row = |email: &EmailId| {
            let row = self.rows.get(&(account, *email))?;
            (now.saturating_duration_since(row.since) < GOOD).then_some(row.message)
        };
        emails.iter().map(row).collect()
    }

    pub(crate) fn keep_row(&self, account: AccountId, email: EmailId, message: &Message) {
        self.rows.insert((account, email), Row { message: message.clone(), since: Instant::now() });
    }

    /// The first `length` bytes of the message's blob, or all of it if it is shorter.
    pub(crate) fn start(&self, message: &Message, length: usize) -> Option<Bytes> {
        let wanted = usize::try_from(message.blob_size).map_or(length, |size| size.min(length));
        self.start_of(message.blob, wanted)
    }

    /// The first `wanted` bytes of a blob that has so many.
    pub(crate) fn start_of(&self, blob: BlobId, wanted: usize) -> Option<Bytes> {
        let start = self.starts.get(&blob)?;
        let is_good = start.bytes.len() >= wanted && start.since.elapsed() < GOOD;
        is_good.then(|| start.bytes.slice(..wanted))
    }

    /// A message that comes just now: whoever waits for it is going to ask for it at once.
    pub(crate) fn keep_arrived(&self, blob: BlobId, bytes: &Bytes) {
        if bytes.len() <= LONGEST_UNASKED {
            self.keep_start(blob, bytes);
        }
    }

    pub(crate) fn keep_start(&self, blob: BlobId, bytes: &Bytes) {
        if bytes.len() <= LONGEST {
            self.starts.insert(blob, Start { bytes: bytes.clone(), since: Instant::now() });
        }
    }
}
