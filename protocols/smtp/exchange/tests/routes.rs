//! Which host is talked to, and when there is none.

use test_dns::{Fault, Names};

use super::{World, world};
use crate::sink::{but, offering};

const ZONE: &str = "
sink.test. MX 10 mx1.sink.test.
mx1.sink.test. A 127.0.0.11
multi.test. MX 10 down.multi.test.
multi.test. MX 20 mx1.sink.test.
down.multi.test. A 127.0.0.99
nomx.test. A 127.0.0.15
nullmx.test. MX 0 .
nxmx.test. MX 10 missing.nxmx.test.
nxmx.test. A 127.0.0.15
partmx.test. MX 10 missing.partmx.test.
partmx.test. MX 20 mx1.sink.test.
ipmx.test. MX 10 127.0.0.17.
mixed.test. MX 10 127.0.0.17.
mixed.test. MX 20 mx1.sink.test.
cnamemx.test. MX 10 alias.test.
alias.test. CNAME mx1.sink.test.
dual.test. AAAA ::ffff:7f00:63
dual.test. A 127.0.0.16
ours.test. MX 10 hub.test.
ours.test. MX 20 mx1.sink.test.
backup.test. MX 5 mx1.sink.test.
backup.test. MX 10 HUB.test.
circle.test. MX 10 mx.circle.test.
mx.circle.test. A 127.0.0.18
moody.test. MX 10 mx.moody.test.
moody.test. MX 20 mx1.sink.test.
mx.moody.test. A 127.0.0.19
halfdown.test. MX 10 halfdown.servfail.test.
halfdown.test. MX 20 missing.halfdown.test.
";

async fn routes() -> World {
    let names = |_| {
        Names::signed(ZONE).fault("servfail.test.", Fault::ServFail).fault("silent.test.", Fault::Silence)
    };
    world(names, |_| {}).await
}

#[tokio::test]
async fn rfc5321_5_1_hosts_are_found() {
    let world = routes().await;
    let _sink = world.sink(11, offering(&[])).await;
    let _implicit = world.sink(15, offering(&[])).await;
    let _dual = world.sink(16, offering(&[])).await;
    for (domain, host) in [
        ("sink.test", "mx1.sink.test"),
        ("multi.test", "mx1.sink.test"),
        ("nomx.test", "nomx.test"),
        ("partmx.test", "mx1.sink.test"),
        ("cnamemx.test", "alias.test"),
        ("dual.test", "dual.test"),
        ("mixed.test", "mx1.sink.test"),
        ("backup.test", "mx1.sink.test"),
        ("[127.0.0.11]", "127.0.0.11"),
    ] {
        assert_eq!(world.reach(domain).await, Ok((host.to_owned(), String::new())), "{domain}");
    }
}

#[tokio::test]
async fn what_is_final_and_what_is_not() {
    let world = routes().await;
    let _implicit = world.sink(15, offering(&[])).await;
    let _circle = world.sink(18, but("CONNECT", Some("220 hub.test"), offering(&[]))).await;
    for (domain, expected) in [
        ("nx.test", "never: 550 5.1.2 MX of nx.test: there is no such domain"),
        ("nullmx.test", "never: 556 5.1.10 MX of nullmx.test: the domain takes no mail (null MX)"),
        ("nxmx.test", "never: 550 5.1.2 "),
        ("ipmx.test", "never: 550 5.1.2 MX of ipmx.test: 127.0.0.17 is no name"),
        ("ours.test", "never: 554 5.4.6 mail for ours.test comes back to this hub"),
        ("circle.test", "never: 554 5.4.6 mail for circle.test comes back to this hub"),
        ("servfail.test", "later: 451 4.4.3 MX of servfail.test: the name server failed"),
        ("silent.test", "later: 451 4.4.3 MX of silent.test: no answer in time"),
        ("halfdown.test", "later: 451 4.4.3 A"),
        ("sink.test", "later: mx1.sink.test: connection to 127.0.0.11:"),
        ("multi.test", "later: mx1.sink.test: connection to 127.0.0.11:"),
        ("[::g]", "never: 550 5.1.2 "),
    ] {
        let reached = world.reach(domain).await.expect_err(domain);
        assert!(reached.starts_with(expected), "{domain}: {reached}");
    }
}

/// Whatever a host says instead of a greeting, the next one may be in a better mood.
#[tokio::test]
async fn hosts_that_refuse_leave_it_to_the_next() {
    for says in [Some("554 5.7.1 go away"), Some("421 4.3.2 busy"), Some("what"), None] {
        let world = routes().await;
        let moody = world.sink(19, but("CONNECT", says, offering(&[]))).await;
        let reached = world.reach("moody.test").await.expect_err("nobody is at the second");
        assert!(reached.starts_with("later: mx1.sink.test: "), "{reached}");
        let _sink = world.sink(11, offering(&[])).await;
        assert_eq!(world.reach("moody.test").await, Ok(("mx1.sink.test".to_owned(), String::new())));
        assert_eq!(moody.count("EHLO"), 0);
    }
}
