//! The native API: JMAP (RFC 8620, RFC 8621) over HTTP.
//!
//! The room answers its paths of the web listener ([`hub_wire::http::Mount`]). It turns JSON into calls of
//! the hub and back; it must not know how anything is stored, and decides nothing about mail.
//!
//! The way of a request: `auth` opens the account, this file picks by path, `core::request` reads the calls,
//! `run` carries them out one by one: it looks each up in the table of `methods`, which names one function
//! per type and verb. `rest` says the same in plain HTTP, out of the same table; `push` tells of changes. `core` has what all types share, `mail` the types of mail, `files` that of files, `contacts` those of contacts, with `items` for what is kept as text. `status` has the words
//! for what went wrong in the hub.
//!
//! RFCs: 8620 (JMAP), 8621 (mail, submission, vacation), 6750 (bearer tokens), 9404 (blobs), 9425 (quotas), 9610 (contacts), 9553 and 9555 (JSContact), draft-ietf-jmap-filenode-14 (files), 6901 (JSON pointer), 7493 (I-JSON), 9457 (problem details), 7617
//! (Basic), 9110 (ranges of downloads).

mod api;
mod auth;
mod blob;
mod blobs;
mod capability;
mod clock;
mod contacts;
mod context;
mod core;
mod download;
mod files;
mod ids;
mod items;
mod mail;
mod methods;
mod push;
mod quota;
mod reply;
mod rest;
mod run;
mod session;
mod status;
#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
mod tickets;
mod upload;

use std::sync::Arc;

use hub::{AccountId, Hub};
use hub_wire::http::{Answer, Body, Client, Mount};
use hub_wire::limits::{AccountPlaces, LoginDelay};
use hub_wire::small_body;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, StatusCode};

use reply::{Reply, sentence};

pub use rest::typescript;

/// Ports of the web listener as the outside sees them; `None` for what is not offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    pub http: Option<u16>,
    pub https: Option<u16>,
}

/// What all requests share.
pub struct Service {
    hub: Hub,
    /// Best shared with the other doors: a password is guessed at any of them.
    delays: Arc<LoginDelay>,
    ports: Ports,
    requests: AccountPlaces<AccountId>,
    uploads: AccountPlaces<AccountId>,
    streams: AccountPlaces<AccountId>,
    tickets: tickets::Tickets,
}

impl Service {
    pub fn new(hub: Hub, delays: Arc<LoginDelay>, ports: Ports) -> Self {
        Self {
            hub,
            delays,
            ports,
            requests: AccountPlaces::default(),
            uploads: AccountPlaces::default(),
            streams: AccountPlaces::default(),
            tickets: tickets::Tickets::default(),
        }
    }

    /// What URLs begin with, as the client reached us.
    fn origin(&self, headers: &HeaderMap, authority: Option<&str>) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(authority);
        let host = host.unwrap_or("localhost");
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let is_plain = match port {
            Some(port) => self.ports.http == Some(port) && self.ports.https != Some(port),
            None => self.ports.http == Some(80) && self.ports.https != Some(443),
        };
        format!("{}://{host}", if is_plain { "http" } else { "https" })
    }
}

/// What a path leads to. Each may end in a slash.
enum Place<'a> {
    Api,
    Download {
        account: &'a str,
        blob: &'a str,
        name: &'a str,
    },
    Events,
    /// With objects.
    ObjectEvents,
    Public(rest::Public),
    Rest(rest::Place<'a>),
    Session,
    Tickets,
    Upload {
        account: &'a str,
    },
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if let Some(place) = rest::Public::of(path) {
            return Some(Self::Public(place));
        }
        if let Some(place) = rest::Place::of(path) {
            return Some(Self::Rest(place));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if path == "/api/v1/events" {
            return Some(Self::ObjectEvents);
        }
        if path == "/api/v1/tickets" {
            return Some(Self::Tickets);
        }
        if path == "/.well-known/jmap" {
            return Some(Self::Session);
        }
        let rest = path.strip_prefix("/jmap")?;
        let pieces: Vec<&str> = rest.splitn(5, '/').skip(1).collect();
        match *pieces.as_slice() {
            [] | ["session"] => Some(Self::Session),
            ["api"] => Some(Self::Api),
            ["events"] => Some(Self::Events),
            ["upload", account] => Some(Self::Upload { account }),
            ["download", account, blob, name] => Some(Self::Download { account, blob, name }),
            _ => None,
        }
    }

    fn methods(&self) -> &'static str {
        match self {
            Self::Api | Self::Tickets | Self::Upload { .. } => "OPTIONS, POST",
            Self::Events | Self::ObjectEvents | Self::Public(_) => "OPTIONS, GET",
            Self::Rest(place) => place.methods(),
            Self::Download { .. } | Self::Session => "OPTIONS, GET, HEAD",
        }
    }
}

impl Mount for Service {
    fn takes(&self, _: &Method, path: &str) -> bool {
        let is_below =
            |top: &str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_below("/jmap") || is_below("/.well-known/jmap") || is_below("/api/v1")
    }

    fn answer(self: Arc<Self>, client: Client, request: Request<Body>) -> Answer {
        Box::pin(async move {
            let mut reply = self.handle(client, request).await;
            reply::allow_all_origins(&mut reply);
            reply
        })
    }
}

impl Service {
    async fn handle(self: Arc<Self>, client: Client, request: Request<Body>) -> Reply {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let Some(place) = Place::of(&path) else {
            return sentence(StatusCode::NOT_FOUND, "There is nothing here.");
        };
        if head.method == Method::OPTIONS {
            return reply::preflight(place.methods());
        }
        let allowed = place.methods().split(", ").any(|method| method == head.method.as_str());
        if !allowed {
            return reply::not_allowed(place.methods());
        }
        if let Place::Public(public) = place {
            return public.answer();
        }
        let query = head.uri.query().unwrap_or_default();
        let ticket =
            matches!(place, Place::Events | Place::ObjectEvents).then(|| tickets::in_query(query)).flatten();
        let login = match auth::log_in(&self, client, &head.headers, ticket.as_deref()).await {
            Ok(login) => login,
            Err(refusal) => {
                small_body::drain(&head.headers, body).await;
                return refusal;
            }
        };
        match place {
            Place::Api => api::answer(self, login.account, &head.headers, body).await,
            Place::Download { account: of, blob, name } => {
                download::answer(&self, &login.account, of, blob, name, &head).await
            }
            Place::Events => push::answer(&self, login, &head.headers, query).await,
            Place::ObjectEvents => rest::events::answer(&self, login, &head.headers, query).await,
            Place::Public(public) => public.answer(),
            Place::Rest(place) => rest::answer(&self, login.account, place, &head, body).await,
            Place::Session => {
                let authority = head.uri.authority().map(|authority| authority.as_str().to_owned());
                let origin = self.origin(&head.headers, authority.as_deref());
                let session = session::session(&origin, &login.account);
                reply::uncached(reply::json(StatusCode::OK, &session))
            }
            Place::Tickets => tickets::answer(&self, login),
            Place::Upload { account: of } => {
                upload::answer(&self, &login.account, of, &head.headers, body).await
            }
        }
    }
}
