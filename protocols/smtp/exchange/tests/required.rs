//! What senders demand of TLS (RFC 8689): REQUIRETLS, and TLS-Required: No.

use std::sync::Arc;

use hub::{NextHop, Notify, Return, StsPolicy, Submission, SubmissionRecipient, TlsDemand};
use test_dns::{Fault, Names};

use super::{World, certificate, world};
use crate::outbound::tests::take_one;
use crate::sink::{Sink, but, offering};
use crate::transcripts::address;
use crate::work::unix_now;

const VERIFIED: &str = "TLS, certificate verified";
const DIGEST_OF_NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// signed.test is proven by DNSSEC, open.test by nothing, dane.test has a key that nobody has; all of
/// them have the host 127.0.0.41, whose certificate is the one given.
async fn worlds(pem: &str) -> World {
    let pem = pem.to_owned();
    let names = |port| {
        Names::signed(&format!(
            "signed.test. MX 10 mx.signed.test.
             mx.signed.test. A 127.0.0.41
             two.test. MX 10 mx.old.test.
             two.test. MX 20 mx.signed.test.
             mx.old.test. A 127.0.0.42
             dane.test. MX 10 mx.dane.test.
             mx.dane.test. A 127.0.0.41
             _{port}._tcp.mx.dane.test. TLSA 3 1 1 {DIGEST_OF_NOBODY}
             broken.test. MX 10 mx.broken.test.
             mx.broken.test. A 127.0.0.41
             _{port}._tcp.mx.broken.test. TLSA 3 1 1 {DIGEST_OF_NOBODY}\n"
        ))
        .unsigned("open.", "open. MX 10 mx.open.\nmx.open. A 127.0.0.41\n")
        .fault(&format!("_{port}._tcp.mx.broken.test."), Fault::ServFail)
    };
    world(names, move |settings| settings.trust_roots = pem.clone().into_bytes()).await
}

async fn host(
    world: &World,
    last: u8,
    keywords: &'static [&'static str],
    tls: &Arc<rustls::ServerConfig>,
) -> Sink {
    Sink::start(world.at(last), offering(keywords), Some(Arc::clone(tls))).await
}

const NAMES: &[&str] = &["mx.signed.test", "mx.old.test", "mx.open"];

#[tokio::test]
async fn rfc8689_4_2_1_only_to_proven_hosts() {
    let (pem, tls, _) = certificate(NAMES);
    let world = worlds(&pem).await;
    let sink = host(&world, 41, &["STARTTLS", "REQUIRETLS"], &tls).await;
    let reached = world.reach_with("signed.test", TlsDemand::Required).await;
    assert_eq!(reached, Ok(("mx.signed.test".into(), VERIFIED.into())));
    let before = sink.heard().len();
    let reached = world.reach_with("open", TlsDemand::Required).await.expect_err("nobody vouches");
    assert!(reached.starts_with("never: 550 5.7.10 "), "{reached}");
    let reached = world.reach_with("[127.0.0.41]", TlsDemand::Required).await.expect_err("no name");
    assert!(reached.starts_with("never: 550 5.7.10 "), "{reached}");
    assert_eq!(sink.heard().len(), before, "it is known before the connection");

    for (mode, hosts, fits) in
        [("testing", "mx.open", true), ("enforce", "mx.open", true), ("none", "mx.open", false)]
    {
        let policy = format!("version: STSv1\nmode: {mode}\nmx: {hosts}\nmax_age: 604800\n");
        let (domain, id) = ("open".to_owned(), "1".to_owned());
        let kept = StsPolicy { domain, id, policy, expires_at: unix_now() + 600_000 };
        world.test.hub.keep_sts_policy(kept).await.expect("kept");
        let reached = world.reach_with("open", TlsDemand::Required).await;
        assert_eq!(reached.is_ok(), fits, "{mode} {hosts}: {reached:?}");
    }
}

/// A certificate that nobody knows, no STARTTLS, no REQUIRETLS: the sender hears it at once.
#[tokio::test]
async fn rfc8689_4_2_1_what_a_host_lacks() {
    let (pem, tls, _) = certificate(NAMES);
    let (_, strange, _) = certificate(NAMES);
    for (keywords, config, expected) in [
        (&["STARTTLS", "REQUIRETLS"][..], &strange, "never: 550 5.7.10 mx.signed.test: TLS: "),
        (&["REQUIRETLS"], &tls, "never: 550 5.7.10 mx.signed.test: TLS is required here"),
        (&["STARTTLS"], &tls, "never: 550 5.7.30 "),
    ] {
        let world = worlds(&pem).await;
        let sink = host(&world, 41, keywords, config).await;
        let reached = world.reach_with("signed.test", TlsDemand::Required).await.expect_err("not enough");
        assert!(reached.starts_with(expected), "{reached}");
        assert_eq!(sink.count("MAIL"), 0);
        assert!(world.reach("signed.test").await.is_ok(), "without the demand it does");
    }
    let world = worlds(&pem).await;
    let reached = world.reach_with("signed.test", TlsDemand::Required).await.expect_err("nobody is there");
    assert!(reached.starts_with("later: "), "{reached}");
}

#[tokio::test]
async fn rfc8689_4_2_1_the_next_host_may_have_it() {
    let (pem, tls, _) = certificate(NAMES);
    let world = worlds(&pem).await;
    let old = host(&world, 42, &["STARTTLS"], &tls).await;
    let reached = world.reach_with("two.test", TlsDemand::Required).await.expect_err("the second is down");
    assert!(reached.starts_with("later: "), "the second may offer it when it is back: {reached}");
    let _sink = host(&world, 41, &["STARTTLS", "REQUIRETLS"], &tls).await;
    let reached = world.reach_with("two.test", TlsDemand::Required).await;
    assert_eq!(reached, Ok(("mx.signed.test".into(), VERIFIED.into())));
    assert_eq!(old.count("MAIL"), 0);
}

/// RFC 8689 §2: the demand goes on with the message, and no report brings its text back (§5).
#[tokio::test]
async fn rfc8689_2_the_parameter_goes_on() {
    let (pem, tls, _) = certificate(NAMES);
    let world = worlds(&pem).await;
    let sink = host(&world, 41, &["STARTTLS", "DSN", "REQUIRETLS"], &tls).await;
    let hub = &world.test.hub;
    let mut spool = hub.spool();
    spool.write(b"From: alice@example.org\r\nTLS-Required: No\r\n\r\nx\r\n").await.expect("written");
    let to = address("bob@signed.test");
    let recipient = SubmissionRecipient { address: to, notify: Notify::default(), original: None };
    let submission = Submission {
        incoming: hub.examine(spool).await.expect("examined"),
        reverse_path: Some(address("alice@example.org")),
        recipients: vec![recipient],
        trace: Vec::new(),
        ret: Return::Full,
        envelope_id: None,
        smtputf8: false,
        eight_bit: false,
        require_tls: true,
    };
    world.test.alice.submit(submission).await.expect("submitted");
    let hop = NextHop::Mx("signed.test".into(), TlsDemand::Required);
    let message = take_one(hub, &hop, unix_now()).await;
    let mut connection = world.exchange.connect("signed.test", hop.tls()).await.expect("connected");
    connection.send(hub, &message).await.expect("sent");
    assert_eq!(sink.count("MAIL FROM:<alice@example.org> REQUIRETLS RET=HDRS"), 1, "{:?}", sink.heard());
}

/// RFC 8689 §4.2.2: to tell the owner of a domain that its TLS is broken.
#[tokio::test]
async fn tls_required_no_arrives_against_every_policy() {
    let (pem, tls, _) = certificate(NAMES);
    for domain in ["dane.test", "broken.test"] {
        let world = worlds(&pem).await;
        let _sink = host(&world, 41, &["STARTTLS"], &tls).await;
        world.reach(domain).await.expect_err("its TLSA record is wrong");
        let reached = world.reach_with(domain, TlsDemand::NotRequired).await;
        assert_eq!(reached, Ok((format!("mx.{domain}"), "TLS, certificate not verified".into())));
        let world = worlds(&pem).await;
        let _sink = world.sink(41, but("STARTTLS", Some("454 4.7.0 no"), offering(&["STARTTLS"]))).await;
        let reached = world.reach_with(domain, TlsDemand::NotRequired).await;
        assert_eq!(reached, Ok((format!("mx.{domain}"), String::new())));
    }
}
