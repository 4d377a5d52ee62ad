//! One HTTP connection: its version, its limits, its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hub_wire::Connection;
use hub_wire::http::{Body, Client, Mount};
use hyper::body::Incoming;
use hyper::http::uri::Scheme;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::patience::{Patient, Work};
use crate::reply::sentence;
use crate::router::{self, Door};
use crate::target::{Watch, Watched};
use crate::{ACME_ALPN, Service};

/// Time for the head of a request, and for the next request on a connection that is kept open: a
/// client that sends a byte a second (slowloris) does not keep its place.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Time in which at least one byte must move, in whatever direction, while no handler works.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of a request's line and header fields (over HTTP/1 one read more); browsers stay below
/// 16 KiB.
const MAX_HEAD: usize = 32 << 10;
/// Requests in progress on one HTTP/2 connection; RFC 9113 §6.5.2 advises at least 100.
const MAX_STREAMS: u32 = 100;

pub(crate) async fn converse(service: Arc<Service>, connection: Connection, shutdown: CancellationToken) {
    let (id, peer) = (connection.id(), connection.peer());
    let door = if connection.is_tls() { Door::Https } else { Door::Http };
    let client = Client { conn: id, address: peer, may_authenticate: connection.may_authenticate() };
    if connection.alpn() == Some(ACME_ALPN.as_bytes()) {
        debug!(conn = id, %peer, "a certificate authority looked for a proof");
        return;
    }
    let is_h2 = connection.alpn() == Some(b"h2");
    let (watch, work) = (Watch::new(), Work::default());
    let (lines, working) = (Arc::clone(&watch), work.clone());
    let handler = service_fn(move |request: Request<Incoming>| {
        let (service, watch, working) = (Arc::clone(&service), Arc::clone(&watch), working.begin());
        async move {
            let has_fragment = watch.begin();
            let (method, path) = (request.method().clone(), logged(request.uri().path()).to_owned());
            let reply = match has_fragment {
                true => no_fragments(),
                false => answer(&service, door, client, request).await,
            };
            watch.end();
            drop(working);
            debug!(conn = id, %peer, %method, path, status = reply.status().as_u16(), "request");
            Ok::<_, Infallible>(reply)
        }
    });
    let io = Patient::new(connection, SILENCE, work);
    let ended = if is_h2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        builder.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEAD as u32);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), handler));
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    } else {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(MAX_HEAD);
        let mut connection =
            std::pin::pin!(builder.serve_connection(TokioIo::new(Watched::new(io, lines)), handler));
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = ended {
        debug!(conn = id, %peer, %error, "connection ended badly");
    }
}

async fn answer(service: &Service, door: Door, client: Client, request: Request<Incoming>) -> Response<Body> {
    match mounted(service, door, client, &request) {
        Some(mount) => {
            let mut request = request.map(|body| body.map_err(Into::into).boxed());
            let scheme = if door == Door::Https { Scheme::HTTPS } else { Scheme::HTTP };
            request.extensions_mut().insert(scheme);
            Arc::clone(mount).answer(client, request).await
        }
        None => {
            let reply = router::answer(service, door, request).await;
            reply.map(|body| body.map_err(|never| match never {}).boxed())
        }
    }
}

/// What of a path may be logged: behind `/s/` there are secrets.
fn logged(path: &str) -> &str {
    if path.starts_with("/s/") { "/s/…" } else { path }
}

fn no_fragments() -> Response<Body> {
    let reply = sentence(StatusCode::BAD_REQUEST, "The request's target has a fragment.");
    reply.map(|body| body.map_err(|never| match never {}).boxed())
}

/// The room that has this path. Where no password may be sent, the redirect to https comes first.
fn mounted<'a>(
    service: &'a Service,
    door: Door,
    client: Client,
    request: &Request<Incoming>,
) -> Option<&'a Arc<dyn Mount>> {
    let is_redirected =
        door == Door::Http && !client.may_authenticate && service.services.ports.https.is_some();
    let (method, path) = (request.method(), request.uri().path());
    service.mounts.iter().find(|mount| mount.takes(method, path)).filter(|_| !is_redirected)
}
