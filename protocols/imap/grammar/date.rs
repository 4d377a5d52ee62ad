//! Dates of the grammar, without a calendar library: days and seconds since 1970-01-01 UTC.

use super::cursor::Cursor;
use super::{Error, Result};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `date = date-text / DQUOTE date-text DQUOTE`, `date-text = 1*2DIGIT "-" date-month "-" 4DIGIT`
pub(super) fn date(cursor: &mut Cursor<'_>) -> Result<i64> {
    day_of(&cursor.astring()?).ok_or(Error::Bad("A date is malformed"))
}

/// `date-time = DQUOTE (SP DIGIT / 2DIGIT) "-" date-month "-" 4DIGIT SP time SP zone DQUOTE`, given
/// without its quotation marks, as Unix seconds.
pub(super) fn date_time(text: &[u8]) -> Result<i64> {
    seconds_of(text).ok_or(Error::Bad("A date is malformed"))
}

fn day_of(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (day, rest) = text.split_once('-')?;
    let (month, year) = rest.split_once('-')?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
    let year = number(year).filter(|_| year.len() == 4)?;
    let day = number(day.trim_start()).filter(|_| day.len() <= 2)?;
    (1..=days_in_month(year, month)).contains(&day).then(|| days_since_1970(year, month, day))
}

fn seconds_of(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(11)?;
    let days = day_of(date)?;
    let rest = std::str::from_utf8(rest).ok()?;
    let mut words = rest.strip_prefix(' ')?.split(' ');
    let (time, zone) = (words.next()?, words.next()?);
    let mut time = time.split(':').map(|part| number(part).filter(|_| part.len() == 2));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 || words.next().is_some() {
        return None;
    }
    let (sign, zone) = zone.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let zone = number(zone).filter(|&value| zone.len() == 4 && value % 100 < 60)?;
    let offset = sign * (zone / 100 * 3600 + zone % 100 * 60);
    Some(days * 86400 + hour * 3600 + minute * 60 + second - offset)
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in years that begin
/// in March, so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// The inverse of [`days_since_1970`]: year, month 1–12, day.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Name of a month 1–12.
pub(crate) fn month_name(month: i64) -> &'static str {
    MONTHS[(month - 1).clamp(0, 11) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(day_of(text.as_bytes()), expected, "{text}");
        check("1-Jan-1970", Some(0));
        check("01-jan-1970", Some(0));
        check("31-Dec-1969", Some(-1));
        check("29-Feb-2024", Some(19_782));
        check("29-Feb-2023", None);
        check("1-Feb-1994", Some(8_797));
        check("32-Jan-2024", None);
        check("0-Jan-2024", None);
        check("1-Foo-2024", None);
        check("1-Jan-24", None);
        check("+1-Jan-2024", None);
    }

    #[test]
    fn times() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(seconds_of(text.as_bytes()), expected, "{text}");
        // RFC 9051 §6.3.12
        check("07-Feb-1994 22:25:00 -0800", Some(760_688_700));
        check(" 7-Feb-1994 22:25:00 -0800", Some(760_688_700));
        check("01-Jan-1970 00:00:00 +0000", Some(0));
        check("01-Jan-1970 01:30:00 +0130", Some(0));
        check("01-Jan-1970 00:00:00", None);
        check("01-Jan-1970 24:00:00 +0000", None);
        check("01-Jan-1970 00:00:00 UTC", None);
        check("", None);
        check("ä1-Jan-1970 00:00:00 +0000", None);
    }

    #[test]
    fn civil_dates_are_the_inverse() {
        for days in (-800_000..800_000).step_by(17) {
            let (year, month, day) = civil(days);
            assert_eq!(days_since_1970(year, month, day), days);
        }
    }
}
