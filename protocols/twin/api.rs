//! `POST /jmap/api/` (RFC 8620 §3).

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hub::Account;
use hub_wire::http::Body;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use crate::Service;
use crate::context::Context;
use crate::core::error::RequestError;
use crate::core::limits::{MAX_CONCURRENT_REQUESTS, MAX_SIZE_REQUEST};
use crate::core::request::ApiRequest;
use crate::reply::{self, Reply};
use crate::run;

/// Time for a whole request body.
const BODY_TIME: Duration = Duration::from_secs(60);

pub(crate) async fn answer(
    service: Arc<Service>,
    account: Account,
    headers: &HeaderMap,
    body: Body,
) -> Reply {
    match respond(service, account, headers, body).await {
        Ok(reply) => reply,
        Err(error) => reply::problem(error.status(), &error.problem()),
    }
}

async fn respond(
    service: Arc<Service>,
    account: Account,
    headers: &HeaderMap,
    body: Body,
) -> Result<Reply, RequestError> {
    let place = service.requests.take(account.id(), MAX_CONCURRENT_REQUESTS);
    let _place = place.ok_or(RequestError::Limit("maxConcurrentRequests"))?;
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(RequestError::NotJson("The content type of a request is application/json.".to_owned()));
    }
    let body = whole(body).await?;
    let request = ApiRequest::parse(&body)?;
    let mut context = Context::new(account);
    let response = run::run(&mut context, request).await?;
    Ok(reply::json(StatusCode::OK, &response))
}

/// Octets of a body that nobody wants; more are not waited for.
const MAX_UNWANTED: usize = 256 << 10;

/// Reads what of a body nobody wants, within limits: a client that is still sending would get a reset
/// connection instead of its answer. One that asks first (RFC 9110 §10.1.1) has not sent anything yet.
pub(crate) async fn drain(headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(header::EXPECT) {
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

/// A body within the limit of a request.
pub(crate) async fn whole(mut body: Body) -> Result<Bytes, RequestError> {
    let broken = |why: &str| RequestError::NotJson(why.to_owned());
    let all = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|_| broken("The request broke off."))?.into_data() else {
                continue;
            };
            if bytes.len() + piece.len() > MAX_SIZE_REQUEST {
                return Err(RequestError::Limit("maxSizeRequest"));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(BODY_TIME, all).await.map_err(|_| broken("The request took too long."))?
}
