//! TLS as a client, towards other servers.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_rustls::TlsConnector;

/// Trusts the public authorities and those of `pem`.
pub fn tls_connector(pem: &[u8]) -> Result<TlsConnector, Box<dyn std::error::Error + Send + Sync>> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
