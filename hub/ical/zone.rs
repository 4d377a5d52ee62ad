//! Time zones: a wall clock to UTC and back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use hub_recur::{Rule, Series, Start};

use crate::document::Component;
use crate::time::Time;
use crate::windows;

/// Changes of the clock that are taken from one rule of a private zone. Yearly ones reach that many years.
const MAX_ONSETS: usize = 400;
/// `STANDARD` and `DAYLIGHT` of one private zone. All that IANA knows of New York since 1883 is 20.
const MAX_OBSERVANCES: usize = 100;

#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    Iana(Tz),
    /// What a `VTIMEZONE` says; it counts in its own object only.
    Private(Arc<Private>),
}

/// The changes of a clock of somebody's own, in order.
#[derive(Debug, PartialEq)]
pub struct Private {
    /// Seconds east of UTC before the first change.
    before: i64,
    /// When (UTC), and what the clock shows from then on.
    changes: Vec<(i64, i64)>,
}

impl Zone {
    pub const UTC: Self = Self::Iana(Tz::UTC);

    /// A name of IANA in any case, with a prefix (`/freeassociation.sourceforge.net/Europe/Berlin`) or
    /// without, or one of Windows.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        let iana = |name: &str| Tz::from_str_insensitive(name).ok();
        // RFC 5545 §3.8.3.1: a name that begins with a slash is globally unique; what stands behind
        // the vendor's part is IANA's, of two or three words.
        let within = || {
            let words: Vec<&str> = name.split('/').collect();
            (2..=3)
                .rev()
                .filter_map(|length| words.get(words.len().checked_sub(length)?..))
                .find_map(|last| iana(&last.join("/")))
        };
        iana(name).or_else(|| windows::zone(name)).or_else(within).map(Self::Iana)
    }

    /// Seconds east of UTC at a moment.
    pub fn offset(&self, utc: i64) -> i64 {
        match self {
            Self::Iana(zone) => match DateTime::from_timestamp(utc, 0) {
                Some(at) => i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()),
                None => 0,
            },
            Self::Private(zone) => {
                let passed = zone.changes.partition_point(|(at, _)| *at <= utc);
                passed.checked_sub(1).map_or(zone.before, |last| zone.changes[last].1)
            }
        }
    }

    pub fn local(&self, utc: i64) -> i64 {
        utc.saturating_add(self.offset(utc))
    }

    /// RFC 5545 §3.3.5: of a time that the clock shows twice the first is meant; one that it never
    /// shows counts as if the clock had not been changed.
    pub fn utc(&self, local: i64) -> i64 {
        const DAY: i64 = hub_civil::SECONDS_A_DAY;
        let before = self.offset(local.saturating_sub(DAY));
        let after = self.offset(local.saturating_add(DAY));
        let (first, second) = (local.saturating_sub(before), local.saturating_sub(after));
        match self.offset(first) == before || self.offset(second) != after {
            true => first,
            false => second,
        }
    }
}

/// The zones that an object names, each found once.
#[derive(Debug)]
pub struct Zones<'d> {
    calendar: Option<Component<'d>>,
    found: Mutex<HashMap<String, Option<Zone>>>,
}

impl<'d> Zones<'d> {
    /// Of a `VCALENDAR` with its `VTIMEZONE`s.
    pub fn of(calendar: Option<Component<'d>>) -> Self {
        Self { calendar, found: Mutex::default() }
    }

    /// The zone that is known by this name, or else as the object describes it; `None` if it does not.
    pub fn get(&self, name: &str) -> Option<Zone> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = found.get(name) {
            return zone.clone();
        }
        let zone = Zone::named(name).or_else(|| self.described(name));
        found.insert(name.to_owned(), zone.clone());
        zone
    }

    fn described(&self, name: &str) -> Option<Zone> {
        let zone = self.calendar?.children().find(|child| {
            child.name() == "VTIMEZONE" && child.first("TZID").is_some_and(|id| id.text() == name)
        })?;
        // Apple, Evolution and libical write the name of IANA beside their own.
        let named = ["X-LIC-LOCATION", "TZID-ALIAS-OF"]
            .iter()
            .find_map(|property| Zone::named(&zone.first(property)?.text()));
        named.or_else(|| private(zone).map(|zone| Zone::Private(Arc::new(zone))))
    }
}

/// `VTIMEZONE` (RFC 5545 §3.6.5); `None` if it has no rule that can be read.
fn private(zone: Component<'_>) -> Option<Private> {
    let mut changes: Vec<(i64, i64, i64)> = Vec::new();
    for observance in zone.children().take(MAX_OBSERVANCES) {
        let offset = |name| observance.first(name).and_then(|property| utc_offset(property.value));
        let (Some(from), Some(to)) = (offset("TZOFFSETFROM"), offset("TZOFFSETTO")) else { continue };
        let local = |value: &str| match Time::parse(value.trim(), None) {
            // Some give the onset in UTC, some the day alone.
            Some(Time::Utc(utc)) => Some(utc.saturating_add(from)),
            Some(time) => Some(time.local()),
            None => None,
        };
        let Some(start) = observance.first("DTSTART").and_then(|property| local(property.value)) else {
            continue;
        };
        let mut onsets = vec![start];
        for rule in observance.all("RRULE").filter_map(|property| property.value.parse::<Rule>().ok()).take(4)
        {
            let series = Series::new(&rule, Start::Time(start), |utc| utc.saturating_add(from));
            onsets.extend(series.between(start, i64::MAX).take(MAX_ONSETS));
        }
        let dates = observance.all("RDATE").flat_map(|property| property.value.split(','));
        onsets.extend(dates.filter_map(local).take(MAX_ONSETS));
        changes.extend(onsets.into_iter().map(|onset| (onset.saturating_sub(from), from, to)));
    }
    changes.sort_unstable();
    changes.dedup();
    let before = changes.first()?.1;
    Some(Private { before, changes: changes.into_iter().map(|(at, _, to)| (at, to)).collect() })
}

/// `utc-offset = time-numzone`, in seconds; seconds are optional.
fn utc_offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| digits.get(from..from + 2).and_then(|two| two.parse::<i64>().ok());
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4).unwrap_or(0));
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    fn at(text: &str) -> i64 {
        Time::parse(text, None).expect("a time").local()
    }

    #[test]
    fn names() {
        let berlin = Some(Zone::Iana(Tz::Europe__Berlin));
        for name in [
            "Europe/Berlin",
            "europe/berlin",
            "/freeassociation.sourceforge.net/Europe/Berlin",
            "/mozilla.org/20050126_1/Europe/Berlin",
            "W. Europe Standard Time",
        ] {
            assert_eq!(Zone::named(name), berlin, "{name}");
        }
        let long = Zone::named("/x.org/America/Argentina/Salta");
        assert_eq!(long, Some(Zone::Iana(Tz::America__Argentina__Salta)));
        assert_eq!(Zone::named("Somewhere/Else"), None);
        assert_eq!(Zone::named(""), None);
    }

    #[test]
    fn rfc5545_3_3_5_clocks_that_are_changed() {
        let zone = Zone::named("America/New_York").expect("known");
        let check = |local: &str, utc: &str| assert_eq!(zone.utc(at(local)), at(utc), "{local}");
        check("20070715T120000", "20070715T160000Z");
        check("20071104T013000", "20071104T053000Z"); // the first of two
        check("20071104T020000", "20071104T070000Z");
        check("20070311T023000", "20070311T073000Z"); // never shown
        check("20070311T030000", "20070311T070000Z");
        check("18500101T000000", "18500101T045602Z"); // before there were zones
    }

    const NEW_YORK: &str = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Fictitious\nBEGIN:DAYLIGHT\nDTSTART:20070311T020000\n\
        RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\nEND:DAYLIGHT\nBEGIN:STANDARD\n\
        DTSTART:20071104T020000\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\nTZOFFSETFROM:-0400\nTZOFFSETTO:-0500\n\
        END:STANDARD\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:Mine\nX-LIC-LOCATION:Europe/Paris\nEND:VTIMEZONE\n\
        BEGIN:VTIMEZONE\nTZID:Empty\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:Bomb\nBEGIN:STANDARD\nTZOFFSETFROM:+0000\n\
        TZOFFSETTO:+0100\nDTSTART:19700101T000000\nRRULE:FREQ=SECONDLY\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n";

    #[test]
    fn described_zones() {
        let document = Document::parse(NEW_YORK.as_bytes()).expect("balanced");
        let zones = Zones::of(document.roots().next());
        let (own, iana) =
            (zones.get("Fictitious").expect("described"), Zone::named("America/New_York").expect("known"));
        for hour in 0..24 * 800 {
            let local = at("20070312T000000") + hour * 3600;
            assert_eq!((own.utc(local), own.local(local)), (iana.utc(local), iana.local(local)), "{hour}");
        }
        assert_eq!(own.offset(at("20000101T000000")), -5 * 3600, "before the first change");
        assert_eq!(zones.get("Mine"), Some(Zone::Iana(Tz::Europe__Paris)));
        assert_eq!((zones.get("Empty"), zones.get("Unknown")), (None, None));
        let Some(Zone::Private(bomb)) = zones.get("Bomb") else { panic!("described") };
        assert_eq!(bomb.changes.len(), MAX_ONSETS, "the rest is not looked at");
    }

    #[test]
    fn offsets() {
        let cases = [("+0100", 3600), ("-0330", -12_600), ("-045602", -17_762), ("0100", 3600)];
        for (text, offset) in cases {
            assert_eq!(utc_offset(text), Some(offset), "{text}");
        }
        for text in ["", "+", "+1", "+2500", "+01:00", "+01ä0"] {
            assert_eq!(utc_offset(text), None, "{text}");
        }
    }
}
