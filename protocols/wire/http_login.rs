//! Who asks over HTTP: Basic (RFC 7617) and bearer tokens (RFC 6750), with the delays of all doors.
//!
//! What a name and password are worth, the room that asks knows; here is how they are read, what wrong ones
//! cost, and how a client is told.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tracing::debug;

use crate::http::{self, Body, Client};
use crate::limits::LoginDelay;

/// RFC 7617 §2.1: names and passwords are UTF-8.
const BASIC: &str = "Basic realm=\"Twin Hub\", charset=\"UTF-8\"";
/// RFC 6750 §3
const BEARER: &str = "Bearer realm=\"Twin Hub\"";
/// RFC 6750 §3.1
const INVALID_TOKEN: &str = "Bearer realm=\"Twin Hub\", error=\"invalid_token\"";

/// What a request says of who sends it. Not to be logged.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Basic { name: String, password: String },
    Bearer(String),
}

impl Credentials {
    /// `credentials = auth-scheme 1*SP token68`, of `user-id ":" password` for Basic.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(token.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some(Self::Basic { name: name.to_owned(), password: password.to_owned() })
    }
}

/// What a door asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    /// Tokens are taken, too, but not asked for: programs of WebDAV stumble over challenges they do not know.
    Basic,
    BasicAndBearer,
}

/// Why nobody was let in.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal<E> {
    /// A password must not cross this connection.
    InTheClear,
    InvalidToken,
    /// It could not be found out; nothing was wrong.
    Unknown(E),
    Unauthorized,
}

/// Asks `check` about a request's credentials. `is_wrong` is true for errors that mean that they are wrong: these
/// are counted and make the next attempt wait, whatever door it is made at. Tokens cannot be guessed.
pub async fn log_in<T, E, F>(
    delays: &LoginDelay,
    client: Client,
    headers: &HeaderMap,
    is_wrong: fn(&E) -> bool,
    check: impl FnOnce(Credentials) -> F,
) -> Result<T, Refusal<E>>
where
    F: Future<Output = Result<T, E>>,
{
    if !client.may_authenticate {
        return Err(Refusal::InTheClear);
    }
    match Credentials::read(headers) {
        None => Err(Refusal::Unauthorized),
        Some(token @ Credentials::Bearer(_)) => check(token).await.map_err(|error| match is_wrong(&error) {
            true => Refusal::InvalidToken,
            false => Refusal::Unknown(error),
        }),
        Some(Credentials::Basic { name, password }) => {
            let checked = check(Credentials::Basic { name: name.clone(), password });
            attempt(delays, client, &name, is_wrong, checked).await.map_err(|error| match is_wrong(&error) {
                true => Refusal::Unauthorized,
                false => Refusal::Unknown(error),
            })
        }
    }
}

/// One attempt to prove to be `name`: it begins when earlier failures have had their price, and how it ends
/// is counted.
pub async fn attempt<T, E>(
    delays: &LoginDelay,
    client: Client,
    name: &str,
    is_wrong: fn(&E) -> bool,
    check: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let ip = client.address.ip();
    let delay = delays.delay(ip).max(delays.account_delay(name));
    if !delay.is_zero() {
        // A sleep of nothing takes a millisecond.
        tokio::time::sleep(delay).await;
    }
    let outcome = check.await;
    match &outcome {
        Ok(_) => {
            delays.succeeded(ip);
            delays.account_succeeded(name);
        }
        Err(error) if is_wrong(error) => {
            debug!(conn = client.conn, peer = %client.address, "authentication failed");
            delays.failed(ip);
            delays.account_failed(name);
        }
        Err(_) => {}
    }
    outcome
}

impl<E> Refusal<E> {
    /// What the client is told; for `Unknown`, the room has words of its own.
    pub fn reply(self, schemes: Schemes) -> Result<Response<Body>, E> {
        let (status, text, challenges): (_, _, &[&'static str]) = match self {
            Self::InTheClear => (StatusCode::FORBIDDEN, "This is to be had over https only.\n", &[]),
            Self::InvalidToken => {
                let text = "The token is not valid, or not any more.\n";
                (StatusCode::UNAUTHORIZED, text, &[INVALID_TOKEN])
            }
            Self::Unauthorized => {
                let text = "Please log in with your address and password.\n";
                let challenges: &[_] = match schemes {
                    Schemes::Basic => &[BASIC],
                    Schemes::BasicAndBearer => &[BASIC, BEARER],
                };
                (StatusCode::UNAUTHORIZED, text, challenges)
            }
            Self::Unknown(error) => return Err(error),
        };
        let mut reply = Response::new(http::full(text));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for challenge in challenges {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Ok(reply)
    }
}

/// RFC 6750 §3.1: what a token would have to cover.
pub fn insufficient_scope(scope: &str) -> String {
    format!("{BEARER}, error=\"insufficient_scope\", scope=\"{scope}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: &'static str) -> HeaderMap {
        [(header::AUTHORIZATION, HeaderValue::from_static(value))].into_iter().collect()
    }

    fn basic(name: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Basic { name: name.to_owned(), password: password.to_owned() })
    }

    #[test]
    fn credentials_are_read() {
        for (value, expected) in [
            // RFC 7617 §2, §2.1
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", basic("Aladdin", "open sesame")),
            ("basic  dGVzdDoxMjPCow==", basic("test", "123£")),
            ("Basic YTpiOmM=", basic("a", "b:c")),
            ("Basic YQ==", None),
            ("Basic ????", None),
            ("Basic", None),
            ("Basic /w==", None),
            // RFC 6750 §2.1
            ("Bearer mF_9.B5f-4.1JqM", Some(Credentials::Bearer("mF_9.B5f-4.1JqM".to_owned()))),
            ("bearer  x ", Some(Credentials::Bearer("x".to_owned()))),
            ("Digest QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
        ] {
            assert!(Credentials::read(&fields(value)) == expected, "{value}");
        }
        assert!(Credentials::read(&HeaderMap::new()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_passwords_cost_time_and_tokens_do_not() {
        let delays = LoginDelay::new();
        let address = "192.0.2.1:1".parse().expect("an address");
        let client = Client { conn: 1, address, may_authenticate: true };
        let is_wrong: fn(&&str) -> bool = |error| *error == "wrong";
        let ask = async |value, outcome: Result<(), &'static str>| {
            log_in(&delays, client, &fields(value), is_wrong, |_| async move { outcome }).await
        };
        let (password, token) = ("Basic YTpi", "Bearer x");
        assert_eq!(ask(token, Err("wrong")).await, Err(Refusal::InvalidToken));
        assert_eq!(ask(password, Err("broken")).await, Err(Refusal::Unknown("broken")));
        assert!(delays.delay(address.ip()).is_zero() && delays.account_delay("a").is_zero());
        for _ in 0..10 {
            assert_eq!(ask(password, Err("wrong")).await, Err(Refusal::Unauthorized));
        }
        assert!(!delays.delay(address.ip()).is_zero() && !delays.account_delay("a").is_zero());
        assert_eq!(ask(password, Ok(())).await, Ok(()));
        assert!(delays.delay(address.ip()).is_zero());
    }

    #[tokio::test]
    async fn nobody_is_asked_over_a_connection_in_the_clear() {
        let client =
            Client { conn: 1, address: "192.0.2.1:1".parse().expect("one"), may_authenticate: false };
        let check = |_| async { unreachable!("a password that was sent in the clear is not looked at") };
        let asked: Result<(), _> =
            log_in(&LoginDelay::new(), client, &fields("Basic YTpi"), |(): &()| true, check).await;
        assert_eq!(asked, Err(Refusal::InTheClear));
    }

    #[test]
    fn challenges() {
        let challenges = |refusal: Refusal<()>, schemes| {
            let reply = refusal.reply(schemes).expect("a reply");
            let fields = reply.headers().get_all(header::WWW_AUTHENTICATE).iter();
            fields.map(|field| field.to_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(challenges(Refusal::Unauthorized, Schemes::Basic), [BASIC]);
        assert_eq!(challenges(Refusal::Unauthorized, Schemes::BasicAndBearer), [BASIC, BEARER]);
        assert_eq!(challenges(Refusal::InvalidToken, Schemes::Basic), [INVALID_TOKEN]);
        assert!(challenges(Refusal::InTheClear, Schemes::Basic).is_empty());
        assert_eq!(Refusal::Unknown(5).reply(Schemes::Basic).err(), Some(5));
    }
}
