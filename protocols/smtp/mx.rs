//! Mail from other servers: for twins of this hub and nobody else. There is no relaying here, for
//! whatever reason or address.

use hub::{Address, Delivery, Error, Hub, Incoming, Origin, Outgoing, Recipient, Route, Verdict};
use hub_mailauth::authentication_results;

use crate::feedback;
use crate::headers::{Trace, received};
use crate::path::ForwardPath;
use crate::reply::Reply;
use crate::session::{Accepted, Destination, Envelope};
use crate::settings::Settings;
use crate::status::Failure;

const NO_SUCH_USER: Reply = Reply::new(550, "5.1.1", "No such user here");
/// Domains of one message that are counted; a message may bear any number of signatures.
const MOST_DOMAINS: usize = 3;
/// Times that a message comes back to a mailbox under another detail.
const MOST_ROUNDS: usize = 1;
const LOOP: Reply = Reply::new(554, "5.4.6", "The message runs in a circle");

/// RFC 5321 §3.3: who is not ours is refused here and now; nothing is accepted to be bounced later.
pub(crate) async fn accept_recipient(hub: &Hub, path: &ForwardPath) -> Result<Destination, Failure> {
    let address = match path {
        ForwardPath::Address(address) => address,
        ForwardPath::Postmaster => return postmaster(hub).await,
    };
    match hub.route(address).await? {
        Route::Local(members) => Ok(Destination::Local(Recipient { address: address.clone(), members })),
        Route::Unknown => Err(NO_SUCH_USER.into()),
        Route::Elsewhere => {
            let text = format!("Relaying denied: {} is not hosted here", address.domain());
            Err(Reply::with(550, "5.7.1", text).into())
        }
    }
}

/// A bounce of what was passed on, to a reverse-path that we had rewritten. Anything but a bounce has
/// no business at such an address.
pub(crate) async fn accept_return(
    hub: &Hub,
    path: &ForwardPath,
    reverse_path: Option<&Address>,
) -> Result<Option<Destination>, Failure> {
    let (ForwardPath::Address(address), None) = (path, reverse_path) else { return Ok(None) };
    let home = hub.returns_to(address).await?;
    Ok(home.map(|home| Destination::Back { address: address.clone(), home }))
}

/// RFC 5321 §4.5.1: always exists; on a hub without twins, soon.
pub(crate) async fn postmaster(hub: &Hub) -> Result<Destination, Failure> {
    match hub.postmaster().await {
        Ok(recipient) => Ok(Destination::Local(recipient)),
        Err(Error::NotFound(_)) => Err(Reply::new(451, "4.3.0", "Nobody lives here yet").into()),
        Err(error) => Err(error.into()),
    }
}

/// Puts the message into the mailboxes, with the header fields that were `added` by a content filter.
/// Success means that it is on disk (RFC 5321 §6.1).
pub(crate) async fn deliver(
    hub: &Hub,
    settings: &Settings,
    envelope: Envelope,
    incoming: Incoming,
    trace: &Trace<'_>,
    verdict: Option<Verdict>,
    added: &str,
) -> Result<(), Failure> {
    let (homes, recipients): (Vec<_>, Vec<_>) = envelope
        .recipients
        .into_iter()
        .partition(|accepted| matches!(accepted.destination, Destination::Back { .. }));
    let recipients = local_recipients(recipients)?;
    check_loop(&incoming, &recipients, settings.max_received)?;
    if let Some(verdict) = &verdict {
        check_rate(settings, verdict)?;
    }
    let results = verdict.as_ref().map(|verdict| authentication_results(&settings.host_name, verdict));
    let trace = (results.unwrap_or_default() + added + &trace_for(trace, &recipients)).into_bytes();
    let (reverse_path, require_tls) = (envelope.mail.reverse_path, envelope.mail.require_tls);
    if !homes.is_empty() {
        send_home(hub, incoming.clone(), homes, trace.clone(), require_tls).await?;
    }
    if !recipients.is_empty() {
        let report = feedback::wanted(&incoming, &recipients, verdict.as_ref());
        let origin = Origin::Outside(verdict);
        hub.deliver(Delivery { incoming, reverse_path, recipients, trace, origin, require_tls }).await?;
        if let Some(report) = report {
            feedback::read(hub, report);
        }
    }
    Ok(())
}

/// How much those who answer for the message have brought lately.
fn check_rate(settings: &Settings, verdict: &Verdict) -> Result<(), Failure> {
    for domain in verdict.authenticated_domains().into_iter().take(MOST_DOMAINS) {
        settings.rates.message_of_domain(verdict.peer, domain)?;
    }
    Ok(())
}

/// A bounce goes to whom the address was of before we rewrote it.
pub(crate) async fn send_home(
    hub: &Hub,
    incoming: Incoming,
    homes: Vec<Accepted>,
    trace: Vec<u8>,
    require_tls: bool,
) -> Result<(), Failure> {
    let home = |accepted: Accepted| match accepted.destination {
        Destination::Back { home, .. } => Some(home),
        Destination::Elsewhere(_) | Destination::Local(_) => None,
    };
    let recipients = homes.into_iter().filter_map(home).collect();
    hub.send_on(Outgoing { incoming, reverse_path: None, recipients, trace, require_tls }).await?;
    Ok(())
}

/// No other ones were accepted.
pub(crate) fn local_recipients(accepted: Vec<Accepted>) -> Result<Vec<Recipient>, Failure> {
    let local = |accepted: Accepted| match accepted.destination {
        Destination::Local(recipient) => Ok(recipient),
        Destination::Back { .. } | Destination::Elsewhere(_) => Err(NO_SUCH_USER.into()),
    };
    accepted.into_iter().map(local).collect()
}

/// The header fields in front of a message for `recipients`.
pub(crate) fn trace_for(trace: &Trace<'_>, recipients: &[Recipient]) -> String {
    let recipient = match recipients {
        [only] => Some(&only.address),
        _ => None,
    };
    received(&Trace { recipient, ..trace.clone() })
}

/// RFC 5321 §6.3. Permanent: it will not come right by trying again. A Delivered-To of ours means
/// that we had delivered it to the same recipient before it was forwarded back to us.
pub(crate) fn check_loop(
    incoming: &Incoming,
    recipients: &[Recipient],
    max_received: u32,
) -> Result<(), Failure> {
    let summary = &incoming.summary;
    let is_back = |recipient: &Recipient| is_back(&summary.delivered_to, &recipient.address);
    if summary.received_count > max_received || recipients.iter().any(is_back) {
        return Err(LOOP.into());
    }
    Ok(())
}

/// A message may come back to a mailbox under another detail, from a filter elsewhere perhaps, but not
/// again and again: a script can make up a new detail for each round, and several of them.
fn is_back(delivered_to: &[String], recipient: &Address) -> bool {
    let key = recipient.key();
    let mailbox = mailbox(recipient);
    let mut rounds = 0;
    delivered_to.iter().any(|value| {
        let before = Address::parse(value.trim()).is_ok_and(|before| self::mailbox(&before) == mailbox);
        rounds += usize::from(before);
        rounds > MOST_ROUNDS || value.trim().to_lowercase() == key
    })
}

fn mailbox(address: &Address) -> String {
    address.without_detail().map_or_else(|| address.key(), |without| without.key())
}
