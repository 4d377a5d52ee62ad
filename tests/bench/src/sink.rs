//! The host that mail to the outside goes to: it takes everything, after a while.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Stands in the recipients of this run; others are left over from an earlier one.
    mark: String,
    /// Before the 250 to the final dot.
    latency: Duration,
    closed: AtomicBool,
    seen: Mutex<Seen>,
}

/// What came in.
#[derive(Default)]
pub(crate) struct Seen {
    /// Recipients: each message of a run has one of its own.
    pub(crate) recipients: HashSet<String>,
    pub(crate) messages: usize,
    pub(crate) connections: usize,
    open: Vec<TcpStream>,
    pub(crate) last: Option<Instant>,
}

impl Sink {
    pub(crate) fn open(port: u16, mark: &str, latency: Duration) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = TcpListener::bind(address).with_context(|| format!("the sink's port {port}"))?;
        let (mark, closed) = (mark.to_owned(), AtomicBool::new(false));
        let shared = Arc::new(Shared { mark, latency, closed, seen: Mutex::default() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.closed.load(Ordering::Acquire) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks shows in what arrives.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.shared.seen.lock().expect("no thread panicked"))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        // Wakes who waits for connections, so that the port is free again.
        let _ = TcpStream::connect(self.address);
        for stream in &self.shared.seen.lock().expect("no thread panicked").open {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        {
            let mut seen = self.seen.lock().expect("no thread panicked");
            seen.connections += 1;
            seen.open.push(stream.try_clone()?);
        }
        let mut out = stream.try_clone()?;
        let mut input = BufReader::new(stream);
        out.write_all(b"220 sink.test ready\r\n")?;
        let (mut line, mut recipient, mut in_data) = (Vec::new(), String::new(), false);
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if in_data {
                if line == b".\r\n" {
                    in_data = false;
                    std::thread::sleep(self.latency);
                    out.write_all(b"250 2.0.0 taken\r\n")?;
                    self.took(std::mem::take(&mut recipient));
                }
                continue;
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let reply: &[u8] = match text.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n",
                "DATA" => {
                    in_data = true;
                    b"354 go\r\n"
                }
                "QUIT" => return Ok(out.write_all(b"221 2.0.0 bye\r\n")?),
                "RCPT" => {
                    recipient = text;
                    b"250 2.1.5 ok\r\n"
                }
                _ => b"250 2.0.0 ok\r\n",
            };
            out.write_all(reply)?;
        }
    }

    fn took(&self, recipient: String) {
        if !recipient.contains(&self.mark) {
            return;
        }
        let mut seen = self.seen.lock().expect("no thread panicked");
        seen.messages += 1;
        seen.recipients.insert(recipient);
        seen.last = Some(Instant::now());
    }
}
