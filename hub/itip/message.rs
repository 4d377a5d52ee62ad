//! iTIP messages as they are written.

use std::collections::BTreeSet;
use std::fmt;

use crate::address::{CalendarUser, user};
use crate::calendar::{Calendar, Component, utc};
use crate::status::REPLIED;
use crate::text::{Block, Line, with_parameter};

/// RFC 5546 §1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Add,
    Cancel,
    Counter,
    DeclineCounter,
    Publish,
    Refresh,
    Reply,
    Request,
}

impl Method {
    pub const ALL: [Self; 8] = [
        Self::Add,
        Self::Cancel,
        Self::Counter,
        Self::DeclineCounter,
        Self::Publish,
        Self::Refresh,
        Self::Reply,
        Self::Request,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Cancel => "CANCEL",
            Self::Counter => "COUNTER",
            Self::DeclineCounter => "DECLINECOUNTER",
            Self::Publish => "PUBLISH",
            Self::Refresh => "REFRESH",
            Self::Reply => "REPLY",
            Self::Request => "REQUEST",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether an attendee says it to the organizer, not the other way round.
    pub const fn is_of_attendee(self) -> bool {
        matches!(self, Self::Counter | Self::Refresh | Self::Reply)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub method: Method,
    pub uid: String,
    pub sender: CalendarUser,
    pub recipients: Vec<CalendarUser>,
    /// A `VCALENDAR` with a `METHOD`.
    pub data: Vec<u8>,
}

/// Parameters between a client and its server (RFC 6638 §7), which nobody else is told.
const OWN_PARAMETERS: [&str; 4] = ["SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND", "SCHEDULE-STATUS", REPLIED];

/// What an attendee's answer says besides who gives it (RFC 5546 §3.2.3, §3.4.3).
const REPLIED_WITH: [&str; 17] = [
    "COMMENT",
    "COMPLETED",
    "DTEND",
    "DTSTART",
    "DUE",
    "DURATION",
    "EXDATE",
    "LOCATION",
    "ORGANIZER",
    "PERCENT-COMPLETE",
    "RDATE",
    "RECURRENCE-ID",
    "RRULE",
    "SEQUENCE",
    "STATUS",
    "SUMMARY",
    "UID",
];

/// A `VCALENDAR` around components, with the zones that they name.
pub(crate) fn calendar(method: Method, source: &Calendar, components: Vec<Block>) -> Vec<u8> {
    let mut calendar = Block::new("VCALENDAR");
    for line in ["VERSION:2.0", "PRODID:-//Twin Hub//EN", "CALSCALE:GREGORIAN"] {
        calendar.add(line.to_owned());
    }
    calendar.add(format!("METHOD:{method}"));
    let names = |block: &Block| {
        let zone = |property: hub_ical::Property<'_>| property.parameter("TZID").map(|id| id.into_owned());
        block.properties().filter_map(zone).collect::<Vec<_>>()
    };
    let named: BTreeSet<String> = components.iter().flat_map(names).collect();
    for zone in source.zones().filter(|zone| zone.text("TZID").is_some_and(|id| named.contains(&id))) {
        calendar.push(zone.clone());
    }
    for component in components {
        calendar.push(component);
    }
    let mut out = Vec::new();
    calendar.write(&mut out);
    out
}

/// The component as others may read it.
pub(crate) fn public(component: &Component, now: i64) -> Block {
    let mut block = component.block.clone();
    block.remove_blocks("VALARM");
    remove_own_parameters(&mut block);
    block.remove("REQUEST-STATUS");
    block.set(format!("DTSTAMP:{}", utc(now)));
    block
}

/// What an organizer takes back from those named (RFC 5546 §3.2.5).
pub(crate) fn cancelled(
    component: &Component,
    from: &BTreeSet<CalendarUser>,
    sequence: i64,
    now: i64,
) -> Block {
    let mut block = public(component, now);
    keep_lines(&mut block, |line| {
        line.property().is_none_or(|it| !it.is("ATTENDEE") || from.contains(&user(&it)))
    });
    block.set(format!("SEQUENCE:{sequence}"));
    block.set("STATUS:CANCELLED".to_owned());
    block
}

/// What an attendee answers (RFC 5546 §3.2.3), with another participation status if there is one.
pub(crate) fn replied(component: &Component, who: &CalendarUser, status: Option<&str>, now: i64) -> Block {
    let mut block = public(component, now);
    block.parts.retain(|part| !matches!(part, crate::text::Part::Block(_)));
    keep_lines(&mut block, |line| {
        line.property().is_none_or(|it| {
            let is_kept = REPLIED_WITH.iter().any(|name| it.is(name));
            is_kept
                || ["BEGIN", "DTSTAMP", "END"].iter().any(|name| it.is(name))
                || (it.is("ATTENDEE") && user(&it) == *who)
        })
    });
    block.rewrite("ATTENDEE", |_, text| {
        let text = with_parameter(text, "RSVP", None);
        Some(match status {
            Some(status) => with_parameter(&text, "PARTSTAT", Some(status)),
            None => text,
        })
    });
    block.set("REQUEST-STATUS:2.0;Success".to_owned());
    block
}

pub(crate) fn remove_own_parameters(block: &mut Block) {
    for name in ["ATTENDEE", "ORGANIZER"] {
        block.rewrite(name, |_, text| {
            let without = |text: String, name: &&str| with_parameter(&text, name, None);
            Some(OWN_PARAMETERS.iter().fold(text.to_owned(), without))
        });
    }
}

fn keep_lines(block: &mut Block, keep: impl Fn(&Line) -> bool) {
    block.parts.retain(|part| match part {
        crate::text::Part::Line(line) => keep(line),
        crate::text::Part::Block(_) => true,
    });
}
