//! `POST /jmap/upload/{accountId}/` (RFC 8620 §6.1). The body streams into a spool.

use std::time::Duration;

use hub::{Account, Error};
use hub_wire::http::Body;
use hub_wire::small_body;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use serde_json::json;

use crate::Service;
use crate::core::error::RequestError;
use crate::core::limits::{MAX_CONCURRENT_UPLOAD, MAX_SIZE_UPLOAD};
use crate::ids::{self, BlobId, BlobOf};
use crate::reply::{self, Reply, sentence};
use crate::status;

/// Between two pieces of a body.
const PIECE_TIME: Duration = Duration::from_secs(60);

pub(crate) async fn answer(
    service: &Service,
    account: &Account,
    of: &str,
    headers: &HeaderMap,
    body: Body,
) -> Reply {
    let account_id = ids::account(account.id());
    if of != account_id {
        return sentence(StatusCode::NOT_FOUND, "There is no such account.");
    }
    if let Err(error) = account.require_change() {
        return status::reply(&error);
    }
    let Some(_place) = service.uploads.take(account.id(), MAX_CONCURRENT_UPLOAD) else {
        let error = RequestError::Limit("maxConcurrentUpload");
        return reply::problem(error.status(), &error.problem());
    };
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    match keep(service, account, headers, body).await {
        Ok((id, size)) => {
            let blob = BlobId { of: BlobOf::Upload(id), parts: Vec::new() };
            let upload = json!({
                "accountId": account_id, "blobId": blob.to_string(), "type": media_type, "size": size,
            });
            reply::json(StatusCode::CREATED, &upload)
        }
        Err(Failure::TooLarge) => {
            let mut problem = RequestError::Limit("maxSizeUpload").problem();
            problem["status"] = json!(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
            reply::problem(StatusCode::PAYLOAD_TOO_LARGE, &problem)
        }
        Err(Failure::Broken) => sentence(StatusCode::BAD_REQUEST, "The upload broke off."),
        Err(Failure::Hub(error)) => status::reply(&error),
    }
}

enum Failure {
    Broken,
    Hub(Error),
    TooLarge,
}

async fn keep(
    service: &Service,
    account: &Account,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<(i64, u64), Failure> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| length > MAX_SIZE_UPLOAD) {
        return Err(Failure::TooLarge);
    }
    let mut spool = service.hub.spool();
    while let Some(piece) = small_body::next(&mut body, PIECE_TIME).await.map_err(|_| Failure::Broken)? {
        if spool.len() + piece.len() as u64 > MAX_SIZE_UPLOAD {
            return Err(Failure::TooLarge);
        }
        spool.write(&piece).await.map_err(|error| Failure::Hub(error.into()))?;
    }
    account.keep_upload(spool).await.map_err(Failure::Hub)
}
