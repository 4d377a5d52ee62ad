//! Waiting for SQLite's thread without going to sleep at once.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

/// How often a stream that has nothing yet is asked again before the task sleeps.
const ROUNDS: u32 = 24;

/// Rows come from SQLite's thread one by one, some microseconds apart; sleeping and waking for each
/// costs more than the row. This asks again a few times, letting other tasks run in between.
pub(crate) struct Patient<S> {
    stream: S,
    left: u32,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, left: ROUNDS }
    }
}

impl<S: Stream + Unpin> Stream for Patient<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        match Pin::new(&mut self.stream).poll_next(context) {
            Poll::Pending if self.left > 0 => {
                self.left -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => {
                self.left = ROUNDS;
                Poll::Pending
            }
            ready => {
                self.left = ROUNDS;
                ready
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::stream;

    use super::*;

    #[test]
    fn it_asks_again_and_then_sleeps() {
        let mut asked = 0;
        let source = stream::poll_fn(|_: &mut Context<'_>| {
            asked += 1;
            match asked {
                3 => Poll::Ready(Some('a')),
                4 => Poll::Ready(Some('b')),
                100.. => Poll::Ready(None),
                _ => Poll::Pending,
            }
        });
        let woken = std::sync::Arc::new(Count(std::sync::atomic::AtomicU32::new(0)));
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut patient = Patient::new(source);
        let mut poll = || Pin::new(&mut patient).poll_next(&mut context);
        let wakes = || woken.0.swap(0, std::sync::atomic::Ordering::Relaxed);
        assert_eq!((poll(), poll(), wakes()), (Poll::Pending, Poll::Pending, 2));
        assert_eq!((poll(), poll(), wakes()), (Poll::Ready(Some('a')), Poll::Ready(Some('b')), 0));
        for _ in 0..ROUNDS {
            assert_eq!((poll(), wakes()), (Poll::Pending, 1));
        }
        // Now the stream's own waker must do it.
        assert_eq!((poll(), wakes()), (Poll::Pending, 0));
    }

    struct Count(std::sync::atomic::AtomicU32);

    impl std::task::Wake for Count {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}
