//! MAIL and RCPT with their parameters (pure).

use hub::{QueuedMessage, QueuedRecipient, Return};

use super::Offers;
use crate::path::encode_xtext;

/// What a message is declared to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) size: u64,
    pub(crate) eight_bit: bool,
    pub(crate) utf8: bool,
}

/// `"MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF`
pub(crate) fn mail(message: &QueuedMessage, declared: Declared, offers: &Offers) -> String {
    let path = message.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut command = format!("MAIL FROM:<{path}>");
    if offers.size.is_some() {
        command.push_str(&format!(" SIZE={}", declared.size));
    }
    if declared.eight_bit && offers.eight_bit {
        command.push_str(" BODY=8BITMIME");
    }
    if declared.utf8 {
        command.push_str(" SMTPUTF8");
    }
    if message.next_hop.tls().is_required() && offers.require_tls {
        command.push_str(" REQUIRETLS");
    }
    if offers.dsn {
        command.push_str(match message.ret {
            Return::Full => " RET=FULL",
            Return::Headers => " RET=HDRS",
        });
        if let Some(id) = &message.envelope_id {
            command.push_str(&format!(" ENVID={id}"));
        }
    }
    command.push_str("\r\n");
    command
}

/// `"RCPT TO:" Forward-path [SP Rcpt-parameters] CRLF`. RFC 3461 §5.2.1: NOTIFY goes on as it came;
/// an address without ORCPT is its own original.
pub(crate) fn rcpt(recipient: &QueuedRecipient, offers: &Offers) -> String {
    let mut command = format!("RCPT TO:<{}>", recipient.address);
    if offers.dsn {
        let notify = recipient.notify;
        let words: Vec<&str> =
            [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")]
                .into_iter()
                .filter_map(|(on, word)| on.then_some(word))
                .collect();
        let words = if words.is_empty() { "NEVER".to_owned() } else { words.join(",") };
        command.push_str(&format!(" NOTIFY={words}"));
        match &recipient.original {
            Some(original) => command.push_str(&format!(" ORCPT={original}")),
            None if !recipient.address.needs_utf8() => {
                let address = encode_xtext(&recipient.address.to_string());
                command.push_str(&format!(" ORCPT=rfc822;{address}"));
            }
            None => {}
        }
    }
    command.push_str("\r\n");
    command
}
