//! Debian's rspamd as a milter on a free loopback port, with a configuration of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::harness::{PATIENCE, has_program};
use crate::postgres::{free_port, is_listening, is_root};

/// A running filter. Dropping it kills the filter and removes its directory.
pub(crate) struct Rspamd {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Rspamd {
    pub(crate) fn is_installed() -> bool {
        has_program("rspamd", "rspamd")
    }

    /// Knows no rules but its own test patterns.
    pub(crate) fn start() -> Self {
        let directory = TempDir::with_prefix("rspamd-").expect("a temporary directory");
        let port = free_port();
        let path = directory.path().display();
        // Port 9 is the discard service: nobody answers there.
        let configuration = format!(
            "options {{ pidfile = \"{path}/pid\"; filters = \"\"; enable_test_patterns = true; disable_hyperscan = true; tempdir = \"{path}\";\n\
             control_socket = \"{path}/control mode=0600\"; hs_cache_dir = \"{path}\";\n\
             dns {{ nameserver = [\"127.0.0.1:9\"]; timeout = 1s; retransmits = 1; }} }}\n\
             logging {{ type = \"file\"; filename = \"{path}/log\"; level = \"info\"; }}\n\
             actions {{ reject = 15; add_header = 6; }}\n\
             worker \"rspamd_proxy\" {{ bind_socket = \"127.0.0.1:{port}\"; milter = yes; count = 1; timeout = 20s;\n\
             upstream \"local\" {{ default = yes; self_scan = yes; }} }}\n"
        );
        fs::write(directory.path().join("rspamd.conf"), configuration).expect("the configuration");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "--", "rspamd", "-f", "-c"])
            .arg(directory.path().join("rspamd.conf"));
        if is_root() {
            command.arg("--insecure");
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut rspamd = Self { child: child.expect("start of rspamd"), directory, port };
        let started = Instant::now();
        while !is_listening((Ipv4Addr::LOCALHOST, port)) {
            let ended = rspamd.child.try_wait().expect("a child that can be waited for");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "rspamd: {ended:?}\n{}", rspamd.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        rspamd
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- rspamd's log\n{}", self.log());
        }
        // The master ends its workers.
        crate::postgres::signal(&self.child, "TERM");
        let _ = self.child.wait();
    }
}
