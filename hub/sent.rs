//! What a twin has sent through the API, as it may still be called back (RFC 8621 §7).

use hub_storage::EmailId;
use hub_storage::queue::{Operation, QueueFilter};
use hub_storage::submissions::{self, SubmissionRow};

use crate::emails::Changes;
use crate::emails::journal_changes;
use crate::{Account, Address, Error, Modseq, QueueEntry, QueueState, Result, Submission};

/// Of an account so many are shown, the latest.
const MOST: usize = 2_000;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: i64,
    pub identity: i64,
    pub email: EmailId,
    pub thread: i64,
    /// Unix seconds.
    pub sent_at: i64,
    /// Empty for the null reverse-path.
    pub mail_from: String,
    pub recipients: Vec<SentTo>,
    pub undo: Undo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTo {
    pub address: String,
    pub state: SentState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentState {
    /// It lies in a mailbox of this hub.
    Delivered,
    /// It has left the queue, one way or the other; a report tells if it was in vain.
    Gone,
    /// With what came of the last attempt, which may be nothing.
    Queued(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    Canceled,
    Final,
    Pending,
}

/// What is noted of a message beside what is sent.
#[derive(Clone, Copy, Debug)]
pub struct SentAs {
    pub identity: i64,
    pub email: EmailId,
    pub thread: i64,
}

impl Account {
    /// Sends, and notes that it was sent. As [`Account::submit`].
    pub async fn send(&self, sent_as: SentAs, submission: Submission) -> Result<i64> {
        let mail_from = submission.reverse_path.as_ref().map(Address::to_string).unwrap_or_default();
        let addresses: Vec<Address> = submission.recipients.iter().map(|to| to.address.clone()).collect();
        let (mut local, mut remote) = (String::new(), String::new());
        for address in &addresses {
            let list = match self.hub.route(address).await? {
                crate::Route::Elsewhere => &mut remote,
                _ => &mut local,
            };
            list.push_str(&format!("{address}\n"));
        }
        let submitted = self.submit(submission).await?;
        let row = SubmissionRow {
            id: 0,
            identity: sent_as.identity,
            email: sent_as.email,
            thread: sent_as.thread,
            queued: submitted.queued.unwrap_or(0),
            is_canceled: false,
            sent_at: crate::unix_now(),
            mail_from,
            local,
            remote,
        };
        let account = self.id;
        let add = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { submissions::add_submission(tx, account, &row).await })
        });
        Ok(add.await?)
    }

    /// The latest, oldest first.
    pub async fn sent(&self) -> Result<Vec<Sent>> {
        let rows = self.hub.0.storage.submissions(self.id, MOST).await?;
        let queued = self.still_queued(&rows).await?;
        Ok(rows.into_iter().map(|row| Sent::of(row, &queued)).collect())
    }

    /// What the queue still has of these.
    async fn still_queued(&self, rows: &[SubmissionRow]) -> Result<Vec<QueueEntry>> {
        let messages = rows.iter().filter(|row| row.queued != 0 && !row.is_canceled).map(|row| row.queued);
        let messages: Vec<i64> = messages.collect();
        match messages.is_empty() {
            true => Ok(Vec::new()),
            false => self.hub.queue(&QueueFilter { messages, ..QueueFilter::default() }).await,
        }
    }

    /// Calls a message back: out of the queue for all recipients, or `Conflict`. `NotFound`.
    pub async fn cancel(&self, id: i64) -> Result<()> {
        let account = self.id;
        let rows = self.hub.0.storage.submissions(account, MOST).await?;
        let row = rows.into_iter().find(|row| row.id == id).ok_or(Error::NotFound("submission"))?;
        let count = row.remote.lines().count();
        let queued = row.queued;
        let entries = self.still_queued(std::slice::from_ref(&row)).await?;
        if queued == 0 || Sent::of(row, &entries).undo != Undo::Pending {
            return Err(Error::Conflict("the message in the queue"));
        }
        // Nobody may begin to send between the look and the removal: held first, then removed.
        let filter = QueueFilter { messages: vec![queued], ..QueueFilter::default() };
        let held = self.hub.operate_queue(Operation::Hold, filter.clone()).await?;
        if held.done < count {
            self.hub.operate_queue(Operation::Release, filter).await?;
            return Err(Error::Conflict("the message in the queue"));
        }
        self.hub.operate_queue(Operation::Delete, filter).await?;
        let cancel = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { submissions::cancel_submission(tx, account, id).await })
        });
        Ok(cancel.await?)
    }

    /// Forgets what was sent; it goes on its way all the same. `NotFound`.
    pub async fn forget_sent(&self, id: i64) -> Result<()> {
        let account = self.id;
        let rows = self.hub.0.storage.submissions(account, MOST).await?;
        if !rows.iter().any(|row| row.id == id) {
            return Err(Error::NotFound("submission"));
        }
        let remove = self.hub.0.storage.transact([account], move |tx| {
            Box::pin(async move { submissions::remove_submission(tx, account, id).await })
        });
        Ok(remove.await?)
    }

    /// Changes of what was sent. `None` if that cannot be told.
    pub async fn sent_changes(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.sending_states().await?.submissions;
        journal_changes(self, hub_storage::Kind::Submission, (since, state), most).await
    }

    /// Changes of identities. `None` if that cannot be told.
    pub async fn identity_changes(&self, since: Modseq, most: usize) -> Result<Option<Changes>> {
        let state = self.sending_states().await?.identities;
        journal_changes(self, hub_storage::Kind::Identity, (since, state), most).await
    }
}

impl Sent {
    fn of(row: SubmissionRow, entries: &[QueueEntry]) -> Self {
        let queued = || entries.iter().filter(|entry| row.queued != 0 && entry.message == row.queued);
        let local = row
            .local
            .lines()
            .map(|address| SentTo { address: address.to_owned(), state: SentState::Delivered });
        let remote = row.remote.lines().map(|address| {
            let entry = queued().find(|entry| entry.address == address);
            let state = entry.map_or(SentState::Gone, |entry| SentState::Queued(entry.last_status.clone()));
            SentTo { address: address.to_owned(), state }
        });
        let recipients: Vec<SentTo> = local.chain(remote).collect();
        let may_be_called_back = row.local.is_empty()
            && queued().count() == row.remote.lines().count()
            && queued().all(|entry| entry.state != QueueState::Sending);
        let undo = match (row.is_canceled, may_be_called_back) {
            (true, _) => Undo::Canceled,
            (false, true) => Undo::Pending,
            (false, false) => Undo::Final,
        };
        Self {
            id: row.id,
            identity: row.identity,
            email: row.email,
            thread: row.thread,
            sent_at: row.sent_at,
            mail_from: row.mail_from,
            recipients,
            undo,
        }
    }
}
