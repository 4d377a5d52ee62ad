//! MTA-STS (RFC 8461): fetched, kept, and obeyed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hub::StsPolicy;
use test_dns::{Fault, Names};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{World, certificate, world};
use crate::sink::{Sink, offering};
use crate::work::unix_now;

const VERIFIED: &str = "TLS, certificate verified";
const ENCRYPTED: &str = "TLS, certificate not verified";
const ENFORCE: &str = "version: STSv1\nmode: enforce\nmx: mx.sts.test\nmax_age: 604800\n";

/// An HTTPS server that says one thing to everybody.
pub(super) struct Website {
    pub(super) address: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

impl Website {
    pub(super) async fn start(answer: String, tls: Arc<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, tls, heard) = (answer.clone(), Arc::clone(&tls), Arc::clone(&heard));
                tokio::spawn(async move {
                    let Ok(mut stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await else {
                        return;
                    };
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        request.push(byte);
                    }
                    heard.lock().expect("unpoisoned").push(String::from_utf8_lossy(&request).into_owned());
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("unpoisoned").len()
    }
}

pub(super) fn ok(policy: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{policy}",
        policy.len()
    )
}

/// sts.test says that it has a policy, and `answer` is what its website says.
async fn sts(answer: &str, fault: Option<(&str, Fault)>) -> (World, Website, Sink) {
    let (pem, config, _) = certificate(&["mta-sts.sts.test", "mx.sts.test"]);
    let website = Website::start(answer.to_owned(), Arc::clone(&config)).await;
    let names = |_| {
        let names = Names::signed("").unsigned(
            "test.",
            "sts.test. MX 10 mx.sts.test.
             mx.sts.test. A 127.0.0.31
             _mta-sts.sts.test. TXT \"v=STSv1; id=1;\"
             mta-sts.sts.test. A 127.0.0.1\n",
        );
        match fault {
            Some((name, fault)) => names.fault(name, fault),
            None => names,
        }
    };
    let world = world(names, |settings| {
        settings.trust_roots = pem.clone().into_bytes();
        settings.policy_port = website.address.port();
    })
    .await;
    let sink = Sink::start(world.at(31), offering(&["STARTTLS"]), Some(config)).await;
    (world, website, sink)
}

async fn keep(world: &World, id: &str, policy: &str, expires_at: i64) {
    let (domain, id, policy) = ("sts.test".to_owned(), id.to_owned(), policy.to_owned());
    world.test.hub.keep_sts_policy(StsPolicy { domain, id, policy, expires_at }).await.expect("kept");
}

fn reached(tls: &str) -> Result<(String, String), String> {
    Ok(("mx.sts.test".to_owned(), tls.to_owned()))
}

#[tokio::test]
async fn rfc8461_3_3_a_policy_is_fetched_once() {
    let (world, website, _sink) = sts(&ok(ENFORCE), None).await;
    for _ in 0..3 {
        assert_eq!(world.reach("sts.test").await, reached(VERIFIED));
    }
    assert_eq!(website.asked(), 1, "the id has not changed");
    let request = website.asked.lock().expect("unpoisoned")[0].clone();
    assert!(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("host: mta-sts.sts.test\r\n"), "{request}");
}

#[tokio::test]
async fn rfc8461_5_modes() {
    let text =
        |mode: &str, host: &str| format!("version: STSv1\nmode: {mode}\nmx: {host}\nmax_age: 604800\n");
    for (mode, host, expected) in [
        ("enforce", "*.sts.test", reached(VERIFIED)),
        (
            "enforce",
            "other.test",
            Err("later: 450 4.7.5 mx.sts.test is not among the hosts of sts.test's MTA-STS policy".to_owned()),
        ),
        ("testing", "*.sts.test", reached(VERIFIED)),
        ("testing", "other.test", reached(VERIFIED)),
        ("none", "other.test", reached(ENCRYPTED)),
    ] {
        let (world, _website, _sink) = sts(&ok(&text(mode, host)), None).await;
        assert_eq!(world.reach("sts.test").await, expected, "{mode} {host}");
    }
}

/// A policy that is enforced lets nothing out to a host that cannot show who it is.
#[tokio::test]
async fn rfc8461_4_2_certificates_are_checked() {
    for (mode, expected) in [("enforce", Err(())), ("testing", Ok(reached(ENCRYPTED)))] {
        let policy =
            format!("version: STSv1\nmode: {mode}\nmx: wrong.sts.test\nmx: mx.sts.test\nmax_age: 604800\n");
        let (pem, config, _) = certificate(&["mta-sts.sts.test"]);
        let website = Website::start(ok(&policy), config).await;
        let names = |_| {
            Names::signed("").unsigned(
                "test.",
                "sts.test. MX 10 mx.sts.test.
                 mx.sts.test. A 127.0.0.31
                 _mta-sts.sts.test. TXT \"v=STSv1; id=1;\"
                 mta-sts.sts.test. A 127.0.0.1\n",
            )
        };
        let world = world(names, |settings| {
            settings.trust_roots = pem.clone().into_bytes();
            settings.policy_port = website.address.port();
        })
        .await;
        let (_, strange, _) = certificate(&["mx.sts.test"]);
        let sink = Sink::start(world.at(31), offering(&["STARTTLS"]), Some(strange)).await;
        let found = world.reach("sts.test").await;
        match expected {
            Ok(expected) => assert_eq!(found, expected),
            Err(()) => {
                let why = found.expect_err("nobody vouches for it");
                assert!(why.starts_with("later: mx.sts.test: TLS: "), "{why}");
                assert_eq!(sink.count("EHLO"), 1, "no second connection without TLS");
            }
        }
    }
}

/// None of these is a policy; without one there is only opportunity.
#[tokio::test]
async fn rfc8461_3_3_answers_that_are_none() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        format!(
            "HTTP/1.1 301 Moved\r\nLocation: https://mta-sts.sts.test/x\r\nContent-Length: {}\r\n\r\n{ENFORCE}",
            ENFORCE.len()
        ),
        ok(ENFORCE).replace("text/plain", "text/html"),
        ok("version: STSv1\nmode: enforce\nmax_age: 1\n"),
        ok(&format!("{ENFORCE}{}", "x: y\n".repeat(20_000))),
        String::new(),
    ] {
        let (world, website, _sink) = sts(&answer, None).await;
        for _ in 0..2 {
            assert_eq!(world.reach("sts.test").await, reached(ENCRYPTED), "{answer:.60}");
        }
        assert_eq!(website.asked(), 1, "not asked again at once: {answer:.60}");
    }
}

/// RFC 8461 §5.1: what is known holds, whatever an attacker does to DNS or the website.
#[tokio::test]
async fn rfc8461_5_1_a_kept_policy_survives_failures() {
    let refuse = "version: STSv1\nmode: enforce\nmx: other.test\nmax_age: 604800\n";
    let broken = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
    let far = unix_now() + 600_000;
    for (id, expires_at, fault, is_refused) in [
        ("1", far, None, true),
        ("changed", far, None, true),
        ("1", far, Some(("_mta-sts.sts.test.", Fault::ServFail)), true),
        ("1", far, Some(("mta-sts.sts.test.", Fault::ServFail)), true),
        ("1", unix_now() - 1, None, false),
    ] {
        let (world, _website, _sink) = sts(broken, fault).await;
        keep(&world, id, refuse, expires_at).await;
        assert_eq!(world.reach("sts.test").await.is_err(), is_refused, "{id} {expires_at} {fault:?}");
    }
}

#[tokio::test]
async fn rfc8461_3_3_policies_are_renewed() {
    let refuse = "version: STSv1\nmode: enforce\nmx: other.test\nmax_age: 604800\n";
    for (id, expires_in) in [("old", 600_000), ("1", 3600)] {
        let (world, website, _sink) = sts(&ok(ENFORCE), None).await;
        keep(&world, id, refuse, unix_now() + expires_in).await;
        assert_eq!(world.reach("sts.test").await, reached(VERIFIED), "{id}");
        assert_eq!(website.asked(), 1);
        let kept = world.test.hub.sts_policy("sts.test").await.expect("read").expect("kept");
        assert_eq!((kept.id.as_str(), kept.policy.as_str()), ("1", ENFORCE));
        assert!(kept.expires_at > unix_now() + 600_000, "for a week from now");
    }
}

/// RFC 8461 §2: where DANE says something, MTA-STS says nothing.
#[tokio::test]
async fn dane_goes_first() {
    let names = |port| {
        Names::signed(&format!(
            "sts.test. MX 10 mx.sts.test.
             mx.sts.test. A 127.0.0.31
             _{port}._tcp.mx.sts.test. TLSA 0 9 9 00\n"
        ))
    };
    let world = world(names, |_| {}).await;
    keep(
        &world,
        "1",
        "version: STSv1\nmode: enforce\nmx: other.test\nmax_age: 604800\n",
        unix_now() + 600_000,
    )
    .await;
    let (_, config, _) = certificate(&["mx.sts.test"]);
    let _sink = Sink::start(world.at(31), offering(&["STARTTLS"]), Some(config)).await;
    assert_eq!(world.reach("sts.test").await, reached(ENCRYPTED));
    assert_eq!(world.dns.asked(&format!("_{}._tcp.mx.sts.test.", world.port), "TLSA"), 1);
}
