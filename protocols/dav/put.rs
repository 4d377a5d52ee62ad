//! PUT: bodies in (RFC 9110 §9.3.4), whole or in part, streamed to the hub.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub::files::{FileMetadata, OpenFile, Placed, Precondition, Upload};
use hub_content::range;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::checksum::Checksum;
use crate::get::set_validators;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::{Call, head};

/// Time in which some of a body must come.
const SILENCE: Duration = Duration::from_secs(60);
/// Read at once when a part of the old content is taken over.
const PIECE: usize = 128 << 10;

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let (files, path) = call.target()?;
    let mut conditions = call.conditions()?;
    // A file can be granted by itself.
    if path.is_root() && call.tree()?.share.is_none() {
        return Err(call.method_not_allowed());
    }
    let headers = call.head.headers.clone();
    let mut checksum = Checksum::expected(&headers)?;
    let announced = length(&headers)?;
    let placed = match head::text(&headers, &header::CONTENT_RANGE) {
        None => {
            let mut upload = files.begin(&path, announced, conditions).await?;
            receive(call, &mut upload, announced, &mut checksum).await?;
            checksum.check()?;
            upload.finish(metadata(&headers)).await?
        }
        Some(field) => {
            let part = Part::of(field, announced)?;
            let old = match files.open(&path).await {
                Ok(old) => Some(old),
                Err(hub::Error::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            };
            // What is taken over must still be the content when the new one takes its place.
            conditions.preconditions.push(match &old {
                Some(old) => Precondition::Match(vec![old.node.etag.clone()]),
                None => Precondition::NotExists,
            });
            let size = old.as_ref().map_or(0, |old| old.node.size);
            let rest = part.rest(size)?;
            let mut upload = files.begin(&path, Some(rest.end.max(part.end)), conditions).await?;
            take_over(&mut upload, old.as_ref(), 0..part.start).await?;
            receive(call, &mut upload, Some(part.end - part.start), &mut checksum).await?;
            checksum.check()?;
            take_over(&mut upload, old.as_ref(), rest).await?;
            let mut metadata = metadata(&headers);
            // Of the whole, the client has not told anything.
            metadata.checksum = String::new();
            upload.finish(metadata).await?
        }
    };
    Ok(stored(&headers, &placed))
}

/// 201 or 204 with what the client needs to know of the new state.
pub(crate) fn stored(headers: &HeaderMap, placed: &Placed) -> Reply {
    let status = if placed.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let mut reply = reply::empty(status);
    set_validators(&mut reply, &placed.node);
    reply::set_text(&mut reply, HeaderName::from_static("oc-etag"), &format!("\"{}\"", placed.node.etag));
    reply::set_text(&mut reply, HeaderName::from_static("oc-fileid"), &placed.node.id.0.to_string());
    if modified_at(headers).is_some() {
        reply::set(&mut reply, HeaderName::from_static("x-oc-mtime"), HeaderValue::from_static("accepted"));
    }
    reply
}

pub(crate) fn metadata(headers: &HeaderMap) -> FileMetadata {
    FileMetadata {
        content_type: head::text(headers, &header::CONTENT_TYPE).unwrap_or_default().to_owned(),
        modified_at: modified_at(headers),
        created_at: seconds(headers, "x-oc-ctime"),
        checksum: head::named(headers, "oc-checksum").unwrap_or_default().to_owned(),
    }
}

/// ownCloud's and Nextcloud's clients say when the file was changed; rclone then, too.
fn modified_at(headers: &HeaderMap) -> Option<i64> {
    seconds(headers, "x-oc-mtime")
}

/// Unix seconds, maybe with a fraction.
fn seconds(headers: &HeaderMap, name: &'static str) -> Option<i64> {
    let text = head::named(headers, name)?;
    text.split('.').next().unwrap_or_default().parse().ok().filter(|seconds| *seconds >= 0)
}

/// What the client says it is going to send. Finder sends in chunks of unknown number, and says the
/// length in a field of its own; a proxy that collects chunks, and loses them, says 0 beside it.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let bad = |_| Refusal::Status(StatusCode::BAD_REQUEST, "The length is not a number.");
    let number = |field: Option<&str>| field.map(str::parse::<u64>).transpose().map_err(bad);
    let length = number(head::text(headers, &header::CONTENT_LENGTH))?;
    let expected = number(head::named(headers, "x-expected-entity-length"))?;
    match (length, expected) {
        (Some(length), Some(expected)) if length != expected => Err(wrong_length()),
        _ => Ok(length.or(expected)),
    }
}

fn wrong_length() -> Refusal {
    Refusal::Status(StatusCode::BAD_REQUEST, "The body is not as long as was announced.")
}

/// Streams the body into the upload. A body of another length than was announced is not stored: a proxy
/// has lost some of it.
async fn receive(
    call: &mut Call,
    upload: &mut Upload,
    announced: Option<u64>,
    checksum: &mut Checksum,
) -> Result<(), Refusal> {
    let mut received = 0;
    let late = |_| Refusal::Status(StatusCode::REQUEST_TIMEOUT, "The request took too long.");
    while let Some(frame) = tokio::time::timeout(SILENCE, call.body.frame()).await.map_err(late)? {
        let broken = |_| Refusal::Status(StatusCode::BAD_REQUEST, "The request broke off.");
        let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
        received += piece.len() as u64;
        if announced.is_some_and(|announced| received > announced) {
            return Err(wrong_length());
        }
        checksum.update(&piece);
        upload.write(&piece).await?;
    }
    match announced {
        Some(announced) if announced != received => Err(wrong_length()),
        _ => Ok(()),
    }
}

/// Where the bytes of a partial PUT go (RFC 9110 §14.5).
struct Part {
    start: u64,
    end: u64,
    /// Of the file when it is whole.
    complete: Option<u64>,
}

impl Part {
    fn of(field: &str, announced: Option<u64>) -> Result<Self, Refusal> {
        let bad =
            Refusal::Status(StatusCode::BAD_REQUEST, "Content-Range does not fit the body, or is none.");
        let Some((range, complete)) = range::content_range(field) else { return Err(bad) };
        if announced.is_some_and(|announced| announced != range.end - range.start) {
            return Err(bad);
        }
        Ok(Self { start: range.start, end: range.end, complete })
    }

    /// What of the old content follows the part. A gap before it would have to be invented.
    fn rest(&self, old_size: u64) -> Result<std::ops::Range<u64>, Refusal> {
        if self.start > old_size {
            let gap = "There are no bytes yet before this range.";
            return Err(Refusal::Status(StatusCode::RANGE_NOT_SATISFIABLE, gap));
        }
        let end = self.complete.unwrap_or(u64::MAX).min(old_size);
        Ok(self.end.min(end)..end)
    }
}

async fn take_over(
    upload: &mut Upload,
    old: Option<&OpenFile>,
    range: std::ops::Range<u64>,
) -> Result<(), Refusal> {
    let Some(old) = old else { return Ok(()) };
    let mut at = range.start;
    while at < range.end {
        let length = usize::try_from(range.end - at).unwrap_or(PIECE).min(PIECE);
        let piece: Bytes = old.read(at, length).await?;
        if piece.is_empty() {
            return Err(Refusal::Status(StatusCode::SERVICE_UNAVAILABLE, "The file cannot be read."));
        }
        at += piece.len() as u64;
        upload.write(&piece).await?;
    }
    Ok(())
}
