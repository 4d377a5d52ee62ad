//! Mail that leaves without a twin having sent it: what is passed on or handed back, and what the hub
//! itself has to say. It leaves through the same queue as everything else.

use hub_storage::queue::{self, NewQueued, NewRecipient};

use crate::srs::Srs;
use crate::{AccountId, Address, Hub, Incoming, Result, unix_now};

/// Nobody's account: no twin is told what becomes of such mail.
const NOBODY: AccountId = AccountId(0);

/// A message for others.
pub struct Outgoing {
    pub incoming: Incoming,
    /// `None` is the null reverse-path `<>`: what cannot be delivered is dropped.
    pub reverse_path: Option<Address>,
    pub recipients: Vec<Address>,
    /// Header fields to put in front (Received, seals).
    pub trace: Vec<u8>,
}

impl Hub {
    /// Queues a message; returns its queue id. When it returns `Ok` it is on disk.
    pub async fn send_on(&self, outgoing: Outgoing) -> Result<i64> {
        let recipient = |address: &Address| NewRecipient {
            address: address.to_string(),
            domain: address.domain().to_owned(),
            notify: 0, // RFC 3461 §4.1: NEVER
            original: String::new(),
        };
        let needs_utf8 = outgoing.recipients.iter().any(Address::needs_utf8);
        let queued = NewQueued {
            account: NOBODY,
            reverse_path: outgoing.reverse_path.map(|path| path.to_string()).unwrap_or_default(),
            blob: outgoing.incoming.blob,
            prefix: outgoing.trace,
            ret: "HDRS".to_owned(),
            envelope_id: String::new(),
            smtputf8: needs_utf8,
            eight_bit: true,
            recipients: outgoing.recipients.iter().map(recipient).collect(),
        };
        let push =
            self.0.storage.transact([], move |tx| Box::pin(async move { queue::push(tx, &queued).await }));
        Ok(push.await?)
    }

    /// Signs a message of the hub's own and queues it.
    pub async fn send_own(&self, mut outgoing: Outgoing) -> Result<i64> {
        let signatures = self.signatures(&outgoing.incoming).await?;
        outgoing.trace.extend_from_slice(signatures.as_bytes());
        self.send_on(outgoing).await
    }

    /// The rewriting of reverse-paths for a domain of ours.
    pub fn srs(&self, domain: &str) -> Srs {
        Srs::new(self.0.storage.secret_for("twinhub 2026-11 sender rewriting"), domain)
    }

    /// Whom a bounce to a rewritten address is for; `None` if it is no such address, is forged, or too
    /// old.
    pub async fn returns_to(&self, address: &Address) -> Result<Option<Address>> {
        if !Srs::is_rewritten(address) || !self.0.storage.has_domain(address.domain()).await? {
            return Ok(None);
        }
        Ok(self.srs(address.domain()).reverse(address, unix_now()))
    }
}
