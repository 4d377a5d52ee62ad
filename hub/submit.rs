//! The one way out: local recipients are delivered, the rest goes into the durable queue, in one
//! transaction.

use crate::{Account, Address, Hub, Incoming, Result};

/// RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Return {
    Full,
    #[default]
    Headers,
}

/// RFC 3461 §4.1: `NOTIFY=NEVER` is all false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify {
    pub delay: bool,
    pub failure: bool,
    pub success: bool,
}

impl Default for Notify {
    fn default() -> Self {
        Self { delay: true, failure: true, success: false }
    }
}

#[derive(Clone, Debug)]
pub struct SubmissionRecipient {
    pub address: Address,
    pub notify: Notify,
    /// ORCPT as given, `type;address` (RFC 3461 §4.2).
    pub original: Option<String>,
}

/// A message that a twin sends.
pub struct Submission {
    pub incoming: Incoming,
    /// `None` is the null reverse-path `<>` (RFC 3798 receipts).
    pub reverse_path: Option<Address>,
    pub recipients: Vec<SubmissionRecipient>,
    /// Header fields to put in front (Received, and Date/Message-ID where missing).
    pub trace: Vec<u8>,
    pub ret: Return,
    /// ENVID (RFC 3461 §4.4), still xtext-encoded.
    pub envelope_id: Option<String>,
    /// SMTPUTF8 was given in MAIL FROM (RFC 6531).
    pub smtputf8: bool,
    /// BODY=8BITMIME was given (RFC 6152).
    pub eight_bit: bool,
}

#[derive(Clone, Debug)]
pub struct Submitted {
    /// Number of recipients delivered on this hub.
    pub delivered: usize,
    /// Queue id, if some recipients are elsewhere.
    pub queued: Option<i64>,
}

/// One recipient in the queue, as `twinhub queue list` shows it and the sender works on it.
#[derive(Clone, Debug)]
pub struct QueueEntry {
    pub message: i64,
    pub recipient: i64,
    pub reverse_path: String,
    pub address: String,
    pub size: u64,
    pub attempts: u32,
    /// Unix seconds.
    pub created_at: i64,
    pub next_attempt_at: i64,
    pub last_status: String,
}

impl Account {
    /// Sends a message. Errors: `Forbidden` if the twin may not send as the reverse-path or as an
    /// author named in From or Sender; `Invalid`; `OverQuota`; `Unavailable`. All or nothing.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted> {
        todo!()
    }
}

/// A message taken from the queue for one attempt, with those of its recipients that are due.
pub struct QueuedMessage {
    pub id: i64,
    pub reverse_path: Option<Address>,
    pub ret: Return,
    pub envelope_id: Option<String>,
    pub smtputf8: bool,
    pub eight_bit: bool,
    /// Unix seconds.
    pub created_at: i64,
    /// The message as it goes out.
    pub message: crate::Message,
    pub recipients: Vec<QueuedRecipient>,
}

#[derive(Clone, Debug)]
pub struct QueuedRecipient {
    pub id: i64,
    pub address: Address,
    pub notify: Notify,
    pub original: Option<String>,
    /// Attempts before this one.
    pub attempts: u32,
}

/// What became of a recipient. The text is the other side's answer or our own reason,
/// like `550 5.1.1 no such user`.
#[derive(Clone, Debug)]
pub enum Outcome {
    Deferred { status: String, next_attempt_at: i64 },
    Delivered { status: String },
    Failed { status: String },
}

impl Hub {
    /// Takes due messages under a lease of `lease_seconds`: nobody else gets them until it ends
    /// or they are settled.
    pub async fn take_due(&self, now: i64, limit: usize, lease_seconds: i64) -> Result<Vec<QueuedMessage>> {
        todo!()
    }

    /// Records outcomes; delivered and failed recipients leave the queue, and the message with the
    /// last of them. Durable when it returns.
    pub async fn settle(&self, message: i64, outcomes: Vec<(i64, Outcome)>) -> Result<()> {
        todo!()
    }

    /// Reads a queued message's bytes.
    pub async fn read_queued(
        &self,
        message: &QueuedMessage,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes> {
        todo!()
    }

    /// Wakes when something was put into the queue.
    pub async fn queue_filled(&self) {
        todo!()
    }

    /// Everything in the queue, oldest first.
    pub async fn queue(&self) -> Result<Vec<QueueEntry>> {
        todo!()
    }
}
