//! Gets a policy over HTTPS (RFC 8461 §3.3): no redirects, the host's own certificate, a minute, and
//! not more than a policy can be.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hub_dns::Dns;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::MAX_POLICY;
use crate::dial;

/// RFC 8461 §3.3 suggests a minute.
const TIME: Duration = Duration::from_secs(60);

pub(super) async fn policy(dns: &Dns, tls: &TlsConnector, port: u16, domain: &str) -> Result<String, String> {
    let got = tokio::time::timeout(TIME, get(dns, tls, port, domain)).await;
    got.unwrap_or_else(|_| Err("it took too long".into()))
}

async fn get(dns: &Dns, tls: &TlsConnector, port: u16, domain: &str) -> Result<String, String> {
    fn text(error: impl fmt::Display) -> String {
        error.to_string()
    }
    let host = format!("mta-sts.{domain}");
    let addresses = dns.addresses(&host).await.map_err(text)?;
    let mut tcp = Err("no address".to_owned());
    for ip in addresses.ips {
        tcp = dial::connect(SocketAddr::new(ip, port)).await.map_err(|broken| broken.0);
        if tcp.is_ok() {
            break;
        }
    }
    let name = ServerName::try_from(host.clone()).map_err(text)?;
    let stream = tls.connect(name, tcp?).await.map_err(text)?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_POLICY)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(text)?;
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(HOST, &host)
        .header(USER_AGENT, "twinhub")
        .body(Empty::<Bytes>::new())
        .map_err(text)?;
    // The connection lives no longer than this answer.
    let answer = async {
        let answer = sender.send_request(request).await.map_err(text)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the answer is {}", answer.status()));
        }
        let kind =
            answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain") {
            return Err("the answer is not text/plain".to_owned());
        }
        let body = Limited::new(answer.into_body(), MAX_POLICY).collect().await.map_err(text)?;
        String::from_utf8(body.to_bytes().into()).map_err(text)
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // However it ended, what came before is still to be read.
        _ = connection => answer.await,
    }
}
