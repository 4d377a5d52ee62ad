//! Dates of the grammar: days and seconds since 1970-01-01 UTC.

use super::cursor::Cursor;
use super::{Error, Result};

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
    let month = hub_civil::month(month)?;
    let year = number(year).filter(|_| year.len() == 4)?;
    let day = number(day.trim_start()).filter(|_| day.len() <= 2)?;
    hub_civil::days(year, month, day)
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
    Some(days * hub_civil::SECONDS_A_DAY + hour * 3600 + minute * 60 + second - offset)
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
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
}
