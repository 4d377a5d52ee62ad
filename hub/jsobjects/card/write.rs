//! Writing: the parts of an object that are other than before, as lines.

use std::collections::{BTreeMap, BTreeSet};

use hub_ical::{Component, Document, Piece, Property, content_line};
use serde_json::{Map, Value};

use super::read::{Reading, data_type};
use super::table::{self, Entry, Form};
use super::{Version, address, date, name, parameters};
use crate::edit::Edit;
use crate::jsprop;
use crate::unit::{Unit, short_hash, units};
use crate::values::{bare, escaped, joined};

pub(super) fn written(card: Component<'_>, wanted: &Map<String, Value>) -> Vec<u8> {
    let reading = Reading::of(card);
    let version = Version::of(card);
    let parts = |object: &Map<String, Value>| {
        let mut parts = units(object, table::is_map, "vCardProps");
        parts.retain(|unit, _| !matches!(unit.property.as_str(), "@type" | "version"));
        parts
    };
    let have = parts(&reading.object);
    let want: BTreeMap<Unit, Value> =
        parts(wanted).into_iter().map(|(unit, value)| (unit, without_types(value))).collect();
    let all = have.keys().chain(want.keys());
    let mut dirty: BTreeSet<Unit> = all.filter(|unit| have.get(*unit) != want.get(*unit)).cloned().collect();
    spread(&mut dirty, &reading);
    let mut edit = Edit::default();
    let mut places: BTreeMap<&Unit, usize> = BTreeMap::new();
    for (piece, owners) in &reading.owners {
        if owners.iter().any(|owner| dirty.contains(owner)) {
            edit.remove(*piece);
            for owner in owners {
                places.entry(owner).or_insert(*piece);
            }
        }
    }
    let end = card.pieces().count() - 1;
    for unit in &dirty {
        let Some(value) = want.get(unit) else { continue };
        for line in lines(unit, value, version) {
            edit.insert(places.get(unit).copied().unwrap_or(end), &line);
        }
    }
    let name_is_written = dirty.contains(&Unit::whole("name"));
    let has = |name: &str| {
        let has_now = |(_, piece): (usize, Piece<'_>)| match piece {
            Piece::Line { text, .. } => Property::parse(text).is_some_and(|property| property.is(name)),
            Piece::Component(_) => false,
        };
        !name_is_written && card.pieces().enumerate().any(has_now)
    };
    let wants_name = name_is_written && want.contains_key(&Unit::whole("name"));
    // RFC 6350 §6.2.1: a card has a name; RFC 2426 §3.1.2: and its parts.
    if !wants_name && !has("FN") {
        edit.insert(end, &format!("FN;DERIVED=TRUE:{}", escaped(&instead_of_name(&want))));
    }
    let has_parts = wants_name && want[&Unit::whole("name")].get("components").is_some();
    if version == Version::V3 && !has_parts && !has("N") {
        edit.insert(end, "N:;;;;");
    }
    let mut out = Vec::new();
    edit.apply(card, &mut out);
    out
}

/// A line that says something of several parts is written anew with all of them.
fn spread(dirty: &mut BTreeSet<Unit>, reading: &Reading) {
    loop {
        let before = dirty.len();
        for owners in reading.owners.values() {
            if owners.len() > 1 && owners.iter().any(|owner| dirty.contains(owner)) {
                dirty.extend(owners.iter().cloned());
            }
        }
        if dirty.len() == before {
            return;
        }
    }
}

/// `@type` where nothing else could be meant.
fn without_types(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(name, value)| name != "@type" || value == "Timestamp")
            .map(|(name, value)| (name, without_types(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_types).collect(),
        value => value,
    }
}

/// Who has no name is called by something else.
fn instead_of_name(want: &BTreeMap<Unit, Value>) -> String {
    let first = |map: &str, member: &str| {
        let mut entries = want.iter().filter(|(unit, _)| unit.property == map);
        entries.find_map(|(_, value)| value.get(member)?.as_str().map(str::to_owned))
    };
    if let Some(name) = want.get(&Unit::whole("name")).and_then(Value::as_object) {
        return name::derived(name);
    }
    let found = first("organizations", "name").or_else(|| first("nicknames", "name"));
    found.or_else(|| first("emails", "address")).or_else(|| first("phones", "number")).unwrap_or_default()
}

/// All lines of a part, with what the usual ones cannot say in JSPROPs.
fn lines(unit: &Unit, value: &Value, version: Version) -> Vec<String> {
    let mut lines = usual_lines(unit, value, version);
    if unit.property == "vCardProps" {
        return lines;
    }
    let number = if version == Version::V3 { "3.0" } else { "4.0" };
    let mut text = format!("BEGIN:VCARD\r\nVERSION:{number}\r\n");
    lines.iter().for_each(|line| text.push_str(&content_line(line)));
    text.push_str("END:VCARD\r\n");
    let said = Document::parse(text.as_bytes()).ok().and_then(|document| {
        let said = Reading::of(document.roots().next()?).object;
        units(&said, table::is_map, "vCardProps").remove(unit)
    });
    lines.extend(jsprop::rest(unit, value, said.as_ref()));
    lines
}

fn usual_lines(unit: &Unit, value: &Value, version: Version) -> Vec<String> {
    let object = value.as_object();
    let in_table = |table: &[(&'static str, &str)]| {
        table.iter().find(|(_, js)| *js == unit.property).map(|(name, _)| *name)
    };
    match (unit.property.as_str(), &unit.key, object) {
        ("name", _, Some(name)) => name::write(name),
        ("keywords", _, Some(keywords)) => {
            let words: Vec<String> = keywords.keys().cloned().collect();
            if words.is_empty() { Vec::new() } else { vec![format!("CATEGORIES:{}", joined(&words, ","))] }
        }
        ("members", Some(member), _) => {
            let name = if version == Version::V3 { "X-ADDRESSBOOKSERVER-MEMBER" } else { "MEMBER" };
            vec![format!("{name}:{}", bare(member))]
        }
        ("relatedTo", Some(to), Some(relation)) => vec![related(to, relation)],
        ("speakToAs", _, Some(speak)) => speak_to_as(speak, version),
        ("vCardProps", _, _) => unknown(value).into_iter().collect(),
        ("kind", _, _) if version == Version::V3 => {
            vec![format!("X-ADDRESSBOOKSERVER-KIND:{}", escaped(value.as_str().unwrap_or_default()))]
        }
        (map, Some(key), Some(object)) => entry_lines(map, key, object, version),
        _ => match (in_table(table::SINGLE), in_table(table::MOMENTS), value.as_str()) {
            (Some(name), _, Some(text)) => vec![format!("{name}:{}", escaped(text))],
            (_, Some(name), Some(text)) => {
                date::compact(text).map(|moment| format!("{name}:{moment}")).into_iter().collect()
            }
            _ => Vec::new(),
        },
    }
}

fn related(to: &str, relation: &Map<String, Value>) -> String {
    let relations = relation.get("relation").and_then(Value::as_object);
    let types: Vec<String> = relations.into_iter().flat_map(Map::keys).cloned().collect();
    let parameters = if types.is_empty() { Vec::new() } else { vec![("TYPE".to_owned(), types)] };
    let (kind, value) = match to.contains(':') {
        true => ("", bare(to)),
        false => (";VALUE=text", escaped(to)),
    };
    format!("RELATED{}{kind}:{value}", parameters::text(&parameters))
}

fn speak_to_as(speak: &Map<String, Value>, version: Version) -> Vec<String> {
    let gender = speak.get("grammaticalGender").and_then(Value::as_str);
    let mut lines: Vec<String> =
        gender.map(|gender| format!("GRAMGENDER:{}", escaped(gender))).into_iter().collect();
    let pronouns = speak.get("pronouns").and_then(Value::as_object);
    for (key, object) in pronouns.into_iter().flatten().filter(|(key, _)| parameters::is_id(key)) {
        let Some(object) = object.as_object() else { continue };
        let mut given = parameters::write(object, "pronouns", version);
        given.push(("PROP-ID".to_owned(), vec![key.clone()]));
        let text = object.get("pronouns").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("PRONOUNS{}:{}", parameters::text(&given), escaped(text)));
    }
    lines
}

/// An element of `vCardProps`; `None` for what is no line.
fn unknown(element: &Value) -> Option<String> {
    let [name, given, _, value] = element.as_array()?.as_slice() else { return None };
    let name = name.as_str().filter(|name| parameters::is_name(name))?.to_ascii_uppercase();
    // Nothing that makes another card of it.
    if ["BEGIN", "END", "VERSION"].contains(&name.as_str()) {
        return None;
    }
    let mut group = String::new();
    let mut list = Vec::new();
    for (name, value) in given.as_object()?.iter().filter(|(name, _)| parameters::is_name(name)) {
        let values: Vec<String> = match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            value => vec![value.as_str()?.to_owned()],
        };
        match name.as_str() {
            "group" => {
                group = values
                    .first()
                    .filter(|group| parameters::is_name(group))
                    .map(|group| format!("{group}."))?
            }
            name => list.push((name.to_ascii_uppercase(), values)),
        }
    }
    Some(format!("{group}{name}{}:{}", parameters::text(&list), bare(value.as_str()?)))
}

fn entry_lines(map: &str, key: &str, object: &Map<String, Value>, version: Version) -> Vec<String> {
    let Some(entry) = property_for(map, object, version) else { return Vec::new() };
    let mut given = parameters::write(object, map, version);
    let text = object.get(entry.value).and_then(Value::as_str).unwrap_or_default();
    let value = match entry.form {
        Form::Texts => escaped(text),
        Form::Text if text.starts_with("tel:") && version == Version::V4 => {
            given.insert(0, ("VALUE".to_owned(), vec!["uri".to_owned()]));
            bare(text)
        }
        Form::Text => escaped(text),
        Form::Uri => match uri(entry, object, version, &mut given) {
            Some(value) => value,
            None => return Vec::new(),
        },
        Form::Organization => {
            let (value, sort_as) = name::write_organization(object);
            given.extend(sort_as.map(|sort_as| ("SORT-AS".to_owned(), sort_as)));
            value
        }
        Form::Address => address::write(object),
        Form::Date => {
            let date = object.get("date").unwrap_or(&Value::Null);
            let scale = date.get("calendarScale").and_then(Value::as_str);
            given.extend(scale.map(|scale| ("CALSCALE".to_owned(), vec![scale.to_owned()])));
            match date::write(date) {
                Some(value) => value,
                None => return Vec::new(),
            }
        }
    };
    let label = object.get("label").and_then(Value::as_str);
    let group = object.get("vCardParams").and_then(|others| others.get("group")?.as_str());
    let group = group.filter(|group| parameters::is_name(group)).map(str::to_owned);
    let group = group.or_else(|| label.map(|_| format!("g{}", short_hash(&format!("{map}/{key}")))));
    let group = group.map(|group| format!("{group}.")).unwrap_or_default();
    given.push(("PROP-ID".to_owned(), vec![key.to_owned()]));
    let mut lines = vec![format!("{group}{}{}:{value}", entry.name, parameters::text(&given))];
    lines.extend(label.map(|label| format!("{group}X-ABLABEL:{}", escaped(label))));
    lines
}

/// The property that an entry is written as.
fn property_for(map: &str, object: &Map<String, Value>, version: Version) -> Option<&'static Entry> {
    let member = |name: &str| object.get(name).and_then(Value::as_str);
    let of_map = || table::ENTRIES.iter().filter(|entry| entry.map == map);
    if map == "onlineServices" {
        let fallback = if version == Version::V3 { "X-SOCIALPROFILE" } else { "SOCIALPROFILE" };
        let name = member("vCardName").unwrap_or(fallback);
        return of_map()
            .find(|entry| entry.name.eq_ignore_ascii_case(name))
            .or_else(|| table::named(fallback));
    }
    if map == "anniversaries" && version == Version::V3 && member("kind") == Some("wedding") {
        return table::named("X-ANNIVERSARY");
    }
    let of_kind = of_map().find(|entry| entry.kind == member("kind"));
    of_kind.or_else(|| of_map().find(|entry| entry.kind.is_none())).or_else(|| of_map().next())
}

/// The value of a URI, as this version has it.
fn uri(
    entry: &Entry,
    object: &Map<String, Value>,
    version: Version,
    given: &mut parameters::Parameters,
) -> Option<String> {
    let Some(uri) = object.get(entry.value).and_then(Value::as_str) else {
        // RFC 9554 §3.5: a name alone.
        let user = object.get("user").and_then(Value::as_str).filter(|_| entry.map == "onlineServices")?;
        given.retain(|(name, _)| name != "USERNAME");
        given.insert(0, ("VALUE".to_owned(), vec!["text".to_owned()]));
        return Some(escaped(user));
    };
    let Some(media_type) = data_type(uri) else { return Some(bare(uri)) };
    given.retain(|(name, _)| name != "MEDIATYPE");
    match (version, uri.split_once(";base64,")) {
        (Version::V3, Some((_, data))) => {
            given.insert(0, ("ENCODING".to_owned(), vec!["b".to_owned()]));
            let kind = media_type.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
            given.push(("TYPE".to_owned(), vec![kind]));
            Some(bare(data))
        }
        _ => Some(bare(uri)),
    }
}
