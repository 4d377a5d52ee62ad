//! A certificate from a public authority (ACME, RFC 8555), ordered and renewed while the hub runs.
//!
//! `account` is who the hub is to the authority, `client` the way there, `challenges` what proves that
//! a name leads here, `order` the fetching of one certificate, `schedule` when. Whatever fails, the
//! certificates in use stay, and the hub tries again.

mod account;
mod challenges;
mod client;
mod order;
mod schedule;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use instant_acme::CertificateIdentifier;
use rustls_pki_types::Der;
use tracing::{info, warn};

pub use challenges::{ALPN, Challenges, Method};

use crate::authority::{LEAF, ascii_name, unix};
use crate::der::{Facts, facts};
use crate::files::write_atomically;
use crate::host_key;
use crate::loaded::Loaded;
use crate::{Certs, Error};
use client::Client;
use schedule::{Backoff, renewal, within};
use trouble::Trouble;

/// What the owner of the hub decides about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The authority's directory (RFC 8555 §7.1.1), an https URL.
    pub directory: String,
    /// Where the authority may write to.
    pub contact: Option<String>,
    /// Names to have in the certificate; with none, those of the hub and its domains.
    pub names: Vec<String>,
    /// Certificates in PEM to trust besides the public ones, when talking to the authority.
    pub trust_roots: Vec<u8>,
    /// Ways to prove a name, tried in turn; at least one.
    pub methods: Vec<Method>,
}

/// The certificate and its key, in one file, so that they cannot get apart.
pub(crate) const CERTIFICATE: &str = "acme.pem";
/// Why the last attempt failed, for `twinhub check`.
const TROUBLE: &str = "acme-trouble";
/// Who gave the certificate: another directory's, such as that for trying out, is not kept.
const ISSUER: &str = "acme-directory";

/// An authority takes no more names in one certificate.
const MAX_NAMES: usize = 100;
/// Everything about one order; validation alone may take minutes.
const ORDER_TIME: Duration = Duration::from_secs(10 * 60);
/// The longest sleep: clocks are set, and machines wake up late.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);
/// So long a name is left out after the authority could not see it.
const LEAVE_OUT: i64 = 86_400;

/// Why the last attempt to get a certificate failed, if it did. `folder` is that of [`Certs`].
pub fn last_trouble(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join(TROUBLE)).ok()
}

/// The file of the certificate in `folder`, chain and key.
pub fn certificate_file(folder: &Path) -> PathBuf {
    folder.join(CERTIFICATE)
}

/// Keeps [`Certs`] supplied.
pub struct Acme {
    certs: Certs,
    folder: PathBuf,
    settings: Settings,
    client: Client,
    backoff: Backoff,
    /// Until when (Unix seconds) a name is not asked for.
    left_out: BTreeMap<String, i64>,
    /// What the authority advised for the certificate of this serial number: when to renew, and when to
    /// ask again.
    advice: Option<Advice>,
}

struct Advice {
    serial: Vec<u8>,
    renew_at: i64,
    ask_again_at: i64,
}

impl Acme {
    pub fn new(certs: Certs, settings: Settings) -> Result<Self, Error> {
        let client = Client::new(&settings.trust_roots)?;
        let folder = certs.folder().to_owned();
        let (backoff, left_out) = (Backoff::default(), BTreeMap::new());
        Ok(Self { certs, folder, settings, client, backoff, left_out, advice: None })
    }

    /// Orders whatever is missing or due, for ever. [`Certs::order_now`] ends a pause.
    pub async fn run(mut self) {
        loop {
            let pause = self.look(unix(SystemTime::now())).await;
            tokio::select! {
                () = tokio::time::sleep(pause.min(LOOK_AGAIN)) => {}
                () = self.certs.asked_to_order() => {
                    self.backoff = Backoff::default();
                    self.left_out.clear();
                }
            }
        }
    }

    /// Does what is due; says how long nothing is.
    async fn look(&mut self, now: i64) -> Duration {
        if let Some(pause) = self.backoff.pause(now) {
            return pause;
        }
        self.left_out.retain(|_, until| *until > now);
        let names = self.names();
        if names.is_empty() {
            return LOOK_AGAIN;
        }
        let due = match self.current() {
            Some((current, facts))
                if self.is_of_directory() && names.iter().all(|name| current.fits(name)) =>
            {
                self.renewal_time(&facts, now).await
            }
            _ => now,
        };
        if due > now {
            return within(due - now);
        }
        match self.fetch(&names).await {
            Ok(()) => {
                let lasts = |(got, facts): &(Loaded, Facts)| {
                    names.iter().all(|name| got.fits(name)) && renewal(facts) > unix(SystemTime::now())
                };
                if self.current().as_ref().is_some_and(lasts) {
                    self.backoff = Backoff::default();
                    self.report_success(&names);
                    return Duration::ZERO;
                }
                // Ordering the next at once would only use up what the authority allows.
                let pause = self.backoff.failed(now, schedule::Gravity::RateLimited);
                self.note(
                    "the new certificate lacks names or is due for renewal already; is the clock right?",
                );
                warn!(retry_in_s = pause.as_secs(), "the new certificate lacks names or is due already");
                pause
            }
            Err(trouble) => self.report_trouble(&trouble, now),
        }
    }

    /// The names to have in the certificate now.
    fn names(&self) -> Vec<String> {
        let mut names = match &self.settings.names[..] {
            [] => self.certs.public_names(),
            chosen => chosen.iter().filter_map(|name| ascii_name(name)).collect(),
        };
        names.retain(|name| !self.left_out.contains_key(name));
        if names.len() > MAX_NAMES {
            warn!(names = names.len(), "too many names for one certificate; set acme.names");
            names.truncate(MAX_NAMES);
        }
        names
    }

    /// Whether the certificate came from the directory that is asked now.
    fn is_of_directory(&self) -> bool {
        std::fs::read_to_string(self.folder.join(ISSUER)).is_ok_and(|known| known == self.settings.directory)
    }

    /// The certificate ordered before, if it can be used.
    fn current(&self) -> Option<(Loaded, Facts)> {
        let file = self.folder.join(CERTIFICATE);
        if !file.exists() {
            return None;
        }
        match Loaded::from_files(&file, &file, &crate::tls::provider()) {
            Ok(loaded) => {
                let facts = facts(loaded.key.cert.first()?)?;
                Some((loaded, facts))
            }
            Err(error) => {
                warn!(%error, "ordering the certificate anew");
                None
            }
        }
    }

    /// When to renew: when the authority advises it (RFC 9773), else at two thirds of its life.
    async fn renewal_time(&mut self, facts: &Facts, now: i64) -> i64 {
        let own = renewal(facts);
        let known = self.advice.as_ref().filter(|advice| advice.serial == facts.serial);
        if let Some(advice) = known.filter(|advice| advice.ask_again_at > now) {
            return advice.renew_at;
        }
        let Some(id) = identifier(facts) else { return own };
        let asked = async {
            let account = account::open(&self.folder, &self.settings, &self.client).await?;
            Ok::<_, Trouble>(account.renewal_info(&id).await?)
        };
        let (renew_at, pause) = match tokio::time::timeout(ORDER_TIME, asked).await {
            Ok(Ok((info, pause))) => {
                let window = info.suggested_window;
                let (start, end) = (window.start.unix_timestamp(), window.end.unix_timestamp());
                (schedule::pick(start, end, &facts.serial), schedule::advice_life(pause))
            }
            // Not every authority gives advice, and none has to be asked for it in time.
            Ok(Err(_)) | Err(_) => (own, schedule::NO_ADVICE),
        };
        let renew_at = renew_at.min(facts.not_after);
        let ask_again_at = now + pause.as_secs() as i64;
        self.advice = Some(Advice { serial: facts.serial.clone(), renew_at, ask_again_at });
        renew_at
    }

    /// Gets one certificate and shows it from the next handshake on.
    async fn fetch(&self, names: &[String]) -> Result<(), Trouble> {
        info!(names = names.join(" "), directory = self.settings.directory, "ordering a certificate");
        let replaced = self.current().and_then(|(_, facts)| identifier(&facts));
        let methods = &self.settings.methods;
        let method = methods.get(self.backoff.failures() as usize % methods.len().max(1));
        let method = *method.unwrap_or(&Method::Http01);
        let challenges = self.certs.challenges();
        let work = async {
            let account = account::open(&self.folder, &self.settings, &self.client).await?;
            let files = [&self.folder.join(CERTIFICATE), &self.folder.join(LEAF)];
            let key = host_key::of(files.map(PathBuf::as_path)).map_err(Error::from)?;
            let ordered = order::order(&account, names, method, challenges, &key, replaced).await;
            if ordered.as_ref().is_err_and(Trouble::is_unknown_account) {
                account::forget(&self.folder);
            }
            ordered
        };
        let pem = tokio::time::timeout(ORDER_TIME, work).await;
        challenges.clear();
        let pem = pem.map_err(|_| Trouble::Timeout)??;
        let file = self.folder.join(CERTIFICATE);
        write_atomically(&file, pem.as_bytes(), 0o600).map_err(|error| Error::file(&file, error))?;
        let issuer = self.folder.join(ISSUER);
        write_atomically(&issuer, self.settings.directory.as_bytes(), 0o600)
            .map_err(|error| Error::file(&issuer, error))?;
        let certs = self.certs.clone();
        let loaded = tokio::task::spawn_blocking(move || certs.refresh()).await;
        Ok(loaded.map_err(|_| Trouble::Timeout)??)
    }

    fn report_success(&self, names: &[String]) {
        let until = self.current().map_or(0, |(_, facts)| facts.not_after);
        info!(names = names.join(" "), not_after = until, "got a certificate");
        if self.left_out.is_empty() {
            let _ = std::fs::remove_file(self.folder.join(TROUBLE));
        }
    }

    /// Goes on without the names that the authority could not see, or later.
    fn report_trouble(&mut self, trouble: &Trouble, now: i64) -> Duration {
        self.note(&trouble.to_string());
        if let Trouble::Names(refused) = trouble
            && self.tried_every_method()
        {
            let refused: BTreeSet<&String> = refused.iter().map(|(name, _)| name).collect();
            let others = self.names().iter().any(|name| !refused.contains(name));
            if others {
                self.left_out.extend(refused.into_iter().map(|name| (name.clone(), now + LEAVE_OUT)));
                warn!(error = %trouble, "the authority does not vouch for some names; ordering without them");
                self.backoff = Backoff::default();
                return Duration::ZERO;
            }
        }
        let pause = self.backoff.failed(now, trouble.gravity());
        warn!(error = %trouble, retry_in_s = pause.as_secs(), "no certificate; those in use stay");
        pause
    }

    fn tried_every_method(&self) -> bool {
        self.backoff.failures() as usize + 1 >= self.settings.methods.len()
    }

    fn note(&self, why: &str) {
        let file = self.folder.join(TROUBLE);
        if let Err(error) = write_atomically(&file, why.as_bytes(), 0o600) {
            warn!(file = %file.display(), %error, "cannot be written");
        }
    }
}

/// What RFC 9773 §4.1 calls a certificate by.
fn identifier(facts: &Facts) -> Option<CertificateIdentifier<'static>> {
    let key = facts.authority_key.as_deref()?;
    let id = CertificateIdentifier::new(Der::from_slice(key), Der::from_slice(&facts.serial));
    Some(id.into_owned())
}

/// The names of the hub that the world may know: its own and, of each domain, where mail is read and
/// where programs and other servers look for settings.
pub(crate) fn names_of(hosts: &[String], domains: &[String]) -> Vec<String> {
    let mut names: Vec<String> = hosts.iter().filter_map(|host| ascii_name(host)).collect();
    for domain in domains {
        let prefixes = ["mail.", "autoconfig.", "mta-sts."];
        names.extend(prefixes.iter().filter_map(|prefix| ascii_name(&format!("{prefix}{domain}"))));
    }
    // No authority vouches for a name without a dot.
    names.retain(|name| name.contains('.'));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_the_world() {
        let text = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            names_of(&text(&["mail.a.test", "laptop", "[192.0.2.1]"]), &text(&["a.test", "ä.test"])),
            [
                "mail.a.test",
                "autoconfig.a.test",
                "mta-sts.a.test",
                "mail.xn--4ca.test",
                "autoconfig.xn--4ca.test",
                "mta-sts.xn--4ca.test",
            ]
        );
        assert!(names_of(&text(&["localhost"]), &[]).is_empty());
    }
}
