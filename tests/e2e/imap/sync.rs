//! Several sessions on one mailbox: IDLE, CONDSTORE, what may be said when.

use std::time::Instant;

use crate::harness::{ALICE, Database, Hub, message};
use crate::imap_client::Imap;
use crate::on_both_databases;

on_both_databases!(rfc2177_idle_tells_of_deliveries, rfc7162_condstore);

fn idle(imap: &mut Imap, tag: &str) {
    imap.write(format!("{tag} IDLE\r\n").as_bytes());
    // The space after the plus matters to clients.
    assert!(imap.response().starts_with(b"+ "));
}

fn text(response: &[u8]) -> String {
    String::from_utf8_lossy(response).into_owned()
}

fn rfc2177_idle_tells_of_deliveries(database: Database) {
    let hub = Hub::start_on(database);
    let mut watcher = hub.imap(ALICE);
    let mut other = hub.imap(ALICE);
    watcher.ok("SELECT INBOX");
    other.ok("SELECT INBOX");
    idle(&mut watcher, "i");
    let started = Instant::now();
    hub.deliver(ALICE, &message("a@x.test", ALICE, "hello", "x\r\n"));
    assert_eq!(text(&watcher.response()), "* 1 EXISTS");
    eprintln!("delivery and notification took {:?}", started.elapsed());
    // RECENT may accompany it.
    assert!(other.ok("NOOP").has("* 1 EXISTS"));
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    let mut told = text(&watcher.response());
    if told.ends_with("RECENT") {
        told = text(&watcher.response());
    }
    assert!(told.starts_with("* 1 FETCH ") && told.contains("\\Flagged"), "{told}");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    let told = text(&watcher.response());
    assert!(told.contains("\\Deleted"), "{told}");
    other.ok("EXPUNGE");
    assert_eq!(text(&watcher.response()), "* 1 EXPUNGE");
    watcher.write(b"DONE\r\n");
    watcher.tagged("i").expect_ok();

    // iOS: IDLE, DONE and the next command close together.
    watcher.write(b"a IDLE\r\nDONE\r\nb NOOP\r\nc IDLE\r\n");
    watcher.tagged("a").expect_ok();
    watcher.tagged("b").expect_ok();
    watcher.write(b"something else\r\n");
    assert_eq!(watcher.tagged("c").status, "BAD");
    watcher.ok("NOOP");
}

fn rfc7162_condstore(database: Database) {
    let hub = Hub::start_on(database);
    let mut imap = hub.imap(ALICE);
    for _ in 0..4 {
        imap.append("INBOX", "", b"Subject: x\r\n\r\n");
    }
    let start = imap.ok("SELECT INBOX (CONDSTORE)").code_number("HIGHESTMODSEQ");
    let mut other = hub.imap(ALICE);
    other.ok("SELECT INBOX");
    other.ok("STORE 2,4 +FLAGS.SILENT (\\Seen)");
    imap.ok("NOOP");

    let reply = imap.ok(&format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {start})"));
    let changed: Vec<(u32, u64)> =
        reply.fetched().iter().map(|f| (f.uid(), f.item("MODSEQ").list()[0].number())).collect();
    assert_eq!(changed.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [2, 4]);
    assert!(changed.iter().all(|(_, modseq)| *modseq > start), "{changed:?} since {start}");
    let now = imap.ok("STATUS INBOX (HIGHESTMODSEQ)").lines().concat();
    assert!(now.contains(&format!("HIGHESTMODSEQ {}", changed[0].1)), "{now}");
    assert_eq!(imap.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE 0)").fetched().len(), 4, "iPhones send 0");

    // UNCHANGEDSINCE: 2 was changed meanwhile, 1 was not (RFC 7162 §3.1.3).
    let reply = imap.ok(&format!("UID STORE 1:2 (UNCHANGEDSINCE {start}) +FLAGS (\\Flagged)"));
    assert_eq!(reply.code("MODIFIED").as_deref(), Some("2"), "{reply:?}");
    let fetched = reply.fetched();
    assert_eq!(fetched.len(), 1, "{reply:?}");
    assert!(fetched[0].uid() == 1 && fetched[0].find("MODSEQ").is_some(), "{reply:?}");
    assert_eq!(imap.search("FLAGGED"), [1]);
    let reply = imap.ok(&format!("SEARCH MODSEQ {}", start + 1));
    let line = reply.starting("* SEARCH ").concat();
    assert!(line.starts_with("* SEARCH 1 2 4 (MODSEQ "), "RFC 7162 §3.1.5: {line}");
    // Nothing changes, no modseq is spent.
    let before = imap.ok("STATUS INBOX (HIGHESTMODSEQ)").lines();
    imap.ok("STORE 1 +FLAGS (\\Flagged)");
    assert_eq!(imap.ok("STATUS INBOX (HIGHESTMODSEQ)").lines(), before);
}

#[test]
fn rfc7162_qresync_if_offered() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    if !imap.ok("CAPABILITY").lines()[0].contains("QRESYNC") {
        return;
    }
    for _ in 0..5 {
        imap.append("INBOX", "", b"Subject: x\r\n\r\n");
    }
    let selected = imap.ok("SELECT INBOX");
    let (validity, modseq) = (selected.code_number("UIDVALIDITY"), selected.code_number("HIGHESTMODSEQ"));
    imap.ok("UID STORE 2:3 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.ok("UID STORE 5 +FLAGS (\\Seen)");
    let mut again = hub.imap(ALICE);
    again.bad(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))"));
    again.ok("ENABLE QRESYNC");
    let reply = again.ok(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))"));
    assert!(reply.has("* VANISHED (EARLIER) 2:3"), "{reply:?}");
    let changed: Vec<u32> = reply.fetched().iter().map(|fetched| fetched.uid()).collect();
    assert_eq!(changed, [5]);
    imap.ok("UID STORE 1 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    assert!(again.ok("NOOP").has("* VANISHED 1"), "RFC 7162 §3.2.10");
}

/// RFC 3501 §7.4.1: no EXPUNGE while a command with sequence numbers is in progress; until it is
/// told, a session sees its old numbers and can still read the message.
#[test]
fn rfc3501_7_4_1_expunge_is_told_only_where_it_may() {
    let hub = Hub::start();
    let mut one = hub.imap(ALICE);
    for n in 1..=3 {
        one.append("INBOX", "", &message("a@x.test", ALICE, &format!("message {n}"), "x\r\n"));
    }
    one.ok("SELECT INBOX");
    let mut two = hub.imap(ALICE);
    two.ok("SELECT INBOX");
    two.ok("STORE 1 +FLAGS (\\Deleted)");
    two.ok("EXPUNGE");
    hub.deliver(ALICE, &message("a@x.test", ALICE, "message 4", "x\r\n"));

    for command in ["FETCH 3 (UID)", "STORE 3 +FLAGS (\\Seen)", "SEARCH ALL"] {
        let reply = one.ok(command);
        assert!(!reply.lines().iter().any(|line| line.ends_with("EXPUNGE")), "{command}: {reply:?}");
        if let Some(fetched) = reply.fetched().first().filter(|fetched| fetched.find("UID").is_some()) {
            assert_eq!((fetched.sequence, fetched.uid()), (3, 3), "the numbers have not moved");
        }
    }
    // Another session has removed it: the message, or a NO with EXPUNGEISSUED (RFC 5530); never BAD.
    let reply = one.command("FETCH 1 (UID FLAGS)");
    assert_ne!(reply.status, "BAD", "{reply:?}");
    let reply = one.ok("NOOP");
    let lines = reply.lines();
    assert!(lines.contains(&"* 1 EXPUNGE".to_owned()), "{lines:?}");
    let fetched = one.ok("FETCH 1:* (UID)").fetched();
    assert_eq!(fetched.iter().map(|f| (f.sequence, f.uid())).collect::<Vec<_>>(), [(1, 2), (2, 3), (3, 4)]);
}

#[test]
fn pipelined_commands_are_done_in_order() {
    let hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    for _ in 0..3 {
        imap.append("INBOX", "", b"Subject: x\r\n\r\n");
    }
    // Empty lines between commands are skipped (clients that end a literal with CRLF too many).
    imap.write(
        b"a SELECT INBOX\r\nb STORE 1:2 +FLAGS (\\Deleted)\r\n\r\nc EXPUNGE\r\nd FETCH 1 (UID)\r\n\
          e NAMESPACE\r\nf LIST \"\" *\r\n",
    );
    for tag in ["a", "b", "c"] {
        imap.tagged(tag).expect_ok();
    }
    assert_eq!(imap.tagged("d").fetched()[0].uid(), 3);
    imap.tagged("e").expect_ok();
    imap.tagged("f").expect_ok();
}

#[test]
fn a_mailbox_that_is_deleted_under_a_session() {
    let hub = Hub::start();
    let mut one = hub.imap(ALICE);
    one.ok("CREATE Doomed");
    one.append("Doomed", "", b"Subject: x\r\n\r\n");
    one.ok("SELECT Doomed");
    hub.imap(ALICE).ok("DELETE Doomed");
    // Whatever it is told, the session survives and can go on elsewhere, or is told goodbye.
    let reply = one.try_command_bytes(b"NOOP").and_then(|_| one.try_command_bytes(b"FETCH 1 (FLAGS)"));
    if reply.is_ok() {
        one.ok("SELECT INBOX");
    }
}
