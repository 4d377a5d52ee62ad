//! Proofs that a name leads to this hub: what the authority finds when it comes to look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use crate::{Error, tls};

/// The protocol that an authority names in its handshake (RFC 8737 §3, §6.2).
pub const ALPN: &str = "acme-tls/1";

/// How a name is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// RFC 8555 §8.3: a file on port 80.
    Http01,
    /// RFC 8737: a certificate on port 443.
    TlsAlpn01,
}

/// The proofs of the order under way, shared with who answers. Cheap to clone.
#[derive(Clone, Default)]
pub struct Challenges(Arc<Mutex<Proofs>>);

#[derive(Default)]
struct Proofs {
    /// Token → key authorization.
    files: HashMap<String, String>,
    /// Name → certificate.
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    /// The text of `/.well-known/acme-challenge/TOKEN`.
    pub fn file(&self, token: &str) -> Option<String> {
        self.proofs().files.get(token).cloned()
    }

    pub(crate) fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.proofs().certificates.get(&name.to_ascii_lowercase()).map(Arc::clone)
    }

    pub(super) fn offer_file(&self, token: &str, key_authorization: &str) {
        self.proofs().files.insert(token.to_owned(), key_authorization.to_owned());
    }

    pub(super) fn offer_certificate(&self, name: &str, digest: &[u8]) -> Result<(), Error> {
        let certificate = proof(name, digest)?;
        self.proofs().certificates.insert(name.to_owned(), certificate);
        Ok(())
    }

    pub(super) fn clear(&self) {
        *self.proofs() = Proofs::default();
    }

    fn proofs(&self) -> MutexGuard<'_, Proofs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 8737 §3: self-signed, for this name only, with the digest of the key authorization in a critical
/// extension. `digest` is SHA-256.
fn proof(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    // Not `from_der`, which checks the certificate: nobody but the authority knows the extension.
    let key = tls::provider().key_provider.load_private_key(key)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_there_until_the_order_is_done() {
        let challenges = Challenges::default();
        assert_eq!(challenges.file("token"), None);
        challenges.offer_file("token", "token.thumbprint");
        challenges.offer_certificate("a.test", &[7; 32]).expect("made");
        assert_eq!(challenges.file("token").as_deref(), Some("token.thumbprint"));
        let certificate = challenges.certificate("A.test").expect("offered");
        assert!(challenges.certificate("b.test").is_none());
        // id-pe-acmeIdentifier, critical, with the digest as an OCTET STRING within one.
        let mut extension =
            vec![0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 0x01, 0x01, 0xff, 0x04, 0x22, 0x04, 0x20];
        extension.extend([7; 32]);
        assert!(certificate.cert[0].windows(extension.len()).any(|window| window == extension));
        challenges.clear();
        assert!(challenges.file("token").is_none() && challenges.certificate("a.test").is_none());
    }
}
