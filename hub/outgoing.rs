//! Mail that leaves without a twin having sent it: what is passed on or handed back, and what the hub
//! itself has to say. It leaves through the same queue as everything else.

use hub_storage::queue;

use crate::queue::Leaving;
use crate::srs::Srs;
use crate::{
    AccountId, Address, Hub, Incoming, Notify, QueuedMessage, Recipient, Result, Return, SubmissionRecipient,
    Verdict, unix_now,
};

/// Nobody's account: no twin is told what becomes of such mail.
pub(crate) const NOBODY: AccountId = AccountId(0);

/// A message for others.
pub struct Outgoing {
    pub incoming: Incoming,
    /// `None` is the null reverse-path `<>`: what cannot be delivered is dropped.
    pub reverse_path: Option<Address>,
    pub recipients: Vec<Address>,
    /// Header fields to put in front (Received, seals).
    pub trace: Vec<u8>,
    /// REQUIRETLS was given (RFC 8689).
    pub require_tls: bool,
}

impl Hub {
    /// What a message gets that is passed on to somebody elsewhere in the name of a domain of ours: a
    /// reverse-path that SPF holds for (`srs`), and header fields in front, with a seal of what was found
    /// out about it on arrival (ARC). `incoming` is the message as it is to leave, which a filter may
    /// have changed.
    pub(crate) async fn in_our_name(
        &self,
        domain: &str,
        reverse_path: Option<&Address>,
        verdict: Option<&Verdict>,
        trace: &[u8],
        incoming: &Incoming,
    ) -> Result<(Option<Address>, Vec<u8>)> {
        // A path that cannot be rewritten is given up: a bounce would then reach nobody, but the
        // message arrives.
        let rewritten = reverse_path.map(|path| self.srs(domain).forward(path, unix_now()));
        let mut prefix = Vec::new();
        if let (Some(verdict), Some(results)) = (verdict, results(trace)) {
            prefix.extend(self.seal(domain, &results, verdict.arc.is_pass(), incoming).await?.into_bytes());
        }
        prefix.extend_from_slice(trace);
        Ok((rewritten.and_then(Result::ok), prefix))
    }

    /// Queues a message; returns its queue id. When it returns `Ok` it is on disk.
    pub async fn send_on(&self, outgoing: Outgoing) -> Result<i64> {
        let never = Notify { delay: false, failure: false, success: false };
        let recipient = |address: &Address| SubmissionRecipient {
            address: address.clone(),
            notify: never,
            original: None,
        };
        let needs_utf8 = outgoing.recipients.iter().any(Address::needs_utf8);
        let queued = self.new_queued(Leaving {
            account: NOBODY,
            reverse_path: outgoing.reverse_path,
            prefix: outgoing.trace,
            ret: Return::Headers,
            envelope_id: None,
            smtputf8: needs_utf8,
            eight_bit: true,
            passed_on: false,
            require_tls: outgoing.require_tls,
            recipients: outgoing.recipients.iter().map(recipient).collect(),
            incoming: outgoing.incoming,
        })?;
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

    /// To whom a message comes back that was passed on in vain: the twin whose rules did it, for an alias
    /// the postmaster. The sender is no twin of ours and hears nothing from here, so that nobody can make
    /// the hub write to strangers.
    pub async fn passed_on_by(&self, message: &QueuedMessage) -> Result<Option<Recipient>> {
        if !message.passed_on {
            return Ok(None);
        }
        if message.account == NOBODY {
            return self.postmaster().await.map(Some);
        }
        let Some(row) = self.0.storage.account(message.account).await? else { return Ok(None) };
        Ok(Some(Recipient { address: Address::parse(&row.handle)?, members: [message.account].into() }))
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

/// What our own Authentication-Results says, from our name on.
fn results(trace: &[u8]) -> Option<String> {
    let field = hub_dkim::fields(trace).into_iter().find(|(name, _)| *name == b"Authentication-Results")?;
    Some(String::from_utf8_lossy(field.1).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_a_trace() {
        let trace = b"Authentication-Results: us;\r\n\tspf=pass\r\nReceived: x\r\n";
        assert_eq!(results(trace).as_deref(), Some("us;\r\n\tspf=pass"));
        assert_eq!(results(b"Received: x\r\n"), None);
    }
}
