//! Scenes: the same commands, spoken to two servers in turns.
//!
//! A scene is a text in `scenes/`:
//! - `C: command` is sent on the first connection, `C2: command` on the second and so on; each logs in
//!   at its first command. `{a|b|c}` stands for one command with each of these words. `«text»` is a
//!   literal, `⏎` a CRLF in it.
//! - `! fill N`, `! fill N MAILBOX` puts the first N messages of [`super::messages`] there.
//! - `! fill conversations` puts those of [`super::conversations`] into INBOX.
//! - `! unsubscribe` ends all subscriptions, which each server has others of.
//! - `! mark NAME` remembers the HIGHESTMODSEQ of INBOX on each server; `<NAME>` in a command is replaced
//!   by it, `<uidvalidity>` by the UIDVALIDITY.
//! - `#` begins a comment.

use std::collections::HashMap;

use super::conversations::conversations;
use super::messages::Message;
use super::normal::{Answer, answer};
use crate::harness::PASSWORD;
use crate::imap_client::{Imap, quoted};

/// A server and what the scene has connected to it.
pub(crate) struct Side<'a> {
    port: u16,
    user: &'a str,
    connections: HashMap<u32, Imap>,
    /// Values of `<name>`.
    known: HashMap<String, String>,
}

/// A command that was answered differently.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) command: String,
    pub(crate) ours: Vec<String>,
    pub(crate) theirs: Vec<String>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(port: u16, user: &'a str) -> Self {
        Self { port, user, connections: HashMap::new(), known: HashMap::new() }
    }

    fn connection(&mut self, number: u32) -> &mut Imap {
        let Self { port, user, connections, .. } = self;
        connections.entry(number).or_insert_with(|| {
            let mut imap = Imap::connect(*port);
            imap.login(user, PASSWORD);
            imap
        })
    }

    fn say(&mut self, number: u32, command: &str) -> Result<Answer, String> {
        let mut text = with_literals(&command.replace('⏎', "\r\n"));
        for (name, value) in &self.known {
            text = text.replace(&format!("<{name}>"), value);
        }
        let reply = self.connection(number).try_command_bytes(text.as_bytes());
        reply.map(|reply| answer(command, &reply)).map_err(|error| format!("the connection broke: {error}"))
    }

    fn mark(&mut self, name: &str) {
        let reply = self.connection(0).ok("STATUS INBOX (HIGHESTMODSEQ UIDVALIDITY)");
        let line = reply.lines().concat();
        let number = |item: &str| {
            let (_, rest) = line.split_once(item).unwrap_or_else(|| panic!("no {item} in {line}"));
            rest.chars().skip(1).take_while(char::is_ascii_digit).collect::<String>()
        };
        self.known.insert(name.to_owned(), number("HIGHESTMODSEQ"));
        self.known.insert("uidvalidity".to_owned(), number("UIDVALIDITY"));
    }

    fn unsubscribe(&mut self) {
        for line in self.connection(0).ok("LSUB \"\" *").lines() {
            let (_, name) = line.split_once(" \"/\" ").expect("a name");
            self.connection(0).ok(&format!("UNSUBSCRIBE {name}"));
        }
    }

    /// Appends the messages, on a connection that nothing is compared of.
    pub(crate) fn fill(&mut self, mailbox: &str, messages: &[Message]) {
        for message in messages {
            let flags = message.flags.join(" ");
            let options = format!("({flags}) {} ", quoted(message.received));
            self.connection(0).append(mailbox, &options, &message.bytes);
        }
    }
}

/// Plays the scene on both; returns how many commands there were, and what was answered differently.
pub(crate) fn play(
    scene: &str,
    messages: &[Message],
    ours: &mut Side<'_>,
    theirs: &mut Side<'_>,
) -> (usize, Vec<Difference>) {
    let mut differences = Vec::new();
    let mut count = 0;
    for line in scene.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(directive) = line.strip_prefix("! ") {
            direct(ours, directive, messages);
            direct(theirs, directive, messages);
            continue;
        }
        let (who, text) = line.split_once(": ").unwrap_or_else(|| panic!("neither C:, ! nor #: {line}"));
        let number = who[1..].parse().unwrap_or(1);
        for command in alternatives(text) {
            count += 1;
            let (our, their) = (ours.say(number, &command), theirs.say(number, &command));
            if our.is_err() || their.is_err() {
                // The next command is a new start.
                ours.connections.remove(&number);
                theirs.connections.remove(&number);
            }
            let alike = matches!((&our, &their), (Ok(our), Ok(their)) if our.is_like(their));
            if !alike {
                let lines =
                    |answer: Result<Answer, String>| answer.map_or_else(|error| vec![error], |a| a.lines());
                differences.push(Difference { command, ours: lines(our), theirs: lines(their) });
            }
        }
    }
    (count, differences)
}

fn direct(side: &mut Side<'_>, directive: &str, messages: &[Message]) {
    let words: Vec<&str> = directive.split(' ').collect();
    let first = |count: &str| &messages[..count.parse().expect("a number of messages")];
    match words.as_slice() {
        ["fill", "conversations"] => side.fill("INBOX", &conversations()),
        ["fill", count] => side.fill("INBOX", first(count)),
        ["fill", count, mailbox] => side.fill(mailbox, first(count)),
        ["mark", name] => side.mark(name),
        ["unsubscribe"] => side.unsubscribe(),
        _ => panic!("unknown directive {directive}"),
    }
}

/// `«abc»` becomes a non-synchronising literal (RFC 7888).
fn with_literals(text: &str) -> String {
    let mut pieces = text.split('«');
    let mut command = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (literal, rest) = piece.split_once('»').expect("the end of the literal");
        command.push_str(&format!("{{{}+}}\r\n{literal}{rest}", literal.len()));
    }
    command
}

/// The commands that `{a|b}` stands for.
fn alternatives(text: &str) -> Vec<String> {
    let group = text.match_indices('{').find_map(|(open, _)| {
        let close = open + text[open..].find('}')?;
        text[open..close].contains('|').then_some((open, close))
    });
    let Some((open, close)) = group else { return vec![text.to_owned()] };
    text[open + 1..close]
        .split('|')
        .flat_map(|word| alternatives(&format!("{}{word}{}", &text[..open], &text[close + 1..])))
        .collect()
}

#[test]
fn alternatives_are_spelled_out() {
    assert_eq!(alternatives("a {1|2} b{|c}"), ["a 1 b", "a 1 bc", "a 2 b", "a 2 bc"]);
    assert_eq!(alternatives("a {b} c"), ["a {b} c"]);
    assert_eq!(with_literals("APPEND x «ü\r\n» (y) «»"), "APPEND x {4+}\r\nü\r\n (y) {0+}\r\n");
}
