//! Header text decoded for people and for search: subject, names, ids, date.

use std::collections::HashSet;

use crate::Summary;
use crate::address::EnvelopeAddress;
use crate::date::parse_date;
use crate::envelope::Addresses;
use crate::header::{Field, HeaderBlock};
use crate::words::{decode_words, message_ids};

/// See [`Summary::references`].
const MAX_REFERENCES: usize = 100;

/// Delivered-To fields that are kept; a message that was forwarded so often loops.
const MAX_DELIVERED_TO: usize = 100;

/// Fills in what the summary tells of the message's own header.
pub(crate) fn read_header(
    summary: &mut Summary,
    header: &HeaderBlock,
    addresses: &Addresses,
    charset: Option<&str>,
) {
    let last = |field| header.last(field, charset).unwrap_or_default();
    summary.subject = decode_words(&last(Field::Subject));
    summary.from = display(&addresses.from);
    summary.to = display(&addresses.to);
    summary.cc = display(&addresses.cc);
    summary.bcc = display(&addresses.bcc);
    summary.message_id = first_id(&last(Field::MessageId));
    (summary.references, summary.in_references) = references(header);
    let date = parse_date(&last(Field::Date));
    summary.sent_at = date.map(|date| date.seconds);
    summary.sent_zone = date.map_or(0, |date| date.zone);
    summary.received_count = header.received_count();
    summary.author_addresses = author_addresses(addresses);
    let delivered_to = header.values(Field::DeliveredTo, charset).map(|value| value.trim().to_owned());
    summary.delivered_to = delivered_to.filter(|value| !value.is_empty()).take(MAX_DELIVERED_TO).collect();
}

/// `Name <address>, Group: address;`
fn display(list: &[EnvelopeAddress]) -> String {
    let mut out = String::new();
    let mut separate = false;
    for entry in list {
        let (mailbox, host) = match (&entry.mailbox, &entry.host) {
            (None, _) => {
                out.push(';');
                separate = true;
                continue;
            }
            (Some(name), None) => {
                if separate {
                    out.push_str(", ");
                }
                out.push_str(&decode_words(name));
                out.push_str(": ");
                separate = false;
                continue;
            }
            (Some(mailbox), Some(host)) => (mailbox, host),
        };
        if separate {
            out.push_str(", ");
        }
        separate = true;
        let name = entry.name.as_deref().map(decode_words).unwrap_or_default();
        let address = match entry.address() {
            Some(_) => format!("{mailbox}@{host}"),
            // Never a placeholder, which is for the wire only.
            None => entry.known_mailbox().unwrap_or_default().to_owned(),
        };
        match (name.is_empty(), address.is_empty()) {
            (true, _) => out.push_str(&address),
            (false, true) => out.push_str(&name),
            (false, false) => out.push_str(&format!("{name} <{address}>")),
        }
    }
    out
}

fn author_addresses(addresses: &Addresses) -> Vec<String> {
    let mut authors: Vec<String> = Vec::new();
    for (local, domain) in addresses.from.iter().chain(&addresses.sender).filter_map(|entry| entry.address())
    {
        let author = format!("{local}@{}", domain.to_lowercase());
        if !authors.contains(&author) {
            authors.push(author);
        }
    }
    authors
}

fn first_id(value: &str) -> String {
    message_ids(value).first().map(|id| id.to_string()).unwrap_or_default()
}

/// The ids, and how many of them stand in References. Of very long threads the first message and
/// the last ones are kept.
fn references(header: &HeaderBlock) -> (Vec<String>, u32) {
    let mut seen = HashSet::new();
    let mut ids: Vec<String> = Vec::new();
    let mut in_references = 0;
    for field in [Field::References, Field::InReplyTo] {
        for value in header.values(field, None) {
            for id in message_ids(&value) {
                if seen.insert(id.to_string()) {
                    ids.push(id.into_owned());
                }
            }
        }
        if matches!(field, Field::References) {
            in_references = ids.len();
        }
    }
    if ids.len() > MAX_REFERENCES {
        let too_many = ids.len() - MAX_REFERENCES;
        ids.drain(1..=too_many);
        // The first id stays; what went stood behind it.
        in_references = in_references.saturating_sub(too_many).max(in_references.min(1));
    }
    (ids, in_references as u32)
}
