//! Which e-mail belongs to which conversation, in memory: an e-mail is given its thread once, so what is
//! known is never wrong, and only what has come since is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::emails::Emails;
use crate::{AccountId, EmailId, Result};

/// E-mails that are kept in all; 32 bytes each.
const MOST: usize = 2_000_000;

/// The threads of an account. Some of the e-mails may lie in no mailbox any more.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    /// Ascending.
    by_email: Vec<(EmailId, i64)>,
    /// Ascending.
    by_thread: Vec<(i64, EmailId)>,
}

impl Threads {
    pub fn thread(&self, email: EmailId) -> Option<i64> {
        let at = self.by_email.binary_search_by_key(&email, |(email, _)| *email).ok()?;
        Some(self.by_email[at].1)
    }

    /// E-mails of a thread, ascending.
    pub fn emails(&self, thread: i64) -> impl Iterator<Item = EmailId> + '_ {
        let start = self.by_thread.partition_point(|(other, _)| *other < thread);
        self.by_thread[start..].iter().take_while(move |(other, _)| *other == thread).map(|(_, email)| *email)
    }

    fn last(&self) -> EmailId {
        self.by_email.last().map_or(EmailId(0), |(email, _)| *email)
    }

    fn with(&self, mut new: Vec<(EmailId, i64)>) -> Self {
        new.sort_unstable();
        let mut next = self.clone();
        next.by_thread.extend(new.iter().map(|(email, thread)| (*thread, *email)));
        next.by_email.extend(new);
        // Two runs that ascend: a merge.
        next.by_thread.sort();
        next
    }
}

#[derive(Default)]
struct Shared {
    threads: Mutex<Arc<Threads>>,
    reading: tokio::sync::Mutex<()>,
}

/// The conversations of all accounts that were asked for.
#[derive(Default)]
pub(crate) struct Conversations(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    accounts: HashMap<AccountId, (Arc<Shared>, u64)>,
    /// Counts uses.
    clock: u64,
}

impl Conversations {
    fn shared(&self, account: AccountId) -> Arc<Shared> {
        let mut kept = crate::locked(&self.0);
        kept.clock += 1;
        let now = kept.clock;
        let (shared, used) = kept.accounts.entry(account).or_default();
        *used = now;
        Arc::clone(shared)
    }

    /// Forgets those used longest ago, if it is too much in all.
    fn weigh(&self) {
        let mut kept = crate::locked(&self.0);
        let length = |shared: &Shared| crate::locked(&shared.threads).by_email.len();
        let mut total: usize = kept.accounts.values().map(|(shared, _)| length(shared)).sum();
        while total > MOST && kept.accounts.len() > 1 {
            let oldest = kept.accounts.iter().min_by_key(|(_, (_, used))| *used).map(|(account, _)| *account);
            let Some((shared, _)) = oldest.and_then(|account| kept.accounts.remove(&account)) else { return };
            total -= length(&shared);
        }
    }
}

impl Emails<'_> {
    /// The threads of all e-mails that there are by now.
    pub async fn conversations(&self) -> Result<Arc<Threads>> {
        let hub = &self.account.hub.0;
        let shared = hub.conversations.shared(self.account.id);
        let _reading = shared.reading.lock().await;
        let known = Arc::clone(&crate::locked(&shared.threads));
        let new = hub.storage.threads_above(self.account.id, known.last()).await?;
        if new.is_empty() {
            return Ok(known);
        }
        let threads = Arc::new(known.with(new));
        *crate::locked(&shared.threads) = Arc::clone(&threads);
        hub.conversations.weigh();
        Ok(threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_grow() {
        let ids = |ids: &[(i64, i64)]| {
            ids.iter().map(|(email, thread)| (EmailId(*email), *thread)).collect::<Vec<_>>()
        };
        let threads = Threads::default().with(ids(&[(3, 3), (5, 3), (4, 4)])).with(ids(&[(9, 4), (7, 3)]));
        assert_eq!(threads.thread(EmailId(7)), Some(3));
        assert_eq!(threads.thread(EmailId(6)), None);
        assert_eq!(threads.emails(3).map(|email| email.0).collect::<Vec<_>>(), [3, 5, 7]);
        assert_eq!(threads.emails(4).map(|email| email.0).collect::<Vec<_>>(), [4, 9]);
        assert_eq!(threads.emails(5).count(), 0);
        assert_eq!(threads.last(), EmailId(9));
    }
}
