//! What a program can find out by itself: RFC 8414 about the server, RFC 9728 about what the tokens are for.

use hub::Scopes;
use hyper::StatusCode;
use serde_json::json;

use crate::Call;
use crate::reply::{self, Reply};

pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8414 §2, RFC 9207 §3, RFC 8628 §4
pub(crate) fn of_server(call: &Call<'_>) -> Reply {
    let issuer = &call.origin;
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "device_authorization_endpoint": format!("{issuer}/oauth/device_authorization"),
        "registration_endpoint": format!("{issuer}/oauth/register"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": Scopes::all_names().collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    reply::json(StatusCode::OK, &document)
}

/// RFC 9728 §2; the path of the resource may follow that of the document (§3.1).
pub(crate) fn of_resource(call: &Call<'_>) -> Reply {
    let origin = &call.origin;
    let path = call.head.uri.path().strip_prefix("/.well-known/oauth-protected-resource").unwrap_or_default();
    let document = json!({
        "resource": format!("{origin}{path}"),
        "authorization_servers": [origin],
        "scopes_supported": Scopes::all_names().collect::<Vec<_>>(),
        "bearer_methods_supported": ["header"],
    });
    reply::json(StatusCode::OK, &document)
}
