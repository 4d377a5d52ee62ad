//! A small internet on loopback: a signed DNS, hubs that are the mail hosts of their domains, and
//! Debian's Postfix between them. Each host has an address of its own in 127.0.0.0/8; all of them share
//! a port, because DNS has no ports for mail.

mod forwarder;
mod invitations;
mod loops;
mod phonebook;

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use serde_json::Value;
use test_dns::{Names, TestDns};
use tokio::runtime::Runtime;

use crate::harness::{Database, Hub, PASSWORD, assert_success, wait_until};

/// Before its hosts are there.
struct Internet {
    port: u16,
    /// Of the signed root zone.
    records: String,
}

/// The name server of all. The runtime runs it.
struct Dns {
    server: TestDns,
    _runtime: Runtime,
}

impl Internet {
    /// A port that is free at the addresses of all hosts, like the one behind it. It lies below those that the system gives to
    /// outgoing connections, one of which could take it meanwhile.
    fn new() -> Self {
        let first = std::process::id() % 12_000;
        let port = (0..12_000)
            .map(|next| 20_000 + ((first + next) % 12_000) as u16)
            .find(|port| [*port, port + 1].iter().all(|port| is_free(*port)))
            .expect("one of them is free");
        Self { port, records: String::new() }
    }

    fn at(&self, last: u8) -> SocketAddr {
        (Ipv4Addr::new(127, 0, 0, last), self.port).into()
    }

    fn publish(&mut self, records: &str) {
        self.records.push_str(records);
        self.records.push('\n');
    }

    /// A hub as `mail.DOMAIN` at 127.0.0.`last`. DNS has what it wants published, with a stricter
    /// policy; whoever connects on loopback comes from 127.0.0.1.
    fn hub(&mut self, domain: &str, last: u8) -> Hub {
        let mut config = format!("hostname = \"mail.{domain}\"\n[listen]\n");
        for kind in ["submission", "submissions", "lmtp", "managesieve", "imap", "imaps", "http", "https"] {
            let _ = writeln!(config, "{kind} = \"127.0.0.1:0\"");
        }
        let port = self.port;
        let _ = write!(
            config,
            "smtp = [\"127.0.0.1:0\", \"127.0.0.{last}:{port}\"]\n\
             [public]\nhttps = 443\n\
             [authentication]\ncheck_loopback = true\n\
             [outbound]\nport = {port}\nmta_sts_port = 1\nclock_scale = 0.01\n"
        );
        let hub = Hub::new(Database::Sqlite, &config);
        hub.admin(&["domain", "add", domain]);
        let records = hub.admin(&["dns", domain]);
        assert!(records.contains("v=spf1 mx -all") && records.contains("p=quarantine"), "{records}");
        self.publish(
            &records.replace("v=spf1 mx", "v=spf1 ip4:127.0.0.1").replace("p=quarantine", "p=reject"),
        );
        self.publish(&format!("mail.{domain}. IN A 127.0.0.{last}"));
        hub
    }

    /// Starts the name server. What is published now stays.
    fn serve(&self) -> Dns {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads");
        let server = runtime.block_on(Names::signed(&self.records).serve());
        Dns { server, _runtime: runtime }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

impl Dns {
    /// Starts a hub that asks this server and believes nothing unsigned, with these twins.
    fn launch(&self, hub: &mut Hub, twins: &[&str]) {
        let file = hub.data().join("hub.toml");
        let config = fs::read_to_string(&file).expect("hub.toml");
        let (ip, port) = (self.server.address.ip(), self.server.address.port());
        let resolver = format!(
            "[resolver]\naddress = \"{ip}\"\nport = {port}\ndnssec = \"on\"\ntrust_anchor = \"root.key\"\n"
        );
        fs::write(hub.data().join("root.key"), &self.server.trust_anchor).expect("written");
        fs::write(file, config + &resolver).expect("written");
        hub.launch();
        for twin in twins {
            hub.add_twin(twin, PASSWORD);
        }
    }
}

/// Waits until nothing is to be sent any more.
fn wait_for_empty_queue(hub: &Hub) {
    wait_until("an empty queue", || {
        let listed: Value = serde_json::from_str(&hub.admin(&["queue", "list", "--json"])).expect("JSON");
        listed.as_array().is_some_and(Vec::is_empty).then_some(())
    });
}

/// How many messages a mailbox has.
fn count(hub: &Hub, twin: &str, mailbox: &str) -> usize {
    let mut imap = hub.imap(twin);
    imap.ok(&format!("SELECT {mailbox}"));
    imap.search("ALL").len()
}

/// Gives a twin rules.
fn rules(hub: &Hub, twin: &str, script: &str) {
    let put = hub.cli_with_input(&["sieve", "put", twin, "main", "-"], script);
    assert_success(&put, &["sieve", "put"]);
    hub.admin(&["sieve", "activate", twin, "main"]);
}
