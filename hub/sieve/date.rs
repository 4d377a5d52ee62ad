//! Parts of dates (RFC 5260 §4.2).

/// A point in time in some zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Unix seconds.
    pub(crate) seconds: i64,
    /// Minutes east of UTC.
    pub(crate) zone: i16,
}

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

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
        let (days, second_of_day) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        let (year, month, day) = civil(days);
        let weekday = (days + 4).rem_euclid(7);
        let date = || format!("{year:04}-{month:02}-{day:02}");
        let time = || format!("{hour:02}:{minute:02}:{second:02}");
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
            "julian" => (days + 40_587).to_string(),
            "hour" => format!("{hour:02}"),
            "minute" => format!("{minute:02}"),
            "second" => format!("{second:02}"),
            "time" => time(),
            "iso8601" => {
                let (sign, hours, minutes) = zone();
                format!("{}T{}{sign}{hours:02}:{minutes:02}", date(), time())
            }
            "std11" => {
                let (sign, hours, minutes) = zone();
                let (name, month) = (DAYS[weekday as usize], MONTHS[month as usize - 1]);
                format!("{name}, {day:02} {month} {year:04} {} {sign}{hours:02}{minutes:02}", time())
            }
            "zone" => {
                let (sign, hours, minutes) = zone();
                format!("{sign}{hours:02}{minutes:02}")
            }
            "weekday" => weekday.to_string(),
            _ => return None,
        })
    }
}

/// `date-time` (RFC 5322 §3.3) in UTC.
pub fn rfc5322_date(seconds: i64) -> String {
    Moment { seconds, zone: 0 }.part("std11").unwrap_or_default()
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted in eras of 400 years that begin on 1 March, so that the leap day is the last one.
    let since = days + 719_468;
    let era = since.div_euclid(146_097);
    let day_of_era = since.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
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
