//! Request targets with a fragment. RFC 9112 §3.2 has none, but the `http` crate cuts `#…` off without a
//! word: `DELETE /folder/#file` would delete the folder. So the request line is looked at as it is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What was seen of the next request line of an HTTP/1 connection.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The next byte that is read begins a request.
    expecting: AtomicBool,
    has_fragment: AtomicBool,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { expecting: AtomicBool::new(true), has_fragment: AtomicBool::new(false) })
    }

    /// A request has begun; true if its target has a fragment.
    pub(crate) fn begin(&self) -> bool {
        self.expecting.store(false, Ordering::Relaxed);
        self.has_fragment.swap(false, Ordering::Relaxed)
    }

    /// The request is answered: what is read now is the next one.
    pub(crate) fn end(&self) {
        self.expecting.store(true, Ordering::Relaxed);
    }

    /// A line that comes in two pieces, or together with the request before it, is not seen whole; no
    /// client sends its request lines so.
    fn see(&self, bytes: &[u8]) {
        if bytes.is_empty() || !self.expecting.swap(false, Ordering::Relaxed) {
            return;
        }
        let line = bytes.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.contains(&b'#') {
            self.has_fragment.store(true, Ordering::Relaxed);
        }
    }
}

/// A connection whose request lines are looked at.
pub(crate) struct Watched<T> {
    inner: T,
    watch: Arc<Watch>,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, watch: Arc<Watch>) -> Self {
        Self { inner, watch }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.watch.see(buf.filled().get(before..).unwrap_or_default());
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_request_lines_are_looked_at() {
        let watch = Watch::new();
        watch.see(b"DELETE /a/#b HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(watch.begin());
        watch.see(b"#body\n");
        watch.end();
        watch.see(b"\r\nPUT /a HTTP/1.1\r\nX: #\r\n\r\n#");
        watch.see(b"Y: #\r\n\r\n");
        assert!(!watch.begin());
        watch.end();
        // Came together with the one before: the next bytes are its body.
        assert!(!watch.begin());
        watch.see(b"#body\n");
        watch.end();
        assert!(!watch.begin());
    }
}
