//! Codes and refresh tokens become tokens (RFC 6749 §4.1.3, §6), devices wait for theirs (RFC 8628 §3.4), tokens
//! are given back (RFC 7009).

use hub::oauth::{Issued, Poll};
use hub::{Error, Scopes, Secret};
use hyper::StatusCode;
use hyper::header;
use serde_json::json;

use crate::Call;
use crate::form::Form;
use crate::metadata::DEVICE_GRANT;
use crate::reply::{self, Reply};

/// RFC 6749 §5
pub(crate) async fn answer(call: &Call<'_>, form: &Form) -> Reply {
    if let Some(reply) = with_secret(call) {
        return reply;
    }
    let hub = &call.service.hub;
    let Some(client) = form.get("client_id") else { return missing("client_id") };
    let issued = match form.get("grant_type") {
        Some("authorization_code") => {
            let Some(code) = form.get("code") else { return missing("code") };
            let Some(verifier) = form.get("code_verifier") else { return missing("code_verifier") };
            hub.redeem_code(client, &Secret::new(code), form.get("redirect_uri"), verifier).await
        }
        Some("refresh_token") => {
            let Some(token) = form.get("refresh_token") else { return missing("refresh_token") };
            hub.refresh_token(client, &Secret::new(token), form.get("scope").map(Scopes::parse)).await
        }
        Some(DEVICE_GRANT) => {
            let Some(code) = form.get("device_code") else { return missing("device_code") };
            return match hub.poll_device(client, &Secret::new(code)).await {
                Ok(issued) => tokens(&issued),
                Err(why) => not_yet(&why),
            };
        }
        Some(_) => {
            let text = "This grant type is not offered.";
            return reply::error(StatusCode::BAD_REQUEST, "unsupported_grant_type", text);
        }
        None => return missing("grant_type"),
    };
    match issued {
        Ok(issued) => tokens(&issued),
        Err(Error::BadCredentials) => {
            let text = "It is unknown, was used before, has expired, or is not this client's.";
            reply::error(StatusCode::BAD_REQUEST, "invalid_grant", text)
        }
        Err(Error::Forbidden(_)) => {
            let text = "That is more than was granted.";
            reply::error(StatusCode::BAD_REQUEST, "invalid_scope", text)
        }
        Err(failure) => reply::unavailable(&failure),
    }
}

/// RFC 6749 §5.1
fn tokens(issued: &Issued) -> Reply {
    let body = json!({
        "access_token": issued.access.expose(),
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "refresh_token": issued.refresh.expose(),
        "scope": issued.scopes.to_string(),
    });
    reply::json(StatusCode::OK, &body)
}

/// RFC 8628 §3.5
fn not_yet(why: &Poll) -> Reply {
    let (error, text) = match why {
        Poll::Denied => ("access_denied", "The twin said no."),
        Poll::Expired => ("expired_token", "The device code is unknown, was used, or has expired."),
        Poll::Pending => ("authorization_pending", "The twin has not answered yet."),
        Poll::TooSoon => ("slow_down", "Please ask less often."),
        Poll::Failed(failure) => return reply::unavailable(failure),
    };
    reply::error(StatusCode::BAD_REQUEST, error, text)
}

/// RFC 7009 §2.2: unknown tokens are gone, which is what was wanted.
pub(crate) async fn revoke(call: &Call<'_>, form: &Form) -> Reply {
    if let Some(reply) = with_secret(call) {
        return reply;
    }
    let Some(client) = form.get("client_id") else { return missing("client_id") };
    let Some(token) = form.get("token") else { return missing("token") };
    match call.service.hub.revoke_token(client, &Secret::new(token)).await {
        Ok(()) => reply::empty(StatusCode::OK),
        Err(failure) => reply::unavailable(&failure),
    }
}

/// RFC 6749 §5.2: a client that proves who it is by a header field must be told that this is not how.
fn with_secret(call: &Call<'_>) -> Option<Reply> {
    call.head.headers.get(header::AUTHORIZATION)?;
    let text = "Clients have no secrets here: send client_id in the form.";
    let mut reply = reply::error(StatusCode::UNAUTHORIZED, "invalid_client", text);
    reply::set(&mut reply, header::WWW_AUTHENTICATE, "Basic realm=\"Twin Hub\"");
    Some(reply)
}

fn missing(name: &str) -> Reply {
    reply::error(StatusCode::BAD_REQUEST, "invalid_request", &format!("{name} is missing."))
}
