//! Bodies of requests: small ones of XML, and those that nobody wants.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hub_wire::http::Body;
use hyper::body::Body as _;
use hyper::header::{self, HeaderMap};
use hyper::StatusCode;

use crate::status::Refusal;
use crate::xml::{Document, MAX_DOCUMENT};

/// Time for a whole XML body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Bytes of a body that nobody wants; more are not waited for.
const MAX_UNWANTED: usize = 256 << 10;

/// The XML of a request; `None` if there is no body.
pub(crate) async fn xml(body: &mut Body) -> Result<Option<Document>, Refusal> {
    let bytes = small(body).await?;
    match bytes.is_empty() {
        true => Ok(None),
        false => Ok(Some(Document::read(&bytes)?)),
    }
}

pub(crate) async fn small(body: &mut Body) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_DOCUMENT).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Refusal::Status(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."))
        }
        Ok(Err(_)) => Err(Refusal::Status(StatusCode::BAD_REQUEST, "The request broke off.")),
        Err(_) => Err(Refusal::Status(StatusCode::REQUEST_TIMEOUT, "The request took too long.")),
    }
}

/// Reads what of a body nobody wants, within limits: a client that is still sending would get a reset
/// connection instead of its answer. One that asks first (RFC 9110 §10.1.1) has not sent anything yet.
pub(crate) async fn drain(headers: &HeaderMap, body: Body) {
    if !body.is_end_stream() && !headers.contains_key(header::EXPECT) {
        // Too much, too slow or broken off: the answer may still arrive.
        let _ = tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_UNWANTED).collect()).await;
    }
}
