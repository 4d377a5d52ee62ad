//! The one way out: local recipients are delivered, the rest goes into the durable queue, in one
//! transaction.

use hub_storage::queue::NewQueued;

use crate::decide::Decided;
use crate::deliver::{Delivery, Origin, Recipient};
use crate::queue::Leaving;
use crate::{Account, Address, Error, Incoming, Result, Route};

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
    /// REQUIRETLS was given (RFC 8689).
    pub require_tls: bool,
}

#[derive(Clone, Debug)]
pub struct Submitted {
    /// Number of recipients delivered on this hub.
    pub delivered: usize,
    /// Queue id, if some recipients are elsewhere.
    pub queued: Option<i64>,
}

impl Account {
    /// Sends a message. Errors: `Forbidden` if the twin may not send as the reverse-path or as an
    /// author named in From or Sender; `Invalid`; `OverQuota`; `Unavailable`. All or nothing.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted> {
        let recipients: Vec<Address> = submission.recipients.iter().map(|to| to.address.clone()).collect();
        let (decided, sent) = self.prepare(submission).await?;
        let elsewhere = sent.as_ref().map_or(0, |sent| sent.recipients.len());
        let (_, queued) = self.hub.carry_out(decided, sent).await?;
        self.hub.0.junk.wrote_to(self.id, recipients.iter());
        Ok(Submitted { delivered: recipients.len() - elsewhere, queued })
    }

    /// What is to be done to send a message, in one commit.
    pub(crate) async fn prepare(&self, submission: Submission) -> Result<(Decided, Option<NewQueued>)> {
        self.check_authors(&submission).await?;
        let mut local = Vec::new();
        let mut elsewhere = Vec::new();
        for recipient in &submission.recipients {
            match self.hub.route(&recipient.address).await? {
                Route::Local(members) => {
                    local.push(Recipient { address: recipient.address.clone(), members });
                }
                Route::Unknown => {
                    return Err(Error::Invalid(format!("nobody here has the address {}", recipient.address)));
                }
                Route::Elsewhere => elsewhere.push(recipient.clone()),
            }
        }
        let reverse_path = submission.reverse_path.clone();
        let delivery = Delivery {
            origin: Origin::Twin,
            incoming: submission.incoming.clone(),
            reverse_path,
            recipients: local,
            trace: submission.trace.clone(),
            require_tls: submission.require_tls,
        };
        let decided = self.hub.decide(&delivery).await?;
        if elsewhere.is_empty() {
            return Ok((decided, None));
        }
        let incoming = self.hub.with_short_lines(submission.incoming).await?;
        let signatures = self.hub.signatures(&incoming).await?;
        let queued = self.hub.new_queued(Leaving {
            account: self.id,
            reverse_path: submission.reverse_path,
            incoming,
            prefix: [submission.trace, signatures.into_bytes()].concat(),
            ret: submission.ret,
            envelope_id: submission.envelope_id,
            smtputf8: submission.smtputf8,
            eight_bit: submission.eight_bit,
            passed_on: false,
            require_tls: submission.require_tls,
            recipients: elsewhere,
        })?;
        Ok((decided, Some(queued)))
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

impl Notify {
    pub(crate) fn bits(self) -> i64 {
        i64::from(self.delay) | i64::from(self.failure) << 1 | i64::from(self.success) << 2
    }

    pub(crate) fn from_bits(bits: i64) -> Self {
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

    pub(crate) fn from_name(name: &str) -> Self {
        if name == "FULL" { Self::Full } else { Self::Headers }
    }
}
