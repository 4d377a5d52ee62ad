//! What an attendee answers, in the organizer's copy.

use std::collections::BTreeSet;

use hub_ical::{Property, Time, Zone};

use crate::address::{CalendarUser, user};
use crate::apply::Ignored;
use crate::apply::room::Room;
use crate::calendar::{Calendar, Component, Instance, utc};
use crate::compare::{attendee, participation};
use crate::received::Received;
use crate::status::REPLIED;
use crate::text::with_parameter;

/// Instances that one answer may give components of their own.
const MOST_NEW: usize = 50;

/// RFC 5546 §3.2.3. An answer to an instance that is like all others gives it a component of its own.
pub(super) fn reply(
    mut stored: Calendar,
    message: &Received,
    who: &CalendarUser,
) -> Result<Calendar, Ignored> {
    let mut outcome = Err(Ignored::Unknown);
    let named = message.calendar.components.iter().filter_map(|answer| answer.instance);
    let happening = stored.instances_among(named.filter(|id| stored.of(Some(*id)).is_none()));
    let mut room = Room::beside(&stored).at_most(MOST_NEW);
    for answer in &message.calendar.components {
        match one(&mut stored, answer, who, &happening, &mut room) {
            Ok(()) => outcome = Ok(()),
            Err(Ignored::TooMuch) => return Err(Ignored::TooMuch),
            Err(ignored) => outcome = outcome.or(Err(ignored)),
        }
    }
    outcome.map(|()| stored)
}

fn one(
    stored: &mut Calendar,
    answer: &Component,
    who: &CalendarUser,
    happening: &BTreeSet<Instance>,
    room: &mut Room,
) -> Result<(), Ignored> {
    let Some(says) = attendee(answer, who) else { return Err(Ignored::Stranger) };
    if stored.of(answer.instance).is_none() {
        let instance = answer.instance.ok_or(Ignored::Unknown)?;
        let series = stored.master().ok_or(Ignored::Unknown)?;
        check(series, answer, who, &says)?;
        if !happening.contains(&instance) {
            return Err(Ignored::Unknown);
        }
        room.take([&series.block])?;
        let like_others = series.instance(instance).ok_or(Ignored::Unknown)?;
        stored.components.push(like_others);
    }
    let component = stored.of_mut(answer.instance).ok_or(Ignored::Unknown)?;
    check(component, answer, who, &says)?;
    if attendee(component, who).is_none() {
        // Somebody whom an attendee has sent instead (RFC 5546 §3.2.2.3).
        component.block.add(with_parameter(&line_of(answer, who), "RSVP", None));
    }
    let status = participation(&says);
    let code = answer.block.first("REQUEST-STATUS").map(|it| it.text().into_owned());
    let code = code.unwrap_or_else(|| "2.0;Success".to_owned());
    let stamp = utc(answer.stamp().max(0));
    component.block.rewrite("ATTENDEE", |property, text| {
        if user(property) != *who {
            return None;
        }
        let mut text = with_parameter(text, "PARTSTAT", Some(&status));
        if let Some(delegate) = says.parameter("DELEGATED-TO") {
            text = with_parameter(&text, "DELEGATED-TO", Some(&delegate));
        }
        // The code alone, as `statcode` (RFC 6638 §7.3) has it.
        let code = code.split(';').next().unwrap_or_default().trim();
        let text = with_parameter(&text, "SCHEDULE-STATUS", Some(code));
        Some(with_parameter(&text, REPLIED, Some(&stamp)))
    });
    Ok(())
}

/// An answer counts if it is an invited one's, to what is said now, and the latest.
fn check(
    component: &Component,
    answer: &Component,
    who: &CalendarUser,
    says: &Property<'_>,
) -> Result<(), Ignored> {
    let Some(line) = attendee(component, who) else {
        let from = says.parameter("DELEGATED-FROM").map(|from| CalendarUser::new(&from));
        let delegator = from.and_then(|from| attendee(component, &from));
        let to = delegator.and_then(|line| line.parameter("DELEGATED-TO").map(|to| CalendarUser::new(&to)));
        return if to.as_ref() == Some(who) { Ok(()) } else { Err(Ignored::Stranger) };
    };
    let replied = line.parameter(REPLIED).and_then(|at| Time::parse(&at, None));
    let is_overtaken = replied.is_some_and(|at| answer.stamp() < at.utc(&Zone::UTC));
    if answer.sequence() < component.sequence() || is_overtaken {
        return Err(Ignored::Stale);
    }
    Ok(())
}

fn line_of(component: &Component, who: &CalendarUser) -> String {
    let is_theirs = |property: Property<'_>| property.is("ATTENDEE") && user(&property) == *who;
    let line = component.block.lines().find(|line| line.property().is_some_and(is_theirs));
    line.map(|line| line.text.clone()).unwrap_or_default()
}
