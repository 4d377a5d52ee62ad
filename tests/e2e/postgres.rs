//! A PostgreSQL server of our own: Debian's programs, a fresh directory, a free loopback port.
//! Durability settings are as shipped (fsync on), because the crash test is about them.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server. Dropping it stops the server and removes its directory.
pub(crate) struct Postgres {
    child: Option<Child>,
    directory: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server with one empty database; `None` if PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let directory = TempDir::with_prefix("hub-postgres-").expect("a temporary directory");
        if is_root() {
            // PostgreSQL refuses to run as root.
            let (uid, gid) = postgres_ids();
            chown(directory.path(), Some(uid), Some(gid)).expect("chown of the database directory");
        }
        let mut server = Self { child: None, directory, programs, port: 0 };
        let made = run(server
            .command("initdb")
            .args(["--username=hub", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(server.data()));
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.launch();
        let made = run(server.command("createdb").args([
            "--host=127.0.0.1",
            &format!("--port={}", server.port),
            "--username=hub",
            "twinhub",
        ]));
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://hub@127.0.0.1:{}/twinhub", self.port)
    }

    /// Ends the server as a power cut would: no checkpoint, recovery at the next start.
    pub(crate) fn crash(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, "QUIT");
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port and waits until it has recovered.
    pub(crate) fn restart(&mut self) {
        self.crash();
        let port = self.port;
        assert!(self.try_launch(port), "PostgreSQL did not start again: {}", self.log());
    }

    fn launch(&mut self) {
        // Somebody else may take the port between our look and the server's bind.
        for _ in 0..5 {
            if self.try_launch(free_port()) {
                return;
            }
        }
        panic!("PostgreSQL did not start: {}", self.log());
    }

    fn try_launch(&mut self, port: u16) -> bool {
        let log = fs::File::create(self.directory.path().join("log")).expect("a log file");
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "shared_buffers=32MB", "-c", "max_connections=60"])
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("start of postgres");
        self.port = port;
        let child = self.child.insert(child);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if !matches!(child.try_wait(), Ok(None)) {
                return false;
            }
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", &format!("--port={port}"), "--username=hub"])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// A program of PostgreSQL, as a user that it accepts; it ends when the test does.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if is_root() {
            let (uid, gid) = postgres_ids();
            command.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"]);
        }
        command.args(["--pdeathsig", "QUIT", "--"]).arg(self.programs.join(program));
        command.current_dir(self.directory.path()).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- PostgreSQL's log\n{}", self.log());
        }
        self.crash();
    }
}

/// Sends a signal by name. (Rust's library can only send SIGKILL.)
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {}", child.id());
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// The newest installed version's folder of programs.
fn programs() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("bin/postgres").exists())
        .collect();
    versions.sort_by_key(|path| version(path));
    versions.pop().map(|path| path.join("bin"))
}

/// Numeric user and group of `postgres`, which Debian's package creates.
fn postgres_ids() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user named postgres");
    let field = |n: usize| line.split(':').nth(n).and_then(|text| text.parse().ok());
    (field(2).expect("a user id"), field(3).expect("a group id"))
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// True if somebody listens there. A port that nobody has can be the one that the connection begins at,
/// and then it is connected to itself.
pub(crate) fn is_listening(address: impl Into<SocketAddr>) -> bool {
    let address = address.into();
    TcpStream::connect(address).is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != address))
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error: io::Error| panic!("{command:?}: {error}"))
}
