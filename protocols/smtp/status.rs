//! `hub::Error` in SMTP's words: code, enhanced code (RFC 3463), a sentence for the other side.
//! What caused it goes to the log, never to the client.

use hub::Error;

use crate::reply::Reply;

/// Why something was not done: a rule of this room, or the hub's answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Hub(Error),
    Refused(Reply),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Hub(error)
    }
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Refused(reply)
    }
}

impl Failure {
    /// What the client hears. What broke goes to the log with all its causes.
    pub(crate) fn into_reply(self, conn: u64) -> Reply {
        match self {
            Self::Refused(reply) => reply,
            Self::Hub(error) => {
                if let Error::Unavailable(_) = error {
                    tracing::error!(conn, error = causes(&error), "the hub is unavailable");
                }
                reply(&error)
            }
        }
    }
}

/// An error and what caused it, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// When in doubt the answer is temporary: then the other side keeps the message and tries again.
pub(crate) fn reply(error: &Error) -> Reply {
    match error {
        Error::NotFound(_) => Reply::new(550, "5.1.1", "No such user here"),
        Error::Exists(_) => Reply::new(554, "5.3.0", "It exists already"),
        Error::Conflict(_) | Error::Locked { .. } | Error::Stale => Reply::new(451, "4.3.0", "Try again"),
        Error::OverQuota { .. } => Reply::new(452, "4.2.2", "The recipient's mailbox is full"),
        Error::TooLarge { limit } => {
            Reply::with(552, "5.3.4", format!("The message is larger than the limit of {limit} bytes"))
        }
        Error::Limit(what) => Reply::with(452, "4.3.1", format!("Limit reached: {what}")),
        Error::Forbidden(why) => Reply::with(550, "5.7.1", format!("Not allowed: {why}")),
        Error::BadCredentials => Reply::new(535, "5.7.8", "Authentication failed"),
        Error::Invalid(why) => Reply::with(501, "5.5.4", why.clone()),
        Error::Refused(why) => Reply::with(550, "5.7.1", refusal(why)),
        Error::Unavailable(_) => Reply::new(451, "4.3.0", "Temporarily unavailable, try again later"),
    }
}

/// A twin's own words fit into a reply if they are short ASCII (RFC 5429 §2.1.1).
fn refusal(reason: &str) -> String {
    let line = reason.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    match line.len() <= 400 && line.bytes().all(|b| matches!(b, b' '..=b'~')) && !line.is_empty() {
        true => line,
        false => "The recipient refuses this message".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_code() {
        for (error, line) in [
            (Error::NotFound("the twin"), "550 5.1.1"),
            (Error::OverQuota { used: 2, limit: 1 }, "452 4.2.2"),
            (Error::TooLarge { limit: 10 }, "552 5.3.4"),
            (Error::Limit("messages"), "452 4.3.1"),
            (Error::Forbidden("x"), "550 5.7.1"),
            (Error::BadCredentials, "535 5.7.8"),
            (Error::Invalid("no".into()), "501 5.5.4"),
            (Error::Stale, "451 4.3.0"),
            (Error::Refused("No\r\nthanks".into()), "550 5.7.1 No thanks"),
            (Error::Refused("Nö".into()), "550 5.7.1 The recipient refuses"),
        ] {
            assert!(reply(&error).to_string().starts_with(line), "{error:?}");
        }
    }
}
