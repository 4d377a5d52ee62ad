//! Dates of header fields (RFC 5322 §3.3), with the obsolete forms and those of old software.

use crate::lexer::Lexer;

/// A point in time and the zone that it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    /// Unix seconds.
    pub(crate) seconds: i64,
    /// Minutes east of UTC.
    pub(crate) zone: i16,
}

/// `obs-zone` (RFC 5322 §4.3), in hours. Other names say nothing.
const ZONES: [(&str, i16); 8] =
    [("edt", -4), ("est", -5), ("cdt", -5), ("cst", -6), ("mdt", -6), ("mst", -7), ("pdt", -7), ("pst", -8)];

/// The fields of a date, in whatever order they come: `21 Nov 1997 09:55:06 -0600` as well as
/// `Fri Nov 21 09:55:06 1997`.
#[derive(Default)]
struct Fields {
    day: Option<i64>,
    month: Option<i64>,
    year: Option<i64>,
    time: Option<i64>,
    zone: i16,
}

/// `None` if day, month or year cannot be told.
pub(crate) fn parse_date(value: &str) -> Option<Date> {
    let mut lexer = Lexer::new(value);
    let mut fields = Fields::default();
    while !lexer.is_at_end() {
        lexer.skip_cfws();
        let number = lexer.run(|c| c.is_ascii_digit());
        if !number.is_empty() {
            fields.take_number(number, &mut lexer)?;
            continue;
        }
        let name = lexer.run(|c| c.is_ascii_alphabetic());
        if !name.is_empty() {
            fields.take_name(&name.to_ascii_lowercase());
            continue;
        }
        match lexer.next_char() {
            Some(sign @ ('+' | '-')) if fields.time.is_some() => fields.take_zone(sign, &mut lexer),
            _ => {}
        }
    }
    let days = hub_civil::days(fields.year?, fields.month?, fields.day?)?;
    let seconds = days * 86_400 + fields.time.unwrap_or(0) - i64::from(fields.zone) * 60;
    Some(Date { seconds, zone: fields.zone })
}

impl Fields {
    /// Hours if a colon follows, else the day, else the year.
    fn take_number(&mut self, digits: &str, lexer: &mut Lexer) -> Option<()> {
        let number: i64 = digits.parse().ok().filter(|_| digits.len() < 6)?;
        lexer.skip_cfws();
        if self.time.is_none() && lexer.take(':') {
            let minutes = take_two_digits(lexer)?;
            lexer.skip_cfws();
            let seconds = if lexer.take(':') { take_two_digits(lexer)? } else { 0 };
            // 60 is a leap second.
            let is_time = number < 24 && minutes < 60 && seconds <= 60;
            self.time = Some(number * 3600 + minutes * 60 + seconds).filter(|_| is_time);
            return self.time.map(drop);
        }
        if self.day.is_none() && digits.len() <= 2 {
            self.day = Some(number);
        } else if self.year.is_none() {
            // RFC 5322 §4.3.
            self.year = Some(match digits.len() {
                1 | 2 if number < 50 => number + 2000,
                1..=3 => number + 1900,
                _ => number,
            });
        }
        Some(())
    }

    /// A month or a zone; names of days are of no use.
    fn take_name(&mut self, name: &str) {
        let month = name.get(..3).and_then(hub_civil::month);
        match month {
            Some(_) if self.month.is_none() => self.month = month,
            _ => {
                if let Some((_, hours)) = ZONES.iter().find(|(zone, _)| *zone == name) {
                    self.zone = hours * 60;
                }
            }
        }
    }

    /// `zone = ("+" / "-") 4DIGIT`
    fn take_zone(&mut self, sign: char, lexer: &mut Lexer) {
        let digits = lexer.run(|c| c.is_ascii_digit());
        let Ok(number) = digits.parse::<i16>() else { return };
        let (hours, minutes) = (number / 100, number % 100);
        if digits.len() == 4 && hours < 24 && minutes < 60 {
            let east = hours * 60 + minutes;
            self.zone = if sign == '-' { -east } else { east };
        }
    }
}

fn take_two_digits(lexer: &mut Lexer) -> Option<i64> {
    lexer.skip_cfws();
    lexer.run(|c| c.is_ascii_digit()).parse().ok().filter(|number| (0..100).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::DateTime;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        let check = |value: &str, seconds: i64, zone: i16| {
            assert_eq!(parse_date(value), Some(Date { seconds, zone }), "{value}");
        };
        check("Thu, 1 Jan 1970 00:00:01 +0000", 1, 0);
        check("Fri, 21 Nov 1997 09:55:06 -0600", 880_127_706, -360);
        check("Thu, 13 Feb 1969 23:32:54 -0330", -27_723_426, -210);
        check("29 Feb 2000 12:00:00 +0100", 951_822_000, 60);
        // RFC 5322 §4.3 and appendix A.6.
        check("21 Nov 97 09:55:06 GMT", 880_106_106, 0);
        check("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880_127_706, -360);
        check("Thu, 13 Feb 1969 23:32 -0330 (Newfoundland Time)", -27_723_480, -210);
        check("24 Nov 97 14:22:01 EST", 880_399_321, -300);
        check("1 Jan 03 00:00:00 Z", 1_041_379_200, 0);
        check("1 Jan 103 00:00:00 UT", 1_041_379_200, 0);
        // Old and careless software.
        check("Fri Nov 21 09:55:06 1997", 880_106_106, 0);
        check("Fri, 21-Nov-1997 09:55:06 +0000", 880_106_106, 0);
        check("Friday, November 21, 1997 09:55", 880_106_100, 0);
        check("21 Nov 1997", 880_070_400, 0);
        check("Fri, 21 Nov 1997 09:55:06 +9999", 880_106_106, 0);
        check("30 Jun 2015 23:59:60 +0000", 1_435_708_800, 0);
    }

    #[test]
    fn no_dates() {
        for value in [
            "",
            "yesterday",
            "21 Nov",
            "Nov 1997",
            "31 Apr 2000 00:00:00 +0000",
            "29 Feb 1900 00:00:00 +0000",
            "0 Jan 2000",
            "1 Jan 2000 24:00:00 +0000",
            "1 Jan 2000 1:99",
            "1 Jan 999999999999999999999",
            "1:",
        ] {
            assert_eq!(parse_date(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn dates_are_read_back(seconds in -2_000_000_000i64..20_000_000_000) {
            let written = DateTime::from_timestamp(seconds).to_rfc822();
            prop_assert_eq!(parse_date(&written), Some(Date { seconds, zone: 0 }), "{}", written);
        }

        #[test]
        fn never_panics(value in "[0-9a-zJan :+,()-]{0,40}") {
            let _ = parse_date(&value);
        }
    }
}
