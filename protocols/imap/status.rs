//! `hub::Error` and refusals of our own → OK, NO or BAD with their response codes (RFC 9051 §7.1,
//! RFC 5530).

use std::borrow::Cow;

use crate::encode::Buffer;
use crate::grammar;
use crate::input::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bad,
    No,
    Ok,
}

/// The end of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) kind: Kind,
    /// Response code without its brackets.
    pub(crate) code: Option<Cow<'static, str>>,
    /// For a person. Never empty: parsers of several clients fail at a code without text
    /// (modern-email/defects#28).
    pub(crate) text: Cow<'static, str>,
}

impl Reply {
    pub(crate) fn ok(text: &'static str) -> Self {
        Self { kind: Kind::Ok, code: None, text: text.into() }
    }

    pub(crate) fn no(code: &'static str, text: &'static str) -> Self {
        Self { kind: Kind::No, code: Some(code.into()), text: text.into() }
    }

    pub(crate) fn bad(text: &'static str) -> Self {
        Self { kind: Kind::Bad, code: None, text: text.into() }
    }

    pub(crate) fn with_code(mut self, code: String) -> Self {
        self.code = Some(code.into());
        self
    }

    /// `tag SP ("OK" / "NO" / "BAD") SP ["[" code "]" SP] text CRLF`
    pub(crate) fn write(&self, out: &mut Buffer, tag: &str) {
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(match self.kind {
            Kind::Bad => b" BAD ",
            Kind::No => b" NO ",
            Kind::Ok => b" OK ",
        });
        if let Some(code) = &self.code {
            out.push(b'[');
            out.extend_from_slice(code.as_bytes());
            out.extend_from_slice(b"] ");
        }
        // `resp-text` is TEXT-CHAR: one line of ASCII.
        out.extend(self.text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
        out.extend_from_slice(b"\r\n");
    }
}

impl From<hub::Error> for Reply {
    fn from(error: hub::Error) -> Self {
        use hub::Error;
        let (code, text): (_, Cow<'static, str>) = match error {
            Error::NotFound(_) => ("NONEXISTENT", "It does not exist".into()),
            Error::Exists(_) => ("ALREADYEXISTS", "It exists already".into()),
            Error::Conflict(_) => ("NONEXISTENT", "What it rests on does not exist".into()),
            Error::Locked { .. } => ("INUSE", "It is locked".into()),
            Error::Stale => ("EXPUNGEISSUED", "It has changed meanwhile".into()),
            Error::OverQuota { .. } => ("OVERQUOTA", "The quota does not allow it".into()),
            Error::TooLarge { limit } => ("TOOBIG", format!("The limit is {limit} bytes").into()),
            Error::Limit(what) => ("LIMIT", format!("Limit reached: {what}").into()),
            Error::Forbidden(why) => ("NOPERM", format!("Not allowed: {why}").into()),
            // The same words for every reason: nobody learns which names exist.
            Error::BadCredentials => ("AUTHENTICATIONFAILED", "Name or password is wrong".into()),
            Error::Invalid(why) | Error::Refused(why) => ("CANNOT", why.into()),
            // The client may try again; never AUTHENTICATIONFAILED, at which it would ask its user
            // for a new password.
            Error::Unavailable(source) => {
                tracing::error!(error = &source as &dyn std::error::Error, "storage is unavailable");
                ("UNAVAILABLE", "Temporarily unavailable, please try again".into())
            }
        };
        Self { kind: Kind::No, code: Some(code.into()), text }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Grammar(error) => error.into(),
            Refusal::LineTooLong => Self::bad("The command line is too long"),
            Refusal::LiteralTooBig => Self::no("TOOBIG", "The literal is too big"),
            Refusal::LiteralBeforeLogin => Self::bad("No literal is taken here before logging in"),
        }
    }
}

impl From<grammar::Error> for Reply {
    fn from(error: grammar::Error) -> Self {
        match error {
            grammar::Error::Bad(why) => Self::bad(why),
            grammar::Error::BadCharset => {
                Self::no("BADCHARSET (US-ASCII UTF-8)", "The text is in no charset that is known here")
            }
            grammar::Error::Limit(why) => Self::no("LIMIT", why),
            grammar::Error::Name => Self::no("CANNOT", "No mailbox can have this name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_is_one_line_with_text() {
        let check = |reply: Reply, expected: &str| {
            let mut out = Vec::new();
            reply.write(&mut out, "a1");
            assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        };
        check(Reply::ok("Done"), "a1 OK Done\r\n");
        check(hub::Error::NotFound("mailbox").into(), "a1 NO [NONEXISTENT] It does not exist\r\n");
        check(
            hub::Error::Invalid("\"ä\r\n* BYE\" is odd".into()).into(),
            "a1 NO [CANNOT] \"???* BYE\" is odd\r\n",
        );
        check(
            hub::Error::OverQuota { used: 1, limit: 1 }.into(),
            "a1 NO [OVERQUOTA] The quota does not allow it\r\n",
        );
        check(Refusal::LiteralTooBig.into(), "a1 NO [TOOBIG] The literal is too big\r\n");
        check(
            grammar::Error::BadCharset.into(),
            "a1 NO [BADCHARSET (US-ASCII UTF-8)] The text is in no charset that is known here\r\n",
        );
    }
}
