//! What PostgreSQL commits for a process that is dead already. A run and the one after it are two
//! storages with one node's name, and commits of the first are held up where they matter.

use std::time::Duration;

use tokio::sync::oneshot;

use super::queue::{claim_as, push};
use super::{Place, account, postgres::Postgres};
use crate::queue::{self, Settled, Settlement};
use crate::{AccountId, BoxFuture, Database, Result, Storage, Tx};

/// Two runs of one node on one database.
struct Runs {
    dead: Storage,
    alive: Storage,
    database: sqlx::PgPool,
    _places: [Place; 2],
    _server: Postgres,
}

impl Runs {
    async fn start() -> Option<Self> {
        let Some(server) = Postgres::start() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed");
            eprintln!("SKIPPED: PostgreSQL is not installed (Debian's package postgresql)");
            return None;
        };
        let place = || Place {
            directory: tempfile::tempdir().expect("a temporary directory"),
            database: Database::Postgres(server.url()),
        };
        let places = [place(), place()];
        let dead = places[0].open().await;
        std::fs::copy(places[0].path().join("node"), places[1].path().join("node")).expect("the name");
        let alive = places[1].open().await;
        let database = sqlx::PgPool::connect(&server.url()).await.expect("connects");
        Some(Self { dead, alive, database, _places: places, _server: server })
    }

    async fn release(&self) -> u64 {
        release(&self.alive).await
    }

    async fn claim(&self, now: i64) -> usize {
        claim_as(&self.alive, name(&self.alive), "a.test", now).await.len()
    }

    /// Waits until somebody waits for a lock.
    async fn until_blocked(&self) {
        let sql = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(&self.database).await.expect("asked") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn name(storage: &Storage) -> &'static str {
    String::leak(storage.lessee().to_owned())
}

async fn release(storage: &Storage) -> u64 {
    let lessee = name(storage);
    let release = storage.transact([], move |tx| Box::pin(queue::release_leases(tx, lessee)));
    release.await.expect("released")
}

/// A transaction that has done its work, and waits for leave to commit.
struct Held {
    commit: oneshot::Sender<()>,
    end: tokio::task::JoinHandle<Result<()>>,
}

impl Held {
    async fn start<F>(storage: &Storage, work: F) -> Self
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<()>> + Send + 'static,
    {
        let (done, is_done) = oneshot::channel();
        let (commit, may_commit) = oneshot::channel();
        let storage = storage.clone();
        let end = tokio::spawn(async move {
            let held = storage.transact([], move |tx| {
                Box::pin(async move {
                    work(tx).await?;
                    done.send(()).expect("the test waits");
                    may_commit.await.expect("the test gives leave");
                    Ok(())
                })
            });
            held.await
        });
        is_done.await.expect("done");
        Self { commit, end }
    }

    async fn commit(self) {
        self.commit.send(()).expect("it waits");
        self.end.await.expect("no panic").expect("committed");
    }
}

/// The new run begins while the claim of the one before is not committed: it does not see that lease
/// then, and finds it at its next look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_committed_after_the_next_run_has_begun() {
    let Some(runs) = Runs::start().await else { return };
    let (sender, _) = account(&runs.dead, "alice", 0).await;
    let (_, now) = push(&runs.dead, sender, &["bob@a.test"]).await;
    let lessee = name(&runs.dead);
    let claim = Held::start(&runs.dead, move |tx| {
        Box::pin(async move {
            let flow = queue::Flow { hop: "a.test".into(), account: AccountId(1) };
            queue::claim(tx, "mx", &flow, 10, (now, now + 300), lessee).await.map(drop)
        })
    });
    let claim = claim.await;
    assert_eq!(runs.release().await, 0);
    assert_eq!(runs.claim(now).await, 0, "the dead run has the row");
    claim.commit().await;
    assert_eq!(runs.claim(now).await, 0, "and now its lease");
    assert_eq!(runs.release().await, 1);
    assert_eq!(runs.claim(now).await, 1);
}

/// The outcome is committed while the new run takes over: it waits, and has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_is_committed_while_the_next_run_begins() {
    let Some(runs) = Runs::start().await else { return };
    let (sender, _) = account(&runs.dead, "alice", 0).await;
    let (message, now) = push(&runs.dead, sender, &["bob@a.test"]).await;
    let lessee = name(&runs.dead);
    assert_eq!(claim_as(&runs.dead, lessee, "a.test", now).await.len(), 1);
    let outcome = Held::start(&runs.dead, move |tx| {
        Box::pin(async move {
            assert_eq!(queue::still_leased(tx, lessee, &[(message, 1)]).await?.len(), 1);
            let outcomes = vec![(1, Settled::Done)];
            queue::settle(tx, &[Settlement { message, outcomes }], i64::MAX).await
        })
    });
    let outcome = outcome.await;
    let alive = runs.alive.clone();
    let taking_over = tokio::spawn(async move { release(&alive).await });
    runs.until_blocked().await;
    outcome.commit().await;
    assert_eq!(taking_over.await.expect("no panic"), 0);
    assert_eq!(runs.claim(now).await, 0, "it is settled");
}

/// The new run has ended the lease, and even taken one of its own, before the dead one's outcome gets
/// to the database: that is void.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_comes_after_the_next_run_has_begun() {
    let Some(runs) = Runs::start().await else { return };
    let (sender, _) = account(&runs.dead, "alice", 0).await;
    let (message, now) = push(&runs.dead, sender, &["bob@a.test"]).await;
    assert_eq!(claim_as(&runs.dead, name(&runs.dead), "a.test", now).await.len(), 1);
    let leased = |storage: &Storage| {
        let (storage, lessee) = (storage.clone(), name(storage));
        async move {
            let leased = storage.transact([], move |tx| {
                Box::pin(async move { queue::still_leased(tx, lessee, &[(message, 1)]).await })
            });
            leased.await.expect("asked")
        }
    };
    assert_eq!(runs.release().await, 1);
    assert!(leased(&runs.dead).await.is_empty(), "nobody's");
    assert_eq!(runs.claim(now).await, 1);
    assert!(leased(&runs.dead).await.is_empty(), "the next run's");
    assert_eq!(leased(&runs.alive).await.len(), 1);
}
