//! Who is behind a message on the MX port, and what follows from it: nothing, Junk, or a refusal.

#[cfg(test)]
mod tests;

use std::io;

use hub::{AuthResult, DmarcPolicy, Hub, Incoming, Verdict};
use hub_mailauth::{Authenticator, Envelope, Sender};
use tokio_util::task::AbortOnDropHandle;

use crate::forged::{Removed, restore};
use crate::reply::Reply;
use crate::status::Failure;
use crate::work::unix_now;
use crate::{Service, session, suspects};

/// Octets of a header. Signatures are checked over all of it, so it is in memory then; ten times what
/// Postfix takes. More is refused, or whoever pads his header could not be checked at all.
pub(crate) const MAX_HEADER: u64 = 1 << 20;

/// Domains of authors that are looked for among ours; a message with as many others is refused.
const MOST_AUTHORS: usize = 10;

const UNDECIDED: Reply =
    Reply::new(451, "4.7.1", "Cannot tell yet whether the sender is genuine, try again later");
/// RFC 7505 §4.2
const TAKES_NO_MAIL: Reply =
    Reply::new(550, "5.7.27", "The sender's domain takes no mail (null MX), so none comes from it");
pub(crate) const HEADER_TOO_LARGE: Reply = Reply::new(552, "5.3.4", "The header is larger than 1 MiB");

/// What DNS tells of the peer and the reverse-path, asked while the message is still coming.
pub(crate) struct Pending {
    envelope: Envelope,
    task: AbortOnDropHandle<Sender>,
}

impl Pending {
    pub(crate) fn begin(authenticator: &Authenticator, envelope: Envelope) -> Self {
        let (authenticator, asked) = (authenticator.clone(), envelope.clone());
        let task = tokio::spawn(async move { authenticator.sender(asked).await });
        Self { envelope, task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn is_about(&self, envelope: &Envelope) -> bool {
        self.envelope == *envelope
    }

    async fn finish(self) -> io::Result<Sender> {
        self.task.await.map_err(io::Error::other)
    }
}

/// Finds out the rest and decides. Refuses what the author's domain wants refused, in the session, so
/// that a sender who is genuine after all hears of it.
pub(crate) async fn verify(
    service: &Service,
    authenticator: &Authenticator,
    pending: Pending,
    (incoming, removed): (&Incoming, &[Removed]),
    envelope: &session::Envelope,
) -> Result<Verdict, Failure> {
    let hub = &service.hub;
    if incoming.summary.header_length > MAX_HEADER {
        return Err(HEADER_TOO_LARGE.into());
    }
    let header = restore(&incoming.header()?, removed);
    let undecided = |error: io::Error| {
        tracing::error!(%error, "a sender could not be checked");
        Failure::from(UNDECIDED)
    };
    let sender = pending.finish().await.map_err(undecided)?;
    if sender.takes_no_mail() {
        return Err(TAKES_NO_MAIL.into());
    }
    suspects::refuse_listed(sender.verdict(), envelope)?;
    let checked = authenticator.message(sender, unix_now(), &header, incoming.body()).await;
    let mut verdict = checked.map_err(undecided)?;
    suspects::refuse_listed(&verdict, envelope)?;
    let is_ours = speaks_for_us(hub, &verdict, incoming).await?;
    verdict.decide(is_ours, is_from_list(&header));
    tracing::info!(
        peer = %verdict.peer,
        from = verdict.dmarc.domain,
        dmarc = %verdict.dmarc.result,
        spf = %verdict.spf.result,
        dkim = verdict.dkim.iter().any(|signature| signature.result.is_pass()),
        action = %verdict.action,
        "sender checked"
    );
    if verdict.is_open() {
        return Err(UNDECIDED.into());
    }
    if verdict.action == DmarcPolicy::Reject {
        hub.count_for_report(&verdict);
        return Err(refusal(&verdict).into());
    }
    suspects::put_off(hub, &service.settings, &verdict, envelope).await?;
    hub.count_for_report(&verdict);
    Ok(verdict)
}

const TOO_MANY_AUTHORS: Reply =
    Reply::new(550, "5.7.1", "From names more domains than anybody could answer for");

fn refusal(verdict: &Verdict) -> Reply {
    if verdict.dmarc.domain.is_empty() {
        return TOO_MANY_AUTHORS;
    }
    let signed = match verdict.dkim.iter().any(|signature| signature.result == AuthResult::Pass) {
        true => "a DKIM signature of somebody else",
        false => "no valid DKIM signature",
    };
    let text = format!(
        "{} wants mail refused that it has not authorised; this has {signed}, and SPF says {}",
        verdict.dmarc.domain, verdict.spf.result
    );
    Reply::with(550, "5.7.1", text)
}

/// An author claims to be of a domain of ours. From may name several, of which DMARC tells one.
async fn speaks_for_us(hub: &Hub, verdict: &Verdict, incoming: &Incoming) -> Result<bool, Failure> {
    let authors = incoming.summary.author_addresses.iter().filter_map(|author| author.rsplit_once('@'));
    let mut domains = vec![verdict.dmarc.domain.as_str()];
    for (_, domain) in authors {
        if !domains.iter().any(|known| known.eq_ignore_ascii_case(domain)) {
            domains.push(domain);
        }
    }
    for domain in domains.into_iter().take(MOST_AUTHORS) {
        if hub.hosts_domain(domain).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// RFC 2919, RFC 2369: fields that lists add.
fn is_from_list(header: &[u8]) -> bool {
    header.split(|byte| *byte == b'\n').any(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"list-id") || name.eq_ignore_ascii_case(b"list-post")
    })
}
