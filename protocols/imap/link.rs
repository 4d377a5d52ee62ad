//! One client's connection as the session sees it: steps come in, bytes go out, both bounded.
//!
//! Output is collected in one buffer and written when it is full or when the client is waited for;
//! nobody holds a lock or a transaction over that. While nothing happens no buffer is kept.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hub_wire::sasl::ChannelBinding;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::compress::Deflated;
use crate::encode::Buffer;
use crate::input::{Input, Step};

pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream and what IMAP wants to know of it. The server's are [`hub_wire::Connection`]s;
/// tests speak over pipes in memory.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// For logs.
    fn id(&self) -> u64;
    fn peer(&self) -> IpAddr;
    fn is_tls(&self) -> bool;
    /// COMPRESS is active.
    fn is_compressed(&self) -> bool {
        false
    }
    /// TLS, or a peer on this machine.
    fn may_authenticate(&self) -> bool;
    /// What a SASL exchange can be bound to.
    fn channel_binding(&self) -> Option<ChannelBinding>;
    /// Waits for input without holding a buffer.
    fn readable(&mut self) -> Waiting<'_, io::Result<()>>;
    fn start_tls(self: Box<Self>, tls: Arc<ServerConfig>)
    -> Waiting<'static, io::Result<Box<dyn Transport>>>;
}

/// Why a conversation ends.
#[derive(Debug)]
pub(crate) enum Stop {
    /// BYE was said, or is not due.
    Closed,
    /// The connection broke, or the client does not read.
    Lost(io::Error),
    /// Say BYE with this text.
    Bye(&'static str),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// Output is handed to the socket in pieces of about this size.
pub(crate) const FULL: usize = 64 << 10;
/// Room for reading: a stranger gets little, a client in the middle of APPEND a lot.
const SMALL_READ: usize = 4 << 10;
const LARGE_READ: usize = 64 << 10;
/// A client that says nothing for so long is taken to be idle. Others keep their buffers: to get them
/// anew costs more than many a command.
const BREATH: Duration = Duration::from_millis(500);

pub(crate) struct Link {
    transport: Option<Box<dyn Transport>>,
    pub(crate) input: Input,
    /// Responses that wait to be written.
    pub(crate) out: Buffer,
    shutdown: CancellationToken,
    /// When a silent client is cut off.
    pub(crate) deadline: Instant,
    /// A client that takes nothing, or stops in the middle of a message, for so long is gone.
    patience: Duration,
}

impl Link {
    pub(crate) fn new(
        transport: Box<dyn Transport>,
        shutdown: CancellationToken,
        deadline: Instant,
        patience: Duration,
    ) -> Self {
        Self {
            transport: Some(transport),
            input: Input::new(),
            out: Vec::new(),
            shutdown,
            deadline,
            patience,
        }
    }

    pub(crate) fn transport(&self) -> Option<&dyn Transport> {
        self.transport.as_deref()
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Writes what is there if it is much: call it wherever output is produced in a loop.
    pub(crate) async fn relieve(&mut self) -> Result<(), Stop> {
        if self.out.len() >= FULL { self.flush().await } else { Ok(()) }
    }

    /// Writes much at once, behind what waits: it need not be copied.
    pub(crate) async fn pass(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let transport = self.transport.as_mut().ok_or(Stop::Closed)?;
        write_all(transport, &self.out, self.patience).await?;
        self.out.clear();
        write_all(transport, bytes, self.patience).await
    }

    /// Writes all output.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        if self.out.is_empty() {
            return Ok(());
        }
        let transport = self.transport.as_mut().ok_or(Stop::Closed)?;
        write_all(transport, &self.out, self.patience).await?;
        timeout(self.patience, transport.flush()).await.map_err(|_| too_slow())??;
        self.out.clear();
        // One large FETCH must not keep its memory for the rest of a day.
        if self.out.capacity() > 4 * FULL {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// The next step; waits for the client, after telling it all there is to tell.
    pub(crate) async fn step(&mut self) -> Result<Step, Stop> {
        loop {
            match self.input.next() {
                Step::Starve => {
                    self.flush().await?;
                    self.wait().await?;
                    self.read().await?;
                }
                step => return Ok(step),
            }
        }
    }

    /// Waits for input, the deadline or the shutdown. These two come first: a client that sends a byte
    /// now and then must not get around them.
    async fn wait(&mut self) -> Result<(), Stop> {
        let within_command = !self.input.is_stranger() && !self.input.is_between_commands();
        let until = if within_command { Instant::now() + self.patience } else { self.deadline };
        let breath = until.min(Instant::now() + BREATH);
        match self.wait_until(breath).await? {
            Woken::Time if breath < until => {
                self.rest();
                self.wait_until(until).await?.in_time()
            }
            woken => woken.in_time(),
        }
    }

    async fn wait_until(&mut self, until: Instant) -> Result<Woken<Infallible>, Stop> {
        let transport = self.transport.as_mut().ok_or(Stop::Closed)?;
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Stop::Bye("The server is shutting down")),
            () = tokio::time::sleep_until(until) => Ok(Woken::Time),
            readable = transport.readable() => {
                readable?;
                Ok(Woken::Input)
            }
        }
    }

    /// Waits for input, or until `other` happens, or `until`; for IDLE.
    pub(crate) async fn wait_or<T>(
        &mut self,
        other: impl Future<Output = T>,
        until: Instant,
    ) -> Result<Woken<T>, Stop> {
        self.rest();
        let transport = self.transport.as_mut().ok_or(Stop::Closed)?;
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Stop::Bye("The server is shutting down")),
            readable = transport.readable() => {
                readable?;
                Ok(Woken::Input)
            }
            value = other => Ok(Woken::Other(value)),
            () = tokio::time::sleep_until(until) => Ok(Woken::Time),
        }
    }

    /// Gives back memory before waiting.
    fn rest(&mut self) {
        self.input.release();
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }

    /// Reads what has arrived.
    pub(crate) async fn read(&mut self) -> Result<(), Stop> {
        let room = if self.input.is_between_commands() { SMALL_READ } else { LARGE_READ };
        let transport = self.transport.as_mut().ok_or(Stop::Closed)?;
        let buffer = self.input.buffer();
        buffer.reserve(room);
        let count = timeout(self.patience, transport.read_buf(buffer)).await.map_err(|_| too_slow())??;
        if count == 0 {
            return Err(Stop::Closed);
        }
        self.input.received(count);
        Ok(())
    }

    /// Makes the connection a TLS one. What the client sent ahead is dropped.
    pub(crate) async fn start_tls(&mut self, tls: Arc<ServerConfig>) -> Result<(), Stop> {
        self.input.discard();
        let transport = self.transport.take().ok_or(Stop::Closed)?;
        self.transport = Some(transport.start_tls(tls).await?);
        Ok(())
    }

    /// Compresses both directions from here on; call it when all output has been written.
    pub(crate) fn compress(&mut self) -> Result<(), Stop> {
        let transport = self.transport.take().ok_or(Stop::Closed)?;
        self.transport = Some(Box::new(Deflated::new(transport)));
        Ok(())
    }

    /// Ends the connection in good order.
    pub(crate) async fn close(mut self, stop: Stop) {
        if let Stop::Bye(text) = stop {
            self.say(&format!("* BYE {text}"));
        }
        if let Stop::Lost(_) = stop {
            return;
        }
        if self.flush().await.is_ok()
            && let Some(transport) = &mut self.transport
        {
            // A peer that is gone already makes this fail, and nothing follows from it.
            let _ = timeout(self.patience, transport.shutdown()).await;
        }
    }
}

async fn write_all(
    transport: &mut Box<dyn Transport>,
    mut rest: &[u8],
    patience: Duration,
) -> Result<(), Stop> {
    while !rest.is_empty() {
        // The limit is for each piece: a slow client is served, one that reads nothing is not.
        let written = timeout(patience, transport.write(rest)).await.map_err(|_| too_slow())??;
        if written == 0 {
            return Err(Stop::Lost(io::ErrorKind::WriteZero.into()));
        }
        rest = &rest[written..];
    }
    Ok(())
}

pub(crate) enum Woken<T> {
    Input,
    Other(T),
    Time,
}

impl Woken<Infallible> {
    fn in_time(self) -> Result<(), Stop> {
        match self {
            Self::Input => Ok(()),
            Self::Time => Err(Stop::Bye("Nothing was heard for too long")),
        }
    }
}

fn too_slow() -> Stop {
    Stop::Lost(io::Error::new(io::ErrorKind::TimedOut, "the client does not read or write"))
}
