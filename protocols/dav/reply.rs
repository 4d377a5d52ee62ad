//! The words that every method answers with.

use hub_wire::http::{self, Body};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::xml::{TWINHUB, Xml};

pub(crate) type Reply = Response<Body>;

pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(http::empty());
    *reply.status_mut() = status;
    reply
}

/// A status with a sentence for the person who looks at it.
pub(crate) fn sentence(status: StatusCode, text: &str) -> Reply {
    with_content(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

pub(crate) fn xml(status: StatusCode, document: String) -> Reply {
    with_content(status, XML, document)
}

/// A body of XML that is still being written.
pub(crate) fn streamed_xml(status: StatusCode, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, HeaderValue::from_static(XML));
    reply
}

/// RFC 4918 §16: a precondition or postcondition that failed.
pub(crate) fn condition(status: StatusCode, condition: &str, content: impl FnOnce(&mut Xml)) -> Reply {
    xml(status, Xml::document("error", |xml| xml.dav(condition, content)))
}

/// The same for a condition of another namespace; `href` is of what is in the way.
pub(crate) fn condition_of(status: StatusCode, namespace: &str, local: &str, href: Option<&str>) -> Reply {
    explained(status, namespace, local, "", href)
}

/// With a sentence for the person who reads it: `responsedescription` (RFC 4918 §14.25), which is where
/// programs that show one look.
pub(crate) fn explained(
    status: StatusCode,
    namespace: &str,
    local: &str,
    why: &str,
    href: Option<&str>,
) -> Reply {
    let content = |xml: &mut Xml| {
        xml.element_of(namespace, local, |xml| {
            if let Some(href) = href {
                xml.leaf("href", href);
            }
        });
        if !why.is_empty() {
            xml.leaf("responsedescription", why);
        }
    };
    xml(status, Xml::document("error", content))
}

/// What no RFC has a condition for is told by one of ours, so that a program finds an element wherever
/// something is refused (RFC 4918 §16), and a person the sentence.
pub(crate) fn refused(status: StatusCode, text: &str) -> Reply {
    let condition = match status {
        StatusCode::BAD_REQUEST => "malformed-request",
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
        StatusCode::REQUEST_TIMEOUT => "request-came-too-slowly",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PRECONDITION_FAILED => "precondition-failed",
        StatusCode::PAYLOAD_TOO_LARGE => "request-too-large",
        StatusCode::URI_TOO_LONG => "uri-too-long",
        StatusCode::RANGE_NOT_SATISFIABLE => "range-not-satisfiable",
        StatusCode::BAD_GATEWAY => "destination-elsewhere",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::INSUFFICIENT_STORAGE => "limit-exceeded",
        _ => "forbidden",
    };
    explained(status, TWINHUB, condition, text, None)
}

pub(crate) fn with_content(status: StatusCode, media_type: &'static str, content: String) -> Reply {
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

/// A field that is made of what we write ourselves; left out if it cannot be one.
pub(crate) fn set_text(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        set(reply, name, value);
    }
}

/// RFC 4918 §8.2; `application/xml` has had the fewest misunderstandings.
const XML: &str = "application/xml; charset=utf-8";
