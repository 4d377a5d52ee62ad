//! What the hub makes of a name server's answers, on a signed and misbehaving DNS of its own.

use std::net::IpAddr;
use std::time::Duration;

use hub_dns::{Dns, Kind, Settings, Tlsa, Validation};
use test_dns::{Fault, Names, TestDns};

const ROOT: &str = "
sink.test. MX 10 mx1.sink.test.
mx1.sink.test. A 127.0.0.11
order.test. MX 20 second.order.test.
order.test. MX 10 First.order.test.
equal.test. MX 10 a.equal.test.
equal.test. MX 10 b.equal.test.
nomx.test. A 127.0.0.15
nullmx.test. MX 0 .
mixednull.test. MX 0 .
mixednull.test. MX 10 mx1.sink.test.
cname.test. CNAME sink.test.
alias.test. CNAME mx1.sink.test.
ipmx.test. MX 10 127.0.0.17.
dual.test. A 127.0.0.16
dual.test. AAAA ::1
v6.test. AAAA ::1
xn--bcher-kva.test. MX 10 mx1.sink.test.
text.test. TXT \"one \" \"piece\"
text.test. TXT \"other\"
_25._tcp.mx1.sink.test. TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132
loop.test. CNAME ring.test.
ring.test. CNAME loop.test.
unsigned.test. A 127.0.0.19
half.test. A 127.0.0.20
11.0.0.10.in-addr.arpa. PTR Mx1.Sink.test.
";

const INSECURE: &str = "
insecure. MX 10 mx.insecure.
mx.insecure. A 127.0.0.41
_25._tcp.mx.insecure. TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132
";

async fn world() -> TestDns {
    Names::signed(ROOT)
        .unsigned("insecure.", INSECURE)
        .fault("servfail.test.", Fault::ServFail)
        .fault("refused.test.", Fault::Refused)
        .fault("silent.test.", Fault::Silence)
        .fault("unsigned.test.", Fault::Unsigned)
        .fault("endless.test.", Fault::Endless)
        .fault("odd.test.", Fault::OtherType)
        .serve()
        .await
}

fn settings(dns: &TestDns, validation: Validation) -> Settings {
    Settings {
        server: Some(dns.address),
        time: Duration::from_millis(500),
        validation,
        trust_anchor: Some(dns.trust_anchor.clone()),
    }
}

async fn validating() -> (TestDns, Dns) {
    let server = world().await;
    let dns = Dns::new(&settings(&server, Validation::Auto)).expect("a resolver");
    (server, dns)
}

async fn not_validating() -> (TestDns, Dns) {
    let server = world().await;
    let dns = Dns::new(&settings(&server, Validation::Off)).expect("a resolver");
    (server, dns)
}

fn hosts(pairs: &[(u16, &str)]) -> Vec<(u16, String)> {
    pairs.iter().map(|(preference, host)| (*preference, (*host).to_owned())).collect()
}

#[tokio::test]
async fn rfc5321_5_1_where_mail_goes() {
    for (_server, dns) in [validating().await, not_validating().await] {
        for (domain, expected) in [
            ("sink.test", hosts(&[(10, "mx1.sink.test")])),
            ("SINK.test.", hosts(&[(10, "mx1.sink.test")])),
            ("order.test", hosts(&[(10, "first.order.test"), (20, "second.order.test")])),
            ("nomx.test", hosts(&[(0, "nomx.test")])),
            ("mixednull.test", hosts(&[(10, "mx1.sink.test")])),
            ("cname.test", hosts(&[(10, "mx1.sink.test")])),
            ("ipmx.test", hosts(&[(10, "127.0.0.17")])),
            ("bücher.test", hosts(&[(10, "mx1.sink.test")])),
            ("insecure", hosts(&[(10, "mx.insecure")])),
        ] {
            let found = dns.mail_hosts(domain).await.unwrap_or_else(|error| panic!("{domain}: {error}"));
            assert_eq!(found.hosts, expected, "{domain}");
        }
    }
}

#[tokio::test]
async fn errors_are_kept_apart() {
    for (_server, dns) in [validating().await, not_validating().await] {
        for (domain, kind, permanent) in [
            ("nx.test", Kind::NxDomain, true),
            ("nullmx.test", Kind::NullMx, true),
            ("servfail.test", Kind::ServFail, false),
            ("below.servfail.test", Kind::ServFail, false),
            ("refused.test", Kind::Refused, false),
            ("silent.test", Kind::Timeout, false),
            ("a..test", Kind::BadName, true),
            ("", Kind::BadName, true),
        ] {
            let error = dns.mail_hosts(domain).await.expect_err(domain);
            assert_eq!((error.kind(), error.is_permanent()), (kind, permanent), "{domain}: {error}");
        }
        assert!(dns.addresses("loop.test").await.is_err(), "a ring of CNAMEs ends, and leads nowhere");
    }
}

/// Whoever owns a zone can make a chain of aliases as long as he likes.
#[tokio::test]
async fn endless_chains_of_aliases_end() {
    for (server, dns) in [validating().await, not_validating().await] {
        // From here on it is known whether there are signatures.
        dns.mail_hosts("sink.test").await.expect("found");
        let before = server.questions();
        for error in [
            dns.mail_hosts("endless.test").await.map(|_| ()),
            dns.addresses("1000.endless.test").await.map(|_| ()),
            dns.texts("2000.endless.test").await.map(|_| ()),
        ] {
            assert!(error.as_ref().is_err_and(|error| !error.is_permanent()), "{error:?}");
        }
        // Not an error where nobody validates: then it is not asked for.
        let tlsa = dns.tlsa(25, "3000.endless.test").await;
        assert!(tlsa.is_err() || tlsa == Ok(Vec::new()), "{tlsa:?}");
        let asked = server.questions() - before;
        assert!(asked <= 5 * 10, "{asked} questions");
    }
}

/// An address where hosts or texts were asked for is no answer, and no "no" either.
#[tokio::test]
async fn answers_of_another_type_are_none() {
    for (server, dns) in [validating().await, not_validating().await] {
        let hosts = dns.mail_hosts("odd.test").await.expect_err("no hosts");
        let texts = dns.texts("odd.test").await.expect_err("no texts");
        assert!(!hosts.is_permanent() && !texts.is_permanent(), "{hosts}; {texts}");
        assert!(server.questions() <= 10, "{} questions", server.questions());
    }
}

/// "unsigned.test" lacks its signature in a signed zone: what an attacker's answer looks like.
#[tokio::test]
async fn forged_answers_are_neither_believed_nor_final() {
    let (_server, dns) = validating().await;
    let error = dns.addresses("unsigned.test").await.expect_err("bogus");
    assert_eq!((error.kind(), error.is_permanent()), (Kind::Bogus, false));
    let (_server, dns) = not_validating().await;
    assert!(dns.addresses("unsigned.test").await.is_ok(), "nobody asked for validation");
}

#[tokio::test]
async fn equal_hosts_share_the_load() {
    let (_server, dns) = not_validating().await;
    let mut first = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let found = dns.mail_hosts("equal.test").await.expect("found");
        assert_eq!(found.hosts.len(), 2);
        first.insert(found.hosts[0].1.clone());
    }
    assert_eq!(first.len(), 2, "each of them comes first at times");
}

#[tokio::test]
async fn addresses_of_both_families() {
    let (_server, dns) = validating().await;
    let ips = |texts: &[&str]| texts.iter().map(|ip| ip.parse().expect("ip")).collect::<Vec<IpAddr>>();
    for (host, expected, canonical) in [
        ("dual.test", ips(&["::1", "127.0.0.16"]), "dual.test"),
        ("v6.test", ips(&["::1"]), "v6.test"),
        ("nomx.test", ips(&["127.0.0.15"]), "nomx.test"),
        ("alias.test", ips(&["127.0.0.11"]), "mx1.sink.test"),
    ] {
        let found = dns.addresses(host).await.unwrap_or_else(|error| panic!("{host}: {error}"));
        assert_eq!((found.ips, found.canonical.as_str()), (expected, canonical), "{host}");
    }
    for (host, kind) in
        [("sink.test", Kind::NoData), ("nx.test", Kind::NxDomain), ("servfail.test", Kind::ServFail)]
    {
        assert_eq!(dns.addresses(host).await.expect_err(host).kind(), kind, "{host}");
    }
}

#[tokio::test]
async fn only_proven_answers_are_secure() {
    let (_server, dns) = validating().await;
    let (_other, blind) = not_validating().await;
    let tlsa = Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: vec![
            1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20,
            0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x30, 0x31, 0x32,
        ],
    };
    assert!(dns.mail_hosts("sink.test").await.expect("found").is_secure);
    assert!(dns.addresses("mx1.sink.test").await.expect("found").is_secure);
    assert!(dns.addresses("alias.test").await.expect("found").is_secure, "each link of the chain is signed");
    assert_eq!(dns.tlsa(25, "mx1.sink.test").await, Ok(vec![tlsa]));
    assert_eq!(dns.tlsa(26, "mx1.sink.test").await, Ok(vec![]), "proven not to exist");
    assert!(dns.tlsa(25, "silent.test").await.is_err(), "there might be some");

    assert!(!dns.mail_hosts("insecure").await.expect("found").is_secure);
    assert!(!dns.addresses("mx.insecure").await.expect("found").is_secure);
    assert_eq!(dns.tlsa(25, "mx.insecure").await, Ok(vec![]), "anybody could have put it there");

    assert!(!blind.mail_hosts("sink.test").await.expect("found").is_secure);
    assert_eq!(blind.tlsa(25, "mx1.sink.test").await, Ok(vec![]));
}

/// Behind a name server that passes no signatures on, nothing must break; it is noticed by itself.
#[tokio::test]
async fn validation_is_given_up_where_it_cannot_work() {
    let server = Names::signed(ROOT).fault(".", Fault::Unsigned).serve().await;
    let dns = Dns::new(&settings(&server, Validation::Auto)).expect("a resolver");
    assert!(!dns.mail_hosts("sink.test").await.expect("found").is_secure);
    let strict = Dns::new(&settings(&server, Validation::On)).expect("a resolver");
    assert!(strict.mail_hosts("sink.test").await.is_ok(), "this name still has its signature");
}

#[tokio::test]
async fn texts_and_names() {
    let (_server, dns) = not_validating().await;
    let mut texts = dns.texts("text.test").await.expect("found");
    texts.sort();
    assert_eq!(texts, ["one piece", "other"]);
    let ip: IpAddr = "10.0.0.11".parse().expect("ip");
    assert_eq!(dns.names(ip).await, Ok(vec!["mx1.sink.test".to_owned()]));
    assert!(dns.texts("nomx.test").await.expect_err("no text").is_absent());
}

#[tokio::test]
async fn answers_are_kept() {
    let (server, dns) = not_validating().await;
    for _ in 0..3 {
        dns.mail_hosts("sink.test").await.expect("found");
        dns.mail_hosts("nx.test").await.expect_err("not there");
        dns.mail_hosts("servfail.test").await.expect_err("broken");
    }
    assert_eq!((server.asked("sink.test.", "MX"), server.asked("nx.test.", "MX")), (1, 1));
    assert!(server.asked("servfail.test.", "MX") >= 3, "a failure is not an answer");
}

#[test]
fn a_trust_anchor_is_read_or_refused() {
    let settings = Settings { trust_anchor: Some("not a key".into()), ..Settings::default() };
    assert!(Dns::new(&settings).is_err());
}
