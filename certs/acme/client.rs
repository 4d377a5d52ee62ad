//! HTTPS towards the authority: one connection a request, because there are a dozen in two months.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Uri, body::Bytes};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error as AcmeError, HttpClient};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::loaded::certificates;
use crate::{Error, tls};

/// Time for one request.
const TIME: Duration = Duration::from_secs(60);
/// Largest answer; a chain has some kilobytes.
const MAX_ANSWER: usize = 1 << 20;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
pub(super) struct Client(TlsConnector);

impl Client {
    /// Trusts the public authorities and those of `pem`.
    pub(super) fn new(pem: &[u8]) -> Result<Self, Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in certificates(pem).map_err(|why| Error::file("tls.trust_roots", why))? {
            roots.add(certificate)?;
        }
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    async fn exchange(self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Failure> {
        let uri = request.uri().clone();
        let host = uri.host().ok_or("the URL has no host")?;
        if uri.scheme_str() != Some("https") {
            // RFC 8555 §6.1.
            return Err("the URL is not an https one".into());
        }
        let port = uri.port_u16().unwrap_or(443);
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        let name = ServerName::try_from(host.to_owned())?;
        let stream = self.0.connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let authority = uri.authority().ok_or("the URL has no host")?;
        request.headers_mut().insert(HOST, HeaderValue::from_str(authority.as_str())?);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = Uri::try_from(path)?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok::<_, Failure>(hyper::Response::from_parts(head, Full::new(body)).into())
        };
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The end of the connection may come with the answer.
            _ = &mut connection => answer.await,
        }
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, AcmeError>> + Send>> {
        let exchange = self.clone().exchange(request);
        Box::pin(async move {
            let answer = tokio::time::timeout(TIME, exchange).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer in time".into()));
            answer.map_err(AcmeError::Other)
        })
    }
}
