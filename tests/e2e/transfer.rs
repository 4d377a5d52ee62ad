//! Mail that moves in and out: from Dovecot, from another hub, through files. Byte for byte, with flags
//! and dates, once.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use crate::dovecot::Dovecot;
use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, assert_success, message, wait_until};
use crate::imap_client::Imap;
use crate::on_both_databases;

on_both_databases!(an_import_that_is_cut_off_goes_on);

/// A hub that trusts its own authority on outgoing connections too.
const TRUSTING: &str = "[tls]\ntrust_roots = \"certs/ca.pem\"\n";

/// Mailbox → its messages: body, flags, date.
type Content = BTreeMap<String, Vec<(Vec<u8>, Vec<String>, Vec<u8>)>>;

/// What these mailboxes hold, the messages in order.
fn content(imap: &mut Imap, mailboxes: &[(&str, &str)]) -> Content {
    let mut content = Content::new();
    for (name, called) in mailboxes {
        imap.ok(&format!("EXAMINE \"{name}\""));
        let reply = imap.ok("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])");
        let fetched = reply.fetched();
        let messages = fetched.iter().map(|fetched| {
            let flags = fetched.flags().into_iter().filter(|flag| flag != "\\Recent").collect();
            let date = fetched.item("INTERNALDATE").text().to_vec();
            (fetched.item("BODY[]").text().to_vec(), flags, date)
        });
        content.insert((*called).to_owned(), messages.collect());
    }
    content
}

/// `* STATUS` lines of everything: what changes when anything does.
fn state(hub: &Hub, twin: &str) -> Vec<String> {
    hub.imap(twin).ok("LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))").lines()
}

fn append(imap: &mut Imap, mailbox: &str, flags: &str, date: &str, body: &[u8]) {
    let head = format!("APPEND \"{mailbox}\" ({flags}) \"{date}\" {{{}+}}\r\n", body.len());
    imap.command_bytes(&[head.as_bytes(), body].concat()).expect_ok();
}

fn import(hub: &Hub, arguments: &[&str], password: &str) -> Output {
    hub.cli_with_input(&[&["import"], arguments, &["--password-stdin"]].concat(), password)
}

#[test]
fn an_account_moves_here_from_dovecot() {
    if !Dovecot::is_installed() {
        return;
    }
    let mut hub = Hub::new(Database::Sqlite, TRUSTING);
    hub.launch_with_people();
    // With the hub's certificate, which names localhost; and mailboxes as Courier and Cyrus call them.
    let certificate = hub.data().join("certs/hub.pem").display().to_string();
    let settings = format!(
        "ssl = required\nssl_cert = <{certificate}\nssl_key = <{certificate}\ndisable_plaintext_auth = yes\n\
         namespace inbox {{\n separator = .\n prefix = INBOX.\n\
         mailbox Sent {{\n special_use =\n auto = no\n}}\n\
         mailbox Gesendet {{\n special_use = \\Sent\n auto = create\n}}\n}}\n"
    );
    let dovecot = Dovecot::start(&["old".to_owned()], &settings);
    let mut old = Imap::connect(dovecot.port());
    old.ok("STARTTLS");
    let mut old = old.into_tls(&hub.tls()).expect("TLS");
    old.login("old", PASSWORD);
    let large = format!("Subject: large\r\n\r\n{}", "0123456789abcdef From here\r\n".repeat(60_000));
    let letter = message("a@x.test", "b@x.test", "8-bit: \u{e4}\u{1f600}", "From the start\r\n.\r\n\r\n");
    for mailbox in ["INBOX.Archive.2024", "INBOX.Entw&APw-rfe a&-b"] {
        old.ok(&format!("CREATE \"{mailbox}\""));
    }
    append(&mut old, "INBOX", "\\Seen \\Flagged $Label1 Custom", " 5-Feb-2024 10:11:12 +0100", &letter);
    append(&mut old, "INBOX", "", "31-Dec-1999 23:59:59 -0500", large.as_bytes());
    append(
        &mut old,
        "INBOX.Gesendet",
        "\\Answered \\Seen",
        " 1-Jan-2020 00:00:00 +0000",
        b"Subject: sent\r\n\r\n",
    );
    append(
        &mut old,
        "INBOX.Archive.2024",
        "\\Draft \\Deleted",
        " 2-Feb-2024 00:00:00 +0000",
        b"no header at all",
    );
    append(&mut old, "INBOX.Entw&APw-rfe a&-b", "", " 3-Feb-2024 00:00:00 +0000", &letter);
    let address = format!("imap://old@localhost:{}/", dovecot.port());

    // A wrong password: said, and nothing changed.
    let before = state(&hub, ALICE);
    let refused = import(&hub, &[&address, "--to", ALICE], "wrong");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("the log-in is refused"), "{said}");
    assert_eq!(state(&hub, ALICE), before);

    let output = import(&hub, &[&address, "--to", ALICE], PASSWORD);
    assert_success(&output, &["import"]);
    let there = [
        ("INBOX", "INBOX"),
        ("INBOX.Gesendet", "Sent"),
        ("INBOX.Archive.2024", "Archive/2024"),
        ("INBOX.Entw&APw-rfe a&-b", "Entw&APw-rfe a&-b"),
    ];
    let expected = content(&mut old, &there);
    let here = there.map(|(_, here)| (here, here));
    assert_eq!(content(&mut hub.imap(ALICE), &here), expected);

    // Once more: nothing. Then one new message: only that one.
    let before = state(&hub, ALICE);
    assert_success(&import(&hub, &[&address, "--to", ALICE], PASSWORD), &["import"]);
    assert_eq!(state(&hub, ALICE), before);
    append(&mut old, "INBOX", "", " 6-Feb-2024 10:11:12 +0100", b"Subject: new\r\n\r\n");
    assert_success(&import(&hub, &[&address, "--to", ALICE], PASSWORD), &["import"]);
    assert_eq!(content(&mut hub.imap(ALICE), &here), content(&mut old, &there));
}

/// What a [`Wire`] does after its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Cut,
    Hold,
}

/// A line to a server on loopback that carries so many bytes from it per connection.
struct Wire {
    port: u16,
}

impl Wire {
    fn new(to: u16, bytes: usize, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
                let (mut up, mut into) =
                    (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
                thread::spawn(move || std::io::copy(&mut up, &mut into));
                thread::spawn(move || carry(server, client, bytes, then));
            }
        });
        Self { port }
    }
}

fn carry(mut server: TcpStream, mut client: TcpStream, bytes: usize, then: Then) {
    let mut left = bytes;
    let mut buffer = vec![0; 4096];
    while left > 0 {
        match server.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                if client.write_all(&buffer[..count.min(left)]).is_err() {
                    break;
                }
                left = left.saturating_sub(count);
            }
        }
    }
    if left == 0 && then == Then::Hold {
        // Nothing more, and no end, as long as the other side waits.
        let _ = client.read(&mut buffer);
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn spawn_import(hub: &Hub, address: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_twinhub"))
        .args(hub.options())
        .args(["import", address, "--to", BOB, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("start of twinhub");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(format!("{PASSWORD}\n").as_bytes()).expect("read");
    child
}

fn messages(hub: &Hub, twin: &str) -> u64 {
    let line = hub.imap(twin).ok("STATUS INBOX (MESSAGES)").starting("* STATUS").remove(0);
    line.rsplit_once(' ').and_then(|(_, count)| count.trim_end_matches(')').parse().ok()).expect("a number")
}

/// Connections that break, a command that is killed, a server that is killed: each message comes once.
fn an_import_that_is_cut_off_goes_on(database: Database) {
    const COUNT: usize = 900;
    let mut hub = Hub::new(database, TRUSTING);
    hub.launch_with_people();
    let source = hub.ports().imaps;
    let mut imap = hub.imap(ALICE);
    let bodies =
        (0..COUNT).map(|n| message("a@x.test", "b@x.test", &format!("n{n}"), &"line\r\n".repeat(n % 500)));
    for (n, body) in bodies.enumerate() {
        let flags = ["", "\\Seen", "\\Flagged k"][n % 3];
        append(&mut imap, "INBOX", flags, " 5-Feb-2024 10:11:12 +0100", &body);
    }
    let address = |port: u16| format!("imaps://alice%40hub.test@localhost:{port}/");

    // The command dies after one commit.
    let wire = Wire::new(source, 600_000, Then::Hold);
    let mut command = spawn_import(&hub, &address(wire.port));
    let first = wait_until("a first commit", || Some(messages(&hub, BOB)).filter(|&count| count > 0));
    assert!(first < COUNT as u64, "{first}");
    command.kill().expect("killed");
    command.wait().expect("gone");

    // Every connection breaks after a part.
    let wire = Wire::new(source, 700_000, Then::Cut);
    let output = import(&hub, &[&address(wire.port), "--to", BOB], PASSWORD);
    assert_success(&output, &["import"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("connecting again"));
    let expected = content(&mut hub.imap(ALICE), &[("INBOX", "INBOX")]);
    assert_eq!(content(&mut hub.imap(BOB), &[("INBOX", "INBOX")]), expected);
    let before = state(&hub, BOB);
    assert_success(&import(&hub, &[&address(source), "--to", BOB], PASSWORD), &["import"]);
    assert_eq!(state(&hub, BOB), before);
}

/// The hub that takes the mail is killed; its twin is another's, who keeps running.
#[test]
fn a_killed_hub_has_what_it_committed_and_gets_the_rest() {
    const COUNT: usize = 600;
    let source = Hub::start();
    let mut imap = source.imap(ALICE);
    for n in 0..COUNT {
        let body = message("a@x.test", "b@x.test", &format!("n{n}"), &"line\r\n".repeat(200));
        append(&mut imap, "INBOX", "", " 5-Feb-2024 10:11:12 +0100", &body);
    }
    let trust = format!("[tls]\ntrust_roots = {:?}\n", source.ports().ca);
    let mut hub = Hub::new(Database::Sqlite, &trust);
    hub.launch_with_people();
    let address = |port: u16| format!("imaps://alice%40hub.test@localhost:{port}/");
    let wire = Wire::new(source.ports().imaps, 600_000, Then::Hold);
    let mut command = spawn_import(&hub, &address(wire.port));
    wait_until("a first commit", || Some(messages(&hub, BOB)).filter(|&count| count > 0));
    hub.kill();
    drop(command.kill());
    command.wait().expect("gone");

    hub.launch();
    let first = messages(&hub, BOB);
    assert!((1..COUNT as u64).contains(&first), "{first}");
    assert_success(&import(&hub, &[&address(source.ports().imaps), "--to", BOB], PASSWORD), &["import"]);
    let all = [("INBOX", "INBOX")];
    assert_eq!(content(&mut hub.imap(BOB), &all), content(&mut source.imap(ALICE), &all));
}

/// Out as files and in again, for another twin: everything is as it was. Without a server, too.
#[test]
fn mail_goes_through_files_and_comes_back() {
    let mut hub = Hub::start();
    let mut imap = hub.imap(ALICE);
    imap.ok("CREATE Archive/2024.x");
    let bodies = ["From the start\r\n>From there\r\n", "\r\n\r\nempty lines\r\n\r\n", "\u{e4}\r\n"];
    for (n, body) in bodies.iter().enumerate() {
        let letter = message("a@x.test", "b@x.test", &format!("n{n}"), body);
        let flags = ["\\Seen $Label1", "\\Flagged \\Answered", "\\Draft \\Deleted Custom"][n];
        append(&mut imap, "INBOX", flags, " 5-Feb-2024 10:11:12 +0100", &letter);
        append(&mut imap, "Archive/2024.x", "", " 1-Jan-1998 00:00:00 +0000", &letter);
        append(&mut imap, "Sent", "\\Seen", "31-Dec-2025 23:59:59 +0000", &letter);
    }
    let all = [("INBOX", "INBOX"), ("Archive/2024.x", "Archive/2024.x"), ("Sent", "Sent")];
    let expected = content(&mut imap, &all);
    let (maildir, mbox) = (hub.path("maildir"), hub.path("mbox"));
    let (maildir, mbox) = (maildir.to_str().expect("UTF-8"), mbox.to_str().expect("UTF-8"));
    hub.admin(&["export", "--twin", ALICE, "--format", "maildir", maildir]);
    hub.stop();
    hub.admin(&["export", "--twin", ALICE, "--format", "mbox", mbox]);
    let again = hub.cli(&["export", "--twin", ALICE, "--format", "mbox", mbox]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is not empty"));
    hub.launch();

    hub.admin(&["import", "maildir", maildir, "--to", BOB]);
    assert_eq!(content(&mut hub.imap(BOB), &all), expected);
    let before = state(&hub, BOB);
    hub.admin(&["import", "maildir", maildir, "--to", BOB]);
    assert_eq!(state(&hub, BOB), before);

    hub.add_twin("carol@hub.test", PASSWORD);
    for (name, _) in all {
        for _ in 0..2 {
            let file = format!("{mbox}/{name}.mbox");
            hub.admin(&["import", "mbox", &file, "--to", "carol@hub.test", "--mailbox", name]);
        }
    }
    assert_eq!(content(&mut hub.imap("carol@hub.test"), &all), expected);
    let nobody = hub.cli(&["import", "maildir", maildir, "--to", "nobody@hub.test"]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("twin does not exist"));
}
