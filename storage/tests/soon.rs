//! Changes of flags that are told before they are written, and the write-ahead log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::cases::assert_counters;
use super::{Place, account, email, on_sqlite};
use crate::{AccountId, Change, Edit, FlagEdit, Flags, Foreseen, IdSet, Listener, MailboxId, Storage};

const INBOX: MailboxId = MailboxId::INBOX;

/// Knows the flags of the one message in INBOX, and hears how they change.
#[derive(Clone, Default)]
struct Memory {
    flags: Arc<Mutex<Flags>>,
    /// Modseqs of changes, in order.
    heard: Arc<Mutex<Vec<u64>>>,
    is_asleep: Arc<AtomicBool>,
}

impl Listener for Memory {
    fn committed(&self, changes: Vec<Change>) {
        for change in changes {
            let Change::Messages { modseq, edit: Edit::Flags { set, clear, .. }, .. } = change else {
                continue;
            };
            let mut flags = crate::locked(&self.flags);
            *flags = (*flags & !clear) | set;
            crate::locked(&self.heard).push(modseq);
        }
    }

    fn foresee(&self, edit: &FlagEdit) -> Option<Foreseen> {
        let flags = *crate::locked(&self.flags);
        let next = (flags & !edit.clear) | edit.set;
        let is_unseen = |flags: Flags| i64::from(!flags.contains(Flags::SEEN));
        (!self.is_asleep.load(Ordering::Relaxed)).then(|| Foreseen {
            failed: IdSet::new(),
            changes: next != flags,
            unseen: is_unseen(next) - is_unseen(flags),
            mailbox: Arc::new(()),
        })
    }
}

async fn change(storage: &Storage, account: AccountId, set: Flags, clear: Flags) {
    let uids = IdSet::range(1, 1);
    let edit = FlagEdit { account, mailbox: INBOX, uids, set, clear, unchanged_since: None };
    assert!(storage.change_flags(edit).await.expect("changed").is_empty());
}

/// Flags in the row, as of now.
async fn written(storage: &Storage, account: AccountId) -> Flags {
    written_with_modseq(storage, account).await.0
}

async fn written_with_modseq(storage: &Storage, account: AccountId) -> (Flags, u64) {
    let mut reader = storage.reader().await.expect("reader");
    let rows = crate::mail::read::rows(&mut reader, account, INBOX, 1, 1).await.expect("read");
    (rows[0].flags, rows[0].modseq)
}

async fn modseq(storage: &Storage, account: AccountId) -> u64 {
    storage.transact([account], move |tx| Box::pin(async move { tx.modseq(account) })).await.expect("modseq")
}

async fn with_one_message(place: &Place) -> (Storage, Memory, AccountId) {
    let storage = place.open().await;
    let memory = Memory::default();
    storage.listen(Box::new(memory.clone()));
    let (id, _) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"body").await;
    storage.append(vec![message]).await.expect("appended");
    (storage, memory, id)
}

/// The next commit holds them, whatever it is for, and whoever reads what they change sees them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_is_in_the_next_commit() {
    let place = on_sqlite();
    let (storage, memory, id) = with_one_message(&place).await;
    change(&storage, id, Flags::SEEN, Flags::NONE).await;
    change(&storage, id, Flags::FLAGGED, Flags::SEEN).await;
    change(&storage, id, Flags::FLAGGED, Flags::NONE).await;
    let heard = crate::locked(&memory.heard).clone();
    assert_eq!(heard.len(), 2, "the third changes nothing");
    assert!(heard[0] < heard[1], "{heard:?}");
    let (rows, _) = storage.mailboxes(id).await.expect("read");
    assert_eq!((rows[0].modseq, rows[0].unseen), (heard[1], 1));
    assert_eq!(written(&storage, id).await, Flags::FLAGGED);
    assert!(modseq(&storage, id).await > heard[1]);
    assert_counters(&storage, id).await;

    change(&storage, id, Flags::ANSWERED, Flags::NONE).await;
    let last = crate::locked(&memory.heard).last().copied().expect("heard");
    storage.close().await;
    drop(storage);
    let storage = place.open().await;
    assert_eq!(written(&storage, id).await, Flags::FLAGGED | Flags::ANSWERED, "closing writes it");
    assert!(modseq(&storage, id).await > last);
}

/// Changes of the same messages are written as one, and who has seen flags that are no more hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_were_there_meanwhile_count() {
    let place = on_sqlite();
    let (storage, memory, id) = with_one_message(&place).await;
    change(&storage, id, Flags::SEEN, Flags::NONE).await;
    change(&storage, id, Flags::NONE, Flags::SEEN).await;
    let heard = crate::locked(&memory.heard).clone();
    assert!(modseq(&storage, id).await > heard[1]);
    assert_eq!(written_with_modseq(&storage, id).await, (Flags::NONE, heard[1]));
    assert_counters(&storage, id).await;
}

/// Who is not asked for anything else writes all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_is_written_soon() {
    let place = on_sqlite();
    let (storage, _, id) = with_one_message(&place).await;
    change(&storage, id, Flags::SEEN, Flags::NONE).await;
    let later = async {
        while written(&storage, id).await != Flags::SEEN {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), later).await.expect("nobody wrote it");
}

/// A job that fails takes nothing with it that was told; one that cannot be told waits for those that
/// were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_stays() {
    let place = on_sqlite();
    let (storage, memory, id) = with_one_message(&place).await;
    change(&storage, id, Flags::SEEN, Flags::NONE).await;
    let fails = storage.transact([id], |_| Box::pin(async { Err::<(), _>(crate::Error::Busy) }));
    assert!(fails.await.is_err());
    assert_eq!(written(&storage, id).await, Flags::SEEN);

    change(&storage, id, Flags::FLAGGED, Flags::NONE).await;
    memory.is_asleep.store(true, Ordering::Relaxed);
    change(&storage, id, Flags::NONE, Flags::FLAGGED | Flags::SEEN).await;
    assert_eq!(written(&storage, id).await, Flags::NONE);
    assert_counters(&storage, id).await;
    let heard = crate::locked(&memory.heard).clone();
    assert!(heard.is_sorted_by(|a, b| a < b), "{heard:?}");
}

/// A commit that fails is made up for before anything else, with modseqs that are not lower.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_outlives_a_failed_commit() {
    let place = on_sqlite();
    let (storage, memory, id) = with_one_message(&place).await;
    change(&storage, id, Flags::SEEN, Flags::NONE).await;
    change(&storage, id, Flags::FLAGGED, Flags::NONE).await;
    let told = crate::locked(&memory.heard).last().copied().expect("heard");
    let breaks = storage.transact([], |tx| {
        tx.connection.defer("INSERT INTO no_such_table VALUES (1)", Vec::new());
        Box::pin(async { Ok(()) })
    });
    assert!(breaks.await.is_err());
    let (rows, _) = storage.mailboxes(id).await.expect("read");
    assert!(rows[0].modseq >= told, "{} {told}", rows[0].modseq);
    assert_eq!(written(&storage, id).await, Flags::SEEN | Flags::FLAGGED);
    assert!(modseq(&storage, id).await > told);
    assert_counters(&storage, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_modseq_is_given_twice_after_a_crash() {
    let place = on_sqlite();
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    storage.close().await;
    drop(storage);

    let storage = place.open().await;
    let before = modseq(&storage, id).await;
    assert!(before < 100, "a clean end skips nothing: {before}");
    // As a start without an end before it.
    let start = storage.transact([], move |tx| {
        Box::pin(async move {
            tx.forget_account(id);
            crate::power::begin(&mut tx.connection).await
        })
    });
    start.await.expect("started");
    assert!(modseq(&storage, id).await > before + 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_begins_anew() {
    let place = on_sqlite();
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let log = place.path().join("hub.db-wal");
    let mut written = 0u64;
    // Without a restart all of it would lie in the log.
    for round in 0..1200u64 {
        let mut body = vec![0u8; 50_000];
        blake3::Hasher::new().update(&round.to_be_bytes()).finalize_xof().fill(&mut body);
        written += body.len() as u64;
        let message = email(&storage, id, &body).await;
        storage.append(vec![message]).await.expect("appended");
    }
    let size = std::fs::metadata(&log).expect("a log").len();
    assert!(size < written, "the log has {size} bytes for {written}");
    storage.close().await;
    assert!(!log.exists(), "everything is in the database after a clean end");
}
