//! What went wrong → status, and a page that says what happened and what to do.

use hub::Error;
use hub_content::Failure;
use hyper::StatusCode;
use tracing::warn;

use crate::Reply;
use crate::html::{Page, escape, size};
use crate::target::Target;

/// Why a request is not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    Hub(Error),
    /// With what happened, and what to do.
    Status(StatusCode, &'static str, &'static str),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Hub(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Field(why) => Self::Status(StatusCode::BAD_REQUEST, "The request was malformed", why.0),
            Failure::Hub(error) => Self::Hub(error),
        }
    }
}

pub(crate) fn of(refusal: &Refusal, target: Option<&Target>) -> Reply {
    match refusal {
        Refusal::Hub(error) => of_hub(error, target),
        Refusal::Status(status, what, advice) => page(*status, what, advice, target),
    }
}

fn of_hub(error: &Error, target: Option<&Target>) -> Reply {
    let (status, what, advice) = match error {
        Error::NotFound(_) => {
            (StatusCode::NOT_FOUND, "There is nothing here", "It was moved or deleted, or never was here.")
        }
        Error::Exists(_) => {
            (StatusCode::CONFLICT, "The name is taken", "Something else has this name. Choose another one.")
        }
        Error::Conflict(_) => (
            StatusCode::CONFLICT,
            "The folder is gone",
            "The folder that it should be in is not there any more. Go back and look again.",
        ),
        Error::Stale => (
            StatusCode::PRECONDITION_FAILED,
            "Somebody was faster",
            "It has changed in the meantime. Go back, look again, and repeat what you did if it is still right.",
        ),
        Error::Locked { .. } => (
            StatusCode::LOCKED,
            "It is being worked on",
            "A program has locked it. Close the file there, or wait until the lock ends.",
        ),
        Error::OverQuota { used, limit } => {
            let advice = format!(
                "{} of {} are in use. Delete something, and remove it from the trash.",
                size(*used),
                size(*limit)
            );
            return page(StatusCode::INSUFFICIENT_STORAGE, "There is no room left", &advice, target);
        }
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "It is too large", "Send less at a time."),
        Error::Limit(_) => {
            (StatusCode::INSUFFICIENT_STORAGE, "There are too many", "Remove some before you add others.")
        }
        Error::Forbidden(_) | Error::Refused(_) => (
            StatusCode::FORBIDDEN,
            "This is not allowed here",
            "You may look at this, but not do that. Ask its owner.",
        ),
        Error::BadCredentials => (StatusCode::FORBIDDEN, "The password is wrong", "Please try again."),
        Error::Invalid(why) => {
            let advice = format!("Go back and change it: {why}.");
            return page(StatusCode::BAD_REQUEST, "That cannot be", &advice, target);
        }
        Error::Unavailable(source) => {
            warn!(%source, "a page fails for now");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "It does not work for the moment",
                "Please try again in a minute.",
            )
        }
    };
    page(status, what, advice, target)
}

/// With a way back to the top, if there is one.
pub(crate) fn page(status: StatusCode, what: &str, advice: &str, target: Option<&Target>) -> Reply {
    let mut page = Page::new(what);
    page.raw(&format!("<p role=\"alert\">{}</p>", escape(advice)));
    if let Some(target) = target {
        page.raw(&format!("<p><a href=\"{}\">Back to the beginning</a></p>", escape(&target.top())));
    }
    page.reply(status)
}
