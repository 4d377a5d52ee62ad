//! What is counted of TLS for the reports to domains (RFC 8460 §4).

use std::sync::Arc;

use hub::{ReportKind, TlsDemand, TlsPolicyKind, TlsSession};
use hub_https::Https;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use test_dns::{Fault, Names};

use super::policies::{Website, ok};
use super::{World, certificate, world};
use crate::sink::{Sink, offering};
use crate::work::unix_now;

/// What was counted about a domain today: policy and outcome, in words, sorted.
async fn counted(world: &World, domain: &str) -> Vec<String> {
    let mut words: Vec<String> = sessions(world, domain)
        .await
        .into_iter()
        .map(|(session, number)| {
            let failure = session.failure.map_or_else(|| "ok".to_owned(), |it| it.failure.to_string());
            format!("{number} {} {failure}", session.policy.kind)
        })
        .collect();
    words.sort();
    words
}

async fn sessions(world: &World, domain: &str) -> Vec<(TlsSession, u64)> {
    let hub = &world.test.hub;
    hub.due_reports(ReportKind::Tls).await.expect("written");
    hub.tls_sessions(unix_now().div_euclid(86_400), domain).await.expect("read")
}

const STARTTLS: &[&str] = &["STARTTLS"];

/// plain.test says nothing; dane.test has this TLSA record. The host of both is 127.0.0.51.
async fn signed(tlsa: &str, fault: Option<Fault>) -> World {
    let names = |port| {
        let name = format!("_{port}._tcp.mx.dane.test.");
        let names = Names::signed(&format!(
            "plain.test. MX 10 mx.plain.test.
             mx.plain.test. A 127.0.0.51
             dane.test. MX 10 mx.dane.test.
             mx.dane.test. A 127.0.0.51
             {name} TLSA {tlsa}\n"
        ));
        match fault {
            Some(fault) => names.fault(&name, fault),
            None => names,
        }
    };
    world(names, |_| {}).await
}

async fn host(world: &World, tls: Option<&Arc<ServerConfig>>, keywords: &'static [&'static str]) -> Sink {
    Sink::start(world.at(51), offering(keywords), tls.cloned()).await
}

#[tokio::test]
async fn without_a_policy() {
    let (_, tls, _) = certificate(&["nobody.test"]);
    for (tls, keywords, expected) in [
        (Some(&tls), STARTTLS, "1 no-policy-found ok"),
        (None, &[][..], "1 no-policy-found starttls-not-supported"),
        // The handshake breaks; the second connection, without TLS, is no session.
        (None, STARTTLS, "1 no-policy-found validation-failure"),
    ] {
        let world = signed("3 1 1 00", None).await;
        let _sink = host(&world, tls, keywords).await;
        world.reach("plain.test").await.expect("reached");
        assert_eq!(counted(&world, "plain.test").await, [expected]);
    }
}

#[tokio::test]
async fn rfc8460_4_3_2_dane() {
    let (_, tls, der) = certificate(&["mx.dane.test"]);
    let key = super::protection::key_digest(&der);
    let (right, wrong) = (format!("3 1 1 {key}"), format!("3 1 1 {}", "00".repeat(32)));
    for (tlsa, fault, expected) in [
        (right.as_str(), None, "1 tlsa ok"),
        (wrong.as_str(), None, "1 tlsa certificate-not-trusted"),
        ("0 9 9 00", None, "1 tlsa tlsa-invalid"),
        (right.as_str(), Some(Fault::Unsigned), "1 tlsa dnssec-invalid"),
    ] {
        let world = signed(tlsa, fault).await;
        let _sink = host(&world, Some(&tls), STARTTLS).await;
        let _ = world.reach("dane.test").await;
        assert_eq!(counted(&world, "dane.test").await, [expected], "{tlsa}");
    }
    let world = signed(&right, None).await;
    let _sink = host(&world, None, &[]).await;
    for _ in 0..2 {
        let _ = world.reach("dane.test").await;
    }
    let (session, number) = sessions(&world, "dane.test").await.remove(0);
    assert_eq!((session.policy.kind, session.policy.domain.as_str()), (TlsPolicyKind::Tlsa, "mx.dane.test"));
    assert_eq!(session.policy.text, [format!("3 1 1 {key}")]);
    let unsecured = session.failure.expect("there is no TLS");
    assert_eq!((unsecured.failure.to_string().as_str(), number), ("starttls-not-supported", 2));
    assert_eq!(unsecured.host, "mx.dane.test");
    assert_eq!(unsecured.to.map(|ip| ip.to_string()).as_deref(), Some("127.0.0.51"));
    assert!(unsecured.from.is_some_and(|ip| ip.is_loopback()));
}

/// A certificate that has expired.
fn expired(name: &str) -> (String, Arc<ServerConfig>) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let made = params.self_signed(&key).expect("made");
    let der = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], der)
        .expect("a certificate");
    (made.pem(), Arc::new(config))
}

/// sts.test has a policy on this website, and a host with this certificate; what is trusted is said.
async fn sts(answer: &str, site: &Arc<ServerConfig>, mx: &Arc<ServerConfig>, trusted: &str) -> (World, Sink) {
    let website = Website::start(answer.to_owned(), Arc::clone(site)).await;
    let names = |_| {
        Names::signed("").unsigned(
            "test.",
            "sts.test. MX 10 mx.sts.test.
             mx.sts.test. A 127.0.0.51
             _mta-sts.sts.test. TXT \"v=STSv1; id=1;\"
             mta-sts.sts.test. A 127.0.0.1\n",
        )
    };
    let world = world(names, |settings| {
        settings.trust_roots = trusted.as_bytes().to_vec();
        settings.policy_port = website.address.port();
    })
    .await;
    let sink = host(&world, Some(mx), STARTTLS).await;
    (world, sink)
}

#[tokio::test]
async fn rfc8460_4_3_1_certificates() {
    let (site_pem, site, _) = certificate(&["mta-sts.sts.test"]);
    let (right_pem, right, _) = certificate(&["mx.sts.test"]);
    let (_, strange, _) = certificate(&["mx.sts.test"]);
    let (other_pem, other, _) = certificate(&["mx.other.test"]);
    let (old_pem, old) = expired("mx.sts.test");
    let trusted = [site_pem, right_pem, other_pem, old_pem].concat();
    for (mode, mx, expected) in [
        ("enforce", &right, "ok"),
        ("enforce", &strange, "certificate-not-trusted"),
        ("enforce", &other, "certificate-host-mismatch"),
        ("enforce", &old, "certificate-expired"),
        ("testing", &right, "ok"),
        ("testing", &strange, "certificate-not-trusted"),
        ("testing", &old, "certificate-expired"),
    ] {
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.sts.test\nmax_age: 604800\n");
        let (world, _sink) = sts(&ok(&text), &site, mx, &trusted).await;
        let reached = world.reach("sts.test").await;
        assert_eq!(reached.is_ok(), mode == "testing" || expected == "ok", "{mode} {expected}: {reached:?}");
        assert_eq!(counted(&world, "sts.test").await, [format!("1 sts {expected}")], "{mode}");
        let session = sessions(&world, "sts.test").await.remove(0).0;
        assert_eq!(session.policy.text, text.lines().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn rfc8460_4_3_2_2_policies() {
    let (pem, tls, _) = certificate(&["mta-sts.sts.test", "mx.sts.test"]);
    let (_, strange, _) = certificate(&["mta-sts.sts.test"]);
    let policy = |mode: &str| format!("version: STSv1\nmode: {mode}\nmx: no.sts.test\nmax_age: 604800\n");
    let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    let plain = "2 no-policy-found ok";
    for (answer, site, expected) in [
        (gone, &tls, &[plain, "2 sts sts-policy-fetch-error"][..]),
        (ok("version: STSv1\nmode: enforce\nmax_age: 1\n"), &tls, &[plain, "2 sts sts-policy-invalid"]),
        (ok(&policy("enforce")), &strange, &[plain, "2 sts sts-webpki-invalid"]),
        // The host is not among those of the policy.
        (ok(&policy("enforce")), &tls, &["2 sts validation-failure"]),
        (ok(&policy("testing")), &tls, &["2 sts validation-failure"]),
        (ok(&policy("none")), &tls, &[plain]),
    ] {
        let (world, _sink) = sts(&answer, site, &tls, &pem).await;
        for _ in 0..2 {
            let _ = world.reach("sts.test").await;
        }
        assert_eq!(counted(&world, "sts.test").await, expected, "{answer}");
    }
}

/// What the domain has not asked for is not reported to it: a sender's own demands, and reports.
#[tokio::test]
async fn what_senders_demand_is_not_counted() {
    let (_, tls, _) = certificate(&["mx.plain.test"]);
    let world = signed("3 1 1 00", None).await;
    let _sink = host(&world, Some(&tls), STARTTLS).await;
    world.reach_with("plain.test", TlsDemand::NotRequired).await.expect("reached");
    world.reach_with("plain.test", TlsDemand::Required).await.expect_err("nobody knows the certificate");
    assert!(counted(&world, "plain.test").await.is_empty());
}

#[tokio::test]
async fn rfc8460_5_4_documents_are_handed_over() {
    let (pem, tls, _) = certificate(&["reports.test"]);
    let thanks = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    for (answer, is_taken) in
        [(thanks, true), ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", false), ("", false)]
    {
        let website = Website::start(answer.to_owned(), Arc::clone(&tls)).await;
        let names =
            |_| Names::signed("").unsigned("test.", "reports.test. A 127.0.0.1\nother.test. A 127.0.0.1\n");
        let world = world(names, |_| {}).await;
        let port = website.address.port();
        let https = Https::new(Arc::clone(&world.exchange.dns), pem.as_bytes(), port).expect("a certificate");
        let post = async |url: &str| https.post(url, "application/tlsrpt+gzip", b"packed".to_vec()).await;
        let taken = post(&format!("https://reports.test:{port}/tls?x=1")).await;
        assert_eq!(taken.is_ok(), is_taken, "{taken:?}");
        let request = website.asked.lock().expect("unpoisoned").remove(0);
        for piece in [
            "POST /tls?x=1 HTTP/1.1\r\n",
            "content-type: application/tlsrpt+gzip\r\n",
            "content-length: 6\r\n",
        ] {
            assert!(request.contains(piece), "{request}");
        }
        let address = format!("https://127.0.0.1:{port}/");
        for url in [
            "http://reports.test/",
            "https://reports.test:25/",
            &address,
            "https://other.test/",
            "x",
            "https:",
        ] {
            post(url).await.expect_err(url);
        }
        assert!(website.asked.lock().expect("unpoisoned").is_empty(), "nobody else was told");
    }
}
