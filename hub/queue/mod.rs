//! The queue of what leaves: durable, by next hop, shared by every road out.
//!
//! [`Account::submit`](crate::Account::submit) fills it. Who sends takes messages under a lease, and
//! settles what became of them; `schedule` says what to take when, `retry` when to try again.

mod hop;
mod look;
mod overdue;
mod retry;
mod schedule;
mod settle;

use std::collections::HashMap;
use std::sync::Mutex;

use hub_storage::queue::{self, Hop, NewQueued, NewRecipient};

pub use hop::{NextHop, TlsDemand};
pub use look::{Pause, QueueEntry, QueueFilter, QueueOperated, QueueOperation, QueueState};
pub use overdue::{Attended, End, Ended, Overdue, Telling, Why};
pub use schedule::{Claim, Schedule};
pub use settle::{Outcome, RecipientOutcome, Settlement};

use crate::messages::{Message, read_message};
use crate::{AccountId, Address, Hub, Incoming, Notify, Result, Return, SubmissionRecipient, locked};

/// How long claimed recipients are nobody else's, in seconds, unless that is renewed.
const LEASE: i64 = 300;
/// How often leases are to be renewed.
pub const RENEW: std::time::Duration = std::time::Duration::from_secs(60);
/// Flows read at once; further ones are seen when these have become fewer.
const MOST_FLOWS: usize = 20_000;
/// Flows that were filled and that nobody asked about yet; beyond that the database is asked.
const MOST_NEWS: usize = 1024;

/// What the owner of the hub decides about the queue.
#[derive(Clone, Copy, Debug)]
pub struct QueueSettings {
    /// All mail to the outside goes to one relay host.
    pub relay: bool,
    /// Pauses, delays and expiry are multiplied by this; 1 except in tests.
    pub clock_scale: f64,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { relay: false, clock_scale: 1.0 }
    }
}

/// A message taken from the queue for one attempt, with those of its recipients that are due.
#[derive(Clone)]
pub struct QueuedMessage {
    pub id: i64,
    /// The sender's.
    pub account: AccountId,
    pub next_hop: NextHop,
    pub reverse_path: Option<Address>,
    pub ret: Return,
    pub envelope_id: Option<String>,
    pub smtputf8: bool,
    pub eight_bit: bool,
    /// Nobody here wrote it, rules or an alias passed it on: if that is in vain, it comes back whole.
    pub passed_on: bool,
    /// Unix seconds.
    pub created_at: i64,
    pub expires_at: i64,
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
    /// What came of the last of them.
    pub last_status: String,
}

/// A message for others, on its way into the queue.
pub(crate) struct Leaving {
    /// Whose message it is.
    pub(crate) account: AccountId,
    pub(crate) reverse_path: Option<Address>,
    pub(crate) incoming: Incoming,
    /// Header fields in front.
    pub(crate) prefix: Vec<u8>,
    pub(crate) ret: Return,
    pub(crate) envelope_id: Option<String>,
    pub(crate) smtputf8: bool,
    pub(crate) eight_bit: bool,
    /// Nobody here wrote it.
    pub(crate) passed_on: bool,
    /// REQUIRETLS was given (RFC 8689).
    pub(crate) require_tls: bool,
    pub(crate) recipients: Vec<SubmissionRecipient>,
}

/// What was put into the queue since somebody asked.
#[derive(Debug, Default)]
pub struct Filled {
    /// By hop and sender; true if it is to be tried now, whatever is known of the hop.
    pub flows: HashMap<(NextHop, AccountId), bool>,
    /// There was more than is kept: the timetable has it all.
    pub missed: bool,
}

/// Passes on what commits put into the queue.
#[derive(Default)]
pub(crate) struct News {
    filled: Mutex<Filled>,
    notify: tokio::sync::Notify,
}

impl News {
    pub(crate) fn note(&self, hop: &Hop, account: AccountId, again: bool) {
        let Some(hop) = NextHop::from_stored(hop) else { return };
        let mut filled = locked(&self.filled);
        if filled.flows.len() >= MOST_NEWS {
            filled.missed = true;
        } else {
            *filled.flows.entry((hop, account)).or_default() |= again;
        }
        drop(filled);
        self.notify.notify_one();
    }
}

impl Hub {
    /// Ends the leases of the process before this one, and lets what is queued follow the settings.
    pub(crate) async fn take_over_queue(storage: &hub_storage::Storage, relay: bool) -> Result<()> {
        let lessee = storage.lessee().to_owned();
        storage
            .transact([], move |tx| {
                Box::pin(async move {
                    queue::release_leases(tx, &lessee).await?;
                    queue::reroute(tx, relay).await
                })
            })
            .await?;
        Ok(())
    }

    /// Ends leases of the process before this one that were committed after this one had begun. To be
    /// called now and then.
    pub async fn end_late_leases(&self) -> Result<()> {
        let lessee = self.0.storage.lessee().to_owned();
        let release = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { queue::release_leases(tx, &lessee).await }));
        let count = release.await?;
        if count > 0 {
            tracing::info!(count, "recipients were still leased by the run before this one");
        }
        Ok(())
    }

    /// Flows by next hop, with the Unix time at which something of them may be claimed.
    pub async fn queue_timetable(&self) -> Result<Vec<(NextHop, AccountId, i64)>> {
        let mut flows = Vec::new();
        for kind in NextHop::kinds() {
            for (queue::Flow { hop, account }, due_at) in
                self.0.storage.queue_timetable(&kind, MOST_FLOWS).await?
            {
                let hop = NextHop::from_stored(&Hop { kind: kind.clone(), name: hop });
                flows.extend(hop.map(|hop| (hop, account, due_at)));
            }
        }
        Ok(flows)
    }

    /// Takes what is due of these flows, in one commit. The answers are in their order; the number is
    /// that of recipients.
    pub async fn claim(&self, now: i64, claims: &[Claim]) -> Result<Vec<(Vec<QueuedMessage>, usize)>> {
        let lessee = self.0.storage.lessee().to_owned();
        let asked: Vec<_> = claims
            .iter()
            .map(|claim| {
                let Hop { kind, name } = claim.hop.stored();
                (kind, queue::Flow { hop: name, account: claim.account }, claim.limit)
            })
            .collect();
        let found = self.0.storage.transact([], move |tx| {
            Box::pin(async move {
                let mut found = Vec::with_capacity(asked.len());
                for (kind, flow, limit) in &asked {
                    let lease = (now, now + LEASE);
                    found.push(queue::claim(tx, kind, flow, *limit, lease, &lessee).await?);
                }
                Ok(found)
            })
        });
        let messages = |(claim, found): (&Claim, Vec<queue::DueMessage>)| {
            let count = found.iter().map(|message| message.recipients.len()).sum();
            let messages = found.into_iter().filter_map(|row| QueuedMessage::from_row(row, &claim.hop));
            (messages.collect(), count)
        };
        Ok(claims.iter().zip(found.await?).map(messages).collect())
    }

    /// Keeps recipients (message, id) that are being sent to, or are about to be.
    pub async fn renew_leases(&self, now: i64, recipients: Vec<(i64, i64)>) -> Result<()> {
        if recipients.is_empty() {
            return Ok(());
        }
        let lessee = self.0.storage.lessee().to_owned();
        let lease = self.0.storage.transact([], move |tx| {
            Box::pin(async move { queue::lease(tx, &recipients, now + LEASE, &lessee).await })
        });
        Ok(lease.await?)
    }

    /// Gives claimed recipients back untouched; they may be claimed from `due_at` on.
    pub async fn give_back(&self, due_at: i64, recipients: Vec<(i64, i64)>) -> Result<()> {
        if recipients.is_empty() {
            return Ok(());
        }
        let lessee = self.0.storage.lessee().to_owned();
        let give_back = self.0.storage.transact([], move |tx| {
            Box::pin(async move { queue::give_back(tx, &recipients, due_at, &lessee).await })
        });
        Ok(give_back.await?)
    }

    /// Reads a queued message's bytes.
    pub async fn read_queued(
        &self,
        message: &QueuedMessage,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes> {
        read_message(&self.0.storage, &message.message, range).await
    }

    /// Waits until something was put into the queue since the last time this returned.
    pub async fn queue_filled(&self) -> Filled {
        let news = &self.0.queue_news;
        loop {
            let filled = std::mem::take(&mut *locked(&news.filled));
            if !filled.flows.is_empty() || filled.missed {
                return filled;
            }
            news.notify.notified().await;
        }
    }

    /// The rows of a message for others.
    pub(crate) fn new_queued(&self, leaving: Leaving) -> Result<NewQueued> {
        let settings = self.0.settings.queue;
        let is_bounce = leaving.reverse_path.is_none();
        let tls = TlsDemand::of(leaving.require_tls, is_bounce, &leaving.incoming.header()?);
        let tell_delay = leaving.recipients.iter().any(|recipient| recipient.notify.delay);
        let has_sender = leaving.reverse_path.is_some();
        let times = retry::times(crate::unix_now(), has_sender, tell_delay, settings.clock_scale);
        let recipient = |recipient: SubmissionRecipient| {
            let domain = recipient.address.domain().to_lowercase();
            let hop = if settings.relay { NextHop::Relay(tls) } else { NextHop::Mx(domain.clone(), tls) };
            NewRecipient {
                address: recipient.address.to_string(),
                domain,
                hop: hop.stored(),
                notify: recipient.notify.bits(),
                original: recipient.original.unwrap_or_default(),
            }
        };
        // RFC 8689 §5: RET=FULL is disregarded.
        let ret = if tls.is_required() { Return::Headers } else { leaving.ret };
        Ok(NewQueued {
            account: leaving.account,
            reverse_path: leaving.reverse_path.map(|path| path.to_string()).unwrap_or_default(),
            blob: leaving.incoming.blob,
            prefix: leaving.prefix,
            ret: ret.name().to_owned(),
            envelope_id: leaving.envelope_id.unwrap_or_default(),
            smtputf8: leaving.smtputf8,
            eight_bit: leaving.eight_bit,
            passed_on: leaving.passed_on,
            attend_at: times.attend_at,
            expires_at: times.expires_at,
            recipients: leaving.recipients.into_iter().map(recipient).collect(),
        })
    }
}

impl QueuedMessage {
    /// Its recipients as the database names them.
    pub fn claimed(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.recipients.iter().map(|recipient| (self.id, recipient.id))
    }

    /// `None` for a row that cannot be understood, which must not hold up the others.
    fn from_row(row: queue::DueMessage, next_hop: &NextHop) -> Option<Self> {
        let queue_id = row.id;
        let read = Self::read(row, next_hop);
        read.inspect_err(|error| tracing::error!(queue_id, %error, "a queued message cannot be read")).ok()
    }

    fn read(row: queue::DueMessage, next_hop: &NextHop) -> Result<Self> {
        let optional = |text: String| (!text.is_empty()).then_some(text);
        let recipients = row.recipients.into_iter().map(|recipient| {
            Ok(QueuedRecipient {
                id: recipient.id,
                address: Address::parse(&recipient.address)?,
                notify: Notify::from_bits(recipient.notify),
                original: optional(recipient.original),
                attempts: recipient.attempts,
                last_status: recipient.last_status,
            })
        });
        Ok(Self {
            id: row.id,
            account: row.account,
            next_hop: next_hop.clone(),
            reverse_path: match row.reverse_path.as_str() {
                "" => None,
                path => Some(Address::parse(path)?),
            },
            ret: Return::from_name(&row.ret),
            envelope_id: optional(row.envelope_id),
            smtputf8: row.smtputf8,
            eight_bit: row.eight_bit,
            passed_on: row.passed_on,
            created_at: row.created_at,
            expires_at: row.expires_at,
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
