//! `hub::Error` in ManageSieve's words: a code (RFC 5804 §1.3) and a sentence.

use hub::Error;

use crate::reply::Reply;

pub(crate) fn reply(error: &Error) -> Reply {
    let (code, text) = match error {
        Error::NotFound(_) => (Some("NONEXISTENT"), "There is no script with that name".into()),
        Error::Exists(_) => (Some("ALREADYEXISTS"), "There is a script with that name".into()),
        Error::Conflict(_) | Error::Locked { .. } | Error::Stale => {
            (Some("TRYLATER"), "It has changed meanwhile".into())
        }
        Error::OverQuota { .. } => (Some("QUOTA"), "The quota does not allow it".into()),
        Error::TooLarge { limit } => (Some("QUOTA/MAXSIZE"), format!("A script has at most {limit} octets")),
        Error::Limit(what) => (Some("QUOTA/MAXSCRIPTS"), format!("Limit reached: {what}")),
        // RFC 5804 §2.10: the one thing that is not allowed is to delete the active script.
        Error::Forbidden(why) => (Some("ACTIVE"), (*why).to_owned()),
        // The same words for every reason: nobody learns which names exist.
        Error::BadCredentials => (None, "Name or password is wrong".into()),
        Error::Invalid(why) | Error::Refused(why) => (None, why.clone()),
        Error::Unavailable(_) => (Some("TRYLATER"), "Temporarily unavailable, try again later".into()),
    };
    Reply::No { code, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_code() {
        for (error, code) in [
            (Error::NotFound("script"), Some("NONEXISTENT")),
            (Error::Exists("script"), Some("ALREADYEXISTS")),
            (Error::TooLarge { limit: 1 }, Some("QUOTA/MAXSIZE")),
            (Error::Limit("x"), Some("QUOTA/MAXSCRIPTS")),
            (Error::Forbidden("x"), Some("ACTIVE")),
            (Error::Invalid("line 1".into()), None),
        ] {
            assert!(matches!(reply(&error), Reply::No { code: found, .. } if found == code), "{error:?}");
        }
    }
}
