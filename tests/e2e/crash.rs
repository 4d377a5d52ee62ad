//! kill -9 in the middle of deliveries, APPENDs, moves and expunges. After the restart every
//! acknowledged message is there exactly once, none is half, and no counter went backwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use crate::harness::{Database, Hub, PASSWORD, PATIENCE, Random};
use crate::imap_client::{Imap, quoted};
use crate::on_both_databases;
use crate::smtp_client::Smtp;
use crate::wire::Tls;

on_both_databases!(kill_9_loses_and_doubles_nothing);

/// The issue asks for twenty at least.
const CYCLES: u64 = 20;
const SENDERS: u64 = 6;
const APPENDERS: u64 = 3;
const TRAVELLERS: usize = 40;
/// Acknowledgements to wait for before the kill, so that a slow machine shows as much.
const FIRST: usize = 6;
const ACCOUNTS: [&str; 3] = ["u0@hub.test", "u1@hub.test", "u2@hub.test"];
const TRAVELLER: &str = "traveller@hub.test";

/// What the server has promised.
#[derive(Default)]
struct Promises {
    /// Account and mailbox → id of the message → the UID promised by APPENDUID, if any.
    kept: BTreeMap<(usize, &'static str), BTreeMap<String, Option<u32>>>,
    /// Ids whose expunge was acknowledged.
    gone: BTreeSet<String>,
    /// Groups of MULTIAPPEND, acknowledged or not: all or none of each may be there.
    groups: Vec<Vec<String>>,
}

/// One mailbox as it was last seen.
#[derive(Clone, Default)]
struct Seen {
    uid_validity: u64,
    uid_next: u64,
    /// Id → UID of every message in it.
    messages: BTreeMap<String, u32>,
}

fn kill_9_loses_and_doubles_nothing(database: Database) {
    let seed =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_micros() as u64;
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let mut hub = Hub::start_on(database);
    for account in ACCOUNTS.iter().chain([&TRAVELLER]) {
        hub.add_twin(account, PASSWORD);
    }
    prepare_travellers(&hub);
    let promises = Mutex::new(Promises::default());
    let mut seen: BTreeMap<(usize, &'static str), Seen> = BTreeMap::new();

    for cycle in 0..CYCLES {
        let delay = Duration::from_millis(20 + random.below(500));
        // Every fourth time the database server goes down with it.
        let power_cut = cycle % 4 == 3;
        let cycle_seed = random.next();
        run_until_killed(&mut hub, cycle, cycle_seed, delay, power_cut, &promises);
        let started = Instant::now();
        hub.launch();
        let restart = started.elapsed();
        let promises = promises.lock().expect("no test thread panicked");
        let last = cycle + 1 == CYCLES;
        let found = verify(&hub, &promises, &mut seen, last);
        verify_travellers(&hub);
        eprintln!("cycle {cycle}: killed after {delay:?}, restart {restart:?}, {found} messages");
    }
    let total: usize =
        promises.lock().expect("no test thread panicked").kept.values().map(BTreeMap::len).sum();
    assert!(total > 100, "only {total} messages were acknowledged: the test shows too little");
}

/// Starts all the load, and kills the server `delay` after the first acknowledgements.
fn run_until_killed(
    hub: &mut Hub,
    cycle: u64,
    seed: u64,
    delay: Duration,
    power_cut: bool,
    promises: &Mutex<Promises>,
) {
    let ports = hub.ports().clone();
    let tls = hub.tls();
    let (first, started) = std::sync::mpsc::channel();
    // All are logged in before anything can end the server.
    let appenders: Vec<Imap> =
        (0..APPENDERS).map(|worker| connect(ports.imaps, &tls, ACCOUNTS[worker as usize])).collect();
    let traveller = connect(ports.imaps, &tls, TRAVELLER);
    std::thread::scope(|scope| {
        for worker in 0..SENDERS {
            let first = first.clone();
            scope.spawn(move || {
                let mut random = Random(seed ^ worker);
                // The end of the connection is the end of the server.
                let _: io::Result<()> = deliver(ports.smtp, cycle, worker, &mut random, promises, &first);
            });
        }
        for (worker, imap) in (0..APPENDERS).zip(appenders) {
            let first = first.clone();
            scope.spawn(move || {
                let mut random = Random(seed ^ (100 + worker));
                let _ = append(imap, cycle, worker, &mut random, promises, &first);
            });
        }
        scope.spawn(move || {
            let _ = travel(traveller);
        });
        for _ in 0..FIRST {
            started.recv_timeout(PATIENCE).expect("a first acknowledgement");
        }
        std::thread::sleep(delay);
        hub.kill();
    });
    if power_cut && let Some(postgres) = hub.postgres() {
        postgres.restart();
    }
}

fn connect(port: u16, tls: &Tls, user: &str) -> Imap {
    let mut imap = Imap::connect_tls(port, tls);
    imap.login(user, PASSWORD);
    imap
}

/// Mostly small messages; one in eight is too large for a database row.
fn size(random: &mut Random) -> usize {
    if random.below(8) == 0 {
        100_000 + random.below(200_000) as usize
    } else {
        300 + random.below(6000) as usize
    }
}

/// A message that can be made again from its id.
fn message(id: &str) -> Vec<u8> {
    let size: usize = id.rsplit('-').next().and_then(|size| size.parse().ok()).expect("a size");
    let mut random = Random(blend(id));
    let mut out = format!(
        "Message-ID: <{id}@crash.test>\r\nSubject: {id}\r\nFrom: <s@crash.test>\r\nMIME-Version: 1.0\r\n\r\n"
    )
    .into_bytes();
    while out.len() < size {
        out.extend_from_slice(
            format!("{:016x} {:016x} {:016x}\r\n", random.next(), random.next(), random.next()).as_bytes(),
        );
    }
    out.extend_from_slice(b"the end\r\n");
    out
}

fn blend(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn deliver(
    port: u16,
    cycle: u64,
    worker: u64,
    random: &mut Random,
    promises: &Mutex<Promises>,
    first: &std::sync::mpsc::Sender<()>,
) -> io::Result<()> {
    let mut smtp = Smtp::connect(port);
    smtp.ehlo();
    for n in 0.. {
        let id = format!("s{cycle}-{worker}-{n}-{}", size(random));
        // To one, or to all of them at once.
        let to: Vec<usize> =
            if random.below(4) == 0 { vec![0, 1, 2] } else { vec![random.below(3) as usize] };
        let addresses: Vec<&str> = to.iter().map(|&account| ACCOUNTS[account]).collect();
        let reply = smtp.try_send("s@crash.test", &addresses, &message(&id))?;
        if reply.code == 250 {
            let mut promises = promises.lock().expect("no test thread panicked");
            for account in to {
                promises.kept.entry((account, "INBOX")).or_default().insert(id.clone(), None);
            }
            let _ = first.send(());
        }
    }
    Ok(())
}

/// APPENDs, MULTIAPPENDs, and the expunge of what was appended, in the mailbox Drafts.
fn append(
    mut imap: Imap,
    cycle: u64,
    worker: u64,
    random: &mut Random,
    promises: &Mutex<Promises>,
    first: &std::sync::mpsc::Sender<()>,
) -> io::Result<()> {
    let place = (worker as usize, "Drafts");
    imap.try_command_bytes(b"SELECT Drafts")?;
    let multi = imap.try_command_bytes(b"CAPABILITY")?.lines()[0].contains("MULTIAPPEND");
    for n in 0u64.. {
        let id = format!("a{cycle}-{worker}-{n}-{}", size(random));
        match random.below(4) {
            0 if multi => {
                let ids: Vec<String> =
                    (0..5).map(|k| format!("m{cycle}-{worker}-{n}-{k}-{}", size(random) % 9000)).collect();
                promises.lock().expect("no test thread panicked").groups.push(ids.clone());
                let tag = imap.next_tag();
                imap.try_write(format!("{tag} APPEND Drafts").as_bytes())?;
                for id in &ids {
                    let message = message(id);
                    imap.try_write(format!(" (\\Seen) {{{}}}\r\n", message.len()).as_bytes())?;
                    imap.try_response()?;
                    imap.try_write(&message)?;
                }
                imap.try_write(b"\r\n")?;
                if imap.try_tagged(&tag)?.status == "OK" {
                    let mut promises = promises.lock().expect("no test thread panicked");
                    promises.kept.entry(place).or_default().extend(ids.into_iter().map(|id| (id, None)));
                }
            }
            1 => {
                let reply = imap.try_append("Drafts", "", &message(&id))?;
                let uid = promised_uid(&reply);
                imap.try_command_bytes(format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)").as_bytes())?;
                let reply = imap.try_command_bytes(format!("UID EXPUNGE {uid}").as_bytes())?;
                if reply.status == "OK" {
                    promises.lock().expect("no test thread panicked").gone.insert(id);
                }
            }
            _ => {
                let reply = imap.try_append("Drafts", "(\\Draft) ", &message(&id))?;
                if reply.status == "OK" {
                    let uid = promised_uid(&reply);
                    let mut promises = promises.lock().expect("no test thread panicked");
                    promises.kept.entry(place).or_default().insert(id, Some(uid));
                    let _ = first.send(());
                }
            }
        }
    }
    Ok(())
}

fn promised_uid(reply: &crate::imap_client::Reply) -> u32 {
    let code = reply.code("APPENDUID").unwrap_or_else(|| panic!("no APPENDUID: {reply:?}"));
    code.split(' ').nth(1).and_then(|uid| uid.parse().ok()).expect("a UID")
}

fn prepare_travellers(hub: &Hub) {
    let mut imap = hub.imap(TRAVELLER);
    for mailbox in ["There", "Back"] {
        imap.ok(&format!("CREATE {mailbox}"));
    }
    for n in 0..TRAVELLERS {
        imap.append("There", "", &message(&format!("t-{n}-400")));
    }
}

/// Moves all messages to and fro, part by part.
fn travel(mut imap: Imap) -> io::Result<()> {
    loop {
        for (from, to) in [("There", "Back"), ("Back", "There")] {
            imap.try_command_bytes(format!("SELECT {from}").as_bytes())?;
            imap.try_command_bytes(format!("MOVE 1:10 {to}").as_bytes())?;
            imap.try_command_bytes(format!("UID MOVE 1:* {to}").as_bytes())?;
        }
    }
}

/// RFC 6851 §3.3: each message is in one of the two, never in both and never in none.
fn verify_travellers(hub: &Hub) {
    let mut imap = hub.imap(TRAVELLER);
    let mut ids = Vec::new();
    for mailbox in ["There", "Back"] {
        ids.extend(read(&mut imap, mailbox, 0).1.into_iter().map(|(_, id, _)| id));
    }
    ids.sort();
    let mut expected: Vec<String> = (0..TRAVELLERS).map(|n| format!("t-{n}-400")).collect();
    expected.sort();
    assert_eq!(ids, expected);
}

/// Compares every mailbox with what was promised; returns the number of messages.
/// Bodies are read of messages that are new since the last time, or of all.
fn verify(
    hub: &Hub,
    promises: &Promises,
    seen: &mut BTreeMap<(usize, &'static str), Seen>,
    all_bodies: bool,
) -> usize {
    let mut total = 0;
    for (account, user) in ACCOUNTS.iter().enumerate() {
        let mut imap = hub.imap(user);
        for mailbox in ["INBOX", "Drafts"] {
            let before = seen.entry((account, mailbox)).or_default();
            let known = if all_bodies { 0 } else { before.uid_next };
            let (selected, new) = read(&mut imap, mailbox, known);
            if before.uid_validity != 0 {
                assert_eq!(
                    selected.uid_validity, before.uid_validity,
                    "UIDVALIDITY of {user} {mailbox} changed"
                );
                assert!(selected.uid_next >= before.uid_next, "UIDNEXT of {user} {mailbox} went back");
            }
            let mut now = Seen { messages: BTreeMap::new(), ..selected };
            if !all_bodies {
                now.messages = before.messages.clone();
            }
            let mut last_uid = 0;
            for (uid, id, body) in new {
                assert!(uid > last_uid, "UIDs must ascend: {uid} after {last_uid}");
                last_uid = uid;
                let whole = message(&id);
                assert!(body.ends_with(&whole), "{user} {mailbox} UID {uid}: {id} is not whole");
                if mailbox == "Drafts" {
                    assert_eq!(body.len(), whole.len(), "an appended message grew");
                }
                assert_eq!(now.messages.insert(id.clone(), uid), None, "{id} is there twice");
            }
            let exists = u64::try_from(now.messages.len()).expect("fits");
            assert_eq!(count(&mut imap), exists, "{user} {mailbox}: messages vanished or appeared unseen");
            for (id, uid) in promises.kept.get(&(account, mailbox)).into_iter().flatten() {
                let found = now.messages.get(id).unwrap_or_else(|| panic!("LOST: {user} {mailbox} {id}"));
                assert!(uid.is_none_or(|uid| uid == *found), "{id}: promised UID {uid:?}, found {found}");
            }
            for id in &promises.gone {
                assert!(!now.messages.contains_key(id), "{id} was expunged and is back");
            }
            for group in promises.groups.iter().filter(|_| mailbox == "Drafts") {
                let present = group.iter().filter(|id| now.messages.contains_key(*id)).count();
                assert!(present == 0 || present == group.len(), "a torn MULTIAPPEND: {present} of {group:?}");
            }
            total += now.messages.len();
            *before = now;
        }
    }
    total
}

/// Selects the mailbox and reads its messages from UID `from` on: UID, id and bytes.
fn read(imap: &mut Imap, mailbox: &str, from: u64) -> (Seen, Vec<(u32, String, Vec<u8>)>) {
    let selected = imap.ok(&format!("SELECT {}", quoted(mailbox)));
    let seen = Seen {
        uid_validity: selected.code_number("UIDVALIDITY"),
        uid_next: selected.code_number("UIDNEXT"),
        messages: BTreeMap::new(),
    };
    let from = from.max(1);
    if from >= seen.uid_next {
        return (seen, Vec::new());
    }
    let reply = imap.ok(&format!("UID FETCH {from}:{} (UID BODY.PEEK[] RFC822.SIZE)", seen.uid_next - 1));
    let messages = reply.fetched().into_iter().map(|fetched| {
        let body = fetched.item("BODY[]").text().to_vec();
        assert_eq!(fetched.item("RFC822.SIZE").number(), body.len() as u64);
        let text = String::from_utf8_lossy(&body);
        let id = text.split("Message-ID: <").nth(1).and_then(|rest| rest.split("@crash.test>").next());
        (fetched.uid(), id.unwrap_or_else(|| panic!("no id in {text}")).to_owned(), body.clone())
    });
    (seen, messages.collect())
}

/// Number of messages in the selected mailbox.
fn count(imap: &mut Imap) -> u64 {
    imap.search("ALL").len() as u64
}
