//! What need not wait for the disk, and the write-ahead log.

use std::time::Duration;

use super::{account, email, on_sqlite};
use crate::db::values;
use crate::messages::change_flags;
use crate::{AccountId, Flags, IdSet, MailboxId, Result, Storage, Tx, power};

async fn synchronous(tx: &mut Tx) -> Result<i64> {
    Ok(tx.connection.first("PRAGMA synchronous", values![], |row| row.int(0)).await?.unwrap_or(-1))
}

async fn flag(storage: &Storage, account: AccountId, set: Flags) -> i64 {
    let changed = storage.transact_soon(account, MailboxId::INBOX, move |tx| {
        Box::pin(async move {
            let uids = IdSet::range(1, 1);
            change_flags(tx, account, MailboxId::INBOX, &uids, set, Flags::NONE, None).await?;
            synchronous(tx).await
        })
    });
    changed.await.expect("changed")
}

async fn modseq(storage: &Storage, account: AccountId) -> u64 {
    storage.transact([account], move |tx| Box::pin(async move { tx.modseq(account) })).await.expect("modseq")
}

async fn synced(storage: &Storage) -> i64 {
    let sql = "SELECT value FROM counter WHERE name = 'synced'";
    let mut reader = storage.reader().await.expect("reader");
    reader.first(sql, values![], |row| row.int(0)).await.expect("read").expect("is there")
}

/// 1 is NORMAL, 2 is FULL (SQLite's PRAGMA synchronous).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_changes_of_flags_are_not_synced_at_once() {
    let place = on_sqlite();
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    let message = email(&storage, id, b"body").await;
    storage.append(vec![message]).await.expect("appended");
    let now = || storage.transact([id], |tx| Box::pin(synchronous(tx)));
    assert_eq!(now().await.expect("asked"), 2);
    assert_eq!(flag(&storage, id, Flags::SEEN).await, 1);
    assert_eq!(now().await.expect("asked"), 2, "a commit after it");

    let before = synced(&storage).await;
    assert_eq!(flag(&storage, id, Flags::FLAGGED).await, 1);
    let later = async {
        while synced(&storage).await == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), later).await.expect("nobody synced it");
    assert_eq!(now().await.expect("asked"), 2, "and after that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_modseq_is_given_twice_after_a_power_cut() {
    let place = on_sqlite();
    let storage = place.open().await;
    let (id, _) = account(&storage, "alice", 0).await;
    storage.close().await;
    drop(storage);

    let storage = place.open().await;
    let before = modseq(&storage, id).await;
    assert!(before < 100, "a clean end skips nothing: {before}");
    let start = |boot: &'static str| {
        let storage = storage.clone();
        async move {
            // As at the start, when the writer knows nothing yet.
            let start = storage.transact([], move |tx| {
                Box::pin(async move {
                    tx.forget_account(id);
                    power::begin_on(&mut tx.connection, boot).await
                })
            });
            start.await.expect("started");
            modseq(&storage, id).await
        }
    };
    let first = start("first").await;
    assert!(first > before + 100_000, "another run of the machine skips");
    assert_eq!(start("first").await, first + 1, "the same run does not: nothing was lost");
    assert!(start("").await > first + 100_000, "an unknown one does");
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
