//! Mail that is about a calendar (RFC 6047), as it comes in. The mail itself is delivered as any other;
//! what it says counts only if it is known to be from whom alone may say it: nobody can answer for a
//! guest, or move a meeting, by writing a mail that looks so.

use hub_itip::{CalendarUser, Received};
use hub_mime::{Part, PartContent, PartKind, field_addresses, header_values};
use hub_storage::itip::NewItip;

use crate::Incoming;
use crate::deliver::{Delivery, Origin};

/// Bytes of an object in a mail.
const MOST_BYTES: u64 = 1 << 20;
/// Parts of a mail that are looked at.
const MOST_PARTS: usize = 50;

/// What a mail says about a calendar, if it may.
pub(crate) fn message(delivery: &Delivery) -> Option<NewItip> {
    let incoming = &delivery.incoming;
    if !has_calendar(incoming) || !is_authentic(&delivery.origin) {
        return None;
    }
    let sender = author(incoming)?;
    let leaves = incoming.summary.parts.iter().filter(|part| part.kind == PartKind::Leaf);
    let object = leaves.take(MOST_PARTS).find_map(|part| calendar(incoming, part))?;
    let received = Received::parse(object.as_bytes()).ok()?;
    (*received.author() == sender).then(|| NewItip {
        uid: received.uid().to_owned(),
        sender: sender.as_str().to_owned(),
        recipients: vec![String::new()],
        data: object.into_bytes(),
    })
}

/// Most mail has none: its structure tells that without looking into it.
fn has_calendar(incoming: &Incoming) -> bool {
    const NAME: &[u8] = b"\"calendar\"";
    incoming.summary.body_structure.windows(NAME.len()).any(|window| window.eq_ignore_ascii_case(NAME))
}

/// Whether the address in From can be believed.
fn is_authentic(origin: &Origin) -> bool {
    match origin {
        // Whoever has logged in can only write as itself.
        Origin::Twin => true,
        Origin::Front(verdict) | Origin::Outside(verdict) => {
            verdict.as_ref().is_some_and(|verdict| verdict.is_authentic() && !verdict.is_suspicious())
        }
        Origin::Hub | Origin::Returned => false,
    }
}

/// The one address in the one From field.
fn author(incoming: &Incoming) -> Option<CalendarUser> {
    let header = incoming.header().ok()?;
    let mut fields = header_values(&header, "From");
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let addresses = field_addresses(field.as_bytes(), 2);
    let [(local, domain)] = addresses.as_slice() else { return None };
    Some(CalendarUser::new(&format!("{local}@{domain}")))
}

fn calendar(incoming: &Incoming, part: &Part) -> Option<String> {
    let read = |from: u64, to: u64| {
        let length = to.checked_sub(from).filter(|length| *length <= MOST_BYTES)?;
        incoming.blob.read_at(from, usize::try_from(length).ok()?).ok()
    };
    let content = PartContent::new(&read(part.header_start, part.body_start)?);
    (content.media_type == "text/calendar")
        .then(|| read(part.body_start, part.body_end))?
        .map(|body| content.decode(&body))
}
