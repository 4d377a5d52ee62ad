//! `Date` and `UTCDate` (RFC 8620 §1.4): RFC 3339 without what it leaves open.

/// Unix seconds as `2014-10-30T06:12:00Z`.
pub(crate) fn utc(unix: i64) -> String {
    format!("{}Z", local(unix))
}

/// With the zone that it was written in, in minutes east of UTC.
pub(crate) fn zoned(unix: i64, zone: i16) -> String {
    if zone == 0 {
        return utc(unix);
    }
    let (sign, minutes) = (if zone < 0 { '-' } else { '+' }, zone.unsigned_abs());
    format!(
        "{}{sign}{:02}:{:02}",
        local(unix.saturating_add(i64::from(zone) * 60)),
        minutes / 60,
        minutes % 60
    )
}

fn local(unix: i64) -> String {
    let days = unix.div_euclid(86_400);
    let seconds = unix.rem_euclid(86_400);
    let hub_civil::Date { year, month, day } = hub_civil::date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// ```text
/// date = 4DIGIT "-" 2DIGIT "-" 2DIGIT "T" 2DIGIT ":" 2DIGIT ":" 2DIGIT [ "." 1*DIGIT ] zone
/// zone = "Z" / ( "+" / "-" ) 2DIGIT ":" 2DIGIT
/// ```
/// Unix seconds and minutes east of UTC. RFC 8620 §1.4: letters are in upper case, a fraction is not zero.
pub(crate) fn parse(text: &str) -> Option<(i64, i16)> {
    let bytes = text.as_bytes();
    let number = |from: usize, until: usize| -> Option<i64> {
        let digits = bytes.get(from..until)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| bytes.get(*at) != Some(separator)) {
        return None;
    }
    let days = hub_civil::days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &text[19..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || fraction[..digits].bytes().all(|digit| digit == b'0') {
            return None;
        }
        rest = &fraction[digits..];
    }
    let zone = match rest.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            let two = |a: &u8, b: &u8| i16::from(a - b'0') * 10 + i16::from(b - b'0');
            let (hours, minutes) = (two(h1, h2), two(m1, m2));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let zone = hours * 60 + minutes;
            if *sign == b'-' { -zone } else { zone }
        }
        _ => return None,
    };
    Some((days * 86_400 + hour * 3600 + minute * 60 + second - i64::from(zone) * 60, zone))
}

/// `UTCDate`: in UTC.
pub(crate) fn parse_utc(text: &str) -> Option<i64> {
    parse(text).filter(|_| text.ends_with('Z')).map(|(unix, _)| unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("2014-10-30T14:12:00+08:00", Some((1_414_649_520, 480))),
            ("2014-10-30T06:12:00Z", Some((1_414_649_520, 0))),
            ("2014-10-30T06:12:00.5Z", Some((1_414_649_520, 0))),
            ("2014-10-30T06:12:00.000Z", None),
            ("2014-10-30t06:12:00Z", None),
            ("2014-10-30T06:12:00z", None),
            ("2014-10-30T06:12:00", None),
            ("2014-10-30", None),
            ("2014-13-30T06:12:00Z", None),
            ("2014-02-30T06:12:00Z", None),
            ("2014-10-30T24:12:00Z", None),
            ("2014-10-30T06:12:00+0800", None),
            ("\u{fc}014-10-30T06:12:00Z", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(utc(1_414_649_520), "2014-10-30T06:12:00Z");
        assert_eq!(zoned(1_414_649_520, 480), "2014-10-30T14:12:00+08:00");
        assert_eq!(zoned(1_414_649_520, -210), "2014-10-30T02:42:00-03:30");
        assert_eq!(parse_utc("2014-10-30T14:12:00+08:00"), None);
    }
}
