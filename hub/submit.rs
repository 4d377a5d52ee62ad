//! The one way out: local recipients are delivered, the rest goes into the durable queue, in one
//! transaction.

use hub_storage::queue::{self, NewQueued, NewRecipient, Settled};

use crate::deliver::{Delivery, Recipient};
use crate::messages::{Message, read_message};
use crate::{Account, Address, Error, Hub, Incoming, Result, Route};

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

/// Where a message for somebody elsewhere goes next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NextHop {
    /// To the hosts that take mail for this domain (RFC 5321 §5.1).
    Mx(String),
    /// To the one host that takes everything.
    Relay,
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
        self.check_authors(&submission).await?;
        let mut local = Vec::new();
        let mut elsewhere = Vec::new();
        for recipient in &submission.recipients {
            match self.hub.route(&recipient.address).await? {
                Route::Local(accounts) => {
                    local.push(Recipient { address: recipient.address.clone(), accounts });
                }
                Route::Unknown => {
                    return Err(Error::Invalid(format!("nobody here has the address {}", recipient.address)));
                }
                Route::Elsewhere => elsewhere.push(NewRecipient {
                    address: recipient.address.to_string(),
                    domain: recipient.address.domain().to_owned(),
                    notify: recipient.notify.bits(),
                    original: recipient.original.clone().unwrap_or_default(),
                }),
            }
        }
        let reverse_path = submission.reverse_path.clone();
        let delivery = Delivery {
            incoming: submission.incoming.clone(),
            reverse_path,
            recipients: local,
            trace: submission.trace.clone(),
            verdict: None,
        };
        let delivered = delivery.recipients.len();
        let decided = self.hub.decide(&delivery).await?;
        if elsewhere.is_empty() {
            self.hub.carry_out(decided, None).await?;
            self.hub.0.junk.wrote_to(self.id, submission.recipients.iter().map(|to| &to.address));
            return Ok(Submitted { delivered, queued: None });
        }
        let signatures = self.hub.signatures(&submission.incoming).await?;
        let queued = NewQueued {
            account: self.id,
            reverse_path: submission.reverse_path.map(|path| path.to_string()).unwrap_or_default(),
            blob: submission.incoming.blob,
            prefix: [submission.trace, signatures.into_bytes()].concat(),
            ret: submission.ret.name().to_owned(),
            envelope_id: submission.envelope_id.unwrap_or_default(),
            smtputf8: submission.smtputf8,
            eight_bit: submission.eight_bit,
            recipients: elsewhere,
        };
        let (_, queued) = self.hub.carry_out(decided, Some(queued)).await?;
        self.hub.0.junk.wrote_to(self.id, submission.recipients.iter().map(|to| &to.address));
        Ok(Submitted { delivered, queued })
    }

    /// Everybody that From and Sender name must be this twin: another twin of the hub must not be
    /// able to forge it, nor anybody outside.
    async fn check_authors(&self, submission: &Submission) -> Result<()> {
        if let Some(path) = &submission.reverse_path
            && !self.may_send_as(path).await?
        {
            return Err(Error::Forbidden("the envelope sender is not an address of this account"));
        }
        let authors = &submission.incoming.summary.author_addresses;
        if authors.is_empty() {
            return Err(Error::Invalid(
                "the message has no author: its From field is missing or empty".into(),
            ));
        }
        for author in authors {
            let own = match Address::parse(author) {
                Ok(address) => self.may_send_as(&address).await?,
                Err(_) => false,
            };
            if !own {
                return Err(Error::Forbidden("an address in From or Sender is not one of this account"));
            }
        }
        Ok(())
    }
}

/// A message taken from the queue for one attempt, with those of its recipients that are due.
#[derive(Clone)]
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
    pub message: Message,
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
        let due = self
            .0
            .storage
            .transact([], move |tx| Box::pin(queue::take_due(tx, now, limit, lease_seconds)))
            .await?;
        due.into_iter().map(QueuedMessage::from_row).collect()
    }

    /// Records outcomes; delivered and failed recipients leave the queue, and the message with the
    /// last of them. Durable when it returns.
    pub async fn settle(&self, message: i64, outcomes: Vec<(i64, Outcome)>) -> Result<()> {
        let settled: Vec<(i64, Settled)> = outcomes
            .into_iter()
            .map(|(recipient, outcome)| match outcome {
                Outcome::Deferred { status, next_attempt_at } => {
                    (recipient, Settled::Deferred { status, next_attempt_at })
                }
                Outcome::Delivered { .. } | Outcome::Failed { .. } => (recipient, Settled::Done),
            })
            .collect();
        Ok(self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { queue::settle(tx, message, &settled).await }))
            .await?)
    }

    /// Reads a queued message's bytes.
    pub async fn read_queued(
        &self,
        message: &QueuedMessage,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes> {
        read_message(&self.0.storage, &message.message, range).await
    }

    /// Wakes when something was put into the queue since the last time this returned.
    pub async fn queue_filled(&self) {
        self.0.queue_filled.notified().await;
    }

    /// Everything in the queue, oldest first.
    pub async fn queue(&self) -> Result<Vec<QueueEntry>> {
        let rows = self.0.storage.queue().await?;
        Ok(rows
            .into_iter()
            .map(|row| QueueEntry {
                message: row.message,
                recipient: row.recipient,
                reverse_path: row.reverse_path,
                address: row.address,
                size: row.size,
                attempts: row.attempts,
                created_at: row.created_at,
                next_attempt_at: row.next_attempt_at,
                last_status: row.last_status,
            })
            .collect())
    }
}

impl QueuedMessage {
    fn from_row(row: queue::DueMessage) -> Result<Self> {
        let optional = |text: String| (!text.is_empty()).then_some(text);
        let recipients = row.recipients.into_iter().map(|recipient| {
            Ok(QueuedRecipient {
                id: recipient.id,
                address: Address::parse(&recipient.address)?,
                notify: Notify::from_bits(recipient.notify),
                original: optional(recipient.original),
                attempts: recipient.attempts,
            })
        });
        Ok(Self {
            id: row.id,
            reverse_path: match row.reverse_path.as_str() {
                "" => None,
                path => Some(Address::parse(path)?),
            },
            ret: Return::from_name(&row.ret),
            envelope_id: optional(row.envelope_id),
            smtputf8: row.smtputf8,
            eight_bit: row.eight_bit,
            created_at: row.created_at,
            message: Message {
                prefix: row.prefix,
                summary: bytes::Bytes::new(),
                thread: 0, // of an account, which has its own copy
                blob: row.blob,
                blob_size: row.size,
            },
            recipients: recipients.collect::<Result<_>>()?,
        })
    }
}

impl Notify {
    pub(crate) fn bits(self) -> i64 {
        i64::from(self.delay) | i64::from(self.failure) << 1 | i64::from(self.success) << 2
    }

    fn from_bits(bits: i64) -> Self {
        Self { delay: bits & 1 != 0, failure: bits & 2 != 0, success: bits & 4 != 0 }
    }
}

impl Return {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    fn from_name(name: &str) -> Self {
        if name == "FULL" { Self::Full } else { Self::Headers }
    }
}
