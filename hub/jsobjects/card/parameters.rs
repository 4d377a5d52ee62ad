//! What the parameters of a property say of its entry, and back (RFC 9555 §2.3).

use hub_ical::Property;
use serde_json::{Map, Value, json};

use super::Version;
use crate::values::parameter;

type Object = Map<String, Value>;

/// Parameters by name, in the order in which they are written.
pub(super) type Parameters = Vec<(String, Vec<String>)>;

/// Values of TYPE that are features of phones.
const FEATURES: [(&str, &str); 9] = [
    ("cell", "mobile"),
    ("voice", "voice"),
    ("text", "text"),
    ("video", "video"),
    ("fax", "fax"),
    ("pager", "pager"),
    ("textphone", "textphone"),
    ("main-number", "main-number"),
    ("mobile", "mobile"),
];
const CONTEXTS: [(&str, &str); 2] = [("home", "private"), ("work", "work")];
/// Besides, of addresses (RFC 9554 §5).
const ADDRESS_CONTEXTS: [&str; 2] = ["billing", "delivery"];

/// Parameters that are members of entries, as texts.
const TEXTS: [(&str, &str); 5] = [
    ("MEDIATYPE", "mediaType"),
    ("SERVICE-TYPE", "service"),
    ("USERNAME", "user"),
    ("LEVEL", "level"),
    ("PHONETIC", "phoneticSystem"),
];
/// The same of addresses.
const ADDRESS_TEXTS: [(&str, &str); 4] =
    [("LABEL", "full"), ("CC", "countryCode"), ("GEO", "coordinates"), ("TZ", "timeZone")];

fn flag(object: &mut Object, map: &str, key: &str) {
    let entry = object.entry(map).or_insert_with(|| json!({}));
    if let Some(flags) = entry.as_object_mut() {
        flags.insert(key.to_owned(), true.into());
    }
}

/// Reads the parameters into an entry of `map`; returns the key that they give it.
pub(super) fn read(property: &Property<'_>, map: &str, object: &mut Object) -> Option<String> {
    let mut id = None;
    let mut others = Map::new();
    for one in property.parameters() {
        let name = if one.name.is_empty() { "TYPE".to_owned() } else { one.name.to_ascii_uppercase() };
        let values: Vec<String> = one.values.iter().map(|value| value.clone().into_owned()).collect();
        let text = values.join(",");
        let member = TEXTS.iter().find(|(parameter, _)| *parameter == name);
        let member = member.or_else(|| {
            let of_address = ADDRESS_TEXTS.iter().filter(|_| map == "addresses");
            of_address.clone().find(|(parameter, _)| *parameter == name)
        });
        match name.as_str() {
            "TYPE" => read_types(&values, map, object, &mut others),
            "PREF" => match text.parse::<u64>() {
                Ok(pref @ 1..=100) => drop(object.insert("pref".into(), pref.into())),
                _ => drop(others.insert("pref".into(), text.into())),
            },
            "PROP-ID" if is_id(&text) => id = Some(text),
            "INDEX" => match text.parse::<u64>() {
                Ok(index @ 1..) => drop(object.insert("listAs".into(), index.into())),
                _ => drop(others.insert("index".into(), text.into())),
            },
            // Said by the value itself.
            "VALUE" | "ENCODING" => {}
            _ => match (member, name.as_str()) {
                (Some((_, member)), _) => drop(object.insert((*member).to_owned(), text.into())),
                (None, "AUTHOR" | "AUTHOR-NAME") if map == "notes" => {
                    let author = object.entry("author").or_insert_with(|| json!({}));
                    author[if name == "AUTHOR" { "uri" } else { "name" }] = text.into();
                }
                (None, _) => {
                    let value = if values.len() == 1 { text.into() } else { json!(values) };
                    others.insert(name.to_ascii_lowercase(), value);
                }
            },
        }
    }
    if let Some(group) = property.group {
        others.insert("group".into(), group.into());
    }
    if !others.is_empty() {
        object.insert("vCardParams".into(), others.into());
    }
    id
}

fn read_types(values: &[String], map: &str, object: &mut Object, others: &mut Object) {
    let mut left = Vec::new();
    // RFC 6350 has quotes around several values in its examples.
    for written in values.iter().flat_map(|value| value.split(',')) {
        let value = written.trim().to_ascii_lowercase();
        let in_table = |table: &[(&str, &'static str)]| {
            table.iter().find(|(known, _)| *known == value).map(|(_, meant)| *meant)
        };
        if let Some(context) = in_table(&CONTEXTS) {
            flag(object, "contexts", context);
        } else if map == "addresses" && ADDRESS_CONTEXTS.contains(&value.as_str()) {
            flag(object, "contexts", &value);
        } else if let Some(feature) = in_table(&FEATURES).filter(|_| map == "phones") {
            flag(object, "features", feature);
        } else if value == "pref" {
            object.insert("pref".into(), 1.into());
        } else if !value.is_empty() {
            left.push(written.trim().to_owned());
        }
    }
    match left.as_slice() {
        [] => {}
        [one] => drop(others.insert("type".into(), one.as_str().into())),
        several => drop(others.insert("type".into(), json!(several))),
    }
}

/// RFC 8620 §1.2.
pub(super) fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The parameters that say what an entry of `map` says.
pub(super) fn write(object: &Object, map: &str, version: Version) -> Parameters {
    let mut types = Vec::new();
    let flags = |name: &str| {
        let flags = object.get(name).and_then(Value::as_object);
        let keys = flags.into_iter().flatten().filter(|(_, value)| **value == true);
        keys.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    for context in flags("contexts") {
        let known = CONTEXTS.iter().find(|(_, meant)| *meant == context).map(|(name, _)| (*name).to_owned());
        let of_address = ADDRESS_CONTEXTS.contains(&context.as_str()) && map == "addresses";
        types.extend(known.or_else(|| of_address.then_some(context)));
    }
    for feature in flags("features").into_iter().filter(|_| map == "phones") {
        let known = FEATURES.iter().find(|(_, meant)| *meant == feature);
        types.extend(known.map(|(name, _)| (*name).to_owned()));
    }
    let mut parameters = Vec::new();
    let pref = object.get("pref").and_then(Value::as_u64).filter(|pref| (1..=100).contains(pref));
    match (pref, version) {
        (Some(1), Version::V3) => types.push("pref".to_owned()),
        (Some(pref), _) => parameters.push(("PREF".to_owned(), vec![pref.to_string()])),
        (None, _) => {}
    }
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let of_address = ADDRESS_TEXTS.iter().filter(|_| map == "addresses");
    for (parameter, member) in TEXTS.iter().chain(of_address) {
        parameters.extend(text(member).map(|text| ((*parameter).to_owned(), vec![text])));
    }
    if let Some(index) = object.get("listAs").and_then(Value::as_u64) {
        parameters.push(("INDEX".to_owned(), vec![index.to_string()]));
    }
    if let Some(author) = object.get("author").filter(|_| map == "notes") {
        for (parameter, member) in [("AUTHOR", "uri"), ("AUTHOR-NAME", "name")] {
            let value = author.get(member).and_then(Value::as_str);
            parameters.extend(value.map(|value| (parameter.to_owned(), vec![value.to_owned()])));
        }
    }
    let others = object.get("vCardParams").and_then(Value::as_object);
    for (name, value) in others.into_iter().flatten().filter(|(name, _)| is_name(name)) {
        let values: Vec<String> = match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => continue,
        };
        match name.as_str() {
            "group" => {}
            "type" => types.extend(values),
            _ => parameters.push((name.to_ascii_uppercase(), values)),
        }
    }
    if !types.is_empty() {
        parameters.insert(0, ("TYPE".to_owned(), types));
    }
    parameters
}

/// `iana-token / x-name`
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `*(";" param)`
pub(super) fn text(parameters: &Parameters) -> String {
    let mut out = String::new();
    for (name, values) in parameters {
        out.push_str(&format!(";{name}="));
        out.push_str(&values.iter().map(|value| parameter(value)).collect::<Vec<_>>().join(","));
    }
    out
}
