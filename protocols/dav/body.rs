//! Small bodies of requests, most of them XML.

use std::time::Duration;

use bytes::Bytes;
use hub_wire::http::Body;
use hub_wire::small_body::{self, BodyFailure};
use hyper::StatusCode;

use crate::status::Refusal;
use crate::xml::{Document, MAX_DOCUMENT};

/// Time for a whole XML body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The XML of a request; `None` if there is no body.
pub(crate) async fn xml(body: &mut Body) -> Result<Option<Document>, Refusal> {
    let bytes = small(body).await?;
    match bytes.is_empty() {
        true => Ok(None),
        false => Ok(Some(Document::read(&bytes)?)),
    }
}

pub(crate) async fn small(body: &mut Body) -> Result<Bytes, Refusal> {
    whole(body, MAX_DOCUMENT).await
}

/// All of it, `limit` bytes at most.
pub(crate) async fn whole(body: &mut Body, limit: usize) -> Result<Bytes, Refusal> {
    let refusal = |status, why| Err(Refusal::Status(status, why));
    match small_body::read(body, limit, BODY_TIME).await {
        Ok(bytes) => Ok(bytes),
        Err(BodyFailure::Broken) => refusal(StatusCode::BAD_REQUEST, "The request broke off."),
        Err(BodyFailure::Late) => refusal(StatusCode::REQUEST_TIMEOUT, "The request took too long."),
        Err(BodyFailure::Long) => refusal(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."),
    }
}
