//! A client that costs next to nothing itself: it looks only for literals and the tagged line.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::server::Server;

pub(crate) struct Imap {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are used up.
    start: usize,
    tags: u32,
    pub(crate) capabilities: String,
}

impl Imap {
    pub(crate) fn connect(server: &Server) -> Result<Self> {
        let port = server.imap.context("the specification has no imap=")?;
        let stream = TcpStream::connect((server.host.as_str(), port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(600)))?;
        let mut imap = Self { stream, buffer: Vec::new(), start: 0, tags: 0, capabilities: String::new() };
        let greeting = imap.line()?;
        ensure!(greeting.starts_with(b"* OK"), "greeting: {}", String::from_utf8_lossy(&greeting));
        Ok(imap)
    }

    pub(crate) fn login(server: &Server, user: usize) -> Result<Self> {
        let mut imap = Self::connect(server)?;
        imap.command(&format!("LOGIN \"{}\" \"{}\"", server.login(user), server.password))?;
        let (_, text) = imap.collect("CAPABILITY")?;
        imap.capabilities = String::from_utf8_lossy(&text).to_uppercase();
        Ok(imap)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)?;
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + 256 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[length..])?;
        self.buffer.truncate(length + read);
        ensure!(read > 0, "the connection was closed");
        Ok(())
    }

    /// The next line without its line break; a literal at its end is not read.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>> {
        let mut scanned = 0;
        loop {
            if let Some(at) = self.buffer[self.start + scanned..].iter().position(|&byte| byte == b'\n') {
                let end = self.start + scanned + at;
                let line = self.buffer[self.start..end].trim_ascii_end().to_vec();
                self.start = end + 1;
                return Ok(line);
            }
            scanned = self.buffer.len() - self.start;
            self.fill()?;
        }
    }

    fn skip(&mut self, mut count: usize) -> Result<()> {
        loop {
            let there = (self.buffer.len() - self.start).min(count);
            self.start += there;
            count -= there;
            if count == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Reads up to the tagged line, which must be OK; keeps untagged lines if asked to. Returns how
    /// many there were.
    fn tagged(&mut self, tag: &str, mut keep: Option<&mut Vec<u8>>) -> Result<usize> {
        let tag = format!("{tag} ");
        let mut untagged = 0;
        loop {
            let line = self.line()?;
            if let Some(rest) = line.strip_prefix(tag.as_bytes()) {
                if !rest.starts_with(b"OK") {
                    bail!("{}", String::from_utf8_lossy(rest));
                }
                return Ok(untagged);
            }
            untagged += usize::from(line.starts_with(b"* "));
            if let Some(length) = literal(&line) {
                self.skip(length)?;
            }
            if let Some(kept) = keep.as_deref_mut() {
                kept.extend_from_slice(&line);
                kept.push(b'\n');
            }
        }
    }

    fn begin(&mut self, command: &str) -> Result<String> {
        self.tags += 1;
        let tag = format!("x{}", self.tags);
        self.send(format!("{tag} {command}\r\n").as_bytes())?;
        Ok(tag)
    }

    /// Runs a command and returns how long it took.
    pub(crate) fn command(&mut self, command: &str) -> Result<Duration> {
        let started = Instant::now();
        let tag = self.begin(command)?;
        self.tagged(&tag, None).with_context(|| command.chars().take(60).collect::<String>())?;
        Ok(started.elapsed())
    }

    /// The same for a command that must be answered by at least this many untagged responses.
    pub(crate) fn listing(&mut self, command: &str, least: usize) -> Result<Duration> {
        let started = Instant::now();
        let tag = self.begin(command)?;
        let untagged = self.tagged(&tag, None).with_context(|| command.to_owned())?;
        ensure!(untagged >= least, "{command}: {untagged} responses instead of {least}");
        Ok(started.elapsed())
    }

    pub(crate) fn collect(&mut self, command: &str) -> Result<(Duration, Vec<u8>)> {
        let started = Instant::now();
        let tag = self.begin(command)?;
        let mut text = Vec::new();
        self.tagged(&tag, Some(&mut text)).with_context(|| command.to_owned())?;
        Ok((started.elapsed(), text))
    }

    /// APPEND of one or (MULTIAPPEND) several messages.
    pub(crate) fn append(&mut self, mailbox: &str, messages: &[Vec<u8>]) -> Result<()> {
        self.tags += 1;
        let tag = format!("x{}", self.tags);
        let waits = !self.capabilities.contains("LITERAL+");
        let mut packet = format!("{tag} APPEND {mailbox}").into_bytes();
        for message in messages {
            let small = message.len() <= 4096 && self.capabilities.contains("LITERAL-");
            let plus = if waits && !small { "" } else { "+" };
            packet.extend_from_slice(format!(" (\\Seen) {{{}{plus}}}\r\n", message.len()).as_bytes());
            if plus.is_empty() {
                self.send(&packet)?;
                packet.clear();
                let answer = self.line()?;
                ensure!(answer.starts_with(b"+"), "{}", String::from_utf8_lossy(&answer));
            }
            packet.extend_from_slice(message);
        }
        packet.extend_from_slice(b"\r\n");
        self.send(&packet)?;
        self.tagged(&tag, None)?;
        Ok(())
    }
}

fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}
