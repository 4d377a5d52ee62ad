//! The request object (RFC 8620 §3.3) and its answer (§3.4).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::core::error::RequestError;
use crate::core::json;
use crate::core::limits::MAX_CALLS_IN_REQUEST;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invocation {
    pub(crate) name: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) call_id: String,
}

impl Invocation {
    pub(crate) fn to_json(&self) -> Value {
        json!([self.name, self.arguments, self.call_id])
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiRequest {
    pub(crate) using: Vec<String>,
    pub(crate) calls: Vec<Invocation>,
    /// Creation id → id; `None` if the client does not want to be told.
    pub(crate) created_ids: Option<BTreeMap<String, String>>,
}

impl ApiRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let value = json::parse(body).map_err(RequestError::NotJson)?;
        let Value::Object(mut object) = value else { return Err(not_request("It is not an object.")) };
        let using = object
            .remove("using")
            .and_then(strings)
            .ok_or_else(|| not_request("using is not an array of strings."))?;
        let Some(Value::Array(calls)) = object.remove("methodCalls") else {
            return Err(not_request("methodCalls is not an array."));
        };
        if calls.len() > MAX_CALLS_IN_REQUEST {
            return Err(RequestError::Limit("maxCallsInRequest"));
        }
        let calls = calls.into_iter().map(invocation).collect::<Option<Vec<_>>>();
        let calls = calls.ok_or_else(|| not_request("A method call is not [name, arguments, call id]."))?;
        let created_ids = match object.remove("createdIds") {
            None | Some(Value::Null) => None,
            Some(Value::Object(ids)) => {
                let text = |(creation, id): (String, Value)| Some((creation, id.as_str()?.to_owned()));
                let ids = ids.into_iter().map(text).collect::<Option<_>>();
                Some(ids.ok_or_else(|| not_request("An id in createdIds is not a string."))?)
            }
            Some(_) => return Err(not_request("createdIds is not an object.")),
        };
        Ok(Self { using, calls, created_ids })
    }
}

fn not_request(why: &str) -> RequestError {
    RequestError::NotRequest(why.to_owned())
}

pub(crate) fn strings(value: Value) -> Option<Vec<String>> {
    let Value::Array(values) = value else { return None };
    let string = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    values.into_iter().map(string).collect()
}

fn invocation(value: Value) -> Option<Invocation> {
    let Value::Array(parts) = value else { return None };
    match <[Value; 3]>::try_from(parts).ok()? {
        [Value::String(name), Value::Object(arguments), Value::String(call_id)] => {
            Some(Invocation { name, arguments, call_id })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8620 §3.3.1.
    #[test]
    fn rfc8620_example_request() {
        let request = ApiRequest::parse(
            br#"{ "using": [ "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail" ],
                "methodCalls": [ [ "method1", { "arg1": "arg1data", "arg2": "arg2data" }, "c1" ],
                    [ "method2", { "arg1": "arg1data" }, "c2" ], [ "method3", {}, "c3" ] ] }"#,
        )
        .expect("a request");
        assert_eq!(request.using.len(), 2);
        assert_eq!(
            request.calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(),
            ["method1", "method2", "method3"]
        );
        assert_eq!(request.created_ids, None);
    }

    #[test]
    fn what_is_no_request() {
        let kind = |text: &str| match ApiRequest::parse(text.as_bytes()) {
            Ok(_) => "good",
            Err(RequestError::NotJson(_)) => "notJSON",
            Err(RequestError::NotRequest(_)) => "notRequest",
            Err(RequestError::Limit(limit)) => limit,
            Err(RequestError::UnknownCapability(_)) => "unknownCapability",
        };
        for (text, expected) in [
            (r#"{"using":[],"methodCalls":[]}"#, "good"),
            (r#"{"using":[],"methodCalls":[],"createdIds":{"a":"b"},"other":1}"#, "good"),
            ("{", "notJSON"),
            ("[]", "notRequest"),
            ("{}", "notRequest"),
            (r#"{"using":[1],"methodCalls":[]}"#, "notRequest"),
            (r#"{"using":[],"methodCalls":{}}"#, "notRequest"),
            (r#"{"using":[],"methodCalls":[["a",{}]]}"#, "notRequest"),
            (r#"{"using":[],"methodCalls":[["a",{},"b","c"]]}"#, "notRequest"),
            (r#"{"using":[],"methodCalls":[["a",[],"b"]]}"#, "notRequest"),
            (r#"{"using":[],"methodCalls":[["a",{},1]]}"#, "notRequest"),
            (r#"{"using":[],"methodCalls":[],"createdIds":{"a":1}}"#, "notRequest"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        let calls = vec![r#"["Core/echo",{},"a"]"#; MAX_CALLS_IN_REQUEST + 1].join(",");
        assert_eq!(kind(&format!(r#"{{"using":[],"methodCalls":[{calls}]}}"#)), "maxCallsInRequest");
    }
}
