//! `hub::Error` → what another hub is told.

use hub::Error;
use hyper::StatusCode;

pub(crate) fn of(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) | Error::Exists(_) | Error::Stale => StatusCode::CONFLICT,
        Error::BadCredentials | Error::Forbidden(_) | Error::Refused(_) => StatusCode::FORBIDDEN,
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Limit(_) | Error::Locked { .. } | Error::OverQuota { .. } | Error::Unavailable(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
