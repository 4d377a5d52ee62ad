//! The one way in: port 25, another hub, an import, a bounce and an invitation make no difference.

use std::sync::Arc;

use hub_mime::Summary;

use crate::{AccountId, Address, EmailId, Hub, MailboxId, Result, Spool};

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To these twins of this hub (an alias can name several).
    Local(Vec<AccountId>),
    /// The domain is ours but nobody has this address.
    Unknown,
    /// The domain is not ours.
    Elsewhere,
}

/// A message whose bytes have arrived completely, examined but not yet kept.
/// Dropping it forgets it.
#[derive(Clone)]
pub struct Incoming {
    pub(crate) blob: Arc<hub_storage::StagedBlob>,
    pub summary: Arc<Summary>,
}

/// One accepted RCPT TO of ours.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// As the client wrote it, for Delivered-To and the log.
    pub address: Address,
    pub accounts: Vec<AccountId>,
}

/// A message for twins of this hub.
pub struct Delivery {
    pub incoming: Incoming,
    /// `None` is the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    pub recipients: Vec<Recipient>,
    /// Trace header fields to put in front (Received, Authentication-Results), CRLF-ended lines.
    /// Return-Path and Delivered-To are added per recipient by `deliver`.
    pub trace: Vec<u8>,
}

impl Hub {
    /// A place for arriving bytes: in memory while small, then in a file. Nothing is visible until
    /// it is delivered, appended or submitted.
    pub fn spool(&self) -> Spool {
        todo!()
    }

    /// Ends the spool and summarises the message; a large body is durable in its file afterwards.
    pub async fn examine(&self, spool: Spool) -> Result<Incoming> {
        todo!()
    }

    /// Decides where mail for `address` goes: exact address or alias first, then without `+detail`;
    /// `postmaster` of every domain of ours (and `postmaster` alone) always exists (RFC 5321 §4.5.1).
    pub async fn route(&self, address: &Address) -> Result<Route> {
        todo!()
    }

    /// Whom `RCPT TO:<postmaster>` without a domain reaches.
    pub async fn postmaster(&self) -> Result<Recipient> {
        todo!()
    }

    /// Puts the message into the INBOX of every account named. All or nothing; when it returns `Ok`
    /// the message is on disk and sessions have been told.
    ///
    /// Errors: `OverQuota` (nobody got it), `Unavailable`.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Vec<(AccountId, MailboxId, EmailId)>> {
        todo!()
    }
}
