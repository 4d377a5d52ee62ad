//! Debian's Dovecot on a free loopback port, out of a temporary directory.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::harness::{PASSWORD, PATIENCE, has_program};
use crate::postgres::{free_port, is_listening, is_root, signal};

/// A running server. Dropping it stops the server and removes its directory.
pub(crate) struct Dovecot {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Dovecot {
    /// False, said loudly, without Dovecot 2.3: other versions have another configuration and other
    /// differences.
    pub(crate) fn is_installed() -> bool {
        if !has_program("dovecot", "dovecot-imapd") {
            return false;
        }
        let output = Command::new("/usr/sbin/dovecot").arg("--version").output().expect("start of dovecot");
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        if !version.starts_with("2.3.") {
            let _ = writeln!(std::io::stderr(), "SKIPPED: Dovecot is {version}, not 2.3");
        }
        version.starts_with("2.3.")
    }

    /// Starts a server with these users, all with the tests' password. `settings` come after the
    /// usual ones and win.
    pub(crate) fn start(users: &[String], settings: &str) -> Self {
        let directory = TempDir::with_prefix("dovecot-").expect("a temporary directory");
        let path = directory.path();
        // Dovecot's processes run as other users than the one that starts it.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its own directory");
        for folder in ["mail", "run", "state"] {
            fs::create_dir(path.join(folder)).expect("a folder");
        }
        if is_root() {
            chown(path.join("mail"), Some(MAIL), Some(MAIL)).expect("chown of the mail directory");
        }
        let lines: String = users.iter().map(|user| format!("{user}:{{PLAIN}}{PASSWORD}::::::\n")).collect();
        fs::write(path.join("users"), lines).expect("the users");
        let port = free_port();
        fs::write(path.join("dovecot.conf"), configuration(path, port) + settings)
            .expect("the configuration");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", "/usr/sbin/dovecot", "-F", "-c"])
            .arg(path.join("dovecot.conf"))
            // INTERNALDATE is given in local time.
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start of dovecot");
        let mut dovecot = Self { child, directory, port };
        let started = Instant::now();
        while !is_listening((Ipv4Addr::LOCALHOST, port)) {
            let ended = dovecot.child.try_wait().expect("a child that can be waited for");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "Dovecot: {ended:?}\n{}", dovecot.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        dovecot
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Dovecot's log\n{}", self.log());
        }
        // The master ends its processes.
        signal(&self.child, "TERM");
        let _ = self.child.wait();
    }
}

/// Debian's user and group `mail`.
const MAIL: u32 = 8;

/// As little as possible. Mailboxes and their roles are those of a new twin.
fn configuration(directory: &Path, port: u16) -> String {
    let path = directory.display();
    let owner = fs::metadata(directory).expect("its own directory");
    let (uid, gid) = if is_root() { (MAIL, MAIL) } else { (owner.uid(), owner.gid()) };
    let people = if is_root() { String::new() } else { without_root() };
    let roles: String = ["Archive", "Drafts", "Junk", "Sent", "Trash"]
        .iter()
        .map(|name| format!("mailbox {name} {{\n special_use = \\{name}\n auto = create\n}}\n"))
        .collect();
    format!(
        "protocols = imap\nlisten = 127.0.0.1\nbase_dir = {path}/run\nstate_dir = {path}/state\n\
         log_path = {path}/log\nssl = no\ndisable_plaintext_auth = no\nimport_environment = TZ\n\
         auth_username_format = %Lu\n\
         passdb {{\n driver = passwd-file\n args = scheme=PLAIN {path}/users\n}}\n\
         userdb {{\n driver = static\n args = uid={uid} gid={gid} home={path}/mail/%u\n}}\n\
         first_valid_uid = 1\nmail_location = sdbox:~/sdbox\nmail_max_userip_connections = 0\n\
         namespace inbox {{\n inbox = yes\n separator = /\n{roles}}}\n\
         service imap-login {{\n inet_listener imap {{\n port = {port}\n }}\n\
         inet_listener imaps {{\n port = 0\n }}\n}}\n{people}"
    )
}

/// Settings for a server that may not change to other users.
fn without_root() -> String {
    let name = |program: &[&str]| {
        let output = Command::new("id").args(program).output().expect("start of id");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let (user, group) = (name(&["-un"]), name(&["-gn"]));
    let services: String =
        ["anvil", "imap-login", "stats"].map(|name| format!("service {name} {{\n chroot =\n}}\n")).concat();
    format!(
        "default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n{services}"
    )
}
