//! Mail from our own twins: who may send as whom, and whereto.

use hub::{Account, Address, Hub, Incoming, Route, Submission, SubmissionRecipient, Summary};

use crate::dsn::{self, Action, Report, ReportedRecipient};
use crate::headers::{Trace, received};
use crate::mx;
use crate::path::ForwardPath;
use crate::reply::Reply;
use crate::session::{Accepted, Destination, Envelope};
use crate::settings::Settings;
use crate::status::{Failure, causes};

/// The reverse-path must be an address of the twin.
pub(crate) async fn check_sender(account: &Account, address: &Address) -> Result<(), Failure> {
    if account.may_send_as(address).await? {
        return Ok(());
    }
    let text = format!("{} may not send as <{address}>", account.handle());
    Err(Reply::with(553, "5.7.1", text).into())
}

/// Anybody outside; of our own domains, whoever exists.
pub(crate) async fn accept_recipient(hub: &Hub, path: &ForwardPath) -> Result<Destination, Failure> {
    let address = match path {
        ForwardPath::Address(address) => address,
        ForwardPath::Postmaster => return mx::postmaster(hub).await,
    };
    match hub.route(address).await? {
        Route::Elsewhere => Ok(Destination::Elsewhere(address.clone())),
        Route::Local(_) | Route::Unknown => mx::accept_recipient(hub, path).await,
    }
}

/// Delivers to recipients here and queues for the others; returns the queue id if there are such.
/// Success means that it is on disk.
pub(crate) async fn send(
    hub: &Hub,
    account: &Account,
    settings: &Settings,
    envelope: Envelope,
    incoming: Incoming,
    trace: &Trace<'_>,
) -> Result<Option<i64>, Failure> {
    check_authors(account, &incoming.summary).await?;
    if incoming.summary.received_count > settings.max_received {
        return Err(Reply::new(554, "5.4.6", "The message runs in a circle").into());
    }
    let recipient = match &envelope.recipients[..] {
        [only] => Some(only.destination.address()),
        _ => None,
    };
    let received = received(&Trace { recipient, ..trace.clone() });
    let Envelope { mail, recipients, .. } = envelope;
    let to = |accepted: &Accepted| SubmissionRecipient {
        address: accepted.destination.address().clone(),
        notify: accepted.notify,
        original: accepted.original.clone(),
    };
    let submitted = account
        .submit(Submission {
            incoming: incoming.clone(),
            reverse_path: mail.reverse_path.clone(),
            recipients: recipients.iter().map(to).collect(),
            trace: received.into_bytes(),
            ret: mail.ret.unwrap_or_default(),
            envelope_id: mail.envelope_id.clone(),
            smtputf8: mail.smtputf8,
            eight_bit: mail.eight_bit,
            require_tls: mail.require_tls,
        })
        .await?;
    if let Some(sender) = &mail.reverse_path {
        report_delivery(hub, settings, sender, mail.envelope_id.as_deref(), &recipients, trace).await;
    }
    Ok(submitted.queued)
}

/// RFC 3461 §5.2.3: NOTIFY=SUCCESS for recipients of ours. The message is delivered already: if the
/// report cannot be, that is for the log and no reason to say anything but 250.
async fn report_delivery(
    hub: &Hub,
    settings: &Settings,
    sender: &Address,
    envelope_id: Option<&str>,
    recipients: &[Accepted],
    trace: &Trace<'_>,
) {
    let delivered = |accepted: &Accepted| {
        accepted.notify.success && matches!(accepted.destination, Destination::Local(_))
    };
    let recipients: Vec<_> = recipients
        .iter()
        .filter(|accepted| delivered(accepted))
        .map(|accepted| ReportedRecipient {
            address: accepted.destination.address(),
            original: accepted.original.as_deref(),
            action: Action::Delivered,
            status: "250 2.1.5 delivered",
            remote: None,
            at: trace.at,
        })
        .collect();
    if recipients.is_empty() {
        return;
    }
    let receiver = match dsn::receiver(hub, sender).await {
        Ok(Some(receiver)) => receiver,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(id = trace.id, error = causes(&error), "nobody could be found to report to");
            return;
        }
    };
    let report = Report {
        host_name: &settings.host_name,
        sender,
        envelope_id,
        id: trace.id,
        arrived_at: trace.at,
        at: trace.at,
        retry_until: None,
        recipients,
    };
    let delivered = async {
        let delivery = dsn::delivery(hub, &report, receiver, None).await?;
        hub.deliver(delivery).await.map(drop)
    };
    if let Err(error) = delivered.await {
        tracing::warn!(id = trace.id, error = causes(&error), "the delivery report was not delivered");
    }
}

/// From and Sender name whom the reader believes; with a valid login, another twin of the same hub
/// could be forged there.
async fn check_authors(account: &Account, summary: &Summary) -> Result<(), Failure> {
    for author in &summary.author_addresses {
        let own = match Address::parse(author) {
            Ok(address) => account.may_send_as(&address).await?,
            Err(_) => false,
        };
        if !own {
            let text = format!("{} may not send as <{author}>, named in From or Sender", account.handle());
            return Err(Reply::with(550, "5.7.1", text).into());
        }
    }
    Ok(())
}
