//! COMPRESS=DEFLATE (RFC 4978): a transport around a transport.
//!
//! Every flush ends at a byte boundary with all that was written (Z_SYNC_FLUSH), so no response waits
//! inside the compressor; input is inflated as far as it has come, wherever it was cut. iOS Mail
//! hung with servers that did neither (mjl-/mox f6132bd). What is inflated goes through the limits
//! of plain input: a bomb is only ever unpacked as far as somebody reads.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hub_wire::sasl::ChannelBinding;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use self::deflate::Deflater;
use self::inflate::Inflater;
use crate::link::{Transport, Waiting};

mod deflate;
mod inflate;

/// Output is handed to the connection in pieces of about this size.
const PIECE: usize = 64 << 10;
/// Read at a time.
const PACKED: usize = 4 << 10;
/// After so much silence what both directions need, some 250 KiB, is given back.
const REST: Duration = Duration::from_secs(5);

pub(crate) struct Deflated {
    inner: Box<dyn Transport>,
    deflater: Deflater,
    inflater: Inflater,
}

impl Deflated {
    pub(crate) fn new(inner: Box<dyn Transport>) -> Self {
        Self { inner, deflater: Deflater::default(), inflater: Inflater::default() }
    }

    /// Waits for inflated bytes, or the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.inflater.inflate()?;
            if !self.inflater.plain().is_empty() || self.inflater.has_ended() {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; PACKED];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            match buffer.filled() {
                [] => self.inflater.end(),
                packed => self.inflater.take(packed),
            }
        }
    }

    /// Writes what is compressed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let rest @ [_, ..] = &self.deflater.packed[self.deflater.written..] {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.deflater.written += count,
            }
        }
        self.deflater.packed.clear();
        self.deflater.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl Transport for Deflated {
    fn id(&self) -> u64 {
        self.inner.id()
    }

    fn peer(&self) -> IpAddr {
        self.inner.peer()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }

    fn is_compressed(&self) -> bool {
        true
    }

    fn may_authenticate(&self) -> bool {
        self.inner.may_authenticate()
    }

    fn channel_binding(&self) -> Option<ChannelBinding> {
        self.inner.channel_binding()
    }

    fn readable(&mut self) -> Waiting<'_, io::Result<()>> {
        Box::pin(async move {
            // What ends a flush comes behind what was read of it.
            self.inflater.inflate()?;
            if self.inflater.is_drained() {
                match timeout(REST, self.inner.readable()).await {
                    Ok(readable) => readable?,
                    Err(_) => {
                        self.deflater.rest();
                        self.inflater.rest();
                        self.inner.readable().await?;
                    }
                }
            }
            // What arrives may be the end of a flush, or half a symbol: nothing to read yet.
            poll_fn(|cx| self.poll_fill(cx)).await
        })
    }

    fn start_tls(self: Box<Self>, _: Arc<ServerConfig>) -> Waiting<'static, io::Result<Box<dyn Transport>>> {
        // TLS comes before log-in, compression after it.
        Box::pin(async { Err(io::ErrorKind::InvalidInput.into()) })
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_fill(cx))?;
        let plain = self.inflater.plain();
        let count = plain.len().min(buf.remaining());
        buf.put_slice(&plain[..count]);
        self.inflater.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.deflater.packed.len() >= PIECE {
            ready!(self.poll_drain(cx))?;
        }
        let taken = &bytes[..bytes.len().min(PIECE)];
        self.deflater.write(taken)?;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.deflater.flush()?;
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
