//! Mail by LMTP (RFC 2033), from a mail server that stands in front of this hub, such as Postfix. That
//! server has checked it and answers for it: it is delivered, recipient by recipient, and not checked
//! again. The twins' junk filters look at it, and believe what that server says of the sender if the owner
//! wants that; they put it into Junk and refuse nothing, since what is refused here is bounced there.

mod results;

use std::collections::HashSet;

use hub::{Delivery, Error, Hub, Incoming, Origin, Recipient, Verdict};

use crate::headers::Trace;
use crate::mx::{check_loop, local_recipients, send_home, trace_for};
use crate::session::{Accepted, Destination, Envelope};
use crate::settings::Settings;
use crate::status::Failure;

/// Puts the message into the mailboxes; one answer for each recipient of the envelope, in its order.
/// A yes means that it is on disk.
pub(crate) async fn deliver(
    hub: &Hub,
    settings: &Settings,
    envelope: Envelope,
    incoming: Incoming,
    trace: &Trace<'_>,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let verdict = believed(settings, &incoming, trace)?;
    let is_home = |accepted: &Accepted| matches!(accepted.destination, Destination::Back { .. });
    let order: Vec<bool> = envelope.recipients.iter().map(is_home).collect();
    let (homes, recipients): (Vec<_>, Vec<_>) = envelope.recipients.into_iter().partition(is_home);
    let recipients = local_recipients(recipients)?;
    let trace = trace_for(trace, &recipients).into_bytes();
    if !homes.is_empty() {
        check_loop(&incoming, &[], settings.max_received)?;
        send_home(hub, incoming.clone(), homes, trace.clone(), envelope.mail.require_tls).await?;
    }
    let delivery = Delivery {
        require_tls: envelope.mail.require_tls,
        incoming,
        reverse_path: envelope.mail.reverse_path,
        recipients,
        trace,
        origin: Origin::Front(verdict),
    };
    let mut answers = to_twins(hub, settings, delivery).await?.into_iter();
    let answer = |is_home| if is_home { Ok(()) } else { answers.next().unwrap_or(Ok(())) };
    Ok(order.into_iter().map(answer).collect())
}

/// One answer for each recipient.
async fn to_twins(
    hub: &Hub,
    settings: &Settings,
    mut delivery: Delivery,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let (incoming, limit) = (delivery.incoming.clone(), settings.max_received);
    let check = |recipient| check_loop(&incoming, std::slice::from_ref(recipient), limit);
    let mut answers: Vec<_> = delivery.recipients.iter().map(check).collect();
    if delivery.recipients.is_empty() {
        return Ok(answers);
    }
    if answers.iter().all(Result::is_ok) {
        match hub.deliver(delivery.clone()).await {
            Ok(_) => return Ok(answers),
            // A mailbox is full, of those that had room at RCPT: the others are not to wait for it.
            Err(Error::OverQuota { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (mut reached, mut passed) = (HashSet::new(), HashSet::new());
    let recipients = std::mem::take(&mut delivery.recipients);
    for (recipient, answer) in recipients.into_iter().zip(&mut answers) {
        let Recipient { address, mut members } = recipient;
        members.accounts.retain(|account| !reached.contains(account));
        members.elsewhere.retain(|target| !passed.contains(target));
        if answer.is_ok() && !members.is_empty() {
            let one = vec![Recipient { address, members: members.clone() }];
            let one = Delivery { recipients: one, ..delivery.clone() };
            *answer = hub.deliver(one).await.map(|_| ()).map_err(Failure::from);
        }
        if answer.is_ok() {
            reached.extend(members.accounts);
            passed.extend(members.elsewhere);
        }
    }
    Ok(answers)
}

/// What the server in front says of the sender, if its owner wants it believed.
fn believed(settings: &Settings, incoming: &Incoming, trace: &Trace<'_>) -> Result<Option<Verdict>, Failure> {
    let Some(authserv_id) = &settings.lmtp_authserv_id else { return Ok(None) };
    let header = incoming.header()?;
    Ok(results::verdict(incoming, &header, authserv_id, trace.peer, trace.helo))
}
