//! Messages by the hundred over many connections, and how long they take.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::server::Server;
use crate::smtp::Smtp;

/// Users who get and send the messages, unless a phase says otherwise.
pub(crate) const USERS: Range<usize> = 0..10;
/// Who writes to the port for other servers.
pub(crate) const STRANGER: &str = "sender@client.test";

/// 32 words, so that five bits choose one; text of this kind compresses about as mail does.
pub(crate) const WORDS: [&str; 32] = [
    "the", "report", "meeting", "of", "invoice", "project", "release", "and", "server", "client", "budget",
    "travel", "review", "to", "draft", "schedule", "kernel", "patch", "garden", "in", "recipe", "letter",
    "winter", "is", "window", "answer", "question", "that", "morning", "evening", "for", "number",
];

/// A message of about 4 KB with the final dot. No line begins with one.
pub(crate) fn message(number: usize, from: &str, to: &str) -> Vec<u8> {
    let header = format!(
        "From: Sender <{from}>\r\nTo: <{to}>\r\nSubject: bench {number}\r\n\
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

/// The number of the first of `count` messages; none comes twice in a run.
pub(crate) fn fresh(count: usize) -> usize {
    static SERIAL: AtomicUsize = AtomicUsize::new(0);
    SERIAL.fetch_add(count, Ordering::Relaxed)
}

/// The way into a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The port for other servers, no log-in.
    Mx,
    /// STARTTLS and log-in, on the port for twins' programs.
    Submission,
    /// TLS from the first byte and log-in.
    Submissions,
}

pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: Vec<u8>,
}

/// Messages of one sender that several connections share.
struct Pile {
    user: usize,
    letters: Vec<Letter>,
    next: AtomicUsize,
}

pub(crate) struct Load {
    door: Door,
    /// One for all at the port for other servers, else one for each user who logs in.
    piles: Vec<Pile>,
    connections: usize,
    per_connection: usize,
}

impl Load {
    /// Messages from a stranger to `users`, in turn.
    pub(crate) fn deliveries(server: &Server, count: usize, users: Range<usize>) -> Self {
        let first = fresh(count);
        let letter = |number: usize| {
            let to = server.address(users.start + number % users.len());
            Letter { from: STRANGER.to_owned(), text: message(number, STRANGER, &to), to }
        };
        Self::letters((first..first + count).map(letter).collect())
    }

    pub(crate) fn letters(letters: Vec<Letter>) -> Self {
        let pile = Pile { user: 0, letters, next: AtomicUsize::new(0) };
        Self { door: Door::Mx, piles: vec![pile], connections: 1, per_connection: usize::MAX }
    }

    /// Messages that the users send: to each other, or to a domain elsewhere.
    pub(crate) fn submissions(server: &Server, door: Door, count: usize, domain: Option<&str>) -> Self {
        let first = fresh(count);
        let pile = |user: usize| {
            let numbers = (first..first + count).filter(|number| number % USERS.len() == user);
            let letter = |number: usize| {
                let from = server.address(user);
                let to = match domain {
                    Some(domain) => format!("r{number}@{domain}"),
                    None => server.address((user + number / USERS.len()) % USERS.len()),
                };
                Letter { text: message(number, &from, &to), from, to }
            };
            Pile { user, letters: numbers.map(letter).collect(), next: AtomicUsize::new(0) }
        };
        Self { door, piles: USERS.map(pile).collect(), connections: 1, per_connection: usize::MAX }
    }

    pub(crate) fn over(mut self, connections: usize, per_connection: usize) -> Self {
        (self.connections, self.per_connection) = (connections, per_connection);
        self
    }

    /// Sends everything; wall time and the seconds that each acknowledgement took.
    pub(crate) fn run(&self, server: &Server) -> Result<(Duration, Vec<f64>)> {
        let latencies = Mutex::new(Vec::new());
        let failure = Mutex::new(None);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..self.connections {
                let (latencies, failure) = (&latencies, &failure);
                scope.spawn(move || match self.send(server, &self.piles[number % self.piles.len()]) {
                    Ok(own) => latencies.lock().expect("no thread panicked").extend(own),
                    Err(error) => {
                        failure.lock().expect("no thread panicked").get_or_insert(error);
                    }
                });
            }
        });
        let elapsed = started.elapsed();
        match failure.into_inner().expect("no thread panicked") {
            Some(error) => Err(error),
            None => Ok((elapsed, latencies.into_inner().expect("no thread panicked"))),
        }
    }

    /// The share of one connection, and of those that follow it.
    fn send(&self, server: &Server, pile: &Pile) -> Result<Vec<f64>> {
        let mut latencies = Vec::new();
        let mut connection: Option<(Smtp, usize)> = None;
        while let Some(Letter { from, to, text }) =
            pile.letters.get(pile.next.fetch_add(1, Ordering::Relaxed))
        {
            let (mut smtp, used) = match connection.take() {
                Some(open) => open,
                None => (self.open(server, pile.user)?, 0),
            };
            latencies.push(smtp.send(from, to, text)?.as_secs_f64());
            if used + 1 < self.per_connection {
                connection = Some((smtp, used + 1));
            } else {
                smtp.quit()?;
            }
        }
        if let Some((smtp, _)) = connection {
            smtp.quit()?;
        }
        Ok(latencies)
    }

    fn open(&self, server: &Server, user: usize) -> Result<Smtp> {
        let mut smtp = match self.door {
            Door::Mx => return Smtp::connect(server),
            Door::Submission => Smtp::submission(server)?,
            Door::Submissions => Smtp::submissions(server)?,
        };
        smtp.log_in(server, user)?;
        Ok(smtp)
    }
}
