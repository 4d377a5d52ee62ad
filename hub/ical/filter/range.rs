//! `time-range` (RFC 4791 §9.9).

use crate::document::Component;
use crate::entry::Kind;
use crate::object::Object;
use crate::property::Property;
use crate::time::{Duration, Time};
use crate::zone::{Zone, Zones};

/// From a moment on and before another, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub from: i64,
    pub to: i64,
}

impl TimeRange {
    /// RFC 4791 §9.7.2: a property whose value is a time within the range.
    pub(super) fn holds(&self, property: &Property<'_>) -> bool {
        let zone = property.parameter("TZID").and_then(|name| Zone::named(&name));
        let time = Time::parse(property.value.trim(), zone).map(|time| time.utc(&Zone::UTC));
        time.is_some_and(|time| (self.from..self.to).contains(&time))
    }
}

/// Whether a component of the calendar happens within the range.
pub(super) fn overlaps(
    component: Component<'_>,
    objects: &[Object<'_>],
    range: TimeRange,
    floating: &Zone,
) -> bool {
    let Some(object) = objects.iter().find(|object| object.has(component)) else { return false };
    let Some(entry) = object.entry(component) else { return false };
    let happens = || object.happens(component, range.from, range.to, floating);
    match (entry.kind, &entry.start) {
        (Kind::Todo, None) => undated_todo(component, range),
        (Kind::FreeBusy, _) => is_busy(component, range) || happens(),
        // Always there, if nothing else is said (RFC 7953 §3.1).
        (Kind::Availability, None) => true,
        (_, None) => false,
        (_, Some(_)) => happens(),
    }
}

/// The last four rows of the table for VTODO.
fn undated_todo(todo: Component<'_>, range: TimeRange) -> bool {
    let time = |name: &str| {
        let property = todo.first(name)?;
        Time::of(&property, &Zones::of(None)).map(|time| time.utc(&Zone::UTC))
    };
    let TimeRange { from, to } = range;
    match (time("COMPLETED"), time("CREATED")) {
        (Some(completed), Some(created)) => {
            (from <= created || from <= completed) && (to >= created || to >= completed)
        }
        (Some(completed), None) => from <= completed && to >= completed,
        (None, Some(created)) => to > created,
        (None, None) => true,
    }
}

/// A period of a VFREEBUSY.
fn is_busy(component: Component<'_>, range: TimeRange) -> bool {
    let mut periods = component.all("FREEBUSY").flat_map(|property| property.value.split(','));
    periods.any(|period| {
        let Some((start, end)) = period.trim().split_once('/') else { return false };
        let Some(start) = Time::parse(start, None) else { return false };
        let end = match Duration::parse(end) {
            Some(duration) => Some(start.plus(duration)),
            None => Time::parse(end, None),
        };
        end.is_some_and(|end| start.local() < range.to && end.local() > range.from)
    })
}
