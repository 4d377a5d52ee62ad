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

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hub_wire::sasl::ChannelBinding;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::link::{Transport, Waiting};

/// Output is handed to the connection in pieces of about this size.
const PIECE: usize = 64 << 10;
/// Inflated at a time.
const PLAIN: usize = 16 << 10;
/// Read at a time.
const PACKED: usize = 4 << 10;
/// After so much silence the compressor, some 200 KiB, is given back.
const REST: Duration = Duration::from_secs(5);

pub(crate) struct Deflated {
    inner: Box<dyn Transport>,
    deflater: Deflater,
    inflater: Inflater,
}

impl Deflated {
    pub(crate) fn new(inner: Box<dyn Transport>) -> Self {
        Self { inner, deflater: Deflater::default(), inflater: Inflater::new() }
    }

    /// Waits for inflated bytes, or the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.inflater.inflate()?;
            if !self.inflater.plain().is_empty() || self.inflater.ended {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; PACKED];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            match buffer.filled() {
                [] => self.inflater.ended = true,
                packed => self.inflater.packed.extend_from_slice(packed),
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
            if self.inflater.is_drained() {
                self.inflater.rest();
                match timeout(REST, self.inner.readable()).await {
                    Ok(readable) => readable?,
                    Err(_) => {
                        self.deflater.rest();
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
        self.inflater.read += count;
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

#[derive(Default)]
struct Deflater {
    /// Made when it is needed. At a byte boundary behind a flush a new one, which refers to nothing
    /// that was said before, can go on for one that was given back.
    codec: Option<Compress>,
    /// Compressed and not yet taken by the connection, from `written` on.
    packed: Vec<u8>,
    written: usize,
    /// Something was compressed since the last flush.
    unflushed: bool,
}

impl Deflater {
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.compress(bytes, FlushCompress::None)?;
            bytes = &bytes[taken..];
            self.unflushed = true;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.unflushed {
            self.compress(&[], FlushCompress::Sync)?;
            // A full buffer may have cut the flush short.
            self.unflushed = self.packed.len() == self.packed.capacity();
        }
        Ok(())
    }

    /// Returns how much was taken.
    fn compress(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<usize> {
        // The fastest level: IMAP's responses shrink to a third or a quarter of their size with it.
        let codec = self.codec.get_or_insert_with(|| Compress::new(Compression::fast(), false));
        self.packed.reserve(bytes.len() / 2 + 256);
        let before = codec.total_in();
        codec.compress_vec(bytes, &mut self.packed, flush)?;
        Ok((codec.total_in() - before) as usize)
    }

    /// Gives back all memory, if nothing waits to be flushed.
    fn rest(&mut self) {
        if !self.unflushed && self.packed.is_empty() {
            *self = Self::default();
        }
    }
}

struct Inflater {
    /// 43 KiB: the client may refer to anything within its last 32 KiB.
    codec: Decompress,
    /// Received and not yet inflated.
    packed: Vec<u8>,
    /// Inflated and, from `read` on, not yet read.
    plain: Vec<u8>,
    read: usize,
    /// More can be inflated without more input.
    has_more: bool,
    /// The client has ended the connection or its stream.
    ended: bool,
}

impl Inflater {
    fn new() -> Self {
        let codec = Decompress::new(false);
        Self { codec, packed: Vec::new(), plain: Vec::new(), read: 0, has_more: false, ended: false }
    }

    fn plain(&self) -> &[u8] {
        &self.plain[self.read..]
    }

    /// Inflates the next piece, if the last has been read.
    fn inflate(&mut self) -> io::Result<()> {
        while self.plain().is_empty() && !self.ended && (self.has_more || !self.packed.is_empty()) {
            self.plain.clear();
            self.plain.reserve(PLAIN);
            self.read = 0;
            let before = self.codec.total_in();
            let status = self
                .codec
                .decompress_vec(&self.packed, &mut self.plain, FlushDecompress::None)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let taken = (self.codec.total_in() - before) as usize;
            self.packed.drain(..taken);
            self.has_more = self.plain.len() == self.plain.capacity();
            self.ended |= status == Status::StreamEnd;
            if taken == 0 && self.plain.is_empty() && !self.packed.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the input is not compressed"));
            }
        }
        Ok(())
    }

    fn is_drained(&self) -> bool {
        self.plain().is_empty() && self.packed.is_empty() && !self.has_more && !self.ended
    }

    /// Gives back what can be given back while nothing comes.
    fn rest(&mut self) {
        (self.packed, self.plain, self.read) = (Vec::new(), Vec::new(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Inflates `pieces` as they come; what was there after each.
    fn inflated(pieces: &[&[u8]]) -> io::Result<Vec<usize>> {
        let mut inflater = Inflater::new();
        let mut total = 0;
        let mut totals = Vec::new();
        for piece in pieces {
            inflater.packed.extend_from_slice(piece);
            loop {
                inflater.inflate()?;
                if inflater.plain().is_empty() {
                    break;
                }
                assert!(inflater.plain.len() <= 2 * PLAIN, "a piece at a time");
                total += inflater.plain().len();
                inflater.read = inflater.plain.len();
            }
            assert!(inflater.is_drained() || inflater.ended);
            totals.push(total);
        }
        Ok(totals)
    }

    fn packed(deflater: &mut Deflater, bytes: &[u8]) -> Vec<u8> {
        deflater.write(bytes).expect("deflated");
        deflater.flush().expect("flushed");
        std::mem::take(&mut deflater.packed)
    }

    #[test]
    fn a_bomb_is_unpacked_in_pieces() {
        let bomb = packed(&mut Deflater::default(), &vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(inflated(&[&bomb]).expect("inflated"), [64 << 20]);
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(inflated(&[b"a NOOP\r\nb NOOP\r\n"]).is_err());
    }

    #[test]
    fn a_compressor_can_be_given_back_between_flushes() {
        let mut deflater = Deflater::default();
        let mut decompress = Decompress::new(false);
        let text = b"* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n".repeat(100);
        for round in 0..10 {
            let packed = packed(&mut deflater, &text);
            let mut plain = Vec::with_capacity(2 * text.len());
            decompress.decompress_vec(&packed, &mut plain, FlushDecompress::None).expect("inflated");
            assert!(plain == text, "round {round}");
            deflater.rest();
            assert!(deflater.codec.is_none());
        }
    }

    proptest! {
        #[test]
        fn all_that_was_flushed_arrives_wherever_it_is_cut(
            batches in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 1..300), 1usize..200), 1..6),
            size in 1usize..50,
        ) {
            let mut deflater = Deflater::default();
            let mut stream = Vec::new();
            let mut pieces = Vec::new();
            let mut expected = 0;
            for (bytes, times) in &batches {
                let batch = packed(&mut deflater, &bytes.repeat(*times));
                stream.extend_from_slice(&batch);
                pieces.push(batch);
                expected += bytes.len() * times;
            }
            let whole: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let totals = inflated(&whole).expect("inflated");
            let sums: Vec<usize> = batches
                .iter()
                .scan(0, |sum, (bytes, times)| { *sum += bytes.len() * times; Some(*sum) })
                .collect();
            prop_assert_eq!(totals, sums, "nothing of a batch is held back");
            let cut: Vec<&[u8]> = stream.chunks(size).collect();
            let totals = inflated(&cut).expect("inflated");
            prop_assert_eq!(totals.last(), Some(&expected));
        }

        #[test]
        fn any_input_is_inflated_or_refused(bytes: Vec<u8>, size in 1usize..20) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            let _ = inflated(&pieces);
        }
    }
}
