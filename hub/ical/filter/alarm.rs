//! When an alarm rings (RFC 5545 §3.6.6), for `time-range` of VALARM (RFC 4791 §9.9).

use crate::document::Component;
use crate::filter::TimeRange;
use crate::object::Object;
use crate::property::Property;
use crate::time::{Duration, Time};
use crate::zone::{Zone, Zones};

/// Rings of one alarm that are looked at, the first included.
const MAX_REPEATS: i64 = 100;
/// Occurrences whose alarms are looked at.
const MAX_OCCURRENCES: usize = 10_000;

pub(super) fn rings(
    alarm: Component<'_>,
    parent: Component<'_>,
    objects: &[Object<'_>],
    range: TimeRange,
    floating: &Zone,
) -> bool {
    let Some(trigger) = alarm.first("TRIGGER") else { return false };
    let repeats = Repeats::of(alarm);
    if let Some(at) = absolute(&trigger) {
        return repeats.ring_within(at, range);
    }
    let (Some(before), Some(object)) =
        (Duration::parse(trigger.value), objects.iter().find(|object| object.has(parent)))
    else {
        return false;
    };
    let of_end = trigger.parameter("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
    // An occurrence is looked at if its alarm could ring within the range, at its start or its end.
    let (early, late) = (before.nominal().min(0), before.nominal().max(0).saturating_add(repeats.last()));
    let (from, to) = (range.from.saturating_sub(late), range.to.saturating_sub(early));
    let found = object.occurrences(from.saturating_sub(1), to.saturating_add(1), floating, MAX_OCCURRENCES);
    found.iter().any(|occurrence| {
        let at = if of_end { occurrence.end } else { occurrence.start };
        repeats.ring_within(at.saturating_add(before.nominal()), range)
    })
}

/// A `TRIGGER` that is a moment.
pub(crate) fn absolute(trigger: &Property<'_>) -> Option<i64> {
    Time::of(trigger, &Zones::of(None)).map(|time| time.utc(&Zone::UTC))
}

/// `REPEAT` and `DURATION`.
pub(crate) struct Repeats {
    count: i64,
    every: i64,
}

impl Repeats {
    pub(crate) fn of(alarm: Component<'_>) -> Self {
        let count = alarm.first("REPEAT").and_then(|property| property.value.trim().parse::<i64>().ok());
        let every = alarm.first("DURATION").and_then(|property| Duration::parse(property.value));
        match (count, every) {
            (Some(count), Some(every)) if every.nominal() > 0 => {
                Self { count: count.clamp(0, MAX_REPEATS), every: every.nominal() }
            }
            _ => Self { count: 0, every: 0 },
        }
    }

    /// Seconds from the first ring to the last.
    pub(crate) fn last(&self) -> i64 {
        self.count.saturating_mul(self.every)
    }

    fn ring_within(&self, first: i64, range: TimeRange) -> bool {
        self.times(first).any(|at| (range.from..range.to).contains(&at))
    }

    /// All rings, by the first.
    pub(crate) fn times(&self, first: i64) -> impl Iterator<Item = i64> + use<> {
        let every = self.every;
        (0..=self.count).map(move |number| first.saturating_add(number.saturating_mul(every)))
    }
}
