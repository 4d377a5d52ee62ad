//! What the client says, step by step: framing, limits and grammar together. Pure: bytes go in by
//! [`Input::buffer`], steps come out, whatever way the bytes were cut.

use bytes::{Bytes, BytesMut};

use crate::framing::{Announcement, Event, Framer, Limits};
use crate::grammar::command::{AppendHead, Command};
use crate::grammar::{self, AppendPart};
use crate::names::Names;

/// Before login: a line of 8 KiB carries any SASL response, 1 KiB of literals any name and password.
const BEFORE_LOGIN: Limits = Limits { line: 8 << 10, literals: 1 << 10 };
/// After login: bytes of literals that a command may carry; messages do not count.
const LITERALS: usize = 1 << 20;
/// All that a stranger may send on one connection.
const STRANGERS_SHARE: usize = 16 << 10;

/// What the session does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Read more.
    Starve,
    Command {
        tag: String,
        command: Command,
    },
    /// Refuse a command that was not understood or is too large. Without a tag there was none.
    Refuse {
        tag: Option<String>,
        refusal: Refusal,
    },
    /// Say that the literal may come.
    Continue,
    /// A line outside the grammar of commands: see [`Input::expect_line`].
    Line(Vec<u8>),
    /// A message is announced: call [`Input::accept_message`] or [`Input::refuse_message`].
    Message {
        tag: String,
        head: AppendHead,
        announced: Announcement,
    },
    /// Bytes of an accepted message.
    Chunk(Bytes),
    MessageEnd,
    /// The APPEND command is complete.
    AppendEnd,
    /// Say BYE and close.
    Close(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Grammar(grammar::Error),
    LineTooLong,
    LiteralTooBig,
    LiteralBeforeLogin,
}

#[derive(Debug)]
enum Mode {
    Command,
    /// The next line is no command.
    Line,
    /// Within APPEND. `skipping`: a message was refused, the rest of the command is dropped.
    Append {
        tag: String,
        skipping: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Input {
    framer: Framer,
    limits: Limits,
    mode: Mode,
    /// Bytes of literals kept for the command so far.
    literals: usize,
    /// The command is refused, but its end has not been read.
    refusal: Option<Refusal>,
    /// Bytes received from a stranger; `None` once logged in.
    received: Option<usize>,
    /// How the client writes mailbox names.
    names: Names,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self {
            framer: Framer::new(),
            limits: BEFORE_LOGIN,
            mode: Mode::Command,
            literals: 0,
            refusal: None,
            received: Some(0),
            names: Names::Utf7,
        }
    }

    /// Where arriving bytes are put; tell [`Input::received`] how many they were.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        self.framer.input()
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        if let Some(received) = &mut self.received {
            *received += bytes;
        }
    }

    /// Nobody has logged in yet.
    pub(crate) fn is_stranger(&self) -> bool {
        self.received.is_some()
    }

    /// The client has logged in: it may say more.
    pub(crate) fn logged_in(&mut self, line: usize) {
        self.received = None;
        self.limits = Limits { line, literals: LITERALS };
    }

    /// From the next command on the client writes mailbox names in UTF-8.
    pub(crate) fn names_are_utf8(&mut self) {
        self.names = Names::Utf8;
    }

    /// The next line is a SASL response or ends IDLE.
    pub(crate) fn expect_line(&mut self) {
        self.mode = Mode::Line;
    }

    /// No byte waits to be looked at.
    pub(crate) fn is_drained(&self) -> bool {
        self.framer.is_drained()
    }

    /// Nothing has been read of the next command.
    pub(crate) fn is_between_commands(&self) -> bool {
        self.framer.is_between_commands()
    }

    /// Gives back the buffers' memory while nothing happens.
    pub(crate) fn release(&mut self) {
        self.framer.release();
    }

    /// Drops what has arrived but was not looked at.
    pub(crate) fn discard(&mut self) {
        self.framer.discard_input();
        self.end_command();
    }

    /// Takes the message that was announced; its bytes come as chunks.
    pub(crate) fn accept_message(&mut self) {
        self.framer.stream();
    }

    /// Refuses the message that was announced. True: the command is over, answer now. False: the
    /// client sends the message all the same; it is skipped, and [`Step::AppendEnd`] comes.
    pub(crate) fn refuse_message(&mut self, announced: Announcement) -> bool {
        if announced.waits {
            self.end_command();
            return true;
        }
        self.framer.skip();
        if let Mode::Append { skipping, .. } = &mut self.mode {
            *skipping = true;
        }
        false
    }

    pub(crate) fn next(&mut self) -> Step {
        loop {
            if self.received.is_some_and(|received| received > STRANGERS_SHARE) {
                return Step::Close("Too much was sent before logging in");
            }
            let step = match self.framer.next(&self.limits) {
                Event::Starve => Some(Step::Starve),
                Event::Line => self.line(),
                Event::Literal(announced) => self.literal(announced),
                Event::Chunk(bytes) => Some(Step::Chunk(bytes)),
                Event::LiteralEnd => match self.mode {
                    Mode::Append { skipping: false, .. } => Some(Step::MessageEnd),
                    _ => None,
                },
                Event::Overlong if self.received.is_some() => Some(Step::Close("The line is too long")),
                Event::Overlong => Some(self.refuse(Refusal::LineTooLong)),
                Event::Nonsense => Some(Step::Close("The size of the literal makes no sense")),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn line(&mut self) -> Option<Step> {
        if let Some(refusal) = self.refusal.take() {
            return Some(self.refuse(refusal));
        }
        let text = self.framer.command();
        match &self.mode {
            Mode::Line => {
                let line = text.strip_suffix(b"\r\n").unwrap_or(text).to_vec();
                self.end_command();
                Some(Step::Line(line))
            }
            Mode::Append { skipping, .. } => {
                let skipping = *skipping;
                match grammar::append_more(text) {
                    _ if skipping => {}
                    Ok(None) => {}
                    Ok(Some(_)) => return Some(self.refuse_grammar("A message is missing")),
                    Err(error) => return Some(self.refuse(Refusal::Grammar(error))),
                }
                self.end_command();
                Some(Step::AppendEnd)
            }
            // Blank lines between commands: some clients end literals with one too many.
            Mode::Command if text == b"\r\n" => {
                self.end_command();
                None
            }
            Mode::Command => {
                let tag = self.tag();
                let parsed = grammar::parse(text, self.names);
                self.end_command();
                Some(match (parsed, tag) {
                    (Ok(command), Some(tag)) => Step::Command { tag, command },
                    (Ok(_), None) => Step::Starve, // no command parses without a tag
                    (Err(error), tag) => Step::Refuse { tag, refusal: Refusal::Grammar(error) },
                })
            }
        }
    }

    fn literal(&mut self, announced: Announcement) -> Option<Step> {
        if let Mode::Line = self.mode {
            return self.line();
        }
        if let Some(refusal) = self.refusal.clone() {
            return self.drop_literal(announced, refusal);
        }
        let text = self.framer.command();
        if let Mode::Append { tag, skipping } = &self.mode {
            let tag = tag.clone();
            if *skipping {
                if announced.waits {
                    self.end_command();
                    return Some(Step::AppendEnd);
                }
                self.framer.skip();
                return None;
            }
            return match grammar::append_more(text) {
                Ok(Some(head)) => Some(Step::Message { tag, head, announced }),
                Ok(None) => self.drop_literal(announced, Refusal::Grammar(grammar::Error::Name)),
                Err(error) => self.drop_literal(announced, Refusal::Grammar(error)),
            };
        }
        if self.received.is_some() && !grammar::may_have_literal_before_login(text) {
            return self.drop_literal(announced, Refusal::LiteralBeforeLogin);
        }
        if self.received.is_none() {
            match grammar::append_head(text, self.names) {
                Ok(AppendPart::Argument) => {}
                Ok(AppendPart::Message(head)) => {
                    let tag = self.tag().unwrap_or_default();
                    self.mode = Mode::Append { tag: tag.clone(), skipping: false };
                    return Some(Step::Message { tag, head, announced });
                }
                Err(error) => return self.drop_literal(announced, Refusal::Grammar(error)),
            }
        }
        let room = self.limits.literals - self.literals;
        match usize::try_from(announced.size) {
            Ok(size) if size <= room => self.literals += size,
            _ => return self.drop_literal(announced, Refusal::LiteralTooBig),
        }
        self.framer.collect();
        announced.waits.then_some(Step::Continue)
    }

    /// Refuses the command because of the literal: at once if the client waits for our word, else
    /// when all of it has been skipped.
    fn drop_literal(&mut self, announced: Announcement, refusal: Refusal) -> Option<Step> {
        if announced.waits {
            return Some(self.refuse(refusal));
        }
        self.framer.skip();
        self.refusal = Some(refusal);
        None
    }

    fn refuse_grammar(&mut self, why: &'static str) -> Step {
        self.refuse(Refusal::Grammar(grammar::Error::Bad(why)))
    }

    fn refuse(&mut self, refusal: Refusal) -> Step {
        let tag = self.tag();
        self.end_command();
        Step::Refuse { tag, refusal }
    }

    fn tag(&self) -> Option<String> {
        if let Mode::Append { tag, .. } = &self.mode {
            return Some(tag.clone());
        }
        grammar::split_tag(self.framer.command()).map(|(tag, _)| tag.to_owned())
    }

    fn end_command(&mut self) {
        self.framer.restart();
        self.mode = Mode::Command;
        self.literals = 0;
        self.refusal = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs `pieces` through an input as a session would; chunks are joined. Messages of more than
    /// 1,000 bytes are refused, AUTHENTICATE and IDLE are followed by a line.
    fn steps(pieces: &[&[u8]], logged_in: bool) -> Vec<String> {
        let mut input = Input::new();
        if logged_in {
            input.logged_in(64 << 10);
        }
        let mut log = Vec::new();
        let mut message = 0;
        for piece in pieces {
            input.buffer().extend_from_slice(piece);
            input.received(piece.len());
            loop {
                let step = input.next();
                match step {
                    Step::Starve => break,
                    Step::Message { ref head, announced, .. } => {
                        log.push(format!("message {:?} {}", head.mailbox.is_some(), announced.size));
                        message = 0;
                        if announced.size > 1000 {
                            let now = input.refuse_message(announced);
                            log.push(format!("refused, over: {now}"));
                        } else {
                            input.accept_message();
                        }
                        continue;
                    }
                    Step::Chunk(bytes) => message += bytes.len(),
                    Step::MessageEnd => log.push(format!("got {message}")),
                    Step::Close(_) => {
                        log.push("close".into());
                        return log;
                    }
                    Step::Command { command: Command::Idle | Command::Authenticate { .. }, .. } => {
                        input.expect_line();
                        log.push(format!("{step:?}"));
                    }
                    step => log.push(format!("{step:?}")),
                }
            }
        }
        log
    }

    fn check(input: &str, logged_in: bool, expected: &[&str]) {
        let found = steps(&[input.as_bytes()], logged_in);
        let matches = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.contains(e));
        assert!(matches, "{input:?}:\n{found:#?}\nexpected\n{expected:#?}");
    }

    #[test]
    fn commands_and_blank_lines() {
        check("a NOOP\r\n\r\n\r\nb NOOP\r\n", true, &["tag: \"a\"", "tag: \"b\""]);
        check("a IDLE\r\nDONE\r\nb NOOP\r\n", true, &["Idle", "Line([68, 79, 78, 69])", "Noop"]);
        check("\u{1}\r\n", true, &["Refuse { tag: None"]);
        check("a XYZZY\r\n", true, &["Refuse { tag: Some(\"a\")"]);
        check(&format!("a {}\r\nb NOOP\r\n", "x".repeat(70_000)), true, &["LineTooLong", "Noop"]);
    }

    #[test]
    fn literals_are_limited_and_skipped_exactly() {
        check("a LOGIN {1}\r\nu {2}\r\npw\r\n", false, &["Continue", "Continue", "Login"]);
        check("a LOGIN {1+}\r\nu {2+}\r\npw\r\n", false, &["Login"]);
        check("a LOGIN {2000}\r\nb NOOP\r\n", false, &["LiteralTooBig", "Noop"]);
        let big = "a NOOP\r\n".repeat(200);
        check(
            &format!("a LOGIN {{1600+}}\r\n{big} x\r\nb NOOP\r\n"),
            false,
            &["LiteralTooBig", "tag: \"b\""],
        );
        check("a SELECT {3}\r\nb NOOP\r\n", false, &["LiteralBeforeLogin", "tag: \"b\""]);
        check(
            "a SELECT {3+}\r\nfoo\r\nb NOOP\r\n",
            false,
            &["tag: Some(\"a\"), refusal: LiteralBeforeLogin", "tag: \"b\""],
        );
        check(&format!("a {}\r\n", "x".repeat(9000)), false, &["close"]);
        check(&"a NOOP\r\n".repeat(2100), false, &["close"]);
        let flood = format!("a SEARCH TEXT {{1048577+}}\r\n{}\r\nb NOOP\r\n", "y".repeat(1_048_577));
        check(&flood, true, &["LiteralTooBig", "tag: \"b\""]);
    }

    #[test]
    fn messages_are_streamed() {
        check(
            "a APPEND x {5}\r\nhello\r\nb NOOP\r\n",
            true,
            &["message true 5", "got 5", "AppendEnd", "Noop"],
        );
        check(
            "a APPEND {1+}\r\nx {5+}\r\nhello (\\Seen) {3+}\r\nabc\r\nb NOOP\r\n",
            true,
            &["message true 5", "got 5", "message false 3", "got 3", "AppendEnd", "Noop"],
        );
        check("a APPEND x {2000}\r\nb NOOP\r\n", true, &["message true 2000", "over: true", "Noop"]);
        let evil = "x NOOP\r\n".repeat(250);
        check(
            &format!("a APPEND x {{2000+}}\r\n{evil} {{5+}}\r\nhello\r\nb NOOP\r\n"),
            true,
            &["message true 2000", "over: false", "AppendEnd", "tag: \"b\""],
        );
        check(
            &format!("a APPEND x {{2000+}}\r\n{evil} {{5}}\r\nb NOOP\r\n"),
            true,
            &["message true 2000", "over: false", "AppendEnd", "tag: \"b\""],
        );
        check(
            "a APPEND x {5}\r\nhello garbage\r\nb NOOP\r\n",
            true,
            &["message", "got 5", "Refuse { tag: Some(\"a\")", "Noop"],
        );
        check("a APPEND x (bad {5+}\r\nhello\r\nb NOOP\r\n", true, &["Refuse { tag: Some(\"a\")", "Noop"]);
        check("a APPEND x\r\nb NOOP\r\n", true, &["Refuse { tag: Some(\"a\")", "Noop"]);
    }

    fn dialogue() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("a NOOP\r\n".to_owned()),
            Just("b IDLE\r\nDONE\r\n".to_owned()),
            Just("\r\n".to_owned()),
            (0usize..1500, any::<bool>()).prop_map(|(n, plus)| {
                format!("c APPEND x {{{n}{}}}\r\n{}\r\n", if plus { "+" } else { "" }, "z".repeat(n))
            }),
            (0usize..3000).prop_map(|n| format!("d LOGIN {{{n}+}}\r\n{} pw\r\n", "u".repeat(n))),
            "[a-z {}+0-9()\"\r\n]{0,20}",
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn input_split_anywhere_gives_the_same_steps(
            input in dialogue(), logged_in in any::<bool>(), cut in any::<prop::sample::Index>(),
        ) {
            let whole = steps(&[&input], logged_in);
            let at = cut.index(input.len() + 1);
            prop_assert_eq!(&steps(&[&input[..at], &input[at..]], logged_in), &whole);
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            prop_assert_eq!(steps(&bytes, logged_in), whole);
        }
    }
}
