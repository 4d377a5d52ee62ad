//! Two hubs whose twins send everything on to each other, answer each other, and domains that lead
//! nowhere but back: each message ends somewhere, once, and nobody hears more than one word about it.

use super::{Dns, Internet, count, rules, wait_for_empty_queue};
use crate::harness::{ALICE, Hub, message, wait_until};

const BOB: &str = "bob@far.test";
const CAROL: &str = "carol@hub.test";

/// `hub.test` with alice and carol, `far.test` with bob.
struct Pair {
    here: Hub,
    there: Hub,
    _dns: Dns,
}

impl Pair {
    fn new(records: &str) -> Self {
        let mut internet = Internet::new();
        let (mut here, mut there) = (internet.hub("hub.test", 2), internet.hub("far.test", 3));
        internet.publish(records);
        let dns = internet.serve();
        dns.launch(&mut here, &[ALICE, CAROL]);
        dns.launch(&mut there, &[BOB]);
        Self { here, there, _dns: dns }
    }

    fn settled(&self) {
        wait_for_empty_queue(&self.here);
        wait_for_empty_queue(&self.there);
    }

    /// Messages that came to a hub by SMTP.
    fn accepted(hub: &Hub) -> usize {
        hub.log().matches("message accepted").count()
    }
}

/// A twin of `hub.test` sends something.
fn send(pair: &Pair, from: &str, to: &[&str], subject: &str) {
    pair.here.submission(from).send(from, to, &message(from, to[0], subject, "x\r\n")).expect_code(250);
}

/// RFC 5321 §6.3: the first hub sees that it had delivered the message before; what then cannot be passed
/// on stays where it is.
#[test]
fn twins_who_send_everything_to_each_other() {
    let pair = Pair::new("");
    rules(&pair.here, ALICE, &format!("redirect \"{BOB}\";"));
    rules(&pair.there, BOB, &format!("redirect \"{ALICE}\";"));
    send(&pair, CAROL, &[ALICE], "round and round");
    let kept = pair.there.arrived(BOB, "Your message could not be delivered");
    pair.settled();
    let text = String::from_utf8_lossy(&kept);
    assert!(text.contains("5.4.6 The message runs in a circle"), "it says why it is here: {text}");
    assert!(
        text.contains("\r\nSubject: round and round\r\n") && text.contains("\r\n\r\nx\r\n"),
        "all of it: {text}"
    );
    assert_eq!(count(&pair.there, BOB, "INBOX"), 1, "once");
    assert_eq!(
        (count(&pair.here, ALICE, "INBOX"), count(&pair.here, CAROL, "INBOX")),
        (0, 0),
        "nobody is told"
    );
    // Carol's message, and its way to bob; the way back was refused.
    assert_eq!((Pair::accepted(&pair.here), Pair::accepted(&pair.there)), (1, 1));
}

/// Rules that make up two new addresses for each round, on both hubs: without an end there would be a million
/// messages after ten rounds.
#[test]
fn loops_through_details_that_grow() {
    let pair = Pair::new("");
    let grow = |to: &str, domain: &str| {
        format!(
            "require [\"variables\", \"envelope\", \"subaddress\", \"editheader\"];\n\
             if envelope :detail :matches \"to\" \"*\" {{ set \"d\" \"${{1}}\"; }}\n\
             deleteheader \"Delivered-To\"; deleteheader \"Received\";\n\
             redirect \"{to}+${{d}}l@{domain}\"; redirect \"{to}+${{d}}r@{domain}\";"
        )
    };
    rules(&pair.here, ALICE, &grow("bob", "far.test"));
    rules(&pair.there, BOB, &grow("alice", "hub.test"));
    send(&pair, CAROL, &[ALICE], "more and more");
    // Carol's, 2 to bob, 4 back, 8 on, and none of 16 back.
    wait_until("what comes back to bob", || (count(&pair.there, BOB, "INBOX") == 16).then_some(()));
    pair.settled();
    assert_eq!((Pair::accepted(&pair.here), Pair::accepted(&pair.there)), (1 + 4, 2 + 8));
    assert_eq!((count(&pair.here, ALICE, "INBOX"), count(&pair.here, CAROL, "INBOX")), (0, 0));
}

/// Aliases that lead to each other have no account in which the message could stay: it comes back to the
/// postmaster (bob) of the hub that cannot pass it on, once and whole.
#[test]
fn aliases_that_lead_to_each_other() {
    let pair = Pair::new("");
    pair.here.admin(&["alias", "add", "ring@hub.test", "ring@far.test"]);
    pair.there.admin(&["alias", "add", "ring@far.test", "ring@hub.test"]);
    send(&pair, CAROL, &["ring@hub.test"], "for the ring");
    let kept = pair.there.arrived(BOB, "Your message could not be delivered");
    let text = String::from_utf8_lossy(&kept);
    assert!(text.contains("5.4.6 The message runs in a circle"), "{text}");
    assert!(
        text.contains("\r\nSubject: for the ring\r\n") && text.contains("\r\n\r\nx\r\n"),
        "all of it: {text}"
    );
    pair.settled();
    assert_eq!(count(&pair.there, BOB, "INBOX"), 1);
    assert_eq!((count(&pair.here, ALICE, "INBOX"), count(&pair.here, CAROL, "INBOX")), (0, 0));
    assert_eq!((Pair::accepted(&pair.here), Pair::accepted(&pair.there)), (1, 1));
}

/// RFC 5230 §4.6, RFC 3834 §2: an answer is not answered.
#[test]
fn twins_who_are_both_away() {
    let pair = Pair::new("");
    let away = "require \"vacation\"; vacation :subject \"Away\" \"I am away.\";";
    rules(&pair.here, ALICE, away);
    rules(&pair.there, BOB, away);
    send(&pair, ALICE, &[BOB], "are you there");
    pair.here.arrived(ALICE, "Away");
    pair.settled();
    assert_eq!((count(&pair.here, ALICE, "INBOX"), count(&pair.there, BOB, "INBOX")), (1, 1));
}

/// A bounce that cannot be delivered is dropped: the null reverse-path asks for none.
#[test]
fn bounces_are_not_bounced() {
    let pair = Pair::new("ghost.test. IN MX 10 mail.far.test.");
    // far.test's host does not know this domain.
    let text = message(ALICE, "x@ghost.test", "nobody is told", "x\r\n");
    pair.here.submission(ALICE).send("", &["x@ghost.test"], &text).expect_code(250);
    send(&pair, ALICE, &["x@ghost.test", "y@ghost.test"], "alice is told");
    pair.here.arrived(ALICE, "Your message could not be delivered");
    pair.settled();
    assert_eq!(count(&pair.here, ALICE, "INBOX"), 1, "one report for both");
    assert_eq!(count(&pair.here, CAROL, "INBOX"), 0);
    assert_eq!(Pair::accepted(&pair.there), 0);
}

/// RFC 5321 §5.1: a domain whose host is this hub, by its name or by another one, and that this hub does
/// not know.
#[test]
fn domains_that_lead_back_to_ourselves() {
    let pair = Pair::new(
        "self.test. IN MX 10 mail.hub.test.\n\
         other.test. IN MX 10 name.other.test.\nname.other.test. IN A 127.0.0.2",
    );
    send(&pair, ALICE, &["x@self.test", "x@other.test"], "back to us");
    wait_until("a report", || (count(&pair.here, ALICE, "INBOX") > 0).then_some(()));
    pair.settled();
    let mut imap = pair.here.imap(ALICE);
    imap.ok("SELECT INBOX");
    let reports: Vec<_> = imap.search("ALL").into_iter().map(|uid| imap.body(uid)).collect();
    let reports = String::from_utf8_lossy(&reports.concat()).into_owned();
    for address in ["x@self.test", "x@other.test"] {
        assert_eq!(reports.matches(&format!("Final-Recipient: rfc822;{address}")).count(), 1, "{reports}");
    }
    let log = pair.here.log();
    assert_eq!(log.matches("status=\"554 5.4.6").count(), 2, "{log}");
    assert_eq!(Pair::accepted(&pair.here), 1);
}
