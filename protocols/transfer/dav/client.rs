//! Requests to a server that is not trusted: answers and redirects are bounded, and silence ends them.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use super::{Address, Login};
use crate::Error;

/// A busy server may think about a large calendar for a while.
const SILENCE: Duration = Duration::from_secs(120);
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// Bytes of an answer: fifty objects, or the list of a hundred thousand.
const MAX_ANSWER: usize = 64 << 20;
/// Redirects of one request.
const MOST_HOPS: usize = 5;

pub(super) struct Client<'a> {
    login: &'a Login<'a>,
    authorization: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Where it was at last: redirects were followed.
    pub(super) path: String,
    pub(super) body: Bytes,
}

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) depth: Option<&'static str>,
    pub(super) body: String,
}

impl<'a> Client<'a> {
    pub(super) fn new(login: &'a Login<'a>) -> Result<Self, Error> {
        let secret = format!("{}:{}", login.address.user, login.password.expose());
        let value = format!("Basic {}", BASE64_STANDARD.encode(secret));
        let refused = |_| Error::Refused("the password cannot be sent".into());
        let mut authorization = HeaderValue::try_from(value).map_err(refused)?;
        authorization.set_sensitive(true);
        Ok(Self { login, authorization, sender: None })
    }

    /// Redirects within the same server are followed; `Broken` is worth another attempt.
    pub(super) async fn ask(&mut self, asked: Asked<'_>) -> Result<Answer, Error> {
        let mut path = asked.path.to_owned();
        for _ in 0..MOST_HOPS {
            let response = self.once(&asked, &path).await?;
            let (head, body) = response.into_parts();
            if head.status.is_redirection() {
                let location = head.headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
                let next = location.and_then(|place| path_of(self.login.address, place));
                path = next.ok_or_else(|| {
                    Error::Refused(format!("the server leads elsewhere: {}", location.unwrap_or("nowhere")))
                })?;
                // What comes with a redirect is not read: the connection would wait for it.
                self.sender = None;
                continue;
            }
            let body = in_time(Limited::new(body, MAX_ANSWER).collect()).await?;
            let body = body.map_err(|error| Error::Broken(format!("an answer broke off: {error}")))?;
            if head.status == StatusCode::UNAUTHORIZED {
                return Err(Error::Refused("the log-in is refused".into()));
            }
            if matches!(head.status.as_u16(), 429 | 502 | 503 | 504) {
                return Err(Error::Broken(format!("the server says {}", head.status)));
            }
            return Ok(Answer { status: head.status, path, body: body.to_bytes() });
        }
        Err(Error::Refused("the server leads in circles".into()))
    }

    async fn once(
        &mut self,
        asked: &Asked<'_>,
        path: &str,
    ) -> Result<Response<hyper::body::Incoming>, Error> {
        let mut request = Request::builder()
            .method(asked.method)
            .uri(path)
            .header(header::HOST, self.login.address.authority())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::USER_AGENT, "twinhub");
        if let Some(depth) = asked.depth {
            request = request.header("depth", depth);
        }
        if !asked.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/xml; charset=utf-8");
        }
        let bad = |error| Error::Refused(format!("the server names a URL that is none: {error}"));
        let request = request.body(Full::new(Bytes::from(asked.body.clone()))).map_err(bad)?;
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        let lost = |error| Error::Broken(format!("the connection is lost: {error}"));
        in_time(sender.ready()).await?.map_err(lost)?;
        let response = in_time(sender.send_request(request)).await?.map_err(lost)?;
        self.sender = Some(sender);
        Ok(response)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Error> {
        let address = self.login.address;
        let tcp = TcpStream::connect((address.host.as_str(), address.port));
        let tcp = tokio::time::timeout(CONNECT_TIME, tcp)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
            .flatten()
            .map_err(|error| Error::Broken(format!("cannot connect to {}: {error}", address.host)))?;
        let is_here = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        match address.is_secure {
            true => shake(TokioIo::new(handshake(self.login, tcp).await?)).await,
            false if is_here => shake(TokioIo::new(tcp)).await,
            false => Err(Error::Refused("a password is not sent without TLS".into())),
        }
    }
}

async fn shake<S>(stream: TokioIo<S>) -> Result<SendRequest<Full<Bytes>>, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error| Error::Broken(format!("the server does not speak HTTP: {error}"));
    let (sender, connection) = in_time(http1::handshake(stream)).await?.map_err(broken)?;
    // It ends with the sender; what goes wrong is told there.
    tokio::spawn(connection);
    Ok(sender)
}

async fn handshake(
    login: &Login<'_>,
    tcp: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
    let host = &login.address.host;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Error::Refused(format!("{host} is not a host name")))?;
    let shaken = tokio::time::timeout(CONNECT_TIME, login.tls.connect(name, tcp)).await;
    match shaken.map_err(|_| Error::Broken(format!("{host} does not answer TLS")))? {
        Ok(stream) => Ok(stream),
        // A certificate that does not fit will not fit the next time.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Error::Refused(format!("TLS with {host}: {error}")))
        }
        Err(error) => Err(Error::Broken(format!("TLS with {host}: {error}"))),
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let done = tokio::time::timeout(SILENCE, work).await;
    done.map_err(|_| Error::Broken("the server says nothing any more".into()))
}

/// The path of a URL of the same server; `None` for another one, to which no password is sent.
pub(super) fn path_of(address: &Address, href: &str) -> Option<String> {
    let href = href.trim();
    let path = match href.split_once("://") {
        None => href,
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
            let default = if address.is_secure { "https" } else { "http" };
            let port = if address.is_secure { ":443" } else { ":80" };
            let is_same = scheme.eq_ignore_ascii_case(default)
                && place.to_ascii_lowercase().trim_end_matches(port)
                    == address.authority().trim_end_matches(port);
            if !is_same {
                return None;
            }
            if path.is_empty() { "/" } else { path }
        }
    };
    let is_path = path.starts_with('/') && !path.starts_with("//") && path.len() <= 8192;
    let is_visible = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<'));
    (is_path && is_visible).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_with_their_server() {
        let secure = Address::parse("caldav://a@h.test/").expect("an address");
        let local = Address::parse("caldav://a@localhost:5232/").expect("an address");
        for (address, href, path) in [
            (&secure, "/a/b%20c/", Some("/a/b%20c/")),
            (&secure, " https://H.test/x\n", Some("/x")),
            (&secure, "https://h.test:443", Some("/")),
            (&secure, "http://h.test/x", None),
            (&secure, "https://h.test.evil.test/x", None),
            (&secure, "https://h.test@evil.test/x", None),
            (&secure, "https://h.test:8443/x", None),
            (&secure, "//evil.test/x", None),
            (&secure, "relative", None),
            (&secure, "/a b", None),
            (&local, "http://localhost:5232/x", Some("/x")),
            (&local, "http://localhost:5233/x", None),
            (&local, "https://localhost:5232/x", None),
        ] {
            assert_eq!(path_of(address, href).as_deref(), path, "{href}");
        }
    }
}
