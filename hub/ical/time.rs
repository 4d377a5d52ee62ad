//! Points in time and lengths of it (RFC 5545 §3.3.4 to 3.3.9).

use hub_civil::SECONDS_A_DAY;

use crate::property::Property;
use crate::zone::{Zone, Zones};

/// `date` or `date-time`. Days and seconds are counted from 1970.
#[derive(Clone, Debug, PartialEq)]
pub enum Time {
    Date(i64),
    /// On whatever wall clock is looked at.
    Floating(i64),
    Utc(i64),
    /// On the wall clock of a zone.
    Zoned(i64, Zone),
}

/// `dur-value`. Days and weeks are as long as the clock makes them, the rest is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duration {
    pub days: i64,
    pub seconds: i64,
}

impl Time {
    /// Of a property with one time, by its value and `TZID`. What names a zone that nobody knows is
    /// on whatever clock is looked at.
    pub fn of(property: &Property<'_>, zones: &Zones<'_>) -> Option<Self> {
        Self::parse(property.value.trim(), property.parameter("TZID").and_then(|name| zones.get(&name)))
    }

    /// `date = 8DIGIT`, `date-time = date "T" 6DIGIT ["Z"]`; a leap second counts as the one before.
    pub fn parse(text: &str, zone: Option<Zone>) -> Option<Self> {
        let (date, time) = match text.split_once(['T', 't']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let is_number =
            |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(date, 8) {
            return None;
        }
        let part = |text: &str, from: usize, to: usize| text[from..to].parse::<i64>().ok();
        let day = hub_civil::days(part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?)?;
        let Some(time) = time else { return Some(Self::Date(day)) };
        let utc = time.strip_suffix(['Z', 'z']);
        let digits = utc.unwrap_or(time);
        if !is_number(digits, 6) {
            return None;
        }
        let (hour, minute, second) = (part(digits, 0, 2)?, part(digits, 2, 4)?, part(digits, 4, 6)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = day * SECONDS_A_DAY + hour * 3600 + minute * 60 + second.min(59);
        Some(match (utc, zone) {
            (Some(_), _) => Self::Utc(seconds),
            (None, Some(zone)) => Self::Zoned(seconds, zone),
            (None, None) => Self::Floating(seconds),
        })
    }

    /// What its own clock shows; midnight for a day.
    pub fn local(&self) -> i64 {
        match self {
            Self::Date(day) => day.saturating_mul(SECONDS_A_DAY),
            Self::Floating(seconds) | Self::Utc(seconds) | Self::Zoned(seconds, _) => *seconds,
        }
    }

    /// `floating` is the clock that is looked at.
    pub fn utc(&self, floating: &Zone) -> i64 {
        match self {
            Self::Date(_) | Self::Floating(_) => floating.utc(self.local()),
            Self::Utc(seconds) => *seconds,
            Self::Zoned(seconds, zone) => zone.utc(*seconds),
        }
    }

    /// What its clock shows at a moment.
    pub(crate) fn local_of(&self, utc: i64, floating: &Zone) -> i64 {
        match self {
            Self::Date(_) | Self::Floating(_) => floating.local(utc),
            Self::Utc(_) => utc,
            Self::Zoned(_, zone) => zone.local(utc),
        }
    }

    pub fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// The same kind of time on the same clock.
    pub fn with_local(&self, local: i64) -> Self {
        match self {
            Self::Date(_) => Self::Date(local.div_euclid(SECONDS_A_DAY)),
            Self::Floating(_) => Self::Floating(local),
            Self::Utc(_) => Self::Utc(local),
            Self::Zoned(_, zone) => Self::Zoned(local, zone.clone()),
        }
    }

    /// RFC 5545 §3.3.6: days on the clock, then seconds that pass.
    pub fn plus(&self, duration: Duration) -> Self {
        let local = self.local().saturating_add(duration.days.saturating_mul(SECONDS_A_DAY));
        match self {
            Self::Zoned(_, zone) if duration.seconds != 0 => {
                Self::Zoned(zone.local(zone.utc(local).saturating_add(duration.seconds)), zone.clone())
            }
            // Part of a day has no meaning for days; it is counted as one, so that nothing vanishes.
            Self::Date(_) => self.with_local(local.saturating_add(duration.seconds)),
            _ => self.with_local(local.saturating_add(duration.seconds)),
        }
    }
}

impl Duration {
    /// `dur-value = (["+"] / "-") "P" (dur-date / dur-time / dur-week)`, with any of the units in order.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, text) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let mut rest = text.strip_prefix(['P', 'p'])?;
        let (mut duration, mut is_time, mut is_empty) = (Self::default(), false, true);
        while !rest.is_empty() {
            if let Some(time) = rest.strip_prefix(['T', 't']).filter(|_| !is_time) {
                (rest, is_time) = (time, true);
                continue;
            }
            let end =
                rest.bytes().position(|byte| !byte.is_ascii_digit()).filter(|end| (1..10).contains(end))?;
            let number: i64 = rest[..end].parse().ok()?;
            let unit = rest.as_bytes()[end].to_ascii_uppercase();
            match (is_time, unit) {
                (false, b'W') => duration.days += sign * number * 7,
                (false, b'D') => duration.days += sign * number,
                (true, b'H') => duration.seconds += sign * number * 3600,
                (true, b'M') => duration.seconds += sign * number * 60,
                (true, b'S') => duration.seconds += sign * number,
                _ => return None,
            }
            (rest, is_empty) = (&rest[end + 1..], false);
        }
        (!is_empty).then_some(duration)
    }

    /// About how long, in seconds.
    pub fn nominal(self) -> i64 {
        self.days.saturating_mul(SECONDS_A_DAY).saturating_add(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(Time::parse("19970714", None), Some(Time::Date(10_056)));
        assert_eq!(Time::parse("19980118T230000", None), Some(Time::Floating(885_164_400)));
        assert_eq!(Time::parse("19980119T070000Z", Some(Zone::UTC)), Some(Time::Utc(885_193_200)));
        assert_eq!(Time::parse("19970630T235960Z", None), Some(Time::Utc(867_715_199)), "a leap second");
        for text in [
            "",
            "1997071",
            "19970732",
            "19970714T",
            "19970714T2500",
            "19970714T250000",
            "1997-07-14",
            "ä9970714",
        ] {
            assert_eq!(Time::parse(text, None), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        let check = |text: &str, days, seconds| {
            assert_eq!(Duration::parse(text), Some(Duration { days, seconds }), "{text}");
        };
        check("P15DT5H0M20S", 15, 18_020);
        check("P7W", 49, 0);
        check("-PT15M", 0, -900);
        check("+P1DT1S", 1, 1);
        check("PT0S", 0, 0);
        for text in ["", "P", "PT", "15M", "P1H", "PT1D", "PT1", "P-1D", "P9999999999D", "PTT1S"] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }

    /// RFC 5545 §3.3.6: a day may have 23 hours, 24 hours have always 24.
    #[test]
    fn days_and_hours() {
        let zone = Zone::named("America/New_York").expect("known");
        let start = Time::parse("20070310T120000", Some(zone.clone())).expect("a time");
        let later = |text| {
            start.plus(Duration::parse(text).expect("a duration")).utc(&Zone::UTC) - start.utc(&Zone::UTC)
        };
        assert_eq!((later("P1D"), later("PT24H")), (23 * 3600, 24 * 3600));
    }
}
