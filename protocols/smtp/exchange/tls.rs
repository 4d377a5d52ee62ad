//! Handshakes with hosts: what is checked is what the requirement asks for, no more.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hub::TlsFailure;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::dane;
use super::policy::Requirement;
use super::sessions::Flaw;
use crate::dial::TLS_TIME;

/// What protects a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Nobody knows who is at the other end.
    Encrypted,
    None,
    VerifiedByAuthority,
    VerifiedByDane,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "TLS, certificate not verified",
            Self::None => "",
            Self::VerifiedByAuthority => "TLS, certificate verified",
            Self::VerifiedByDane => "TLS, certificate verified by DANE",
        })
    }
}

/// What came of a handshake.
pub(crate) struct Shaken {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) protection: Protection,
    /// What a policy that is only being tested had against the certificate.
    pub(crate) complaint: Option<Flaw>,
}

/// Makes handshakes; what is costly about them is made once.
#[derive(Clone)]
pub(crate) struct Handshakes {
    provider: Arc<CryptoProvider>,
    authorities: Arc<WebPkiServerVerifier>,
}

impl Handshakes {
    /// `pem`: authorities to trust besides the public ones.
    pub(crate) fn new(pem: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        Ok(Self { provider, authorities: builder.build()? })
    }

    pub(crate) async fn shake(
        &self,
        tcp: TcpStream,
        host: &str,
        requirement: &Requirement,
    ) -> Result<Shaken, Flaw> {
        let invalid = |error: &dyn fmt::Display| Flaw::new(TlsFailure::ValidationFailure, error);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| invalid(&error))?;
        let verifier = Arc::new(Verifier {
            requirement: requirement.clone(),
            handshakes: self.clone(),
            complaint: Mutex::new(None),
        });
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        let stream = tokio::time::timeout(TLS_TIME, shaken)
            .await
            .map_err(|_| invalid(&"the handshake timed out"))?
            .map_err(|error| Flaw::of_stream(&error))?;
        let complaint = verifier.complaint.lock().unwrap_or_else(PoisonError::into_inner).take();
        let protection = match requirement {
            Requirement::Dane { .. } => Protection::VerifiedByDane,
            Requirement::Authority | Requirement::AuthorityTesting if complaint.is_none() => {
                Protection::VerifiedByAuthority
            }
            _ => Protection::Encrypted,
        };
        Ok(Shaken { stream, protection, complaint })
    }
}

/// Looks at the certificate of one host.
#[derive(Debug)]
struct Verifier {
    requirement: Requirement,
    handshakes: Handshakes,
    /// What a policy that is only being tested had against the certificate.
    complaint: Mutex<Option<Flaw>>,
}

impl fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshakes")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authorities = &self.handshakes.authorities;
        match &self.requirement {
            Requirement::Opportunistic | Requirement::Encrypted => Ok(ServerCertVerified::assertion()),
            Requirement::Authority => {
                authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            Requirement::AuthorityTesting => {
                let checked = authorities.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                );
                if let Err(error) = checked {
                    let mut complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
                    *complaint = Some(Flaw::of(&error));
                }
                Ok(ServerCertVerified::assertion())
            }
            Requirement::Dane { records, names } => {
                self.verify_dane(records, names, end_entity, intermediates, now)
            }
        }
    }

    /// RFC 7435: where nobody knows who the other side is, it does not matter who signs.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.requirement.is_strict() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.handshakes.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.requirement.is_strict() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.handshakes.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.handshakes.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Verifier {
    /// RFC 7672 §3.1: DANE-EE(3) is the key or certificate itself, whatever is written in it.
    /// DANE-TA(2) is an authority of the host's own, under which the name must be right.
    fn verify_dane(
        &self,
        records: &[hub_dns::Tlsa],
        names: &[ServerName<'static>],
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        if records.iter().any(|record| record.usage == dane::END_ENTITY && dane::matches(record, end_entity))
        {
            return Ok(ServerCertVerified::assertion());
        }
        let mut roots = RootCertStore::empty();
        for certificate in intermediates {
            let is_named = |record: &hub_dns::Tlsa| {
                record.usage == dane::AUTHORITY && dane::matches(record, certificate)
            };
            if records.iter().any(is_named) {
                roots.add(certificate.clone().into_owned())?;
            }
        }
        if roots.is_empty() {
            // None of those that DNS names.
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let algorithms = self.handshakes.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, intermediates, now, algorithms)?;
        let mut checked = Err(Error::General("no name to be checked".into()));
        for name in names {
            checked = verify_server_name(&parsed, name);
            if checked.is_ok() {
                break;
            }
        }
        checked.map(|()| ServerCertVerified::assertion())
    }
}
