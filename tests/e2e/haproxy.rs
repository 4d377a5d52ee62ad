//! Debian's HAProxy in front of the hub: whom it names with the PROXY protocol is who counts.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use test_dns::Names;

use crate::harness::{ALICE, Hub, PASSWORD, PATIENCE, has_program, message};
use crate::imap_client::Imap;
use crate::postgres::{free_port, is_listening};
use crate::senders::{resolver, serve};
use crate::smtp_client::Smtp;

/// A running proxy. Dropping it kills the proxy and removes its directory.
struct Haproxy {
    child: Child,
    _directory: TempDir,
}

impl Haproxy {
    /// From these ports to those of the hub, with version 1 for SMTP and version 2 for IMAP, as if all
    /// clients were at 192.0.2.7. Health checks say so with the command LOCAL.
    fn start(hub: &Hub, smtp: u16, imap: u16) -> Self {
        let directory = TempDir::with_prefix("haproxy-").expect("a temporary directory");
        let file = directory.path().join("haproxy.cfg");
        let ports = hub.ports();
        let config = format!(
            "global\n    maxconn 100\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n\
             listen smtp\n    bind 127.0.0.1:{smtp}\n    tcp-request connection set-src str(192.0.2.7)\n\
             \x20   server hub 127.0.0.1:{} check inter 100 check-send-proxy send-proxy\n\
             listen imap\n    bind 127.0.0.1:{imap}\n    tcp-request connection set-src str(192.0.2.7)\n\
             \x20   server hub 127.0.0.1:{} check inter 100 check-send-proxy send-proxy-v2\n",
            ports.smtp, ports.imap
        );
        fs::write(&file, config).expect("haproxy.cfg");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "/usr/sbin/haproxy", "-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start of haproxy");
        let mut haproxy = Self { child, _directory: directory };
        let started = Instant::now();
        while !is_listening((Ipv4Addr::LOCALHOST, smtp)) {
            let ended = haproxy.child.try_wait().expect("a child that can be waited for");
            assert!(ended.is_none(), "haproxy ended: {ended:?}");
            assert!(started.elapsed() < PATIENCE, "haproxy does not listen");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        haproxy
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn whom_a_proxy_names_is_checked_and_logged() {
    if !has_program("haproxy", "haproxy") {
        return;
    }
    let records = "strict.test. IN TXT \"v=spf1 ip4:192.0.2.7 -all\"\n\
                   _dmarc.strict.test. IN TXT \"v=DMARC1; p=reject\"\n\
                   other.test. IN TXT \"v=spf1 ip4:192.0.2.8 -all\"\n\
                   _dmarc.other.test. IN TXT \"v=DMARC1; p=reject\"\n";
    let (_runtime, dns) = serve(Names::default().unsigned("test.", records));
    let proxied = "[proxy]\nsmtp = [\"127.0.0.0/8\"]\nimap = [\"127.0.0.0/8\"]\n";
    let hub = Hub::start_with_config(&format!("{}{proxied}", resolver(&dns)));
    let (smtp, imap) = (free_port(), free_port());
    let _haproxy = Haproxy::start(&hub, smtp, imap);

    let mut client = Smtp::connect(smtp).hello();
    client
        .send("x@strict.test", &[ALICE], &message("x@strict.test", ALICE, "proxied", "x\r\n"))
        .expect_code(250);
    let refused = client.send("x@other.test", &[ALICE], &message("x@other.test", ALICE, "other", "x\r\n"));
    refused.expect_code(550);
    let kept = String::from_utf8_lossy(&hub.arrived(ALICE, "proxied")).into_owned();
    for word in ["[192.0.2.7]", "spf=pass smtp.mailfrom=strict.test"] {
        assert!(kept.contains(word), "{word}: {kept}");
    }

    // A client that is not on this machine sends no password in the clear.
    let mut imap = Imap::connect(imap);
    let answer = imap.no(&format!("LOGIN {ALICE} {PASSWORD}"));
    assert!(answer.code("PRIVACYREQUIRED").is_some(), "{answer:?}");
    assert!(hub.log().contains("peer=192.0.2.7"), "the log names the client");
}

#[test]
fn without_its_header_a_proxy_is_not_served() {
    let hub = Hub::start_with_config("[proxy]\nsmtp = [\"127.0.0.0/8\"]\n");
    let mut direct = TcpStream::connect((Ipv4Addr::LOCALHOST, hub.ports().smtp)).expect("connects");
    direct.write_all(b"EHLO peer.test\r\n").expect("written");
    let mut told = Vec::new();
    // The end may be a reset, as something is left unread.
    let _ = direct.read_to_end(&mut told);
    assert_eq!(told, b"");
    Imap::connect(hub.ports().imap).login(ALICE, PASSWORD);
}
