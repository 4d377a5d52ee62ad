//! HTTPS towards other servers: one request on a connection of its own, to a host that shows a certificate
//! for its name; no redirects, and no more of an answer than was agreed on.
//!
//! Strangers often say where to ask, so nothing is asked but names, which show that they are meant by their
//! certificates; and a caller can keep to addresses of the public internet ([`Reach`]). What an answer means
//! is the caller's business.
//!
//! RFC 9110, 9112 (HTTP), 6125 (names in certificates), 6890 (addresses that are not public).

mod reach;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hub_dns::Dns;
use hub_wire::tls_connector;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use reach::Reach;

const CONNECT_TIME: Duration = Duration::from_secs(30);
/// For a whole request (RFC 8461 §3.3 suggests a minute).
const TIME: Duration = Duration::from_secs(60);
/// Octets of an answer's header.
const MOST_HEADER: usize = 64 * 1024;
/// Octets of an answer to a report, which nobody reads.
const MOST_THANKS: usize = 64 * 1024;

/// Makes requests. Cheap to clone.
#[derive(Clone)]
pub struct Https {
    dns: Arc<Dns>,
    tls: TlsConnector,
    port: u16,
    reach: Reach,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The host is not there, or makes no sense.
    Absent(String),
    /// Its certificate is not one for its name.
    Unproven(String),
}

impl Https {
    /// `trust_roots`: authorities in PEM besides the public ones. `port`: 443 except in tests.
    pub fn new(
        dns: Arc<Dns>,
        trust_roots: &[u8],
        port: u16,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self { dns, tls: tls_connector(trust_roots)?, port, reach: Reach::Anywhere })
    }

    /// Asks only hosts within this reach.
    #[must_use]
    pub fn within(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// The port that is asked where an address names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Hands a document over (RFC 8460 §5.4). Strangers say where to: nothing but the usual port is
    /// tried, and nothing without a name. `Err` is why it was not taken.
    pub async fn post(&self, url: &str, kind: &str, document: Vec<u8>) -> Result<(), String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let is_fit = uri.scheme_str() == Some("https") && uri.port_u16().is_none_or(|port| port == self.port);
        let is_name = |host: &&str| !host.starts_with('[') && host.parse::<IpAddr>().is_err();
        let Some(host) = uri.host().filter(is_name).filter(|_| is_fit) else {
            return Err(format!("{url}: not used"));
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::post(path).header(CONTENT_TYPE, kind);
        let answer = self.ask(host, request, Bytes::from(document), MOST_THANKS).await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("{url}: the answer is {}", answer.status())),
            Err(trouble) => Err(format!("{url}: {trouble}")),
        }
    }

    /// The answer, if its body has `most` octets at most.
    pub async fn ask(
        &self,
        host: &str,
        request: hyper::http::request::Builder,
        body: Bytes,
        most: usize,
    ) -> Result<Response<Bytes>, Trouble> {
        self.ask_at(host, self.port, request, body, most).await
    }

    /// The same at a port of its own.
    pub async fn ask_at(
        &self,
        host: &str,
        port: u16,
        request: hyper::http::request::Builder,
        body: Bytes,
        most: usize,
    ) -> Result<Response<Bytes>, Trouble> {
        let authority = if port == self.port { host.to_owned() } else { format!("{host}:{port}") };
        let request = request.header(HOST, authority).header(USER_AGENT, "twinhub").body(Full::new(body));
        let request = request.map_err(absent)?;
        let answered = tokio::time::timeout(TIME, self.exchange((host, port), request, most)).await;
        answered.unwrap_or_else(|_| Err(absent("it took too long")))
    }

    async fn exchange(
        &self,
        (host, port): (&str, u16),
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>, Trouble> {
        let addresses = self.dns.addresses(host).await.map_err(absent)?;
        let mut tcp = Err(absent("no address"));
        for ip in addresses.ips {
            tcp = self.connect(SocketAddr::new(ip, port)).await;
            if tcp.is_ok() {
                break;
            }
        }
        let name = ServerName::try_from(host.to_owned()).map_err(absent)?;
        let stream = self.tls.connect(name, tcp?).await.map_err(unproven)?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(MOST_HEADER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(absent)?;
        // The connection lives no longer than this answer.
        let answer = async {
            let (head, body) = sender.send_request(request).await.map_err(absent)?.into_parts();
            let body = Limited::new(body, most).collect().await.map_err(absent)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // However it ended, what came before is still to be read.
            _ = connection => answer.await,
        }
    }
}

impl Https {
    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, Trouble> {
        if !self.reach.has(address.ip()) {
            return Err(absent(format!("{} is no address of the public internet", address.ip())));
        }
        let connected = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        connected.map_err(|error| absent(format!("connection to {address}: {error}")))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Absent(why) | Self::Unproven(why)) = self;
        f.write_str(why)
    }
}

fn absent(error: impl fmt::Display) -> Trouble {
    Trouble::Absent(error.to_string())
}

fn unproven(error: io::Error) -> Trouble {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => Trouble::Unproven(error.to_string()),
        _ => absent(error),
    }
}
