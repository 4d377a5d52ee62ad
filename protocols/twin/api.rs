//! `POST /jmap/api/` (RFC 8620 §3).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hub::Account;
use hub_wire::http::Body;
use hub_wire::small_body::{self, BodyFailure};
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

/// A body within the limit of a request.
pub(crate) async fn whole(mut body: Body) -> Result<Bytes, RequestError> {
    small_body::read(&mut body, MAX_SIZE_REQUEST, BODY_TIME).await.map_err(|why| match why {
        BodyFailure::Broken => RequestError::NotJson("The request broke off.".to_owned()),
        BodyFailure::Late => RequestError::NotJson("The request took too long.".to_owned()),
        BodyFailure::Long => RequestError::Limit("maxSizeRequest"),
    })
}
