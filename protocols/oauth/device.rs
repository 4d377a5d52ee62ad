//! Programs without a browser (RFC 8628): they get a code, and their twin types it into this page.

use hub::oauth::Client;
use hub::{Error, Scopes};
use hyper::StatusCode;
use quick_xml::escape::escape;
use serde_json::json;

use crate::Call;
use crate::form::{self, Form};
use crate::page::{self, Consent};
use crate::reply::{self, Reply};
use crate::sign_in::Login;

const UNKNOWN: &str = "This code is unknown, was answered, or has expired.";

/// RFC 8628 §3.1, §3.2
pub(crate) async fn begin(call: &Call<'_>, form: &Form) -> Reply {
    if !call.service.may_begin(call.client) {
        return reply::too_many();
    }
    let bad = |error, text| reply::error(StatusCode::BAD_REQUEST, error, text);
    let Some(id) = form.get("client_id") else { return bad("invalid_request", "client_id is missing.") };
    let client = match call.service.hub.oauth_client(id).await {
        Ok(client) => client,
        Err(Error::NotFound(_)) => return bad("invalid_client", "This client is not registered."),
        Err(failure) => return reply::unavailable(&failure),
    };
    let scopes = form.get("scope").map_or(Scopes::NONE, Scopes::parse);
    let page = format!("{}/oauth/device", call.origin);
    match call.service.hub.begin_device(client, scopes) {
        Ok(device) => {
            let body = json!({
                "device_code": device.device_code.expose(),
                "user_code": device.user_code,
                "verification_uri": page,
                "verification_uri_complete": format!("{page}?user_code={}", device.user_code),
                "expires_in": device.expires_in,
                "interval": device.interval,
            });
            reply::json(StatusCode::OK, &body)
        }
        Err(Error::Forbidden(_)) => bad("invalid_scope", "None of the scopes exists here."),
        Err(failure) => reply::unavailable(&failure),
    }
}

/// GET: asks for the code, or, with it, for the twin's decision.
pub(crate) async fn ask(call: &Call<'_>) -> Reply {
    let Ok(form) = Form::parse(call.head.uri.query().unwrap_or_default().as_bytes()) else {
        return page::failure(StatusCode::BAD_REQUEST, form::TWICE);
    };
    let Some(code) = form.get("user_code") else { return page::user_code(StatusCode::OK, None) };
    match waiting(call, code).await {
        Some((client, scopes)) => consent(code, &client, scopes, "", None, StatusCode::OK),
        None => page::user_code(StatusCode::NOT_FOUND, Some(UNKNOWN)),
    }
}

/// POST: the twin's decision.
pub(crate) async fn decide(call: &Call<'_>, form: &Form) -> Reply {
    if call.is_foreign() {
        return page::failure(StatusCode::FORBIDDEN, "This form came from somewhere else.");
    }
    let code = form.get("user_code").unwrap_or_default();
    let Some((client, scopes)) = waiting(call, code).await else {
        return page::user_code(StatusCode::NOT_FOUND, Some(UNKNOWN));
    };
    let hub = &call.service.hub;
    if form.get("decision") != Some("allow") {
        return match hub.deny_device(code) {
            Ok(()) => page::done("The device was refused."),
            Err(_) => page::user_code(StatusCode::NOT_FOUND, Some(UNKNOWN)),
        };
    }
    let Login { name, password } = Login::of(form);
    let chosen = Scopes::parse(&form.allowed.join(" "));
    let approved = call.attempt(&name, hub.approve_device(&name, &password, code, chosen)).await;
    let again = |why, status| consent(code, &client, scopes, &name, Some(why), status);
    match approved {
        Ok(()) => page::done("The device is let in. You can close this page."),
        Err(Error::BadCredentials) => again(
            "That is not the address and its password. (App passwords do not work here.)",
            StatusCode::FORBIDDEN,
        ),
        Err(Error::Forbidden(_)) => again("Nothing was chosen.", StatusCode::BAD_REQUEST),
        Err(Error::NotFound(_)) => page::user_code(StatusCode::NOT_FOUND, Some(UNKNOWN)),
        Err(failure) => {
            reply::note(&failure);
            again("Please try again later.", StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// Who waits for a code. A code that is none was guessed, which costs time like a password (RFC 8628 §5.1).
async fn waiting(call: &Call<'_>, code: &str) -> Option<(Client, Scopes)> {
    let (delays, ip) = (&call.service.delays, call.client.address.ip());
    tokio::time::sleep(delays.delay(ip)).await;
    match call.service.hub.waiting_device(code) {
        Ok(waiting) => Some(waiting),
        Err(_) => {
            delays.failed(ip);
            None
        }
    }
}

fn consent(
    code: &str,
    client: &Client,
    scopes: Scopes,
    login: &str,
    problem: Option<&str>,
    status: StatusCode,
) -> Reply {
    // RFC 8628 §5.4: somebody may have sent the twin here with the code of a device of theirs.
    let note = format!(
        "Its device shows the code <code>{}</code>, and it gave itself this name. Go on only if the device is \
         yours and shows this code now.",
        escape(code)
    );
    let consent = Consent {
        action: "/oauth/device",
        hidden: vec![("user_code", code)],
        program: &client.name,
        note,
        scopes,
        login,
        problem,
        leads_to: None,
    };
    consent.page(status)
}
