//! A program introduces itself (RFC 7591). It gets a name, no secret.

use hub::oauth::Client;
use hub::{Error, Scopes};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::Call;
use crate::metadata::DEVICE_GRANT;
use crate::reply::{self, Reply};

pub(crate) async fn answer(call: &Call<'_>, bytes: &[u8]) -> Reply {
    if !call.service.may_begin(call.client) {
        return reply::too_many();
    }
    let wanted = match read(bytes) {
        Ok(wanted) => wanted,
        Err((error, why)) => return reply::error(StatusCode::BAD_REQUEST, error, why),
    };
    match call.service.hub.register_client(&wanted.name, wanted.redirect_uris).await {
        Ok(client) => reply::json(StatusCode::CREATED, &described(&client)),
        Err(Error::Invalid(why)) => reply::error(StatusCode::BAD_REQUEST, "invalid_redirect_uri", &why),
        Err(failure) => reply::unavailable(&failure),
    }
}

#[derive(Debug)]
struct Wanted {
    name: String,
    redirect_uris: Vec<String>,
}

/// RFC 7591 §2: what is not known is passed over (§3.1), and what the program gets is in the answer, so only what
/// it cannot do without is refused.
fn read(bytes: &[u8]) -> Result<Wanted, (&'static str, &'static str)> {
    let bad = |why| ("invalid_client_metadata", why);
    let json: Value = serde_json::from_slice(bytes).map_err(|_| bad("The request is not JSON."))?;
    let json = json.as_object().ok_or_else(|| bad("The request is not an object."))?;
    let texts = |name: &str| match json.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Some)
            .ok_or_else(|| bad("A list has something that is not text.")),
        Some(_) => Err(bad("What should be a list is none.")),
    };
    let redirect_uris = texts("redirect_uris")?.unwrap_or_default();
    let grants = texts("grant_types")?.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    let known = ["authorization_code", "refresh_token", DEVICE_GRANT];
    if !grants.iter().any(|grant| known.contains(&grant.as_str())) {
        return Err(bad("None of the grant types is offered."));
    }
    if redirect_uris.is_empty() && grants.iter().any(|grant| grant == "authorization_code") {
        return Err(("invalid_redirect_uri", "There is no redirection URI."));
    }
    let name = json.get("client_name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Wanted { name, redirect_uris })
}

/// RFC 7591 §3.2.1
fn described(client: &Client) -> Value {
    json!({
        "client_id": client.id,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": ["authorization_code", "refresh_token", DEVICE_GRANT],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": Scopes::ALL.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        for (text, expected) in [
            // RFC 7591 §3.1, shortened.
            (
                r#"{"redirect_uris":["https://client.example.org/callback"],"client_name":"My Example Client",
                "client_name#ja-Jpan-JP":"x","token_endpoint_auth_method":"client_secret_basic",
                "logo_uri":"https://client.example.org/logo.png","example_extension_parameter":"v"}"#,
                Ok(1),
            ),
            (r#"{"grant_types":["urn:ietf:params:oauth:grant-type:device_code"]}"#, Ok(0)),
            (r#"{"redirect_uris":null}"#, Err("invalid_redirect_uri")),
            (r#"{"redirect_uris":"https://a.test/"}"#, Err("invalid_client_metadata")),
            (r#"{"redirect_uris":[1]}"#, Err("invalid_client_metadata")),
            (r#"{"grant_types":["password"]}"#, Err("invalid_client_metadata")),
            ("[]", Err("invalid_client_metadata")),
            ("{", Err("invalid_client_metadata")),
        ] {
            let found =
                read(text.as_bytes()).map(|wanted| wanted.redirect_uris.len()).map_err(|(error, _)| error);
            assert_eq!(found, expected, "{text}");
        }
        assert!(read("[".repeat(10_000).as_bytes()).is_err());
    }
}
