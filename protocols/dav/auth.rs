//! Who asks, with the twin's password, an app password for this door, or a bearer token. What a token covers
//! is asked when it is known what the request is about.

use hub::collections::CollectionKind;
use hub::{Account, Door, Error, Scopes, Secret};
use hub_wire::http::Client;
use hub_wire::http_login::{self, Credentials, Schemes};
use hyper::Method;
use hyper::header::HeaderMap;

use crate::Service;
use crate::path::{Location, Place};
use crate::reply::Reply;
use crate::status::{self, Refusal};

/// Opens the account, or says what to answer instead: 401 to whoever has not said who they are,
/// whatever they ask for. Some programs never log in unless they are asked to.
pub(crate) async fn log_in(service: &Service, client: Client, headers: &HeaderMap) -> Result<Account, Reply> {
    let hub = &service.hub;
    let check = |credentials| async move {
        match credentials {
            Credentials::Basic { name, password } => {
                hub.login(&name, &Secret::new(password), Door::Dav).await
            }
            Credentials::Bearer(token) => {
                hub.login_with_token(&Secret::new(token), Scopes::NONE, client.address.ip()).await
            }
        }
    };
    let is_wrong = |error: &Error| matches!(error, Error::BadCredentials);
    let account = http_login::log_in(&service.delays, client, headers, is_wrong, check).await;
    account.map_err(|refusal| refusal.reply(Schemes::Basic).unwrap_or_else(unavailable))
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
