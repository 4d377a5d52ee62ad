//! What a content filter says of mail from other servers, and what follows.

use std::net::IpAddr;

use hub::{Address, DmarcPolicy, Incoming, Verdict};
use hub_milter::{Action, Filter, Origin, Outcome, Refusal};

use crate::authentic::{HEADER_TOO_LARGE, MAX_HEADER};
use crate::reply::Reply;
use crate::session::Envelope;
use crate::status::{Failure, causes};

/// A filter that is asked about every message on the MX port.
#[derive(Clone, Debug)]
pub struct ContentFilter {
    pub filter: Filter,
    pub on_error: OnError,
}

/// What happens to a message when the filter cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// It is delivered as if there were no filter.
    Accept,
    /// The sender is asked to try again later.
    TempFail,
}

const REFUSED: Reply = Reply::new(550, "5.7.1", "Refused by the content filter");
const UNCHECKED: Reply =
    Reply::new(451, "4.7.1", "The message cannot be checked at the moment, try again later");

/// Asks about a message. Returns the header fields to put in front; sets `verdict` to have it put aside.
///
/// A filter may want a message taken and thrown away. Here nothing that was acknowledged is dropped
/// silently, so that is a refusal too: the sender hears it.
pub(crate) async fn judge(
    content: &ContentFilter,
    host_name: &str,
    peer: IpAddr,
    envelope: &Envelope,
    incoming: &Incoming,
    verdict: &mut Option<Verdict>,
) -> Result<String, Failure> {
    if incoming.summary.header_length > MAX_HEADER {
        return Err(HEADER_TOO_LARGE.into());
    }
    let header = incoming.header()?;
    let asked = {
        let origin = Origin {
            host_name,
            id: &envelope.id,
            peer,
            peer_name: verdict.as_ref().and_then(|verdict| verdict.ptr.as_deref()),
            helo: &envelope.helo,
            reverse_path: envelope.mail.reverse_path.as_ref().map(Address::to_string).unwrap_or_default(),
            recipients: envelope.recipients.iter().map(|to| to.destination.address().to_string()).collect(),
        };
        hub_milter::ask(&content.filter, &origin, &header, incoming.body()).await
    };
    let Outcome { action, fields, quarantine } = match asked {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::warn!(id = envelope.id, error = causes(&error), "the content filter could not be asked");
            return match content.on_error {
                OnError::Accept => Ok(String::new()),
                OnError::TempFail => Err(UNCHECKED.into()),
            };
        }
    };
    match action {
        Action::Accept => {}
        Action::Discard => return Err(REFUSED.into()),
        Action::Refuse(refusal) => return Err(reply(refusal).into()),
    }
    if let Some(why) = quarantine {
        tracing::info!(id = envelope.id, why, "the content filter wants the message set aside");
        let verdict = verdict.get_or_insert_with(|| Verdict::new(peer, envelope.helo.as_str()));
        verdict.action = DmarcPolicy::Quarantine;
    }
    Ok(fields)
}

/// The filter's own words, with an enhanced code if they have none (RFC 2034 §4).
fn reply(Refusal { code, text }: Refusal) -> Reply {
    let class = code / 100;
    let own = text.split(' ').next().is_some_and(|word| is_enhanced(word, class));
    let text = match own {
        true => text,
        false => format!("{class}.7.1 {text}").trim_end().to_owned(),
    };
    Reply::with(code, "", text)
}

/// `class "." subject "." detail` (RFC 3463 §2), of the class of the code.
fn is_enhanced(word: &str, class: u16) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number) && parts[0] == class.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_an_enhanced_code() {
        for (code, text, expected) in [
            (554, "5.7.1 Gtube pattern", "554 5.7.1 Gtube pattern"),
            (451, "Try again later", "451 4.7.1 Try again later"),
            (550, "4.7.1 muddled", "550 5.7.1 4.7.1 muddled"),
            (550, "5.7 short", "550 5.7.1 5.7 short"),
            (550, "", "550 5.7.1"),
        ] {
            assert_eq!(reply(Refusal { code, text: text.into() }).to_string(), expected);
        }
    }
}
