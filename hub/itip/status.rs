//! Answers and delivery reports in the organizer's copy, and the attendee's own.

use std::collections::BTreeMap;

use crate::Error;
use crate::address::{CalendarUser, Owner, user};
use crate::calendar::{Calendar, Component};
use crate::compare::{attendee, is_ours};
use crate::text::with_parameter;

/// When an attendee's last answer was said, as a parameter of `ATTENDEE`: of two that overtook each
/// other the later one counts (RFC 5546 §2.1.5).
pub(crate) const REPLIED: &str = "X-TWINHUB-REPLIED";

/// An object with what became of messages (RFC 6638 §3.2.9): `SCHEDULE-STATUS` of those who got them.
pub fn with_statuses(object: &[u8], statuses: &BTreeMap<CalendarUser, String>) -> Result<Vec<u8>, Error> {
    let mut calendar = Calendar::parse(object)?;
    for component in &mut calendar.components {
        let organizer = component.block.first("ORGANIZER").map(|property| user(&property));
        for name in ["ATTENDEE", "ORGANIZER"] {
            component.block.rewrite(name, |property, text| {
                let who = user(property);
                // An answer goes to the organizer, who may be an attendee besides.
                if name == "ATTENDEE" && organizer.as_ref() == Some(&who) {
                    return None;
                }
                let status = statuses.get(&who).filter(|_| is_ours(property))?;
                Some(with_parameter(text, "SCHEDULE-STATUS", Some(status)))
            });
        }
    }
    Ok(calendar.write())
}

/// Everybody else has to answer anew.
pub(crate) fn reset_answers(component: &mut Component, owner: &Owner) {
    component.block.rewrite("ATTENDEE", |property, text| {
        if owner.has(&user(property)) || !is_ours(property) {
            return None;
        }
        property.parameter("PARTSTAT")?;
        Some(with_parameter(text, "PARTSTAT", Some("NEEDS-ACTION")))
    });
}

/// What others have answered, and what became of messages to them, is not for the organizer's program
/// to say: it may know less than the server (RFC 6638 §3.2.10).
pub(crate) fn keep_answers(old: &Component, new: &mut Component, owner: &Owner) {
    new.block.rewrite("ATTENDEE", |property, text| {
        let who = user(property);
        let is_forced = property.parameter("SCHEDULE-FORCE-SEND").is_some();
        if owner.has(&who) || !is_ours(property) || is_forced {
            return None;
        }
        let before = attendee(old, &who)?;
        let mut text = text.to_owned();
        for name in ["PARTSTAT", "SCHEDULE-STATUS", REPLIED] {
            let (was, is) = (before.parameter(name), property.parameter(name));
            if was.is_some() && was != is {
                text = with_parameter(&text, name, was.as_deref());
            }
        }
        Some(text)
    });
}
