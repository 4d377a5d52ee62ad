//! Pointers into objects (RFC 6901), without the slash at the beginning, as patches have them.

use serde_json::{Map, Value};

pub(crate) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

pub(crate) fn tokens(pointer: &str) -> Vec<String> {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    pointer.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}

pub(crate) fn find<'v>(object: &'v Map<String, Value>, tokens: &[String]) -> Option<&'v Value> {
    let (first, rest) = tokens.split_first()?;
    let value = object.get(first)?;
    if rest.is_empty() { Some(value) } else { find(value.as_object()?, rest) }
}

/// Sets what a pointer leads to, making objects on the way; false if something else is in the way.
pub(crate) fn set(object: &mut Map<String, Value>, tokens: &[String], value: Value) -> bool {
    let Some((last, above)) = tokens.split_last() else { return false };
    let mut place = object;
    for token in above {
        let next = place.entry(token.clone()).or_insert_with(|| Map::new().into());
        let Some(next) = next.as_object_mut() else { return false };
        place = next;
    }
    place.insert(last.clone(), value);
    true
}
