//! The administration commands: asks a running server, or works on the storage itself.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hub::{Hub, Secret};
use serde::Serialize;

use crate::admin::{self, Answer, Reported, Request};
use crate::cli::{Alias, AppPassword, Domain, Junk, List, Password, Reports, Twin};
use crate::control;
use crate::data_dir::{self, State};
use crate::setup::Setup;
use crate::text::{print, printable, size, table, time};

/// A password is a line of at most this many bytes.
const MAX_PASSWORD: u64 = 1024;

pub(crate) async fn twin(setup: &Setup, command: Twin) -> Result<()> {
    match command {
        Twin::Add { address, password } => {
            let (password, is_generated) = password.obtain(&address)?;
            let request =
                Request::TwinAdd { address: address.clone(), password: password.expose().to_owned() };
            done(ask(setup, request).await?)?;
            print(&format!("Added the twin {}.\n", printable(&address)))?;
            show_generated(&password, is_generated)
        }
        Twin::Capabilities { address, hide, show_all } => {
            let hide = if show_all { Some(Vec::new()) } else { hide };
            let request = Request::TwinCapabilities { address: address.clone(), hide };
            let Answer::Capabilities { hidden } = answer(ask(setup, request).await?)? else { return odd() };
            let hidden = if hidden.is_empty() { "nothing".to_owned() } else { hidden.join(", ") };
            print(&format!("Hidden from the mail programs of {}: {hidden}.\n", printable(&address)))?;
            Ok(())
        }
        Twin::Identity(command) => crate::identity::run(setup, command).await,
        Twin::FreeBusy { address, who } => {
            let who = who.map(|who| who.name().to_owned());
            let request = Request::TwinFreeBusy { address: address.clone(), who };
            let Answer::FreeBusy { who } = answer(ask(setup, request).await?)? else { return odd() };
            print(&format!("Who may ask when {} is busy: {who}.\n", printable(&address)))?;
            Ok(())
        }
        Twin::List { list } => {
            let Answer::Twins(twins) = answer(look(setup, Request::TwinList).await?)? else { return odd() };
            let row = |twin: &admin::Twin| {
                let limit = twin.limit.map_or_else(|| "unlimited".to_owned(), size);
                let aliases = twin.aliases.join(", ");
                [twin.address.clone(), size(twin.used), limit, time(twin.created_at), aliases]
            };
            show(&list, &twins, ["ADDRESS", "USED", "QUOTA", "SINCE (UTC)", "ALIASES"], row)
        }
        Twin::Passwd { address, password } => {
            let (password, is_generated) = password.obtain(&address)?;
            let request =
                Request::TwinPassword { address: address.clone(), password: password.expose().to_owned() };
            done(ask(setup, request).await?)?;
            print(&format!("Changed the password of {}.\n", printable(&address)))?;
            show_generated(&password, is_generated)
        }
        Twin::Quota { address, limit } => {
            let request = Request::TwinQuota { address: address.clone(), limit: limit.0.map(|size| size.0) };
            done(ask(setup, request).await?)?;
            print(&format!("{} may store: {limit}.\n", printable(&address)))?;
            Ok(())
        }
        Twin::Remove { address, yes } => {
            let question = format!("Remove {} with all its mail? There is no way back.", printable(&address));
            if !yes && std::io::stdin().is_terminal() && !confirm(&question)? {
                bail!("nothing was removed");
            }
            done(ask(setup, Request::TwinRemove { address: address.clone() }).await?)?;
            print(&format!("Removed {} with everything it had.\n", printable(&address)))?;
            Ok(())
        }
    }
}

pub(crate) async fn domain(setup: &Setup, command: Domain) -> Result<()> {
    match command {
        Domain::Add { name } => {
            done(ask(setup, Request::DomainAdd { name: name.clone() }).await?)?;
            let name = printable(&name);
            print(&format!("This hub hosts {name} now. The records for DNS: twinhub dns {name}\n"))?;
            Ok(())
        }
        Domain::Keys { name, list } => {
            let keys = keys(setup, &name).await?;
            let row = |key: &admin::Key| [key.selector.clone(), key.state.clone(), time(key.created_at)];
            show(&list, &keys, ["SELECTOR", "STATE", "MADE"], row)
        }
        Domain::RotateKeys { name } => {
            done(ask(setup, Request::DomainRotateKeys { name: name.clone() }).await?)?;
            let name = printable(&name);
            print(&format!("{name} has new keys. Publish them: twinhub dns {name}\n"))?;
            Ok(())
        }
        Domain::List { list } => {
            let Answer::Domains(domains) = answer(look(setup, Request::DomainList).await?)? else {
                return odd();
            };
            show(&list, &domains, ["DOMAIN"], |domain| [domain.clone()])
        }
    }
}

pub(crate) async fn reports(setup: &Setup, command: Reports) -> Result<()> {
    let (kind, only, list) = match command {
        Reports::Dmarc { list } => (Reported::Dmarc, None, list),
        Reports::Tls { domain, list } => (Reported::Tls, domain, list),
    };
    let Answer::Reports(mut reports) = answer(look(setup, Request::Reports { kind }).await?)? else {
        return odd();
    };
    reports.retain(|report| only.as_ref().is_none_or(|domain| report.domain.eq_ignore_ascii_case(domain)));
    let row = |report: &admin::Received| {
        let admin::Received { domain, organisation, begins_at, ends_at, passed, failed, .. } = report;
        [
            time(*begins_at),
            time(*ends_at),
            domain.clone(),
            organisation.clone(),
            passed.to_string(),
            failed.to_string(),
        ]
    };
    let head = ["FROM", "TO", "DOMAIN", "REPORTED BY", "PASSED", "FAILED"];
    match kind {
        Reported::Dmarc => show(&list, &reports, head, row),
        Reported::Tls => {
            let [from, to, domain, by, passed, failed] = head;
            show(&list, &reports, [from, to, domain, by, passed, failed, "WHAT FAILED"], |report| {
                let [from, to, domain, by, passed, failed] = row(report);
                [from, to, domain, by, passed, failed, report.details.clone()]
            })
        }
    }
}

/// The signing keys of a domain.
pub(crate) async fn keys(setup: &Setup, domain: &str) -> Result<Vec<admin::Key>> {
    match answer(look(setup, Request::DomainKeys { name: domain.to_owned() }).await?)? {
        Answer::Keys(keys) => Ok(keys),
        _ => odd(),
    }
}

pub(crate) async fn alias(setup: &Setup, command: Alias) -> Result<()> {
    match command {
        Alias::Add { alias, address } => {
            let request = Request::AliasAdd { alias: alias.clone(), address: address.clone() };
            done(ask(setup, request).await?)?;
            print(&format!("Mail for {} goes to {} now.\n", printable(&alias), printable(&address)))?;
            Ok(())
        }
        Alias::List { address, list } => {
            let Answer::Aliases(aliases) = answer(look(setup, Request::AliasList { address }).await?)? else {
                return odd();
            };
            let row = |alias: &admin::Alias| [alias.alias.clone(), alias.address.clone()];
            show(&list, &aliases, ["ALIAS", "LEADS TO"], row)
        }
        Alias::Remove { alias, address } => {
            let request = Request::AliasRemove { alias: alias.clone(), address: address.clone() };
            done(ask(setup, request).await?)?;
            print(&format!(
                "Mail for {} does not go to {} any more.\n",
                printable(&alias),
                printable(&address)
            ))?;
            Ok(())
        }
    }
}

pub(crate) async fn app_password(setup: &Setup, command: AppPassword) -> Result<()> {
    match command {
        AppPassword::Add { address, name, doors } => {
            let doors = doors.iter().map(|door| door.name().to_owned()).collect();
            let request = Request::AppPasswordAdd { address: address.clone(), name, doors };
            let Answer::AppPassword { id, password } = answer(ask(setup, request).await?)? else {
                return odd();
            };
            print(&format!("Added app password {id} for {}.\n", printable(&address)))?;
            show_generated(&Secret::new(password), true)
        }
        AppPassword::List { address, list } => {
            let request = Request::AppPasswordList { address };
            let Answer::AppPasswords(passwords) = answer(look(setup, request).await?)? else { return odd() };
            let row = |password: &admin::AppPassword| {
                let doors =
                    if password.doors.is_empty() { "all".to_owned() } else { password.doors.join(" ") };
                let used = password.last_used_at.map_or_else(|| "never".to_owned(), time);
                [password.id.to_string(), password.name.clone(), doors, time(password.created_at), used]
            };
            show(&list, &passwords, ["ID", "NAME", "OPENS", "SINCE (UTC)", "LAST USED (UTC)"], row)
        }
        AppPassword::Revoke { address, id } => {
            let request = Request::AppPasswordRevoke { address: address.clone(), id };
            done(ask(setup, request).await?)?;
            print(&format!("App password {id} of {} opens nothing any more.\n", printable(&address)))?;
            Ok(())
        }
    }
}

pub(crate) async fn junk(setup: &Setup, command: Junk) -> Result<()> {
    let Junk::Stats { address } = command;
    let Answer::Junk(known) = answer(look(setup, Request::JunkStats { address }).await?)? else {
        return odd();
    };
    let admin::Learned { good, junk, words, senders, correspondents, bytes } = known;
    print(&format!(
        "Learned from {good} good messages and {junk} that were junk: {words} words, {senders} senders \
         ({correspondents} written to), {}.\n",
        size(bytes as u64)
    ))?;
    Ok(())
}

/// Like [`ask`], but what only looks does not make a hub where there is none: the directory may be
/// mistyped.
pub(crate) async fn look(setup: &Setup, request: Request) -> Result<Answer> {
    if let State::Absent = data_dir::examine(&setup.data_dir)? {
        let path = setup.data_dir.display();
        bail!("there is no hub in {path}; `twinhub serve` makes one, --data-dir names another place");
    }
    ask(setup, request).await
}

/// Asks the running server, or opens the storage and does it here.
pub(crate) async fn ask(setup: &Setup, request: Request) -> Result<Answer> {
    match reach(setup, async || control::ask(&setup.data_dir, &request).await).await? {
        Reached::Server(answer) => Ok(answer),
        Reached::Storage(hub) => {
            let answer = admin::run(&hub, request).await;
            hub.close().await;
            Ok(answer)
        }
    }
}

/// Who does what a command wants.
pub(crate) enum Reached<T> {
    /// The server that runs gave this.
    Server(T),
    /// None runs, so the command has the storage to itself. To be closed in the end.
    Storage(Hub),
}

/// Reaches the running server by `ask`, or opens the storage.
pub(crate) async fn reach<T>(
    setup: &Setup,
    ask: impl AsyncFn() -> std::io::Result<Option<T>>,
) -> Result<Reached<T>> {
    // A server that is just starting holds the lock before it listens, one that stops still after.
    const ATTEMPTS: u32 = if cfg!(test) { 2 } else { 30 };
    const PAUSE: Duration = Duration::from_millis(100);
    data_dir::ensure(&setup.data_dir)?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let asked = ask()
            .await
            .with_context(|| format!("the hub that runs on {} cannot be asked", setup.data_dir.display()));
        if let Some(answer) = asked? {
            return Ok(Reached::Server(answer));
        }
        match hub_storage::Storage::open(setup.storage_options()).await {
            Ok(storage) => {
                let hub = Hub::open(storage, setup.hub_settings())
                    .await
                    .map_err(admin::explain)
                    .map_err(anyhow::Error::msg)?;
                return Ok(Reached::Storage(hub));
            }
            Err(hub_storage::Error::Locked(_)) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            Err(hub_storage::Error::Locked(_)) => bail!(
                "a twinhub works on {} but does not answer on its control socket; is it just stopping, or hung?",
                setup.data_dir.display()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open {}", setup.database_name()));
            }
        }
    }
}

pub(crate) fn answer(answer: Answer) -> Result<Answer> {
    match answer {
        Answer::Failed(why) => bail!("{}", printable(&why)),
        answer => Ok(answer),
    }
}

pub(crate) fn done(given: Answer) -> Result<()> {
    match answer(given)? {
        Answer::Done => Ok(()),
        _ => odd(),
    }
}

pub(crate) fn odd<T>() -> Result<T> {
    bail!("the server gave an answer to another question; is it of the same version as this command?")
}

pub(crate) fn show<T: Serialize, const N: usize>(
    list: &List,
    items: &[T],
    titles: [&str; N],
    row: impl Fn(&T) -> [String; N],
) -> Result<()> {
    if list.json {
        print(&format!("{}\n", serde_json::to_string_pretty(items)?))?;
    } else if items.is_empty() {
        print("none\n")?;
    } else {
        print(&table(titles, &items.iter().map(row).collect::<Vec<_>>()))?;
    }
    Ok(())
}

impl Password {
    /// The password, and whether it was made up here.
    pub(crate) fn obtain(&self, address: &str) -> Result<(Secret, bool)> {
        let given = if self.password_stdin {
            Some(first_line()?)
        } else if !self.generate && std::io::stdin().is_terminal() {
            prompt(address)?
        } else {
            None
        };
        match given {
            Some(password) => Ok((checked(password)?, false)),
            None => Ok((Secret::generate().context("no password can be made up")?, true)),
        }
    }
}

pub(crate) fn first_line() -> Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_PASSWORD + 2)
        .read_line(&mut line)
        .context("the password on standard input cannot be read")?;
    Ok(line
        .strip_suffix('\n')
        .map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line))
        .to_owned())
}

/// Asks twice; an empty answer asks for one to be made up.
fn prompt(address: &str) -> Result<Option<String>> {
    let first =
        rpassword::prompt_password(format!("Password for {} (empty: make one up): ", printable(address)))?;
    if first.is_empty() {
        return Ok(None);
    }
    if rpassword::prompt_password("Once more: ")? != first {
        bail!("the two are different; nothing was changed");
    }
    Ok(Some(first))
}

fn checked(password: String) -> Result<Secret> {
    if password.is_empty() {
        bail!("the password is empty");
    }
    if password.len() as u64 > MAX_PASSWORD {
        bail!("the password is longer than {MAX_PASSWORD} bytes");
    }
    if password.chars().any(char::is_control) {
        // Mail programs cannot enter it, and LOGIN cannot carry it.
        bail!("the password has a control character");
    }
    Ok(Secret::new(password))
}

fn show_generated(password: &Secret, is_generated: bool) -> Result<()> {
    if is_generated {
        print(&format!("Its password, shown only now: {}\n", password.expose()))?;
    }
    Ok(())
}

pub(crate) fn confirm(question: &str) -> Result<bool> {
    let mut out = std::io::stderr();
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().take(100).read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Global;
    use std::path::Path;

    fn setup(data_dir: &Path) -> Setup {
        let global = Global { data_dir: Some(data_dir.to_owned()), database: None, config: None, log: None };
        Setup::load(&global).expect("loads")
    }

    async fn failure(setup: &Setup, request: Request) -> String {
        match ask(setup, request).await.expect("asked") {
            Answer::Failed(why) => why,
            _ => panic!("it succeeded"),
        }
    }

    fn add(address: &str) -> Request {
        Request::TwinAdd { address: address.to_owned(), password: "pass word".to_owned() }
    }

    #[tokio::test]
    async fn administration_without_a_server() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let setup = setup(&folder.path().join("data"));
        let error = look(&setup, Request::TwinList).await.err().expect("nothing there").to_string();
        assert!(error.contains("there is no hub in"), "{error}");
        assert!(!setup.data_dir.exists());

        let why = failure(&setup, add("alice@a.test")).await;
        assert_eq!(why, "the domain a.test is not hosted here; add it first: twinhub domain add a.test");
        done(ask(&setup, Request::DomainAdd { name: "A.test".into() }).await.expect("asked")).expect("added");
        assert_eq!(
            failure(&setup, Request::DomainAdd { name: "a.test".into() }).await,
            "a.test is hosted here already"
        );
        done(ask(&setup, add("alice@a.test")).await.expect("asked")).expect("added");
        let why = failure(&setup, add("alice@a.test")).await;
        assert_eq!(why, "the address alice@a.test is in use already; see: twinhub twin list");
        let why = failure(&setup, Request::TwinRemove { address: "bob@a.test".into() }).await;
        assert_eq!(why, "there is no twin bob@a.test; see: twinhub twin list");
        let why = failure(&setup, Request::TwinRemove { address: "bob".into() }).await;
        assert!(why.contains("\"bob\" is not a mail address"), "{why}");

        let alias = |alias: &str| Request::AliasAdd { alias: alias.into(), address: "alice@a.test".into() };
        done(ask(&setup, alias("info@a.test")).await.expect("asked")).expect("added");
        assert!(failure(&setup, alias("info@b.test")).await.contains("twinhub domain add b.test"));
        let Answer::Twins(twins) = look(&setup, Request::TwinList).await.expect("asked") else {
            panic!("twins")
        };
        assert_eq!(
            (twins[0].address.as_str(), twins[0].aliases.as_slice()),
            ("alice@a.test", &["info@a.test".to_owned()][..])
        );
        let revoke = Request::AppPasswordRevoke { address: "alice@a.test".into(), id: 7 };
        assert_eq!(
            failure(&setup, revoke).await,
            "alice@a.test has no app password 7; see: twinhub app-password list alice@a.test"
        );
    }

    #[tokio::test]
    async fn a_locked_directory_without_a_server_that_answers_is_said() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let setup = setup(&folder.path().join("data"));
        data_dir::ensure(&setup.data_dir).expect("made");
        let _storage = hub_storage::Storage::open(setup.storage_options()).await.expect("opens");
        let error = ask(&setup, Request::DomainList).await.err().expect("locked").to_string();
        assert!(error.contains("does not answer on its control socket"), "{error}");
    }

    #[test]
    fn passwords_are_checked() {
        for (password, expected) in
            [("", "is empty"), ("a\tb", "control character"), (&"x".repeat(1025), "longer than 1024")]
        {
            assert!(checked(password.to_owned()).expect_err(expected).to_string().contains(expected));
        }
        assert!(checked("pässwörd with spaces".to_owned()).is_ok());
    }
}
