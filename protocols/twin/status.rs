//! What went wrong in the hub → the words of JMAP and of HTTP.

use hub::Error;
use hyper::StatusCode;
use tracing::warn;

use crate::core::error::{MethodError, MethodErrorKind, SetError, SetErrorKind};
use crate::reply::{Reply, sentence};

impl From<Error> for MethodError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::BadCredentials | Error::Forbidden(_) | Error::Refused(_) => MethodErrorKind::Forbidden,
            Error::Conflict(_)
            | Error::Exists(_)
            | Error::Invalid(_)
            | Error::Limit(_)
            | Error::Locked { .. }
            | Error::NotFound(_)
            | Error::OverQuota { .. }
            | Error::TooLarge { .. } => MethodErrorKind::ServerFail,
            Error::Stale => MethodErrorKind::StateMismatch,
            Error::Unavailable(source) => {
                warn!(%source, "a method of the API fails for now");
                MethodErrorKind::ServerUnavailable
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Error> for SetError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::BadCredentials | Error::Forbidden(_) | Error::Locked { .. } | Error::Refused(_) => {
                SetErrorKind::Forbidden
            }
            Error::Conflict(_) | Error::Invalid(_) => SetErrorKind::InvalidProperties,
            Error::Exists(_) => SetErrorKind::AlreadyExists,
            Error::Limit(_) | Error::OverQuota { .. } => SetErrorKind::OverQuota,
            Error::NotFound(_) => SetErrorKind::NotFound,
            Error::Stale => SetErrorKind::StateMismatch,
            Error::TooLarge { .. } => SetErrorKind::TooLarge,
            Error::Unavailable(source) => {
                warn!(%source, "a change through the API fails for now");
                SetErrorKind::ServerFail
            }
        };
        Self::new(kind, error.to_string())
    }
}

/// For uploads and downloads.
pub(crate) fn reply(error: &Error) -> Reply {
    let status = match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) | Error::Exists(_) => StatusCode::CONFLICT,
        Error::Stale => StatusCode::PRECONDITION_FAILED,
        Error::Locked { .. } => StatusCode::LOCKED,
        Error::Limit(_) | Error::OverQuota { .. } => StatusCode::INSUFFICIENT_STORAGE,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Forbidden(_) | Error::Refused(_) => StatusCode::FORBIDDEN,
        Error::BadCredentials => StatusCode::UNAUTHORIZED,
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        Error::Unavailable(source) => {
            warn!(%source, "a request of the API fails for now");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    sentence(status, &error.to_string())
}
