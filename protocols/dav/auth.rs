//! Basic authentication (RFC 7617) with the twin's password or an app password for this door, and bearer
//! tokens (RFC 6750). What a token covers is asked when it is known what the request is about.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hub::collections::CollectionKind;
use hub::{Account, Door, Error, Scopes, Secret};
use hub_wire::http::Client;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use tracing::debug;

use crate::Service;
use crate::path::{Location, Place};
use crate::reply::{self, Reply, sentence};
use crate::status::{self, Refusal};

/// RFC 7617 §2.1: names and passwords are UTF-8.
const CHALLENGE: &str = "Basic realm=\"Twin Hub\", charset=\"UTF-8\"";

/// Opens the account, or says what to answer instead: 401 to whoever has not said who they are,
/// whatever they ask for. Some programs never log in unless they are asked to.
pub(crate) async fn log_in(service: &Service, client: Client, headers: &HeaderMap) -> Result<Account, Reply> {
    if !client.may_authenticate {
        return Err(sentence(StatusCode::FORBIDDEN, "This is to be had over https only."));
    }
    let ip = client.address.ip();
    if let Some(token) = bearer(headers) {
        return match service.hub.login_with_token(&token, Scopes::NONE, ip).await {
            Ok(account) => Ok(account),
            Err(Error::BadCredentials) => Err(invalid_token()),
            Err(error) => Err(unavailable(error)),
        };
    }
    let Some((name, secret)) = credentials(headers) else { return Err(challenge()) };
    let delays = &*service.delays;
    let delay = delays.delay(ip).max(delays.account_delay(&name));
    if !delay.is_zero() {
        // A sleep of nothing takes a millisecond.
        tokio::time::sleep(delay).await;
    }
    match service.hub.login(&name, &secret, Door::Dav).await {
        Ok(account) => {
            delays.succeeded(ip);
            delays.account_succeeded(&name);
            Ok(account)
        }
        Err(Error::BadCredentials) => {
            debug!(conn = client.conn, peer = %client.address, "authentication failed");
            delays.failed(ip);
            delays.account_failed(&name);
            Err(challenge())
        }
        Err(error) => Err(unavailable(error)),
    }
}

/// `Forbidden` in the words of RFC 6750 §3.1 if the account was opened by a token that does not cover this.
pub(crate) fn check_scope(account: &Account, method: &Method, place: &Place) -> Result<(), Refusal> {
    match account.require(needed(method, place)) {
        Ok(()) => Ok(()),
        Err(_) => Err(Refusal::Scope(needed(method, place))),
    }
}

/// What somebody is called and what methods there are, every program may know.
fn needed(method: &Method, place: &Place) -> Scopes {
    let reads = matches!(method.as_str(), "GET" | "HEAD" | "PROPFIND" | "REPORT" | "SEARCH");
    match place {
        _ if method == Method::OPTIONS => Scopes::NONE,
        // Wherever it is asked, its scope is folders.
        _ if method.as_str() == "SEARCH" => Scopes::FILES_READ,
        Place::File { .. } | Place::Upload { .. } if reads => Scopes::FILES_READ,
        Place::File { .. } | Place::Upload { .. } => Scopes::FILES_WRITE,
        Place::Items { kind, .. } => match (kind, reads) {
            (CollectionKind::Calendar | CollectionKind::Inbox, true) => Scopes::CALENDARS_READ,
            (CollectionKind::Calendar | CollectionKind::Inbox, false) => Scopes::CALENDARS_WRITE,
            (CollectionKind::AddressBook, true) => Scopes::CONTACTS_READ,
            (CollectionKind::AddressBook, false) => Scopes::CONTACTS_WRITE,
        },
        Place::Notifications { .. } if reads => Scopes::CALENDARS_READ,
        Place::Notifications { .. } => Scopes::CALENDARS_WRITE,
        Place::Homes
        | Place::Nothing
        | Place::Principal { .. }
        | Place::Principals
        | Place::ProxyGroup { .. }
        | Place::Root
            if reads =>
        {
            Scopes::NONE
        }
        Place::ProxyGroup { .. } => Scopes::CALENDARS_WRITE,
        _ => Scopes::ALL,
    }
}

fn unavailable(error: Error) -> Reply {
    let nowhere = Location { place: Place::Nothing, base: "/".to_owned() };
    status::of(&Refusal::Hub(error), &Method::GET, &nowhere)
}

/// RFC 6750 §3.1
fn invalid_token() -> Reply {
    let mut reply = sentence(StatusCode::UNAUTHORIZED, "The token is not valid, or not any more.");
    let challenge = HeaderValue::from_static("Bearer realm=\"Twin Hub\", error=\"invalid_token\"");
    reply::set(&mut reply, header::WWW_AUTHENTICATE, challenge);
    reply
}

/// `credentials = "Bearer" 1*SP b64token` (RFC 6750 §2.1)
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
}

fn challenge() -> Reply {
    let mut reply = sentence(StatusCode::UNAUTHORIZED, "Please log in with your address and password.");
    reply::set(&mut reply, header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    reply
}

/// `credentials = "Basic" 1*SP token68`, of `user-id ":" password`
fn credentials(headers: &HeaderMap) -> Option<(String, Secret)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(token.trim()).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.to_owned(), Secret::new(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (value, expected) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame"))),
            ("basic  dGVzdDoxMjPCow==", Some(("test", "123£"))),
            ("Basic YTpiOmM=", Some(("a", "b:c"))),
            ("Basic YQ==", None),
            ("Basic ????", None),
            ("Basic", None),
            ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
            ("Basic /w==", None),
        ] {
            let headers: HeaderMap =
                [(header::AUTHORIZATION, HeaderValue::from_static(value))].into_iter().collect();
            let found = credentials(&headers);
            let found = found.as_ref().map(|(name, secret)| (name.as_str(), secret.expose()));
            assert_eq!(found, expected, "{value}");
        }
    }
}
