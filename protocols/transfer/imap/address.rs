//! `imaps://USER@HOST[:PORT]/`, `imap://USER@HOST[:PORT]/` (RFC 5092, only what names an account).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS; without it, no password is sent (except to this machine itself).
    StartTls,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub user: String,
    pub host: String,
    pub port: u16,
    pub security: Security,
}

impl Address {
    /// `imap://` without a port means TLS on 993, as nearly every server has it (RFC 8314 §3.2); with
    /// a port other than 993, STARTTLS. The user may have an `@` of its own, plain or as `%40`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || "expected imaps://USER@HOST[:PORT]/ or imap://USER@HOST:PORT/".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !path.is_empty() {
            return Err("the whole account is imported: nothing may follow the host".to_owned());
        }
        let (user, place) = authority.rsplit_once('@').ok_or_else(bad)?;
        if user.contains(':') {
            return Err("a password does not belong into the address: it is asked for".to_owned());
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| bad())?)),
            _ => (place, None),
        };
        let security = match (scheme.to_ascii_lowercase().as_str(), port) {
            ("imaps", _) | ("imap", None | Some(993)) => Security::Implicit,
            ("imap", Some(_)) => Security::StartTls,
            _ => return Err(bad()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
        let user = decoded(user).ok_or_else(bad)?;
        if host.is_empty() || user.is_empty() || user.chars().any(char::is_control) {
            return Err(bad());
        }
        Ok(Self { user, host, port: port.unwrap_or(993), security })
    }

    /// The account, whatever the way to it: the same over TLS and STARTTLS.
    pub(crate) fn source(&self) -> String {
        format!("imap://{}@{}", self.user, self.host)
    }
}

/// Percent signs of a URL are read; `None` for what is no one name.
pub(crate) fn decoded(user: &str) -> Option<String> {
    // Its form encoding has `+` for a blank, which a URL's authority has not.
    let text = user.replace('+', "%2B");
    let (name, value) = form_urlencoded::parse(text.as_bytes()).next()?;
    value.is_empty().then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        use Security::{Implicit, StartTls};
        for (text, user, host, port, security) in [
            ("imaps://alice@mail.a.test/", "alice", "mail.a.test", 993, Implicit),
            ("imap://alice@a.test@Mail.a.test", "alice@a.test", "mail.a.test", 993, Implicit),
            ("imap://alice%40a.test@mail.a.test:143/", "alice@a.test", "mail.a.test", 143, StartTls),
            ("imaps://a+b@[::1]:1993", "a+b", "::1", 1993, Implicit),
            ("imap://a@[::1]", "a", "::1", 993, Implicit),
        ] {
            let expected = Address { user: user.into(), host: host.into(), port, security };
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "alice@a.test",
            "http://a@b",
            "imap://a.test",
            "imap://a:secret@b",
            "imap://a@b/INBOX",
            "imap://@b",
            "imap://a@",
            "imap://a@b:x",
            "imap://a%00@b",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
