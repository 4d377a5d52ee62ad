//! Without a relay host: each domain's own hosts, as a name server of the test names them.

use std::sync::Arc;
use std::time::Duration;

use hub::{Delivery, Notify, Origin, QueueEntry, Recipient};
use test_dns::{Fault, Names, TestDns};
use tokio_util::sync::CancellationToken;

use super::tests::submit;
use crate::Service;
use crate::settings::Settings;
use crate::sink::{Sink, but, offering};
use crate::transcripts::{TestHub, address, certificate, test_hub};

const TEXT: &[u8] = b"From: alice@example.org\r\nSubject: hi\r\n\r\nx\r\n";

async fn names() -> TestDns {
    let records = "far.test. IN MX 10 one.far.test.\nfar.test. IN MX 5 gone.far.test.\n\
        one.far.test. IN A 127.0.0.1\ngone.far.test. IN A 127.0.0.9\n\
        near.test. IN A 127.0.0.1\nnull.test. IN MX 0 .\n";
    Names::default()
        .unsigned("far.test.", &zone(records, "far.test."))
        .unsigned("near.test.", &zone(records, "near.test."))
        .unsigned("null.test.", &zone(records, "null.test."))
        .fault("broken.test.", Fault::ServFail)
        .serve()
        .await
}

/// The records at and below a name.
fn zone(records: &str, origin: &str) -> String {
    let of = |line: &&str| line.split(' ').next().is_some_and(|name| name.ends_with(origin));
    records.lines().filter(of).collect::<Vec<_>>().join("\n")
}

/// Runs the worker until the queue is as wanted.
async fn run_until(test: &TestHub, dns: &TestDns, port: u16, wanted: impl Fn(&[QueueEntry]) -> bool) {
    let mut settings = Settings::new("hub.test");
    settings.clock_scale = 0.001;
    settings.exchange_port = port;
    // Nobody there: no domain of the test has a policy.
    settings.policy_port = 1;
    let resolver = hub_dns::Settings {
        server: Some(dns.address),
        validation: hub_dns::Validation::Off,
        ..hub_dns::Settings::default()
    };
    let service = Service {
        hub: test.hub.clone(),
        tls: certificate().1,
        login_delay: Arc::default(),
        settings: Arc::new(settings),
        authenticator: None,
        dns: Arc::new(hub_dns::Dns::new(&resolver).expect("no trust anchor to read")),
    };
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(super::run(Arc::new(service), shutdown.clone()));
    let wait = async {
        while !wanted(&test.hub.queue(&hub::QueueFilter::default()).await.expect("the queue")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), wait).await;
    shutdown.cancel();
    worker.await.expect("the worker ends");
    assert!(
        in_time.is_ok(),
        "not done in time; the queue: {:?}",
        test.hub.queue(&hub::QueueFilter::default()).await
    );
}

#[tokio::test]
async fn each_domain_has_its_own_hosts() {
    let (test, dns) = (test_hub().await, names().await);
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), offering(&["PIPELINING"]), None).await;
    let everybody = Notify::default();
    let to =
        ["bob@far.test", "eve@near.test", "carol@FAR.test", "x@none.test", "y@null.test", "z@broken.test"];
    submit(&test, TEXT, &to.map(|to| (to, everybody))).await;
    let only_broken = |queue: &[QueueEntry]| matches!(queue, [one] if one.attempts > 0);
    run_until(&test, &dns, sink.address.port(), only_broken).await;

    // The preferred host of far.test does not answer (RFC 5321 §5.1), near.test has no MX at all.
    assert_eq!(sink.count("MAIL FROM:<alice@example.org>"), 2);
    assert_eq!(
        (sink.count("RCPT TO:<bob@"), sink.count("RCPT TO:<carol@"), sink.count("RCPT TO:<eve@")),
        (1, 1, 1)
    );
    assert_eq!(sink.count("Subject: hi"), 2, "the two of far.test share one");
    // What is final in DNS is told at once; what is not waits (a name server that fails proves nothing).
    let reports = test.inbox("alice").await;
    let reports: Vec<String> =
        reports.iter().map(|report| String::from_utf8_lossy(report).into_owned()).collect();
    for (failed, status) in [("x@none.test", "5.1.2"), ("y@null.test", "5.1.10")] {
        let told = format!("Final-Recipient: rfc822;{failed}\r\nAction: failed\r\nStatus: {status}\r\n");
        assert_eq!(reports.iter().filter(|r| r.contains(&told)).count(), 1, "{failed}: {reports:?}");
    }
    let queue = test.hub.queue(&hub::QueueFilter::default()).await.expect("the queue");
    assert_eq!(queue[0].address, "z@broken.test");
    assert!(queue[0].last_status.contains("4.4.3"), "{}", queue[0].last_status);
}

/// RFC 5321 §4.2.1: the hosts' answers decide, for each recipient.
#[tokio::test]
async fn a_refused_recipient_is_reported_and_the_others_get_it() {
    let (test, dns) = (test_hub().await, names().await);
    let answers = but("RCPT TO:<bob@", Some("550 5.1.1 no such user"), offering(&["PIPELINING"]));
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), answers, None).await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default()), ("carol@far.test", Notify::default())]).await;
    run_until(&test, &dns, sink.address.port(), <[QueueEntry]>::is_empty).await;
    assert_eq!(sink.count("Subject: hi"), 1);
    let report = test.inbox("alice").await.remove(0);
    let report = String::from_utf8_lossy(&report);
    assert!(report.contains("bob@far.test") && report.contains("Status: 5.1.1"), "{report}");
    assert!(!report.contains("rfc822;carol@far.test"), "{report}");
}

/// What rules passed on and nobody took comes back whole to the twin: the stranger who sent it hears
/// nothing from here, and it must not be lost.
#[tokio::test]
async fn what_was_passed_on_in_vain_comes_back() {
    let test = passed_on_in_vain(Some("s@far.test"), "alice@example.org", "redirect \"x@none.test\";").await;
    let [report] = &test.inbox("alice").await[..] else { panic!("not one report") };
    let report = String::from_utf8_lossy(report);
    assert!(report.contains("x@none.test") && report.contains("Status: 5.1.2"), "{report}");
    assert!(report.contains("the whole of it") && report.contains("To: <alice@example.org>"), "{report}");
}

/// Bounces and receipts are mail too, and a reverse-path can be too long to be rewritten.
#[tokio::test]
async fn what_has_no_sender_comes_back_all_the_same() {
    let long = format!("{}@far.test", "s".repeat(60));
    for reverse_path in [None, Some(long.as_str())] {
        let script = "redirect \"x@none.test\";";
        let test = passed_on_in_vain(reverse_path, "alice@example.org", script).await;
        let [report] = &test.inbox("alice").await[..] else { panic!("not one report") };
        assert!(String::from_utf8_lossy(report).contains("the whole of it"));
    }
}

/// Who takes what nobody else has must not get what another's rules passed on.
#[tokio::test]
async fn a_rewritten_path_is_not_taken_for_an_address_of_ours() {
    let test = test_hub().await;
    let (anything, bob) = (address("*@example.org"), address("bob@example.org"));
    test.hub.add_alias(&anything, &bob).await.expect("added");
    let script = "redirect \"x@none.test\";";
    let test = passed_on(test, Some("s@far.test"), "alice@example.org", script).await;
    assert_eq!((test.inbox("alice").await.len(), test.inbox("bob").await.len()), (1, 0));
}

/// What an alias passed on in vain is the postmaster's, who can mend it.
#[tokio::test]
async fn what_an_alias_passed_on_in_vain_comes_back() {
    let test = test_hub().await;
    let alias = address("sales@example.org");
    test.hub.add_alias(&alias, &address("x@none.test")).await.expect("added");
    let test = passed_on(test, Some("s@far.test"), "sales@example.org", "keep;").await;
    let [report] = &test.inbox("alice").await[..] else { panic!("not one report") };
    let report = String::from_utf8_lossy(report);
    assert!(
        report.contains("the whole of it") && report.contains("To: <postmaster@example.org>"),
        "{report}"
    );
}

async fn passed_on_in_vain(reverse_path: Option<&str>, to: &str, script: &str) -> TestHub {
    passed_on(test_hub().await, reverse_path, to, script).await
}

/// Delivers a message for alice's rules or an alias to pass on, and waits until nothing is queued.
async fn passed_on(test: TestHub, reverse_path: Option<&str>, to: &str, script: &str) -> TestHub {
    let dns = names().await;
    test.alice.put_script("main", script).await.expect("kept");
    test.alice.activate_script(Some("main")).await.expect("active");
    let hub::Route::Local(members) = test.hub.route(&address(to)).await.expect("routed") else {
        panic!("{to} is nobody's")
    };
    let mut spool = test.hub.spool();
    spool.write(b"From: s@far.test\r\nSubject: hi\r\n\r\nthe whole of it\r\n").await.expect("written");
    let delivery = Delivery {
        require_tls: false,
        incoming: test.hub.examine(spool).await.expect("examined"),
        reverse_path: reverse_path.map(address),
        recipients: vec![Recipient { address: address(to), members }],
        trace: Vec::new(),
        origin: Origin::Outside(None),
    };
    test.hub.deliver(delivery).await.expect("delivered");
    assert!(test.inbox("alice").await.is_empty(), "it was passed on");
    run_until(&test, &dns, 1, <[QueueEntry]>::is_empty).await;
    test
}
