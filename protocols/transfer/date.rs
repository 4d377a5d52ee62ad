//! The dates of IMAP and mbox.

use hub_civil::{Civil, Date, SECONDS_A_DAY};

/// `date-time` of RFC 3501 §9 without quotation marks: ` 5-Feb-2024 10:11:12 +0100`, as Unix seconds.
pub(crate) fn of_imap(text: &str) -> Option<i64> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.split('-');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let seconds = days(year, month, day)? * SECONDS_A_DAY + seconds(time)?;
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
    Some(days(year, month, day)? * SECONDS_A_DAY + seconds(time)?)
}

pub(crate) fn to_mbox(unix: i64) -> String {
    let civil = Civil::of(unix);
    let Date { year, day, .. } = civil.date;
    format!("{} {} {day:2} {} {year:04}", civil.weekday_name(), civil.month_name(), civil.time())
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

/// Days since 1970.
fn days(year: &str, month: &str, day: &str) -> Option<i64> {
    hub_civil::days(number(year)?, hub_civil::month(month)?, number(day)?)
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
