//! A small IMAP client that says exactly what a test tells it to and checks the form of answers.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::wire::{Stream, Tls};

pub(crate) struct Imap {
    stream: BufReader<Stream>,
    tags: u32,
    pub(crate) greeting: String,
}

/// Everything up to and including the tagged response.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Untagged responses with their literals, without the last CRLF.
    pub(crate) untagged: Vec<Vec<u8>>,
    /// `OK`, `NO` or `BAD`.
    pub(crate) status: String,
    pub(crate) text: String,
}

/// A parsed piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Also NIL and numbers; `BODY[…]` is one atom.
    Atom(String),
    List(Vec<Self>),
    /// A quoted string or a literal.
    Text(Vec<u8>),
}

impl Value {
    #[track_caller]
    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            other => panic!("not a string: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn atom(&self) -> &str {
        match self {
            Self::Atom(atom) => atom,
            other => panic!("not an atom: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn number(&self) -> u64 {
        self.atom().parse().unwrap_or_else(|_| panic!("not a number: {self:?}"))
    }
}

/// One FETCH response.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) sequence: u32,
    items: Vec<(String, Value)>,
}

impl Fetched {
    pub(crate) fn find(&self, name: &str) -> Option<&Value> {
        self.items.iter().find(|(item, _)| item.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    pub(crate) fn item(&self, name: &str) -> &Value {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.items))
    }

    #[track_caller]
    pub(crate) fn uid(&self) -> u32 {
        u32::try_from(self.item("UID").number()).expect("32 bits")
    }

    /// The flags in alphabetical order.
    #[track_caller]
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags: Vec<_> = self.item("FLAGS").list().iter().map(|flag| flag.atom().to_owned()).collect();
        flags.sort();
        flags
    }
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect_ok(&self) -> &Self {
        assert_eq!(self.status, "OK", "{self:?}");
        self
    }

    /// The untagged responses as text.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.untagged.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.untagged.iter().any(|untagged| untagged == line.as_bytes())
    }

    pub(crate) fn starting(&self, start: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.starts_with(start)).collect()
    }

    /// The value of a response code like `UIDVALIDITY`, from an untagged or the tagged response.
    pub(crate) fn code(&self, name: &str) -> Option<String> {
        let mut lines = self.lines();
        lines.push(self.text.clone());
        lines.iter().find_map(|line| {
            let (_, rest) = line.split_once(&format!("[{name}"))?;
            Some(rest.split(']').next()?.trim().to_owned())
        })
    }

    #[track_caller]
    pub(crate) fn code_number(&self, name: &str) -> u64 {
        let code = self.code(name).unwrap_or_else(|| panic!("no [{name}] in {self:?}"));
        code.parse().unwrap_or_else(|_| panic!("[{name} {code}]"))
    }

    pub(crate) fn fetched(&self) -> Vec<Fetched> {
        self.untagged
            .iter()
            .filter_map(|line| {
                let values = parse(line);
                let [_, Value::Atom(sequence), Value::Atom(word), Value::List(items)] = &values[..] else {
                    return None;
                };
                (word == "FETCH").then(|| Fetched {
                    sequence: sequence.parse().expect("a sequence number"),
                    items: items.chunks(2).map(|pair| (pair[0].atom().to_owned(), pair[1].clone())).collect(),
                })
            })
            .collect()
    }
}

impl Imap {
    pub(crate) fn connect(port: u16) -> Self {
        Self::greeted(Stream::connect(port))
    }

    pub(crate) fn connect_tls(port: u16, tls: &Tls) -> Self {
        Self::greeted(Stream::connect(port).into_tls(tls).expect("a TLS handshake"))
    }

    fn greeted(stream: Stream) -> Self {
        let mut imap = Self { stream: BufReader::new(stream), tags: 0, greeting: String::new() };
        imap.greeting = String::from_utf8(imap.response()).expect("UTF-8");
        imap
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("a write");
    }

    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// One response, literals included, without its CRLF.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Vec<u8> {
        self.try_response().expect("a response")
    }

    pub(crate) fn try_response(&mut self) -> io::Result<Vec<u8>> {
        let mut response = Vec::new();
        loop {
            let start = response.len();
            self.stream.read_until(b'\n', &mut response)?;
            if !response.ends_with(b"\r\n") {
                let text = String::from_utf8_lossy(&response[start..]).into_owned();
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("cut off: {text:?}")));
            }
            match announced_literal(&response[start..response.len() - 2]) {
                Some(length) => {
                    let from = response.len();
                    response.resize(from + length, 0);
                    self.stream.read_exact(&mut response[from..])?;
                }
                None => {
                    response.truncate(response.len() - 2);
                    return Ok(response);
                }
            }
        }
    }

    pub(crate) fn next_tag(&mut self) -> String {
        self.tags += 1;
        format!("t{}", self.tags)
    }

    /// Sends the command and reads up to its tagged response.
    #[track_caller]
    pub(crate) fn command(&mut self, command: &str) -> Reply {
        self.command_bytes(command.as_bytes())
    }

    #[track_caller]
    pub(crate) fn command_bytes(&mut self, command: &[u8]) -> Reply {
        self.try_command_bytes(command).expect("a connection that lives")
    }

    pub(crate) fn try_command_bytes(&mut self, command: &[u8]) -> io::Result<Reply> {
        let tag = self.next_tag();
        let mut line = tag.clone().into_bytes();
        line.push(b' ');
        line.extend_from_slice(command);
        line.extend_from_slice(b"\r\n");
        self.try_write(&line)?;
        self.try_tagged(&tag)
    }

    #[track_caller]
    pub(crate) fn tagged(&mut self, tag: &str) -> Reply {
        self.try_tagged(tag).expect("a connection that lives")
    }

    pub(crate) fn try_tagged(&mut self, tag: &str) -> io::Result<Reply> {
        let mut untagged = Vec::new();
        loop {
            let response = self.try_response()?;
            if let Some(rest) = response.strip_prefix(format!("{tag} ").as_bytes()) {
                let rest = String::from_utf8_lossy(rest).into_owned();
                let (status, text) = rest.split_once(' ').unwrap_or((&rest, ""));
                return Ok(Reply { untagged, status: status.to_owned(), text: text.to_owned() });
            }
            if !response.starts_with(b"* ") && !response.starts_with(b"+") {
                let text = format!("neither untagged nor ours: {}", String::from_utf8_lossy(&response));
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            untagged.push(response);
        }
    }

    #[track_caller]
    pub(crate) fn ok(&mut self, command: &str) -> Reply {
        let reply = self.command(command);
        assert_eq!(reply.status, "OK", "{command}: {reply:?}");
        reply
    }

    #[track_caller]
    pub(crate) fn no(&mut self, command: &str) -> Reply {
        let reply = self.command(command);
        assert_eq!(reply.status, "NO", "{command}: {reply:?}");
        reply
    }

    #[track_caller]
    pub(crate) fn bad(&mut self, command: &str) -> Reply {
        let reply = self.command(command);
        assert_eq!(reply.status, "BAD", "{command}: {reply:?}");
        reply
    }

    #[track_caller]
    pub(crate) fn login(&mut self, user: &str, password: &str) -> Reply {
        self.ok(&format!("LOGIN {} {}", quoted(user), quoted(password)))
    }

    /// After the OK to STARTTLS.
    pub(crate) fn into_tls(self, tls: &Tls) -> io::Result<Self> {
        assert!(self.stream.buffer().is_empty(), "the server sent something before the handshake");
        let stream = self.stream.into_inner().into_tls(tls)?;
        Ok(Self { stream: BufReader::new(stream), tags: self.tags, greeting: self.greeting })
    }

    /// APPEND with a synchronising literal; the UID it got (RFC 4315 §3).
    #[track_caller]
    pub(crate) fn append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> u32 {
        let reply = self.try_append(mailbox, options, message).expect("a connection that lives");
        reply.expect_ok();
        let code = reply.code("APPENDUID").unwrap_or_else(|| panic!("no APPENDUID in {reply:?}"));
        code.split(' ').nth(1).and_then(|uid| uid.parse().ok()).unwrap_or_else(|| panic!("{code}"))
    }

    /// `options` are flags and date with a space after them, or nothing.
    pub(crate) fn try_append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> io::Result<Reply> {
        let tag = self.next_tag();
        let line = format!("{tag} APPEND {} {options}{{{}}}\r\n", quoted(mailbox), message.len());
        self.try_write(line.as_bytes())?;
        let response = self.try_response()?;
        if let Some(rest) = response.strip_prefix(format!("{tag} ").as_bytes()) {
            let rest = String::from_utf8_lossy(rest).into_owned();
            let (status, text) = rest.split_once(' ').unwrap_or((&rest, ""));
            return Ok(Reply { untagged: Vec::new(), status: status.to_owned(), text: text.to_owned() });
        }
        assert!(response.starts_with(b"+ "), "{}", String::from_utf8_lossy(&response));
        self.try_write(message)?;
        self.try_write(b"\r\n")?;
        self.try_tagged(&tag)
    }

    /// UIDs that match, ascending.
    #[track_caller]
    pub(crate) fn search(&mut self, criteria: &str) -> Vec<u32> {
        let reply = self.ok(&format!("UID SEARCH {criteria}"));
        let lines = reply.starting("* SEARCH");
        assert_eq!(lines.len(), 1, "RFC 3501 §7.2.5: one SEARCH response, even if empty: {reply:?}");
        let mut uids: Vec<u32> =
            lines[0].split(' ').skip(2).map(|uid| uid.parse().expect("a number")).collect();
        uids.sort_unstable();
        uids
    }

    /// The whole message, without setting \Seen.
    #[track_caller]
    pub(crate) fn body(&mut self, uid: u32) -> Vec<u8> {
        let reply = self.ok(&format!("UID FETCH {uid} (BODY.PEEK[] RFC822.SIZE)"));
        let fetched = reply.fetched();
        assert_eq!(fetched.len(), 1, "{reply:?}");
        let body = fetched[0].item("BODY[]").text().to_vec();
        assert_eq!(
            fetched[0].item("RFC822.SIZE").number(),
            body.len() as u64,
            "RFC822.SIZE must be the number of bytes of BODY[]"
        );
        body
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty() || rest.starts_with(b"* BYE"),
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

/// The text as a quoted string.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The length in `{123}` at the end of a line.
fn announced_literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

/// Splits a response into values. It must be well-formed.
#[track_caller]
pub(crate) fn parse(response: &[u8]) -> Vec<Value> {
    let mut rest = response;
    let values = parse_list(&mut rest);
    assert!(rest.is_empty(), "unbalanced: {}", String::from_utf8_lossy(response));
    values
}

fn parse_list(rest: &mut &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while let Some(&byte) = rest.first() {
        match byte {
            b')' => break,
            b' ' => *rest = &rest[1..],
            // A literal8 (RFC 3516 §7) is read as any literal.
            b'~' if rest.get(1) == Some(&b'{') => *rest = &rest[1..],
            b'(' => {
                *rest = &rest[1..];
                values.push(Value::List(parse_list(rest)));
                assert_eq!(rest.first(), Some(&b')'), "a list is not closed");
                *rest = &rest[1..];
            }
            b'"' => values.push(Value::Text(parse_quoted(rest))),
            b'{' => {
                let end = rest.windows(3).position(|w| w == b"}\r\n").expect("the end of a literal's length");
                let length = announced_literal(&rest[..=end]).expect("a literal's length");
                values.push(Value::Text(rest[end + 3..end + 3 + length].to_vec()));
                *rest = &rest[end + 3 + length..];
            }
            _ => values.push(Value::Atom(parse_atom(rest))),
        }
    }
    values
}

fn parse_quoted(rest: &mut &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut at = 1;
    loop {
        match rest[at] {
            b'"' => break,
            b'\\' => {
                text.push(rest[at + 1]);
                at += 2;
            }
            byte => {
                assert!(byte != b'\r' && byte != b'\n' && byte != 0, "not allowed in a quoted string");
                text.push(byte);
                at += 1;
            }
        }
    }
    *rest = &rest[at + 1..];
    text
}

/// Up to a space or parenthesis; what stands in brackets belongs to it.
fn parse_atom(rest: &mut &[u8]) -> String {
    let mut depth = 0;
    let end = rest.iter().position(|&byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b' ' | b'(' | b')' => return depth == 0,
            _ => {}
        }
        false
    });
    let (atom, tail) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = tail;
    String::from_utf8_lossy(atom).into_owned()
}
