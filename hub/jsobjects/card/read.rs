//! Reading: lines into the parts of an object.

use std::collections::BTreeMap;

use hub_ical::{Component, Piece, Property};
use serde_json::{Map, Value, json};

use super::table::{self, Entry, Form};
use super::{Version, address, date, name, parameters};
use crate::jsprop::JsProp;
use crate::unit::{Unit, short_hash};
use crate::values::{list, split, unescaped};

pub(super) struct Reading {
    pub(super) object: Map<String, Value>,
    /// The parts that a piece says something of, by its number.
    pub(super) owners: BTreeMap<usize, Vec<Unit>>,
}

impl Reading {
    pub(super) fn of(card: Component<'_>) -> Self {
        let mut reading = Self { object: Map::new(), owners: BTreeMap::new() };
        reading.object.insert("@type".into(), "Card".into());
        reading.object.insert("version".into(), "1.0".into());
        let version = Version::of(card);
        // Those that are about the parts that other lines make.
        let (mut labels, mut js_props) = (Vec::new(), Vec::new());
        let mut groups: BTreeMap<String, Vec<Unit>> = BTreeMap::new();
        for (piece, item) in card.pieces().enumerate() {
            let Piece::Line { text, .. } = item else { continue };
            let Some(property) = Property::parse(text) else { continue };
            if ["BEGIN", "END", "VERSION"].iter().any(|name| property.is(name)) {
                continue;
            }
            if property.is("X-ABLABEL") && property.group.is_some() {
                labels.push((piece, property));
            } else if let Some(js_prop) = property.is("JSPROP").then(|| JsProp::parse(&property)).flatten() {
                js_props.push((piece, js_prop));
            } else {
                let units = reading.line(text, &property, version);
                if let Some(group) = property.group {
                    groups.entry(group.to_ascii_lowercase()).or_default().extend(units.iter().cloned());
                }
                reading.owners.insert(piece, units);
            }
        }
        for (piece, label) in labels {
            let group = label.group.unwrap_or_default().to_ascii_lowercase();
            reading.label(piece, &label, groups.get(&group).map(Vec::as_slice).unwrap_or_default());
        }
        for (piece, js_prop) in js_props {
            let unit = match js_prop.tokens.as_slice() {
                [map, key, ..] if table::is_map(map) => Unit::entry(map, key),
                [property, ..] => Unit::whole(property),
                [] => continue,
            };
            js_prop.apply(&mut reading.object);
            reading.owners.insert(piece, vec![unit]);
        }
        reading
    }

    /// One line; the parts that it says something of.
    fn line(&mut self, line: &str, property: &Property<'_>, version: Version) -> Vec<Unit> {
        let upper = property.name.to_ascii_uppercase();
        let in_table =
            |table: &[(&str, &'static str)]| table.iter().find(|(name, _)| *name == upper).map(|(_, js)| *js);
        if let Some(entry) = table::named(&upper) {
            return self.entry(line, property, entry, version).unwrap_or_else(|| self.unknown(property));
        }
        let taken = match upper.as_str() {
            "FN" => self.full_name(property),
            "N" if !self.has_in("name", "components") => {
                let mut name = std::mem::take(self.whole("name"));
                name::read(property, &mut name);
                // Version 3 has one for who has none.
                match name.is_empty() {
                    true => drop(self.object.remove("name")),
                    false => drop(self.object.insert("name".into(), name.into())),
                }
                Some(Unit::whole("name"))
            }
            "CATEGORIES" => {
                let words = list(property.value);
                let keywords = self.whole("keywords");
                keywords.extend(words.into_iter().map(|word| (word.trim().to_owned(), true.into())));
                Some(Unit::whole("keywords"))
            }
            "MEMBER" | "X-ADDRESSBOOKSERVER-MEMBER" => {
                let member = property.value.trim().to_owned();
                self.whole("members").insert(member.clone(), true.into());
                Some(Unit::entry("members", &member))
            }
            "RELATED" => Some(self.related(property)),
            "GRAMGENDER" | "PRONOUNS" => {
                self.speak_to_as(line, property, upper == "PRONOUNS");
                Some(Unit::whole("speakToAs"))
            }
            _ => match (in_table(table::SINGLE), in_table(table::MOMENTS)) {
                (Some(js), _) => self.once(js, property.text().trim().to_owned()),
                (_, Some(js)) => date::moment(property.value.trim()).and_then(|moment| self.once(js, moment)),
                (None, None) => None,
            },
        };
        taken.map_or_else(|| self.unknown(property), |unit| vec![unit])
    }

    /// A property of the object that is an object.
    fn whole(&mut self, property: &str) -> &mut Map<String, Value> {
        let value = self.object.entry(property).or_insert_with(|| json!({}));
        if !value.is_object() {
            *value = json!({});
        }
        value.as_object_mut().expect("it was made one just now")
    }

    fn has_in(&self, property: &str, member: &str) -> bool {
        self.object.get(property).is_some_and(|value| value.get(member).is_some())
    }

    /// The first of its kind; more are none of JSContact.
    fn once(&mut self, js: &str, mut text: String) -> Option<Unit> {
        if js == "kind" {
            text.make_ascii_lowercase();
        }
        if text.is_empty() || self.object.contains_key(js) {
            return None;
        }
        self.object.insert(js.to_owned(), text.into());
        Some(Unit::whole(js))
    }

    fn full_name(&mut self, property: &Property<'_>) -> Option<Unit> {
        if self.has_in("name", "full") {
            return None;
        }
        // RFC 9554 §4.4: made of the parts by whoever wrote it.
        let is_derived = property.parameter("DERIVED").is_some_and(|is| is.eq_ignore_ascii_case("true"));
        if !is_derived {
            self.whole("name").insert("full".into(), unescaped(property.value).into());
        }
        Some(Unit::whole("name"))
    }

    fn related(&mut self, property: &Property<'_>) -> Unit {
        let to = property.text().trim().to_owned();
        let types = property.parameters().filter(|one| one.name.eq_ignore_ascii_case("TYPE"));
        let types: Vec<String> =
            types.flat_map(|one| one.values).map(|value| value.to_ascii_lowercase()).collect();
        let entry = self.whole("relatedTo").entry(to.clone()).or_insert_with(|| json!({ "relation": {} }));
        for relation in types.iter().flat_map(|types| types.split(',')).filter(|one| !one.is_empty()) {
            entry["relation"][relation.trim()] = true.into();
        }
        Unit::entry("relatedTo", &to)
    }

    fn speak_to_as(&mut self, line: &str, property: &Property<'_>, is_pronouns: bool) {
        if !is_pronouns {
            let gender = property.text().trim().to_ascii_lowercase();
            self.whole("speakToAs").insert("grammaticalGender".into(), gender.into());
            return;
        }
        let mut entry = Map::new();
        entry.insert("pronouns".into(), unescaped(property.value).into());
        let id = parameters::read(property, "pronouns", &mut entry);
        let id = id.unwrap_or_else(|| short_hash(line));
        let all = self.whole("speakToAs").entry("pronouns").or_insert_with(|| json!({}));
        all[id] = entry.into();
    }

    /// An entry of a map, or several; `None` if the value is none for it.
    fn entry(
        &mut self,
        line: &str,
        property: &Property<'_>,
        entry: &Entry,
        version: Version,
    ) -> Option<Vec<Unit>> {
        let mut object = Map::new();
        let id = parameters::read(property, entry.map, &mut object);
        if let Some(kind) = entry.kind {
            object.insert("kind".into(), kind.into());
        }
        match entry.form {
            Form::Texts => {
                let texts =
                    split(property.value, ',').into_iter().map(unescaped).filter(|text| !text.is_empty());
                let entries = texts.map(|text| {
                    let mut object = object.clone();
                    object.insert(entry.value.into(), text.into());
                    object
                });
                let entries: Vec<_> = entries.collect();
                return Some(
                    entries.into_iter().map(|object| self.add(entry.map, line, &id, object)).collect(),
                );
            }
            Form::Text => drop(object.insert(entry.value.into(), unescaped(property.value).into())),
            Form::Uri => uri(property, entry, version, &mut object),
            Form::Organization => name::read_organization(property, &mut object),
            Form::Address => address::read(property, &mut object),
            Form::Date => drop(object.insert("date".into(), date::read(property)?)),
        }
        Some(vec![self.add(entry.map, line, &id, object)])
    }

    /// Under the key that it has, or one that is the same as long as the line is.
    fn add(&mut self, map: &str, line: &str, id: &Option<String>, object: Map<String, Value>) -> Unit {
        let entries = self.whole(map);
        let wanted = id.clone().unwrap_or_else(|| short_hash(line));
        let mut key = wanted.clone();
        let mut number = 2;
        while entries.contains_key(&key) {
            key = format!("{wanted}-{number}");
            number += 1;
        }
        entries.insert(key.clone(), object.into());
        Unit::entry(map, &key)
    }

    /// What Apple's programs call something (RFC 9555 §2.3.9).
    fn label(&mut self, piece: usize, property: &Property<'_>, units: &[Unit]) {
        let text = unescaped(property.value);
        let label = text.strip_prefix("_$!<").and_then(|text| text.strip_suffix(">!$_")).unwrap_or(&text);
        let mut owners = Vec::new();
        for unit in units {
            let Some(key) = unit.key.as_ref().filter(|_| table::is_map(&unit.property)) else { continue };
            if let Some(entry) = self.whole(&unit.property).get_mut(key).and_then(Value::as_object_mut) {
                entry.insert("label".into(), label.into());
                owners.push(unit.clone());
            }
        }
        let owners = if owners.is_empty() { self.unknown(property) } else { owners };
        self.owners.insert(piece, owners);
    }

    /// RFC 9555 §2.1.2: an element of `vCardProps`, as jCard (RFC 7095) has it.
    fn unknown(&mut self, property: &Property<'_>) -> Vec<Unit> {
        let mut given = Map::new();
        for one in property.parameters() {
            let name = if one.name.is_empty() { "type".to_owned() } else { one.name.to_ascii_lowercase() };
            let value = if one.values.len() == 1 { json!(one.values[0]) } else { json!(one.values) };
            given.insert(name, value);
        }
        if let Some(group) = property.group {
            given.insert("group".into(), group.into());
        }
        let element = json!([property.name.to_ascii_lowercase(), given, "unknown", property.value]);
        let all = self.object.entry("vCardProps").or_insert_with(|| json!([]));
        let Some(all) = all.as_array_mut() else { return Vec::new() };
        let count = all.iter().filter(|other| **other == element).count();
        let unit = Unit::entry("vCardProps", &format!("{count} {element}"));
        all.push(element);
        vec![unit]
    }
}

fn uri(property: &Property<'_>, entry: &Entry, version: Version, object: &mut Map<String, Value>) {
    let text = property.value.trim();
    let is = |name: &str, values: &[&str]| {
        property.parameter(name).is_some_and(|is| values.iter().any(|value| is.eq_ignore_ascii_case(value)))
    };
    if entry.map == "onlineServices" {
        object.insert("vCardName".into(), entry.name.to_ascii_lowercase().into());
        if is("VALUE", &["text"]) {
            object.insert("user".into(), unescaped(text).into());
            return;
        }
    }
    let mut uri = match version {
        // Some programs escape what needs no escape.
        Version::V3 => unescaped(text),
        Version::V4 => text.to_owned(),
    };
    if is("ENCODING", &["b", "base64"]) {
        let kind = object.get_mut("vCardParams").and_then(|others| others.as_object_mut()?.remove("type"));
        if object.get("vCardParams").and_then(Value::as_object).is_some_and(Map::is_empty) {
            object.remove("vCardParams");
        }
        let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let top = match entry.name {
            "SOUND" => "audio/",
            "KEY" => "application/",
            _ => "image/",
        };
        let media_type = match kind.as_str() {
            "" => "application/octet-stream".to_owned(),
            kind if kind.contains('/') => kind.to_owned(),
            kind => format!("{top}{kind}"),
        };
        uri = format!("data:{media_type};base64,{}", text.replace([' ', '\t'], ""));
    }
    if let Some(media_type) = data_type(&uri) {
        object.entry("mediaType").or_insert_with(|| media_type.into());
    }
    object.insert(entry.value.into(), uri.into());
}

/// The media type of a `data:` URI (RFC 2397).
pub(super) fn data_type(uri: &str) -> Option<&str> {
    let (head, _) = uri.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.split(';').next().unwrap_or_default();
    Some(if media_type.is_empty() { "text/plain" } else { media_type })
}
