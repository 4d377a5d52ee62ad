//! The words for programs.

use hub_wire::http::{self, Body};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tracing::warn;

pub(crate) type Reply = Response<Body>;

pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(http::empty());
    *reply.status_mut() = status;
    reply
}

pub(crate) fn with_content(status: StatusCode, media_type: &'static str, content: String) -> Reply {
    let mut reply = Response::new(http::full(content));
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, media_type);
    set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // RFC 6749 §5.1: nothing of all this is for a cache.
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

pub(crate) fn sentence(status: StatusCode, text: &str) -> Reply {
    with_content(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Reply {
    with_content(status, "application/json", value.to_string())
}

/// RFC 6749 §5.2
pub(crate) fn error(status: StatusCode, error: &str, description: &str) -> Reply {
    json(status, &json!({ "error": error, "error_description": description }))
}

pub(crate) fn method_not_allowed(methods: &'static str) -> Reply {
    let mut reply = sentence(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.");
    set(&mut reply, header::ALLOW, methods);
    reply
}

/// For the log, when a person or a program is asked to try again.
pub(crate) fn note(failure: &hub::Error) {
    warn!(error = %failure, "a request for tokens fails for now");
}

/// It could not be found out; nothing is wrong with the request.
pub(crate) fn unavailable(failure: &hub::Error) -> Reply {
    note(failure);
    let text = "Please try again later.";
    error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text)
}

pub(crate) fn too_many() -> Reply {
    let text = "There were too many such requests from your address.";
    error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", text)
}

/// Programs in browsers may come from anywhere: nothing here depends on cookies.
pub(crate) fn allow_any_origin(reply: &mut Reply) {
    set(reply, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(reply, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
    set(reply, header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type");
    set(reply, header::ACCESS_CONTROL_MAX_AGE, "86400");
}

pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
}
