//! Debian's Pebble, an ACME server for tests, with its small name server, on free loopback ports.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Hub, PATIENCE, Ports, has_program};
use crate::postgres::{free_port, is_listening};

/// A running server. Dropping it kills the server and removes its directory.
pub(crate) struct Pebble {
    children: Vec<Child>,
    directory: TempDir,
    /// Where its name server takes orders.
    management: u16,
}

/// Where the server will be, for the configuration of its client.
pub(crate) struct Place {
    port: u16,
    /// The certificate of the server is one of this hub's.
    vouching: Hub,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { port: free_port(), vouching: Hub::start() }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// A PEM file to trust.
    pub(crate) fn root(&self) -> String {
        self.vouching.ports().ca.display().to_string()
    }
}

impl Pebble {
    pub(crate) fn is_installed() -> bool {
        has_program("pebble", "pebble")
    }

    /// Looks for proofs at the listeners of `hub`; every name leads to this machine. Certificates live
    /// for so many seconds.
    pub(crate) fn start(place: &Place, hub: &Ports, life: u32) -> Self {
        let directory = TempDir::with_prefix("pebble-").expect("a temporary directory");
        let (names, management) = (free_port(), free_port());
        let key = place.vouching.data().join("certs/hub.pem");
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", place.port),
            "managementListenAddress": "",
            "certificate": key,
            "privateKey": key,
            "httpPort": hub.http,
            "tlsPort": hub.https,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": life,
        }});
        fs::write(directory.path().join("config.json"), config.to_string()).expect("the configuration");
        let mut pebble = Self { children: Vec::new(), directory, management };
        pebble.spawn(
            "pebble-challtestsrv",
            &[
                &format!("-dns01=127.0.0.1:{names}"),
                &format!("-management=127.0.0.1:{management}"),
                "-http01=",
                "-https01=",
                "-tlsalpn01=",
                "-defaultIPv6=",
            ],
        );
        pebble.wait_for(management);
        pebble.spawn("pebble", &["-config=config.json", &format!("-dnsserver=127.0.0.1:{names}")]);
        pebble.wait_for(place.port);
        pebble
    }

    /// From now on nobody knows this name.
    pub(crate) fn hide(&self, name: &str) {
        let url = format!("http://127.0.0.1:{}/set-servfail", self.management);
        let host = json!({ "host": format!("{name}.") }).to_string();
        let status = Command::new("curl").args(["-s", "--fail", "-d", &host, &url]).status();
        assert!(status.expect("start of curl").success());
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let log = fs::File::options().create(true).append(true).open(self.directory.path().join("log"));
        let log = log.expect("a log file");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program])
            .args(arguments)
            .current_dir(self.directory.path())
            // Pauses that teach clients patience; bad nonces stay as they are, one in twenty.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("start of pebble");
        self.children.push(child);
    }

    fn wait_for(&mut self, port: u16) {
        let started = Instant::now();
        while !is_listening((Ipv4Addr::LOCALHOST, port)) {
            let ended = self.children.iter_mut().find_map(|child| child.try_wait().expect("its state"));
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "Pebble: {ended:?}\n{}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Pebble's log\n{}", self.log());
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
