//! The session resource (RFC 8620 §2).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use crate::capability::Capability;

/// The session of a twin, with URLs below `origin`.
pub(crate) fn session(origin: &str, account_id: &str, handle: &str) -> Value {
    let of = |value: fn(Capability) -> Value| -> Map<String, Value> {
        Capability::ALL
            .into_iter()
            .map(|capability| (capability.uri().to_owned(), value(capability)))
            .collect()
    };
    let primary: Map<String, Value> = Capability::ALL
        .into_iter()
        .filter(|capability| *capability != Capability::Core)
        .map(|capability| (capability.uri().to_owned(), json!(account_id)))
        .collect();
    json!({
        "capabilities": of(Capability::of_server),
        "accounts": { account_id: {
            "name": handle,
            "isPersonal": true,
            "isReadOnly": false,
            "accountCapabilities": of(Capability::of_account),
        } },
        "primaryAccounts": primary,
        "username": handle,
        "apiUrl": format!("{origin}/jmap/api/"),
        "downloadUrl": format!("{origin}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?accept={{type}}"),
        "uploadUrl": format!("{origin}/jmap/upload/{{accountId}}/"),
        "eventSourceUrl": format!("{origin}/jmap/events/?types={{types}}&closeafter={{closeafter}}&ping={{ping}}"),
        "state": state(account_id, handle),
    })
}

/// Other than before when anything in the session is.
pub(crate) fn state(account_id: &str, handle: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), account_id, handle).hash(&mut hasher);
    for capability in Capability::ALL {
        (capability.uri(), capability.of_server().to_string(), capability.of_account().to_string())
            .hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
