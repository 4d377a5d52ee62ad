//! ADR, and the addresses of a JSContact object (RFC 9555 §2.8.1, RFC 9554 §2.1).

use hub_ical::Property;
use serde_json::{Map, Value, json};

use crate::values::{components, joined};

/// Components of ADR in their order; the second and third are made of others if there are 18.
const KINDS: [&str; 18] = [
    "postOfficeBox",
    "apartment",
    "name",
    "locality",
    "region",
    "postcode",
    "country",
    "room",
    "apartment",
    "floor",
    "number",
    "name",
    "building",
    "block",
    "subdistrict",
    "district",
    "landmark",
    "direction",
];
/// How many RFC 6350 has.
const FEW: usize = 7;
const EXTENDED: usize = 1;
const STREET: usize = 2;

pub(super) fn read(property: &Property<'_>, address: &mut Map<String, Value>) {
    let parts = components(property.value);
    let is_long = parts.iter().skip(FEW).any(|part| !part.is_empty());
    let mut list = Vec::new();
    for (index, (kind, part)) in KINDS.iter().zip(&parts).enumerate() {
        if is_long && matches!(index, EXTENDED | STREET) {
            continue;
        }
        list.extend(part.iter().map(|value| json!({ "kind": kind, "value": value })));
    }
    if !list.is_empty() {
        address.insert("components".into(), list.into());
    }
}

/// The value of ADR.
pub(super) fn write(address: &Map<String, Value>) -> String {
    let list = address.get("components").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |component: &Value, name: &str| {
        component.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let is_long = list.iter().any(|component| !KINDS[..FEW].contains(&of(component, "kind").as_str()));
    let mut parts: Vec<Vec<String>> = vec![Vec::new(); if is_long { KINDS.len() } else { FEW }];
    for component in &list {
        let kind = of(component, "kind");
        let from = if is_long && matches!(kind.as_str(), "apartment" | "name") { FEW } else { 0 };
        let found = KINDS[from..].iter().position(|known| *known == kind);
        if let Some(part) = found.and_then(|index| parts.get_mut(from + index)) {
            part.push(of(component, "value"));
        }
    }
    if is_long {
        // What programs that know seven components read.
        let together = |indexes: &[usize]| -> Vec<String> {
            let text = indexes.iter().flat_map(|index| parts[*index].clone()).collect::<Vec<_>>().join(" ");
            if text.is_empty() { Vec::new() } else { vec![text] }
        };
        let (extended, street) = (together(&[12, 9, 8, 7]), together(&[10, 11]));
        (parts[EXTENDED], parts[STREET]) = (extended, street);
    }
    parts.iter().map(|part| joined(part, ",")).collect::<Vec<_>>().join(";")
}
