//! The words that every place answers with.

use hub_wire::http::{self, Body};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

pub(crate) type Reply = Response<Body>;

/// Pages of any origin may use the API: they must know a password for it, which no browser adds by itself.
pub(crate) fn allow_all_origins(reply: &mut Reply) {
    set(reply, header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let fields = HeaderValue::from_static("Content-Range, ETag, Location, WWW-Authenticate");
    set(reply, header::ACCESS_CONTROL_EXPOSE_HEADERS, fields);
}

/// An answer to the question of a browser whether it may ask (Fetch, CORS-preflight).
pub(crate) fn preflight(methods: &'static str) -> Reply {
    let mut reply = Response::new(http::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    set(&mut reply, header::ALLOW, HeaderValue::from_static(methods));
    set(&mut reply, header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    let fields = HeaderValue::from_static("Authorization, Content-Type, If-Match, Last-Event-ID, Range");
    set(&mut reply, header::ACCESS_CONTROL_ALLOW_HEADERS, fields);
    set(&mut reply, header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    reply
}

pub(crate) fn not_allowed(methods: &'static str) -> Reply {
    let mut reply = sentence(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.");
    set(&mut reply, header::ALLOW, HeaderValue::from_static(methods));
    reply
}

/// A status with a sentence for the person who looks at it.
pub(crate) fn sentence(status: StatusCode, text: &str) -> Reply {
    with_content(status, "text/plain; charset=utf-8", format!("{text}\n").into_bytes())
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Reply {
    with_content(status, "application/json", value.to_string().into_bytes())
}

/// RFC 9457.
pub(crate) fn problem(status: StatusCode, value: &Value) -> Reply {
    with_content(status, "application/problem+json", value.to_string().into_bytes())
}

/// RFC 8620 §2: clients fetch it when it has changed, and must get what it is then.
pub(crate) fn uncached(mut reply: Reply) -> Reply {
    let never = HeaderValue::from_static("no-cache, no-store, must-revalidate");
    set(&mut reply, header::CACHE_CONTROL, never);
    reply
}

pub(crate) fn with_content(status: StatusCode, media_type: &'static str, content: Vec<u8>) -> Reply {
    let mut reply = Response::new(http::full(content));
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A browser must not take for a script what was sent as something else.
    set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: HeaderValue) {
    reply.headers_mut().insert(name, value);
}

/// A field that is made of what others write; left out if it cannot be one.
pub(crate) fn set_text(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        set(reply, name, value);
    }
}
