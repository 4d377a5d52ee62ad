//! Parameters: of queries and of forms, each at most once (RFC 6749 §3.1, §3.2).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hub_wire::http::Body;
use hub_wire::small_body::{self, BodyFailure};
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use crate::Endpoint;
use crate::reply::{self, Reply};

/// Bytes of a form or a registration.
const MAX_BODY: usize = 16 << 10;
/// Parameters of a request at most.
const MAX_PARAMETERS: usize = 50;
/// Time for a whole body.
const BODY_TIME: Duration = Duration::from_secs(30);

pub(crate) const TWICE: &str = "A parameter is there twice, or there are too many.";

/// Parameters by their names. Boxes that a person ticks are the exception: `allow` may be there several times.
#[derive(Debug, Default)]
pub(crate) struct Form {
    values: HashMap<String, String>,
    pub(crate) allowed: Vec<String>,
}

impl Form {
    /// Parameters without a value are left out, as if they were not there (RFC 6749 §3.1).
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, &'static str> {
        let mut form = Self::default();
        for (n, (name, value)) in form_urlencoded::parse(encoded).enumerate() {
            if n >= MAX_PARAMETERS {
                return Err(TWICE);
            }
            match name.as_ref() {
                _ if value.is_empty() => {}
                "allow" => form.allowed.push(value.into_owned()),
                _ => {
                    if form.values.insert(name.into_owned(), value.into_owned()).is_some() {
                        return Err(TWICE);
                    }
                }
            }
        }
        Ok(form)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// The body of a POST, in the form that its endpoint takes.
pub(crate) async fn read(headers: &HeaderMap, mut body: Body, endpoint: Endpoint) -> Result<Bytes, Reply> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let expected = match endpoint {
        Endpoint::Register => "application/json",
        _ => "application/x-www-form-urlencoded",
    };
    if !media_type.eq_ignore_ascii_case(expected) {
        let text = "The content type is not the one that is taken here.";
        return Err(reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", text));
    }
    let refusal = |status, text| reply::error(status, "invalid_request", text);
    small_body::read(&mut body, MAX_BODY, BODY_TIME).await.map_err(|why| match why {
        BodyFailure::Broken => refusal(StatusCode::BAD_REQUEST, "The request broke off."),
        BodyFailure::Late => refusal(StatusCode::REQUEST_TIMEOUT, "The request took too long."),
        BodyFailure::Long => refusal(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_there_once() {
        let form = Form::parse(b"a=1&b=&c=%C3%A9+x&allow=y&allow=z&b=2").expect("a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), Some("2"), Some("é x")));
        assert_eq!((form.get("d"), form.allowed.len()), (None, 2));
        assert!(Form::parse(b"a=1&a=1").is_err());
        assert!(Form::parse("a=1&".repeat(100).as_bytes()).is_err());
        assert!(Form::parse(b"").expect("a form").get("").is_none());
    }
}
