//! A connection that ends when nothing moves on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Fails reads and writes once no byte has moved for a time, in either direction. So a client that
/// reads nothing of a reply, or an HTTP/2 connection without requests, gives its place back.
///
/// While a handler works, silence is ours: ten gigabytes may take minutes to be on disk. How long a
/// handler waits for a body is its own affair.
pub(crate) struct Patient<T> {
    inner: T,
    silence: Duration,
    until: Pin<Box<Sleep>>,
    work: Work,
}

/// Counts the requests that are worked on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work(Arc<AtomicUsize>);

/// A request that is worked on, until it is dropped.
pub(crate) struct Working(Work);

impl Work {
    pub(crate) fn begin(&self) -> Working {
        self.0.fetch_add(1, Ordering::Relaxed);
        Working(self.clone())
    }

    fn is_done(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> Patient<T> {
    pub(crate) fn new(inner: T, silence: Duration, work: Work) -> Self {
        Self { inner, silence, until: Box::pin(tokio::time::sleep(silence)), work }
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
        // The answer will be written, and that begins the time anew.
        if result.is_pending() && !self.work.is_done() {
            return Poll::Pending;
        }
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
        let mut ours = Patient::new(ours, SILENCE, Work::default());
        peer.write_all(b"x").await.expect("room");
        assert_eq!(ours.read_u8().await.expect("a byte"), b'x');
        assert_eq!(ours.read_u8().await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_waits_for_us_is_not_given_up() {
        let (mut peer, ours) = tokio::io::duplex(8);
        let work = Work::default();
        let mut ours = Patient::new(ours, SILENCE, work.clone());
        let working = work.begin();
        let read = tokio::time::timeout(10 * SILENCE, ours.read_u8());
        assert!(read.await.is_err(), "it still waits");
        drop(working);
        ours.write_all(b"x").await.expect("room");
        peer.write_all(b"y").await.expect("room");
        assert_eq!(ours.read_u8().await.expect("a byte"), b'y');
        assert_eq!(ours.read_u8().await.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (_peer, ours) = tokio::io::duplex(8);
        let mut ours = Patient::new(ours, SILENCE, Work::default());
        let error = ours.write_all(&[0; 100]).await.expect_err("the pipe is full");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
