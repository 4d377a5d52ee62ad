//! A connection that ends when nothing moves on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Fails reads and writes once no byte has moved for a time, in either direction. So a client that
/// reads nothing of a reply, or an HTTP/2 connection without requests, gives its place back.
pub(crate) struct Patient<T> {
    inner: T,
    silence: Duration,
    until: Pin<Box<Sleep>>,
}

impl<T> Patient<T> {
    pub(crate) fn new(inner: T, silence: Duration) -> Self {
        Self { inner, silence, until: Box::pin(tokio::time::sleep(silence)) }
    }

    /// `bytes` moved, or nothing can for the moment.
    fn judge<R>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if result.is_ready() {
            self.until.as_mut().reset(Instant::now() + self.silence);
            return result;
        }
        match self.until.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.judge(cx, result)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// Not judged by success: a flush of nothing always succeeds, and moves nothing.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Pending => self.judge(cx, Poll::Pending),
            ready => ready,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Pending => self.judge(cx, Poll::Pending),
            ready => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const SILENCE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_given_up() {
        let (mut peer, ours) = tokio::io::duplex(8);
        let mut ours = Patient::new(ours, SILENCE);
        peer.write_all(b"x").await.expect("room");
        assert_eq!(ours.read_u8().await.expect("a byte"), b'x');
        assert_eq!(ours.read_u8().await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (_peer, ours) = tokio::io::duplex(8);
        let mut ours = Patient::new(ours, SILENCE);
        let error = ours.write_all(&[0; 100]).await.expect_err("the pipe is full");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
