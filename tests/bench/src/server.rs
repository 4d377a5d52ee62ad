//! The servers under test: our own, started here, or any other, described by a line of text.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// Twins of the hub: enough that 10,000 idle connections stay within 50 for each.
const USERS: usize = 230;
const DOMAIN: &str = "peer.test";
/// `USER_HZ` of Linux, on every machine that people have.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) mx: Option<u16>,
    pub(crate) submission: Option<u16>,
    pub(crate) submissions: Option<u16>,
    pub(crate) imap: Option<u16>,
    /// The port on loopback to which it sends mail for others.
    pub(crate) sink: Option<u16>,
    /// `u%d`: local part of the n-th user's address.
    user: String,
    login: String,
    domain: String,
    pub(crate) password: String,
    pub(crate) users: usize,
    /// Files with the ids of the processes that are the product, with all their children.
    pid_files: Vec<String>,
    restart: Option<String>,
    own: Option<Own>,
}

/// A hub that this program started.
struct Own {
    child: Child,
    directory: TempDir,
    command: Vec<String>,
}

impl Server {
    /// `NAME=HOST,mx=PORT,sub=PORT,subs=PORT,imap=PORT,sinkport=PORT,user=u%d,login=u%d@peer.test,
    /// domain=peer.test,pass=pass,pidfile=FILE+FILE,restart=COMMAND,users=N`; other keys are ignored, so
    /// that specifications written for other programs fit.
    pub(crate) fn parse(spec: &str) -> Result<Self> {
        let mut parts = spec.split(',');
        let (name, host) =
            parts.next().and_then(|first| first.split_once('=')).context("NAME=HOST comes first")?;
        let keys: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
        let port = |key: &str| -> Result<Option<u16>> {
            keys.get(key).map(|text| text.parse().with_context(|| format!("{key}={text}"))).transpose()
        };
        let text = |key: &str, default: &str| keys.get(key).map_or(default, |text| *text).to_owned();
        let user = text("user", "u%d");
        Ok(Self {
            name: name.to_owned(),
            host: host.to_owned(),
            mx: port("mx")?,
            submission: port("sub")?,
            submissions: port("subs")?,
            imap: port("imap")?,
            sink: port("sinkport")?,
            login: text("imaplogin", &text("login", &user)),
            user,
            domain: text("domain", DOMAIN),
            password: text("pass", "pass"),
            users: text("users", "100").parse().context("users")?,
            pid_files: keys
                .get("pidfile")
                .map_or(Vec::new(), |files| files.split('+').map(str::to_owned).collect()),
            restart: keys.get("restart").map(|command| (*command).to_owned()),
            own: None,
        })
    }

    /// Starts the hub as shipped, but for a relay host on loopback, and makes its twins.
    pub(crate) fn start_hub(binary: &Path, database: Option<&str>) -> Result<Self> {
        // Free now, and what listens there later says so if it is not.
        let sink = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let relay = format!("[relay]\nhost = \"127.0.0.1\"\nport = {sink}\ntls = \"none\"\n");
        let mut hub = Self::start_hub_with(binary, database, USERS, &relay)?;
        hub.sink = Some(sink);
        Ok(hub)
    }

    /// Starts the hub with this configuration and so many twins.
    pub(crate) fn start_hub_with(
        binary: &Path,
        database: Option<&str>,
        users: usize,
        config: &str,
    ) -> Result<Self> {
        ensure!(binary.exists(), "it is not there; build it with `cargo build --release`");
        let binary = fs::canonicalize(binary)?.display().to_string();
        let directory = TempDir::with_prefix("hub-bench-")?;
        let data = directory.path().join("data");
        fs::create_dir(&data)?;
        fs::write(data.join("hub.toml"), config)?;
        let mut command = vec![binary, "--data-dir".to_owned(), data.display().to_string()];
        if let Some(database) = database {
            command.extend(["--database".to_owned(), database.to_owned()]);
        }
        admin(&command, &["domain", "add", DOMAIN], "")?;
        for user in 0..users {
            admin(
                &command,
                &["twin", "add", &format!("u{user}@{DOMAIN}"), "--password-stdin"],
                "pass-word-of-bench",
            )?;
        }
        let child = launch(&command, &directory)?;
        let own = Own { child, directory, command };
        let mut hub = Self {
            name: if database.is_some() { "twinhub-postgres" } else { "twinhub" }.to_owned(),
            host: "127.0.0.1".to_owned(),
            mx: None,
            submission: None,
            submissions: None,
            imap: None,
            sink: None,
            user: "u%d".to_owned(),
            login: format!("u%d@{DOMAIN}"),
            domain: DOMAIN.to_owned(),
            password: "pass-word-of-bench".to_owned(),
            users,
            pid_files: Vec::new(),
            restart: None,
            own: Some(own),
        };
        hub.find_ports()?;
        Ok(hub)
    }

    /// Where the hub of ours listens since it was started.
    fn find_ports(&mut self) -> Result<()> {
        let Some(own) = &self.own else { return Ok(()) };
        let ports = own.ports()?;
        (self.mx, self.imap) = (ports("smtp"), ports("imap"));
        (self.submission, self.submissions) = (ports("submission"), ports("submissions"));
        Ok(())
    }

    /// Runs a command of the hub that this program started; what it prints.
    pub(crate) fn admin(&self, arguments: &[&str], input: &str) -> Result<String> {
        let own = self.own.as_ref().context("only for a hub that was started here")?;
        admin(&own.command, arguments, input)
    }

    pub(crate) fn address(&self, user: usize) -> String {
        format!("{}@{}", self.user.replace("%d", &user.to_string()), self.domain)
    }

    pub(crate) fn login(&self, user: usize) -> String {
        self.login.replace("%d", &user.to_string())
    }

    /// Starts the server anew, so that its memory is empty; false if there is no way to.
    pub(crate) fn restart(&mut self) -> Result<bool> {
        if let Some(own) = &mut self.own {
            let stopped =
                Command::new("sh").args(["-c", &format!("kill -TERM {}", own.child.id())]).status()?;
            ensure!(stopped.success() && own.child.wait()?.success(), "it did not end well");
            own.child = launch(&own.command, &own.directory)?;
            self.find_ports()?;
            return Ok(true);
        }
        let Some(command) = &self.restart else { return Ok(false) };
        let done = Command::new("sh").args(["-c", command]).stdout(Stdio::null()).status()?;
        ensure!(done.success(), "{command}: {done}");
        Ok(true)
    }

    /// All processes of the product.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let from_files = self
            .pid_files
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok()?.split_whitespace().next()?.parse::<u32>().ok());
        let mut found: Vec<u32> = from_files.chain(self.own.as_ref().map(|own| own.child.id())).collect();
        let parents = parents();
        let mut at = 0;
        while at < found.len() {
            let parent = found[at];
            found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(child, _)| *child));
            at += 1;
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Proportional memory of all its processes, in bytes: shared pages are counted once.
    pub(crate) fn memory(&self) -> u64 {
        let pss = |pid: &u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find(|line| line.starts_with("Pss:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        self.processes().iter().filter_map(pss).sum::<u64>() * 1024
    }

    /// Seconds of processor time that all its processes have used, those that ended included.
    pub(crate) fn processor_time(&self) -> f64 {
        let ticks = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // utime, stime, cutime, cstime: proc(5).
            let times = stat.rsplit(')').next()?.split_whitespace().skip(11).take(4);
            Some(times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
        };
        self.processes().iter().filter_map(ticks).sum::<u64>() as f64 / TICKS_PER_SECOND
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            let _ = own.child.kill();
            let _ = own.child.wait();
        }
    }
}

impl Own {
    /// The port of each listener by its name.
    fn ports(&self) -> Result<impl Fn(&str) -> Option<u16>> {
        let text = fs::read_to_string(self.directory.path().join("ready.json"))?;
        let json: serde_json::Value = serde_json::from_str(&text)?;
        Ok(move |key: &str| json[key].as_str()?.rsplit(':').next()?.parse().ok())
    }
}

fn launch(command: &[String], directory: &TempDir) -> Result<Child> {
    let ready = directory.path().join("ready.json");
    let _ = fs::remove_file(&ready);
    let log = fs::File::options().create(true).append(true).open(directory.path().join("log"))?;
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .args(["serve", "--ephemeral-ports", "--ready-file"])
        .arg(&ready)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let started = Instant::now();
    while !ready.exists() {
        if let Some(status) = child.try_wait()? {
            bail!("it ended: {status}: {}", fs::read_to_string(directory.path().join("log"))?);
        }
        ensure!(started.elapsed() < Duration::from_secs(60), "not ready after 60 s");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(child)
}

fn admin(command: &[String], arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that reads no input may be gone.
        let _ = stdin.write_all(format!("{input}\n").as_bytes());
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}: {}", arguments.join(" "), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every process of the machine with its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last parenthesis may hold anything.
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    })
    .collect()
}

/// So many sockets need so many file descriptors, here and in the hub, which inherits the limit. The
/// rest is for its files.
pub(crate) fn raise_file_limit(connections: usize) -> Result<()> {
    let wanted = connections + 2000;
    let pid = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={wanted}:")]).status();
    // The memory phase will say what it lacks.
    if !raised.is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr(), "could not raise the limit of open files to {wanted}");
    }
    Ok(())
}
