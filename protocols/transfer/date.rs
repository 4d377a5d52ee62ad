//! The dates of IMAP and mbox, without a calendar library.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// `date-time` of RFC 3501 §9 without quotation marks: ` 5-Feb-2024 10:11:12 +0100`, as Unix seconds.
pub(crate) fn of_imap(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.split('-');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let seconds = days(year, month, day)? * 86_400 + seconds(time)?;
    let (sign, zone) = zone.split_at_checked(1)?;
    let zone = number(zone)?;
    let offset = (zone / 100 * 60 + zone % 100) * 60;
    match sign {
        "+" => Some(seconds - offset),
        "-" => Some(seconds + offset),
        _ => None,
    }
}

/// `asctime` in UTC, as an mbox has it (RFC 4155): `Mon Feb  5 09:11:12 2024`.
pub(crate) fn of_mbox(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let (_weekday, month, day, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    // Some programs put a time zone in between.
    let year = words.find(|word| word.len() == 4 && number(word).is_some())?;
    Some(days(year, month, day)? * 86_400 + seconds(time)?)
}

pub(crate) fn to_mbox(unix: i64) -> String {
    let (days, seconds) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{weekday} {} {day:2} {hour:02}:{minute:02}:{second:02} {year:04}", MONTHS[month - 1])
}

fn number(text: &str) -> Option<i64> {
    let is_short = (1..=9).contains(&text.len());
    text.parse().ok().filter(|_| is_short && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `hour:minute[:second]`; 60 is a leap second.
fn seconds(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    (hour < 24 && minute < 60 && second < 61).then_some(hour * 3600 + minute * 60 + second)
}

/// Days since 1970. Years are counted from March, so that the leap day is the last of its year.
fn days(year: &str, month: &str, day: &str) -> Option<i64> {
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i64 + 1;
    let (year, day) = (number(year)?, number(day).filter(|day| (1..=31).contains(day))?);
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468,
    )
}

/// Year, month (from 1) and day of a number of days since 1970.
fn civil(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_imap() {
        for (text, expected) in [
            (" 5-Feb-2024 10:11:12 +0100", Some(1_707_124_272)),
            ("29-Feb-2000 23:59:60 -0330", Some(951_881_400)),
            ("1-jan-1970 00:00:00 +0000", Some(0)),
            ("31-Dec-1969 23:59:59 +0000", Some(-1)),
            ("5-Foo-2024 10:11:12 +0100", None),
            ("5-Feb-2024 25:11:12 +0100", None),
            ("5-Feb-2024 10:11:12 0100", None),
            ("5-Feb-99999999999999 10:11:12 +0100", None),
            ("", None),
        ] {
            assert_eq!(of_imap(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_of_mbox() {
        for (text, expected) in [
            ("Mon Feb  5 09:11:12 2024", Some(1_707_124_272)),
            ("Mon Feb  5 09:11 2024", Some(1_707_124_260)),
            ("Mon Feb  5 09:11:12 MET 2024", Some(1_707_124_272)),
            ("yesterday", None),
        ] {
            assert_eq!(of_mbox(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(unix in -10_000_000_000_i64..100_000_000_000) {
            proptest::prop_assert_eq!(of_mbox(&to_mbox(unix)), Some(unix));
        }

        #[test]
        fn any_text_is_a_date_or_none(text in "[A-Za-z0-9:+ -]{0,40}") {
            let _ = (of_imap(&text), of_mbox(&text));
        }
    }
}
