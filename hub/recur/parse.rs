//! Text to a rule.

use std::str::FromStr;

use crate::rule::{End, Frequency, Nth, Rule, Until};

/// Longer rules are refused. The longest that says anything, with every part in full, is shorter.
const MAX_LENGTH: usize = 8192;

/// From Sunday.
const WEEKDAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("a recurrence rule has no FREQ")]
    NoFrequency,
    #[error("a recurrence rule has {0} twice")]
    Repeated(String),
    #[error("a recurrence rule of {0} octets is too long")]
    TooLong(usize),
    /// `RSCALE` and `SKIP` (RFC 7529), or a part of somebody's own.
    #[error("a recurrence rule has {0}, which is not understood here")]
    Unknown(String),
    #[error("a recurrence rule has an impossible {part}: {value:?}")]
    Value { part: String, value: String },
}

impl FromStr for Rule {
    type Err = RuleError;

    /// `recur = recur-rule-part *( ";" recur-rule-part )`, in any case and order. Empty parts, which
    /// old Exchange servers leave at the end, and the backslashes of those who take it for text are
    /// passed over.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text.len() > MAX_LENGTH {
            return Err(RuleError::TooLong(text.len()));
        }
        let upper = text.to_ascii_uppercase().replace('\\', "");
        let mut parts = Vec::new();
        for part in upper.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if parts.iter().any(|(other, _)| *other == name) {
                return Err(RuleError::Repeated(name.to_owned()));
            }
            parts.push((name, value));
        }
        let frequency = parts.iter().find(|(name, _)| *name == "FREQ").ok_or(RuleError::NoFrequency)?;
        let mut rule = Self::new(frequency_of(frequency.1)?);
        for (name, value) in parts {
            rule.take(name, value)?;
        }
        Ok(rule)
    }
}

impl Rule {
    fn take(&mut self, name: &str, value: &str) -> Result<(), RuleError> {
        let wrong = || RuleError::Value { part: name.to_owned(), value: excerpt(value) };
        let end = self.end;
        match name {
            "FREQ" => {}
            "INTERVAL" => self.interval = number(value).filter(|number| *number > 0).ok_or_else(wrong)?,
            // RFC 5545 §3.3.10: never both.
            "COUNT" | "UNTIL" if end != End::Never => return Err(wrong()),
            "COUNT" => {
                self.end = End::Count(number(value).filter(|number| *number > 0).ok_or_else(wrong)?);
            }
            "UNTIL" => self.end = End::Until(until(value).ok_or_else(wrong)?),
            "BYSECOND" => {
                self.seconds = list(value, |item| in_range(item, 0, 60)).ok_or_else(wrong)?;
                self.seconds.retain(|second| *second < 60);
            }
            "BYMINUTE" => self.minutes = list(value, |item| in_range(item, 0, 59)).ok_or_else(wrong)?,
            "BYHOUR" => self.hours = list(value, |item| in_range(item, 0, 23)).ok_or_else(wrong)?,
            "BYDAY" => self.weekdays = list(value, weekday_number).ok_or_else(wrong)?,
            "BYMONTHDAY" => self.month_days = list(value, |item| signed(item, 31)).ok_or_else(wrong)?,
            "BYYEARDAY" => self.year_days = list(value, |item| signed(item, 366)).ok_or_else(wrong)?,
            "BYWEEKNO" => self.weeks = list(value, |item| signed(item, 53)).ok_or_else(wrong)?,
            "BYMONTH" => self.months = list(value, |item| in_range(item, 1, 12)).ok_or_else(wrong)?,
            "BYSETPOS" => self.positions = list(value, |item| signed(item, 366)).ok_or_else(wrong)?,
            "WKST" => self.week_start = weekday(value).ok_or_else(wrong)?,
            "RSCALE" if value == "GREGORIAN" => {}
            "SKIP" if value == "OMIT" => {}
            _ => return Err(RuleError::Unknown(excerpt(name))),
        }
        Ok(())
    }
}

fn frequency_of(value: &str) -> Result<Frequency, RuleError> {
    Ok(match value {
        "SECONDLY" => Frequency::Secondly,
        "MINUTELY" => Frequency::Minutely,
        "HOURLY" => Frequency::Hourly,
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return Err(RuleError::Value { part: "FREQ".to_owned(), value: excerpt(value) }),
    })
}

/// `enddate = date / date-time`
fn until(value: &str) -> Option<Until> {
    let (date, time) = value.split_once('T').map_or((value, None), |(date, time)| (date, Some(time)));
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |text: &str, range: std::ops::Range<usize>| text[range].parse::<i64>().ok();
    if !digits(date, 8) {
        return None;
    }
    let day = hub_civil::days(part(date, 0..4)?, part(date, 4..6)?, part(date, 6..8)?)?;
    let Some(time) = time else { return Some(Until::Date(day)) };
    let (time, is_utc) = time.strip_suffix('Z').map_or((time, false), |time| (time, true));
    if !digits(time, 6) {
        return None;
    }
    let (hour, minute, second) = (part(time, 0..2)?, part(time, 2..4)?, part(time, 4..6)?);
    // 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let moment = day * hub_civil::SECONDS_A_DAY + hour * 3600 + minute * 60 + second.min(59);
    Some(if is_utc { Until::Utc(moment) } else { Until::Local(moment) })
}

/// A comma-separated list, in order and each item once; `None` if it is empty or an item is wrong.
fn list<T: Ord>(value: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut items = value.split(',').map(|text| item(text.trim())).collect::<Option<Vec<T>>>()?;
    items.sort_unstable();
    items.dedup();
    Some(items)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn in_range(text: &str, least: u32, most: u32) -> Option<u8> {
    number(text).filter(|number| (least..=most).contains(number)).map(|number| number as u8)
}

/// `[plus / minus]` and a number from 1 to `most`.
fn signed(text: &str, most: u32) -> Option<i16> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    number(digits).filter(|number| (1..=most).contains(number)).map(|number| sign * number as i16)
}

fn weekday(text: &str) -> Option<usize> {
    WEEKDAYS.iter().position(|name| *name == text)
}

fn weekday_number(text: &str) -> Option<Nth> {
    let (nth, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let nth = if nth.is_empty() { 0 } else { signed(nth, 53)? as i8 };
    Some(Nth { nth, weekday: weekday(name)? })
}

/// What an error repeats of what came from outside.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
