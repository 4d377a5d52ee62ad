//! Bodies of requests that are small, and those that nobody wants.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper::header::{self, HeaderMap};

use crate::http::Body;

/// Bytes of a body that a program's request has in vain; more are not waited for.
const MAX_UNWANTED: usize = 256 << 10;
/// Time for a body that nobody wants.
const UNWANTED_TIME: Duration = Duration::from_secs(30);

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFailure {
    /// The client has gone, or says what HTTP has no words for.
    Broken,
    /// It took too long.
    Late,
    /// There is more than was allowed.
    Long,
}

/// All of a body, `limit` bytes and `time` at most.
pub async fn read(body: &mut Body, limit: usize, time: Duration) -> Result<Bytes, BodyFailure> {
    let all = async {
        let mut bytes = BytesMut::new();
        while let Some(piece) = piece(body).await? {
            if bytes.len() + piece.len() > limit {
                return Err(BodyFailure::Long);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(time, all).await.map_err(|_| BodyFailure::Late)?
}

/// The next piece, which must come within `silence`; `None` at the end.
pub async fn next(body: &mut Body, silence: Duration) -> Result<Option<Bytes>, BodyFailure> {
    tokio::time::timeout(silence, piece(body)).await.map_err(|_| BodyFailure::Late)?
}

async fn piece(body: &mut Body) -> Result<Option<Bytes>, BodyFailure> {
    while let Some(frame) = body.frame().await {
        // What is no data are trailers, which mean nothing here.
        if let Ok(piece) = frame.map_err(|_| BodyFailure::Broken)?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// Reads what of a body nobody wants, within limits: a client that is still sending would get a reset
/// connection instead of its answer. One that asks first (RFC 9110 §10.1.1) has not sent anything yet.
pub async fn drain(headers: &HeaderMap, body: Body) {
    if !body.is_end_stream() && !headers.contains_key(header::EXPECT) {
        // Too slow: the answer may still arrive.
        let _ = tokio::time::timeout(UNWANTED_TIME, drain_up_to(body, MAX_UNWANTED, UNWANTED_TIME)).await;
    }
}

/// As [`drain`], for clients that look at the answer only when they have sent everything: browsers do.
pub async fn drain_up_to(mut body: Body, most: usize, silence: Duration) {
    let mut left = most;
    while let Ok(Some(piece)) = next(&mut body, silence).await {
        let Some(less) = left.checked_sub(piece.len()) else { return };
        left = less;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{channel, empty, full};

    const SOON: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn bodies_are_read_within_limits() {
        assert_eq!(read(&mut full("abcd"), 4, SOON).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(read(&mut full("abcde"), 4, SOON).await, Err(BodyFailure::Long));
        assert_eq!(read(&mut empty(), 4, SOON).await.as_deref(), Ok(&b""[..]));
        let (sender, mut body) = channel();
        sender.send(Bytes::from("ab")).await.expect("room");
        sender.abort("gone".into()).await;
        assert_eq!(read(&mut body, 4, SOON).await, Err(BodyFailure::Broken));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let (_sender, mut body) = channel();
        assert_eq!(read(&mut body, 4, SOON).await, Err(BodyFailure::Late));
        assert_eq!(next(&mut body, SOON).await, Err(BodyFailure::Late));
        drain(&HeaderMap::new(), body).await;
    }

    #[tokio::test]
    async fn what_nobody_wants_is_read_up_to_a_limit() {
        let (sender, body) = channel();
        let writer = tokio::spawn(async move {
            let mut sent = 0;
            while sent < 100 && sender.send(Bytes::from(vec![0; 64 << 10])).await.is_ok() {
                sent += 1;
            }
            sent
        });
        drain(&HeaderMap::new(), body).await;
        let sent = writer.await.expect("ended");
        assert!((4..10).contains(&sent), "{sent} pieces were taken");
    }
}
