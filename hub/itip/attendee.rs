//! What an attendee's change says to the organizer, and which changes are theirs (RFC 6638 §3.2.2).

use hub_ical::{Time, Zone};

use crate::Error;
use crate::address::{CalendarUser, user};
use crate::budget::Budget;
use crate::calendar::{Calendar, Component};
use crate::compare::{attendees, is_ours, participation};
use crate::message::{self, Message, Method};
use crate::plan::Change;
use crate::text::Block;

const DECLINED: &str = "DECLINED";

pub(crate) fn messages(
    old: Option<&Calendar>,
    new: Option<&Calendar>,
    change: &Change<'_>,
) -> Result<Vec<Message>, Error> {
    if let (Some(old), Some(new)) = (old, new) {
        check(old, new)?;
    }
    let Some(calendar) = new.or(old) else { return Ok(Vec::new()) };
    let Some(organizer) = calendar.organizer()? else { return Ok(Vec::new()) };
    let is_ours =
        |component: &Component| component.block.first("ORGANIZER").is_none_or(|property| is_ours(&property));
    let users = calendar.components.iter().flat_map(|component| attendees(component).into_keys());
    let who = users.into_iter().find(|who| change.owner.has(who));
    let Some(who) = who.filter(|_| calendar.components.iter().all(is_ours)) else { return Ok(Vec::new()) };
    let mut budget = Budget::new();
    budget.message(calendar, 1)?;
    let replies = match (old, new) {
        (Some(old), None) if change.reply => removed(old, &who, change.now, &mut budget)?,
        (old, Some(new)) => answered(old, new, &who, change.now, &mut budget)?,
        _ => Vec::new(),
    };
    if replies.is_empty() {
        return Ok(Vec::new());
    }
    let data = message::calendar(Method::Reply, calendar, replies);
    let uid = calendar.uid.clone();
    Ok(vec![Message { method: Method::Reply, uid, sender: who, recipients: vec![organizer], data }])
}

/// RFC 6638 §3.2.2.1: when something happens, and who organizes it, is not an attendee's to say. Words
/// may be changed: they are the attendee's own notes until the organizer says something new.
fn check(old: &Calendar, new: &Calendar) -> Result<(), Error> {
    if old.organizer()? != new.organizer()? {
        return Err(Error::AttendeeChange("the organizer"));
    }
    for component in &new.components {
        let derived;
        let before = match old.of(component.instance) {
            Some(before) => before,
            None => {
                let like_others = component.instance.and_then(|id| old.master()?.instance(id));
                derived = match like_others {
                    Some(like_others) => like_others,
                    None if old.components.is_empty() => continue,
                    None => return Err(Error::AttendeeChange("which instances there are")),
                };
                &derived
            }
        };
        let is_same = same_times(before, component);
        let rules = |component: &Component, name: &str| {
            let mut rules: Vec<String> =
                component.block.all(name).map(|it| it.value.trim().to_ascii_uppercase()).collect();
            rules.sort_unstable();
            rules
        };
        if !is_same || ["RDATE", "RRULE"].iter().any(|name| rules(before, name) != rules(component, name)) {
            return Err(Error::AttendeeChange("when it happens"));
        }
        if !before.excepted.is_subset(&component.excepted) {
            return Err(Error::AttendeeChange("which instances there are"));
        }
    }
    Ok(())
}

/// The same moments, however they are written.
fn same_times(old: &Component, new: &Component) -> bool {
    let utc = |time: &Option<Time>| time.as_ref().map(|time| (time.is_date(), time.utc(&Zone::UTC)));
    old.is_as_long_as(new) || utc(&old.start) == utc(&new.start) && old.end() == new.end()
}

/// Everything is declined that was not yet.
fn removed(old: &Calendar, who: &CalendarUser, now: i64, budget: &mut Budget) -> Result<Vec<Block>, Error> {
    let is_open = |component: &&Component| {
        !component.is_cancelled() && status(component, who).is_some_and(|status| status != DECLINED)
    };
    let reply = |component: &Component| {
        budget.spend(&component.block)?;
        Ok(message::replied(component, who, Some(DECLINED), now))
    };
    old.components.iter().filter(is_open).map(reply).collect()
}

fn answered(
    old: Option<&Calendar>,
    new: &Calendar,
    who: &CalendarUser,
    now: i64,
    budget: &mut Budget,
) -> Result<Vec<Block>, Error> {
    let mut replies = Vec::new();
    for component in &new.components {
        let before = old.and_then(|old| old.of(component.instance).or_else(|| old.master()));
        let (was, is) = (before.and_then(|before| status(before, who)), status(component, who));
        let Some(is) = is else { continue };
        let has_answered = is != was.unwrap_or_else(|| "NEEDS-ACTION".to_owned());
        let has_progressed = before.is_some_and(|before| progress(before) != progress(component));
        if has_answered || has_progressed || is_forced(component) {
            budget.spend(&component.block)?;
            replies.push(message::replied(component, who, None, now));
        }
    }
    let (Some(before), Some(after)) = (old.and_then(Calendar::master), new.master()) else {
        return Ok(replies);
    };
    for id in after.excepted.difference(&before.excepted) {
        let own = old.and_then(|old| old.of(Some(*id)));
        budget.spend(&own.unwrap_or(before).block)?;
        let Some(component) = own.cloned().or_else(|| before.instance(*id)) else { continue };
        if status(&component, who).is_some_and(|status| status != DECLINED) {
            replies.push(message::replied(&component, who, Some(DECLINED), now));
        }
    }
    Ok(replies)
}

fn status(component: &Component, who: &CalendarUser) -> Option<String> {
    crate::compare::attendee(component, who).map(|property| participation(&property))
}

/// How far a task is (RFC 5546 §4.5.4 and §4.5.5).
fn progress(component: &Component) -> Option<[Option<String>; 3]> {
    let is_task = component.block.name == "VTODO";
    is_task.then(|| ["COMPLETED", "PERCENT-COMPLETE", "STATUS"].map(|name| component.block.text(name)))
}

/// RFC 6638 §7.2
fn is_forced(component: &Component) -> bool {
    let is_reply = |value: std::borrow::Cow<'_, str>| value.eq_ignore_ascii_case("REPLY");
    component
        .block
        .first("ORGANIZER")
        .is_some_and(|property| property.parameter("SCHEDULE-FORCE-SEND").is_some_and(is_reply))
}

/// The one attendee that a message of attendees is from (RFC 5546 §3.2.3).
pub(crate) fn only_attendee(component: &Component) -> Option<CalendarUser> {
    let mut all = component.block.all("ATTENDEE");
    let (one, None) = (all.next()?, all.next()) else { return None };
    Some(user(&one))
}
