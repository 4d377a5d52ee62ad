//! Who is not let in, or not yet: whom a list of senders known for junk has (RFC 5782), and first contacts
//! that nobody answers for.

use hub::{AccountId, Hub, Listing, Verdict};

use crate::reply::Reply;
use crate::session::{Accepted, Destination, Envelope};
use crate::settings::Settings;
use crate::status::Failure;
use crate::work::unix_now;

/// RFC 6650 §5 and good sense: who is listed by mistake must be able to say so to the postmaster. That
/// message is weighed like any other.
pub(crate) fn refuse_listed(verdict: &Verdict, envelope: &Envelope) -> Result<(), Reply> {
    let is_postmaster =
        |accepted: &Accepted| accepted.destination.address().local().eq_ignore_ascii_case("postmaster");
    if envelope.recipients.iter().all(is_postmaster) {
        return Ok(());
    }
    match verdict.listed.iter().find(|listing| listing.refuses) {
        Some(listing) => Err(refusal(listing)),
        None => Ok(()),
    }
}

fn refusal(Listing { list, subject, reason, .. }: &Listing) -> Reply {
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Reply::with(550, "5.7.1", format!("{subject} is listed by {list}{reason}"))
}

/// Greylisting. The answer is for all recipients: what is put off is not there yet for anybody.
pub(crate) async fn put_off(
    hub: &Hub,
    settings: &Settings,
    verdict: &Verdict,
    envelope: &Envelope,
) -> Result<(), Failure> {
    if settings.rates.spare(verdict.peer) {
        return Ok(());
    }
    let accounts = accounts(envelope);
    let path = envelope.mail.reverse_path.as_ref();
    match hub.put_off(verdict, path, &accounts, settings.greylisting, unix_now()).await? {
        Some(wait) => Err(come_again(wait.as_secs()).into()),
        None => Ok(()),
    }
}

fn come_again(seconds: u64) -> Reply {
    let minutes = seconds.div_ceil(60);
    let text = format!(
        "Nobody answers for this message (SPF, DKIM) and you are new here; try again in {minutes} min"
    );
    Reply::with(451, "4.7.1", text)
}

/// Whom the message is for, each once. Returned mail (SRS) is for nobody here.
fn accounts(envelope: &Envelope) -> Vec<AccountId> {
    let mut accounts = Vec::new();
    for accepted in &envelope.recipients {
        if let Destination::Local(recipient) = &accepted.destination {
            match &recipient.members.accounts[..] {
                // An alias that leads elsewhere: what strangers send is not passed on more easily.
                [] => accounts.push(AccountId(0)),
                members => accounts.extend(members),
            }
        }
    }
    accounts.sort();
    accounts.dedup();
    accounts
}
