//! `hub::Error` → HTTP status (RFC 9110 §15) with a sentence.

use hub::Error;
use hyper::StatusCode;
use tracing::warn;

use crate::reply::{Reply, sentence};

pub(crate) fn of(error: &Error) -> Reply {
    let status = match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) | Error::Exists(_) => StatusCode::CONFLICT,
        Error::Locked { .. } => StatusCode::LOCKED,
        Error::Stale => StatusCode::PRECONDITION_FAILED,
        Error::OverQuota { .. } => StatusCode::INSUFFICIENT_STORAGE,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Limit(_) | Error::Forbidden(_) | Error::Refused(_) => StatusCode::FORBIDDEN,
        Error::BadCredentials => StatusCode::UNAUTHORIZED,
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        Error::Unavailable(source) => {
            warn!(%source, "a web request fails for now");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    sentence(status, &error.to_string())
}
