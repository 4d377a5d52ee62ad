//! Pages for a browser: a twin's own files, what a public link opens, and where guests answer invitations.
//!
//! Everything is made here and works without a script; the only one there is shows how far an upload is.
//! The room knows `hub` (which decides), `hub-content` (how a file is sent) and `hub-wire`; it must not
//! know how anything is stored, or that there are other doors to the same files.
//!
//! The way of a request: `target` says what the URL means, `visitor` who asks (a log-in or a link's
//! password, kept by `sessions`), then `show` answers a GET and `act` a POST, which ends in a redirect; what
//! went wrong is a page, too (`status`). A POST must come from a page of ours (`origin`).
//!
//! What twins have stored is never part of a page: it is content with headers of its own, in which a
//! browser runs nothing.
//!
//! RFCs: 9110, 6265 (cookies), 7578 (uploads by form). Also Content Security Policy Level 3, and the
//! `Origin` of the Fetch standard.

mod act;
mod details;
mod find;
mod form;
mod html;
mod list;
mod origin;
mod rsvp;
mod sessions;
mod show;
mod status;
mod target;
mod trash;
mod upload;
mod visitor;

use std::sync::Arc;

use hub::Hub;
use hub_wire::http::{self, Answer, Body, Client, Mount};
use hub_wire::limits::LoginDelay;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};

use sessions::Sessions;
use target::Target;
use visitor::Visitor;

type Reply = Response<Body>;

/// What all requests share.
pub struct Service {
    hub: Hub,
    delays: Arc<LoginDelay>,
    sessions: Sessions,
}

/// A request, and what it is about.
struct Call {
    client: Client,
    head: Parts,
    body: Body,
    target: Target,
}

const METHODS: &str = "GET, HEAD, POST";
const STYLE: &str = "/pages/style.css";
const SCRIPT: &str = "/pages/upload.js";

impl Mount for Service {
    fn takes(&self, _: &Method, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        matches!(first, "files" | "pages" | "rsvp" | "s")
    }

    fn answer(self: Arc<Self>, client: Client, request: Request<Body>) -> Answer {
        Box::pin(async move { self.handle(client, request).await })
    }
}

impl Service {
    /// The delays are best shared with the other doors: a password is guessed at any of them.
    pub fn new(hub: Hub, delays: Arc<LoginDelay>) -> Self {
        Self { hub, delays, sessions: Sessions::default() }
    }

    async fn handle(&self, client: Client, request: Request<Body>) -> Reply {
        let (head, body) = request.into_parts();
        if let Some(reply) = asset(head.uri.path()) {
            return reply;
        }
        if let Some(token) = rsvp::token(head.uri.path()) {
            let mut body = body;
            let reply = rsvp::answer(&self.hub, &head, &mut body, token).await;
            return finished(&head.method, body, reply).await;
        }
        let target = match Target::parse(&head.uri) {
            Ok(target) => target,
            Err(why) => return status::page(StatusCode::BAD_REQUEST, "This address is not one", why, None),
        };
        let method = head.method.clone();
        let mut call = Call { client, head, body, target };
        let reply = match self.answer_to(&mut call).await {
            Ok(reply) => reply,
            Err(refusal) => status::of(&refusal, Some(&call.target)),
        };
        finished(&method, call.body, reply).await
    }

    async fn answer_to(&self, call: &mut Call) -> Result<Reply, status::Refusal> {
        match call.head.method {
            Method::GET | Method::HEAD => {}
            Method::POST => origin::check(&call.head.uri, &call.head.headers)?,
            _ => return Ok(method_not_allowed()),
        }
        match visitor::find(self, call).await? {
            Visitor::Stranger(reply) => Ok(reply),
            Visitor::Known(spot) if call.head.method == Method::POST => act::answer(call, &spot).await,
            Visitor::Known(spot) => show::answer(call, &spot).await,
        }
    }
}

async fn finished(method: &Method, body: Body, mut reply: Reply) -> Reply {
    form::drain(body).await;
    if *method == Method::HEAD {
        *reply.body_mut() = http::empty();
    }
    reply
}

fn method_not_allowed() -> Reply {
    let why = "A page is looked at, or a form of it is sent.";
    let mut reply = status::page(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here", why, None);
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
    reply
}

/// What pages are made up with.
fn asset(path: &str) -> Option<Reply> {
    let (media_type, content) = match path {
        STYLE => ("text/css; charset=utf-8", include_str!("style.css")),
        SCRIPT => ("text/javascript; charset=utf-8", include_str!("upload.js")),
        _ => return None,
    };
    let mut reply = Response::new(http::full(content));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Some(reply)
}
