//! The line that tells how far a transfer is: a bar, what is done of what was found, bytes.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use hub_transfer::Progress;

use crate::text::{printable, size};

/// Redrawn at most so often.
const PAUSE: Duration = Duration::from_millis(200);
const WIDTH: u64 = 24;

/// Drawn on standard error, if that is a terminal; notes are written in any case.
pub(super) struct Line {
    is_drawn: bool,
    drawn_at: Option<Instant>,
    mailbox: String,
    found: u64,
    done: u64,
    bytes: u64,
}

impl Line {
    pub(super) fn new() -> Self {
        let is_drawn = std::io::stderr().is_terminal();
        Self { is_drawn, drawn_at: None, mailbox: String::new(), found: 0, done: 0, bytes: 0 }
    }

    /// What there is to say in the end.
    pub(super) fn end(&mut self) -> String {
        self.clear();
        format!("Done: {}; transferred: {}.", self.done, size(self.bytes))
    }

    fn draw(&mut self) {
        if !self.is_drawn || self.drawn_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.drawn_at = Some(Instant::now());
        self.write(&format!("\r\x1b[K{}", self.text()));
    }

    fn text(&self) -> String {
        let (done, bytes) = (self.done, size(self.bytes));
        let mailbox: String = printable(&self.mailbox).chars().take(30).collect();
        match self.found {
            0 => format!("{done}, {bytes}  {mailbox}"),
            found => {
                let filled = (done.min(found) * WIDTH / found) as usize;
                let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH as usize - filled));
                format!("[{bar}] {done}/{found}, {bytes}  {mailbox}")
            }
        }
    }

    fn clear(&mut self) {
        if self.is_drawn {
            self.write("\r\x1b[K");
        }
    }

    /// A terminal that went away is no reason to stop.
    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Progress for Line {
    fn found(&mut self, messages: u64) {
        self.found += messages;
        self.draw();
    }

    fn mailbox(&mut self, path: &str) {
        path.clone_into(&mut self.mailbox);
        self.draw();
    }

    fn done(&mut self, messages: u64) {
        self.done += messages;
        self.draw();
    }

    fn bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.draw();
    }

    fn note(&mut self, text: &str) {
        self.clear();
        self.write(&format!("{}\n", printable(text)));
        self.drawn_at = None;
        self.draw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        let mut line = Line::new();
        line.mailbox("INBOX");
        line.done(3);
        assert_eq!(line.text(), "3, 0 B  INBOX");
        line.found(12);
        line.bytes(2048);
        assert_eq!(line.text(), "[######..................] 3/12, 2.0 KiB  INBOX");
        // More than was announced: mail that arrived meanwhile.
        line.done(100);
        assert!(line.text().starts_with("[########################] 103/12"));
    }
}
