//! Keys: making them, and the records that publish them.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey, Sha256};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Both are used for every message: RSA because everybody knows it, Ed25519 (RFC 8463) because it
/// is small and strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Ed25519,
    Rsa,
}

impl Algorithm {
    /// As in the tag `k=` (RFC 6376 §3.6.1, RFC 8463 §4).
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ed25519, Self::Rsa].into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A key that signs for a domain.
pub struct Signer {
    pub(crate) domain: String,
    pub(crate) selector: String,
    pub(crate) key: DkimKey,
}

/// The cryptographic library could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// A new secret key as PKCS #8, and the public one as it stands in the tag `p=`.
pub fn generate(algorithm: Algorithm) -> Result<(Vec<u8>, String), Failed> {
    match algorithm {
        Algorithm::Ed25519 => {
            let secret = Ed25519Key::generate_pkcs8().map_err(|_| Failed)?;
            let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(&secret).map_err(|_| Failed)?;
            Ok((secret, STANDARD.encode(key.public_key())))
        }
        Algorithm::Rsa => {
            // RFC 8301 §3.2: 2048; larger ones do not fit into one string of DNS, and into few a UDP
            // answer.
            let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Failed)?;
            let secret = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| Failed)?;
            let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| Failed)?;
            Ok((secret.as_ref().to_vec(), STANDARD.encode(public.as_ref())))
        }
    }
}

impl Signer {
    /// `None` if the secret is no such key. The domain is written as DNS has it (RFC 5890).
    pub fn new(domain: &str, selector: &str, algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let key = match algorithm {
            Algorithm::Ed25519 => DkimKey::Ed25519(Ed25519Key::from_pkcs8_maybe_unchecked_der(secret).ok()?),
            Algorithm::Rsa => {
                let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(secret));
                DkimKey::Rsa(RsaKey::<Sha256>::from_key_der(der).ok()?)
            }
        };
        Some(Self {
            domain: mail_auth::common::to_a_label(domain).into_owned(),
            selector: selector.to_owned(),
            key,
        })
    }

    pub fn selector(&self) -> &str {
        &self.selector
    }
}
