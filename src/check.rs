//! `twinhub check`: what is wrong with configuration, data, certificates and DNS, in sentences.
//! Works with and without a running server, and without a network.

mod acme;
mod dns;
mod lists;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use hub::Hub;
use hub_certs::Certificate;

use crate::admin::{self, Answer, Request};
use crate::control;
use crate::data_dir::{self, State};
use crate::setup::Setup;
use crate::text::{print, printable, time};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Fine,
    /// Works, but hardly as meant.
    Warning,
    /// Does not work.
    Wrong,
}

/// What was found, in the order of finding.
#[derive(Default)]
struct Report {
    text: String,
    wrong: usize,
    warnings: usize,
}

impl Report {
    fn heading(&mut self, title: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{gap}{title}\n"));
    }

    fn add(&mut self, level: Level, sentence: &str) {
        let mark = match level {
            Level::Fine => "ok      ",
            Level::Warning => "warning ",
            Level::Wrong => "WRONG   ",
        };
        match level {
            Level::Fine => {}
            Level::Warning => self.warnings += 1,
            Level::Wrong => self.wrong += 1,
        }
        for (n, line) in sentence.lines().enumerate() {
            self.text.push_str("  ");
            self.text.push_str(if n == 0 { mark } else { "        " });
            self.text.push_str(&printable(line));
            self.text.push('\n');
        }
    }

    fn finish(mut self) -> Result<ExitCode> {
        self.text.push_str(&match (self.wrong, self.warnings) {
            (0, 0) => "\nEverything is fine.\n".to_owned(),
            (0, warnings) => format!("\nNothing is wrong; warnings: {warnings}.\n"),
            (wrong, warnings) => format!("\nWrong: {wrong}; warnings: {warnings}.\n"),
        });
        print(&self.text)?;
        Ok(if self.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// With a configuration that cannot be read, that is all there is to say: everything else hangs on
/// it.
pub(crate) fn without_configuration(error: &anyhow::Error) -> Result<ExitCode> {
    let mut report = Report::default();
    report.heading("Configuration");
    report.add(Level::Wrong, &format!("{error:#}"));
    report.finish()
}

pub(crate) async fn run(setup: &Setup, domain: Option<&str>) -> Result<ExitCode> {
    let mut report = Report::default();
    if let Some(domain) = domain {
        let Some(domain) = hub::normal_domain(domain) else {
            bail!("\"{}\" is not a domain name", domain.escape_debug());
        };
        let host_name = setup.host_name(std::slice::from_ref(&domain));
        report.heading("DNS");
        dns::check(setup, &host_name, &[domain], &mut report).await;
        lists::check(setup, &host_name, &mut report).await;
        return report.finish();
    }
    report.heading("Configuration");
    match &setup.config_file {
        Some(file) => report.add(Level::Fine, &format!("{} is understood", file.display())),
        None => report.add(Level::Fine, "no hub.toml: every setting has its default"),
    }
    if let Err(error) = crate::settings::smtp(&setup.config, "localhost".to_owned()) {
        report.add(Level::Wrong, &format!("{error:#}"));
    }
    let mut domains = setup.config.general.domains.clone();
    report.heading("Data");
    if data_directory(setup, &mut report) {
        domains.extend(hosted_domains(setup, &mut report).await);
    }
    domains.sort();
    domains.dedup();
    let host_name = setup.host_name(&domains);
    report.heading("Certificates");
    certificates(setup, &host_name, &mut report);
    report.heading("DNS");
    dns::check(setup, &host_name, &domains, &mut report).await;
    lists::check(setup, &host_name, &mut report).await;
    report.finish()
}

/// True if there is a hub to be asked.
fn data_directory(setup: &Setup, report: &mut Report) -> bool {
    let path = &setup.data_dir;
    match data_dir::examine(path) {
        Err(error) => {
            report.add(Level::Wrong, &format!("{error:#}"));
            return false;
        }
        Ok(State::Absent | State::Fresh) => {
            report
                .add(Level::Fine, &format!("{} holds no hub yet; `twinhub serve` makes one", path.display()));
            return false;
        }
        Ok(State::Ours) => {}
    }
    let mut is_private = true;
    for (path, mode) in [
        (path.clone(), 0o700),
        (setup.hub_key_file(), 0o600),
        (setup.certificate_folder().join("ca.key"), 0o600),
        (setup.certificate_folder().join("hub.pem"), 0o600),
        (hub_certs::acme::certificate_file(&setup.certificate_folder()), 0o600),
    ] {
        if fs::metadata(&path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0) {
            is_private = false;
            let advice = format!("chmod {mode:o} {}", path.display());
            report.add(Level::Warning, &format!("{} is open to other users: {advice}", path.display()));
        }
    }
    if is_private {
        report.add(Level::Fine, &format!("{} is private to its owner", path.display()));
    }
    let key = setup.hub_key_file();
    if key.exists()
        && let Err(error) = hub_certs::hub_key(&key)
    {
        report.add(Level::Wrong, &error.to_string());
    }
    true
}

/// Asks the running server, or opens the storage, which finds damage.
async fn hosted_domains(setup: &Setup, report: &mut Report) -> Vec<String> {
    match control::ask(&setup.data_dir, &Request::Status).await {
        Ok(Some(Answer::Status { version, process })) => {
            report.add(Level::Fine, &format!("a hub runs on it (version {version}, process {process})"));
            if version != env!("CARGO_PKG_VERSION") {
                let text =
                    format!("this command has version {}, the server another", env!("CARGO_PKG_VERSION"));
                report.add(Level::Warning, &text);
            }
            match control::ask(&setup.data_dir, &Request::Damage).await {
                Ok(Some(Answer::Damage(found))) => say_damage(&found, report),
                Ok(Some(Answer::Failed(why))) => {
                    report.add(Level::Wrong, &format!("not checked for damage: {why}"))
                }
                _ => report.add(Level::Warning, "the server did not say whether anything is damaged"),
            }
            return match control::ask(&setup.data_dir, &Request::DomainList).await {
                Ok(Some(Answer::Domains(domains))) => domains,
                Ok(Some(Answer::Failed(why))) => {
                    report.add(Level::Wrong, &format!("the hub does not name its domains: {why}"));
                    Vec::new()
                }
                _ => Vec::new(),
            };
        }
        Ok(Some(_)) => {
            report.add(Level::Warning, "the server that runs on it is of another version than this command");
            return Vec::new();
        }
        Ok(None) => {}
        Err(error) => {
            report.add(Level::Wrong, &format!("a hub runs on it but cannot be asked: {error}"));
            return Vec::new();
        }
    }
    let storage = match hub_storage::Storage::open(setup.storage_options()).await {
        Ok(storage) => storage,
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("cannot open {}", setup.database_name()));
            report.add(Level::Wrong, &format!("{error:#}"));
            return Vec::new();
        }
    };
    let hub = match Hub::open(storage, setup.hub_settings()).await {
        Ok(hub) => hub,
        Err(error) => {
            report.add(Level::Wrong, &admin::explain(error));
            return Vec::new();
        }
    };
    match hub.find_damage().await {
        Ok(found) => say_damage(&found, report),
        Err(error) => report.add(Level::Wrong, &format!("not checked for damage: {}", admin::explain(error))),
    }
    let domains = match (hub.domains().await, hub.twins().await) {
        (Ok(domains), Ok(twins)) => {
            let counts = format!("{} domains, {} twins", domains.len(), twins.len());
            report.add(
                Level::Fine,
                &format!("{} opens: {counts}; no server runs on it", setup.database_name()),
            );
            domains
        }
        (Err(error), _) | (_, Err(error)) => {
            report.add(Level::Wrong, &admin::explain(error));
            Vec::new()
        }
    };
    hub.close().await;
    domains
}

fn say_damage(found: &[String], report: &mut Report) {
    if found.is_empty() {
        report.add(Level::Fine, "no damage found in the database and the large bodies");
    }
    for damage in found {
        report.add(Level::Wrong, &format!("damaged: {damage}\nrestore it from a backup"));
    }
}

fn certificates(setup: &Setup, host_name: &str, report: &mut Report) {
    let configured = &setup.config.tls.certificates;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    if setup.config.acme.agree_to_terms {
        return acme::check(setup, host_name, now, report);
    }
    if configured.is_empty() {
        let own = setup.certificate_folder().join("hub.pem");
        if !own.exists() {
            report.add(Level::Fine, "none yet; `twinhub serve` makes one of the hub's own");
            return;
        }
        examine_certificate(&own, &own, now, report);
        report.add(
            Level::Warning,
            "it is the hub's own: mail programs ask before they trust it, and other hosts do not at all\n\
             (a public one goes into hub.toml under [tls])",
        );
        return;
    }
    let found: Vec<Certificate> = configured
        .iter()
        .filter_map(|files| examine_certificate(&files.chain, &files.key, now, report))
        .collect();
    if !found.is_empty() && !found.iter().any(|certificate| certificate.fits(host_name)) {
        let text =
            format!("no certificate names {host_name}, which is how this hub calls itself (see hostname)");
        report.add(Level::Warning, &text);
    }
}

fn examine_certificate(chain: &Path, key: &Path, now: i64, report: &mut Report) -> Option<Certificate> {
    match Certificate::read(chain, key) {
        Ok(certificate) => {
            let (level, text) = judge_certificate(&certificate, now);
            report.add(level, &text);
            Some(certificate)
        }
        Err(error) => {
            report.add(Level::Wrong, &error.to_string());
            None
        }
    }
}

fn judge_certificate(certificate: &Certificate, now: i64) -> (Level, String) {
    const TWO_WEEKS: i64 = 14 * 86_400;
    let path = certificate.path.display();
    let (from, until) = (time(certificate.not_before), time(certificate.not_after));
    if certificate.not_after <= now {
        (Level::Wrong, format!("{path} is good for nothing since {until}"))
    } else if certificate.not_before > now {
        (Level::Wrong, format!("{path} is good only from {from} on; is this machine's clock right?"))
    } else if certificate.not_after <= now + TWO_WEEKS {
        (Level::Warning, format!("{path} ends soon, on {until}"))
    } else {
        (Level::Fine, format!("{path} is good until {until} for {}", certificate.names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;
    use std::path::PathBuf;

    fn setup(data_dir: &Path) -> Setup {
        let global = Global { data_dir: Some(data_dir.to_owned()), database: None, config: None, log: None };
        Setup::load(&global).expect("loads")
    }

    #[test]
    fn certificates_are_judged_by_their_dates() {
        const DAY: i64 = 86_400;
        let certificate = Certificate {
            path: PathBuf::from("a.pem"),
            names: vec!["a.test".into()],
            not_before: 10 * DAY,
            not_after: 100 * DAY,
            key_hash: String::new(),
        };
        for (now, level, expected) in [
            (9 * DAY, Level::Wrong, "good only from 1970-01-11"),
            (50 * DAY, Level::Fine, "good until 1970-04-11 00:00 for a.test"),
            (87 * DAY, Level::Warning, "ends soon"),
            (100 * DAY, Level::Wrong, "good for nothing"),
        ] {
            let (found, text) = judge_certificate(&certificate, now);
            assert_eq!(found, level, "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }

    #[tokio::test]
    async fn an_absent_directory_stays_absent_and_a_foreign_one_is_wrong() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let mut report = Report::default();
        assert!(!data_directory(&setup(&folder.path().join("none")), &mut report));
        assert_eq!((report.wrong, report.warnings), (0, 0));
        assert!(!folder.path().join("none").exists());

        fs::write(folder.path().join("thesis.tex"), "x").expect("writes");
        assert!(!data_directory(&setup(folder.path()), &mut report));
        assert_eq!(report.wrong, 1);
        assert!(report.text.contains("thesis.tex"), "{}", report.text);
    }

    #[tokio::test]
    async fn open_permissions_and_damage_are_found() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path().join("data");
        data_dir::ensure(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("changes");
        fs::write(path.join("hub.key"), "rubbish").expect("writes");
        fs::write(path.join("hub.db"), "this is no database, but long enough to be read as one".repeat(100))
            .expect("writes");
        let setup = setup(&path);
        let mut report = Report::default();
        assert!(data_directory(&setup, &mut report));
        assert!(report.text.contains(&format!("chmod 700 {}", path.display())), "{}", report.text);
        assert!(report.text.contains("hub.key: this is not the hub's key"), "{}", report.text);
        assert!(hosted_domains(&setup, &mut report).await.is_empty());
        assert!(report.text.contains("hub.db is not a sound SQLite database"), "{}", report.text);
        assert_eq!((report.wrong, report.warnings > 0), (2, true));
    }
}
