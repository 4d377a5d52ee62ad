//! An authority of the hub's own: signs the certificate that is shown as long as nobody has given
//! the hub a public one. Whoever trusts `ca.pem` on a device need not trust again when domains or
//! certificates change.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use tracing::{info, warn};

use crate::Error;
use crate::acme::CERTIFICATE;
use crate::der::facts;
use crate::files::write_atomically;
use crate::host_key;
use crate::loaded::{Loaded, certificates, read};

const DAY: Duration = Duration::from_secs(86_400);
/// Ten years: as long as a device may keep trusting it.
const CA_LIFE: Duration = Duration::from_secs(3650 * 86_400);
/// Below the 398 days that Apple's and Google's programs accept of a server certificate.
const LEAF_LIFE: Duration = Duration::from_secs(397 * 86_400);
/// Certificates are made anew this long before they end.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// The certificate that the authority has signed, and its key.
pub(crate) const LEAF: &str = "hub.pem";

/// The form in which DNS and certificates know a host name: lower case, A-labels (RFC 5890). `None`
/// for what cannot be one, such as an address literal.
pub fn ascii_name(name: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(name).ok()?;
    rustls_pki_types::DnsName::try_from(ascii.as_str()).is_ok().then_some(ascii)
}

/// The host names that a certificate needs: the hub's own, each domain,
/// where its mail is read (`mail.`), where programs look for settings (`autoconfig.`,
/// `autodiscover.`).
pub(crate) fn names_of(hosts: &[String], domains: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    for domain in domains {
        let prefixes = ["", "mail.", "autoconfig.", "autodiscover."];
        let prefixed = prefixes.map(|prefix| ascii_name(&format!("{prefix}{domain}")));
        names.extend(prefixed.into_iter().flatten());
    }
    names.extend(hosts.iter().filter_map(|host| ascii_name(host)));
    names.sort();
    names.dedup();
    names
}

struct CaCertificate {
    pem: String,
    der: Vec<u8>,
}

/// The files of the authority in one folder.
pub(crate) struct Authority {
    ca_certificate: PathBuf,
    ca_key: PathBuf,
    leaf: PathBuf,
    /// What a public authority gave (`acme`).
    ordered: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            ca_certificate: folder.join("ca.pem"),
            ca_key: folder.join("ca.key"),
            leaf: folder.join(LEAF),
            ordered: folder.join(CERTIFICATE),
        }
    }

    pub(crate) fn certificate(&self) -> &Path {
        &self.ca_certificate
    }

    /// The certificate for `names`: the one on disk if it still serves, else a new one.
    pub(crate) fn certificate_for(
        &self,
        names: &[String],
        now: SystemTime,
        provider: &CryptoProvider,
    ) -> Result<Loaded, Error> {
        let (ca, ca_key) = self.authority(now)?;
        if self.leaf.exists() {
            match Loaded::from_files(&self.leaf, &self.leaf, provider) {
                Ok(leaf) if serves(&leaf, names, &ca.der, now) => return Ok(leaf),
                Ok(_) => {}
                // Nothing is lost with it: the authority signs another.
                Err(error) => warn!(%error, "making the certificate anew"),
            }
        }
        let key = host_key::of([&self.leaf, &self.ordered])?;
        let pem = make_leaf(names, now, &key, &ca.pem, ca_key)?;
        write_atomically(&self.leaf, pem.as_bytes(), 0o600)
            .map_err(|error| Error::file(&self.leaf, error))?;
        info!(names = names.join(" "), "made a certificate");
        Loaded::from_files(&self.leaf, &self.leaf, provider)
    }

    /// The authority's certificate and key; made on first use.
    fn authority(&self, now: SystemTime) -> Result<(CaCertificate, KeyPair), Error> {
        let key = match (self.ca_key.exists(), self.ca_certificate.exists()) {
            (true, _) => {
                let damaged = |why: &dyn std::fmt::Display| {
                    let text = "this is not the authority's key";
                    let advice = "restore it, or delete it and ca.pem to make a new authority";
                    Error::file(&self.ca_key, format!("{text} ({why}); {advice}"))
                };
                let pem = String::from_utf8(read(&self.ca_key)?).map_err(|_| damaged(&"not text"))?;
                KeyPair::from_pem(&pem).map_err(|error| damaged(&error))?
            }
            (false, true) => {
                let advice = "restore it, or delete ca.pem too to make a new authority";
                return Err(Error::file(
                    &self.ca_key,
                    format!("missing, although ca.pem is there; {advice}"),
                ));
            }
            (false, false) => {
                let key = KeyPair::generate()?;
                write_atomically(&self.ca_key, key.serialize_pem().as_bytes(), 0o600)
                    .map_err(|error| Error::file(&self.ca_key, error))?;
                key
            }
        };
        if self.ca_certificate.exists() {
            let damaged = |why: &str| {
                Error::file(&self.ca_certificate, format!("damaged ({why}); restore or delete it"))
            };
            let pem = String::from_utf8(read(&self.ca_certificate)?).map_err(|_| damaged("not text"))?;
            let found = certificates(pem.as_bytes()).map_err(|why| damaged(&why))?;
            let der = found.first().ok_or_else(|| damaged("no certificate"))?.to_vec();
            let facts = facts(&der).ok_or_else(|| damaged("malformed"))?;
            if facts.not_after > unix(now + RENEW_BEFORE) {
                return Ok((CaCertificate { pem, der }, key));
            }
            warn!("the hub's own authority has grown old; devices must trust the new certs/ca.pem");
        }
        let mut params = ca_params(&key);
        set_life(&mut params, now, CA_LIFE);
        let ca = params.self_signed(&key)?;
        let ca = CaCertificate { pem: ca.pem(), der: ca.der().to_vec() };
        write_atomically(&self.ca_certificate, ca.pem.as_bytes(), 0o644)
            .map_err(|error| Error::file(&self.ca_certificate, error))?;
        info!(file = %self.ca_certificate.display(), "made the hub's own certificate authority");
        Ok((ca, key))
    }

    /// Makes the folder, readable by the owner only.
    pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| Error::file(folder, error))
    }
}

/// Everything but the dates, which do not matter for signing. The name follows from the key, so that
/// a device that trusts several hubs can tell them apart.
fn ca_params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id = params.key_identifier(key);
    let id: String = id.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Twin Hub {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A day back: the clocks of clients differ.
fn set_life(params: &mut CertificateParams, now: SystemTime, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_1970(now).saturating_sub(DAY);
    params.not_after = epoch + (since_1970(now) + life);
}

fn make_leaf(
    names: &[String],
    now: SystemTime,
    key: &KeyPair,
    ca_pem: &str,
    ca_key: KeyPair,
) -> Result<String, Error> {
    let mut all = names.to_vec();
    all.extend(LOOPBACK.map(|address| address.to_string()));
    let mut params = CertificateParams::new(all)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Twin Hub");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_life(&mut params, now, LEAF_LIFE);
    let leaf = params.signed_by(key, &Issuer::new(ca_params(&ca_key), ca_key))?;
    // One file, so that key and certificate cannot get apart.
    Ok(format!("{}{}{}", leaf.pem(), ca_pem, key.serialize_pem()))
}

const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];

/// True if the certificate is from this authority, lasts, and names exactly what it should.
fn serves(leaf: &Loaded, names: &[String], ca: &[u8], now: SystemTime) -> bool {
    let has: BTreeSet<&str> = leaf.facts.names.iter().map(String::as_str).collect();
    let wants: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    has == wants
        && LOOPBACK.iter().all(|address| leaf.facts.addresses.contains(address))
        && leaf.key.cert.get(1).is_some_and(|issuer| issuer.as_ref() == ca)
        && leaf.facts.not_before <= unix(now)
        && leaf.facts.not_after > unix(now + RENEW_BEFORE)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn unix(time: SystemTime) -> i64 {
    since_1970(time).as_secs() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls;
    use rustls_pki_types::{ServerName, UnixTime};
    use std::os::unix::fs::PermissionsExt as _;

    fn names(domains: &[&str]) -> Vec<String> {
        domains.iter().map(|&domain| domain.to_owned()).collect()
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn make(folder: &Path, domains: &[&str], now: SystemTime) -> Result<Loaded, Error> {
        Authority::new(folder).certificate_for(&names_of(&[], &names(domains)), now, &tls::provider())
    }

    /// What a client that trusts ca.pem says of the certificate.
    fn is_trusted(folder: &Path, leaf: &Loaded, name: &str, now: SystemTime) -> bool {
        let roots = crate::loaded::roots(&folder.join("ca.pem")).expect("ca.pem");
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), tls::provider())
                .build()
                .expect("verifier");
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        use rustls::client::danger::ServerCertVerifier as _;
        let (end, rest) = leaf.key.cert.split_first().expect("a chain");
        verifier
            .verify_server_cert(end, rest, &name, &[], UnixTime::since_unix_epoch(since_1970(now)))
            .is_ok()
    }

    #[test]
    fn the_certificate_names_every_domain_and_is_trusted_through_the_authority() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let leaf = make(folder.path(), &["example.org", "例子.测试"], now()).expect("made");
        for name in [
            "localhost",
            "127.0.0.1",
            "::1",
            "example.org",
            "mail.example.org",
            "autoconfig.example.org",
            "mail.xn--fsqu00a.xn--0zwm56d",
        ] {
            assert!(is_trusted(folder.path(), &leaf, name, now()), "{name}");
        }
        assert!(!is_trusted(folder.path(), &leaf, "example.net", now()));
        for (file, mode) in [("ca.key", 0o600), ("hub.pem", 0o600), ("ca.pem", 0o644)] {
            let data = fs::metadata(folder.path().join(file)).expect(file);
            assert_eq!(data.permissions().mode() & 0o777, mode, "{file}");
        }
    }

    #[test]
    fn names_are_ascii_and_each_once() {
        let names = names_of(&names(&["mail.a.test", "[192.0.2.1]", "a b"]), &names(&["A.test", "ä.test"]));
        assert_eq!(
            names,
            [
                "a.test",
                "autoconfig.a.test",
                "autoconfig.xn--4ca.test",
                "autodiscover.a.test",
                "autodiscover.xn--4ca.test",
                "localhost",
                "mail.a.test",
                "mail.xn--4ca.test",
                "xn--4ca.test"
            ]
        );
    }

    #[test]
    fn kept_while_it_serves_and_made_anew_when_it_does_not() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path();
        let serial = |leaf: &Loaded| leaf.key.cert[0].to_vec();
        let first = make(path, &["a.test"], now()).expect("made");
        let again = make(path, &["a.test"], now() + 300 * DAY).expect("read");
        assert_eq!(serial(&first), serial(&again), "kept");

        let more = make(path, &["a.test", "b.test"], now()).expect("made");
        assert_ne!(serial(&first), serial(&more), "another domain");
        assert!(is_trusted(path, &more, "mail.b.test", now()));

        let later = now() + 380 * DAY;
        let renewed = make(path, &["a.test", "b.test"], later).expect("made");
        assert_ne!(serial(&more), serial(&renewed), "near its end");
        assert!(is_trusted(path, &renewed, "a.test", later + 300 * DAY));

        fs::write(path.join("hub.pem"), "rubbish").expect("writes");
        assert!(make(path, &["a.test"], now()).is_ok(), "a damaged leaf is replaced");

        let ca = fs::read(path.join("ca.pem")).expect("reads");
        let much_later = now() + 3640 * DAY;
        let last = make(path, &["a.test"], much_later).expect("made");
        assert_ne!(fs::read(path.join("ca.pem")).expect("reads"), ca, "the authority itself is old");
        assert!(is_trusted(path, &last, "a.test", much_later));
    }

    #[test]
    fn a_damaged_authority_is_named_and_left_alone() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path();
        make(path, &[], now()).expect("made");
        let key = fs::read(path.join("ca.key")).expect("reads");

        fs::write(path.join("ca.key"), "rubbish").expect("writes");
        let error = make(path, &[], now()).expect_err("damaged").to_string();
        assert!(error.contains("ca.key: this is not the authority's key"), "{error}");
        assert_eq!(fs::read(path.join("ca.key")).expect("reads"), b"rubbish");

        fs::remove_file(path.join("ca.key")).expect("removes");
        let error = make(path, &[], now()).expect_err("missing").to_string();
        assert!(error.contains("ca.key: missing, although ca.pem is there"), "{error}");

        fs::write(path.join("ca.key"), key).expect("writes");
        fs::write(path.join("ca.pem"), "rubbish").expect("writes");
        let error = make(path, &[], now()).expect_err("damaged").to_string();
        assert!(error.contains("ca.pem: damaged"), "{error}");
    }
}
