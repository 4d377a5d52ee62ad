//! `twinhub serve`: opens the storage, builds the hub, starts listeners and workers, drains on a
//! signal.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use hub::identity::SecretKey;
use hub::{Address, Hub, Secret};
use hub_certs::Certs;
use hub_certs::acme::Acme;
use hub_channel::Phonebook;
use hub_https::Reach;
use hub_mailauth::Authenticator;
use hub_storage::Storage;
use hub_web::Services;
use hub_wire::ListenOptions;
use hub_wire::limits::LoginDelay;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::{self, Answer, Request};
use crate::banner::Banner;
use crate::cli::Serve;
use crate::listeners::{Bound, Kind, bind};
use crate::setup::Setup;
use crate::{acme, control, data_dir, reports, rules, services, settings, text};

/// How often changed certificate files are looked for.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(30);
/// How often signing keys are looked after.
const KEY_CHECK: Duration = Duration::from_secs(3600);

pub(crate) async fn run(setup: &Setup, options: &Serve) -> Result<()> {
    if let Some(file) = &options.ready_file {
        forget_ready_file(file)?;
    }
    let mut signals = Signals::new()?;
    data_dir::ensure(&setup.data_dir)?;
    raise_file_limit();
    let storage = Storage::open(setup.storage_options());
    let storage = storage.await.with_context(|| format!("cannot open {}", setup.database_name()))?;
    let hub = Hub::open(storage, setup.hub_settings()).await.map_err(described)?;
    let result = serve(setup, options, &hub, &mut signals).await;
    hub.close().await;
    if let Some(file) = &options.ready_file {
        forget_ready_file(file)?;
    }
    result
}

async fn serve(setup: &Setup, options: &Serve, hub: &Hub, signals: &mut Signals) -> Result<()> {
    host_configured_domains(setup, hub).await?;
    let newcomer = match &options.first_twin {
        Some(address) => make_first_twin(hub, address).await?,
        None => None,
    };
    let domains = hub.domains().await.map_err(described)?;
    for domain in &domains {
        hub.ensure_keys(domain)
            .await
            .map_err(described)
            .with_context(|| format!("signing keys of {domain}"))?;
    }
    if let Some(folder) = &setup.config.rules.global_scripts {
        rules::load(hub, folder).await?;
    }
    let host_name = setup.host_name(&domains);
    let hub_key = SecretKey::from_pkcs8(&hub_certs::hub_key(&setup.hub_key_file())?.serialize_der());
    let hub_key = hub_key.context("the hub's key cannot be used")?;
    let certs = Certs::open(hub_certs::Options {
        folder: setup.certificate_folder(),
        configured: setup.config.tls.certificates.clone(),
        hosts: vec![host_name.clone()],
        domains,
        acme: setup.config.acme.agree_to_terms,
    })?;
    let listen = &setup.config.listen;
    let bound = bind(listen, options.ephemeral_ports)?;
    if bound.is_empty() {
        bail!("every listener is switched off in hub.toml");
    }
    let services = services::bound(&setup.config, &bound);
    let control = control::listen(&setup.data_dir)
        .with_context(|| format!("cannot make the control socket in {}", setup.data_dir.display()))?;

    let shutdown = CancellationToken::new();
    let banner =
        Banner { setup, hub, certs: &certs, bound: &bound, services: &services, host_name: &host_name };
    let banner = banner.text(newcomer).await?;
    let ready = ready_text(&bound, certs.authority())?;
    let phonebook = phonebook(setup, hub)?;
    let outside = Outside { services, host_name, key: hub_key };
    let mut tasks = start(setup, hub, &certs, bound, outside, &shutdown)?;
    let administration = tokio::spawn(administer(control, hub.clone(), certs.clone(), phonebook));
    text::print(&banner)?;
    info!("ready");
    // Last: who waits for the file finds everything said and done.
    if let Some(file) = &options.ready_file {
        write_ready_file(file, &ready)?;
    }

    let result = tokio::select! {
        signal = stop(&mut signals.interrupt, &mut signals.terminate) => {
            info!(signal, "stopping; connections may finish");
            Ok(())
        }
        Some(ended) = tasks.join_next() => Err(match ended {
            Err(error) => anyhow!(error).context("a part of the hub broke down"),
            Ok(()) => anyhow!("a part of the hub ended by itself"),
        }),
        () = watch_certificates(&certs, &mut signals.hang_up) => Ok(()),
    };
    shutdown.cancel();
    administration.abort();
    control::remove(&setup.data_dir);
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => info!("stopped"),
        _ = signals.terminate.recv() => warn!("stopped without waiting for connections"),
        _ = signals.interrupt.recv() => warn!("stopped without waiting for connections"),
    }
    result
}

fn described(error: hub::Error) -> anyhow::Error {
    anyhow::Error::msg(admin::explain(error))
}

async fn host_configured_domains(setup: &Setup, hub: &Hub) -> Result<()> {
    for domain in &setup.config.general.domains {
        match hub.add_domain(domain).await {
            Ok(()) => info!(domain, "hosting the domain from the configuration"),
            Err(hub::Error::Exists(_)) => {}
            Err(error) => return Err(described(error).context(format!("domains: {domain}"))),
        }
    }
    Ok(())
}

/// Makes the first twin of an empty hub, and its domain; `None` if somebody lives here already.
async fn make_first_twin(hub: &Hub, address: &str) -> Result<Option<(Address, Secret)>> {
    if !hub.twins().await.map_err(described)?.is_empty() {
        return Ok(None);
    }
    let address = Address::parse(address).map_err(described).context("--first-twin")?;
    match hub.add_domain(address.domain()).await {
        Ok(()) | Err(hub::Error::Exists(_)) => {}
        Err(error) => return Err(described(error).context("--first-twin")),
    }
    let password = Secret::generate().map_err(described)?;
    hub.add_twin(&address, &password).await.map_err(described).context("--first-twin")?;
    Ok(Some((address, password)))
}

/// Who the hub is to others.
struct Outside {
    services: Services,
    host_name: String,
    /// The hub's own key.
    key: SecretKey,
}

/// Starts a task per listener and the queue's worker. None of them ends before the shutdown.
fn start(
    setup: &Setup,
    hub: &Hub,
    certs: &Certs,
    bound: Vec<Bound>,
    outside: Outside,
    shutdown: &CancellationToken,
) -> Result<JoinSet<()>> {
    let Outside { services, host_name, key } = outside;
    let channel = channel(hub, key, services.clone());
    let limits = &setup.config.limits;
    let imap_tls = certs.server_config(&["imap"])?;
    let sieve_tls = certs.server_config(&[])?;
    let web_tls = certs.server_config(hub_web::ALPN)?;
    // One count of failed log-ins for all doors.
    let spared = settings::spared(&setup.config);
    let login_delay = Arc::new(LoginDelay::sparing(spared.clone()));
    let imap = Arc::new(hub_imap::Service::new(
        hub.clone(),
        Arc::clone(&imap_tls),
        settings::imap(limits),
        Arc::clone(&login_delay),
    ));
    let sieve = Arc::new(hub_managesieve::Service::new(
        hub.clone(),
        Arc::clone(&sieve_tls),
        settings::managesieve(limits),
        Arc::clone(&login_delay),
    ));
    let dns = Arc::new(settings::dns(&setup.config.resolver)?);
    let authenticator = Authenticator::new(host_name.clone(), Arc::clone(&dns))
        .with_lists(settings::lists(&setup.config.dnsbl));
    let smtp = Arc::new(hub_smtp::Service {
        hub: hub.clone(),
        tls: certs.server_config(&["smtp"])?,
        login_delay: Arc::clone(&login_delay),
        authenticator: setup.config.authentication.check.then(|| authenticator.clone()),
        settings: Arc::new(settings::smtp(&setup.config, host_name)?),
        dns,
    });
    let challenges = certs.challenges().clone();
    let challenges = Box::new(move |token: &str| challenges.file(token));
    let oauth = Arc::new(hub_oauth::Service::new(hub.clone(), Arc::clone(&login_delay)));
    let pages = Arc::new(hub_pages::Service::new(hub.clone(), Arc::clone(&login_delay)));
    let dav = Arc::new(hub_dav::Service { hub: hub.clone(), delays: Arc::clone(&login_delay) });
    let ports = hub_twin::Ports { http: services.ports.http, https: services.ports.https };
    let twin = Arc::new(hub_twin::Service::new(hub.clone(), login_delay, ports));
    let mounts: Vec<Arc<dyn hub_wire::http::Mount>> = vec![oauth, channel, dav, pages, twin];
    let web = Arc::new(hub_web::Service { hub: hub.clone(), services, challenges, mounts });
    let mut tasks = JoinSet::new();
    if let Some(settings) = acme::settings(&setup.config)? {
        let acme = Acme::new(certs.clone(), settings)?;
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            shutdown.run_until_cancelled(acme.run()).await;
        });
    }
    for Bound { kind, address, listener } in bound {
        let tls = match kind {
            Kind::Http | Kind::Https => &web_tls,
            Kind::Imap | Kind::Imaps => &imap_tls,
            Kind::ManageSieve => &sieve_tls,
            Kind::Lmtp | Kind::Smtp | Kind::Submission | Kind::Submissions => &smtp.tls,
        };
        let options = ListenOptions {
            name: kind.name(),
            implicit_tls: kind.is_implicit_tls().then(|| Arc::clone(tls)),
            max_connections: limits.connections,
            max_per_address: limits.connections_per_address,
            max_per_minute: setup.config.rates.connections_per_minute,
            spared: spared.clone(),
            proxies: kind.proxies(&setup.config.proxy).clone(),
            refusal: kind.refusal(),
        };
        info!(listener = kind.name(), %address, "listening");
        let shutdown = shutdown.clone();
        match kind {
            Kind::Http | Kind::Https => {
                tasks.spawn(hub_web::serve(listener, options, Arc::clone(&web), shutdown));
            }
            Kind::Imap | Kind::Imaps => {
                tasks.spawn(hub_imap::serve(listener, options, Arc::clone(&imap), shutdown));
            }
            Kind::ManageSieve => {
                let sieve = Arc::clone(&sieve);
                tasks.spawn(hub_managesieve::serve(listener, options, sieve, shutdown));
            }
            Kind::Lmtp | Kind::Smtp | Kind::Submission | Kind::Submissions => {
                let port = match kind {
                    Kind::Lmtp => hub_smtp::Kind::Lmtp,
                    Kind::Smtp => hub_smtp::Kind::Mx,
                    _ => hub_smtp::Kind::Submission,
                };
                tasks.spawn(hub_smtp::serve(listener, options, port, Arc::clone(&smtp), shutdown));
            }
        }
    }
    let kinds = [
        (setup.config.authentication.reports, hub::ReportKind::Dmarc),
        (setup.config.outbound.tls_reports, hub::ReportKind::Tls),
    ];
    let kinds = kinds.into_iter().filter_map(|(wanted, kind)| wanted.then_some(kind)).collect();
    let reporter = reports::Reporter {
        hub: hub.clone(),
        authenticator: authenticator.clone(),
        https: hub_https::Https::new(Arc::clone(&smtp.dns), &smtp.settings.trust_roots, 443)
            .map_err(|error| anyhow!("tls.trust_roots: {error}"))?,
    };
    tasks.spawn(reports::run(reporter, kinds, shutdown.clone()));
    let key_age = i64::try_from(setup.config.authentication.key_age.as_secs()).ok().filter(|age| *age > 0);
    tasks.spawn(tend_keys(hub.clone(), authenticator, key_age, shutdown.clone()));
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        hub_smtp::outbound::run(smtp, shutdown.clone()).await;
        shutdown.cancelled().await;
    });
    Ok(tasks)
}

/// What other hubs ask of this one.
fn channel(hub: &Hub, key: SecretKey, services: Services) -> Arc<hub_channel::Service> {
    let api = move |domain: &str| Some(services.https_origin(&services.host(domain))? + "/twin/v1");
    Arc::new(hub_channel::Service::new(hub.clone(), key, Box::new(api)))
}

/// The way to ask other hubs.
fn phonebook(setup: &Setup, hub: &Hub) -> Result<Phonebook> {
    let config = &setup.config;
    let roots = match &config.tls.trust_roots {
        Some(path) => hub_certs::authorities(path).context("tls.trust_roots")?,
        None => Vec::new(),
    };
    let dns = Arc::new(settings::dns(&config.resolver)?);
    let https = hub_https::Https::new(dns, &roots, config.twins.port)
        .map_err(|error| anyhow!("tls.trust_roots: {error}"))?;
    let reach = if config.twins.private_networks { Reach::Anywhere } else { Reach::PublicInternet };
    Ok(Phonebook::new(hub.clone(), https.within(reach)))
}

/// Does what is due with signing keys and with the records of twins, until the shutdown.
async fn tend_keys(
    hub: Hub,
    authenticator: Authenticator,
    key_age: Option<i64>,
    shutdown: CancellationToken,
) {
    loop {
        let authenticator = &authenticator;
        let published =
            |name: String, record: String| async move { authenticator.publishes(&name, &record).await };
        if let Err(error) = hub.tend_keys(published, key_age).await {
            warn!(error = admin::explain(error), "signing keys were not looked after");
        }
        if let Err(error) = hub.renew_identities().await {
            warn!(error = admin::explain(error), "records of twins were not renewed");
        }
        tokio::select! {
            () = tokio::time::sleep(KEY_CHECK) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Answers the control socket. A new domain is in the certificate before its adding is answered.
async fn administer(listener: tokio::net::UnixListener, hub: Hub, certs: Certs, phonebook: Phonebook) {
    let keeper = hub.clone();
    let transfer = move |stream| {
        let hub = keeper.clone();
        async move {
            if let Err(error) = hub_transfer::keep(&hub, stream).await {
                warn!(%error, "a transfer broke off; what it committed stays");
            }
        }
    };
    let answer = move |request| {
        let (hub, certs, phonebook) = (hub.clone(), certs.clone(), phonebook.clone());
        async move {
            let request = match request {
                Request::Phonebook { what } => {
                    let answer = crate::phonebook::execute(&hub, &phonebook, what).await;
                    return answer.unwrap_or_else(Answer::Failed);
                }
                other => other,
            };
            let is_domain = matches!(request, Request::DomainAdd { .. });
            let answer = admin::run(&hub, request).await;
            if is_domain
                && matches!(answer, Answer::Done)
                && let Err(error) = name_domains(&hub, &certs).await
            {
                warn!(error = format!("{error:#}"), "the certificate does not name the new domain");
            }
            answer
        }
    };
    control::serve(listener, answer, transfer).await;
}

async fn name_domains(hub: &Hub, certs: &Certs) -> Result<()> {
    let domains = hub.domains().await.map_err(described)?;
    let certs = certs.clone();
    tokio::task::spawn_blocking(move || certs.set_domains(domains)).await??;
    Ok(())
}

/// Reads certificates again when their files changed, or at once on SIGHUP. Never returns.
async fn watch_certificates(certs: &Certs, hang_up: &mut Signal) {
    loop {
        let asked = tokio::select! {
            _ = tokio::time::sleep(CERTIFICATE_CHECK) => false,
            _ = hang_up.recv() => true,
        };
        if asked {
            certs.order_now();
        }
        let certs = certs.clone();
        match tokio::task::spawn_blocking(move || certs.refresh()).await {
            Ok(Ok(())) if asked => info!("certificates are up to date"),
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(%error, "certificates cannot be read; the old ones stay in use"),
            Err(error) => error!(%error, "the reading of certificates broke down"),
        }
    }
}

struct Signals {
    hang_up: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            hang_up: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }
}

async fn stop(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// A connection is a file, and the usual soft limit of 1024 is for programs that use select.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "the number of open files cannot be raised; many connections may be refused");
    }
}

/// `{"smtp":"127.0.0.1:2525",…,"ca":"…"}`: the first address of each listener, and the PEM file that
/// a client must trust. Kept stable for scripts; keys are only added.
fn ready_text(bound: &[Bound], authority: &Path) -> Result<String> {
    let mut object = serde_json::Map::new();
    for Bound { kind, address, .. } in bound {
        object.entry(kind.name()).or_insert_with(|| address.to_string().into());
    }
    let authority = std::path::absolute(authority)?;
    object.insert("ca".to_owned(), authority.to_string_lossy().into());
    Ok(serde_json::to_string(&object)? + "\n")
}

fn write_ready_file(path: &Path, text: &str) -> Result<()> {
    let written = if is_special(path) {
        fs::File::options().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()))
    } else {
        hub_certs::write_atomically(path, text.as_bytes(), 0o644)
    };
    written.with_context(|| format!("cannot write the ready file {}", path.display()))
}

/// One from an earlier run would be believed.
fn forget_ready_file(path: &Path) -> Result<()> {
    if is_special(path) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the old ready file {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A device or a pipe, such as /dev/stdout, must be neither removed nor replaced.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| !data.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_ready_file_names_every_listener_and_the_authority() {
        let bound = bind(&hub_config::Listen::default(), true).expect("binds");
        let text = ready_text(&bound, Path::new("/d/ca.pem")).expect("text");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for Bound { kind, address, .. } in &bound {
            assert_eq!(json[kind.name()], address.to_string());
        }
        assert_eq!(json["ca"], "/d/ca.pem");
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(10), "nothing that nobody answers");
    }

    #[test]
    fn ready_files_are_replaced_but_devices_are_not() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = folder.path().join("ready.json");
        forget_ready_file(&file).expect("none is fine");
        write_ready_file(&file, "{}\n").expect("writes");
        assert_eq!(fs::read_to_string(&file).expect("reads"), "{}\n");
        forget_ready_file(&file).expect("removes");
        assert!(!file.exists());
        let null = Path::new("/dev/null");
        forget_ready_file(null).expect("left alone");
        write_ready_file(null, "{}\n").expect("written to");
        assert!(is_special(null));
        assert!(write_ready_file(&folder.path().join("none/r"), "").is_err());
    }
}
