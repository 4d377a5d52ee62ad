//! Real messages, given to both servers: the `.eml` files below the folder that `HUB_CORPUS` names.
//!
//! That a message is not what was sent is a failure. How each server reads what is malformed is
//! counted and listed; `hub/mime/DIFFERENCES.md` says why it differs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::normal::canonical;
use crate::dovecot::Dovecot;
use crate::harness::{DOMAIN, Hub, PASSWORD};
use crate::imap_client::{Fetched, Imap, Value, parse};

/// The same for all, so that it decides nothing.
const RECEIVED: &str = "\"01-Jan-2026 00:00:00 +0000\" ";

#[test]
fn dovecot_reads_real_messages_the_same() {
    let Some(folder) = std::env::var_os("HUB_CORPUS") else { return };
    if !Dovecot::is_installed() {
        return;
    }
    let corpus = corpus(Path::new(&folder));
    let user = format!("corpus@{DOMAIN}");
    let hub = Hub::start();
    hub.add_twin(&user, PASSWORD);
    let dovecot = Dovecot::start(std::slice::from_ref(&user), "");
    let mut ours = session(hub.ports().imap, &user);
    let mut theirs = session(dovecot.port(), &user);
    let mut problems = Vec::new();
    for (name, message) in &corpus {
        append(&mut theirs, message).unwrap_or_else(|text| panic!("{name}: Dovecot refused it: {text}"));
        problems.extend(append(&mut ours, message).err().map(|text| format!("{name}: refused: {text}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for side in [&mut ours, &mut theirs] {
        side.ok("EXAMINE INBOX");
    }
    for (number, (name, message)) in (1..).zip(&corpus) {
        problems.extend(what_was_lost(&mut ours, number, message).map(|what| format!("{name}: {what}")));
    }
    compare_items(&corpus, &mut ours, &mut theirs);
    compare_orders(&mut ours, &mut theirs);
    compare_threads(&mut ours, &mut theirs);
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Name and bytes of every message in the order of their names, line ends made CRLF.
fn corpus(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "eml") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no .eml files below {}", folder.display());
    files.sort();
    let name = |file: &Path| file.strip_prefix(folder).expect("below it").display().to_string();
    files.iter().map(|file| (name(file), with_crlf(&fs::read(file).expect("readable")))).collect()
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

fn session(port: u16, user: &str) -> Imap {
    let mut imap = Imap::connect(port);
    imap.login(user, PASSWORD);
    imap
}

fn append(imap: &mut Imap, message: &[u8]) -> Result<(), String> {
    let reply = imap.try_append("INBOX", RECEIVED, message).map_err(|error| error.to_string())?;
    if reply.status == "OK" { Ok(()) } else { Err(reply.text) }
}

/// RFC 9051 §2.3.4: RFC822.SIZE is the number of octets of the message, which is what was appended.
fn what_was_lost(imap: &mut Imap, number: u32, sent: &[u8]) -> Option<String> {
    let fetched = imap.ok(&format!("FETCH {number} (RFC822.SIZE BODY.PEEK[])")).fetched().remove(0);
    let (size, body) = (fetched.item("RFC822.SIZE").number(), fetched.item("BODY[]"));
    // NUL octets come in no string but a literal8 (RFC 3516 §7).
    let same = matches!(body, Value::Text(body) if body == sent);
    let lost = !same || size != sent.len() as u64;
    lost.then(|| format!("{} octets sent, RFC822.SIZE {size}, BODY[] the same: {same}", sent.len()))
}

fn compare_items(corpus: &[(String, Vec<u8>)], ours: &mut Imap, theirs: &mut Imap) {
    for item in ["RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE"] {
        let values = |imap: &mut Imap| -> HashMap<u32, String> {
            let value = |message: &Fetched| (message.sequence, comparable(item, message.item(item)));
            imap.ok(&format!("FETCH 1:* {item}")).fetched().iter().map(value).collect()
        };
        let (our, their) = (values(ours), values(theirs));
        let differing: Vec<&str> = (1..)
            .zip(corpus)
            .filter(|(number, _)| our.get(number) != their.get(number))
            .map(|(_, (name, _))| name.as_str())
            .collect();
        report(item, differing.len(), corpus.len());
        differing.iter().for_each(|name| eprintln!("    {name}"));
    }
}

/// Words of BODYSTRUCTURE are in either case.
fn comparable(item: &str, value: &Value) -> String {
    let text = canonical(value);
    if item == "BODYSTRUCTURE" { text.to_ascii_lowercase() } else { text }
}

fn report(what: &str, differing: usize, all: usize) {
    eprintln!("{what}: {differing} of {all} differ");
}

fn compare_orders(ours: &mut Imap, theirs: &mut Imap) {
    for key in ["DATE", "SUBJECT", "FROM", "TO", "CC", "SIZE", "DISPLAYFROM", "DISPLAYTO"] {
        let (our, their) = (order(ours, key), order(theirs, key));
        report(&format!("SORT {key}"), our.len() - in_same_order(&our, &their), our.len());
    }
}

fn order(imap: &mut Imap, key: &str) -> Vec<u32> {
    let lines = imap.ok(&format!("SORT ({key}) UTF-8 ALL")).starting("* SORT");
    lines[0].split(' ').skip(2).map(|number| number.parse().expect("a number")).collect()
}

/// How many can stay where they are to make one order of the other: the longest ascending sequence.
fn in_same_order(our: &[u32], their: &[u32]) -> usize {
    let place: HashMap<u32, usize> = their.iter().copied().zip(0..).collect();
    // The lowest end of an ascending sequence of each length.
    let mut ends: Vec<usize> = Vec::new();
    for place in our.iter().filter_map(|number| place.get(number)) {
        let length = ends.partition_point(|end| end < place);
        match ends.get_mut(length) {
            Some(end) => *end = *place,
            None => ends.push(*place),
        }
    }
    ends.len()
}

fn compare_threads(ours: &mut Imap, theirs: &mut Imap) {
    for algorithm in ["REFERENCES", "ORDEREDSUBJECT"] {
        let threads = |imap: &mut Imap| -> Vec<String> {
            let reply = imap.ok(&format!("THREAD {algorithm} UTF-8 ALL"));
            parse(reply.starting("* THREAD")[0].as_bytes())[2..].iter().map(canonical).collect()
        };
        let (our, their) = (threads(ours), threads(theirs));
        let differing: Vec<&String> = our.iter().filter(|thread| !their.contains(thread)).collect();
        report(&format!("THREAD {algorithm}"), differing.len(), our.len());
        differing.iter().for_each(|thread| eprintln!("    {thread}"));
    }
}

#[test]
fn orders_are_compared_by_what_moved() {
    assert_eq!(in_same_order(&[1, 2, 3, 4], &[1, 2, 3, 4]), 4);
    assert_eq!(in_same_order(&[4, 1, 2, 3], &[1, 2, 3, 4]), 3);
    assert_eq!(in_same_order(&[4, 3, 2, 1], &[1, 2, 3, 4]), 1);
    assert_eq!(with_crlf(b"a\nb\r\nc\r\n\n"), b"a\r\nb\r\nc\r\n\r\n");
}
