//! The queue worker against a relay host made of lines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hub::{NextHop, Notify, QueuedMessage, Return, Submission, SubmissionRecipient};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::settings::{Relay, RelaySecurity, Settings};
use crate::sink::Sink;
use crate::transcripts::{TestHub, address, certificate, relaying_hub, service};

const EXTENSIONS: &str = "250-relay.test\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH PLAIN LOGIN\r\n250-STARTTLS\r\n250 DSN";

fn yes(line: &str) -> Option<String> {
    let reply = match line.split([' ', ':']).next().unwrap_or_default() {
        "CONNECT" => "220 relay.test",
        "EHLO" => EXTENSIONS,
        "AUTH" => "235 2.7.0 welcome",
        "DATA" => "354 go",
        "STARTTLS" => "220 2.0.0 go",
        "." => "250 2.6.0 queued as 77",
        _ => "250 2.1.0 ok",
    };
    Some(reply.to_owned())
}

/// A relay host of a few lines.
struct FakeRelay(Sink);

impl FakeRelay {
    async fn start(answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::start_tls(answers, None).await
    }

    async fn start_tls(
        answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        Self(Sink::start(([127, 0, 0, 1], 0).into(), answers, tls).await)
    }

    fn port(&self) -> u16 {
        self.0.address.port()
    }

    fn relay(&self) -> Relay {
        Relay {
            host: "127.0.0.1".into(),
            port: self.port(),
            security: RelaySecurity::Plain,
            credentials: None,
        }
    }

    fn heard(&self) -> Vec<String> {
        self.0.heard()
    }

    fn count(&self, start: &str) -> usize {
        self.0.count(start)
    }
}

const ALWAYS: Notify = Notify { delay: true, failure: true, success: true };
const NEVER: Notify = Notify { delay: false, failure: false, success: false };

pub(super) async fn submit(test: &TestHub, text: &[u8], recipients: &[(&str, Notify)]) {
    submit_with(test, text, recipients, false).await;
}

pub(super) async fn submit_with(
    test: &TestHub,
    text: &[u8],
    recipients: &[(&str, Notify)],
    require_tls: bool,
) {
    let mut spool = test.hub.spool();
    spool.write(text).await.expect("written");
    let submission = Submission {
        incoming: test.hub.examine(spool).await.expect("examined"),
        reverse_path: Some(address("alice@example.org")),
        recipients: recipients
            .iter()
            .map(|(to, notify)| SubmissionRecipient { address: address(to), notify: *notify, original: None })
            .collect(),
        trace: b"Received: x\r\n".to_vec(),
        ret: Return::Full,
        envelope_id: Some("id+2B1".into()),
        smtputf8: false,
        eight_bit: true,
        require_tls,
    };
    test.alice.submit(submission).await.expect("submitted");
}

const TEXT: &[u8] = b"From: alice@example.org\r\nSubject: hi\r\n\r\n.dot\r\n..\r\nlast";

/// Runs the worker until `done`, or for ten seconds.
async fn run_until<F: Future<Output = bool>>(
    test: &TestHub,
    relay: Relay,
    trust: &[u8],
    done: impl Fn() -> F,
) {
    let mut settings = Settings::new("hub.test");
    settings.relay = Some(relay);
    settings.clock_scale = 0.001;
    settings.trust_roots = trust.to_vec();
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(super::run(service(&test.hub, settings), shutdown.clone()));
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), wait).await;
    shutdown.cancel();
    worker.await.expect("the worker ends");
    assert!(
        in_time.is_ok(),
        "not done in ten seconds; the queue: {:?}",
        test.hub.queue(&hub::QueueFilter::default()).await
    );
}

async fn is_empty(test: &TestHub) -> bool {
    test.hub.queue(&hub::QueueFilter::default()).await.expect("the queue").is_empty()
}

async fn has_status(test: &TestHub, text: &str) -> bool {
    test.hub
        .queue(&hub::QueueFilter::default())
        .await
        .expect("the queue")
        .iter()
        .any(|entry| entry.last_status.contains(text))
}

#[tokio::test]
async fn a_message_is_sent_to_all_in_one_transaction() {
    let test = relaying_hub().await;
    let relay = FakeRelay::start(yes).await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default()), ("\"e v\"@far.test", NEVER)]).await;
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    let size = TEXT.len() + "Received: x\r\n".len();
    assert_eq!(
        relay.heard(),
        [
            "EHLO hub.test".to_owned(),
            format!("MAIL FROM:<alice@example.org> SIZE={size} RET=FULL ENVID=id+2B1"),
            "RCPT TO:<bob@far.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;bob@far.test".to_owned(),
            "RCPT TO:<\"e v\"@far.test> NOTIFY=NEVER ORCPT=rfc822;\"e+20v\"@far.test".to_owned(),
            "DATA".to_owned(),
            "Received: x".to_owned(),
            "From: alice@example.org".to_owned(),
            "Subject: hi".to_owned(),
            String::new(),
            "..dot".to_owned(),
            "...".to_owned(),
            "last".to_owned(),
            ".".to_owned(),
            "QUIT".to_owned(),
        ]
    );
    assert!(test.inbox("alice").await.is_empty(), "nothing to report");
}

/// RFC 8689 §4.2.1: the owner has named the relay host, but it must promise the same.
#[tokio::test]
async fn rfc8689_a_relay_host_must_offer_it_too() {
    let (pem, tls) = certificate();
    for (security, offer, goes) in [
        (RelaySecurity::StartTls, "250-REQUIRETLS\r\n250 DSN", true),
        (RelaySecurity::StartTls, "250 DSN", false),
        (RelaySecurity::Plain, "250-REQUIRETLS\r\n250 DSN", false),
    ] {
        let test = relaying_hub().await;
        let answers = move |line: &str| Some(yes(line)?.replace("250 DSN", offer));
        let relay = FakeRelay::start_tls(answers, Some(Arc::clone(&tls))).await;
        submit_with(&test, TEXT, &[("bob@far.test", Notify::default())], true).await;
        run_until(&test, Relay { security, ..relay.relay() }, pem.as_bytes(), || is_empty(&test)).await;
        let heard = relay.heard();
        assert_eq!(heard.iter().any(|line| line.contains(" REQUIRETLS RET=HDRS")), goes, "{heard:?}");
        assert_eq!(relay.count("MAIL"), usize::from(goes));
        let reports = test.inbox("alice").await;
        let told = reports.iter().any(|report| String::from_utf8_lossy(report).contains("Status: 5.7.30"));
        assert_ne!(told, goes);
    }
}

#[tokio::test]
async fn refused_recipients_are_reported_and_the_others_served() {
    let test = relaying_hub().await;
    let relay = FakeRelay::start(|line| {
        let refuse = line.starts_with("RCPT") && !line.contains("bob@");
        if refuse { Some("550-5.1.1 no\r\n550 5.1.1 such user".into()) } else { yes(line) }
    })
    .await;
    let notify = Notify::default();
    submit(&test, TEXT, &[("nobody@far.test", notify), ("bob@far.test", notify), ("silent@far.test", NEVER)])
        .await;
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    assert_eq!(relay.count("DATA"), 1);
    let inbox = test.inbox("alice").await;
    assert_eq!(inbox.len(), 1);
    let report = String::from_utf8_lossy(&inbox[0]);
    for part in [
        "Return-Path: <>\r\n",
        "  nobody@far.test\r\n    550 5.1.1 no such user\r\n",
        "Original-Envelope-Id: id+1\r\n",
        "Final-Recipient: rfc822;nobody@far.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        "Content-Type: message/rfc822\r\n",
        "\r\nReceived: x\r\nFrom: alice@example.org\r\nSubject: hi\r\n\r\n.dot\r\n..\r\nlast\r\n--report_",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert!(!report.contains("bob@far.test") && !report.contains("silent@far.test"));
}

#[tokio::test]
async fn temporary_refusals_are_tried_again() {
    let test = relaying_hub().await;
    let tries = Mutex::new(0);
    let relay = FakeRelay::start(move |line| {
        if line.starts_with("RCPT") {
            let mut tries = tries.lock().expect("unpoisoned");
            *tries += 1;
            if *tries <= 2 {
                return Some("451 4.7.1 greylisted".into());
            }
        }
        yes(line)
    })
    .await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    assert_eq!(relay.count("RCPT"), 3);
    // DATA goes with the recipients (RFC 2920 §3.1); the text only to those that were taken.
    assert_eq!(relay.count("Subject: hi"), 1);
    assert!(test.inbox("alice").await.is_empty());
}

/// Each of these is temporary, whatever code was said: the message waits, nobody is told.
#[tokio::test]
async fn breakdowns_leave_the_message_in_the_queue() {
    let test = relaying_hub().await;
    let cases: [(&str, Option<String>, &str); 8] = [
        ("CONNECT", Some("554 5.7.1 go away".into()), "greeting: 554 5.7.1 go away"),
        ("CONNECT", Some("x".repeat(100_000)), "greeting: "),
        ("CONNECT", Some("220-x\r\n".repeat(100_000)), "greeting: "),
        ("EHLO", Some("502 5.5.1 what".into()), "EHLO: "),
        ("MAIL", None, "MAIL: "),
        ("DATA", Some("451 4.3.0 later".into()), "451 4.3.0 later"),
        (".", None, "end of data: "),
        (".", Some("421 4.3.2 going down".into()), "421 4.3.2 going down"),
    ];
    for (at, says, status) in cases {
        submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
        let relay =
            FakeRelay::start(move |line| if line.starts_with(at) { says.clone() } else { yes(line) }).await;
        run_until(&test, relay.relay(), b"", || has_status(&test, status)).await;
    }
    let gone =
        TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let relay = Relay { port: gone, ..FakeRelay::start(yes).await.relay() };
    run_until(&test, relay, b"", || has_status(&test, "connection to 127.0.0.1:")).await;
    assert!(test.inbox("alice").await.is_empty());
}

#[tokio::test]
async fn a_final_refusal_after_the_data_fails_all() {
    let test = relaying_hub().await;
    let relay =
        FakeRelay::start(|line| if line == "." { Some("554 5.7.1 spam".into()) } else { yes(line) }).await;
    let notify = Notify::default();
    submit(&test, TEXT, &[("bob@far.test", notify), ("eve@far.test", notify)]).await;
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    let inbox = test.inbox("alice").await;
    assert_eq!(inbox.len(), 1, "one report for both");
    let report = String::from_utf8_lossy(&inbox[0]).into_owned();
    assert!(report.contains("rfc822;bob@far.test") && report.contains("rfc822;eve@far.test"), "{report}");
}

/// RFC 3461 §5.2.2: a host without DSN will not say that it delivered; we say that we passed it on.
#[tokio::test]
async fn success_is_reported_as_relayed_where_nobody_else_will() {
    let test = relaying_hub().await;
    let relay =
        FakeRelay::start(
            |line| if line.starts_with("EHLO") { Some("250 relay.test".into()) } else { yes(line) },
        )
        .await;
    submit(&test, TEXT, &[("bob@far.test", ALWAYS), ("eve@far.test", Notify::default())]).await;
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    assert!(relay.heard().contains(&"RCPT TO:<bob@far.test>".to_owned()));
    assert!(relay.heard().contains(&"MAIL FROM:<alice@example.org>".to_owned()));
    let inbox = test.inbox("alice").await;
    let report = String::from_utf8_lossy(&inbox[0]).into_owned();
    assert!(report.contains("Action: relayed\r\n"), "{report}");
    assert!(report.contains("text/rfc822-headers") && !report.contains(".dot"), "headers only: {report}");
    assert!(!report.contains("eve@far.test"));
}

#[tokio::test]
async fn what_the_relay_host_cannot_take_fails_at_once() {
    let test = relaying_hub().await;
    let relay = FakeRelay::start(|line| {
        if line.starts_with("EHLO") { Some("250-relay.test\r\n250 SIZE 10".into()) } else { yes(line) }
    })
    .await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    assert_eq!(relay.count("MAIL"), 0);
    let report = test.inbox("alice").await.remove(0);
    assert!(String::from_utf8_lossy(&report).contains("Status: 5.3.4\r\n"));
}

#[tokio::test]
async fn many_messages_share_connections() {
    let test = relaying_hub().await;
    let relay = FakeRelay::start(yes).await;
    for _ in 0..20 {
        submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    }
    run_until(&test, relay.relay(), b"", || is_empty(&test)).await;
    assert_eq!(relay.count("DATA"), 20);
    assert!(relay.count("EHLO") < 20, "{} connections", relay.count("EHLO"));
}

#[tokio::test]
async fn starttls_and_login() {
    let test = relaying_hub().await;
    let (pem, tls) = certificate();
    let relay = FakeRelay::start_tls(yes, Some(tls)).await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    let settings = Relay {
        security: RelaySecurity::StartTls,
        credentials: Some(("me".into(), hub::Secret::new("pass"))),
        ..relay.relay()
    };
    // Without our root the certificate is nobody's: nothing is sent.
    run_until(&test, settings.clone(), b"", || has_status(&test, "TLS: ")).await;
    assert_eq!(relay.count("AUTH") + relay.count("MAIL"), 0);
    run_until(&test, settings, pem.as_bytes(), || is_empty(&test)).await;
    let heard = relay.heard();
    let at = heard.iter().position(|line| line == "(TLS)").expect("TLS");
    assert_eq!(
        heard[at - 2..at + 3],
        ["EHLO hub.test", "STARTTLS", "(TLS)", "EHLO hub.test", "AUTH PLAIN AG1lAHBhc3M="]
    );
}

#[tokio::test]
async fn never_without_tls_where_it_is_asked_for() {
    let test = relaying_hub().await;
    let relay =
        FakeRelay::start(
            |line| if line.starts_with("EHLO") { Some("250 relay.test".into()) } else { yes(line) },
        )
        .await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    let settings = Relay { security: RelaySecurity::StartTls, ..relay.relay() };
    run_until(&test, settings, b"", || has_status(&test, "does not offer STARTTLS")).await;
    assert_eq!(relay.count("MAIL"), 0);
}

#[tokio::test]
async fn a_wrong_password_is_no_reason_to_bounce() {
    let test = relaying_hub().await;
    let relay =
        FakeRelay::start(
            |line| if line.starts_with("AUTH") { Some("535 5.7.8 no".into()) } else { yes(line) },
        )
        .await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    let settings = Relay { credentials: Some(("me".into(), hub::Secret::new("pass"))), ..relay.relay() };
    run_until(&test, settings, b"", || has_status(&test, "log-in at the relay host: 535 5.7.8 no")).await;
    assert!(test.inbox("alice").await.is_empty());
}

/// The one message that is due for this hop.
pub(crate) async fn take_one(hub: &hub::Hub, hop: &NextHop, now: i64) -> QueuedMessage {
    let flows = hub.queue_timetable().await.expect("the queue");
    let (_, account, _) = flows.into_iter().find(|(name, ..)| name == hop).expect("something for the hop");
    let claim = hub::Claim { hop: hop.clone(), account, limit: 1000 };
    let (mut messages, _) = hub.claim(now, &[claim]).await.expect("the queue").remove(0);
    messages.remove(0)
}
