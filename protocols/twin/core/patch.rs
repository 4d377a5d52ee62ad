//! Patches of objects (RFC 8620 §5.3, PatchObject): paths to new values.

use serde_json::{Map, Value};

use crate::core::error::{SetError, SetErrorKind};
use crate::core::pointer;

/// Applies a patch to an object. Paths have no leading slash; `null` removes, or sets a default, which
/// is for the type to know: at the top of the object it stays as `null`.
pub(crate) fn apply(object: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), SetError> {
    let mut paths = Vec::with_capacity(patch.len());
    for path in patch.keys() {
        let tokens = pointer::tokens(&format!("/{path}")).ok_or_else(|| invalid(path, "is no path"))?;
        paths.push((tokens, path));
    }
    // Sorted by their tokens, a path stands just before those that it is a prefix of.
    paths.sort_unstable();
    for pair in paths.windows(2) {
        if pair[1].0.starts_with(&pair[0].0) {
            return Err(invalid(pair[1].1, "lies within another path of the patch"));
        }
    }
    for (tokens, path) in &paths {
        put(object, tokens, &patch[*path])
            .ok_or_else(|| invalid(path, "leads to nothing that can be changed"))?;
    }
    Ok(())
}

fn put(object: &mut Map<String, Value>, tokens: &[String], value: &Value) -> Option<()> {
    let (last, above) = tokens.split_last()?;
    let mut place = object;
    for token in above {
        // RFC 8620 §5.3: the path must not go into an array, and all before its last token must exist.
        place = place.get_mut(token)?.as_object_mut()?;
    }
    match value {
        Value::Null if !above.is_empty() => drop(place.remove(last)),
        value => drop(place.insert(last.clone(), value.clone())),
    }
    Some(())
}

fn invalid(path: &str, why: &str) -> SetError {
    SetError::new(SetErrorKind::InvalidPatch, format!("{path:?} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn patches() {
        let object = || {
            map(
                json!({ "keywords": { "$seen": true }, "mailboxIds": { "a": true }, "list": [1], "n": null, "x": 1 }),
            )
        };
        let check = |patch: Value, expected: Option<Value>| {
            let mut patched = object();
            let result = apply(&mut patched, &map(patch.clone()));
            assert_eq!(result.ok().map(|()| Value::Object(patched)), expected, "{patch}");
        };
        check(
            json!({ "keywords/$flagged": true, "keywords/$seen": null, "mailboxIds": { "b": true } }),
            Some(
                json!({ "keywords": { "$flagged": true }, "mailboxIds": { "b": true }, "list": [1], "n": null, "x": 1 }),
            ),
        );
        check(
            json!({ "x": null }),
            Some(
                json!({ "keywords": { "$seen": true }, "mailboxIds": { "a": true }, "list": [1], "n": null, "x": null }),
            ),
        );
        check(
            json!({ "keywords/a~1b": true }),
            Some(
                json!({ "keywords": { "$seen": true, "a/b": true }, "mailboxIds": { "a": true }, "list": [1], "n": null, "x": 1 }),
            ),
        );
        for bad in [
            json!({ "keywords": {}, "keywords/$seen": true }),
            json!({ "keywords/a": true, "keywords/a/b": true }),
            json!({ "list/0": 2 }),
            json!({ "none/a": 2 }),
            json!({ "n/a": 2 }),
            json!({ "x/a": 2 }),
            json!({ "keywords/~2": true }),
        ] {
            check(bad, None);
        }
        // A name that only begins alike is another one, also when it sorts between.
        check(
            json!({ "x": 2, "x y": 3 }),
            Some(
                json!({ "keywords": { "$seen": true }, "mailboxIds": { "a": true }, "list": [1], "n": null, "x": 2, "x y": 3 }),
            ),
        );
    }
}
