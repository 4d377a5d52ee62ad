//! Parts of dates (RFC 5260 §4.2).

use hub_civil::{Civil, Date, SECONDS_A_DAY};

/// A point in time in some zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Unix seconds.
    pub(crate) seconds: i64,
    /// Minutes east of UTC.
    pub(crate) zone: i16,
}

const PARTS: [&str; 13] = [
    "year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone",
    "weekday",
];

pub(crate) fn is_part(name: &str) -> bool {
    PARTS.iter().any(|part| part.eq_ignore_ascii_case(name))
}

/// `time-zone = ( "+" / "-" ) 4DIGIT`, in minutes.
pub(crate) fn read_zone(text: &str) -> Option<i16> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let number: i16 =
        digits.parse().ok().filter(|_| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

impl Moment {
    /// The date in a field: what stands behind the last semicolon, for Received (RFC 5260 §4).
    pub(crate) fn read(value: &str) -> Option<Self> {
        let date = value.rsplit_once(';').map_or(value, |(_, date)| date);
        hub_mime::field_date(date).map(|(seconds, zone)| Self { seconds, zone })
    }

    pub(crate) fn part(self, name: &str) -> Option<String> {
        let local = self.seconds.saturating_add(i64::from(self.zone) * 60);
        let civil = Civil::of(local);
        let Date { year, month, day } = civil.date;
        let date = || format!("{year:04}-{month:02}-{day:02}");
        let zone = || {
            let (sign, zone) = if self.zone < 0 { ('-', -self.zone) } else { ('+', self.zone) };
            (sign, zone / 60, zone % 60)
        };
        Some(match name.to_ascii_lowercase().as_str() {
            "year" => format!("{year:04}"),
            "month" => format!("{month:02}"),
            "day" => format!("{day:02}"),
            "date" => date(),
            // Days since 17 November 1858, the zone taken into account.
            "julian" => (local.div_euclid(SECONDS_A_DAY) + 40_587).to_string(),
            "hour" => format!("{:02}", civil.hour),
            "minute" => format!("{:02}", civil.minute),
            "second" => format!("{:02}", civil.second),
            "time" => civil.time(),
            "iso8601" => {
                let (sign, hours, minutes) = zone();
                format!("{}T{}{sign}{hours:02}:{minutes:02}", date(), civil.time())
            }
            "std11" => hub_civil::rfc5322_date(self.seconds, self.zone),
            "zone" => {
                let (sign, hours, minutes) = zone();
                format!("{sign}{hours:02}{minutes:02}")
            }
            "weekday" => civil.weekday.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5260_4_2_parts() {
        let moment = Moment::read("from x by y; Mon, 20 Jul 2009 00:03:05 +0200").expect("a date");
        for (part, expected) in [
            ("year", "2009"),
            ("MONTH", "07"),
            ("day", "20"),
            ("date", "2009-07-20"),
            ("julian", "55032"),
            ("hour", "00"),
            ("minute", "03"),
            ("second", "05"),
            ("time", "00:03:05"),
            ("iso8601", "2009-07-20T00:03:05+02:00"),
            ("std11", "Mon, 20 Jul 2009 00:03:05 +0200"),
            ("zone", "+0200"),
            ("weekday", "1"),
        ] {
            assert_eq!(moment.part(part).as_deref(), Some(expected), "{part}");
        }
        let utc = Moment { zone: -30, ..moment };
        assert_eq!(utc.part("iso8601").as_deref(), Some("2009-07-19T21:33:05-00:30"));
        assert_eq!(Moment { seconds: 0, zone: 0 }.part("julian").as_deref(), Some("40587"));
    }

    #[test]
    fn zones() {
        for (text, zone) in [
            ("+0000", Some(0)),
            ("-0530", Some(-330)),
            ("0200", None),
            ("+2", None),
            ("+0260", None),
            ("+-100", None),
        ] {
            assert_eq!(read_zone(text), zone, "{text}");
        }
    }
}
