//! References to results of calls before (RFC 8620 §3.7) and to objects just created (§5.3).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::pointer::{self, Failure};
use crate::core::request::Invocation;

/// Puts the values in the place of all `#name` arguments. `room` is what references may still bring in,
/// of all calls of the request: each could double what the one before it has brought.
pub(crate) fn resolve(
    arguments: &mut Map<String, Value>,
    answers: &[Invocation],
    room: &mut usize,
) -> MethodResult<()> {
    let names: Vec<String> = arguments.keys().filter(|name| name.starts_with('#')).cloned().collect();
    for referring in names {
        let name = &referring[1..];
        if arguments.contains_key(name) {
            return Err(MethodError::argument(name, "stands there twice, also as a reference"));
        }
        let Some(reference) = arguments.remove(&referring) else { continue };
        let value = referred(&reference, answers, room)?;
        arguments.insert(name.to_owned(), value);
    }
    Ok(())
}

fn referred(reference: &Value, answers: &[Invocation], room: &mut usize) -> MethodResult<Value> {
    let invalid = |why: &str| MethodError::new(MethodErrorKind::InvalidResultReference, why);
    let text = |name: &str| reference.get(name).and_then(Value::as_str);
    let (Some(result_of), Some(name), Some(path)) = (text("resultOf"), text("name"), text("path")) else {
        return Err(invalid("A reference has resultOf, name and path."));
    };
    let answer = answers.iter().find(|answer| answer.call_id == result_of);
    let answer = answer.filter(|answer| answer.name == name);
    let answer = answer.ok_or_else(|| invalid("There is no such answer before this call."))?;
    // The arguments are an object; they are taken for one without copying them.
    let (first, rest) = match pointer::tokens(path).as_deref() {
        Some([first, ..]) => (first.clone(), &path[1 + path[1..].find('/').unwrap_or(path.len() - 1)..]),
        _ => return Err(invalid("The path leads nowhere.")),
    };
    let value = answer.arguments.get(&first).ok_or_else(|| invalid("The path leads nowhere."))?;
    pointer::evaluate(value, rest, room).map_err(|failure| match failure {
        Failure::Nowhere => invalid("The path leads nowhere."),
        Failure::TooLarge => MethodError::new(
            MethodErrorKind::RequestTooLarge,
            "The references of this request bring in too much.",
        ),
    })
}

/// The id that `#creation` stands for; what is no reference stays as it is. `None` if nothing was created
/// under that name.
pub(crate) fn created<'a>(id: &'a str, created: &'a BTreeMap<String, String>) -> Option<&'a str> {
    match id.strip_prefix('#') {
        None => Some(id),
        Some(creation) => created.get(creation).map(String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::limits::MAX_REFERENCED;
    use serde_json::json;

    fn answer(name: &str, arguments: Value, call_id: &str) -> Invocation {
        let arguments = arguments.as_object().expect("an object").clone();
        Invocation { name: name.to_owned(), arguments, call_id: call_id.to_owned() }
    }

    fn resolved(arguments: Value, answers: &[Invocation]) -> Result<Value, &'static str> {
        let mut arguments = arguments.as_object().expect("an object").clone();
        match resolve(&mut arguments, answers, &mut { MAX_REFERENCED }) {
            Ok(()) => Ok(arguments.into()),
            Err(error) => Err(error.kind.name()),
        }
    }

    /// RFC 8620 §3.7, both examples.
    #[test]
    fn rfc8620_examples() {
        let answers = [
            answer("Foo/changes", json!({ "accountId": "A1", "created": ["f1", "f4"], "updated": [] }), "t0"),
            answer(
                "Thread/get",
                json!({ "list": [{ "id": "trd194", "emailIds": ["msg1020", "msg1021", "msg1023"] }, { "id": "trd114", "emailIds": ["msg201", "msg223"] }] }),
                "t2",
            ),
        ];
        assert_eq!(
            resolved(
                json!({ "accountId": "A1", "#ids": { "resultOf": "t0", "name": "Foo/changes", "path": "/created" } }),
                &answers
            ),
            Ok(json!({ "accountId": "A1", "ids": ["f1", "f4"] }))
        );
        assert_eq!(
            resolved(
                json!({ "#ids": { "resultOf": "t2", "name": "Thread/get", "path": "/list/*/emailIds" } }),
                &answers
            ),
            Ok(json!({ "ids": ["msg1020", "msg1021", "msg1023", "msg201", "msg223"] }))
        );
    }

    #[test]
    fn wrong_references() {
        let answers = [answer("Foo/get", json!({ "ids": [1], "deep": { "a": [2] } }), "t0")];
        let reference = |of: &str, name: &str, path: &str| {
            resolved(json!({ "#ids": { "resultOf": of, "name": name, "path": path } }), &answers)
        };
        assert_eq!(reference("t0", "Foo/get", "/deep/a/0"), Ok(json!({ "ids": 2 })));
        let wrong = Err("invalidResultReference");
        assert_eq!(reference("t1", "Foo/get", "/ids"), wrong);
        assert_eq!(reference("t0", "Foo/set", "/ids"), wrong);
        assert_eq!(reference("t0", "Foo/get", "/none"), wrong);
        assert_eq!(reference("t0", "Foo/get", "ids"), wrong);
        assert_eq!(reference("t0", "Foo/get", ""), wrong);
        assert_eq!(resolved(json!({ "#ids": "t0" }), &answers), wrong);
        assert_eq!(
            resolved(
                json!({ "ids": [], "#ids": { "resultOf": "t0", "name": "Foo/get", "path": "/ids" } }),
                &answers
            ),
            Err("invalidArguments")
        );
    }

    /// Each echo has the last one twice: without a bound, 64 calls are 2^64.
    #[test]
    fn a_bomb_goes_off_early() {
        let mut answers = vec![answer("Core/echo", json!({ "a": "x".repeat(1000) }), "0")];
        let mut room = MAX_REFERENCED;
        for call in 1..64 {
            let last = (call - 1).to_string();
            let reference = |path: &str| json!({ "resultOf": last, "name": "Core/echo", "path": path });
            let path = if call == 1 { "/a" } else { "/both/*" };
            let mut arguments = Map::new();
            arguments.insert("#a".into(), reference(path));
            arguments.insert("#b".into(), reference(path));
            if let Err(error) = resolve(&mut arguments, &answers, &mut room) {
                assert_eq!(error.kind, MethodErrorKind::RequestTooLarge);
                return;
            }
            let both = json!({ "both": [arguments["a"], arguments["b"]] });
            answers.push(answer("Core/echo", both, &call.to_string()));
        }
        panic!("it grew without end");
    }
}
