//! Bodies of requests: small ones of XML, and those that nobody wants.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hub_wire::http::Body;
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::header::{self, HeaderMap};

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
    whole(body, MAX_DOCUMENT).await
}

/// All of it, `limit` bytes at most.
pub(crate) async fn whole(body: &mut Body, limit: usize) -> Result<Bytes, Refusal> {
    let refusal = |status, why| Err(Refusal::Status(status, why));
    match read(body, limit).await {
        Ok(bytes) => Ok(bytes),
        Err(Failure::Broken) => refusal(StatusCode::BAD_REQUEST, "The request broke off."),
        Err(Failure::Late) => refusal(StatusCode::REQUEST_TIMEOUT, "The request took too long."),
        Err(Failure::Long) => refusal(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."),
    }
}

/// Reads what of a body nobody wants, within limits: a client that is still sending would get a reset
/// connection instead of its answer. One that asks first (RFC 9110 §10.1.1) has not sent anything yet.
pub(crate) async fn drain(headers: &HeaderMap, mut body: Body) {
    if body.is_end_stream() || headers.contains_key(header::EXPECT) {
        return;
    }
    let mut left = MAX_UNWANTED;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Too much, too slow or broken off: the answer may still arrive.
    let _ = tokio::time::timeout(BODY_TIME, all).await;
}

enum Failure {
    Broken,
    Late,
    Long,
}

async fn read(body: &mut Body, limit: usize) -> Result<Bytes, Failure> {
    let all = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|_| Failure::Broken)?.into_data() else { continue };
            if bytes.len() + piece.len() > limit {
                return Err(Failure::Long);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(BODY_TIME, all).await.map_err(|_| Failure::Late)?
}
