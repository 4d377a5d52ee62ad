//! ENVELOPE (RFC 9051 §7.5.2).

use crate::address::{EnvelopeAddress, parse_list};
use crate::header::{Field, HeaderBlock};
use crate::wire::{NIL, put_text};

/// The address fields of a header, parsed.
pub(crate) struct Addresses {
    pub(crate) from: Vec<EnvelopeAddress>,
    pub(crate) sender: Vec<EnvelopeAddress>,
    pub(crate) reply_to: Vec<EnvelopeAddress>,
    pub(crate) to: Vec<EnvelopeAddress>,
    pub(crate) cc: Vec<EnvelopeAddress>,
    pub(crate) bcc: Vec<EnvelopeAddress>,
}

impl Addresses {
    /// Fields that stand twice are taken together. At most `limit` addresses in all.
    pub(crate) fn parse(header: &HeaderBlock, charset: Option<&str>, limit: usize) -> Self {
        let mut left = limit;
        let mut parse = |field| {
            let mut list = Vec::new();
            for value in header.values(field, charset) {
                let mut addresses = parse_list(&value, left);
                left -= addresses.len();
                list.append(&mut addresses);
            }
            list
        };
        Self {
            from: parse(Field::From),
            sender: parse(Field::Sender),
            reply_to: parse(Field::ReplyTo),
            to: parse(Field::To),
            cc: parse(Field::Cc),
            bcc: parse(Field::Bcc),
        }
    }

    pub(crate) fn count(&self) -> usize {
        [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc]
            .iter()
            .map(|l| l.len())
            .sum()
    }
}

/// ```abnf
/// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
///            env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
/// ```
pub(crate) fn put_envelope(
    out: &mut Vec<u8>,
    header: &HeaderBlock,
    addresses: &Addresses,
    charset: Option<&str>,
) {
    let put_field = |out: &mut Vec<u8>, field| put_text(out, header.last(field, charset).as_deref());
    // An empty Sender or Reply-To is the same as From.
    let or_from = |list| if Vec::is_empty(list) { &addresses.from } else { list };
    out.push(b'(');
    put_field(out, Field::Date);
    out.push(b' ');
    put_text(out, header.last(Field::Subject, charset).map(|subject| single_spaced(&subject)).as_deref());
    for list in [
        &addresses.from,
        or_from(&addresses.sender),
        or_from(&addresses.reply_to),
        &addresses.to,
        &addresses.cc,
        &addresses.bcc,
    ] {
        out.push(b' ');
        put_addresses(out, list);
    }
    out.push(b' ');
    put_field(out, Field::InReplyTo);
    out.push(b' ');
    put_field(out, Field::MessageId);
    out.push(b')');
}

/// Text with runs of white space made one space. White space in a subject is an artefact of folding
/// more often than not, and Base Subject ignores it (RFC 5256 §2.1).
fn single_spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// `"(" 1*address ")" / nil`
fn put_addresses(out: &mut Vec<u8>, list: &[EnvelopeAddress]) {
    if list.is_empty() {
        out.extend_from_slice(NIL);
        return;
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        put_text(out, address.name.as_deref());
        out.push(b' ');
        put_text(out, address.route.as_deref());
        out.push(b' ');
        put_text(out, address.mailbox.as_deref());
        out.push(b' ');
        put_text(out, address.host.as_deref());
        out.push(b')');
    }
    out.push(b')');
}
