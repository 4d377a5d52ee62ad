//! Group commit: one task owns the write connection, takes whatever jobs queued while the previous
//! commit was being synced, and commits them as one transaction. No artificial delay: one client
//! alone gets one sync per job, a hundred share one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::changes::Change;
use crate::checkpoint::Checkpoints;
use crate::db::{Connection, values};
use crate::known::Known;
use crate::mail::append::{Appended, NewEmail, append_groups};
use crate::open::Pools;
use crate::tx::{Committed, Tx};
use crate::{AccountId, Error, MailboxId, Result};

/// Jobs of one group at most.
const GROUP: usize = 512;
/// Bodies of one group at most, in bytes: bounds memory and the length of one commit.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Jobs waiting at most; whoever brings one more waits.
const WAITING: usize = 4096;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the writer calls after each commit, before it acknowledges anything.
pub type Listener = Box<dyn Fn(Vec<Change>) + Send + Sync>;

pub(crate) enum Job {
    /// Messages to put into mailboxes, all or none; neighbours in the group share statements.
    Append { emails: Vec<NewEmail>, reply: oneshot::Sender<Result<Vec<Appended>>> },
    Other {
        accounts: Vec<AccountId>,
        /// Mailboxes whose counters it is going to need.
        mailboxes: Vec<(AccountId, MailboxId)>,
        durability: Durability,
        /// Bytes of bodies in its statements.
        bytes: usize,
        work: Box<dyn Work>,
    },
}

/// When a commit must be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Before it is acknowledged.
    Now,
    /// Within [`SOON`]. What belongs to a group with others is there with them.
    Soon,
}

/// How long a commit may stay unsynced.
const SOON: Duration = Duration::from_millis(100);

/// Anything else that runs inside the transaction.
pub(crate) trait Work: Send {
    /// Runs it; `Err` means that its savepoint must be rolled back.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), ()>>;
    /// Tells whoever waits, after the commit.
    fn finish(self: Box<Self>, committed: &Result<()>);
}

pub(crate) struct Closure<F, T> {
    pub(crate) function: Option<F>,
    pub(crate) result: Option<Result<T>>,
    pub(crate) reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Work for Closure<F, T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send,
    T: Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), ()>> {
        Box::pin(async move {
            let Some(function) = self.function.take() else { return Err(()) };
            let result = function(tx).await;
            let outcome = result.as_ref().map(drop).map_err(drop);
            self.result = Some(result);
            outcome
        })
    }

    fn finish(self: Box<Self>, committed: &Result<()>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or(Err(Error::Busy)),
            Err(error) => Err(error.clone()),
        };
        // Whoever asked may have hung up; what is committed stays.
        let _ = self.reply.send(result);
    }
}

pub(crate) struct Writer {
    database: Pools,
    connection: Option<Connection>,
    known: Known,
    /// When the oldest commit that is not on disk yet was made.
    unsynced_since: Option<Instant>,
    checkpoints: Checkpoints,
    jobs: mpsc::Receiver<Job>,
    listener: Arc<std::sync::OnceLock<Listener>>,
}

impl Writer {
    pub(crate) fn start(
        database: Pools,
        checkpoints: Checkpoints,
        listener: Arc<std::sync::OnceLock<Listener>>,
    ) -> (mpsc::Sender<Job>, tokio::task::JoinHandle<()>) {
        let (sender, jobs) = mpsc::channel(WAITING);
        let writer = Self {
            database,
            connection: None,
            known: Known::default(),
            unsynced_since: None,
            checkpoints,
            jobs,
            listener,
        };
        (sender, tokio::spawn(writer.run()))
    }

    async fn run(mut self) {
        let mut waiting = Vec::new();
        // Ends when every sender is gone: at shutdown, after the last job.
        while self.receive(&mut waiting).await > 0 {
            while !waiting.is_empty() {
                let mut bytes = 0;
                let size = waiting.iter().take_while(|job| {
                    let before = bytes;
                    bytes += job.bytes();
                    before == 0 || bytes <= GROUP_BYTES
                });
                let size = size.count();
                self.group(waiting.drain(..size).collect()).await;
                if let Some(connection) = &mut self.connection {
                    self.checkpoints.restart_if_long(connection).await;
                }
            }
        }
    }

    /// Waits for jobs; meanwhile sees to it that nothing stays unsynced. Returns 0 at the end.
    async fn receive(&mut self, waiting: &mut Vec<Job>) -> usize {
        if let Some(since) = self.unsynced_since {
            tokio::select! {
                biased;
                count = self.jobs.recv_many(waiting, GROUP) => return count,
                () = tokio::time::sleep_until((since + SOON).into()) => self.sync().await,
            }
        }
        self.jobs.recv_many(waiting, GROUP).await
    }

    /// A commit that writes something takes all before it to the disk.
    async fn sync(&mut self) {
        self.unsynced_since = None;
        let Some(connection) = &mut self.connection else { return };
        let sql = "UPDATE counter SET value = value + 1 WHERE name = $1";
        let synced = async {
            connection.sync_commits(true).await?;
            connection.execute(sql, values!["synced"]).await
        };
        if let Err(error) = synced.await {
            tracing::error!(error = %crate::chain(&error), "changes of flags are not on disk yet");
            self.connection = None;
        }
    }

    /// Runs one group and acknowledges its jobs.
    async fn group(&mut self, mut jobs: Vec<Job>) {
        match self.try_group(&mut jobs).await {
            Ok(mut appended) => {
                for job in jobs {
                    job.finish(&mut appended, &Ok(()));
                }
            }
            Err(error) => {
                for job in jobs {
                    job.finish(&mut Vec::new().into_iter(), &Err(error.clone()));
                }
            }
        }
    }

    /// Returns the results of the append jobs, in order.
    async fn try_group(&mut self, jobs: &mut [Job]) -> Result<std::vec::IntoIter<Result<Vec<Appended>>>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.writer().await?,
        };
        let may_wait = self.unsynced_since.is_none_or(|since| since.elapsed() < SOON)
            && connection.is_sqlite()
            && jobs.iter().all(Job::may_wait);
        connection.sync_commits(!may_wait).await?;
        let bytes = jobs.iter().map(Job::bytes).sum();
        let now = crate::unix_now();
        let mut tx = Tx::begin(connection, std::mem::take(&mut self.known), now);
        let appended = match run_jobs(&mut tx, jobs).await {
            Ok(appended) => appended,
            Err(error) => {
                tracing::error!(error = %crate::chain(&error), "a group of writes failed");
                if tx.connection.rollback().await.is_ok() {
                    self.connection = Some(tx.connection);
                }
                return Err(error);
            }
        };
        let (connection, files, result) = tx.commit().await;
        // A connection that failed to commit may be broken: the next group takes a new one. And the
        // commit may have happened all the same, so its files must stay (the sweep knows better).
        for file in files {
            file.set_referred();
        }
        let Committed { changes, known } = result?;
        self.known = known;
        if may_wait {
            self.unsynced_since.get_or_insert_with(Instant::now);
        } else if !changes.is_empty() {
            // A commit that wrote nothing syncs nothing.
            self.unsynced_since = None;
        }
        self.checkpoints.written(bytes);
        self.connection = Some(connection);
        if !changes.is_empty()
            && let Some(listener) = self.listener.get()
        {
            listener(changes);
        }
        Ok(appended.into_iter())
    }
}

async fn run_jobs(tx: &mut Tx, jobs: &mut [Job]) -> Result<Vec<Result<Vec<Appended>>>> {
    let accounts: Vec<AccountId> = jobs.iter().flat_map(Job::accounts).collect();
    let mailboxes = jobs.iter().flat_map(Job::mailboxes).collect();
    tx.look_ahead(accounts, mailboxes, &first_appends(jobs)).await?;
    let mut appended = Vec::new();
    let mut index = 0;
    while index < jobs.len() {
        let run = jobs[index..].iter().take_while(|job| matches!(job, Job::Append { .. })).count();
        if run > 0 {
            let groups: Vec<&[NewEmail]> = jobs[index..index + run]
                .iter()
                .filter_map(|job| match job {
                    Job::Append { emails, .. } => Some(emails.as_slice()),
                    Job::Other { .. } => None,
                })
                .collect();
            appended.append(&mut append_run(tx, &groups).await?);
            tx.end_of_appends();
            index += run;
        } else {
            let only = jobs.len() == 1;
            if let Job::Other { work, .. } = &mut jobs[index] {
                if only {
                    run_only(tx, work.as_mut()).await;
                } else {
                    run_one_of_many(tx, work.as_mut()).await?;
                }
            }
            index += 1;
        }
    }
    Ok(appended)
}

/// The messages of the appends at the head of the group, if they need to know of threads
/// beforehand: one message alone finds its thread by itself.
fn first_appends(jobs: &[Job]) -> Vec<&NewEmail> {
    let emails = jobs.iter().map_while(|job| match job {
        Job::Append { emails, .. } => Some(emails),
        Job::Other { .. } => None,
    });
    let emails: Vec<&NewEmail> = emails.flatten().collect();
    if emails.len() > 1 { emails } else { Vec::new() }
}

/// A run of append jobs with shared statements. What fails unexpectedly is replayed job by job, so
/// that one bad job does not fail its neighbours.
async fn append_run(tx: &mut Tx, groups: &[&[NewEmail]]) -> Result<Vec<Result<Vec<Appended>>>> {
    let mark = tx.mark();
    if groups.len() == 1 {
        // Nothing precedes its validation, so there is nothing to undo for a clean refusal.
        return append_groups(tx, groups).await;
    }
    tx.connection.savepoint();
    match append_and_release(tx, groups).await {
        Ok(results) => Ok(results),
        Err(error) => {
            tracing::warn!(error = %crate::chain(&error), jobs = groups.len(), "replaying a group one by one");
            undo(tx, &mark).await?;
            let mut results = Vec::with_capacity(groups.len());
            for group in groups {
                let mark = tx.mark();
                tx.connection.savepoint();
                match append_and_release(tx, std::slice::from_ref(group)).await {
                    Ok(mut result) => results.append(&mut result),
                    Err(error) => {
                        undo(tx, &mark).await?;
                        results.push(Err(error));
                    }
                }
            }
            Ok(results)
        }
    }
}

/// Errors of deferred statements come at the latest with the release.
async fn append_and_release(tx: &mut Tx, groups: &[&[NewEmail]]) -> Result<Vec<Result<Vec<Appended>>>> {
    let results = append_groups(tx, groups).await?;
    tx.connection.release().await?;
    Ok(results)
}

/// The only job of its group: if it fails, the transaction goes with it, and no savepoint is needed.
async fn run_only(tx: &mut Tx, work: &mut dyn Work) {
    if work.run(tx).await.is_err() {
        tx.give_up();
    }
}

async fn run_one_of_many(tx: &mut Tx, work: &mut dyn Work) -> Result<()> {
    let mark = tx.mark();
    tx.connection.savepoint();
    if work.run(tx).await.is_ok() {
        tx.connection.release().await?;
        return Ok(());
    }
    undo(tx, &mark).await
}

async fn undo(tx: &mut Tx, mark: &crate::tx::Mark) -> Result<()> {
    tx.connection.undo().await?;
    tx.back_to(mark);
    Ok(())
}

impl Job {
    fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Append { emails, .. } => emails.iter().map(|email| email.account).collect(),
            Self::Other { accounts, .. } => accounts.clone(),
        }
    }

    fn mailboxes(&self) -> Vec<(AccountId, MailboxId)> {
        match self {
            Self::Append { emails, .. } => {
                emails.iter().map(|email| (email.account, email.mailbox)).collect()
            }
            Self::Other { mailboxes, .. } => mailboxes.clone(),
        }
    }

    fn may_wait(&self) -> bool {
        matches!(self, Self::Other { durability: Durability::Soon, .. })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append { emails, .. } => emails.iter().map(NewEmail::weight).sum(),
            Self::Other { bytes, .. } => *bytes,
        }
    }

    fn finish(self, appended: &mut std::vec::IntoIter<Result<Vec<Appended>>>, committed: &Result<()>) {
        match self {
            Self::Append { emails, reply } => {
                // A large body that was there already goes before anybody can look.
                drop(emails);
                let result = match committed {
                    Ok(()) => appended.next().unwrap_or(Err(Error::Busy)),
                    Err(error) => Err(error.clone()),
                };
                let _ = reply.send(result);
            }
            Self::Other { work, .. } => work.finish(committed),
        }
    }
}
