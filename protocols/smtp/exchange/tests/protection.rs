//! TLS by DANE, by opportunity, or not at all.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};
use test_dns::{Fault, Names};

use super::{World, certificate, world};
use crate::sink::{Sink, but, offering};

const TLS: &[&str] = &["STARTTLS", "PIPELINING"];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn key_digest(certificate: &CertificateDer<'_>) -> String {
    let parsed = ParsedCertificate::try_from(certificate).expect("a certificate");
    hex(&Sha256::digest(parsed.subject_public_key_info()))
}

/// A signed domain whose host, 127.0.0.21, has this TLSA record.
async fn dane(tlsa: &str) -> World {
    let names = |port| {
        Names::signed(&format!(
            "dane.test. MX 10 mx.dane.test.
             mx.dane.test. A 127.0.0.21
             other.test. MX 10 alias.other.test.
             alias.other.test. CNAME mx.dane.test.
             _{port}._tcp.mx.dane.test. TLSA {tlsa}\n"
        ))
        .unsigned(
            "insecure.",
            &format!(
                "insecure. MX 10 mx.insecure.
                 mx.insecure. A 127.0.0.21
                 _{port}._tcp.mx.insecure. TLSA {tlsa}\n"
            ),
        )
    };
    world(names, |_| {}).await
}

async fn shows(world: &World, config: &Arc<rustls::ServerConfig>) -> Sink {
    Sink::start(world.at(21), offering(TLS), Some(Arc::clone(config))).await
}

/// The host that a test talks to, with this protection.
fn host(name: &str, tls: &str) -> Result<(String, String), String> {
    Ok((name.to_owned(), tls.to_owned()))
}

const DANE: &str = "TLS, certificate verified by DANE";
const ENCRYPTED: &str = "TLS, certificate not verified";

#[tokio::test]
async fn rfc7672_3_1_1_the_hosts_own_key() {
    // No name in it is right, and no authority knows it: neither matters.
    let (_, config, der) = certificate(&["elsewhere.test"]);
    let world = dane(&format!("3 1 1 {}", key_digest(&der))).await;
    let _sink = shows(&world, &config).await;
    assert_eq!(world.reach("dane.test").await, host("mx.dane.test", DANE));
    assert_eq!(world.reach("other.test").await, host("alias.other.test", DANE), "at the end of the CNAME");
    assert_eq!(
        world.reach("insecure").await,
        host("mx.insecure", ENCRYPTED),
        "TLSA that anybody could forge"
    );
}

#[tokio::test]
async fn rfc7672_3_1_2_an_authority_of_the_hosts_own() {
    for (name, fits) in [("mx.dane.test", true), ("dane.test", true), ("evil.test", false)] {
        let authority = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&authority).expect("made");
        let issuer = rcgen::Issuer::new(params, authority);
        let key = rcgen::KeyPair::generate().expect("a key");
        let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&key, &issuer).expect("made");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone(), root.der().clone()], key)
            .expect("a certificate");
        let world = dane(&format!("2 0 1 {}", hex(&Sha256::digest(root.der())))).await;
        let sink = shows(&world, &Arc::new(config)).await;
        let reached = world.reach("dane.test").await;
        if fits {
            assert_eq!(reached, host("mx.dane.test", DANE), "{name}");
        } else {
            assert!(reached.as_ref().is_err_and(|why| why.starts_with("later: ")), "{name}: {reached:?}");
            assert_eq!(sink.count("MAIL"), 0);
        }
    }
}

/// Another key, or no TLS at all: an attack looks like this. The message waits; nothing is said in the
/// clear.
#[tokio::test]
async fn rfc7672_2_2_no_way_around_dane() {
    let (_, config, _) = certificate(&["mx.dane.test"]);
    let (_, _, other) = certificate(&["mx.dane.test"]);
    let world = dane(&format!("3 1 1 {}", key_digest(&other))).await;
    {
        let sink = shows(&world, &config).await;
        let reached = world.reach("dane.test").await.expect_err("not that key");
        assert!(reached.starts_with("later: mx.dane.test: TLS: "), "{reached}");
        assert_eq!(
            (sink.count("STARTTLS"), sink.count("EHLO")),
            (1, 1),
            "one connection, no second without TLS"
        );
    }
    for (answers, expected) in [(offering(&[]), "STARTTLS is not offered"), (offering(TLS), "")] {
        let world = dane(&format!("3 1 1 {}", key_digest(&other))).await;
        // Without a certificate the sink breaks the handshake.
        let sink = world.sink(21, answers).await;
        let reached = world.reach("dane.test").await.expect_err("no TLS");
        assert!(reached.starts_with("later: mx.dane.test: ") && reached.contains(expected), "{reached}");
        assert_eq!(sink.count("EHLO"), 1);
    }
    let world = dane(&format!("3 1 1 {}", key_digest(&other))).await;
    let _sink = world.sink(21, but("STARTTLS", Some("454 4.7.0 not now"), offering(TLS))).await;
    let reached = world.reach("dane.test").await.expect_err("no TLS");
    assert_eq!(reached, "later: mx.dane.test: STARTTLS: 454 4.7.0 not now");
}

/// Records that nobody can use still say that there is TLS.
#[tokio::test]
async fn rfc7672_2_2_unusable_records_ask_for_encryption() {
    let (_, config, _) = certificate(&["mx.dane.test"]);
    let world = dane("0 9 9 00").await;
    let _sink = shows(&world, &config).await;
    assert_eq!(world.reach("dane.test").await, host("mx.dane.test", ENCRYPTED));
    let world = dane("0 9 9 00").await;
    let _sink = world.sink(21, offering(&[])).await;
    assert!(world.reach("dane.test").await.expect_err("no TLS").contains("STARTTLS is not offered"));
}

/// RFC 7672 §2.1.2: in a signed zone, a question about TLSA that fails may be an attack.
#[tokio::test]
async fn unanswered_tlsa_holds_mail_back() {
    for fault in [Fault::ServFail, Fault::Silence, Fault::Unsigned] {
        let names = |port| {
            let tlsa = format!("_{port}._tcp.mx.dane.test.");
            let digest = "00".repeat(32);
            Names::signed(&format!(
                "dane.test. MX 10 mx.dane.test.\nmx.dane.test. A 127.0.0.21\n{tlsa} TLSA 3 1 1 {digest}\n"
            ))
            .fault(&tlsa, fault)
        };
        let world = world(names, |_| {}).await;
        let sink = world.sink(21, offering(&[])).await;
        let reached = world.reach("dane.test").await.expect_err("nobody knows");
        assert!(reached.starts_with("later: 451 4.7.5 TLSA of _"), "{fault:?}: {reached}");
        assert!(sink.heard().is_empty(), "it is known before the connection");
    }
}

async fn plain() -> World {
    world(|_| Names::signed("sink.test. MX 10 mx.sink.test.\nmx.sink.test. A 127.0.0.21\n"), |_| {}).await
}

/// RFC 7435: some protection most of the time, and mail always. The same as Postfix, by its measured
/// behaviour.
#[tokio::test]
async fn opportunistic_tls_never_holds_mail_back() {
    let (_, config, _) = certificate(&["nobody.test"]);
    let world = plain().await;
    let sink = shows(&world, &config).await;
    assert_eq!(
        world.reach("sink.test").await,
        host("mx.sink.test", ENCRYPTED),
        "self-signed, for another name"
    );
    assert_eq!(sink.heard(), ["EHLO hub.test", "STARTTLS", "(TLS)", "EHLO hub.test", "QUIT"]);

    let world = plain().await;
    let sink = world.sink(21, but("STARTTLS", Some("454 4.7.0 not now"), offering(TLS))).await;
    assert_eq!(world.reach("sink.test").await, host("mx.sink.test", ""));
    assert_eq!(sink.heard(), ["EHLO hub.test", "STARTTLS", "QUIT"], "on the same connection");

    let world = plain().await;
    let sink = world.sink(21, offering(TLS)).await;
    assert_eq!(world.reach("sink.test").await, host("mx.sink.test", ""), "a handshake that breaks");
    assert_eq!(sink.heard(), ["EHLO hub.test", "STARTTLS", "EHLO hub.test", "QUIT"], "on a second one");
}
