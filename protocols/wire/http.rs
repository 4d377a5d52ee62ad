//! What the web listener and the rooms that answer HTTP requests on it agree on: one listener serves
//! all of them, and none knows another.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Frame;
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Method, Request, Response};
use tokio::sync::mpsc;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Content of a request or an answer. It streams, both ways.
pub type Body = BoxBody<Bytes, BoxError>;

/// An answer to come.
pub type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Number of the connection, for logs.
    pub conn: u64,
    pub address: SocketAddr,
    /// A password may cross this connection: it is TLS, or never leaves the machine.
    pub may_authenticate: bool,
}

/// Where the client believes to be: `https://HOST` or, on a connection in the clear, `http://HOST`, with the port
/// if it wrote one. `None` if it named no host, or several. The web listener has noted the scheme.
pub fn origin(head: &Parts) -> Option<String> {
    let authority = match head.uri.authority() {
        Some(authority) => authority.clone(),
        None => {
            let mut hosts = head.headers.get_all(HOST).iter();
            let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
            Authority::try_from(host.as_bytes()).ok()?
        }
    };
    let scheme = head.extensions.get::<Scheme>().unwrap_or(&Scheme::HTTP);
    let is_one = !authority.as_str().contains('@') && !authority.host().is_empty();
    is_one.then(|| format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
}

/// A room that answers some of the paths of the web listener.
pub trait Mount: Send + Sync {
    /// True if such a request is answered here. The path is as the client wrote it.
    fn takes(&self, method: &Method, path: &str) -> bool;

    fn answer(self: Arc<Self>, client: Client, request: Request<Body>) -> Answer;
}

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed()
}

/// Pieces of an answer that wait for the client. With those in the connection's own buffer they bound
/// what a slow reader costs.
const WAITING: usize = 2;

/// A body that is written while it is sent.
pub fn channel() -> (Sender, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Sender(sender), Pieces(receiver).boxed())
}

/// The writing end of a body. Dropping it ends the body well.
#[derive(Clone, Debug)]
pub struct Sender(mpsc::Sender<Result<Bytes, BoxError>>);

/// The client does not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl Sender {
    /// Waits until there is room.
    pub async fn send(&self, piece: Bytes) -> Result<(), Gone> {
        self.0.send(Ok(piece)).await.map_err(|_| Gone)
    }

    /// Breaks the body off, so that the client does not take what it has for all of it.
    pub async fn abort(self, why: BoxError) {
        // If the client has gone, it needs no telling.
        let _ = self.0.send(Err(why)).await;
    }
}

struct Pieces(mpsc::Receiver<Result<Bytes, BoxError>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (uri, hosts, scheme, expected) in [
            ("/", &["Hub.test"][..], Scheme::HTTPS, Some("https://hub.test")),
            ("/", &["hub.test:8443"], Scheme::HTTPS, Some("https://hub.test:8443")),
            ("/", &["127.0.0.1:80"], Scheme::HTTP, Some("http://127.0.0.1:80")),
            ("https://other.test/x", &["hub.test"], Scheme::HTTPS, Some("https://other.test")),
            ("/", &[], Scheme::HTTPS, None),
            ("/", &["a.test", "b.test"], Scheme::HTTPS, None),
            ("/", &["u@a.test"], Scheme::HTTPS, None),
            ("/", &["a.test/x"], Scheme::HTTPS, None),
        ] {
            let mut request = Request::builder().uri(uri).extension(scheme);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let (head, ()) = request.body(()).expect("a request").into_parts();
            assert_eq!(origin(&head).as_deref(), expected, "{uri} {hosts:?}");
        }
    }

    #[tokio::test]
    async fn a_body_is_written_while_it_is_read() {
        let (sender, body) = channel();
        let writer = tokio::spawn(async move {
            for piece in ["a", "b", "c", "d"] {
                sender.send(Bytes::from(piece)).await.expect("somebody reads");
            }
        });
        assert_eq!(body.collect().await.expect("whole").to_bytes(), "abcd");
        writer.await.expect("ended");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_not_taken_for_whole() {
        let (sender, body) = channel();
        sender.send(Bytes::from("a")).await.expect("room");
        sender.abort("the disk broke".into()).await;
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn nobody_writes_for_a_client_that_has_gone() {
        let (sender, body) = channel();
        drop(body);
        assert_eq!(sender.send(Bytes::from("a")).await, Err(Gone));
    }
}
