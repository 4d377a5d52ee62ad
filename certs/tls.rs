//! TLS configurations for our listeners, with certificates that can change under way.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use hub_config::CertificateFiles;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use tracing::info;

use crate::acme::{self, Challenges};
use crate::authority::{Authority, names_of, unix};
use crate::loaded::{Loaded, Stamp};
use crate::{Certificate, Error};

/// The one crypto provider of this program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub struct Options {
    /// Where the hub keeps certificates of its own.
    pub folder: PathBuf,
    /// Files from the configuration; with none, the hub makes a certificate itself.
    pub configured: Vec<CertificateFiles>,
    /// Names of the hub itself, for a self-made certificate.
    pub hosts: Vec<String>,
    /// Mail domains that a self-made certificate names, with `mail.`, `autoconfig.` and
    /// `autodiscover.` of each.
    pub domains: Vec<String>,
    /// Show the certificate that [`acme::Acme`] fetches, as soon as there is one.
    pub acme: bool,
}

/// The certificates that this hub shows. Cheap to clone.
#[derive(Clone)]
pub struct Certs(Arc<Inner>);

struct Inner {
    configured: Vec<CertificateFiles>,
    hosts: Vec<String>,
    folder: PathBuf,
    authority: Authority,
    acme: bool,
    challenges: Challenges,
    order_now: Notify,
    provider: Arc<CryptoProvider>,
    state: Mutex<State>,
    shown: Arc<Shown>,
}

struct State {
    domains: Vec<String>,
    stamps: Vec<Stamp>,
}

impl Certs {
    /// Loads the configured certificates, or makes one.
    pub fn open(options: Options) -> Result<Self, Error> {
        let Options { folder, configured, hosts, domains, acme } = options;
        if configured.is_empty() {
            Authority::make_folder(&folder)?;
        }
        let challenges = Challenges::default();
        let shown = Shown { certificates: ArcSwap::default(), challenges: challenges.clone() };
        let inner = Inner {
            configured,
            hosts,
            authority: Authority::new(&folder),
            folder,
            acme,
            challenges,
            order_now: Notify::new(),
            provider: provider(),
            state: Mutex::new(State { domains, stamps: Vec::new() }),
            shown: Arc::new(shown),
        };
        let certs = Self(Arc::new(inner));
        certs.load(&mut certs.state(), SystemTime::now())?;
        Ok(certs)
    }

    /// A configuration for listeners. It stays good for ever: certificates change within it.
    ///
    /// A client that names protocols (ALPN, RFC 7301) without one of `protocols` is refused: so a
    /// browser cannot be talked into speaking to a mail port (the ALPACA attack). Mail programs name
    /// none. Of several, the first that the client knows is taken.
    pub fn server_config(&self, protocols: &[&str]) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0.shown) as _);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        // Mail programs reconnect often; a ticket spares them and us the key exchange's signature.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Arc::new(config))
    }

    /// Names other domains in a self-made certificate, from the next handshake on.
    pub fn set_domains(&self, domains: Vec<String>) -> Result<(), Error> {
        let mut state = self.state();
        state.domains = domains;
        self.order_now();
        if self.0.configured.is_empty() { self.load(&mut state, SystemTime::now()) } else { Ok(()) }
    }

    /// Looks for changed files and for a self-made certificate near its end. On an error the old
    /// certificates stay in use.
    pub fn refresh(&self) -> Result<(), Error> {
        let mut state = self.state();
        let has_changed = self.stamps() != state.stamps;
        if has_changed || self.0.configured.is_empty() {
            self.load(&mut state, SystemTime::now())?;
            if has_changed {
                info!("certificates reloaded");
            }
        }
        Ok(())
    }

    /// The PEM file that a client must trust: the own authority's, or else the configured chain.
    pub fn authority(&self) -> &Path {
        self.0.configured.first().map_or(self.0.authority.certificate(), |files| &files.chain)
    }

    pub fn is_self_made(&self) -> bool {
        self.0.configured.is_empty() && self.0.shown.certificates.load().len() < 2
    }

    /// Proofs for a public authority that comes to look.
    pub fn challenges(&self) -> &Challenges {
        &self.0.challenges
    }

    /// Ends a pause of [`acme::Acme`].
    pub fn order_now(&self) {
        self.0.order_now.notify_one();
    }

    pub(crate) async fn asked_to_order(&self) {
        self.0.order_now.notified().await;
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The names that a public authority is asked for.
    pub(crate) fn public_names(&self) -> Vec<String> {
        acme::names_of(&self.0.hosts, &self.state().domains)
    }

    /// The certificates in use.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.0.shown.certificates.load().iter().map(Loaded::shown).collect()
    }

    fn load(&self, state: &mut State, now: SystemTime) -> Result<(), Error> {
        let inner = &self.0;
        // Taken before reading: a change in between is seen the next time.
        let stamps = self.stamps();
        let loaded = if inner.configured.is_empty() {
            let names = names_of(&inner.hosts, &state.domains);
            let own = inner.authority.certificate_for(&names, now, &inner.provider)?;
            self.ordered(now).into_iter().chain([own]).collect()
        } else {
            let load =
                |files: &CertificateFiles| Loaded::from_files(&files.chain, &files.key, &inner.provider);
            inner.configured.iter().map(load).collect::<Result<_, _>>()?
        };
        inner.shown.certificates.store(Arc::new(loaded));
        state.stamps = stamps;
        Ok(())
    }

    /// What a public authority gave, while it is good; if it cannot be read, it is ordered anew.
    fn ordered(&self, now: SystemTime) -> Option<Loaded> {
        let file = self.0.folder.join(acme::CERTIFICATE);
        if !self.0.acme || !file.exists() {
            return None;
        }
        let loaded = Loaded::from_files(&file, &file, &self.0.provider).ok()?;
        (loaded.facts.not_after > unix(now)).then_some(loaded)
    }

    fn stamps(&self) -> Vec<Stamp> {
        self.0.configured.iter().flat_map(|files| [Stamp::of(&files.chain), Stamp::of(&files.key)]).collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is shown to clients, best first, and to a public authority.
struct Shown {
    certificates: ArcSwap<Vec<Loaded>>,
    challenges: Challenges,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: who names this protocol names no other, and wants the proof or nothing.
        if hello.alpn().is_some_and(|mut named| named.any(|name| name == acme::ALPN.as_bytes())) {
            return self.challenges.certificate(hello.server_name()?);
        }
        let shown = self.certificates.load();
        let fitting = hello.server_name().and_then(|name| shown.iter().find(|loaded| loaded.fits(name)));
        // Without a fitting name the client decides what it thinks of the first.
        fitting.or(shown.first()).map(|loaded| Arc::clone(&loaded.key))
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.certificates.load().iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{ClientConfig, ClientConnection, ServerConnection};
    use rustls_pki_types::ServerName;
    use std::fs;

    fn write_certificate(folder: &Path, name: &str) -> CertificateFiles {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("certificate");
        let files = CertificateFiles {
            chain: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        fs::write(&files.chain, made.cert.pem()).expect("writes");
        fs::write(&files.key, made.signing_key.serialize_pem()).expect("writes");
        files
    }

    fn options(folder: &Path, configured: Vec<CertificateFiles>, domains: &[&str]) -> Options {
        let domains = domains.iter().map(|&domain| domain.to_owned()).collect();
        Options {
            folder: folder.join("certs"),
            configured,
            hosts: vec!["hub.test".into()],
            domains,
            acme: false,
        }
    }

    /// A handshake in memory with a client that trusts `roots`.
    fn handshake(certs: &Certs, roots: &Path, name: &str, alpn: &[&str]) -> Result<(), rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(crate::loaded::roots(roots).expect("roots"))
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name)?;
        let mut server = ServerConnection::new(certs.server_config(&["imap"]).expect("config"))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).expect("memory");
            server.read_tls(&mut bytes.as_slice()).expect("memory");
            server.process_new_packets()?;
            bytes.clear();
            server.write_tls(&mut bytes).expect("memory");
            client.read_tls(&mut bytes.as_slice()).expect("memory");
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn a_self_made_certificate_serves_new_domains_without_restart() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let certs = Certs::open(options(folder.path(), vec![], &["a.test"])).expect("opens");
        assert!(certs.is_self_made());
        let roots = certs.authority().to_owned();
        for host in ["localhost", "hub.test"] {
            assert!(handshake(&certs, &roots, host, &[]).is_ok(), "{host}");
        }
        assert!(handshake(&certs, &roots, "mail.a.test", &[]).is_ok());
        assert!(handshake(&certs, &roots, "mail.b.test", &[]).is_err());
        certs.set_domains(vec!["a.test".into(), "b.test".into()]).expect("made anew");
        assert!(handshake(&certs, &roots, "mail.b.test", &[]).is_ok());
        let names = certs.certificates().remove(0).names;
        assert!(
            names.contains(&"autoconfig.b.test".to_owned()) && names.contains(&"::1".to_owned()),
            "{names:?}"
        );
    }

    #[test]
    fn clients_of_other_protocols_are_refused() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let certs = Certs::open(options(folder.path(), vec![], &[])).expect("opens");
        let roots = certs.authority().to_owned();
        assert!(handshake(&certs, &roots, "localhost", &["imap"]).is_ok());
        assert!(handshake(&certs, &roots, "localhost", &["h2", "http/1.1"]).is_err());
    }

    #[test]
    fn the_certificate_that_names_the_host_is_shown() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let (a, b) = (write_certificate(folder.path(), "a.test"), write_certificate(folder.path(), "b.test"));
        let certs = Certs::open(options(folder.path(), vec![a.clone(), b.clone()], &[])).expect("opens");
        assert!(handshake(&certs, &a.chain, "a.test", &[]).is_ok());
        assert!(handshake(&certs, &b.chain, "b.test", &[]).is_ok());
        assert!(handshake(&certs, &b.chain, "a.test", &[]).is_err(), "b's authority did not sign a's");
        assert!(!folder.path().join("certs").exists(), "nothing is made that is not needed");
    }

    #[test]
    fn changed_files_are_picked_up_and_damaged_ones_are_not() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let files = write_certificate(folder.path(), "a.test");
        let old = folder.path().join("old.pem");
        fs::copy(&files.chain, &old).expect("copies");
        let certs = Certs::open(options(folder.path(), vec![files.clone()], &[])).expect("opens");
        assert!(handshake(&certs, &old, "a.test", &[]).is_ok());

        fs::write(&files.key, "rubbish").expect("writes");
        let error = certs.refresh().expect_err("damaged").to_string();
        assert!(error.contains("a.test.key: no private key"), "{error}");
        assert!(handshake(&certs, &old, "a.test", &[]).is_ok(), "the old one stays");

        write_certificate(folder.path(), "a.test");
        certs.refresh().expect("loads");
        assert!(handshake(&certs, &files.chain, "a.test", &[]).is_ok());
        assert!(handshake(&certs, &old, "a.test", &[]).is_err());
    }

    #[test]
    fn missing_files_are_an_error_at_start() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let files = CertificateFiles { chain: "/nowhere/a.pem".into(), key: "/nowhere/a.key".into() };
        let error = Certs::open(options(folder.path(), vec![files], &[])).err().expect("fails").to_string();
        assert!(error.starts_with("/nowhere/a.pem: No such file"), "{error}");
    }
}
