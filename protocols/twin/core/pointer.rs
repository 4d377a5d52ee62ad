//! JSON Pointer (RFC 6901) with the `*` of RFC 8620 §3.7.

use serde_json::Value;

/// ```text
/// json-pointer    = *( "/" reference-token )
/// reference-token = *( unescaped / escaped )
/// escaped         = "~" ( "0" / "1" )
/// ```
pub(crate) fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    pointer.strip_prefix('/')?.split('/').map(unescaped).collect()
}

pub(crate) fn unescaped(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

/// What the pointer leads to. `*` is every element of an array; where the rest leads to an array, its
/// elements are taken out of it. `room` is what the result may weigh, and is less afterwards.
pub(crate) fn evaluate(value: &Value, pointer: &str, room: &mut usize) -> Result<Value, Failure> {
    let tokens = tokens(pointer).ok_or(Failure::Nowhere)?;
    follow(value, &tokens, room)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Nowhere,
    TooLarge,
}

fn follow(value: &Value, tokens: &[String], room: &mut usize) -> Result<Value, Failure> {
    let Some((token, rest)) = tokens.split_first() else {
        *room = room.checked_sub(weight(value)).ok_or(Failure::TooLarge)?;
        return Ok(value.clone());
    };
    match value {
        Value::Object(object) => follow(object.get(token).ok_or(Failure::Nowhere)?, rest, room),
        Value::Array(array) if token == "*" => {
            let mut all = Vec::with_capacity(array.len());
            for element in array {
                match follow(element, rest, room)? {
                    Value::Array(inner) => all.extend(inner),
                    other => all.push(other),
                }
            }
            Ok(all.into())
        }
        Value::Array(array) => {
            // RFC 6901 §4: no leading zeros.
            let is_index =
                token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
            let index: usize = token.parse().ok().filter(|_| is_index).ok_or(Failure::Nowhere)?;
            follow(array.get(index).ok_or(Failure::Nowhere)?, rest, room)
        }
        _ => Err(Failure::Nowhere),
    }
}

/// About as many octets as the value has as text.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 8,
        Value::Array(array) => 8 + array.iter().map(weight).sum::<usize>(),
        Value::Object(object) => {
            8 + object.iter().map(|(name, value)| name.len() + 8 + weight(value)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 6901 §5.
    #[test]
    fn rfc6901_examples() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8
        });
        for (pointer, expected) in [
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/e^f", json!(3)),
            ("/g|h", json!(4)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
        ] {
            assert_eq!(evaluate(&document, pointer, &mut 1_000), Ok(expected), "{pointer}");
        }
        assert_eq!(evaluate(&document, "", &mut 1_000), Ok(document.clone()));
        for pointer in
            ["foo", "/x", "/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/0/x", "/~", "/~2", "/foo/*/*"]
        {
            assert_eq!(evaluate(&document, pointer, &mut 1_000), Err(Failure::Nowhere), "{pointer}");
        }
    }

    /// RFC 8620 §3.7.
    #[test]
    fn stars_flatten_one_level() {
        let document = json!({ "list": [{ "emailIds": ["a", "b"] }, { "emailIds": ["c"] }], "none": [] });
        for (pointer, expected) in [
            ("/list/*/emailIds", json!(["a", "b", "c"])),
            ("/list/*/emailIds/*", json!(["a", "b", "c"])),
            ("/list/*/emailIds/0", json!(["a", "c"])),
            ("/none/*/x", json!([])),
        ] {
            assert_eq!(evaluate(&document, pointer, &mut 1_000), Ok(expected), "{pointer}");
        }
        assert_eq!(evaluate(&document, "/list/*/emailIds/1", &mut 1_000), Err(Failure::Nowhere));
        assert_eq!(evaluate(&document, "/list/*/emailIds", &mut 20), Err(Failure::TooLarge));
    }
}
