//! The words that every concern answers with.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

pub(crate) type Reply = Response<Full<Bytes>>;

/// A document of this media type.
pub(crate) fn document(media_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    set(&mut reply, header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A browser must not take for a script what was sent as something else.
    set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// A status with a sentence for the person who looks at it.
pub(crate) fn sentence(status: StatusCode, text: &str) -> Reply {
    let mut reply = document("text/plain; charset=utf-8", format!("{text}\n"));
    *reply.status_mut() = status;
    reply
}

pub(crate) fn not_found() -> Reply {
    sentence(StatusCode::NOT_FOUND, "There is nothing here.")
}

/// RFC 9110 §15.5.6: with the methods that would do.
pub(crate) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = sentence(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.");
    set(&mut reply, header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: HeaderValue) {
    reply.headers_mut().insert(name, value);
}
