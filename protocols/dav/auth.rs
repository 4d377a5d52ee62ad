//! Basic authentication (RFC 7617) with the twin's password or an app password for this door.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hub::{Account, Door, Error, Secret};
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
    let Some((name, secret)) = credentials(headers) else { return Err(challenge()) };
    let delays = &*service.delays;
    let ip = client.address.ip();
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
        Err(error) => {
            let nowhere = Location { place: Place::Nothing, base: "/".to_owned() };
            Err(status::of(&Refusal::Hub(error), &Method::GET, &nowhere))
        }
    }
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
