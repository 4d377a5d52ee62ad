//! A running hub in a fresh directory, and what tests do with it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::imap_client::Imap;
use crate::postgres::{Postgres, is_root, signal};
use crate::smtp_client::Smtp;
use crate::wire::Tls;

pub(crate) const DOMAIN: &str = "hub.test";
pub(crate) const ALICE: &str = "alice@hub.test";
pub(crate) const BOB: &str = "bob@hub.test";
/// With characters that need escaping somewhere: base64 padding, quoted strings, URLs.
pub(crate) const PASSWORD: &str = "s3cret/pass+42";
/// How long a test waits for what must come. Only a failing test waits so long; a debug build on a
/// machine with other work takes a good part of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Postgres,
    Sqlite,
}

/// Makes one test per database of a function that takes a [`Database`].
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name($crate::harness::Database::Sqlite); })*
        }
        mod postgres {
            $(#[test] fn $name() {
                if $crate::harness::installed("postgresql", $crate::harness::has_postgres()) {
                    super::$name($crate::harness::Database::Postgres);
                }
            })*
        }
    };
}

/// Where the listeners are, read from the ready file.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    pub(crate) smtp: u16,
    pub(crate) submission: u16,
    pub(crate) submissions: u16,
    pub(crate) lmtp: u16,
    pub(crate) managesieve: u16,
    pub(crate) imap: u16,
    pub(crate) imaps: u16,
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) ca: PathBuf,
}

/// Mail to the outside waits: no test asks a name server of the machine.
const NO_NAME_SERVER: &str = "[resolver]\naddress = \"127.0.0.1\"\nport = 1\n";

/// A hub of the built binary. Dropping it kills the server and removes its directory.
pub(crate) struct Hub {
    child: Option<Child>,
    directory: TempDir,
    postgres: Option<Postgres>,
    ports: Option<Ports>,
}

impl Hub {
    /// On SQLite, with the twins alice and bob in `hub.test`.
    pub(crate) fn start() -> Self {
        Self::start_on(Database::Sqlite)
    }

    pub(crate) fn start_on(database: Database) -> Self {
        let mut hub = Self::new(database, NO_NAME_SERVER);
        hub.launch_with_people();
        hub
    }

    /// With a `hub.toml` of this text in its data directory.
    pub(crate) fn start_with_config(config: &str) -> Self {
        let mut hub = Self::new(Database::Sqlite, config);
        hub.launch_with_people();
        hub
    }

    /// Not started yet.
    pub(crate) fn new(database: Database, config: &str) -> Self {
        let directory = TempDir::with_prefix("hub-e2e-").expect("a temporary directory");
        let postgres = match database {
            Database::Postgres => Some(Postgres::start().expect("PostgreSQL is installed")),
            Database::Sqlite => None,
        };
        let hub = Self { child: None, directory, postgres, ports: None };
        if !config.is_empty() {
            fs::create_dir_all(hub.data()).expect("the data directory");
            fs::write(hub.data().join("hub.toml"), config).expect("hub.toml");
        }
        hub
    }

    pub(crate) fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let ready = self.path("ready.json");
        let _ = fs::remove_file(&ready);
        let log = fs::File::options().create(true).append(true).open(self.path("log")).expect("a log file");
        // `setpriv` ends the server when the test ends in whatever way.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(env!("CARGO_BIN_EXE_twinhub"));
        command.args(self.options()).args(["serve", "--ready-file"]).arg(&ready);
        if !self.says_where_to_listen() {
            command.arg("--ephemeral-ports");
        }
        command.env("RUST_BACKTRACE", "1").stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = self.child.insert(command.spawn().expect("start of twinhub"));
        let started = Instant::now();
        while !ready.exists() {
            let ended = child.try_wait().expect("a child that can be waited for");
            assert!(ended.is_none(), "the server ended: {ended:?}");
            assert!(started.elapsed() < PATIENCE, "no ready file after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let text = fs::read_to_string(&ready).expect("the ready file");
        let json: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the ready file must be whole once it exists: {error}: {text:?}"));
        let port = |key: &str| {
            let address = json[key].as_str().unwrap_or_else(|| panic!("no {key:?} in {text}"));
            let port = address.strip_prefix("127.0.0.1:").unwrap_or_else(|| panic!("{key}: {address}"));
            port.parse().unwrap_or_else(|_| panic!("{key}: {address}"))
        };
        self.ports = Some(Ports {
            smtp: port("smtp"),
            submission: port("submission"),
            submissions: port("submissions"),
            lmtp: port("lmtp"),
            managesieve: port("managesieve"),
            imap: port("imap"),
            imaps: port("imaps"),
            http: port("http"),
            https: port("https"),
            ca: json["ca"].as_str().expect("\"ca\" in the ready file").into(),
        });
    }

    fn says_where_to_listen(&self) -> bool {
        fs::read_to_string(self.data().join("hub.toml")).is_ok_and(|text| text.contains("[listen]"))
    }

    pub(crate) fn launch_with_people(&mut self) {
        self.launch();
        self.add_people();
    }

    fn add_people(&self) {
        self.admin(&["domain", "add", DOMAIN]);
        self.add_twin(ALICE, PASSWORD);
        self.add_twin(BOB, PASSWORD);
    }

    pub(crate) fn add_twin(&self, address: &str, password: &str) {
        let output = self.cli_with_input(&["twin", "add", address, "--password-stdin"], password);
        assert_success(&output, &["twin", "add", address]);
    }

    /// Runs an administration command while the server runs; it must succeed. Returns its output.
    pub(crate) fn admin(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert_success(&output, arguments);
        String::from_utf8(output.stdout).expect("UTF-8 output")
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_with_input(arguments, "")
    }

    pub(crate) fn cli_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_twinhub"))
            .args(self.options())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start of twinhub");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that does not read its input may be gone already.
        let _ = stdin.write_all(format!("{input}\n").as_bytes());
        drop(stdin);
        child.wait_with_output().expect("its output")
    }

    /// The global options that name this hub's data.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec!["--data-dir".to_owned(), self.data().display().to_string()];
        if let Some(postgres) = &self.postgres {
            options.extend(["--database".to_owned(), postgres.url()]);
        }
        options
    }

    pub(crate) fn ports(&self) -> &Ports {
        self.ports.as_ref().expect("it was started")
    }

    pub(crate) fn postgres(&mut self) -> Option<&mut Postgres> {
        self.postgres.as_mut()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// A path beside the data directory that goes away with the hub.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// `kill -9`: what a crash of the program looks like.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; it must end well.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        signal(&child, "TERM");
        let status = wait_for_exit(&mut child, PATIENCE);
        assert!(status.is_some_and(|status| status.success()), "after SIGTERM: {status:?}");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Memory that the server has written to, in bytes. The program's own pages do not count: they are
    /// shared with the hubs of other tests and become private when those end.
    pub(crate) fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).expect("its memory");
        let line = text.lines().find(|line| line.starts_with("Anonymous:")).expect("its anonymous memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::new(&self.ports().ca)
    }

    /// Logged in over implicit TLS.
    pub(crate) fn imap(&self, user: &str) -> Imap {
        let mut imap = Imap::connect_tls(self.ports().imaps, &self.tls());
        imap.login(user, PASSWORD);
        imap
    }

    /// A plain connection to the MX port, after EHLO.
    pub(crate) fn smtp(&self) -> Smtp {
        let mut smtp = Smtp::connect(self.ports().smtp);
        smtp.ehlo();
        smtp
    }

    /// Implicit TLS, after EHLO and AUTH.
    pub(crate) fn submission(&self, user: &str) -> Smtp {
        let mut smtp = Smtp::connect_tls(self.ports().submissions, &self.tls());
        smtp.ehlo();
        smtp.auth_plain(user, PASSWORD).expect_code(235);
        smtp
    }

    /// Delivers a message through the MX port; it must be accepted.
    pub(crate) fn deliver(&self, to: &str, message: &[u8]) {
        let mut smtp = self.smtp();
        smtp.send("sender@elsewhere.test", &[to], message).expect_code(250);
        smtp.quit();
    }

    /// The whole message with this subject in INBOX; waits for it.
    pub(crate) fn arrived(&self, user: &str, subject: &str) -> Vec<u8> {
        let mut imap = self.imap(user);
        imap.ok("SELECT INBOX");
        wait_until(&format!("{subject:?} in the INBOX of {user}"), || {
            imap.ok("NOOP");
            let found = imap.search(&format!("SUBJECT {}", crate::imap_client::quoted(subject)));
            found.last().map(|uid| imap.body(*uid))
        })
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the server's log, last lines of {}", lines.len());
            for line in lines.iter().skip(lines.len().saturating_sub(120)) {
                eprintln!("{line}");
            }
        }
        self.kill();
    }
}

pub(crate) fn assert_success(output: &Output, what: &[&str]) {
    assert!(
        output.status.success(),
        "twinhub {}: {}\n{}{}",
        what.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

pub(crate) fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait().expect("a child that can be waited for") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Asks again until there is an answer.
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// True if a program that a test drives is there. Missing it is a skip, said loudly; for root and
/// in CI it is a failure, because there the test command installs what is needed.
pub(crate) fn installed(package: &str, present: bool) -> bool {
    if present {
        return true;
    }
    let must = is_root() || std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!must, "{package} is not installed: apt-get install {package}");
    skip(package);
    false
}

/// Says loudly that this test is skipped for want of something.
pub(crate) fn skip(package: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not by eprintln!, which the test runner would keep to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {package} is not installed");
    if let Some(list) = std::env::var_os("HUB_TESTS_SKIPPED")
        && let Ok(mut file) = fs::File::options().create(true).append(true).open(list)
    {
        let _ = writeln!(file, "{test}: {package} is not installed");
    }
}

/// Like [`installed`], for a program in the search path.
pub(crate) fn has_program(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |folder: &Path| folder.join(program).is_file();
    let sbin = [PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")];
    installed(package, std::env::split_paths(&path).chain(sbin).any(|folder| there(&folder)))
}

pub(crate) fn has_postgres() -> bool {
    Path::new("/usr/lib/postgresql").exists()
}

/// A small generator of numbers for tests (SplitMix64); the seed is printed where chance matters.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A plain message with this subject.
pub(crate) fn message(from: &str, to: &str, subject: &str, body: &str) -> Vec<u8> {
    let id = subject.replace(|c: char| !c.is_ascii_alphanumeric(), ".");
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Mon, 2 Feb 2026 10:11:12 +0100\r\n\
         Message-ID: <m.{id}@elsewhere.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{body}",
    )
    .into_bytes()
}
