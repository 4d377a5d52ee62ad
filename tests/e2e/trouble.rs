//! Trouble below the hub: a full disk, a locked or lost database, a quota. The answer is "try
//! later", nothing acknowledged is lost, and it goes on when the trouble is over.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::harness::{ALICE, BOB, Database, Hub, PASSWORD, has_program, installed, message, wait_until};
use crate::imap_client::Imap;
use crate::on_both_databases;
use crate::postgres::is_root;
use crate::smtp_client::Smtp;

on_both_databases!(a_full_mailbox_is_said_and_can_be_emptied);

/// A small file system of its own for the data directory; unmounted when dropped.
struct SmallDisk(String);

impl SmallDisk {
    fn mount(hub: &Hub, megabytes: u32) -> Option<Self> {
        let folder = hub.data();
        fs::create_dir_all(&folder).expect("a folder");
        let folder = folder.display().to_string();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs", &folder]).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the hub that uses it is killed after this.
        let _ = Command::new("umount").args(["-l", &self.0]).status();
    }
}

#[test]
fn a_full_disk_is_temporary_and_loses_nothing() {
    let mut hub = Hub::new(Database::Sqlite, "");
    let Some(_disk) = is_root().then(|| SmallDisk::mount(&hub, 48)).flatten() else {
        // Root in a container may not be allowed to mount: no failure then.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a_full_disk_is_temporary_and_loses_nothing: no right to mount"
        );
        return;
    };
    hub.launch_with_people();
    let filler = hub.data().join("filler");
    fs::write(&filler, vec![1; 20 << 20]).expect("room for a filler");

    let body: String = "a line of text that is not the same everywhere\r\n".repeat(200);
    let letter = |n: usize| {
        message("a@x.test", ALICE, &format!("letter {n}"), &format!("{n}\r\n{}", noise(n, 200_000, &body)))
    };
    let mut smtp = hub.smtp();
    let mut accepted = 0;
    let refusal = loop {
        let reply = smtp.send("a@x.test", &[ALICE], &letter(accepted));
        if reply.code != 250 {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 500, "the disk never gets full");
    };
    assert!((400..500).contains(&refusal.code), "after {accepted}: {refusal:?}");
    let mut imap = hub.imap(ALICE);
    let reply = imap.try_append("INBOX", "", &letter(1000)).expect("a reply");
    assert_eq!(reply.status, "NO", "{reply:?}");
    // Reading goes on.
    let selected = imap.ok("SELECT INBOX");
    assert!(selected.has(&format!("* {accepted} EXISTS")), "{selected:?}");

    fs::remove_file(&filler).expect("the filler");
    wait_until("room again", || {
        let reply = Smtp::connect(hub.ports().smtp).hello().send("a@x.test", &[ALICE], &letter(accepted));
        (reply.code == 250).then_some(())
    });
    hub.kill();
    hub.launch();
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    assert_eq!(imap.search("ALL").len(), accepted + 1);
    for n in 0..=accepted {
        let kept = imap.body(n as u32 + 1);
        assert!(kept.ends_with(&letter(n)), "letter {n} is not whole");
    }
}

/// Text that does not compress to nothing.
fn noise(seed: usize, length: usize, filler: &str) -> String {
    let mut random = crate::harness::Random(seed as u64);
    let mut text = String::with_capacity(length + 100);
    while text.len() < length {
        text.push_str(&format!("{:016x}{:016x}{:016x}\r\n", random.next(), random.next(), random.next()));
    }
    text.push_str(&filler[..filler.len().min(200)]);
    text.push_str("\r\n");
    text
}

/// Another program that holds the database's write lock until it is dropped.
struct Locker(Child);

impl Locker {
    fn lock(database: &std::path::Path) -> Self {
        let program = "import sqlite3, sys\n\
            c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n\
            c.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\nsys.stdin.read()\n";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start of python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "locked\n");
        Self(child)
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_locked_database_is_temporary() {
    if !has_program("python3", "python3") {
        return;
    }
    let hub = Hub::start();
    let database = fs::read_dir(hub.data())
        .expect("the data directory")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "db"))
        .expect("the database");
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    let locker = Locker::lock(&database);
    let mut smtp = hub.smtp();
    let reply = smtp.send("a@x.test", &[ALICE], &message("a@x.test", ALICE, "locked", "x\r\n"));
    assert!((400..500).contains(&reply.code), "{reply:?}");
    let reply = imap.try_append("INBOX", "", b"Subject: locked too\r\n\r\n").expect("a reply");
    assert_eq!(reply.status, "NO", "{reply:?}");
    drop(locker);
    smtp.send("a@x.test", &[ALICE], &message("a@x.test", ALICE, "free", "x\r\n")).expect_code(250);
    assert!(imap.append("INBOX", "", b"Subject: free too\r\n\r\n") > 0);
    imap.ok("NOOP");
    assert!(imap.search("SUBJECT locked").is_empty(), "refused, and kept all the same");
    assert_eq!(imap.search("SUBJECT free").len(), 2);
}

#[test]
fn a_lost_postgresql_is_temporary() {
    if !installed("postgresql", crate::harness::has_postgres()) {
        return;
    }
    let mut hub = Hub::start_on(Database::Postgres);
    hub.deliver(ALICE, &message("a@x.test", ALICE, "before", "x\r\n"));
    let mut imap = hub.imap(ALICE);
    imap.ok("SELECT INBOX");
    hub.postgres().expect("its server").crash();

    let mut smtp = hub.smtp();
    let reply = smtp.send("a@x.test", &[ALICE], &message("a@x.test", ALICE, "during", "x\r\n"));
    assert!((400..500).contains(&reply.code), "{reply:?}");
    // "Wrong password" would make every client ask for a new one.
    let mut other = Imap::connect_tls(hub.ports().imaps, &hub.tls());
    let reply = other.command(&format!("LOGIN {BOB} \"{PASSWORD}\""));
    assert_eq!(reply.status, "NO", "{reply:?}");
    assert!(reply.text.starts_with("[UNAVAILABLE]"), "RFC 5530: {reply:?}");
    assert_ne!(imap.command("STORE 1 +FLAGS (\\Seen)").status, "BAD");

    hub.postgres().expect("its server").restart();
    wait_until("a delivery", || {
        let mut smtp = Smtp::connect(hub.ports().smtp).hello();
        let reply = smtp.send("a@x.test", &[ALICE], &message("a@x.test", ALICE, "after", "x\r\n"));
        (reply.code == 250).then_some(())
    });
    hub.arrived(ALICE, "after");
    imap.ok("NOOP");
    assert_eq!(imap.search("ALL").len(), 2, "before and after, and nothing else");
    other.login(BOB, PASSWORD);
}

fn a_full_mailbox_is_said_and_can_be_emptied(database: Database) {
    let hub = Hub::start_on(database);
    hub.admin(&["twin", "quota", ALICE, "100KiB"]);
    let large = message("a@x.test", ALICE, "large", &"0123456789abcdef\r\n".repeat(3000));
    let mut smtp = hub.smtp();
    smtp.send("a@x.test", &[ALICE], &large).expect_code(250);
    smtp.send("a@x.test", &[ALICE], &large).expect("452 4.2.2");
    // With two recipients it is all or nothing for each of them: the other one can get it.
    smtp.send("a@x.test", &[BOB], &large).expect_code(250);
    let mut imap = hub.imap(ALICE);
    let reply = imap.try_append("INBOX", "", &large).expect("a reply");
    assert_eq!(reply.status, "NO", "{reply:?}");
    assert!(reply.text.starts_with("[OVERQUOTA]"), "RFC 9208 §4.3: {reply:?}");
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    imap.ok("EXPUNGE");
    smtp.send("a@x.test", &[ALICE], &large).expect_code(250);
    hub.admin(&["twin", "quota", ALICE, "unlimited"]);
    smtp.send("a@x.test", &[ALICE], &large).expect_code(250);
}
