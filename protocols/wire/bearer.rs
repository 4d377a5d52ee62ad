//! Tokens in place of passwords: what a client sends for OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's, older,
//! and the one that Thunderbird and Outlook speak), and how it is told that its token will not do.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    OauthBearer,
    Xoauth2,
}

/// Why a token will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// It does not cover this.
    Insufficient,
    /// It is unknown, has expired, was revoked, or is another twin's.
    Invalid,
}

/// The login name, empty if the client leaves it to the token, and the token, empty if it only wants to know
/// what scope is needed (RFC 7628 §4.3).
pub(crate) fn read(form: Form, message: &[u8]) -> Result<(String, String), &'static str> {
    let text = std::str::from_utf8(message).map_err(|_| "the SASL response is not UTF-8")?;
    match form {
        Form::OauthBearer => {
            let (header, rest) = text.split_once('\x01').ok_or("the GS2 header has no end")?;
            let login = authorization_identity(header).ok_or("the GS2 header makes no sense")?;
            Ok((login, token(pairs(rest)?)?))
        }
        // `"user=" {User} %x01 "auth=Bearer " {Access Token} %x01 %x01`
        Form::Xoauth2 => {
            let mut pairs = pairs(text)?;
            let login = pairs.next().and_then(|pair| pair.strip_prefix("user="));
            let login = login.filter(|login| !login.is_empty()).ok_or("the user is not named")?;
            Ok((login.to_owned(), token(pairs)?))
        }
    }
}

/// `gs2-header = "n" "," [ "a=" saslname ] ","` (RFC 5801 §4; there is nothing to bind to)
fn authorization_identity(header: &str) -> Option<String> {
    let header = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"))?.strip_suffix(',')?;
    match header.strip_prefix("a=") {
        Some(name) if !name.is_empty() && !name.contains(',') => {
            Some(name.replace("=2C", ",").replace("=3D", "="))
        }
        None if header.is_empty() => Some(String::new()),
        _ => None,
    }
}

/// `*kvpair kvsep`
fn pairs(text: &str) -> Result<impl Iterator<Item = &str>, &'static str> {
    let pairs = text.strip_suffix("\x01").ok_or("the SASL response has no end")?;
    Ok(pairs.split_terminator('\x01'))
}

/// `auth` is what an Authorization header field would have (RFC 7628 §3.1); unknown keys are passed over.
fn token<'a>(mut pairs: impl Iterator<Item = &'a str>) -> Result<String, &'static str> {
    let auth = pairs.find_map(|pair| pair.strip_prefix("auth=")).ok_or("there is no token")?;
    if auth.is_empty() {
        return Ok(String::new());
    }
    let (scheme, token) = auth.split_once(' ').ok_or("there is no token")?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(token.trim().to_owned()),
        false => Err("only bearer tokens are taken"),
    }
}

/// The challenge that tells it; the client's answer to it means nothing (RFC 7628 §3.2.2).
pub(crate) fn refusal(form: Form, why: TokenRefusal, scope: &str) -> Vec<u8> {
    let status = match (form, why) {
        (Form::OauthBearer, TokenRefusal::Insufficient) => "insufficient_scope",
        (Form::OauthBearer, TokenRefusal::Invalid) => "invalid_token",
        (Form::Xoauth2, TokenRefusal::Insufficient) => "403",
        (Form::Xoauth2, TokenRefusal::Invalid) => "401",
    };
    format!(r#"{{"status":"{status}","schemes":"bearer","scope":"{scope}"}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        for (form, message, expected) in [
            // RFC 7628 §4.1, and §3.1 without a name.
            (
                Form::OauthBearer,
                format!(
                    "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer {token}\x01\x01"
                ),
                Some(("user@example.com", token)),
            ),
            (Form::OauthBearer, format!("n,,\x01auth=bearer {token}\x01\x01"), Some(("", token))),
            (Form::OauthBearer, "n,a=a=2Cb=3Dc,\x01auth=Bearer x\x01\x01".into(), Some(("a,b=c", "x"))),
            // §4.3
            (
                Form::OauthBearer,
                "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01".into(),
                Some(("user@example.com", "")),
            ),
            (Form::OauthBearer, "\x01".into(), None),
            (Form::OauthBearer, "n,a=user,\x01\x01".into(), None),
            (Form::OauthBearer, "n,user=user,\x01auth=Bearer x\x01\x01".into(), None),
            (Form::OauthBearer, "p=tls-exporter,,\x01auth=Bearer x\x01\x01".into(), None),
            (Form::OauthBearer, "n,,\x01auth=Basic x\x01\x01".into(), None),
            (Form::OauthBearer, "n,,\x01auth=Bearer x".into(), None),
            // Google's own example.
            (
                Form::Xoauth2,
                format!("user=someuser@example.com\x01auth=Bearer {token}\x01\x01"),
                Some(("someuser@example.com", token)),
            ),
            (Form::Xoauth2, "user=\x01auth=Bearer x\x01\x01".into(), None),
            (Form::Xoauth2, "auth=Bearer x\x01\x01".into(), None),
            (Form::Xoauth2, String::new(), None),
        ] {
            let expected = expected.map(|(login, token)| (login.to_owned(), token.to_owned()));
            assert_eq!(read(form, message.as_bytes()).ok(), expected, "{form:?} {message:?}");
        }
        assert!(read(Form::OauthBearer, b"n,,\x01auth=Bearer \xff\x01\x01").is_err());
    }

    #[test]
    fn refusals() {
        let told = |form, why| String::from_utf8(refusal(form, why, "mail:write")).expect("text");
        assert_eq!(
            told(Form::OauthBearer, TokenRefusal::Invalid),
            r#"{"status":"invalid_token","schemes":"bearer","scope":"mail:write"}"#
        );
        assert_eq!(
            told(Form::Xoauth2, TokenRefusal::Insufficient),
            r#"{"status":"403","schemes":"bearer","scope":"mail:write"}"#
        );
    }
}
