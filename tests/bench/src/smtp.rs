//! Deliveries to the MX port: how many messages per second are acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::imap::Imap;
use crate::report::{Better, Report};
use crate::server::Server;

pub(crate) struct Smtp {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Smtp {
    pub(crate) fn connect(server: &Server) -> Result<Self> {
        let port = server.mx.context("the specification has no mx=")?;
        let stream = TcpStream::connect((server.host.as_str(), port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut smtp = Self { stream: BufReader::new(stream), line: String::new() };
        smtp.expect(220)?;
        smtp.write(b"EHLO bench.test\r\n")?;
        smtp.expect(250)?;
        Ok(smtp)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        Ok(())
    }

    fn expect(&mut self, code: u16) -> Result<()> {
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line)? == 0 {
                bail!("the connection was closed");
            }
            if self.line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if self.line.get(..3) != Some(code.to_string().as_str()) {
                bail!("expected {code}: {}", self.line.trim_end());
            }
            return Ok(());
        }
    }

    /// One message, envelope pipelined (both sides of every comparison offer that); the time from
    /// the final dot to the acknowledgement.
    pub(crate) fn deliver(&mut self, to: &str, message: &[u8]) -> Result<Duration> {
        let envelope = format!("MAIL FROM:<sender@client.test>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        self.write(envelope.as_bytes())?;
        self.expect(250)?;
        self.expect(250)?;
        self.expect(354)?;
        self.write(message)?;
        let sent = Instant::now();
        self.expect(250)?;
        Ok(sent.elapsed())
    }

    pub(crate) fn quit(mut self) -> Result<()> {
        self.write(b"QUIT\r\n")?;
        self.expect(221)
    }
}

/// A message of about 4 KB with the final dot. No line begins with one.
pub(crate) fn message(number: usize, to: &str) -> Vec<u8> {
    let header = format!(
        "From: Sender <sender@client.test>\r\nTo: <{to}>\r\nSubject: bench {number}\r\n\
         Date: Mon, 2 Feb 2026 10:11:12 +0000\r\nMessage-ID: <{number}.{}@client.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n",
        std::process::id(),
    );
    let mut message = header.into_bytes();
    // Different text in each message: equal blobs would be stored once.
    let mut state = number as u64 ^ 0x9e37_79b9_7f4a_7c15;
    while message.len() < 4090 {
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            message.extend_from_slice(WORDS[(state >> 59) as usize].as_bytes());
            message.push(b' ');
        }
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b".\r\n");
    message
}

/// Users who get the messages, in turn.
const RECIPIENTS: usize = 10;

/// 32 words, so that five bits choose one; text of this kind compresses about as mail does.
pub(crate) const WORDS: [&str; 32] = [
    "the", "report", "meeting", "of", "invoice", "project", "release", "and", "server", "client", "budget",
    "travel", "review", "to", "draft", "schedule", "kernel", "patch", "garden", "in", "recipe", "letter",
    "winter", "is", "window", "answer", "question", "that", "morning", "evening", "for", "number",
];

/// Sends `count` messages over `connections`; wall time and the latency of each acknowledgement.
pub(crate) fn load(
    server: &Server,
    count: usize,
    connections: usize,
    per_connection: usize,
) -> Result<(Duration, Vec<f64>)> {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    let first = SERIAL.fetch_add(count, Ordering::Relaxed);
    let messages: Vec<(String, Vec<u8>)> = (first..first + count)
        .map(|number| {
            let to = server.address(number % RECIPIENTS);
            let message = message(number, &to);
            (to, message)
        })
        .collect();
    let next = AtomicUsize::new(0);
    let latencies = Mutex::new(Vec::with_capacity(count));
    let failure = Mutex::new(None);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let run = || -> Result<()> {
                    let mut own = Vec::new();
                    let mut connection: Option<(Smtp, usize)> = None;
                    while let Some((to, message)) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (mut smtp, used) = match connection.take() {
                            Some(open) => open,
                            None => (Smtp::connect(server)?, 0),
                        };
                        own.push(smtp.deliver(to, message)?.as_secs_f64());
                        if used + 1 < per_connection {
                            connection = Some((smtp, used + 1));
                        } else {
                            smtp.quit()?;
                        }
                    }
                    if let Some((smtp, _)) = connection {
                        smtp.quit()?;
                    }
                    latencies.lock().expect("no thread panicked").extend(own);
                    Ok(())
                };
                if let Err(error) = run() {
                    failure.lock().expect("no thread panicked").get_or_insert(error);
                }
            });
        }
    });
    let elapsed = started.elapsed();
    if let Some(error) = failure.into_inner().expect("no thread panicked") {
        return Err(error);
    }
    Ok((elapsed, latencies.into_inner().expect("no thread panicked")))
}

/// The mailboxes that messages go to: a server may acknowledge long before they are there.
struct Inboxes(Vec<Imap>);

impl Inboxes {
    fn open(server: &Server) -> Result<Self> {
        Ok(Self((0..RECIPIENTS).map(|user| Imap::login(server, user)).collect::<Result<_>>()?))
    }

    fn count(&mut self) -> Result<usize> {
        let mut sum = 0;
        for inbox in &mut self.0 {
            let (_, text) = inbox.collect("STATUS INBOX (MESSAGES)")?;
            let text = String::from_utf8_lossy(&text).into_owned();
            let number = text.split("MESSAGES ").nth(1).and_then(|rest| rest.split(')').next());
            sum += number.and_then(|number| number.parse::<usize>().ok()).with_context(|| text.clone())?;
        }
        Ok(sum)
    }

    /// The number of messages once nothing more arrives.
    fn settled(&mut self) -> Result<usize> {
        let mut last = self.count()?;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.count()?;
            if now == last {
                return Ok(now);
            }
            last = now;
        }
    }

    fn wait_for(&mut self, number: usize) -> Result<()> {
        let started = Instant::now();
        while self.count()? < number {
            ensure!(started.elapsed() < Duration::from_secs(300), "messages are missing after 5 minutes");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// 4 KB messages over 1, 10 and 100 connections, kept open and opened anew for each message.
pub(crate) fn deliver(server: &mut Server, report: &mut Report, scale: f64) -> Result<()> {
    load(server, 50, 5, 10)?; // warm
    let mut inboxes = Inboxes::open(server)?;
    for (connections, count) in [(1, 400), (10, 2000), (100, 4000)] {
        let count = ((f64::from(count) * scale) as usize).max(connections);
        for (how, per_connection) in [("kept", usize::MAX), ("one message each", 1)] {
            let before = inboxes.settled()?;
            let started = Instant::now();
            let (elapsed, latencies) = load(server, count, connections, per_connection)?;
            inboxes.wait_for(before + count)?;
            let kept = started.elapsed();
            let metric = format!("4 KB x{connections} {how}");
            report.result(
                &format!("{metric}, acknowledged"),
                count as f64 / elapsed.as_secs_f64(),
                "msg/s",
                Better::High,
            );
            report.result(
                &format!("{metric}, in the mailbox"),
                count as f64 / kept.as_secs_f64(),
                "msg/s",
                Better::High,
            );
            report.latencies(&format!("{metric}, dot to 250"), latencies);
        }
    }
    Ok(())
}
