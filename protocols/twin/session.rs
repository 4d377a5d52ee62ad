//! The session resource (RFC 8620 §2).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hub::Account;
use serde_json::{Map, Value, json};

use crate::capability::Capability;

/// The session of a twin, with URLs below `origin`. Of the account, a token finds what it covers.
pub(crate) fn session(origin: &str, account: &Account) -> Value {
    let (account_id, handle) = (crate::ids::account(account.id()), account.handle().to_string());
    let covered = |capability: &Capability| account.scopes().contains(capability.needs());
    let of_account: Map<String, Value> = Capability::ALL
        .into_iter()
        .filter(covered)
        .map(|capability| (capability.uri().to_owned(), capability.of_account()))
        .collect();
    let primary: Map<String, Value> = Capability::ALL
        .into_iter()
        .filter(covered)
        .filter(|capability| *capability != Capability::Core)
        .map(|capability| (capability.uri().to_owned(), json!(account_id)))
        .collect();
    let of_server: Map<String, Value> = Capability::ALL
        .into_iter()
        .map(|capability| (capability.uri().to_owned(), capability.of_server()))
        .collect();
    json!({
        "capabilities": of_server,
        "accounts": { &account_id: {
            "name": handle,
            "isPersonal": true,
            "isReadOnly": !account.scopes().may_change(),
            "accountCapabilities": of_account,
        } },
        "primaryAccounts": primary,
        "username": handle,
        "apiUrl": format!("{origin}/jmap/api/"),
        "downloadUrl": format!("{origin}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?accept={{type}}"),
        "uploadUrl": format!("{origin}/jmap/upload/{{accountId}}/"),
        "eventSourceUrl": format!("{origin}/jmap/events/?types={{types}}&closeafter={{closeafter}}&ping={{ping}}"),
        "state": state(account),
    })
}

/// Other than before when anything in the session is.
pub(crate) fn state(account: &Account) -> String {
    let mut hasher = DefaultHasher::new();
    let (id, handle, scopes) = (account.id(), account.handle().to_string(), account.scopes());
    (env!("CARGO_PKG_VERSION"), id, handle, scopes).hash(&mut hasher);
    for capability in Capability::ALL {
        (capability.uri(), capability.of_server().to_string(), capability.of_account().to_string())
            .hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
