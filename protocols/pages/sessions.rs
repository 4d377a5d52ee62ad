//! Who has logged in with a browser, and which passwords of links were told.
//!
//! A cookie is a random token. What is kept under its hash is the password that it stands for, sealed by the
//! token itself: what lies in memory opens nothing without the cookie. Each request logs in with it anew
//! (the hub remembers for minutes who was right), so that a password that was changed or revoked ends its
//! sessions at once. A restart ends all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub::Secret;
use hyper::header::{self, HeaderMap};

/// A session that is not used ends.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// Of all twins and links; beyond that those that were not used for longest end.
const MOST: usize = 10_000;
/// What is sealed with, besides the token.
const CONTEXT: &str = "Twin Hub 2026 password of a browser session";

/// Names of cookies. The prefix `__Secure-` makes browsers take them over TLS only.
pub(crate) const OWN: &str = "__Secure-twinhub";
pub(crate) const LINK: &str = "__Secure-twinhub-link";

#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    /// A login name, or a link's token.
    name: String,
    sealed: Vec<u8>,
    used: Instant,
}

impl Sessions {
    /// Begins a session; returns its cookie's value.
    pub(crate) fn begin(&self, name: &str, secret: &Secret) -> hub::Result<String> {
        self.begin_at(name, secret, Instant::now())
    }

    fn begin_at(&self, name: &str, secret: &Secret, now: Instant) -> hub::Result<String> {
        let token = format!("{}{}", Secret::generate()?.expose(), Secret::generate()?.expose());
        let sealed = xor(&token, secret.expose().as_bytes());
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.is_used(now));
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
            oldest.and_then(|key| sessions.remove(&key));
        }
        sessions.insert(key(&token), Session { name: name.to_owned(), sealed, used: now });
        Ok(token)
    }

    /// The name and password of a session, if this is a cookie of one.
    pub(crate) fn find(&self, token: &str) -> Option<(String, Secret)> {
        self.find_at(token, Instant::now())
    }

    fn find_at(&self, token: &str, now: Instant) -> Option<(String, Secret)> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&key(token)).filter(|session| session.is_used(now))?;
        session.used = now;
        let secret = String::from_utf8(xor(token, &session.sealed)).ok()?;
        Some((session.name.clone(), Secret::new(secret)))
    }

    pub(crate) fn end(&self, token: &str) {
        self.lock().remove(&key(token));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_used(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE
    }
}

fn key(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// A stream that only this token makes is used for this one password.
fn xor(token: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0; bytes.len()];
    blake3::Hasher::new_derive_key(CONTEXT).update(token.as_bytes()).finalize_xof().fill(&mut stream);
    bytes.iter().zip(stream).map(|(byte, key)| byte ^ key).collect()
}

/// `Cookie: NAME=VALUE; …` (RFC 6265 §4.2)
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// `Set-Cookie`: for pages of this path only, never for a script, never with a request that another site
/// caused. An empty value takes it back.
pub(crate) fn set_cookie(name: &str, value: &str, path: &str) -> String {
    let end = if value.is_empty() { "; Max-Age=0" } else { "" };
    format!("{name}={value}; Path={path}; Secure; HttpOnly; SameSite=Strict{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn a_session_opens_with_its_cookie_only() {
        let sessions = Sessions::default();
        let token = sessions.begin("alice", &Secret::new("päss")).expect("begins");
        let other = sessions.begin("bob", &Secret::new("x")).expect("begins");
        assert_ne!(token, other);
        let (name, secret) = sessions.find(&token).expect("there");
        assert_eq!((name.as_str(), secret.expose()), ("alice", "päss"));
        assert!(sessions.find("guess").is_none());
        let kept = sessions.lock().values().any(|session| session.sealed == "päss".as_bytes());
        assert!(!kept, "nothing in memory is the password");
        sessions.end(&token);
        assert!(sessions.find(&token).is_none() && sessions.find(&other).is_some());
    }

    #[test]
    fn a_session_that_is_not_used_ends() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let token = sessions.begin_at("alice", &Secret::new("x"), start).expect("begins");
        let (almost, second) = (start + IDLE - Duration::from_secs(1), Duration::from_secs(1));
        assert!(sessions.find_at(&token, almost).is_some());
        assert!(sessions.find_at(&token, almost + IDLE - second).is_some(), "it was used since");
        assert!(sessions.find_at(&token, almost + 2 * IDLE).is_none());
    }

    #[test]
    fn cookies() {
        let headers: HeaderMap =
            [(header::COOKIE, HeaderValue::from_static("a=1; __Secure-twinhub=abc;b=2"))]
                .into_iter()
                .collect();
        assert_eq!(cookie(&headers, OWN), Some("abc"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, LINK), None);
        let set = set_cookie(OWN, "abc", "/files/");
        assert_eq!(set, "__Secure-twinhub=abc; Path=/files/; Secure; HttpOnly; SameSite=Strict");
    }
}
