//! When somebody is busy (RFC 4791 §7.10, RFC 5545 §3.6.4).

use crate::document::{Component, Document};
use crate::entry::{Entry, Kind};
use crate::object::Object;
use crate::text::Text;
use crate::time::{Duration, Time};
use crate::zone::{Zone, Zones};

/// Occurrences of one object that are looked at. What has more counts as going on all the time.
const MOST_OCCURRENCES: usize = 10_000;

/// `FBTYPE`; what is free is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BusyKind {
    Busy,
    Tentative,
    Unavailable,
}

/// From a moment to another, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    pub from: i64,
    pub to: i64,
    pub kind: BusyKind,
}

/// Whom an event must not keep busy if they have declined it: calendar user addresses in lower case.
pub type Addresses<'a> = &'a [String];

/// The times within `from..to` at which an object keeps its owner busy, in any order. One that cannot be
/// read keeps nobody busy.
pub fn busy_times(data: &[u8], owner: Addresses<'_>, from: i64, to: i64, floating: &Zone) -> Vec<Busy> {
    let Ok(document) = Document::parse(data) else { return Vec::new() };
    let Some(calendar) = document.roots().next() else { return Vec::new() };
    let zones = Zones::of(Some(calendar));
    let mut all = Vec::new();
    for object in Object::all(calendar, &zones) {
        of_object(&object, owner, (from, to), floating, &mut all);
    }
    let within = |busy: Busy| Busy { from: busy.from.max(from), to: busy.to.min(to), ..busy };
    all.into_iter().map(within).filter(|busy| busy.from < busy.to).collect()
}

fn of_object(
    object: &Object<'_>,
    owner: Addresses<'_>,
    (from, to): (i64, i64),
    floating: &Zone,
    all: &mut Vec<Busy>,
) {
    let entries = || object.master.iter().chain(&object.overrides);
    for entry in entries().filter(|entry| entry.kind == Kind::FreeBusy) {
        all.extend(periods(entry.component));
    }
    let kinds = |instead: Option<usize>| match instead {
        None => object.master.as_ref().and_then(|entry| kind(entry, owner)),
        Some(index) => object.overrides.get(index).and_then(|entry| kind(entry, owner)),
    };
    if !entries().any(|entry| kind(entry, owner).is_some()) {
        return;
    }
    let found = object.occurrences(from, to, floating, MOST_OCCURRENCES + 1);
    if found.len() > MOST_OCCURRENCES {
        let first = found.first().map_or(from, |first| first.start);
        all.push(Busy { from: first, to, kind: BusyKind::Busy });
        return;
    }
    for occurrence in found {
        if let Some(kind) = kinds(occurrence.instead) {
            all.push(Busy { from: occurrence.start, to: occurrence.end, kind });
        }
    }
}

/// How an event keeps its owner busy; `None` if it does not.
fn kind(entry: &Entry<'_>, owner: Addresses<'_>) -> Option<BusyKind> {
    if entry.kind != Kind::Event {
        return None;
    }
    let is = |name: &str, value: &str| {
        let property = entry.component.first(name);
        property.is_some_and(|property| property.value.trim().eq_ignore_ascii_case(value))
    };
    if is("TRANSP", "TRANSPARENT") || is("STATUS", "CANCELLED") {
        return None;
    }
    let own = entry
        .component
        .all("ATTENDEE")
        .find(|attendee| owner.contains(&attendee.value.trim().to_ascii_lowercase()));
    let answer = own.and_then(|own| own.parameter("PARTSTAT")).unwrap_or_default().to_ascii_uppercase();
    match answer.as_str() {
        "DECLINED" | "DELEGATED" => None,
        "TENTATIVE" => Some(BusyKind::Tentative),
        _ if is("STATUS", "TENTATIVE") => Some(BusyKind::Tentative),
        _ => Some(BusyKind::Busy),
    }
}

/// `FREEBUSY` of a VFREEBUSY.
fn periods(component: Component<'_>) -> impl Iterator<Item = Busy> {
    component.all("FREEBUSY").flat_map(|property| {
        let kind = property.parameter("FBTYPE").unwrap_or_default().to_ascii_uppercase();
        let kind = match kind.as_str() {
            "FREE" => None,
            "BUSY-TENTATIVE" => Some(BusyKind::Tentative),
            "BUSY-UNAVAILABLE" => Some(BusyKind::Unavailable),
            _ => Some(BusyKind::Busy),
        };
        property.value.split(',').filter_map(move |period| {
            let (start, end) = period.trim().split_once('/')?;
            let start = Time::parse(start, None)?;
            let end = match Duration::parse(end) {
                Some(duration) => start.plus(duration),
                None => Time::parse(end, None)?,
            };
            Some(Busy { from: start.local(), to: end.local(), kind: kind? })
        })
    })
}

/// In the order of time; what touches or overlaps is one, for each kind by itself.
pub fn merged(mut all: Vec<Busy>) -> Vec<Busy> {
    all.sort_by_key(|busy| (busy.kind, busy.from));
    let mut merged: Vec<Busy> = Vec::with_capacity(all.len());
    for busy in all {
        match merged.last_mut() {
            Some(last) if last.kind == busy.kind && busy.from <= last.to => last.to = last.to.max(busy.to),
            _ => merged.push(busy),
        }
    }
    merged.sort_by_key(|busy| (busy.from, busy.kind));
    merged
}

/// A calendar with one VFREEBUSY for `from..to`. `head` are further properties of the calendar,
/// `properties` further ones of the component, as lines.
pub fn free_busy(
    (from, to): (i64, i64),
    stamp: i64,
    busy: &[Busy],
    head: &[String],
    properties: &[String],
) -> String {
    let mut text = Text::default();
    text.begin("VCALENDAR");
    text.line("VERSION:2.0");
    text.line("PRODID:-//Twin Hub//EN");
    head.iter().for_each(|line| text.line(line));
    text.begin("VFREEBUSY");
    text.time("DTSTAMP", &Time::Utc(stamp));
    text.time("DTSTART", &Time::Utc(from));
    text.time("DTEND", &Time::Utc(to));
    properties.iter().for_each(|line| text.line(line));
    for one in busy {
        let kind = match one.kind {
            BusyKind::Busy => "BUSY",
            BusyKind::Tentative => "BUSY-TENTATIVE",
            BusyKind::Unavailable => "BUSY-UNAVAILABLE",
        };
        text.period(&format!("FREEBUSY;FBTYPE={kind}"), one.from, one.to);
    }
    text.end("VFREEBUSY");
    text.end("VCALENDAR");
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(event: &str) -> Vec<(i64, i64, BusyKind)> {
        let text =
            format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
        let owner = ["mailto:me@example.org".to_owned()];
        let found = busy_times(text.as_bytes(), &owner, 0, 86_400, &Zone::UTC);
        found.into_iter().map(|busy| (busy.from, busy.to, busy.kind)).collect()
    }

    #[test]
    fn what_keeps_busy() {
        let hour = "DTSTART:19700101T010000Z\r\nDTEND:19700101T020000Z";
        let check = |more: &str, expected: &[(i64, i64, BusyKind)]| {
            assert_eq!(of(&format!("{hour}{more}")), expected, "{more}");
        };
        check("", &[(3600, 7200, BusyKind::Busy)]);
        check("\r\nTRANSP:TRANSPARENT", &[]);
        check("\r\nSTATUS:CANCELLED", &[]);
        check("\r\nSTATUS:TENTATIVE", &[(3600, 7200, BusyKind::Tentative)]);
        check("\r\nATTENDEE;PARTSTAT=DECLINED:MAILTO:Me@example.org", &[]);
        check("\r\nATTENDEE;PARTSTAT=TENTATIVE:mailto:me@example.org", &[(3600, 7200, BusyKind::Tentative)]);
        check("\r\nATTENDEE;PARTSTAT=DECLINED:mailto:you@example.org", &[(3600, 7200, BusyKind::Busy)]);
        assert_eq!(
            of("DTSTART;VALUE=DATE:19691231\r\nDTEND;VALUE=DATE:19700102"),
            [(0, 86_400, BusyKind::Busy)]
        );
        assert_eq!(
            of("DTSTART:19700101T010000Z\r\nRRULE:FREQ=SECONDLY\r\nDURATION:PT1S"),
            [(3600, 86_400, BusyKind::Busy)]
        );
    }

    #[test]
    fn what_touches_is_one() {
        let busy = |from, to, kind| Busy { from, to, kind };
        let all = vec![
            busy(20, 30, BusyKind::Busy),
            busy(0, 10, BusyKind::Busy),
            busy(10, 15, BusyKind::Busy),
            busy(5, 25, BusyKind::Tentative),
            busy(2, 3, BusyKind::Busy),
        ];
        let expected =
            [busy(0, 15, BusyKind::Busy), busy(5, 25, BusyKind::Tentative), busy(20, 30, BusyKind::Busy)];
        assert_eq!(merged(all), expected);
    }

    #[test]
    fn as_a_component() {
        let busy = [Busy { from: 3600, to: 7200, kind: BusyKind::Tentative }];
        let text = free_busy((0, 86_400), 60, &busy, &["METHOD:REPLY".into()], &["UID:1".into()]);
        assert_eq!(
            text,
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Twin Hub//EN\r\nMETHOD:REPLY\r\nBEGIN:VFREEBUSY\r\n\
             DTSTAMP:19700101T000100Z\r\nDTSTART:19700101T000000Z\r\nDTEND:19700102T000000Z\r\nUID:1\r\n\
             FREEBUSY;FBTYPE=BUSY-TENTATIVE:19700101T010000Z/19700101T020000Z\r\n\
             END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        );
        let owner = busy_times(text.as_bytes(), &[], 0, 86_400, &Zone::UTC);
        assert_eq!(owner, busy);
    }
}
