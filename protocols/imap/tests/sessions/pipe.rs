//! Clients that talk to a session over a pipe in memory.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use hub_imap::{Transport, Waiting, converse};
use hub_wire::sasl::ChannelBinding;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// How long a line may take; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client's end.
pub(crate) struct Client {
    stream: DuplexStream,
    received: Vec<u8>,
    /// Lines that go out together with the next wait.
    pending: Vec<u8>,
    tag: u32,
    codec: Option<Codec>,
}

/// Compression of both directions.
struct Codec {
    deflater: Compress,
    inflater: Decompress,
    /// The compressed stream is written in pieces of so many bytes.
    piece: usize,
}

impl Client {
    /// A new connection, from this machine or from elsewhere.
    pub(crate) fn connect(world: &World, local: bool) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let pipe = Pipe { stream: theirs, peeked: None, local };
        tokio::spawn(converse(Arc::clone(&world.service), Box::new(pipe), CancellationToken::new()));
        Self { stream: ours, received: Vec::new(), pending: Vec::new(), tag: 0, codec: None }
    }

    pub(crate) fn send_later(&mut self, line: &str) {
        self.pending.extend_from_slice(line.as_bytes());
        self.pending.extend_from_slice(b"\r\n");
    }

    pub(crate) async fn send_now(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        // Whoever has closed shows it by what is read.
        let Some(codec) = &mut self.codec else {
            let _ = self.stream.write_all(&pending).await;
            return;
        };
        let mut packed = Vec::with_capacity(pending.len() + 1024);
        codec.deflater.compress_vec(&pending, &mut packed, FlushCompress::Sync).expect("deflated");
        for piece in packed.chunks(codec.piece) {
            let _ = self.stream.write_all(piece).await;
            // Lets the server see this piece alone.
            tokio::task::yield_now().await;
        }
    }

    /// COMPRESS has been answered: both directions are compressed from here on.
    pub(crate) fn compress(&mut self, piece: usize) {
        let (deflater, inflater) = (Compress::new(Compression::default(), false), Decompress::new(false));
        self.codec = Some(Codec { deflater, inflater, piece });
    }

    /// Reads what comes next; 0 at the end.
    async fn read(&mut self) -> io::Result<usize> {
        let Some(codec) = &mut self.codec else {
            return self.stream.read_buf(&mut self.received).await;
        };
        let mut packed = Vec::new();
        let count = self.stream.read_buf(&mut packed).await?;
        let mut rest = packed.as_slice();
        loop {
            self.received.reserve(1 << 16);
            let before = codec.inflater.total_in();
            codec.inflater.decompress_vec(rest, &mut self.received, FlushDecompress::None)?;
            rest = &rest[(codec.inflater.total_in() - before) as usize..];
            if rest.is_empty() && self.received.len() < self.received.capacity() {
                return Ok(count);
            }
        }
    }

    /// The next line without its CRLF, `[closed]` at the end.
    pub(crate) async fn line(&mut self) -> Result<String, String> {
        self.send_now().await;
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.received.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| "a line is not UTF-8".to_owned());
            }
            let read = timeout(PATIENCE, self.read()).await;
            match read.map_err(|_| {
                format!("nothing received; waiting behind {:?}", self.received.escape_ascii().to_string())
            })? {
                Ok(0) | Err(_) if self.received.is_empty() => return Ok("[closed]".to_owned()),
                Ok(0) | Err(_) => return Err("closed within a line".to_owned()),
                Ok(_) => {}
            }
        }
    }

    /// Sends a command and reads until its end, which must be OK; returns all lines.
    pub(crate) async fn command(&mut self, command: &str) -> Result<Vec<String>, String> {
        self.tag += 1;
        let tag = format!("zz{}", self.tag);
        self.send_later(&format!("{tag} {command}"));
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            if let Some(end) = line.strip_prefix(&format!("{tag} ")) {
                if !end.starts_with("OK") {
                    return Err(format!("{command}: {line}"));
                }
                lines.push(line);
                return Ok(lines);
            }
            if line == "[closed]" {
                return Err(format!("{command}: closed"));
            }
            lines.push(line);
        }
    }

    /// Sends the bytes in pieces of these lengths, over and over, and reads meanwhile up to a line that
    /// starts with `end`.
    pub(crate) async fn exchange(
        &mut self,
        bytes: &[u8],
        pieces: &[usize],
        end: &[u8],
    ) -> Result<Vec<u8>, String> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let send = async {
            let mut rest = bytes;
            for &piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                writer.write_all(now).await.map_err(|error| error.to_string())?;
                tokio::task::yield_now().await;
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            Ok(())
        };
        let hear = async {
            let mut heard = Vec::new();
            let is_end = |heard: &[u8]| {
                let lines = heard.strip_suffix(b"\r\n")?;
                let last = lines.windows(2).rposition(|pair| pair == b"\r\n").map_or(0, |at| at + 2);
                lines[last..].starts_with(end).then_some(())
            };
            while is_end(&heard).is_none() {
                let read = timeout(PATIENCE, reader.read_buf(&mut heard)).await;
                if !matches!(read, Ok(Ok(1..))) {
                    return Err(format!("no end after {}", heard.escape_ascii()));
                }
            }
            Ok(heard)
        };
        let (sent, heard): (Result<(), String>, Result<Vec<u8>, String>) = tokio::join!(send, hear);
        sent.and(heard)
    }

    /// What came without being asked for, before the answer to CAPABILITY.
    pub(crate) async fn unexpected(&mut self) -> Option<String> {
        self.send_later("zzend CAPABILITY");
        match self.line().await {
            Ok(line) if line == "[closed]" || line.starts_with("* CAPABILITY") => None,
            Ok(line) => Some(line),
            Err(problem) => Some(problem),
        }
    }
}

/// The server's end: a pipe that can say whether it is readable.
struct Pipe {
    stream: DuplexStream,
    peeked: Option<u8>,
    local: bool,
}

impl Transport for Pipe {
    fn id(&self) -> u64 {
        1
    }

    fn peer(&self) -> IpAddr {
        if self.local { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([192, 0, 2, 1]) }
    }

    fn is_tls(&self) -> bool {
        false
    }

    fn may_authenticate(&self) -> bool {
        self.local
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        None
    }

    fn readable(&mut self) -> Waiting<'_, io::Result<()>> {
        Box::pin(async move {
            if self.peeked.is_none() {
                let mut byte = [0];
                if self.stream.read(&mut byte).await? == 1 {
                    self.peeked = Some(byte[0]);
                }
            }
            Ok(())
        })
    }

    fn start_tls(self: Box<Self>, _: Arc<ServerConfig>) -> Waiting<'static, io::Result<Box<dyn Transport>>> {
        Box::pin(async { Err(io::Error::other("no TLS over a pipe")) })
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(byte) = self.peeked.take() {
            buf.put_slice(&[byte]);
            // With all that has arrived behind it, as a socket would give it.
            return match Pin::new(&mut self.stream).poll_read(cx, buf) {
                Poll::Pending => Poll::Ready(Ok(())),
                ready => ready,
            };
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
