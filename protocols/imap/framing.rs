//! Bytes → lines and literals (RFC 9051 §2.2, §4.3; RFC 7888). No sockets, no grammar.
//!
//! A command is collected with its literals inline, bounded by [`Limits`]. At each literal the
//! caller decides whether to collect, stream or skip it; whatever is skipped is counted exactly, so
//! that the content of a refused literal is never taken for a command.

use bytes::{Buf, Bytes, BytesMut};

/// How much of a command is kept in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of the command's lines together, literals not counted.
    pub(crate) line: usize,
    /// Bytes of the collected literals together.
    pub(crate) literals: usize,
}

/// A literal announced at the end of a line: `{42}`, `{42+}` or `~{42}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) size: u64,
    /// The client waits for our `+`.
    pub(crate) waits: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// More input is needed.
    Starve,
    /// The command (or line) in [`Framer::command`] is complete, its CRLF included.
    Line,
    /// [`Framer::command`] ends with this announcement. Call `collect`, `stream`, `skip` or
    /// `restart` before going on.
    Literal(Announcement),
    /// Bytes of a streamed literal.
    Chunk(Bytes),
    /// The streamed or skipped literal is over; the command's line goes on behind it.
    LiteralEnd,
    /// A line beyond the limit was read to its end and dropped, its literals too.
    /// [`Framer::command`] holds its beginning.
    Overlong,
    /// The announced size is no number that anybody could mean.
    Nonsense,
}

#[derive(Debug)]
enum State {
    Line,
    /// Waiting for the caller's decision about a literal of this size.
    Decide(u64),
    Collect(u64),
    Stream(u64),
    Skip(u64),
    /// Dropping a line that is too long; the tail is kept to see whether it announces a literal.
    Drop,
    /// Dropping a non-synchronising literal inside such a line.
    DropLiteral(u64),
}

#[derive(Debug)]
pub(crate) struct Framer {
    input: BytesMut,
    command: Vec<u8>,
    /// Bytes of `command` that came as literals.
    literals: usize,
    /// Bytes at the start of `input` known to hold no line end.
    scanned: usize,
    state: State,
}

/// The longest announcement that is understood, `~{18446744073709551615+}` and CRLF.
const TAIL: usize = 26;
/// What is kept of a dropped line: enough for its tag.
const HEAD: usize = 80;
/// A literal larger than this is not skipped, the connection is closed.
const LARGEST_SKIP: u64 = 1 << 40;

impl Framer {
    pub(crate) fn new() -> Self {
        Self { input: BytesMut::new(), command: Vec::new(), literals: 0, scanned: 0, state: State::Line }
    }

    /// Where arriving bytes are put.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// The command so far, each literal behind its announcement.
    pub(crate) fn command(&self) -> &[u8] {
        &self.command
    }

    /// True if no byte waits to be looked at.
    pub(crate) fn is_drained(&self) -> bool {
        self.input.is_empty()
    }

    /// True if nothing has been read of the next command.
    pub(crate) fn is_between_commands(&self) -> bool {
        self.input.is_empty() && self.command.is_empty() && matches!(self.state, State::Line)
    }

    /// Gives back the memory of both buffers; only between commands.
    pub(crate) fn release(&mut self) {
        if self.is_between_commands() {
            self.input = BytesMut::new();
            self.command = Vec::new();
        }
    }

    /// Drops bytes that arrived before a TLS handshake: they must not be taken for commands after
    /// it (STARTTLS injection, CVE-2011-0411).
    pub(crate) fn discard_input(&mut self) {
        self.input.clear();
        self.scanned = 0;
        self.restart();
    }

    /// Forgets the command: the next byte begins a new one.
    pub(crate) fn restart(&mut self) {
        self.command.clear();
        self.literals = 0;
        self.state = State::Line;
    }

    /// Keeps the announced literal inside the command.
    pub(crate) fn collect(&mut self) {
        self.state = State::Collect(self.decided());
    }

    /// Hands the announced literal out in chunks and forgets what came before it.
    pub(crate) fn stream(&mut self) {
        self.state = State::Stream(self.decided());
        self.command.clear();
        self.literals = 0;
    }

    /// Drops the announced literal, and what came before it but for the beginning.
    pub(crate) fn skip(&mut self) {
        self.state = State::Skip(self.decided());
        self.command.truncate(HEAD);
        self.literals = 0;
    }

    fn decided(&self) -> u64 {
        match self.state {
            State::Decide(size) => size,
            _ => 0,
        }
    }

    pub(crate) fn next(&mut self, limits: &Limits) -> Event {
        loop {
            match self.state {
                State::Line => {
                    let Some(end) = self.line_end() else {
                        if self.input.len() + self.command.len() - self.literals > limits.line + 1 {
                            self.start_dropping();
                            continue;
                        }
                        return Event::Starve;
                    };
                    if end + self.command.len() - self.literals > limits.line + 1 {
                        self.start_dropping();
                        continue;
                    }
                    let line = self.take_line(end);
                    self.command.extend_from_slice(&line);
                    self.command.extend_from_slice(b"\r\n");
                    match announcement(&line) {
                        Announced::None => return Event::Line,
                        Announced::Literal(literal) => {
                            self.state = State::Decide(literal.size);
                            return Event::Literal(literal);
                        }
                        Announced::Nonsense => return Event::Nonsense,
                    }
                }
                State::Decide(_) => return Event::Starve,
                State::Collect(0) => self.state = State::Line,
                State::Collect(left) => {
                    if self.input.is_empty() {
                        return Event::Starve;
                    }
                    let piece = self.take_piece(left);
                    self.command.extend_from_slice(&piece);
                    self.literals += piece.len();
                    self.state = State::Collect(left - piece.len() as u64);
                }
                State::Stream(0) | State::Skip(0) => {
                    self.state = State::Line;
                    return Event::LiteralEnd;
                }
                State::Stream(left) => {
                    if self.input.is_empty() {
                        return Event::Starve;
                    }
                    let piece = self.take_piece(left);
                    self.state = State::Stream(left - piece.len() as u64);
                    return Event::Chunk(piece.freeze());
                }
                State::Skip(left) => {
                    if self.input.is_empty() {
                        return Event::Starve;
                    }
                    let piece = self.take_piece(left);
                    self.state = State::Skip(left - piece.len() as u64);
                }
                State::Drop => {
                    let Some(end) = self.line_end() else {
                        let surplus = self.input.len().saturating_sub(TAIL);
                        self.input.advance(surplus);
                        self.scanned = self.input.len();
                        return Event::Starve;
                    };
                    match announcement(&self.take_line(end)) {
                        Announced::Literal(literal) if !literal.waits => {
                            self.state = State::DropLiteral(literal.size);
                        }
                        Announced::Nonsense => return Event::Nonsense,
                        _ => {
                            self.state = State::Line;
                            return Event::Overlong;
                        }
                    }
                }
                State::DropLiteral(0) => self.state = State::Drop,
                State::DropLiteral(left) => {
                    if self.input.is_empty() {
                        return Event::Starve;
                    }
                    let piece = self.take_piece(left);
                    self.state = State::DropLiteral(left - piece.len() as u64);
                }
            }
        }
    }

    fn start_dropping(&mut self) {
        let missing = HEAD.saturating_sub(self.command.len()).min(self.input.len());
        self.command.extend_from_slice(&self.input[..missing]);
        self.command.truncate(HEAD);
        self.literals = 0;
        self.state = State::Drop;
    }

    /// Position of the next LF in the input.
    fn line_end(&mut self) -> Option<usize> {
        match self.input[self.scanned..].iter().position(|&b| b == b'\n') {
            Some(at) => Some(self.scanned + at),
            None => {
                self.scanned = self.input.len();
                None
            }
        }
    }

    /// Takes the line that ends with the LF at `end`, without its line break. A bare LF is accepted:
    /// people type at servers, and nothing is smuggled by it in IMAP.
    fn take_line(&mut self, end: usize) -> BytesMut {
        let mut line = self.input.split_to(end + 1);
        self.scanned = 0;
        line.truncate(end);
        if line.last() == Some(&b'\r') {
            line.truncate(end - 1);
        }
        line
    }

    fn take_piece(&mut self, most: u64) -> BytesMut {
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(self.input.len());
        self.scanned = 0;
        self.input.split_to(length)
    }
}

enum Announced {
    None,
    Literal(Announcement),
    Nonsense,
}

/// `literal = "{" number64 ["+"] "}"` at the end of a line without its CRLF. The `-` of some old
/// drafts is not known. An atom cannot hold `{`, and a quoted string does not end in `}`.
fn announcement(line: &[u8]) -> Announced {
    let Some(inside) = line.strip_suffix(b"}") else { return Announced::None };
    let (digits, waits) = match inside.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inside, true),
    };
    let count = digits.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (before, digits) = digits.split_at(digits.len() - count);
    if count == 0 || before.last() != Some(&b'{') {
        return Announced::None;
    }
    let size = digits.iter().try_fold(0u64, |size, digit| {
        size.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|&size| size <= LARGEST_SKIP)
    });
    match size {
        Some(size) => Announced::Literal(Announcement { size, waits }),
        None => Announced::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { line: 100, literals: 50 };

    /// Feeds `pieces` one after the other and writes down the events; chunks are joined. Literals of
    /// up to 50 bytes are collected, of up to 500 streamed, longer ones skipped or refused.
    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut framer = Framer::new();
        let mut log: Vec<String> = Vec::new();
        let mut streamed = String::new();
        for piece in pieces {
            framer.input().extend_from_slice(piece);
            loop {
                let event = framer.next(&LIMITS);
                assert!(framer.command().len() <= 100 + 2 + 50 + 200, "the command buffer is bounded");
                match event {
                    Event::Starve => break,
                    Event::Line => {
                        log.push(format!("line {}", framer.command().escape_ascii()));
                        framer.restart();
                    }
                    Event::Literal(literal) if literal.size <= 50 => framer.collect(),
                    Event::Literal(literal) if literal.size <= 500 => {
                        log.push(format!("stream {} {}", framer.command().escape_ascii(), literal.waits));
                        framer.stream();
                    }
                    Event::Literal(literal) if literal.waits => {
                        log.push(format!("refuse {}", framer.command().escape_ascii()));
                        framer.restart();
                    }
                    Event::Literal(_) => framer.skip(),
                    Event::Chunk(bytes) => streamed += &bytes.escape_ascii().to_string(),
                    Event::LiteralEnd => log.push(format!("end {}", std::mem::take(&mut streamed))),
                    Event::Overlong => {
                        log.push(format!("overlong {}", framer.command()[..3].escape_ascii()));
                        framer.restart();
                    }
                    Event::Nonsense => {
                        log.push("nonsense".into());
                        framer.restart();
                    }
                }
            }
        }
        log
    }

    #[test]
    fn lines_and_literals() {
        let check = |input: &str, expected: &[&str]| {
            assert_eq!(events(&[input.as_bytes()]), expected, "{input:?}");
        };
        check("a NOOP\r\nb NOOP\n", &["line a NOOP\\r\\n", "line b NOOP\\r\\n"]);
        check("a NOOP", &[]);
        check("a LOGIN {3}\r\nx\r\n {2+}\r\nyz\r\n", &["line a LOGIN {3}\\r\\nx\\r\\n {2+}\\r\\nyz\\r\\n"]);
        check("a X {0}\r\n\r\n", &["line a X {0}\\r\\n\\r\\n"]);
        let big = "z".repeat(300);
        check(
            &format!("a APPEND x {{300+}}\r\n{big} ()\r\n"),
            &["stream a APPEND x {300+}\\r\\n false", &format!("end {big}"), "line  ()\\r\\n"],
        );
        // A refused literal is skipped exactly: the NOOP inside it is no command.
        let evil = format!("{}\r\nx NOOP\r\n", "y".repeat(592));
        check(
            &format!("a APPEND x {{602+}}\r\n{evil}\r\nb NOOP\r\n"),
            &["end ", "line a APPEND x {602+}\\r\\n\\r\\n", "line b NOOP\\r\\n"],
        );
        check("a APPEND x {602}\r\nb NOOP\r\n", &["refuse a APPEND x {602}\\r\\n", "line b NOOP\\r\\n"]);
        let long = "x".repeat(200);
        check(&format!("a {long}\r\nb NOOP\r\n"), &["overlong a x", "line b NOOP\\r\\n"]);
        check(
            &format!("a {long}{{10+}}\r\nc NOOP\r\nXX{long}\r\nb NOOP\r\n"),
            &["overlong a x", "line b NOOP\\r\\n"],
        );
        check(&format!("a {long}{{10}}\r\nb NOOP\r\n"), &["overlong a x", "line b NOOP\\r\\n"]);
        check("a X {99999999999999999999999}\r\n", &["nonsense"]);
        check("a X {12\r\nb {+}\r\nc 5}\r\n", &["line a X {12\\r\\n", "line b {+}\\r\\n", "line c 5}\\r\\n"]);
    }

    fn input() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "[a-c {}+0-9]{0,12}".prop_map(String::into_bytes),
            (0usize..700, any::<bool>()).prop_map(|(n, plus)| {
                let mut text = format!("{{{n}{}}}\r\n", if plus { "+" } else { "" }).into_bytes();
                text.resize(text.len() + n, b'q');
                text
            }),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(vec![b'x'; 130]),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn input_split_anywhere_gives_the_same_steps(input in input(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let whole = events(&[&input]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.push(0);
            cuts.push(input.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &input[w[0]..w[1]]).collect();
            prop_assert_eq!(&events(&pieces), &whole);
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            prop_assert_eq!(events(&bytes), whole);
        }
    }
}
