//! A certificate with its private key, as loaded from PEM files.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use aws_lc_rs::digest::{SHA256, digest};

use crate::authority::ascii_name;
use crate::der::{Facts, facts};
use crate::{Error, tls};

/// What is shown of a certificate in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub path: PathBuf,
    /// Host names and addresses that it is good for.
    pub names: Vec<String>,
    /// Unix seconds.
    pub not_before: i64,
    pub not_after: i64,
    /// SHA-256 of the public key, in hex: what a TLSA record holds (RFC 6698 §2.1).
    pub key_hash: String,
}

impl Certificate {
    /// Looks at a chain and the key that should belong to it, without using them.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, Error> {
        Loaded::from_files(chain, key, &tls::provider()).map(|loaded| loaded.shown())
    }

    /// True if a client that asks for `host` accepts it.
    pub fn fits(&self, host: &str) -> bool {
        fits(&self.names, host)
    }
}

pub(crate) struct Loaded {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) facts: Facts,
    pub(crate) path: PathBuf,
}

impl Loaded {
    /// Reads a chain (leaf first) and the key that belongs to its leaf.
    pub(crate) fn from_files(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, Error> {
        let certificates = certificates(&read(chain)?).map_err(|why| Error::file(chain, why))?;
        let private_key = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| Error::file(key, format!("no private key in PEM form ({error})")))?;
        let leaf = certificates.first().ok_or_else(|| Error::file(chain, "no certificate in PEM form"))?;
        let facts = facts(leaf).ok_or_else(|| Error::file(chain, "the first certificate is malformed"))?;
        let certified = CertifiedKey::from_der(certificates, private_key, provider)
            .map_err(|error| Error::file(key, format!("cannot be used with {}: {error}", chain.display())))?;
        Ok(Self { key: Arc::new(certified), facts, path: chain.to_owned() })
    }

    /// Whether it can be shown to who asked for this name.
    pub(crate) fn fits(&self, server_name: &str) -> bool {
        matches(&self.facts.names, &server_name.to_ascii_lowercase())
    }

    pub(crate) fn shown(&self) -> Certificate {
        let addresses = self.facts.addresses.iter().map(IpAddr::to_string);
        Certificate {
            path: self.path.clone(),
            names: self.facts.names.iter().cloned().chain(addresses).collect(),
            not_before: self.facts.not_before,
            not_after: self.facts.not_after,
            key_hash: hex(digest(&SHA256, &self.facts.public_key).as_ref()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether one of the names is this one, in any spelling.
fn fits(names: &[String], host: &str) -> bool {
    ascii_name(host).is_some_and(|host| matches(names, &host))
}

/// RFC 6125 §6.4: exactly, or a wildcard for the leftmost label. In lower case.
fn matches(names: &[String], host: &str) -> bool {
    let parent = host.split_once('.').map(|(_, parent)| parent);
    names
        .iter()
        .any(|known| *known == host || known.strip_prefix("*.").is_some_and(|wild| Some(wild) == parent))
}

/// All certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::file(path, error))
}

/// Tells a changed file from an unchanged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(SystemTime, u64)>);

impl Stamp {
    pub(crate) fn of(path: &Path) -> Self {
        Self(fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len()))).ok())
    }
}

/// The text of a PEM file with authorities to trust, every one of which can be used.
pub fn authorities(path: &Path) -> Result<Vec<u8>, Error> {
    roots(path)?;
    read(path)
}

pub(crate) fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let found = certificates(&read(path)?).map_err(|why| Error::file(path, why))?;
    if found.is_empty() {
        return Err(Error::file(path, "no certificate in PEM form"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in found {
        roots.add(certificate).map_err(|error| Error::file(path, error))?;
    }
    Ok(roots)
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loaded({})", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(names: &[&str]) -> Loaded {
        let folder = tempfile::tempdir().expect("temporary directory");
        let made =
            rcgen::generate_simple_self_signed(names.iter().map(|n| n.to_string()).collect::<Vec<_>>())
                .expect("certificate");
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        fs::write(&chain, made.cert.pem()).expect("writes");
        fs::write(&key, made.signing_key.serialize_pem()).expect("writes");
        Loaded::from_files(&chain, &key, &tls::provider()).expect("loads")
    }

    #[test]
    fn names_fit_exactly_or_by_wildcard() {
        let certificate = loaded(&["example.org", "*.example.net"]);
        for (name, expected) in [
            ("example.org", true),
            ("EXAMPLE.org", true),
            ("mail.example.org", false),
            ("mail.example.net", true),
            ("a.mail.example.net", false),
            ("example.net", false),
            ("", false),
        ] {
            assert_eq!(certificate.fits(name), expected, "{name}");
        }
    }

    #[test]
    fn unusable_files_are_named() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("writes");
            path
        };
        let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).expect("certificate");
        let other = rcgen::KeyPair::generate().expect("key");
        let chain = write("chain.pem", &made.cert.pem());
        let key = write("key.pem", &made.signing_key.serialize_pem());
        let other = write("other.pem", &other.serialize_pem());
        let empty = write("empty.pem", "");
        let absent = folder.path().join("absent.pem");
        for (chain, key, named) in [
            (&absent, &key, "absent.pem: No such file"),
            (&empty, &key, "empty.pem: no certificate"),
            (&chain, &absent, "absent.pem: No such file"),
            (&chain, &chain, "chain.pem: no private key"),
            (&chain, &other, "other.pem: cannot be used with"),
        ] {
            let error = Loaded::from_files(chain, key, &tls::provider()).expect_err(named).to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(authorities(&chain).is_ok_and(|pem| pem.starts_with(b"-----BEGIN")));
        for unusable in [&key, &empty, &absent] {
            let error = authorities(unusable).expect_err("no authority").to_string();
            assert!(error.starts_with(&unusable.display().to_string()), "{error}");
        }
    }
}
