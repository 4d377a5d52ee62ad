//! The queue worker, step by step: what it has in hand, and what it tells whom.

use hub::{Hub, NextHop, Notify, QueuedMessage, TlsDemand};
use tokio_util::sync::CancellationToken;

use super::Sender;
use super::next_hop::{Connector, Verdict};
use super::settler::Settler;
use super::tests::{submit, submit_with, take_one};
use crate::settings::{Relay, RelaySecurity, Settings};
use crate::transcripts::{TestHub, address, relaying_hub, service, test_hub};
use crate::work::unix_now;

const TEXT: &[u8] = b"From: alice@example.org\r\nSubject: hi\r\n\r\nx\r\n";
/// Five days and some, times the scale of these hubs.
const LIFE: i64 = 440;

/// A worker that does nothing by itself.
fn sender(test: &TestHub, relay: Option<Relay>) -> Sender {
    let mut settings = Settings::new("hub.test");
    settings.relay = relay;
    let service = service(&test.hub, settings);
    let connector = Connector::new(&service).expect("a connector");
    let (settler, _) = Settler::start(test.hub.clone());
    Sender::new(&service, connector, settler, CancellationToken::new())
}

/// Nobody is there.
fn relay() -> Relay {
    Relay { host: "127.0.0.1".into(), port: 9, security: RelaySecurity::Plain, credentials: None }
}

fn far(domain: &str) -> NextHop {
    NextHop::Mx(domain.into(), TlsDemand::ByPolicy)
}

async fn fail(sender: &Sender, message: &QueuedMessage) {
    let verdict = Verdict::Failed("550 5.1.1 no such user".into());
    sender.record(message, vec![verdict; message.recipients.len()], None).await;
}

async fn queue(hub: &Hub) -> Vec<hub::QueueEntry> {
    hub.queue(&hub::QueueFilter::default()).await.expect("the queue")
}

/// What was given back or settled may be claimed again before its attempt is known to be over here:
/// nobody would send it until that lease ends.
#[tokio::test]
async fn what_is_claimed_twice_is_given_back() {
    let test = relaying_hub().await;
    submit(&test, TEXT, &[("bob@far.test", Notify::default())]).await;
    let sender = sender(&test, Some(relay()));
    sender.read_timetable().await;
    sender.claim().await;
    let in_hand = || sender.in_hand().iter().map(|(one, again)| (*one, *again)).collect::<Vec<_>>();
    let [(recipient, false)] = in_hand()[..] else { panic!("{:?}", in_hand()) };
    let now = unix_now();
    test.hub.give_back(now, vec![recipient]).await.expect("given back");
    let (hop, account, _) = test.hub.queue_timetable().await.expect("the queue").remove(0);
    let claim = hub::Claim { hop, account, limit: 10 };
    let mut again = test.hub.claim(now, &[claim]).await.expect("claimed").remove(0).0;
    sender.take_in_hand(&mut again);
    assert!(again.is_empty());
    assert_eq!(in_hand(), [(recipient, true)]);
    sender.let_go(&[recipient], now).await;
    assert_eq!(in_hand(), []);
    let entry = test.hub.queue(&hub::QueueFilter::default()).await.expect("the queue").remove(0);
    assert_eq!((entry.state, entry.next_attempt_at), (hub::QueueState::Waits, now));
}

/// RFC 3464 §2.1: one report has a group of fields for each recipient.
#[tokio::test]
async fn what_fails_at_several_hosts_is_one_report() {
    let test = test_hub().await;
    let to = ["x@a.test", "y@b.test", "z@c.test"].map(|to| (to, Notify::default()));
    submit(&test, TEXT, &to).await;
    let (sender, now) = (sender(&test, None), unix_now());
    fail(&sender, &take_one(&test.hub, &far("a.test"), now).await).await;
    assert!(!sender.look_after_some(now).await.expect("looked"), "the others were not tried yet");
    let deferred = take_one(&test.hub, &far("b.test"), now).await;
    sender.record(&deferred, vec![Verdict::Deferred("451 later".into())], None).await;
    assert!(!sender.look_after_some(now).await.expect("looked"));
    fail(&sender, &take_one(&test.hub, &far("c.test"), now).await).await;
    assert!(queue(&test.hub).await.iter().filter(|entry| entry.state == hub::QueueState::Ended).count() == 2);
    assert!(sender.look_after_some(unix_now()).await.expect("looked"));
    let [report] = &test.inbox("alice").await[..] else { panic!("not one report") };
    let report = String::from_utf8_lossy(report);
    for (failed, count) in [("rfc822;x@a.test\r\n", 1), ("rfc822;z@c.test\r\n", 1), ("y@b.test", 0)] {
        assert_eq!(report.matches(failed).count(), count, "{failed}: {report}");
    }
    let [left] = &queue(&test.hub).await[..] else { panic!("not one left") };
    assert_eq!(left.address, "y@b.test");
}

/// A next hop that is not tried, because it is down, holds up nobody's report for long.
#[tokio::test]
async fn a_failure_waits_for_others_for_a_short_time_only() {
    let test = test_hub().await;
    submit(&test, TEXT, &["x@a.test", "y@b.test"].map(|to| (to, Notify::default()))).await;
    let (sender, now) = (sender(&test, None), unix_now());
    fail(&sender, &take_one(&test.hub, &far("a.test"), now).await).await;
    // Two minutes, times the scale of these hubs.
    assert!(sender.look_after_some(unix_now() + 2).await.expect("looked"));
    assert_eq!(test.inbox("alice").await.len(), 1);
    // The times of the other are what they were.
    assert!(sender.look_after_some(now + 20).await.expect("looked"));
    let delay = test.inbox("alice").await.pop().expect("a second one");
    assert!(String::from_utf8_lossy(&delay).contains("Action: delayed"));
    assert!(sender.look_after_some(now + LIFE).await.expect("looked"));
    let end = test.inbox("alice").await.pop().expect("a third one");
    assert!(String::from_utf8_lossy(&end).contains("y@b.test"));
    assert!(queue(&test.hub).await.is_empty());
}

#[tokio::test]
async fn a_report_without_room_waits_for_it() {
    let test = test_hub().await;
    submit(&test, TEXT, &[("x@a.test", Notify::default())]).await;
    let (sender, now) = (sender(&test, None), unix_now());
    test.hub.set_quota(&address("alice@example.org"), Some(1)).await.expect("set");
    fail(&sender, &take_one(&test.hub, &far("a.test"), now).await).await;
    assert!(sender.look_after_some(unix_now()).await.expect("looked"));
    assert_eq!(queue(&test.hub).await.len(), 1, "kept");
    assert!(!sender.look_after_some(unix_now()).await.expect("looked"), "not at once");
    test.hub.set_quota(&address("alice@example.org"), None).await.expect("set");
    assert!(sender.look_after_some(now + 60).await.expect("looked"));
    assert_eq!(test.inbox("alice").await.len(), 1);
    assert!(queue(&test.hub).await.is_empty());
}

/// RFC 8689 §5: a report about a message with REQUIRETLS is protected like it, whoever tells what.
#[tokio::test]
async fn rfc8689_5_an_overdue_message_keeps_its_demand() {
    let test = relaying_hub().await;
    submit_with(&test, TEXT, &[("x@a.test", Notify::default())], true).await;
    let overdue = test.hub.overdue(unix_now() + LIFE).await.expect("asked").remove(0);
    assert_eq!(overdue.message.next_hop, NextHop::Relay(TlsDemand::Required));
    let report = sender(&test, Some(relay())).compose(&overdue).await.expect("made").expect("a report");
    assert!(report.require_tls);
}
