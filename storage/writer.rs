//! Group commit: one task owns the write connection, takes whatever jobs queued while the previous
//! commit was being synced, and commits them as one transaction. No artificial delay: one client
//! alone gets one sync per job, a hundred share one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::Checkpoints;
use crate::db::Connection;
use crate::known::Known;
use crate::mail::append::{Appended, NewEmail, append_groups};
use crate::mail::change::change_flags;
use crate::open::Pools;
use crate::told::{FlagEdit, Listener, Told};
use crate::tx::{Committed, Tx};
use crate::{AccountId, Error, IdSet, MailboxId, Result};

/// Jobs of one group at most.
const GROUP: usize = 512;
/// Bodies of one group at most, in bytes: bounds memory and the length of one commit.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Jobs waiting at most; whoever brings one more waits.
const WAITING: usize = 4096;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the writer is asked for.
pub(crate) enum Request {
    /// To change flags of messages. Returns those that failed its test.
    Flags {
        edit: FlagEdit,
        reply: oneshot::Sender<Result<IdSet>>,
    },
    Job(Job),
}

pub(crate) enum Job {
    /// Messages to put into mailboxes, all or none; neighbours in the group share statements.
    Append { emails: Vec<NewEmail>, reply: oneshot::Sender<Result<Vec<Appended>>> },
    Other {
        accounts: Vec<AccountId>,
        /// Mailboxes whose counters it is going to need.
        mailboxes: Vec<(AccountId, MailboxId)>,
        /// Bytes of bodies in its statements.
        bytes: usize,
        work: Box<dyn Work>,
    },
}

/// Anything else that runs inside the transaction.
pub(crate) trait Work: Send {
    /// Runs it; `Err` means that its savepoint must be rolled back.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), ()>>;
    /// Tells whoever waits, after the commit.
    fn finish(self: Box<Self>, committed: &Result<()>);
}

pub(crate) struct Closure<F, T> {
    function: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Closure<F, T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn boxed(reply: oneshot::Sender<Result<T>>, function: F) -> Box<dyn Work> {
        Box::new(Self { function: Some(function), result: None, reply })
    }
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
    told: Told,
    checkpoints: Checkpoints,
    requests: mpsc::Receiver<Request>,
    listener: Arc<std::sync::OnceLock<Box<dyn Listener>>>,
}

impl Writer {
    /// `any_told` is true while changes of flags are told but not written.
    pub(crate) fn start(
        database: Pools,
        checkpoints: Checkpoints,
        listener: Arc<std::sync::OnceLock<Box<dyn Listener>>>,
        any_told: Arc<AtomicBool>,
    ) -> (mpsc::Sender<Request>, tokio::task::JoinHandle<()>) {
        let (sender, requests) = mpsc::channel(WAITING);
        let writer = Self {
            database,
            connection: None,
            known: Known::default(),
            told: Told::new(any_told),
            checkpoints,
            requests,
            listener,
        };
        (sender, tokio::spawn(writer.run()))
    }

    async fn run(mut self) {
        let mut requests = Vec::new();
        // Ends when every sender is gone: at shutdown, after the last job.
        while self.receive(&mut requests).await > 0 {
            let mut waiting = self.tell(requests.drain(..));
            while !waiting.is_empty() {
                let mut bytes = 0;
                let size = waiting.iter().take_while(|job| {
                    let before = bytes;
                    bytes += job.bytes();
                    before == 0 || bytes <= GROUP_BYTES
                });
                let size = size.count();
                self.group(waiting.drain(..size).collect()).await;
            }
        }
        if !self.told.is_empty() {
            self.group(Vec::new()).await;
        }
    }

    /// Waits for requests; meanwhile sees to it that nothing stays unwritten. Returns 0 at the end.
    async fn receive(&mut self, requests: &mut Vec<Request>) -> usize {
        while let Some(due) = self.told.due() {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due.into()) => self.group(Vec::new()).await,
                count = self.requests.recv_many(requests, GROUP) => return count,
            }
        }
        self.requests.recv_many(requests, GROUP).await
    }

    /// Answers what needs no commit; what is left are jobs. None of those who ask waits for another
    /// of them, so messages that come go first, to share their statements.
    fn tell(&mut self, requests: impl Iterator<Item = Request>) -> Vec<Job> {
        let listener = self.listener.get();
        let mut jobs = Vec::new();
        for request in requests {
            let (edit, reply) = match request {
                Request::Job(job) => {
                    jobs.push(job);
                    continue;
                }
                Request::Flags { edit, reply } => (edit, reply),
            };
            match listener.and_then(|ear| self.told.tell(&edit, &mut self.known, ear.as_ref())) {
                // Whoever asked may have hung up.
                Some(failed) => drop(reply.send(Ok(failed))),
                None => jobs.push(Job::of_flags(edit, reply)),
            }
        }
        jobs.sort_by_key(|job| !matches!(job, Job::Append { .. }));
        jobs
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
                self.told.failed();
                for job in jobs {
                    job.finish(&mut Vec::new().into_iter(), &Err(error.clone()));
                }
            }
        }
        if let Some(connection) = &mut self.connection {
            self.checkpoints.restart_if_long(connection).await;
        }
    }

    /// Returns the results of the append jobs, in order.
    async fn try_group(&mut self, jobs: &mut [Job]) -> Result<std::vec::IntoIter<Result<Vec<Appended>>>> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.writer().await?,
        };
        let bytes = jobs.iter().map(Job::bytes).sum();
        let now = crate::unix_now();
        let mut tx = Tx::begin(connection, std::mem::take(&mut self.known), now);
        let done = async {
            self.told.write(&mut tx).await?;
            run_jobs(&mut tx, jobs, !self.told.is_empty()).await
        };
        let appended = match done.await {
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
        self.told.written();
        self.checkpoints.written(bytes);
        self.connection = Some(connection);
        if !changes.is_empty()
            && let Some(listener) = self.listener.get()
        {
            listener.committed(changes);
        }
        Ok(appended.into_iter())
    }
}

/// `is_shared`: the transaction holds more than the jobs.
async fn run_jobs(tx: &mut Tx, jobs: &mut [Job], is_shared: bool) -> Result<Vec<Result<Vec<Appended>>>> {
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
            let only = jobs.len() == 1 && !is_shared;
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
    fn of_flags(edit: FlagEdit, reply: oneshot::Sender<Result<IdSet>>) -> Self {
        let (account, mailbox) = (edit.account, edit.mailbox);
        let FlagEdit { uids, set, clear, unchanged_since, .. } = edit;
        let work = Closure::boxed(reply, move |tx| {
            Box::pin(
                async move { change_flags(tx, account, mailbox, &uids, set, clear, unchanged_since).await },
            )
        });
        Self::Other { accounts: vec![account], mailboxes: vec![(account, mailbox)], bytes: 0, work }
    }

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
