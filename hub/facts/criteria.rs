//! Search keys that facts decide.

use super::{Fact, Text};
use crate::search::DAY;
use crate::{Criterion, Record};

/// The text that a header key looks at, for the fields that are kept in memory. RFC 9051 §6.4.4:
/// FROM, TO … look at the envelope's fields; comments are not in there. `HEADER From` is the same.
fn text_of(field: &str) -> Option<Text> {
    Some(match field {
        "bcc" => Text::Bcc,
        "cc" => Text::Cc,
        "from" => Text::From,
        "message-id" => Text::MessageId,
        "subject" => Text::Subject,
        "to" => Text::To,
        _ => return None,
    })
}

/// True if facts and records tell all about the criterion, whatever the message.
pub(crate) fn facts_suffice(criterion: &Criterion) -> bool {
    match criterion {
        Criterion::And(all) => all.iter().all(facts_suffice),
        Criterion::Not(inner) => facts_suffice(inner),
        Criterion::Or(a, b) => facts_suffice(a) && facts_suffice(b),
        Criterion::Body(_) | Criterion::Text(_) => false,
        Criterion::Header(name, needle) => !needle.is_empty() && text_of(name).is_some(),
        _ => true,
    }
}

/// What a message's facts say of a key whose text is folded; `None` if they do not tell.
pub(crate) fn fact_leaf(leaf: &Criterion, record: &Record, fact: Fact<'_>) -> Option<bool> {
    let contains = |text: Text, needle: &str| {
        memchr::memmem::find(fact.text(text).as_bytes(), needle.as_bytes()).is_some()
    };
    // Without a readable Date the day of arrival counts.
    let sent = || fact.sent_day().unwrap_or(record.received_at.div_euclid(DAY));
    Some(match leaf {
        // An empty text asks whether the field is there at all, which is not kept.
        Criterion::Header(name, needle) if !needle.is_empty() => contains(text_of(name)?, needle),
        Criterion::SentBefore(day) => sent() < *day,
        Criterion::SentOn(day) => sent() == *day,
        Criterion::SentSince(day) => sent() >= *day,
        // Found in the header means found; not found may still be in another field or the body.
        Criterion::Text(needle) => {
            let places = [Text::Subject, Text::From, Text::To, Text::Cc];
            return places.iter().any(|&place| contains(place, needle)).then_some(true);
        }
        Criterion::Thread(thread) => fact.thread() == *thread,
        _ => return None,
    })
}

/// True if facts can decide some of the keys.
pub(crate) fn asks_facts(criterion: &Criterion) -> bool {
    match criterion {
        Criterion::And(all) => all.iter().any(asks_facts),
        Criterion::Header(name, needle) => !needle.is_empty() && text_of(name).is_some(),
        Criterion::Not(inner) => asks_facts(inner),
        Criterion::Or(a, b) => asks_facts(a) || asks_facts(b),
        Criterion::SentBefore(_)
        | Criterion::SentOn(_)
        | Criterion::SentSince(_)
        | Criterion::Text(_)
        | Criterion::Thread(_) => true,
        _ => false,
    }
}
