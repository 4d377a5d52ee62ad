//! Dates of the Gregorian calendar, carried on in both directions, and the ways in which the
//! protocols write them. Pure: it knows neither a clock nor a time zone.
//!
//! A day is its number since 1970-01-01, a point in time its Unix seconds, a weekday its number from
//! Sunday, 0.

#![deny(clippy::disallowed_methods)]

/// English abbreviations, as RFC 5322 §3.3, RFC 9051 §9 and RFC 9110 §5.6.7 have them.
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
pub const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

pub const SECONDS_A_DAY: i64 = 86_400;

/// Days from 1 March of year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// Days in the 400 years after which the calendar repeats itself.
const DAYS_AN_ERA: i64 = 146_097;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: i64,
    /// 1–12.
    pub month: i64,
    /// 1–31.
    pub day: i64,
}

/// A point in time, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub date: Date,
    pub weekday: usize,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

/// The number of a day; `None` if the calendar has no such day.
pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    exists.then(|| year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - EPOCH)
}

/// The inverse of [`days`].
pub fn date(days: i64) -> Date {
    let since = days + EPOCH;
    let (era, day_of_era) = (since.div_euclid(DAYS_AN_ERA), since.rem_euclid(DAYS_AN_ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    Date { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub fn weekday(days: i64) -> usize {
    // 1970-01-01 was a Thursday.
    (days + 4).rem_euclid(7) as usize
}

/// The number of a month by its abbreviation, in any case.
pub fn month(name: &str) -> Option<i64> {
    MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name)).map(|position| position as i64 + 1)
}

impl Civil {
    pub fn of(unix: i64) -> Self {
        let (day, second) = (unix.div_euclid(SECONDS_A_DAY), unix.rem_euclid(SECONDS_A_DAY));
        Self {
            date: date(day),
            weekday: weekday(day),
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    pub fn weekday_name(&self) -> &'static str {
        WEEKDAYS[self.weekday]
    }

    pub fn month_name(&self) -> &'static str {
        MONTHS[self.date.month as usize - 1]
    }

    /// `16:05:09`.
    pub fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// `date-time` (RFC 5322 §3.3) of a zone that many minutes east of UTC:
/// `Sun, 06 Nov 1994 08:49:37 +0000`.
pub fn rfc5322_date(unix: i64, zone: i16) -> String {
    let civil = Civil::of(unix.saturating_add(i64::from(zone) * 60));
    let (sign, east) = if zone < 0 { ('-', -zone) } else { ('+', zone) };
    let (weekday, month) = (civil.weekday_name(), civil.month_name());
    let Date { year, day, .. } = civil.date;
    let time = civil.time();
    format!("{weekday}, {day:02} {month} {year:04} {time} {sign}{:02}{:02}", east / 60, east % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        let check = |year, month, day, number, name| {
            assert_eq!(days(year, month, day), Some(number), "{year}-{month}-{day}");
            assert_eq!(date(number), Date { year, month, day });
            assert_eq!(WEEKDAYS[weekday(number)], name);
        };
        check(1970, 1, 1, 0, "Thu");
        check(1969, 12, 31, -1, "Wed");
        check(2000, 2, 29, 11_016, "Tue");
        check(2000, 3, 1, 11_017, "Wed");
        check(2100, 2, 28, 47_540, "Sun");
        check(2100, 3, 1, 47_541, "Mon");
        check(1600, 1, 1, -135_140, "Sat");
        check(9999, 12, 31, 2_932_896, "Fri");
    }

    #[test]
    fn no_such_day() {
        for (year, month, day) in [(1900, 2, 29), (2023, 4, 31), (2023, 0, 1), (2023, 13, 1), (2023, 1, 0)] {
            assert_eq!(days(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn written() {
        assert_eq!(rfc5322_date(784_111_777, 0), "Sun, 06 Nov 1994 08:49:37 +0000");
        // RFC 5322 appendix A.1.1.
        assert_eq!(rfc5322_date(880_127_706, -360), "Fri, 21 Nov 1997 09:55:06 -0600");
        assert_eq!(rfc5322_date(-1, 90), "Thu, 01 Jan 1970 01:29:59 +0130");
        assert_eq!((month("feb"), month("FEB"), month("February")), (Some(2), Some(2), None));
    }

    proptest! {
        #[test]
        fn a_day_is_the_one_after_the_day_before(number in -1_000_000i64..4_000_000) {
            let (before, after) = (date(number - 1), date(number));
            prop_assert!(before < after);
            prop_assert_eq!(days(after.year, after.month, after.day), Some(number));
        }
    }
}
