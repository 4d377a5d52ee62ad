//! Whether an object that somebody sent is one (RFC 9553): what no text could say is refused.

use serde_json::{Map, Value};

use super::{date, parameters, table};
use crate::Error;

type Checked = Result<(), Error>;

/// Members of entries, and properties, that are texts.
const TEXTS: [&str; 22] = [
    "address",
    "number",
    "label",
    "uri",
    "mediaType",
    "service",
    "user",
    "full",
    "countryCode",
    "coordinates",
    "timeZone",
    "note",
    "language",
    "kind",
    "level",
    "value",
    "prodId",
    "uid",
    "created",
    "updated",
    "sortKey",
    "defaultSeparator",
];
const FLAGS: [&str; 3] = ["contexts", "features", "relation"];

pub(super) fn check(object: &Map<String, Value>) -> Checked {
    is(object.get("@type").is_none_or(|kind| kind == "Card"), "@type", "is not Card")?;
    is(object.get("version").is_none_or(|version| version == "1.0"), "version", "is not 1.0")?;
    for (property, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        match property.as_str() {
            "name" => name(value)?,
            "keywords" | "members" => flags(property, value)?,
            "vCardProps" => is(value.is_array(), property, "is not an array")?,
            "created" | "updated" => {
                let is_moment =
                    value.as_str().is_some_and(|text| date::moment(text).is_some() && text.contains('-'));
                is(is_moment, property, "is not a UTCDate")?;
            }
            "localizations" | "speakToAs" => is(value.is_object(), property, "is not an object")?,
            map if table::is_map(map) => entries(map, value)?,
            text if TEXTS.contains(&text) => is(value.is_string(), text, "is not a string")?,
            _ => {}
        }
    }
    Ok(())
}

fn is(holds: bool, path: &str, why: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(Error::Property(path.to_owned(), why)) }
}

fn flags(path: &str, value: &Value) -> Checked {
    let flags = value.as_object().is_some_and(|flags| flags.values().all(|value| *value == true));
    is(flags, path, "is not a set")
}

fn name(value: &Value) -> Checked {
    is(value.is_object(), "name", "is not an object")?;
    let member = |name: &str| value.get(name).filter(|value| !value.is_null());
    is(member("full").is_none_or(Value::is_string), "name/full", "is not a string")?;
    is(member("sortAs").is_none_or(Value::is_object), "name/sortAs", "is not an object")?;
    components("name/components", member("components"))
}

fn components(path: &str, list: Option<&Value>) -> Checked {
    let is_component =
        |one: &Value| ["kind", "value"].iter().all(|name| one.get(name).is_some_and(Value::is_string));
    let is_list = |list: &Value| list.as_array().is_some_and(|list| list.iter().all(is_component));
    is(list.is_none_or(is_list), path, "is not a list of components with kind and value")
}

fn entries(map: &str, value: &Value) -> Checked {
    let Some(entries) = value.as_object() else { return is(false, map, "is not an object") };
    for (key, entry) in entries.iter().filter(|(_, entry)| !entry.is_null()) {
        let path = format!("{map}/{key}");
        let Some(object) = entry.as_object() else { return is(false, &path, "is not an object") };
        // Uids are no ids.
        is(map == "relatedTo" || parameters::is_id(key), &path, "has a key that is not an id")?;
        for (member, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let path = format!("{path}/{member}");
            match member.as_str() {
                "pref" => {
                    let is_pref = value.as_u64().is_some_and(|pref| (1..=100).contains(&pref));
                    is(is_pref, &path, "is not a number from 1 to 100")?;
                }
                "listAs" => {
                    is(value.as_u64().is_some_and(|index| index > 0), &path, "is not a number from 1 on")?
                }
                "date" => is(date::write(value).is_some(), &path, "is not a PartialDate or Timestamp")?,
                "components" => components(&path, Some(value))?,
                "units" => is(value.is_array(), &path, "is not an array")?,
                flag if FLAGS.contains(&flag) => flags(&path, value)?,
                "name" => is(value.is_string(), &path, "is not a string")?,
                text if TEXTS.contains(&text) => is(value.is_string(), &path, "is not a string")?,
                _ => {}
            }
        }
        required(map, &path, object)?;
    }
    Ok(())
}

/// What an entry must have (RFC 9553).
fn required(map: &str, path: &str, object: &Map<String, Value>) -> Checked {
    let needed = match map {
        "emails" => "address",
        "phones" => "number",
        "notes" => "note",
        "nicknames" | "titles" => "name",
        "preferredLanguages" => "language",
        "personalInfo" => "value",
        "anniversaries" => "date",
        "calendars" | "cryptoKeys" | "directories" | "links" | "media" | "schedulingAddresses" => "uri",
        _ => return Ok(()),
    };
    is(object.get(needed).is_some_and(|value| !value.is_null()), &format!("{path}/{needed}"), "is missing")
}
