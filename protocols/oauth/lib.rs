//! Letting programs in over HTTP: an OAuth 2.1 authorization server, and the pages on which a twin says yes.
//!
//! The room answers its paths of the web listener ([`hub_wire::http::Mount`]). It turns forms into calls of
//! `hub::oauth` and back; it must not know how a token is made or kept, and decides nothing.
//!
//! The way of a request: this file picks by path; `form` reads parameters; a file per endpoint answers, in the
//! words of `reply` (JSON for programs) and `page` (HTML for people, no script at all). `sign_in` checks who
//! somebody is. There are no cookies: whoever approves gives the password with the approval, so a page of
//! somebody else's has nothing to forge a request with.
//!
//! RFCs: 6749 and OAuth 2.1 (code, refresh), 7636 (PKCE), 8628 (devices), 7009 (revocation), 7591
//! (registration, public clients only), 8414 and 9728 (metadata), 9207 (`iss`), 9700 (security).

mod authorize;
mod device;
mod form;
mod metadata;
mod page;
mod register;
mod reply;
mod sign_in;
mod token;

use std::sync::Arc;

use hub::Hub;
use hub_wire::http::{self, Answer, Body, Client, Mount};
use hub_wire::limits::{Buckets, LoginDelay, Rate};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use form::Form;
use reply::Reply;

/// Registrations and devices from one address in an hour: enough for an office that sets up its phones, too
/// few to fill the tables.
const BEGINNINGS: u32 = 60;

/// What all requests share.
pub struct Service {
    hub: Hub,
    /// Shared with the other doors: a password is guessed at any of them.
    delays: Arc<LoginDelay>,
    /// Of what costs memory or rows before anybody has proved who they are.
    beginnings: Option<Buckets>,
}

impl Service {
    pub fn new(hub: Hub, delays: Arc<LoginDelay>) -> Self {
        Self { hub, delays, beginnings: Rate::per_hour(BEGINNINGS).map(Buckets::new) }
    }

    /// True if something may be begun from this address now.
    fn may_begin(&self, client: Client) -> bool {
        let ip = client.address.ip();
        let key = hub_wire::limits::Client::from(ip);
        ip.to_canonical().is_loopback()
            || self.beginnings.as_ref().is_none_or(|buckets| buckets.take(key, 1).is_ok())
    }
}

/// A request that this room answers.
struct Call<'a> {
    service: &'a Service,
    client: Client,
    head: Parts,
    /// `https://HOST`, as the client wrote it: also the issuer (RFC 8414 §2).
    origin: String,
}

/// What is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Authorize,
    Device,
    DeviceAuthorization,
    Register,
    ResourceMetadata,
    Revoke,
    ServerMetadata,
    Token,
}

impl Endpoint {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/oauth/authorize" => Self::Authorize,
            "/oauth/device" => Self::Device,
            "/oauth/device_authorization" => Self::DeviceAuthorization,
            "/oauth/register" => Self::Register,
            "/oauth/revoke" => Self::Revoke,
            "/oauth/token" => Self::Token,
            "/.well-known/oauth-authorization-server" => Self::ServerMetadata,
            _ => {
                // RFC 9728 §3.1: the path of the resource may follow.
                let rest = path.strip_prefix("/.well-known/oauth-protected-resource")?;
                return (rest.is_empty() || rest.starts_with('/')).then_some(Self::ResourceMetadata);
            }
        })
    }

    /// Is asked by people, with a browser; all others by programs, in pages of whatever origin, too.
    fn is_page(self) -> bool {
        matches!(self, Self::Authorize | Self::Device)
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Authorize | Self::Device => "GET, HEAD, POST",
            Self::ServerMetadata | Self::ResourceMetadata => "GET, HEAD, OPTIONS",
            _ => "POST, OPTIONS",
        }
    }
}

impl Mount for Service {
    fn takes(&self, _: &Method, path: &str) -> bool {
        path == "/oauth" || path.starts_with("/oauth/") || Endpoint::at(path).is_some()
    }

    fn answer(self: Arc<Self>, client: Client, request: Request<Body>) -> Answer {
        Box::pin(async move {
            let is_head = request.method() == Method::HEAD;
            let mut reply = self.handle(client, request).await;
            if is_head {
                *reply.body_mut() = http::empty();
            }
            reply
        })
    }
}

impl Service {
    async fn handle(&self, client: Client, request: Request<Body>) -> Reply {
        let (head, body) = request.into_parts();
        let Some(endpoint) = Endpoint::at(head.uri.path()) else {
            return reply::sentence(StatusCode::NOT_FOUND, "There is nothing here.");
        };
        if !client.may_authenticate {
            return reply::sentence(StatusCode::FORBIDDEN, "This is to be had over https only.");
        }
        let Some(origin) = http::origin(&head) else {
            return reply::sentence(
                StatusCode::BAD_REQUEST,
                "The request does not say which host it is for.",
            );
        };
        let call = Call { service: self, client, head, origin };
        let mut reply = match call.head.method.as_str() {
            "GET" | "HEAD" if endpoint.methods().starts_with("GET") => call.get(endpoint).await,
            "POST" if endpoint.methods().contains("POST") => call.post(endpoint, body).await,
            "OPTIONS" if !endpoint.is_page() => reply::empty(StatusCode::NO_CONTENT),
            _ => reply::method_not_allowed(endpoint.methods()),
        };
        if !endpoint.is_page() {
            reply::allow_any_origin(&mut reply);
        }
        reply
    }
}

impl Call<'_> {
    async fn get(&self, endpoint: Endpoint) -> Reply {
        match endpoint {
            Endpoint::Authorize => authorize::ask(self).await,
            Endpoint::Device => device::ask(self).await,
            Endpoint::ResourceMetadata => metadata::of_resource(self),
            _ => metadata::of_server(self),
        }
    }

    async fn post(&self, endpoint: Endpoint, body: Body) -> Reply {
        let bytes = match form::read(&self.head.headers, body, endpoint).await {
            Ok(bytes) => bytes,
            Err(reply) => return reply,
        };
        if endpoint == Endpoint::Register {
            return register::answer(self, &bytes).await;
        }
        let form = match Form::parse(&bytes) {
            Ok(form) => form,
            Err(_) if endpoint.is_page() => return page::failure(StatusCode::BAD_REQUEST, form::TWICE),
            Err(why) => return reply::error(StatusCode::BAD_REQUEST, "invalid_request", why),
        };
        match endpoint {
            Endpoint::Authorize => authorize::decide(self, &form).await,
            Endpoint::Device => device::decide(self, &form).await,
            Endpoint::DeviceAuthorization => device::begin(self, &form).await,
            Endpoint::Revoke => token::revoke(self, &form).await,
            _ => token::answer(self, &form).await,
        }
    }
}
