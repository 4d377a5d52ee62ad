//! Days of anniversaries, and moments (RFC 6350 §4.3, RFC 9553 §2.8.1, §1.4.4).

use hub_ical::Property;
use serde_json::{Map, Value, json};

fn number(text: &str, length: usize) -> Option<u64> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `date-and-or-time` into a PartialDate or Timestamp; `None` for what is neither.
pub(super) fn read(property: &Property<'_>) -> Option<Value> {
    let text = property.value.trim();
    if let Some(utc) = moment(text) {
        return Some(json!({ "@type": "Timestamp", "utc": utc }));
    }
    let text = text.split_once('T').map_or(text, |(date, _)| date);
    let mut date = Map::new();
    let mut put = |name: &str, value: Option<u64>| -> Option<()> {
        date.insert(name.to_owned(), value?.into());
        Some(())
    };
    // `--0412`, `---12`, `1985`, `1985-04`, `19850412`, `1985-04-12`
    if let Some(day) = text.strip_prefix("---") {
        put("day", number(day, 2).filter(|day| (1..=31).contains(day)))?;
    } else {
        let (year, rest) = match text.strip_prefix("--") {
            Some(rest) => (None, rest.to_owned()),
            None => (text.get(..4), text.get(4..)?.to_owned()),
        };
        let rest = rest.replace('-', "");
        if let Some(year) = year {
            let is_left_out =
                property.parameter("X-APPLE-OMIT-YEAR").is_some_and(|left_out| left_out == year);
            let year = Some(number(year, 4)?);
            if !is_left_out {
                put("year", year)?;
            }
        }
        if let Some(month) = rest.get(..2) {
            put("month", number(month, 2).filter(|month| (1..=12).contains(month)))?;
        }
        match rest.get(2..) {
            Some(day) if !day.is_empty() => put("day", number(day, 2).filter(|day| (1..=31).contains(day)))?,
            _ => {}
        }
    }
    let has_parts = !date.is_empty();
    if let Some(scale) = property.parameter("CALSCALE") {
        date.insert("calendarScale".into(), scale.as_ref().into());
    }
    has_parts.then(|| date.into())
}

/// A value of a date of an entry; `None` for what is none.
pub(super) fn write(date: &Value) -> Option<String> {
    if let Some(utc) = date.get("utc") {
        return compact(utc.as_str()?);
    }
    let part = |name: &str| date.get(name).and_then(Value::as_u64);
    let (year, month, day) = (part("year"), part("month"), part("day"));
    Some(match (year.filter(|year| *year <= 9999), month, day) {
        (Some(year), Some(month), Some(day)) => format!("{year:04}{month:02}{day:02}"),
        (Some(year), Some(month), None) => format!("{year:04}-{month:02}"),
        (Some(year), None, _) => format!("{year:04}"),
        (None, Some(month), Some(day)) => format!("--{month:02}{day:02}"),
        (None, Some(month), None) => format!("--{month:02}"),
        (None, None, Some(day)) => format!("---{day:02}"),
        (None, None, None) => return None,
    })
}

/// `19951031T222710Z` or `1995-10-31T22:27:10Z` as a UTCDate.
pub(super) fn moment(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let local = digits.strip_suffix('Z')?;
    let (date, time) = local.split_once('T')?;
    // Fractions of seconds do not matter here.
    let time = time.split_once('.').map_or(time, |(time, _)| time);
    number(date, 8)?;
    number(time, 6)?;
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    hub_civil::days(number(year, 4)? as i64, number(month, 2)? as i64, number(day, 2)? as i64)?;
    let is_time = number(&time[..2], 2)? < 24 && number(&time[2..4], 2)? < 60 && number(&time[4..], 2)? < 61;
    is_time.then(|| format!("{year}-{month}-{day}T{}:{}:{}Z", &time[..2], &time[2..4], &time[4..]))
}

/// A UTCDate as vCard writes it.
pub(super) fn compact(utc: &str) -> Option<String> {
    Some(moment(utc)?.chars().filter(|c| !matches!(c, '-' | ':')).collect())
}
