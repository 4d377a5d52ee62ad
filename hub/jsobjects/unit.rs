//! Parts of an object that change on their own.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A property of an object, or one entry of a property that is a map of entries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unit {
    pub(crate) property: String,
    pub(crate) key: Option<String>,
}

impl Unit {
    pub(crate) fn whole(property: &str) -> Self {
        Self { property: property.to_owned(), key: None }
    }

    pub(crate) fn entry(property: &str, key: &str) -> Self {
        Self { property: property.to_owned(), key: Some(key.to_owned()) }
    }

    /// What stands in front of the pointers to what is within it.
    pub(crate) fn pointer(&self) -> String {
        let escape = crate::pointer::escaped;
        match &self.key {
            Some(key) => format!("{}/{}", escape(&self.property), escape(key)),
            None => escape(&self.property),
        }
    }
}

/// The object in its parts. `is_map` names properties whose entries change on their own; the elements of
/// `list` are parts by what they are.
pub(crate) fn units(
    object: &Map<String, Value>,
    is_map: impl Fn(&str) -> bool,
    list: &str,
) -> BTreeMap<Unit, Value> {
    let mut units = BTreeMap::new();
    for (property, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        match value {
            Value::Object(entries) if is_map(property) => {
                for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                    units.insert(Unit::entry(property, key), value.clone());
                }
            }
            Value::Array(elements) if property == list => {
                let mut seen = BTreeMap::new();
                for element in elements {
                    let text = element.to_string();
                    let count: &mut usize = seen.entry(text.clone()).or_default();
                    units.insert(Unit::entry(property, &format!("{count} {text}")), element.clone());
                    *count += 1;
                }
            }
            value => drop(units.insert(Unit::whole(property), value.clone())),
        }
    }
    units
}

/// A short name for some text: the same for the same text (FNV-1a).
pub(crate) fn short_hash(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:08x}", (hash ^ (hash >> 32)) as u32)
}
