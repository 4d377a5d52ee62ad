//! `GET /jmap/download/{accountId}/{blobId}/{name}?accept={type}` (RFC 8620 §6.2), whole or one range.

use std::ops::Range;

use bytes::Bytes;
use hub::{Account, Error};
use hub_wire::http::{self, Body};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use crate::Service;
use crate::blob::{self, Blob};
use crate::ids::{self, BlobId};
use crate::reply::{self, Reply, sentence};
use crate::status;

/// Sent at once.
const PIECE: u64 = 128 << 10;

pub(crate) async fn answer(
    _: &Service,
    account: &Account,
    of: &str,
    blob_id: &str,
    name: &str,
    head: &Parts,
) -> Reply {
    let blob = match BlobId::parse(blob_id).filter(|_| of == ids::account(account.id())) {
        Some(id) => blob::open(account, &id).await,
        None => Err(Error::NotFound("blob")),
    };
    let blob = match blob {
        Ok(blob) => blob,
        Err(error) => return status::reply(&error),
    };
    let size = blob.size();
    let range = head.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let range =
        range.filter(|_| head.method == Method::GET).map_or(Wanted::Whole, |field| wanted(field, size));
    let (status, part) = match range {
        Wanted::Whole => (StatusCode::OK, 0..size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Unsatisfiable => {
            let mut reply = sentence(StatusCode::RANGE_NOT_SATISFIABLE, "The blob has no such bytes.");
            reply::set_text(&mut reply, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return reply;
        }
    };
    let length = part.end - part.start;
    let content_range = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
    let body = match head.method == Method::HEAD {
        true => Ok(http::empty()),
        false => content(blob, part).await,
    };
    let mut reply = match body {
        Ok(body) => Response::new(body),
        Err(error) => return status::reply(&error),
    };
    *reply.status_mut() = status;
    if status == StatusCode::PARTIAL_CONTENT {
        reply::set_text(&mut reply, header::CONTENT_RANGE, &content_range);
    }
    reply::set(&mut reply, header::CONTENT_LENGTH, HeaderValue::from(length));
    set_manners(&mut reply, &accept(head), name);
    reply
}

/// Content of mail comes from strangers: nothing in it may run as a page of this origin, whatever type
/// the URL asks for.
fn set_manners(reply: &mut Reply, media_type: &str, name: &str) {
    reply::set_text(reply, header::CONTENT_TYPE, media_type);
    // The name stands in the path and is percent-encoded as it must be here (RFC 8187).
    reply::set_text(reply, header::CONTENT_DISPOSITION, &format!("attachment; filename*=UTF-8''{name}"));
    reply::set(reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    reply::set(reply, header::CONTENT_SECURITY_POLICY, policy);
    reply::set(reply, header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // RFC 8620 §6.2: a blob never changes.
    let forever = HeaderValue::from_static("private, immutable, max-age=31536000");
    reply::set(reply, header::CACHE_CONTROL, forever);
}

fn accept(head: &Parts) -> String {
    let query = head.uri.query().unwrap_or_default();
    let accept = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "accept");
    let accept = accept.map(|(_, value)| value.into_owned()).filter(|value| value.contains('/'));
    accept.unwrap_or_else(|| "application/octet-stream".to_owned())
}

async fn content(blob: Blob, part: Range<u64>) -> hub::Result<Body> {
    if part.end - part.start <= PIECE {
        return Ok(http::full(blob.read(part).await?));
    }
    let (sender, body) = http::channel();
    tokio::spawn(async move {
        let mut at = part.start;
        while at < part.end {
            let piece: Bytes = match blob.read(at..part.end.min(at + PIECE)).await {
                Ok(piece) if !piece.is_empty() => piece,
                Ok(_) => return sender.abort("the blob is shorter than it was".into()).await,
                Err(error) => return sender.abort(error.into()).await,
            };
            at += piece.len() as u64;
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Ok(body)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// No range, or none that is understood; several are sent as the whole (RFC 9110 §14.2).
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// `ranges-specifier = "bytes=" ( first-pos "-" [ last-pos ] / "-" suffix-length )`
fn wanted(field: &str, size: u64) -> Wanted {
    let range = || {
        let (first, last) = field.strip_prefix("bytes=")?.trim().split_once('-')?;
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            is_number.then(|| digits.parse().unwrap_or(u64::MAX))
        };
        if first.is_empty() {
            return Some(size.saturating_sub(number(last)?)..size);
        }
        let first: u64 = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last)? };
        (first <= last).then(|| first.min(size)..last.saturating_add(1).min(size))
    };
    match range() {
        None => Wanted::Whole,
        Some(range) if range.is_empty() => Wanted::Unsatisfiable,
        Some(range) => Wanted::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (field, expected) in [
            ("bytes=0-4", Wanted::Part(0..5)),
            ("bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=4-1", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
        ] {
            assert_eq!(wanted(field, 10), expected, "{field}");
        }
    }
}
