//! The commands of all transcripts in one stream, in any order and cut anywhere: each is answered once,
//! and what is said of the mailbox never contradicts itself.

use std::collections::HashMap;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::pipe::Client;
use crate::world::World;

/// Some seconds in a debug build.
const CASES: u32 = 150;

/// A command to send, with a number in it that may be changed.
#[derive(Clone, Debug)]
struct Sent {
    command: usize,
    /// Position and new value of one byte.
    damage: Option<(usize, u8)>,
}

/// What the transcripts say after logging in, without the tags. Lines that belong to a literal or to
/// IDLE make sense only in their place; those that log in or end the connection end this test.
fn commands() -> Vec<String> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts"));
    let mut commands = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of transcripts") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("readable");
        commands.extend(text.lines().filter_map(command));
    }
    commands.sort();
    commands.dedup();
    assert!(commands.len() > 150, "the transcripts are gone");
    commands
}

fn command(line: &str) -> Option<String> {
    const ALONE: [&str; 7] =
        ["LOGIN", "AUTHENTICATE", "STARTTLS", "LOGOUT", "IDLE", "COMPRESS", "UNAUTHENTICATE"];
    let (tag, command) = line.strip_prefix("C: ").or_else(|| line.strip_prefix("C2: "))?.split_once(' ')?;
    let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    let is_plain = tag.len() <= 3 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_plain && verb.is_ascii() && !ALONE.contains(&verb.as_str()) && !command.ends_with('}'))
        .then(|| command.to_owned())
}

fn sent(commands: usize) -> impl Strategy<Value = Sent> {
    let damage = prop_oneof![
        4 => Just(None),
        // Not { and }: half a literal would swallow the commands behind it.
        1 => (any::<usize>(), prop::sample::select(b"\0 \"()*%\\0:,<>[]a~\xff".to_vec())).prop_map(Some),
    ];
    (0..commands, damage).prop_map(|(command, damage)| Sent { command, damage })
}

#[test]
fn every_command_is_answered_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = runtime.block_on(World::new(hub_imap::Settings::default()));
    let twin = runtime.block_on(world.twin("pipelined"));
    runtime.block_on(world.append(&twin, 20));
    let commands = commands();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let stream = (
        proptest::collection::vec(sent(commands.len()), 1..30),
        proptest::collection::vec(1usize..200, 1..20),
    );
    let outcome = TestRunner::new(config).run(&stream, |(sent, pieces)| {
        let lines: Vec<Vec<u8>> = sent.iter().map(|sent| damaged(&commands, sent)).collect();
        runtime.block_on(converse(&world, &twin, &lines, &pieces)).map_err(TestCaseError::fail)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn damaged(commands: &[String], sent: &Sent) -> Vec<u8> {
    let mut line = commands[sent.command].clone().into_bytes();
    if let Some((at, byte)) = sent.damage {
        let at = at % line.len();
        line[at] = byte;
    }
    line
}

async fn converse(world: &World, twin: &str, lines: &[Vec<u8>], pieces: &[usize]) -> Result<(), String> {
    let mut client = Client::connect(world, true);
    client.line().await?;
    client.command(&format!("LOGIN {twin} secret")).await?;
    let mut stream = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        stream.extend_from_slice(format!("p{number} ").as_bytes());
        stream.extend_from_slice(line);
        stream.extend_from_slice(b"\r\n");
    }
    stream.extend_from_slice(b"end NOOP\r\n");
    let heard = client.exchange(&stream, pieces, b"end OK").await?;
    judge(&heard, lines.len()).map_err(|problem| format!("{problem}\n{}", heard.escape_ascii()))
}

/// Goes through the responses as a client does.
fn judge(heard: &[u8], commands: usize) -> Result<(), String> {
    let mut answers: HashMap<String, u32> = HashMap::new();
    let mut messages = 0u32;
    for response in responses(heard) {
        let text = String::from_utf8_lossy(response);
        let words: Vec<&str> = text.split(' ').collect();
        let number = || words[1].parse::<u32>().map_err(|_| format!("not a number: {text}"));
        match words.as_slice() {
            ["*", _, "EXISTS"] => {
                let now = number()?;
                let selected_anew = answers.remove("selecting").is_some();
                if now < messages && !selected_anew {
                    return Err(format!("{now} EXISTS after {messages}"));
                }
                messages = now;
            }
            ["*", _, "EXPUNGE"] if number()? > messages => return Err(format!("{text} of {messages}")),
            ["*", _, "EXPUNGE"] => messages -= 1,
            ["*", "VANISHED", set, ..] if *set != "(EARLIER)" => messages -= count(set),
            ["*", _, "FETCH", ..] if number()? > messages => return Err(format!("{text} of {messages}")),
            // The first response to SELECT.
            ["*", "FLAGS", ..] => drop(answers.insert("selecting".to_owned(), 1)),
            [tag, "OK" | "NO" | "BAD", ..] if *tag != "*" => {
                *answers.entry((*tag).to_owned()).or_default() += 1
            }
            _ => {}
        }
    }
    answers.remove("selecting");
    for number in 0..commands {
        let count = answers.remove(&format!("p{number}")).unwrap_or(0);
        if count != 1 {
            return Err(format!("{count} answers to p{number}"));
        }
    }
    answers.remove("end");
    if answers.is_empty() { Ok(()) } else { Err(format!("nobody has asked: {answers:?}")) }
}

/// How many UIDs a set names.
fn count(set: &str) -> u32 {
    let range = |range: &str| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        Some(last.parse::<u32>().ok()? - first.parse::<u32>().ok()? + 1)
    };
    set.split(',').filter_map(range).sum()
}

/// Cuts into responses, literals included.
fn responses(heard: &[u8]) -> Vec<&[u8]> {
    let mut responses = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(end) = heard[at..].windows(2).position(|pair| pair == b"\r\n").map(|end| at + end) {
        match literal(&heard[at..end]) {
            Some(length) => at = (end + 2 + length).min(heard.len()),
            None => {
                responses.push(&heard[start..end]);
                (start, at) = (end + 2, end + 2);
            }
        }
    }
    responses
}

/// The length that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

#[test]
fn contradictions_are_seen() {
    let ok = b"* FLAGS ()\r\n* 2 EXISTS\r\np0 OK x\r\n* 1 EXPUNGE\r\n* 1 FETCH (BODY[] {6}\r\n* 9 F\r)\r\np1 OK y\r\nend OK z\r\n";
    assert_eq!(judge(ok, 2), Ok(()));
    for (heard, commands) in [
        (&b"* FLAGS ()\r\n* 2 EXISTS\r\n* 1 EXISTS\r\np0 OK x\r\n"[..], 1),
        (b"* FLAGS ()\r\n* 2 EXISTS\r\n* 3 FETCH (UID 3)\r\np0 OK x\r\n", 1),
        (b"* FLAGS ()\r\n* 2 EXISTS\r\n* 3 EXPUNGE\r\np0 OK x\r\n", 1),
        (b"p0 OK x\r\np0 OK x\r\n", 1),
        (b"p0 OK x\r\n", 2),
        (b"p0 OK x\r\nq OK x\r\n", 1),
    ] {
        assert!(judge(heard, commands).is_err(), "{}", heard.escape_ascii());
    }
}
