//! Gets a policy over HTTPS (RFC 8461 §3.3): no redirects, the host's own certificate, a minute, and
//! not more than a policy can be.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hub::TlsFailure;
use hub_dns::Dns;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::MAX_POLICY;
use crate::dial;
use crate::exchange::sessions::Flaw;

/// RFC 8461 §3.3 suggests a minute.
const TIME: Duration = Duration::from_secs(60);

pub(super) async fn policy(dns: &Dns, tls: &TlsConnector, port: u16, domain: &str) -> Result<String, Flaw> {
    let got = tokio::time::timeout(TIME, get(dns, tls, port, domain)).await;
    got.unwrap_or_else(|_| Err(absent("it took too long")))
}

async fn get(dns: &Dns, tls: &TlsConnector, port: u16, domain: &str) -> Result<String, Flaw> {
    let host = format!("mta-sts.{domain}");
    let addresses = dns.addresses(&host).await.map_err(absent)?;
    let mut tcp = Err(absent("no address"));
    for ip in addresses.ips {
        tcp = dial::connect(SocketAddr::new(ip, port)).await.map_err(|broken| absent(broken.0));
        if tcp.is_ok() {
            break;
        }
    }
    let name = ServerName::try_from(host.clone()).map_err(absent)?;
    let stream = tls.connect(name, tcp?).await.map_err(unproven)?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_POLICY)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(absent)?;
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(HOST, &host)
        .header(USER_AGENT, "twinhub")
        .body(Empty::<Bytes>::new())
        .map_err(absent)?;
    // The connection lives no longer than this answer.
    let answer = async {
        let answer = sender.send_request(request).await.map_err(absent)?;
        if answer.status() != StatusCode::OK {
            return Err(absent(format!("the answer is {}", answer.status())));
        }
        let kind =
            answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain") {
            return Err(absent("the answer is not text/plain"));
        }
        let body = Limited::new(answer.into_body(), MAX_POLICY).collect().await.map_err(absent)?;
        String::from_utf8(body.to_bytes().into()).map_err(absent)
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // However it ended, what came before is still to be read.
        _ = connection => answer.await,
    }
}

fn absent(error: impl fmt::Display) -> Flaw {
    Flaw::new(TlsFailure::StsPolicyFetchError, error)
}

/// RFC 8460 §4.3.2.2: a certificate that is no good is another failure than a website that is away.
fn unproven(error: io::Error) -> Flaw {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => Flaw::new(TlsFailure::StsWebpkiInvalid, error),
        _ => absent(error),
    }
}
