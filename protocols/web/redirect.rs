//! Plain HTTP → HTTPS.

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode, Uri};

use crate::reply::{Reply, sentence, set};

/// The same path at `origin`. Temporary, so that no browser remembers a port that changes later.
/// GET gets a 302: the only one that Outlook follows to autodiscover.
pub(crate) fn to(origin: &str, method: &Method, uri: &Uri) -> Reply {
    let status = match *method {
        Method::GET | Method::HEAD => StatusCode::FOUND,
        _ => StatusCode::TEMPORARY_REDIRECT,
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // `OPTIONS *` has no path.
    let path = if path.starts_with('/') { path } else { "/" };
    let mut reply = sentence(status, "This is to be had over https.");
    match HeaderValue::try_from(format!("{origin}{path}")) {
        Ok(location) => set(&mut reply, header::LOCATION, location),
        Err(_) => *reply.status_mut() = StatusCode::BAD_REQUEST,
    }
    reply
}
