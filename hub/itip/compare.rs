//! What differs between two states of a component, as far as others are concerned.

use std::collections::BTreeMap;

use hub_ical::{Property, Time, Zone};

use crate::address::{CalendarUser, user};
use crate::calendar::Component;

/// What changes without anybody having to be told.
const UNSAID: [&str; 6] = ["CREATED", "DTSTAMP", "EXDATE", "LAST-MODIFIED", "SEQUENCE", "TRANSP"];
/// Compared as times.
const TIMES: [&str; 4] = ["DTEND", "DTSTART", "DUE", "DURATION"];

/// One attendee of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attendee {
    /// `SCHEDULE-AGENT` is not there, or `SERVER` (RFC 6638 §7.1).
    pub(crate) is_ours: bool,
    /// `SCHEDULE-FORCE-SEND=REQUEST` (RFC 6638 §7.2).
    pub(crate) is_forced: bool,
}

/// Everybody that a component invites.
pub(crate) fn attendees(component: &Component) -> BTreeMap<CalendarUser, Attendee> {
    let one = |property: Property<'_>| {
        let is =
            |name, value: &str| property.parameter(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
        let attendee =
            Attendee { is_ours: is_ours(&property), is_forced: is("SCHEDULE-FORCE-SEND", "REQUEST") };
        (user(&property), attendee)
    };
    component.block.all("ATTENDEE").map(one).filter(|(who, _)| !who.as_str().is_empty()).collect()
}

/// RFC 6638 §7.1: what is not known counts as `NONE`.
pub(crate) fn is_ours(property: &Property<'_>) -> bool {
    property.parameter("SCHEDULE-AGENT").is_none_or(|agent| agent.eq_ignore_ascii_case("SERVER"))
}

/// The line that invites somebody.
pub(crate) fn attendee<'c>(component: &'c Component, who: &CalendarUser) -> Option<Property<'c>> {
    component.block.all("ATTENDEE").find(|property| user(property) == *who)
}

/// `PARTSTAT`, in capital letters.
pub(crate) fn participation(property: &Property<'_>) -> String {
    let status = property.parameter("PARTSTAT").map(|status| status.trim().to_ascii_uppercase());
    status.filter(|status| !status.is_empty()).unwrap_or_else(|| "NEEDS-ACTION".to_owned())
}

/// Whether attendees are to be told of what a component says now. Who answered what is not theirs to
/// be told again.
pub(crate) fn is_news(old: &Component, new: &Component) -> bool {
    !old.is_as_long_as(new) || said(old) != said(new)
}

fn said(component: &Component) -> Vec<String> {
    let mut said: Vec<String> = component.block.properties().filter_map(|it| one_said(&it)).collect();
    said.sort_unstable();
    said.dedup();
    said
}

fn one_said(property: &Property<'_>) -> Option<String> {
    let name = property.name.to_ascii_uppercase();
    let text = match name.as_str() {
        name if UNSAID.contains(&name) || TIMES.contains(&name) || name.starts_with("X-") => return None,
        "ATTENDEE" => {
            let role = property.parameter("ROLE").unwrap_or_default().to_ascii_uppercase();
            format!("{} {role}", user(property).as_str())
        }
        "ORGANIZER" => user(property).as_str().to_owned(),
        "RECURRENCE-ID" => return None,
        "RRULE" => property.value.trim().to_ascii_uppercase(),
        _ => property.text().trim().to_owned(),
    };
    Some(format!("{name}:{text}"))
}

/// RFC 6638 §3.2.8: whether answers are of no use any more, because it happens at other times.
pub(crate) fn is_rescheduled(old: &Component, new: &Component) -> bool {
    !old.is_as_long_as(new)
        || !old.excepted.is_subset(&new.excepted)
        || has_more_dates(old, new)
        || values(old, "RRULE") != values(new, "RRULE") && !is_shortened(old, new)
}

/// RFC 5546 §2.1.4: whether `SEQUENCE` must have become greater.
pub(crate) fn is_new_sequence(old: &Component, new: &Component) -> bool {
    is_rescheduled(old, new)
        || old.excepted != new.excepted
        || ["RDATE", "RRULE"].iter().any(|name| values(old, name) != values(new, name))
        || old.is_cancelled() != new.is_cancelled()
}

fn values(component: &Component, name: &str) -> Vec<String> {
    let mut values: Vec<String> = component
        .block
        .all(name)
        .flat_map(|property| match name {
            "RDATE" => property.value.split(',').map(|value| value.trim().to_owned()).collect(),
            _ => vec![property.value.trim().to_ascii_uppercase()],
        })
        .collect();
    values.sort_unstable();
    values
}

fn has_more_dates(old: &Component, new: &Component) -> bool {
    let before = values(old, "RDATE");
    values(new, "RDATE").iter().any(|date| before.binary_search(date).is_err())
}

/// Whether the only rule is the same but that it ends earlier.
fn is_shortened(old: &Component, new: &Component) -> bool {
    let (before, after) = (values(old, "RRULE"), values(new, "RRULE"));
    match (before.as_slice(), after.as_slice()) {
        (_, []) => true,
        ([before], [after]) => {
            let ((before, ended), (after, ends)) = (without_end(before), without_end(after));
            before == after && ends.is_some_and(|ends| ended.is_none_or(|ended| ends <= ended))
        }
        _ => false,
    }
}

/// A rule, and its `UNTIL`. One with a `COUNT` is left as it is: both count differently.
fn without_end(rule: &str) -> (Vec<&str>, Option<i64>) {
    let mut parts: Vec<&str> = rule.split(';').collect();
    let until = parts.iter().find_map(|part| part.strip_prefix("UNTIL="));
    let until = until.and_then(|until| Time::parse(until, None)).map(|until| until.utc(&Zone::UTC));
    parts.retain(|part| !part.starts_with("UNTIL="));
    parts.sort_unstable();
    (parts, until)
}
