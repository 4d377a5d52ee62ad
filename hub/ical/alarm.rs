//! When alarms ring next that are to be sent by mail (`ACTION:EMAIL`, RFC 5545 §3.6.6).

use crate::document::{Component, Document};
use crate::entry::Entry;
use crate::filter::{Repeats, absolute};
use crate::object::Object;
use crate::time::Duration;
use crate::zone::{Zone, Zones};

/// Alarms of one object that are looked at, each with its repetitions.
const MAX_ALARMS: usize = 50;
/// Occurrences that are looked at, the next ones.
const MAX_OCCURRENCES: usize = 1_000;
/// Seconds that are looked ahead; what rings later is looked for again.
const AHEAD: i64 = 400 * 24 * 3600;

/// What happens next to an object's alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAlarm {
    /// Unix seconds.
    pub at: i64,
    /// What is to be said then; nothing, if it is only to be looked for again.
    pub rings: Vec<Ring>,
}

/// An alarm, for the person it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    pub summary: String,
    pub description: String,
    /// When what it is about begins.
    pub starts_at: i64,
}

/// The next moment after another one at which alarms ring by mail; `None` if there is none any more.
pub fn next_alarm(data: &[u8], after: i64, floating: &Zone) -> Option<NextAlarm> {
    let document = Document::parse(data).ok()?;
    let calendar = document.roots().next()?;
    let zones = Zones::of(Some(calendar));
    let mut next: Option<NextAlarm> = None;
    for object in Object::all(calendar, &zones) {
        for (at, ring) in of_object(&object, after, floating) {
            match &mut next {
                Some(next) if next.at < at => {}
                Some(next) if next.at == at => next.rings.push(ring),
                _ => next = Some(NextAlarm { at, rings: vec![ring] }),
            }
        }
        let has_later = || {
            object.bounds(floating).is_some_and(|bounds| bounds.last.is_none_or(|last| last > after + AHEAD))
        };
        if next.is_none() && has_mail(&object) && has_later() {
            next = Some(NextAlarm { at: after.saturating_add(AHEAD / 2), rings: Vec::new() });
        }
    }
    next
}

fn entries<'o, 'd>(object: &'o Object<'d>) -> impl Iterator<Item = &'o Entry<'d>> {
    object.master.iter().chain(&object.overrides)
}

fn mail_alarms<'d>(component: Component<'d>) -> impl Iterator<Item = Component<'d>> {
    let is_mail = |alarm: &Component<'_>| {
        alarm.name() == "VALARM"
            && alarm.first("ACTION").is_some_and(|action| action.value.trim().eq_ignore_ascii_case("EMAIL"))
    };
    component.children().filter(is_mail).take(MAX_ALARMS)
}

fn has_mail(object: &Object<'_>) -> bool {
    entries(object).any(|entry| mail_alarms(entry.component).next().is_some())
}

fn of_object(object: &Object<'_>, after: i64, floating: &Zone) -> Vec<(i64, Ring)> {
    let mut rings = Vec::new();
    if !has_mail(object) || object.master.as_ref().is_some_and(is_over) {
        return rings;
    }
    let (mut early, mut late) = (0, 0);
    for entry in entries(object).filter(|entry| !is_over(entry)) {
        for alarm in mail_alarms(entry.component) {
            let Some(trigger) = alarm.first("TRIGGER") else { continue };
            let repeats = Repeats::of(alarm);
            if let Some(at) = absolute(&trigger) {
                let starts_at = entry.start.as_ref().map_or(at, |start| start.utc(floating));
                rings.extend(
                    repeats.times(at).filter(|at| *at > after).map(|at| (at, ring(entry, alarm, starts_at))),
                );
            } else if let Some(before) = Duration::parse(trigger.value) {
                early = early.min(before.nominal());
                late = late.max(before.nominal().saturating_add(repeats.last()));
            }
        }
    }
    let (from, to) = (after.saturating_sub(late), after.saturating_add(AHEAD).saturating_sub(early));
    for occurrence in object.occurrences(from, to, floating, MAX_OCCURRENCES) {
        let entry = match occurrence.instead {
            Some(index) => object.overrides.get(index),
            None => object.master.as_ref(),
        };
        let Some(entry) = entry.filter(|entry| !is_over(entry)) else { continue };
        for alarm in mail_alarms(entry.component) {
            let Some(trigger) = alarm.first("TRIGGER").filter(|trigger| absolute(trigger).is_none()) else {
                continue;
            };
            let Some(before) = Duration::parse(trigger.value) else { continue };
            let of_end =
                trigger.parameter("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
            let base = if of_end { occurrence.end } else { occurrence.start };
            let times = Repeats::of(alarm).times(base.saturating_add(before.nominal()));
            rings.extend(times.filter(|at| *at > after).map(|at| (at, ring(entry, alarm, occurrence.start))));
        }
    }
    rings
}

/// A task that is done rings no more, what is cancelled neither.
fn is_over(entry: &Entry<'_>) -> bool {
    let status = entry.component.first("STATUS").map(|status| status.value.trim().to_ascii_uppercase());
    matches!(status.as_deref(), Some("CANCELLED" | "COMPLETED"))
}

fn ring(entry: &Entry<'_>, alarm: Component<'_>, starts_at: i64) -> Ring {
    let text = |component: Component<'_>, name: &str| {
        component.first(name).map(|property| property.text().into_owned()).unwrap_or_default()
    };
    let summary = match text(alarm, "SUMMARY") {
        summary if summary.is_empty() => text(entry.component, "SUMMARY"),
        summary => summary,
    };
    Ring { summary, description: text(alarm, "DESCRIPTION"), starts_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn next(lines: &str, alarm: &str, after: i64) -> Option<(i64, usize)> {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:s\n{lines}\nBEGIN:VALARM\nACTION:EMAIL\n{alarm}\n\
             END:VALARM\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT0S\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        next_alarm(text.as_bytes(), after, &Zone::UTC).map(|next| (next.at, next.rings.len()))
    }

    #[test]
    fn the_next_one() {
        let once = "DTSTART:19700102T000000Z\nDTEND:19700102T010000Z";
        let day = 24 * HOUR;
        assert_eq!(next(once, "TRIGGER:-PT1H", 0), Some((day - HOUR, 1)));
        assert_eq!(next(once, "TRIGGER:-PT1H", day - HOUR), None);
        assert_eq!(next(once, "TRIGGER;RELATED=END:PT0S", 0), Some((day + HOUR, 1)));
        assert_eq!(next(once, "TRIGGER;VALUE=DATE-TIME:19700101T120000Z", 0), Some((12 * HOUR, 1)));
        let thrice = "TRIGGER:-PT1H\nREPEAT:2\nDURATION:PT30M";
        assert_eq!(next(once, thrice, day - HOUR), Some((day - HOUR / 2, 1)));
        assert_eq!(next(once, thrice, day), None);
        let daily = format!("{once}\nRRULE:FREQ=DAILY");
        assert_eq!(next(&daily, "TRIGGER:-PT1H", 1000 * day), Some((1001 * day - HOUR, 1)));
        let done = format!("{once}\nSTATUS:CANCELLED");
        assert_eq!(next(&done, "TRIGGER:-PT1H", 0), None);
        let instance = format!(
            "{daily}\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID:19700103T000000Z\n\
             DTSTART:19700103T000000Z\nSTATUS:CANCELLED"
        );
        let with_alarm =
            instance.replacen("\nEND", "\nBEGIN:VALARM\nACTION:EMAIL\nTRIGGER:-PT1H\nEND:VALARM\nEND", 1);
        assert_eq!(next(&with_alarm, "TRIGGER:-PT1H", day), Some((3 * day - HOUR, 1)), "not the second day");
        let far = "DTSTART:20900102T000000Z\nDTEND:20900102T010000Z";
        assert_eq!(next(far, "TRIGGER:-PT1H", 0), Some((200 * day, 0)), "to be looked for again");
        let bomb = "DTSTART:19700102T000000Z\nRRULE:FREQ=SECONDLY";
        assert_eq!(next(bomb, "TRIGGER:PT0S", 2 * day), Some((2 * day + 1, 1)));
        for broken in ["", "TRIGGER:x", "TRIGGER:-P99999999D", "TRIGGER;VALUE=DATE-TIME:x"] {
            assert_eq!(next(once, broken, 0), None, "{broken}");
        }
    }
}
