//! What the client says, step by step: framing, limits and grammar together. Pure: bytes go in by
//! [`Input::buffer`], steps come out, whatever way the bytes were cut.

use bytes::{Bytes, BytesMut};

use crate::framing::{Announcement, Event, Framer, Limits};
use crate::grammar::command::Command;
use crate::grammar::{self, Next, Piece, Segment, Within};
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
    /// APPEND or REPLACE up to its next literal: call [`Input::accept_literal`] or
    /// [`Input::refuse_literal`]. Without a literal the command is complete.
    Append {
        tag: String,
        pieces: Vec<Piece>,
        literal: Option<Announcement>,
    },
    /// Bytes of an accepted literal.
    Chunk(Bytes),
    LiteralEnd,
    /// The rest of a refused APPEND has been read.
    Skipped,
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
    /// Within APPEND or REPLACE, behind a literal with content. `skipping`: it was refused, the rest
    /// of the command is dropped.
    Append {
        tag: String,
        within: Within,
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

    /// Takes the content that was announced; its bytes come as chunks.
    pub(crate) fn accept_literal(&mut self) {
        self.framer.stream();
    }

    /// Refuses the content that was announced. True: the command is over, answer now. False: the
    /// client sends it all the same; it is skipped, and [`Step::Skipped`] comes.
    pub(crate) fn refuse_literal(&mut self, announced: Announcement) -> bool {
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
                    Mode::Append { skipping: false, .. } if self.refusal.is_none() => Some(Step::LiteralEnd),
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
            Mode::Append { skipping: true, .. } => {
                self.end_command();
                Some(Step::Skipped)
            }
            Mode::Append { within, .. } => {
                let segment = grammar::append_more(text, *within);
                Some(self.append_end(segment))
            }
            // Blank lines between commands: some clients end literals with one too many.
            Mode::Command if text == b"\r\n" => {
                self.end_command();
                None
            }
            Mode::Command if self.received.is_none() => match grammar::append(text, self.names) {
                Ok(None) => Some(self.command()),
                Ok(Some(segment)) => Some(self.append_end(Ok(segment))),
                Err(error) => Some(self.append_end(Err(error))),
            },
            Mode::Command => Some(self.command()),
        }
    }

    /// A complete command that is not APPEND.
    fn command(&mut self) -> Step {
        let tag = self.tag();
        let parsed = grammar::parse(self.framer.command(), self.names);
        self.end_command();
        match (parsed, tag) {
            (Ok(command), Some(tag)) => Step::Command { tag, command },
            (Ok(_), None) => Step::Starve, // no command parses without a tag
            (Err(error), tag) => Step::Refuse { tag, refusal: Refusal::Grammar(error) },
        }
    }

    /// The last segment of APPEND or REPLACE.
    fn append_end(&mut self, segment: grammar::Result<Segment>) -> Step {
        match segment {
            Ok(Segment { pieces, next: Next::End }) => {
                let tag = self.tag().unwrap_or_default();
                self.end_command();
                Step::Append { tag, pieces, literal: None }
            }
            Ok(_) => self.refuse(Refusal::Grammar(grammar::Error::Bad("A literal is missing"))),
            Err(error) => self.refuse(Refusal::Grammar(error)),
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
        let segment = match &self.mode {
            Mode::Append { skipping: true, .. } => {
                if announced.waits {
                    self.end_command();
                    return Some(Step::Skipped);
                }
                self.framer.skip();
                return None;
            }
            Mode::Append { within, .. } => grammar::append_more(text, *within).map(Some),
            _ if self.received.is_none() => grammar::append(text, self.names),
            _ if grammar::may_have_literal_before_login(text) => Ok(None),
            _ => return self.drop_literal(announced, Refusal::LiteralBeforeLogin),
        };
        match segment {
            Ok(None | Some(Segment { next: Next::Argument, .. })) => self.collect(announced),
            Ok(Some(Segment { pieces, next: Next::Content(within) })) => {
                let tag = self.tag().unwrap_or_default();
                self.mode = Mode::Append { tag: tag.clone(), within, skipping: false };
                Some(Step::Append { tag, pieces, literal: Some(announced) })
            }
            // A command does not end with an announcement.
            Ok(Some(Segment { next: Next::End, .. })) => {
                self.drop_literal(announced, Refusal::Grammar(grammar::Error::Bad("The literal is odd")))
            }
            Err(error) => self.drop_literal(announced, Refusal::Grammar(error)),
        }
    }

    /// Keeps a literal that is an argument.
    fn collect(&mut self, announced: Announcement) -> Option<Step> {
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
                    Step::Append { ref pieces, literal: Some(announced), .. } => {
                        log.push(format!("literal {pieces:?} {}", announced.size));
                        message = 0;
                        if announced.size > 1000 {
                            let now = input.refuse_literal(announced);
                            log.push(format!("refused, over: {now}"));
                        } else {
                            input.accept_literal();
                        }
                        continue;
                    }
                    Step::Append { ref pieces, literal: None, .. } => {
                        log.push(format!("complete {pieces:?}"))
                    }
                    Step::Chunk(bytes) => message += bytes.len(),
                    Step::LiteralEnd => log.push(format!("got {message}")),
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
        check("a APPEND x {5}\r\nhello\r\nb NOOP\r\n", true, &[" 5", "got 5", "complete", "Noop"]);
        check(
            "a APPEND {1+}\r\nx {5+}\r\nhello (\\Seen) {3+}\r\nabc\r\nb NOOP\r\n",
            true,
            &[" 5", "got 5", "target: None", "got 3", "complete", "Noop"],
        );
        check("a APPEND x {2000}\r\nb NOOP\r\n", true, &[" 2000", "over: true", "Noop"]);
        let evil = "x NOOP\r\n".repeat(250);
        check(
            &format!("a APPEND x {{2000+}}\r\n{evil} {{5+}}\r\nhello\r\nb NOOP\r\n"),
            true,
            &[" 2000", "over: false", "Skipped", "tag: \"b\""],
        );
        check(
            &format!("a APPEND x {{2000+}}\r\n{evil} {{5}}\r\nb NOOP\r\n"),
            true,
            &[" 2000", "over: false", "Skipped", "tag: \"b\""],
        );
        check(
            "a APPEND x {5}\r\nhello garbage\r\nb NOOP\r\n",
            true,
            &["literal", "got 5", "Refuse { tag: Some(\"a\")", "Noop"],
        );
        check("a APPEND x (bad {5+}\r\nhello\r\nb NOOP\r\n", true, &["Refuse { tag: Some(\"a\")", "Noop"]);
        check("a APPEND x\r\nb NOOP\r\n", true, &["Refuse { tag: Some(\"a\")", "Noop"]);
        check(
            "a APPEND x CATENATE (URL a TEXT {2+}\r\nhi URL {1}\r\nb TEXT ~{3}\r\nabc)\r\nb NOOP\r\n",
            true,
            &["Url([97])] 2", "got 2", "Continue", "Url([98])] 3", "got 3", "complete []", "Noop"],
        );
        check("a APPEND x CATENATE (URL a)\r\nb NOOP\r\n", true, &["complete [Message", "Noop"]);
        check("a APPEND x UTF8 (~{2+}\r\nhi)\r\nb NOOP\r\n", true, &[" 2", "got 2", "complete", "Noop"]);
        check("a APPEND x UTF8 (~{2+}\r\nhi\r\nb NOOP\r\n", true, &[" 2", "got 2", "Refuse", "Noop"]);
        check(
            "a REPLACE 1 x {2+}\r\nhi\r\nb NOOP\r\n",
            true,
            &["replaces: Some", "got 2", "complete", "Noop"],
        );
        check("a APPEND x CATENATE (URL a)\r\n", false, &["Refuse"]);
    }

    fn dialogue() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("a NOOP\r\n".to_owned()),
            Just("b IDLE\r\nDONE\r\n".to_owned()),
            Just("\r\n".to_owned()),
            (0usize..1500, any::<bool>()).prop_map(|(n, plus)| {
                format!("c APPEND x {{{n}{}}}\r\n{}\r\n", if plus { "+" } else { "" }, "z".repeat(n))
            }),
            (0usize..1500, any::<bool>()).prop_map(|(n, plus)| {
                let plus = if plus { "+" } else { "" };
                format!("e APPEND x CATENATE (TEXT {{{n}{plus}}}\r\n{} URL {{1+}}\r\nb)\r\n", "z".repeat(n))
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
