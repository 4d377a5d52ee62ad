//! Bodies: JSON objects, and merge patches made into patches of JMAP.

use hub_wire::http::Body;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use serde_json::{Map, Value};

use super::Problem;
use crate::api;
use crate::core::error::RequestError;
use crate::core::json;

pub(super) async fn object(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Problem> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !["application/json", "application/merge-patch+json"].contains(&essence.as_str()) {
        let why = "The content type of a request is application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "notJSON", why));
    }
    let bytes = api::whole(body).await.map_err(|error| match error {
        RequestError::Limit(limit) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "limit", limit),
        _ => Problem::new(StatusCode::BAD_REQUEST, "notJSON", "The request broke off."),
    })?;
    match json::parse(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "notRequest", "It is not an object.")),
        Err(why) => Err(Problem::new(StatusCode::BAD_REQUEST, "notJSON", &why)),
    }
}

/// Properties of which a merge patch changes only a part: what they are now decides how that is said.
pub(super) fn changed_within(merge: &Map<String, Value>) -> Vec<String> {
    merge.iter().filter(|(_, value)| value.is_object()).map(|(name, _)| name.clone()).collect()
}

/// RFC 7396 → RFC 8620 §5.3: what is in an object within is a path, as far as there is one in `current`. The
/// depth is that of JSON.
pub(super) fn as_patch(merge: &Map<String, Value>, current: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (name, value) in merge {
        put(&escaped(name), value, current.get(name), &mut patch);
    }
    patch
}

fn put(path: &str, value: &Value, current: Option<&Value>, patch: &mut Map<String, Value>) {
    match (value, current) {
        (Value::Object(object), Some(Value::Object(current))) => {
            for (name, value) in object {
                put(&format!("{path}/{}", escaped(name)), value, current.get(name), patch);
            }
        }
        // RFC 8620 §5.3: a path leads to nothing where there is nothing above its end.
        (value @ Value::Object(_), _) => drop(patch.insert(path.to_owned(), merged(value))),
        (value, _) => drop(patch.insert(path.to_owned(), value.clone())),
    }
}

/// Merged into nothing.
fn merged(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), merged(value)))
            .collect(),
        value => value.clone(),
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patches_are_paths() {
        let object = |value: Value| value.as_object().expect("an object").clone();
        let current = object(json!({ "keywords": { "a/b": true }, "none": null, "same": { "a": 1 } }));
        let merge = object(json!({
            "keywords": { "$seen": true, "a/b": null }, "name": "x", "none": { "a": { "b": 1, "c": null } }, "list": [{ "a": 1 }],
            "same": {}, "new": { "a": 1 },
        }));
        let expected = json!({
            "keywords/$seen": true, "keywords/a~1b": null, "name": "x", "none": { "a": { "b": 1 } }, "list": [{ "a": 1 }],
            "new": { "a": 1 },
        });
        assert_eq!(Value::from(as_patch(&merge, &current)), expected);
    }
}
