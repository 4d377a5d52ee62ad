//! TLS for clients that trust whoever answers, and how fast a server shakes hands.

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::report::{Better, Report};
use crate::server::Server;
use crate::smtp::{Smtp, Stream, tcp};

/// A full handshake: nothing of an earlier connection is used again.
pub(crate) fn wrap<S: Stream>(mut stream: S) -> Result<StreamOwned<ClientConnection, S>> {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(config(), name)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

fn config() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has them");
        let anybody = Arc::new(Anybody(provider));
        let mut config = config.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Arc::new(config)
    };
    Arc::clone(CONFIG.get_or_init(make))
}

/// Certificates of servers on loopback need not be anybody's.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Full handshakes on the submission ports over 1 and 8 connections at a time, each up to the greeting
/// (or the EHLO after STARTTLS), and the processor time that the server takes for one.
pub(crate) fn handshakes(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    let implicit = |server: &Server| -> Result<()> {
        let port = server.submissions.context("the specification has no subs=")?;
        let mut greeting = String::new();
        BufReader::new(wrap(tcp(server, port)?)?).read_line(&mut greeting)?;
        Ok(())
    };
    let start_tls = |server: &Server| Smtp::submission(server).map(drop);
    measure(server, 8, 8, &implicit)?; // warm
    for (connections, count) in [(1, 300.0), (8, 1500.0)] {
        let count = ((count * scale) as usize).max(connections);
        for (how, shake) in [("implicit", &implicit as &Shake), ("STARTTLS", &start_tls)] {
            let cpu = server.processor_time();
            let rate = measure(server, count, connections, shake)?;
            let cpu = server.processor_time() - cpu;
            let metric = format!("{how} x{connections}");
            report.result(&metric, rate, "handshake/s", Better::High);
            let each = cpu / count as f64 * 1000.0;
            report.result(&format!("{metric}, processor time of one"), each, "ms", Better::Low);
        }
    }
    Ok(())
}

type Shake = dyn Fn(&Server) -> Result<()> + Sync;

/// Handshakes per second.
fn measure(server: &Server, count: usize, connections: usize, shake: &Shake) -> Result<f64> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    if let Err(error) = shake(server) {
                        failure.lock().expect("no thread panicked").get_or_insert(error);
                        break;
                    }
                }
            });
        }
    });
    let rate = count as f64 / started.elapsed().as_secs_f64();
    match failure.into_inner().expect("no thread panicked") {
        Some(error) => Err(error),
        None => Ok(rate),
    }
}
