//! What an organizer says, in an attendee's copy.

use std::collections::{BTreeSet, HashSet};

use crate::address::{Owner, user};
use crate::apply::room::Room;
use crate::apply::{Ignored, invites, is_stale};
use crate::calendar::{Calendar, Component, Instance};
use crate::compare::{attendee, attendees, participation};
use crate::received::Received;
use crate::text::{Block, with_parameter, with_value};

/// RFC 5546 §3.2.2: a new invitation, or another state of one.
pub(super) fn request(
    stored: Option<Calendar>,
    message: &Received,
    owner: &Owner,
) -> Result<Calendar, Ignored> {
    if !message.calendar.components.iter().any(|component| invites(component, owner)) {
        return Err(Ignored::NotForThem);
    }
    let Some(mut stored) = stored else {
        let mut new = message.calendar.clone();
        new.remove_property("METHOD");
        // Whether and when something rings is not the organizer's to say.
        new.components.iter_mut().for_each(|component| component.block.remove_blocks("VALARM"));
        // Nor what the attendee has answered.
        new.components.iter_mut().for_each(|component| keep_answer(component, None, None, owner));
        return Ok(new);
    };
    let (mut is_news, mut room) = (false, Room::beside(&stored));
    for component in &message.calendar.components {
        let Some(at) = place(&stored, component) else {
            room.take(alarms(stored.master()).chain([&component.block]))?;
            let new = merged(component, None, stored.master(), owner);
            let at = if component.instance.is_none() { 0 } else { stored.components.len() };
            stored.components.insert(at, new);
            is_news = true;
            continue;
        };
        if is_stale(component, &stored.components[at]) {
            continue;
        }
        is_news = true;
        let before = stored.components[at].clone();
        stored.components[at] = merged(component, Some(&before), None, owner);
        if component.instance.is_none() {
            settle_instances(&mut stored, &before, component, message);
        }
    }
    stored.add_zones(&message.calendar);
    if is_news { Ok(stored) } else { Err(Ignored::Stale) }
}

fn place(stored: &Calendar, component: &Component) -> Option<usize> {
    stored.components.iter().position(|one| one.instance == component.instance)
}

/// A series in another state: instances that the organizer does not name any more stay only if they were
/// not overtaken.
fn settle_instances(stored: &mut Calendar, before: &Component, series: &Component, message: &Received) {
    let is_moved = crate::compare::is_rescheduled(before, series);
    stored.components.retain(|one| {
        let Some(instance) = one.instance else { return true };
        let is_named = message.calendar.of(Some(instance)).is_some();
        let is_overtaken = is_moved || one.sequence() < series.sequence();
        is_named || !(is_overtaken || series.excepted.contains(&instance))
    });
}

/// What the organizer says, with what is the attendee's own: alarms, whether it takes time, properties
/// that only programs know, and an answer that the organizer has not heard yet.
fn merged(
    new: &Component,
    before: Option<&Component>,
    series: Option<&Component>,
    owner: &Owner,
) -> Component {
    let mut merged = new.clone();
    merged.block.remove_blocks("VALARM");
    keep_answer(&mut merged, before, series, owner);
    let Some(own) = before.or(series) else { return merged };
    alarms(Some(own)).for_each(|alarm| merged.block.push(alarm.clone()));
    if let Some(before) = before {
        keep_own_lines(before, &mut merged);
    }
    merged
}

/// What the attendee has answered is the attendee's to say. Asked again, it has not answered.
fn keep_answer(new: &mut Component, before: Option<&Component>, series: Option<&Component>, owner: &Owner) {
    let is_same = before.is_some_and(|it| it.is_as_long_as(new) && it.sequence() == new.sequence());
    new.block.rewrite("ATTENDEE", |property, text| {
        let who = user(property);
        if !owner.has(&who) {
            return None;
        }
        let (says, open) = (participation(property), "NEEDS-ACTION".to_owned());
        let own = before.or(series).and_then(|own| attendee(own, &who));
        let own = own.map_or(open.clone(), |own| participation(&own));
        let answer = match before {
            Some(_) if is_same || says != open => own,
            None if says == own => own,
            _ => open,
        };
        (answer != says).then(|| with_parameter(text, "PARTSTAT", Some(&answer)))
    });
}

fn alarms(component: Option<&Component>) -> impl Iterator<Item = &Block> {
    component.into_iter().flat_map(|it| it.block.blocks()).filter(|block| block.name == "VALARM")
}

fn keep_own_lines(before: &Component, merged: &mut Component) {
    let name = |property: &hub_ical::Property<'_>| property.name.to_ascii_uppercase();
    let mut known: HashSet<String> = merged.block.properties().map(|property| name(&property)).collect();
    let (mut transparency, mut own) = (None, Vec::new());
    for line in before.block.lines() {
        let Some(property) = line.property() else { continue };
        if property.is("TRANSP") {
            transparency = Some(line.text.clone());
        } else if starts_with_x(property.name) && known.insert(name(&property)) {
            own.push(line.text.clone());
        }
    }
    transparency.into_iter().for_each(|line| merged.block.set(line));
    merged.block.add_all(own);
}

fn starts_with_x(name: &str) -> bool {
    name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"))
}

/// RFC 5546 §3.2.4: one more instance of a series.
pub(super) fn add(mut stored: Calendar, message: &Received, owner: &Owner) -> Result<Calendar, Ignored> {
    let mut room = Room::beside(&stored);
    for new in &message.calendar.components {
        if !invites(new, owner) {
            return Err(Ignored::NotForThem);
        }
        let master = stored.of_mut(None).ok_or(Ignored::Unknown)?;
        if is_stale(new, master) {
            return Err(Ignored::Stale);
        }
        let start = new.start.as_ref().ok_or(Ignored::Unknown)?;
        let instance: Instance = start.utc(&hub_ical::Zone::UTC);
        let line = new.block.lines().find(|line| line.property().is_some_and(|it| it.is("DTSTART")));
        // A series within a series is for a person to look at.
        let is_series = new.block.first("RRULE").is_some() || new.block.first("RDATE").is_some();
        let Some((line, value)) = line.and_then(|line| Some((line, line.property()?.value.to_owned())))
        else {
            return Err(Ignored::Unknown);
        };
        if is_series || new.instance.is_some() {
            return Err(Ignored::Method);
        }
        master.block.add(with_value(&line.text, "RDATE", &value));
        let mut component = new.clone();
        component.instance = Some(instance);
        component.block.set(with_value(&line.text, "RECURRENCE-ID", &value));
        room.take(alarms(stored.master()).chain([&component.block]))?;
        let component = merged(&component, None, stored.master(), owner);
        stored.components.retain(|one| one.instance != Some(instance));
        stored.components.push(component);
    }
    stored.add_zones(&message.calendar);
    Ok(stored)
}

/// RFC 5546 §3.2.5: all of it, or some instances, do not happen, or without this attendee.
pub(super) fn cancel(mut stored: Calendar, message: &Received, owner: &Owner) -> Result<Calendar, Ignored> {
    let mut outcome = Err(Ignored::Unknown);
    let named = message.calendar.components.iter().filter_map(|one| one.instance);
    let happening = stored.instances_among(named.filter(|id| stored.of(Some(*id)).is_none()));
    for one in &message.calendar.components {
        let users = attendees(one);
        if !users.is_empty() && !users.keys().any(|who| owner.has(who)) {
            outcome = outcome.or(Err(Ignored::NotForThem));
            continue;
        }
        let range =
            one.block.first("RECURRENCE-ID").and_then(|it| it.parameter("RANGE").map(|range| range.len()));
        if range.is_some() {
            return Err(Ignored::Method);
        }
        match cancel_one(&mut stored, one, &happening) {
            Ok(()) => outcome = Ok(()),
            Err(ignored) => outcome = outcome.or(Err(ignored)),
        }
    }
    outcome.map(|()| stored)
}

fn cancel_one(stored: &mut Calendar, one: &Component, happening: &BTreeSet<Instance>) -> Result<(), Ignored> {
    let mark = |component: &mut Component| {
        for name in ["DTSTAMP", "SEQUENCE"] {
            let line = one.block.lines().find(|line| line.property().is_some_and(|it| it.is(name)));
            line.into_iter().for_each(|line| component.block.set(line.text.clone()));
        }
        component.block.set("STATUS:CANCELLED".to_owned());
    };
    let Some(instance) = one.instance else {
        if stored.components.iter().all(|component| is_stale(one, component)) {
            return Err(Ignored::Stale);
        }
        stored.components.iter_mut().for_each(mark);
        return Ok(());
    };
    let known = stored.of(Some(instance)).or(stored.master()).ok_or(Ignored::Unknown)?;
    if is_stale(one, known) {
        return Err(Ignored::Stale);
    }
    let is_there = stored.of(Some(instance)).is_some();
    match stored.master().is_some() {
        true if !is_there && !happening.contains(&instance) => Err(Ignored::Unknown),
        true => {
            stored.components.retain(|component| component.instance != Some(instance));
            if let Some(master) = stored.of_mut(None) {
                master.except(instance);
            }
            Ok(())
        }
        false => {
            stored.of_mut(Some(instance)).into_iter().for_each(mark);
            Ok(())
        }
    }
}
