//! The outbound queue: hosts that misbehave, what the sender is told, and what an operator can do.

mod crash;
mod sink;

use serde_json::Value;

use crate::harness::{ALICE, Database, Hub, assert_success, wait_until};
use crate::on_both_databases;
use sink::{Manner, Sink, message_id};

on_both_databases!(hosts_that_misbehave, a_delay_is_told_and_then_the_end, operators_act_on_the_queue);

const FRIEND: &str = "friend@far.test";

/// A hub that sends by this relay host, with pauses of the queue multiplied by `scale`.
fn config(sink: &Sink, scale: f64) -> String {
    let relay = crate::admin::relay_config(sink.port);
    let rates = "[rates]\nsent_per_hour = 1000000\nsent_per_day = 1000000\nrecipients_per_hour = 1000000\n\
                 recipients_per_day = 1000000\n";
    format!("{relay}[outbound]\nclock_scale = {scale:?}\n{rates}")
}

fn start(database: Database, sink: &Sink, scale: f64) -> Hub {
    let mut hub = Hub::new(database, &config(sink, scale));
    hub.launch_with_people();
    hub
}

/// A message that can be recognised anywhere.
fn message(id: &str) -> Vec<u8> {
    let text = format!(
        "From: <{ALICE}>\r\nTo: <{FRIEND}>\r\nSubject: {id}\r\nMessage-ID: <{id}@queue.test>\r\n\r\n{id}\r\n"
    );
    text.into_bytes()
}

fn submit(hub: &Hub, ids: &[String]) {
    let mut smtp = hub.submission(ALICE);
    for id in ids {
        smtp.send(ALICE, &[FRIEND], &message(id)).expect_code(250);
    }
}

fn queue(hub: &Hub, arguments: &[&str]) -> Vec<Value> {
    let text = hub.admin(&[&["queue"], arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The ids of messages that alice got reports about, with the reports.
fn reports(hub: &Hub) -> Vec<(String, String)> {
    reports_to(hub, ALICE)
}

fn reports_to(hub: &Hub, twin: &str) -> Vec<(String, String)> {
    let mut imap = hub.imap(twin);
    imap.ok("SELECT INBOX");
    let found = imap.search("FROM MAILER-DAEMON");
    let report = |uid| {
        let text = String::from_utf8_lossy(&imap.body(uid)).into_owned();
        (message_id(&text).unwrap_or_else(|| panic!("no id in {text}")), text)
    };
    found.into_iter().map(report).collect()
}

/// What Postfix does with the same hosts: temporary trouble of every kind is tried again until it is
/// over, then each message is there once; what is refused for good is tried once and reported once.
fn hosts_that_misbehave(database: Database) {
    let sink = Sink::start(Manner::Good);
    let hub = start(database, &sink, 0.001);
    let mut expected = Vec::new();
    for manner in [Manner::GreetWith421, Manner::DeferRecipients, Manner::DeferData, Manner::CloseInData] {
        sink.behave(manner);
        let ids: Vec<String> = (0..3).map(|n| format!("{manner:?}-{n}")).collect();
        submit(&hub, &ids);
        wait_until(&format!("{manner:?}, three times"), || (sink.mishaps() >= 3).then_some(()));
        assert_eq!(sink.taken().len(), expected.len(), "{manner:?}");
        sink.behave(Manner::Good);
        wait_until(&format!("an empty queue after {manner:?}"), || {
            queue(&hub, &["list"]).is_empty().then_some(())
        });
        expected.extend(ids);
        expected.sort();
        let mut taken = sink.taken();
        taken.sort();
        assert_eq!(taken, expected, "each once, after {manner:?}");
    }
    assert_eq!(reports(&hub), [], "nothing has failed");

    let mut refused = Vec::new();
    for manner in [Manner::RefuseRecipients, Manner::RefuseData] {
        sink.behave(manner);
        let ids: Vec<String> = (0..3).map(|n| format!("{manner:?}-{n}")).collect();
        submit(&hub, &ids);
        wait_until(&format!("an empty queue after {manner:?}"), || {
            queue(&hub, &["list"]).is_empty().then_some(())
        });
        assert_eq!(sink.mishaps(), 3, "{manner:?}: one attempt each");
        refused.extend(ids);
        let mut reported: Vec<String> = reports(&hub).into_iter().map(|(id, _)| id).collect();
        reported.sort();
        refused.sort();
        assert_eq!(reported, refused, "{manner:?}: one report each");
    }
}

/// Nobody can know whether a host that hangs up after the dot has the message: it comes again, after
/// pauses that grow. Postfix made twelve copies of three messages in ten seconds.
#[test]
fn a_host_that_hangs_up_after_the_dot_gets_few_copies() {
    let sink = Sink::start(Manner::HangUpAfterDot);
    let hub = start(Database::Sqlite, &sink, 0.02);
    let ids: Vec<String> = (0..3).map(|n| format!("cut-{n}")).collect();
    submit(&hub, &ids);
    wait_until("a second copy of one", || (sink.completed().len() > 3).then_some(()));
    sink.behave(Manner::Good);
    wait_until("an empty queue", || queue(&hub, &["list"]).is_empty().then_some(()));
    let mut taken = sink.taken();
    taken.sort();
    assert_eq!(taken, ids, "and then once each");
    // Each is tried at 0, 1.2 and 6 s after that; three breakdowns in a row are a pause for all.
    assert!(sink.completed().len() <= 12, "{:?}", sink.completed());
    assert_eq!(reports(&hub), []);
}

/// RFC 3461 §5.3, RFC 3464 §2.3.9: first the delay is told, once, then the failure, though no host was
/// ever reached.
fn a_delay_is_told_and_then_the_end(database: Database) {
    let sink = Sink::start(Manner::GreetWith421);
    // Four hours are a second (no time is shorter), five days 13.
    let hub = start(database, &sink, 0.00003);
    submit(&hub, &["late".to_owned()]);
    let first = wait_until("the report of the delay", || reports(&hub).into_iter().next());
    for line in
        ["Action: delayed\r\n", "Status: 4.", "Will-Retry-Until: ", "Auto-Submitted: auto-replied\r\n"]
    {
        assert!(first.1.contains(line), "{line:?} is not in {}", first.1);
    }
    let id = queue(&hub, &["list"])[0]["id"].clone();
    assert!(hub.admin(&["queue", "show", &id.to_string()]).contains("was told of the delay"));
    wait_until("an empty queue", || queue(&hub, &["list"]).is_empty().then_some(()));
    let all = reports(&hub);
    assert_eq!(all.len(), 2, "{all:?}");
    for line in ["Action: failed\r\n", "Status: 5.4.7\r\n", "421 4.3.2 not now"] {
        assert!(all[1].1.contains(line), "{line:?} is not in {}", all[1].1);
    }
    assert!(sink.connections() > 3);
    assert_eq!(sink.completed(), [] as [String; 0]);
}

fn operators_act_on_the_queue(database: Database) {
    let sink = Sink::start(Manner::DeferRecipients);
    let hub = start(database, &sink, 1.0);
    let mut smtp = hub.submission(ALICE);
    smtp.send(ALICE, &[FRIEND, "other@near.test"], &message("first")).expect_code(250);
    wait_until("an attempt", || {
        queue(&hub, &["list"])
            .iter()
            .all(|entry| entry["status"] == "451 4.7.1 come back later")
            .then_some(())
    });
    smtp.send("", &["third@near.test"], &message("second")).expect_code(250);
    wait_until("its attempt", || {
        queue(&hub, &["list", "--sender", "<>"]).iter().all(|entry| entry["attempts"] == 1).then_some(())
    });
    let addresses = |arguments: &[&str]| -> Vec<String> {
        queue(&hub, arguments).iter().map(|e| e["to"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(addresses(&["list"]), [FRIEND, "other@near.test", "third@near.test"]);
    assert_eq!(addresses(&["list", "--domain", "NEAR.test"]), ["other@near.test", "third@near.test"]);
    assert_eq!(addresses(&["list", "--domain", "near.test", "--sender", ALICE]), ["other@near.test"]);
    let ids: Vec<String> = queue(&hub, &["list"]).iter().map(|entry| entry["id"].to_string()).collect();
    let shown = hub.admin(&["queue", "show", &ids[0]]);
    for words in
        [&format!("from {ALICE}"), "attempt 1 at", "(127.0.0.1)", "come back later", "the relay host"]
    {
        assert!(shown.contains(words), "{words:?} is not in {shown}");
    }

    assert!(hub.admin(&["queue", "hold", "--recipient", FRIEND]).contains("held: 1 recipient\n"));
    assert!(hub.admin(&["queue", "list"]).contains("(held)"));
    sink.behave(Manner::Good);
    // Without this it would be a minute.
    assert!(hub.admin(&["queue", "retry", "--all"]).contains("to be tried now: 2 recipients\n"));
    wait_until("what is not held", || (addresses(&["list"]) == [FRIEND]).then_some(()));
    let mut taken = sink.taken();
    taken.sort();
    assert_eq!(taken, ["first", "second"]);
    assert!(hub.admin(&["queue", "release", &ids[0]]).contains("released: 1 recipient\n"));
    wait_until("an empty queue", || addresses(&["list"]).is_empty().then_some(()));
    assert_eq!(sink.taken().len(), 3);

    sink.behave(Manner::DeferData);
    smtp.send(ALICE, &[FRIEND], &message("unwanted")).expect_code(250);
    let id = wait_until("an attempt", || {
        let entry = queue(&hub, &["list"]).pop()?;
        (entry["attempts"] == 1).then(|| entry["id"].to_string())
    });
    assert!(!hub.cli(&["queue", "delete"]).status.success(), "what?");
    assert!(hub.admin(&["queue", "delete", &id, "--yes"]).contains("deleted: 1 recipient\n"));
    assert_eq!(queue(&hub, &["list"]), [] as [Value; 0]);
    let gone = hub.cli(&["queue", "show", &id]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("there is no message"), "{gone:?}");
    assert_eq!(reports(&hub), [], "nobody is told");
    let help = hub.cli(&["queue", "retry", "--help"]);
    assert_success(&help, &["queue", "retry", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("--domain"), "{help:?}");
}
