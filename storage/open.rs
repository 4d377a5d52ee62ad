//! Opening a database: pools, pragmas, migrations, the lock on the data directory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{mpsc, oneshot};

use crate::blobs::BlobStore;
use crate::checkpoint::{self, Checkpoints};
use crate::db::{Connection, values};
use crate::mail::append::{Appended, NewEmail};
use crate::told::{FlagEdit, Listener};
use crate::tx::Tx;
use crate::writer::{BoxFuture, Closure, Job, Request, Writer};
use crate::{AccountId, Error, IdSet, MailboxId, Result, Spool, node, power};

/// Where the rows live.
#[derive(Clone, Debug)]
pub enum Database {
    /// `hub.db` in the data directory.
    Sqlite,
    /// `postgres://…`
    Postgres(String),
}

#[derive(Clone, Debug)]
pub struct Options {
    /// For blobs, the spool, the lock and SQLite's file. Made if missing.
    pub data_dir: PathBuf,
    pub database: Database,
}

/// Read connections. More than cores, because readers also wait for the disk.
const READERS: u32 = 4;

/// Migrations in order. An applied one is never edited.
const MIGRATIONS: &[(&str, &str)] = &[
    (include_str!("migrations/sqlite/0001_start.sql"), include_str!("migrations/postgres/0001_start.sql")),
    (
        include_str!("migrations/sqlite/0002_metadata.sql"),
        include_str!("migrations/postgres/0002_metadata.sql"),
    ),
    (include_str!("migrations/sqlite/0003_terms.sql"), include_str!("migrations/postgres/0003_terms.sql")),
    (
        include_str!("migrations/sqlite/0004_imports.sql"),
        include_str!("migrations/postgres/0004_imports.sql"),
    ),
    (
        include_str!("migrations/sqlite/0005_terms_of_headers_within.sql"),
        include_str!("migrations/postgres/0005_terms_of_headers_within.sql"),
    ),
    (include_str!("migrations/sqlite/0006_dkim.sql"), include_str!("migrations/postgres/0006_dkim.sql")),
    (include_str!("migrations/sqlite/0007_dmarc.sql"), include_str!("migrations/postgres/0007_dmarc.sql")),
    (include_str!("migrations/sqlite/0008_sieve.sql"), include_str!("migrations/postgres/0008_sieve.sql")),
    (include_str!("migrations/sqlite/0009_junk.sql"), include_str!("migrations/postgres/0009_junk.sql")),
    (
        include_str!("migrations/sqlite/0010_transport.sql"),
        include_str!("migrations/postgres/0010_transport.sql"),
    ),
    (include_str!("migrations/sqlite/0011_queue.sql"), include_str!("migrations/postgres/0011_queue.sql")),
    (
        include_str!("migrations/sqlite/0012_forward.sql"),
        include_str!("migrations/postgres/0012_forward.sql"),
    ),
    (
        include_str!("migrations/sqlite/0013_reports.sql"),
        include_str!("migrations/postgres/0013_reports.sql"),
    ),
    (include_str!("migrations/sqlite/0014_files.sql"), include_str!("migrations/postgres/0014_files.sql")),
    (include_str!("migrations/sqlite/0015_items.sql"), include_str!("migrations/postgres/0015_items.sql")),
    (
        include_str!("migrations/sqlite/0016_contact.sql"),
        include_str!("migrations/postgres/0016_contact.sql"),
    ),
    (
        include_str!("migrations/sqlite/0017_sharing.sql"),
        include_str!("migrations/postgres/0017_sharing.sql"),
    ),
    (
        include_str!("migrations/sqlite/0018_schedule.sql"),
        include_str!("migrations/postgres/0018_schedule.sql"),
    ),
    (include_str!("migrations/sqlite/0019_lease.sql"), include_str!("migrations/postgres/0019_lease.sql")),
    (include_str!("migrations/sqlite/0020_oauth.sql"), include_str!("migrations/postgres/0020_oauth.sql")),
    (include_str!("migrations/sqlite/0021_emails.sql"), include_str!("migrations/postgres/0021_emails.sql")),
    (
        include_str!("migrations/sqlite/0022_sending.sql"),
        include_str!("migrations/postgres/0022_sending.sql"),
    ),
    (
        include_str!("migrations/sqlite/0023_file_text.sql"),
        include_str!("migrations/postgres/0023_file_text.sql"),
    ),
    (include_str!("migrations/sqlite/0024_alarm.sql"), include_str!("migrations/postgres/0024_alarm.sql")),
    (include_str!("migrations/sqlite/0025_twins.sql"), include_str!("migrations/postgres/0025_twins.sql")),
    (
        include_str!("migrations/sqlite/0026_collection_grant.sql"),
        include_str!("migrations/postgres/0026_collection_grant.sql"),
    ),
    (include_str!("migrations/sqlite/0027_rooms.sql"), include_str!("migrations/postgres/0027_rooms.sql")),
    (
        include_str!("migrations/sqlite/0028_phonebook.sql"),
        include_str!("migrations/postgres/0028_phonebook.sql"),
    ),
];

#[derive(Clone)]
pub(crate) enum Pools {
    Postgres(sqlx::PgPool),
    Sqlite { readers: sqlx::SqlitePool, writer: sqlx::SqlitePool, checkpointer: sqlx::SqlitePool },
}

impl Pools {
    pub(crate) async fn reader(&self) -> Result<Connection> {
        Ok(match self {
            Self::Postgres(pool) => pool.acquire().await?.into(),
            Self::Sqlite { readers, .. } => readers.acquire().await?.into(),
        })
    }

    pub(crate) async fn writer(&self) -> Result<Connection> {
        Ok(match self {
            Self::Postgres(pool) => pool.acquire().await?.into(),
            Self::Sqlite { writer, .. } => writer.acquire().await?.into(),
        })
    }

    /// What folds the write-ahead log in. PostgreSQL does that by itself.
    pub(crate) async fn checkpointer(&self) -> Result<Option<Connection>> {
        Ok(match self {
            Self::Postgres(_) => None,
            Self::Sqlite { checkpointer, .. } => Some(checkpointer.acquire().await?.into()),
        })
    }

    async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { readers, writer, checkpointer } => {
                readers.close().await;
                checkpointer.close().await;
                // The last connection to close folds the write-ahead log into the database.
                writer.close().await;
            }
        }
    }
}

/// The storage. Cheap to clone.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    database: Pools,
    store: Arc<BlobStore>,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
    checkpoints: tokio::task::AbortHandle,
    listener: Arc<OnceLock<Box<dyn Listener>>>,
    any_told: Arc<AtomicBool>,
    /// Who holds the leases that are taken here.
    lessee: String,
    /// Held as long as the storage is open; the operating system gives it back after a crash.
    _lock: File,
}

impl Drop for Inner {
    /// Who drops it without closing it leaves no connection behind.
    fn drop(&mut self) {
        self.checkpoints.abort();
    }
}

impl Storage {
    /// A secret of this hub for one purpose; the same as long as the database lives.
    pub fn secret_for(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0.store.key)
    }

    /// Opens the storage, making what is missing and applying migrations.
    ///
    /// Errors: `Locked` if another process has the data directory open; `Damaged` if it holds
    /// something that is not a hub's, or a newer hub's; nothing is overwritten then.
    pub async fn open(options: Options) -> Result<Self> {
        let dir = &options.data_dir;
        std::fs::create_dir_all(dir)
            .map_err(Error::io(format!("cannot create the data directory {}", dir.display())))?;
        let lock = lock(dir)?;
        let lessee = node::lessee(&node::name(dir)?)?;
        let database = match &options.database {
            Database::Sqlite => open_sqlite(&dir.join("hub.db")).await?,
            Database::Postgres(url) => open_postgres(url).await?,
        };
        migrate(&database).await?;
        let key = blob_key(&database).await?;
        let run = crate::unix_now() as u64 ^ (u64::from(std::process::id()) << 40);
        let store = Arc::new(BlobStore::open(dir, key, run)?);
        power::begin(&mut database.writer().await?).await?;
        let listener = Arc::new(OnceLock::new());
        let checkpoints = Checkpoints::default();
        let any_told = Arc::default();
        let (requests, writer) = Writer::start(
            database.clone(),
            checkpoints.clone(),
            Arc::clone(&listener),
            Arc::clone(&any_told),
        );
        let checkpoints = tokio::spawn(checkpoints.run(database.clone())).abort_handle();
        Ok(Self(Arc::new(Inner {
            database,
            store,
            requests: Mutex::new(Some(requests)),
            writer: Mutex::new(Some(writer)),
            checkpoints,
            listener,
            any_told,
            lessee,
            _lock: lock,
        })))
    }

    /// Names who is told of every commit, before anything in it is acknowledged. Once.
    pub fn listen(&self, listener: Box<dyn Listener>) {
        if self.0.listener.set(listener).is_err() {
            tracing::error!("the storage has a listener already");
        }
    }

    /// A keyed hash of bytes: the same for the same bytes, and it tells nobody who lacks the hub's key
    /// which bytes they are.
    pub fn fingerprint(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.store().key, bytes).as_bytes()
    }

    /// A place for arriving bytes.
    pub fn spool(&self) -> Spool {
        Spool::new(Arc::clone(&self.0.store))
    }

    /// Puts messages into mailboxes, all or none. They are on disk when it returns.
    pub async fn append(&self, emails: Vec<NewEmail>) -> Result<Vec<Appended>> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Job(Job::Append { emails, reply })).await?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// Runs `function` in a write transaction that it shares with others, with these accounts
    /// locked. What it did is on disk when this returns `Ok`, and undone if it returned an error.
    pub async fn transact<T, F>(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
        function: F,
    ) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.work(accounts.into_iter().collect(), Vec::new(), 0, function).await
    }

    /// [`Storage::transact`] for one account, when the statements have so many bytes of bodies.
    pub async fn transact_writing<T, F>(&self, account: AccountId, bytes: usize, function: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.work(vec![account], Vec::new(), bytes, function).await
    }

    /// [`Storage::transact`] for one account, when it is known which mailboxes are concerned: their
    /// counters are read together with the locking of the account.
    pub async fn transact_in<T, F>(
        &self,
        account: AccountId,
        mailboxes: impl IntoIterator<Item = MailboxId>,
        function: F,
    ) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let mailboxes = mailboxes.into_iter().map(|mailbox| (account, mailbox)).collect();
        self.work(vec![account], mailboxes, 0, function).await
    }

    /// Changes flags of those of the messages that still exist and, with `unchanged_since`, whose modseq
    /// is not above it; returns the UIDs that failed that test (RFC 7162 §3.1.3). `NotFound`.
    ///
    /// If the listener has the mailbox in memory, this does not wait for the database, let alone the
    /// disk: it is written within 100 ms, and a crash before that takes it. On PostgreSQL, and
    /// otherwise, it is on disk when this returns.
    pub async fn change_flags(&self, edit: FlagEdit) -> Result<IdSet> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Flags { edit, reply }).await?;
        answer.await.map_err(|_| Error::Busy)?
    }

    async fn work<T, F>(
        &self,
        accounts: Vec<AccountId>,
        mailboxes: Vec<(AccountId, MailboxId)>,
        bytes: usize,
        function: F,
    ) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work = Closure::boxed(reply, function);
        self.send(Request::Job(Job::Other { accounts, mailboxes, bytes, work })).await?;
        answer.await.map_err(|_| Error::Busy)?
    }

    async fn send(&self, request: Request) -> Result<()> {
        let sender = crate::locked(&self.0.requests).clone().ok_or(Error::Busy)?;
        sender.send(request).await.map_err(|_| Error::Busy)
    }

    /// The name of this run among all that work, or have worked, on one database.
    pub fn lessee(&self) -> &str {
        &self.0.lessee
    }

    pub(crate) async fn reader(&self) -> Result<Connection> {
        self.0.database.reader().await
    }

    /// For reading flags, and what counts them: what was told of them before is written by now.
    pub(crate) async fn reader_of_flags(&self) -> Result<Connection> {
        if self.0.any_told.load(Ordering::Acquire) {
            self.transact([], |_| Box::pin(async { Ok(()) })).await?;
        }
        self.reader().await
    }

    pub(crate) fn store(&self) -> &BlobStore {
        &self.0.store
    }

    /// Finishes what is queued, then closes. Later calls fail with `Busy`.
    pub async fn close(&self) {
        drop(crate::locked(&self.0.requests).take());
        let writer = crate::locked(&self.0.writer).take();
        if let Some(writer) = writer {
            let _ = writer.await;
        }
        self.0.checkpoints.abort();
        if let Ok(mut connection) = self.0.database.writer().await
            && let Err(error) = power::end(&mut connection).await
        {
            tracing::warn!(error = %crate::chain(&error), "the end of the hub could not be noted");
        }
        self.0.database.close().await;
    }
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("hub.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io(format!("cannot open the lock file {}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked(format!(
            "another twinhub works on the data directory {}; stop it first, or choose another --data-dir",
            dir.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(Error::io(format!("cannot lock {}", path.display()))(error))
        }
    }
}

async fn open_sqlite(path: &Path) -> Result<Pools> {
    checkpoint::lay_out_log(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(4096)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit that returned is on disk: the meaning of 250 rests on it.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(false)
        .statement_cache_capacity(512)
        // A task of its own does it (`checkpoint.rs`).
        .pragma("wal_autocheckpoint", "0")
        // The log of an import is not kept at its largest.
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "memory")
        // The system's cache is behind it: what is not here is a copy away, not a disk.
        .pragma("cache_size", "-16384");
    let damaged = |error: sqlx::Error| match &error {
        sqlx::Error::Database(db) if db.code().is_some_and(|code| code == "26" || code == "11") => {
            Error::damaged(format!(
                "{} is not a sound SQLite database ({}). It was left as it is: restore it from a backup, \
                 or move it away to start empty.",
                path.display(),
                db.message()
            ))
        }
        _ => Error::from(error),
    };
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await
        .map_err(damaged)?;
    let checkpointer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options.pragma("cache_size", "-1024"));
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        // The ping costs more than the query it protects; a file does not hang up.
        .test_before_acquire(false)
        .connect_with(
            // Nothing but reading: what makes a file (journal mode, page size) is the writer's.
            SqliteConnectOptions::new()
                .filename(path)
                .read_only(true)
                .busy_timeout(Duration::from_secs(10))
                .statement_cache_capacity(512)
                .row_buffer_size(1024)
                .pragma("query_only", "1")
                .pragma("temp_store", "memory")
                .pragma("mmap_size", "268435456")
                // What is in the database is mapped; only pages that are still in the log are copied.
                .pragma("cache_size", "-4096"),
        )
        .await
        .map_err(damaged)?;
    Ok(Pools::Sqlite { readers, writer, checkpointer })
}

async fn open_postgres(url: &str) -> Result<Pools> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::damaged(format!("the database address cannot be read: {error}")))?
        .options([("synchronous_commit", "on"), ("client_min_messages", "warning")])
        .statement_cache_capacity(512);
    // Once outside the pool, which would try until its time-out and then not say what was wrong.
    PgConnection::connect_with(&options).await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(READERS + 2)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(Pools::Postgres(pool))
}

async fn migrate(database: &Pools) -> Result<()> {
    let mut connection = database.writer().await?;
    let sqlite = connection.is_sqlite();
    connection
        .script("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)")
        .await?;
    let done = connection
        .first("SELECT COALESCE(MAX(version), 0) FROM schema_version", values![], |row| row.int(0))
        .await?
        .unwrap_or(0) as usize;
    if done > MIGRATIONS.len() {
        return Err(Error::damaged(format!(
            "the database has schema version {done}, this twinhub knows {}: it was used by a newer twinhub. \
             Use that one, or restore a backup made before the upgrade.",
            MIGRATIONS.len()
        )));
    }
    if done == 0 {
        let tables = if sqlite {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'account'"
        } else {
            "SELECT tablename::text FROM pg_tables WHERE tablename = 'account' AND schemaname = current_schema()"
        };
        if connection.first(tables, values![], |row| row.text(0)).await?.is_some() {
            return Err(Error::damaged(
                "the database holds tables that are not Twin Hub's; choose an empty one",
            ));
        }
    }
    for (index, (for_sqlite, for_postgres)) in MIGRATIONS.iter().enumerate().skip(done) {
        let version = index as i64 + 1;
        tracing::info!(version, "bringing the database to a new schema version");
        connection.begin_write();
        let applied = async {
            connection.script(if sqlite { for_sqlite } else { for_postgres }).await?;
            let sql = "INSERT INTO schema_version (version) VALUES ($1)";
            connection.execute(sql, values![version]).await?;
            connection.commit().await
        };
        if let Err(error) = applied.await {
            let _ = connection.rollback().await;
            return Err(error);
        }
    }
    Ok(())
}

/// The key of content addresses and the counters, made once.
async fn blob_key(database: &Pools) -> Result<[u8; 32]> {
    let mut connection = database.writer().await?;
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(|error| Error::damaged(format!("no random numbers: {error}")))?;
    let insert = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    connection.execute(insert, values!["blob_key", fresh.to_vec()]).await?;
    connection
        .execute_many(
            "INSERT INTO counter (name, value) VALUES {values} ON CONFLICT DO NOTHING",
            ["account", "queue", "uid_validity"].map(|name| values![name, 0i64]).into(),
        )
        .await?;
    let key = connection
        .first("SELECT value FROM setting WHERE name = $1", values!["blob_key"], |row| row.bytes(0))
        .await?;
    key.and_then(|key| key.try_into().ok())
        .ok_or_else(|| Error::damaged("the setting blob_key in the database is not 32 bytes long"))
}
