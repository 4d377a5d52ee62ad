//! `caldav://USER@HOST[:PORT]/[PATH]`, `carddav://…`: an account, or where to begin to look for it.

use crate::imap::decoded;
use crate::objects::Objects;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub kind: Objects,
    pub user: String,
    pub host: String,
    pub port: u16,
    /// Without, only to this machine itself.
    pub is_secure: bool,
    /// Encoded, from the slash on; `/` is for discovery (RFC 6764 §5).
    pub path: String,
}

impl Address {
    /// TLS always, but to another port than 443 of this machine itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || "expected caldav://USER@HOST[:PORT]/ or carddav://USER@HOST[:PORT]/".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "caldav" | "caldavs" => Objects::Calendars,
            "carddav" | "carddavs" => Objects::Contacts,
            _ => return Err(bad()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = authority.rsplit_once('@').ok_or_else(bad)?;
        if user.contains(':') {
            return Err("a password does not belong into the address: it is asked for".to_owned());
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| bad())?),
            _ => (place, 443),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
        let user = decoded(user).ok_or_else(bad)?;
        let is_visible = path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains(['#', '?']);
        if host.is_empty() || user.is_empty() || user.contains(':') || !is_visible {
            return Err(bad());
        }
        let is_here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let is_secure = scheme.ends_with(['s', 'S']) || port == 443 || !is_here;
        Ok(Self { kind, user, host, port, is_secure, path: format!("/{path}") })
    }

    /// The account, whatever the way to it.
    pub(super) fn source(&self) -> String {
        let scheme = match self.kind {
            Objects::Calendars => "caldav",
            Objects::Contacts => "carddav",
        };
        format!("{scheme}://{}@{}", self.user, self.host)
    }

    /// For the `Host` field.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.port, self.is_secure) {
            (443, true) | (80, false) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        use Objects::{Calendars, Contacts};
        for (text, kind, user, host, port, is_secure, path) in [
            ("caldav://alice@dav.a.test/", Calendars, "alice", "dav.a.test", 443, true, "/"),
            ("carddav://alice@a.test@Dav.a.test", Contacts, "alice@a.test", "dav.a.test", 443, true, "/"),
            ("caldav://a%40b@h.test:8443/dav/a%20b/", Calendars, "a@b", "h.test", 8443, true, "/dav/a%20b/"),
            ("caldav://a@localhost:5232", Calendars, "a", "localhost", 5232, false, "/"),
            ("caldavs://a@localhost:5232", Calendars, "a", "localhost", 5232, true, "/"),
            ("carddav://a@[::1]:80/x", Contacts, "a", "::1", 80, false, "/x"),
        ] {
            let (user, host, path) = (user.to_owned(), host.to_owned(), path.to_owned());
            let expected = Address { kind, user, host, port, is_secure, path };
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "https://a@b",
            "caldav://b",
            "caldav://a:x@b",
            "caldav://@b",
            "caldav://a@",
            "caldav://a@b/x y",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
