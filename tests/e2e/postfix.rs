//! Debian's Postfix on a free loopback port, with a queue and a configuration of its own.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::harness::{PATIENCE, has_program};
use crate::postgres::{free_port, is_listening, is_root, signal};

/// A running server. Dropping it stops the server and removes its directory.
pub(crate) struct Postfix {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
}

impl Postfix {
    /// False, said loudly, where it cannot run: its master must be started by root.
    pub(crate) fn is_installed() -> bool {
        if !has_program("postfix", "postfix") {
            return false;
        }
        if !is_root() {
            let _ = writeln!(std::io::stderr(), "SKIPPED: only root can start Postfix");
        }
        is_root()
    }

    /// Starts a server that takes mail for everybody on this machine. `settings` are lines of main.cf
    /// that come after the usual ones and win.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, free_port()).into(), settings, &[])
    }

    /// `files` are names and contents of tables and keys, which settings find as
    /// `$config_directory/NAME`.
    pub(crate) fn start_at(address: SocketAddr, settings: &str, files: &[(&str, &str)]) -> Self {
        let directory = TempDir::with_prefix("postfix-").expect("a temporary directory");
        let path = directory.path();
        // Postfix's processes run as other users than the one that starts it.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its own directory");
        for folder in ["etc", "queue", "data"] {
            fs::create_dir(path.join(folder)).expect("a folder");
        }
        chown(path.join("data"), Some(id("-u")), None).expect("chown of the data directory");
        fs::write(path.join("etc/main.cf"), main_cf(path) + settings).expect("main.cf");
        fs::write(path.join("etc/master.cf"), master_cf(address)).expect("master.cf");
        for (name, text) in files {
            fs::write(path.join("etc").join(name), text).expect("a file");
        }
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", "/usr/sbin/postfix", "-c"])
            .arg(path.join("etc"))
            .arg("start-fg")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start of postfix");
        let mut postfix = Self { child, directory, address };
        let started = Instant::now();
        while !is_listening(address) {
            let ended = postfix.child.try_wait().expect("a child that can be waited for");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "Postfix: {ended:?}\n{}", postfix.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        postfix
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Replaces one of its files.
    pub(crate) fn rewrite(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join("etc").join(name), text).expect("a file");
        self.run("/usr/sbin/postfix", "reload");
    }

    /// What waits to be sent, as `postqueue -p` shows it.
    pub(crate) fn queue(&self) -> String {
        String::from_utf8_lossy(&self.postqueue("-p").stdout).into_owned()
    }

    /// Tries everything that waits, at once.
    pub(crate) fn flush(&self) {
        self.postqueue("-f");
    }

    /// What lies in a mailbox that `virtual_mailbox_maps` names, in no particular order.
    pub(crate) fn mailbox(&self, name: &str) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.directory.path().join("data").join(name).join("new")) else {
            return Vec::new();
        };
        let read = |file: std::io::Result<fs::DirEntry>| {
            String::from_utf8_lossy(&fs::read(file.expect("an entry").path()).expect("a mail")).into_owned()
        };
        files.map(read).collect()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn postqueue(&self, option: &str) -> Output {
        self.run("/usr/sbin/postqueue", option)
    }

    fn run(&self, program: &str, argument: &str) -> Output {
        let output = Command::new(program)
            .arg("-c")
            .arg(self.directory.path().join("etc"))
            .arg(argument)
            .output()
            .expect("start of a program of Postfix");
        assert!(output.status.success(), "{output:?}");
        output
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Postfix's log\n{}", self.log());
        }
        // The master ends its processes.
        signal(&self.child, "TERM");
        let _ = self.child.wait();
    }
}

fn id(option: &str) -> u32 {
    let output = Command::new("id").args([option, "postfix"]).output().expect("start of id");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("Debian's user postfix")
}

fn main_cf(directory: &Path) -> String {
    let path = directory.display();
    format!(
        "compatibility_level = 3.6\nqueue_directory = {path}/queue\ndata_directory = {path}/data\n\
         maillog_file = {path}/log\nmaillog_file_prefixes = {path}\nmyhostname = postfix.test\n\
         mydestination =\nlocal_recipient_maps =\nalias_maps =\nalias_database =\nmynetworks = 127.0.0.0/8\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nbiff = no\nrecipient_delimiter = +\n\
         smtpd_client_event_limit_exceptions = 127.0.0.0/8\nsmtpd_peername_lookup = no\n\
         virtual_mailbox_base = $data_directory\nvirtual_uid_maps = static:{}\n\
         virtual_gid_maps = static:{}\n",
        id("-u"),
        id("-g")
    )
}

/// Nothing runs in a chroot: the directory is not made up as one.
fn master_cf(address: SocketAddr) -> String {
    let mut text = format!("{address} inet n - n - - smtpd\n");
    for (name, kind, wakeup, processes, program) in [
        ("pickup", "unix n", "60", "1", "pickup"),
        ("cleanup", "unix n", "-", "0", "cleanup"),
        ("qmgr", "unix n", "300", "1", "qmgr"),
        ("tlsmgr", "unix -", "1000?", "1", "tlsmgr"),
        ("rewrite", "unix -", "-", "-", "trivial-rewrite"),
        ("bounce", "unix -", "-", "0", "bounce"),
        ("defer", "unix -", "-", "0", "bounce"),
        ("trace", "unix -", "-", "0", "bounce"),
        ("verify", "unix -", "-", "1", "verify"),
        ("flush", "unix n", "1000?", "0", "flush"),
        ("proxymap", "unix -", "-", "-", "proxymap"),
        ("smtp", "unix -", "-", "-", "smtp"),
        ("relay", "unix -", "-", "-", "smtp"),
        ("lmtp", "unix -", "-", "-", "lmtp"),
        ("showq", "unix n", "-", "-", "showq"),
        ("error", "unix -", "-", "-", "error"),
        ("retry", "unix -", "-", "-", "error"),
        ("anvil", "unix -", "-", "1", "anvil"),
        ("scache", "unix -", "-", "1", "scache"),
        ("postlog", "unix-dgram n", "-", "1", "postlogd"),
    ] {
        let (kind, private) = kind.split_once(' ').expect("two words");
        text.push_str(&format!("{name} {kind} {private} - n {wakeup} {processes} {program}\n"));
    }
    // It writes as the user of each mailbox.
    text.push_str("virtual unix - n n - - virtual\n");
    text
}
