//! N and FN, and the name of a JSContact object (RFC 9555 §2.6).

use hub_ical::{Parameter, Property};
use serde_json::{Map, Value, json};

use crate::values::{components, escaped, joined, split, unescaped};

/// Components of N in their order (RFC 6350 §6.2.2, RFC 9554 §2.2).
const KINDS: [&str; 7] = ["surname", "given", "given2", "title", "credential", "surname2", "generation"];
/// Those that older programs look for at the end of another.
const ALSO_IN: [(usize, usize); 2] = [(5, 0), (6, 4)];

/// N into a name; the parts are in an order that people read.
pub(super) fn read(property: &Property<'_>, name: &mut Map<String, Value>) {
    let mut parts = components(property.value);
    for (extra, whole) in ALSO_IN {
        let doubled = parts.get(extra).cloned().unwrap_or_default();
        if let Some(whole) = parts.get_mut(whole) {
            whole.retain(|text| !doubled.contains(text));
        }
    }
    let mut list = Vec::new();
    for kind in ["title", "given", "given2", "surname", "surname2", "generation", "credential"] {
        let index = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
        for value in parts.get(index).into_iter().flatten() {
            list.push(json!({ "kind": kind, "value": value }));
        }
    }
    if !list.is_empty() {
        name.insert("components".into(), list.into());
    }
    let texts = sort_as(property);
    if !texts.is_empty() {
        let kinds = ["surname", "given"].into_iter().zip(texts);
        let kinds: Map<String, Value> = kinds
            .filter(|(_, text)| !text.is_empty())
            .map(|(kind, text)| (kind.into(), text.into()))
            .collect();
        name.insert("sortAs".into(), kinds.into());
    }
}

/// `SORT-AS="a,b"`: RFC 6350 §5.9 has the quotes around all of them.
fn sort_as(property: &Property<'_>) -> Vec<String> {
    let is_it = |one: &Parameter<'_>| one.name.eq_ignore_ascii_case("SORT-AS");
    let values = property.parameters().find(is_it).map(|one| one.values).unwrap_or_default();
    values.iter().flat_map(|value| split(value, ',')).map(unescaped).collect()
}

/// The lines of a name.
pub(super) fn write(name: &Map<String, Value>) -> Vec<String> {
    let mut parts = vec![Vec::new(); KINDS.len()];
    let list = name.get("components").and_then(Value::as_array);
    for component in list.into_iter().flatten() {
        let kind = component.get("kind").and_then(Value::as_str).unwrap_or_default();
        let value = component.get("value").and_then(Value::as_str).unwrap_or_default();
        if let Some(index) = KINDS.iter().position(|known| *known == kind) {
            parts[index].push(value.to_owned());
        }
    }
    let mut lines = Vec::new();
    let is_structured = parts.iter().any(|part| !part.is_empty());
    let full = name.get("full").and_then(Value::as_str).map(str::to_owned);
    lines.push(match full {
        Some(full) => format!("FN:{}", escaped(&full)),
        None => format!("FN;DERIVED=TRUE:{}", escaped(&derived(name))),
    });
    if is_structured {
        for (extra, whole) in ALSO_IN {
            let doubled = parts[extra].clone();
            parts[whole].extend(doubled);
        }
        let is_long = parts[5..].iter().any(|part| !part.is_empty());
        parts.truncate(if is_long { 7 } else { 5 });
        let value: Vec<String> = parts.iter().map(|part| joined(part, ",")).collect();
        let sort_as = name.get("sortAs").and_then(Value::as_object);
        let sort_as = sort_as.map(|sort_as| {
            let text = |kind: &str| sort_as.get(kind).and_then(Value::as_str).unwrap_or_default().to_owned();
            let texts = [text("surname"), text("given")];
            let used = if texts[1].is_empty() { &texts[..1] } else { &texts[..] };
            let values: Vec<String> = used.iter().map(|text| crate::values::parameter(text)).collect();
            format!(";SORT-AS={}", values.join(","))
        });
        lines.push(format!("N{}:{}", sort_as.unwrap_or_default(), value.join(";")));
    }
    lines
}

/// What the parts of a name say together.
pub(super) fn derived(name: &Map<String, Value>) -> String {
    let separator = name.get("defaultSeparator").and_then(Value::as_str).unwrap_or(" ");
    let list = name.get("components").and_then(Value::as_array).cloned().unwrap_or_default();
    let values = list.iter().filter_map(|one| one.get("value").and_then(Value::as_str));
    values.collect::<Vec<_>>().join(separator).split(char::is_control).collect()
}

/// `ORG`: the name and its units (RFC 9555 §2.10.3).
pub(super) fn read_organization(property: &Property<'_>, object: &mut Map<String, Value>) {
    let mut parts = split(property.value, ';').into_iter().map(unescaped);
    if let Some(name) = parts.next().filter(|name| !name.is_empty()) {
        object.insert("name".into(), name.into());
    }
    let mut units: Vec<Value> =
        parts.filter(|unit| !unit.is_empty()).map(|unit| json!({ "name": unit })).collect();
    let sort_as = sort_as(property);
    if !sort_as.is_empty() {
        for (index, text) in sort_as.into_iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            match index.checked_sub(1) {
                None => drop(object.insert("sortAs".into(), text.into())),
                Some(unit) => {
                    if let Some(unit) = units.get_mut(unit) {
                        unit["sortAs"] = text.into();
                    }
                }
            }
        }
        // It is no parameter of nobody's any more.
        if let Some(others) = object.get_mut("vCardParams").and_then(Value::as_object_mut) {
            others.remove("sort-as");
            if others.is_empty() {
                object.remove("vCardParams");
            }
        }
    }
    if !units.is_empty() {
        object.insert("units".into(), units.into());
    }
}

/// The value of `ORG`, and its SORT-AS.
pub(super) fn write_organization(object: &Map<String, Value>) -> (String, Option<Vec<String>>) {
    let units = object.get("units").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut names = vec![of(object.get("name"))];
    let mut sort_as = vec![of(object.get("sortAs"))];
    for unit in &units {
        names.push(of(unit.get("name")));
        sort_as.push(of(unit.get("sortAs")));
    }
    while sort_as.last().is_some_and(String::is_empty) {
        sort_as.pop();
    }
    (joined(&names, ";"), (!sort_as.is_empty()).then_some(sort_as))
}
