//! Mail by LMTP (RFC 2033), from a mail server that stands in front of this hub, such as Postfix. That
//! server has checked it and answers for it: it is delivered, recipient by recipient, and not judged
//! again; what is refused here, it bounces.

use std::collections::HashSet;

use hub::{Delivery, Error, Hub, Incoming, Origin, Recipient};

use crate::headers::Trace;
use crate::mx::{check_loop, local_recipients, trace_for};
use crate::session::Envelope;
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
    let recipients = local_recipients(envelope.recipients)?;
    let trace = trace_for(trace, &recipients).into_bytes();
    let (reverse_path, require_tls) = (envelope.mail.reverse_path, envelope.mail.require_tls);
    let delivery = |recipients| Delivery {
        require_tls,
        origin: Origin::Outside(None),
        incoming: incoming.clone(),
        reverse_path: reverse_path.clone(),
        recipients,
        trace: trace.clone(),
    };
    let check = |recipient| check_loop(&incoming, std::slice::from_ref(recipient), settings.max_received);
    let mut answers: Vec<_> = recipients.iter().map(check).collect();
    if answers.iter().all(Result::is_ok) {
        match hub.deliver(delivery(recipients.clone())).await {
            Ok(_) => return Ok(answers),
            // A mailbox is full, of those that had room at RCPT: the others are not to wait for it.
            Err(Error::OverQuota { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (mut reached, mut passed) = (HashSet::new(), HashSet::new());
    for (recipient, answer) in recipients.into_iter().zip(&mut answers) {
        let Recipient { address, mut members } = recipient;
        members.accounts.retain(|account| !reached.contains(account));
        members.elsewhere.retain(|target| !passed.contains(target));
        if answer.is_ok() && !members.is_empty() {
            let one = vec![Recipient { address, members: members.clone() }];
            *answer = hub.deliver(delivery(one)).await.map(|_| ()).map_err(Failure::from);
        }
        if answer.is_ok() {
            reached.extend(members.accounts);
            passed.extend(members.elsewhere);
        }
    }
    Ok(answers)
}
