//! The way to hosts, over a DNS and servers of the test's own. Each host has an address of its own in
//! 127.0.0.0/8; all of them share a port, because DNS has no ports.

mod hostile;
mod policies;
mod protection;
mod reports;
mod required;
mod routes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hub::TlsDemand;
use hub_dns::{Dns, Validation};
use test_dns::{Names, TestDns};

use super::Exchange;
use crate::Service;
use crate::outbound::next_hop::{NoConnection, Verdict};
use crate::settings::Settings;
use crate::sink::Sink;
use crate::transcripts::{TestHub, service_with, test_hub};

struct World {
    test: TestHub,
    dns: TestDns,
    exchange: Exchange,
    port: u16,
}

/// A port that is free at the addresses of all hosts. It lies below those that the system gives to
/// outgoing connections, one of which could take it meanwhile, and apart from those of tests that run
/// beside this one.
fn free_port() -> u16 {
    // Neighbours of this process take some after the other, too.
    let first = std::process::id().wrapping_mul(61) % 12_000;
    (0..12_000)
        .map(|next| 20_000 + ((first + next) % 12_000) as u16)
        .find(|port| std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .expect("one of them is free")
}

/// `names` may speak of the port: `{port}`.
async fn world(names: impl Fn(u16) -> Names, adjust: impl Fn(&mut Settings)) -> World {
    let test = test_hub().await;
    let port = free_port();
    let dns = names(port).serve().await;
    let settings = hub_dns::Settings {
        server: Some(dns.address),
        time: Duration::from_millis(500),
        validation: Validation::On,
        trust_anchor: Some(dns.trust_anchor.clone()),
    };
    let mut smtp = Settings::new("hub.test");
    smtp.exchange_port = port;
    adjust(&mut smtp);
    let service = service_with(&test.hub, smtp, crate::transcripts::certificate().1);
    let service = Arc::into_inner(service).expect("nobody else has it");
    let service = Service { dns: Arc::new(Dns::new(&settings).expect("a resolver")), ..service };
    let exchange = Exchange::new(&service).expect("an exchange");
    World { test, dns, exchange, port }
}

impl World {
    fn at(&self, last: u8) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 0, last), self.port).into()
    }

    async fn sink(&self, last: u8, answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Sink {
        Sink::start(self.at(last), answers, None).await
    }

    /// The host that was reached, and its protection.
    async fn reach(&self, domain: &str) -> Result<(String, String), String> {
        self.reach_with(domain, TlsDemand::ByPolicy).await
    }

    async fn reach_with(&self, domain: &str, tls: TlsDemand) -> Result<(String, String), String> {
        match self.exchange.connect(domain, tls).await {
            Ok(connection) => {
                let server = connection.server().clone();
                connection.quit().await;
                Ok((server.host, server.tls))
            }
            Err(NoConnection { verdict: Verdict::Deferred(why), .. }) => Err(format!("later: {why}")),
            Err(NoConnection { verdict: Verdict::Failed(why), .. }) => Err(format!("never: {why}")),
            Err(NoConnection { verdict: Verdict::Delivered(_), .. }) => unreachable!("nothing was sent"),
        }
    }
}

/// A certificate for these names that is its own authority: PEM, and what a server shows.
fn certificate(
    names: &[&str],
) -> (String, Arc<rustls::ServerConfig>, rustls::pki_types::CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names).expect("made");
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a certificate");
    (cert.pem(), Arc::new(config), cert.der().clone())
}
