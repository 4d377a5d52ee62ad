//! GET and HEAD: bodies out, whole or in ranges (RFC 9110 §9.3.1, §14).

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hub::files::{Node, OpenFile};
use hub_wire::http::{self, Body, Gone, Sender};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use crate::path::{Place, encode_into};
use crate::precondition::Validators;
use crate::range::{self, Wanted};
use crate::reply::{self, Reply, sentence};
use crate::shares::Spot;
use crate::status::Refusal;
use crate::{Call, head, media_type, precondition};

/// Read at once. A file that is not longer is sent without a task of its own.
const PIECE: usize = 128 << 10;

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let (files, path) = match (&call.spot, &call.location.place) {
        (Spot::Tree(_), _) | (_, Place::Nothing) => call.target()?,
        _ => return Ok(folder()),
    };
    let conditions = call.conditions()?;
    if !conditions.lists.is_empty() {
        files.check(&path, &conditions).await?;
    }
    match files.open(&path).await {
        Ok(file) => file_reply(call, file).await,
        Err(hub::Error::Invalid(_)) => {
            let node = files.lookup(&path).await?;
            let mut reply = folder();
            set_validators(&mut reply, &node);
            Ok(reply)
        }
        Err(error) => Err(error.into()),
    }
}

/// RFC 4918 §9.4 leaves open what a collection says.
fn folder() -> Reply {
    sentence(
        StatusCode::OK,
        "This is a folder. Open it with a file manager: its address is that of this page.",
    )
}

async fn file_reply(call: &Call, file: OpenFile) -> Result<Reply, Refusal> {
    let headers = &call.head.headers;
    if let Some(status) = precondition::instead_of_content(headers, &Validators::from(&file.node))? {
        let mut reply = reply::empty(status);
        set_validators(&mut reply, &file.node);
        return Ok(reply);
    }
    let (node, size) = (file.node.clone(), file.node.size);
    // RFC 9110 §14.2: only GET has ranges.
    let field = head::text(headers, &header::RANGE)
        .filter(|_| call.head.method == Method::GET && precondition::if_range(headers, &file.node));
    let wanted = field.map_or(Wanted::Whole, |field| range::wanted(field, size));
    let media_type = media_type::of(&file.node.content_type, &file.node.name).to_owned();
    let mut reply = match wanted {
        Wanted::Unsatisfiable => {
            let mut reply = sentence(StatusCode::RANGE_NOT_SATISFIABLE, "The file has no such bytes.");
            reply::set_text(&mut reply, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(reply);
        }
        Wanted::Whole if call.head.method == Method::HEAD => {
            let mut reply = reply::empty(StatusCode::OK);
            reply::set(&mut reply, header::CONTENT_LENGTH, HeaderValue::from(size));
            reply
        }
        Wanted::Whole => with_length(StatusCode::OK, size, content(file, 0..size).await?),
        Wanted::Parts(parts) => match parts.as_slice() {
            [part] => one_part(file, part.clone()).await?,
            _ => multipart(file, parts, &media_type),
        },
    };
    if !reply.headers().contains_key(header::CONTENT_TYPE) {
        reply::set_text(&mut reply, header::CONTENT_TYPE, &media_type);
    }
    set_validators(&mut reply, &node);
    set_manners(&mut reply, &node, &media_type);
    Ok(reply)
}

async fn one_part(file: OpenFile, part: Range<u64>) -> Result<Reply, Refusal> {
    let (size, length) = (file.node.size, part.end - part.start);
    let field = content_range(&part, size);
    let mut reply = with_length(StatusCode::PARTIAL_CONTENT, length, content(file, part).await?);
    reply::set_text(&mut reply, header::CONTENT_RANGE, &field);
    Ok(reply)
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}

/// RFC 9110 §14.6
fn multipart(file: OpenFile, parts: Vec<Range<u64>>, media_type: &str) -> Reply {
    // The etag depends on a keyed hash of the content: nobody can put it into the content.
    let boundary: String = format!("twinhub-{}", file.node.etag).chars().take(60).collect();
    let size = file.node.size;
    let head = |part: &Range<u64>| {
        let range = content_range(part, size);
        format!("\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {range}\r\n\r\n")
    };
    let parts: Vec<_> = parts.into_iter().map(|part| (head(&part), part)).collect();
    let end = format!("\r\n--{boundary}--\r\n");
    let length = parts.iter().map(|(head, part)| head.len() as u64 + part.end - part.start).sum::<u64>()
        + end.len() as u64;
    let (sender, body) = http::channel();
    tokio::spawn(async move {
        for (head, part) in parts {
            if sender.send(Bytes::from(head)).await.is_err() || send(&file, part, &sender).await.is_err() {
                return;
            }
        }
        // The last piece: if the client has gone, nobody misses it.
        let _ = sender.send(Bytes::from(end)).await;
    });
    let mut reply = with_length(StatusCode::PARTIAL_CONTENT, length, body);
    reply::set_text(&mut reply, header::CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    reply
}

fn with_length(status: StatusCode, length: u64, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply::set(&mut reply, header::CONTENT_LENGTH, HeaderValue::from(length));
    reply
}

async fn content(file: OpenFile, part: Range<u64>) -> Result<Body, Refusal> {
    let length = part.end - part.start;
    if let Some(length) = usize::try_from(length).ok().filter(|length| *length <= PIECE) {
        return Ok(http::full(file.read(part.start, length).await?));
    }
    let (sender, body) = http::channel();
    tokio::spawn(async move {
        // Whoever does not read any more needs no reason.
        let _ = send(&file, part, &sender).await;
    });
    Ok(body)
}

async fn send(file: &OpenFile, part: Range<u64>, sender: &Sender) -> Result<(), Gone> {
    let mut at = part.start;
    while at < part.end {
        let length = usize::try_from(part.end - at).unwrap_or(PIECE).min(PIECE);
        let piece = match file.read(at, length).await {
            Ok(piece) if !piece.is_empty() => piece,
            Ok(_) => {
                sender.clone().abort("the file is shorter than its row says".into()).await;
                return Err(Gone);
            }
            Err(error) => {
                tracing::warn!(%error, "a file cannot be read to its end");
                sender.clone().abort(error.into()).await;
                return Err(Gone);
            }
        };
        at += piece.len() as u64;
        sender.send(piece).await?;
    }
    Ok(())
}

/// What later conditions are about; a program compares them with those of PROPFIND.
pub(crate) fn set_validators(reply: &mut Reply, node: &Node) {
    reply::set_text(reply, header::ETAG, &format!("\"{}\"", node.etag));
    reply::set_text(reply, header::LAST_MODIFIED, &http_date(node.modified_at));
    if !node.checksum.is_empty() {
        reply::set_text(reply, HeaderName::from_static("oc-checksum"), &node.checksum);
    }
}

/// A browser runs nothing of a twin's files: it does not guess types, saves what could be a page, and
/// what it shows has no origin.
fn set_manners(reply: &mut Reply, node: &Node, media_type: &str) {
    reply::set(reply, header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply::set(reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    reply::set(reply, header::CONTENT_SECURITY_POLICY, policy);
    reply::set(reply, header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if !media_type::is_shown(media_type) {
        let mut disposition = String::from("attachment; filename*=UTF-8''");
        encode_into(&mut disposition, &node.name, b""); // RFC 8187 §3.2
        reply::set_text(reply, header::CONTENT_DISPOSITION, &disposition);
    }
}

/// IMF-fixdate (RFC 9110 §5.6.7).
pub(crate) fn http_date(unix_seconds: i64) -> String {
    // Years beyond 9999 cannot be written.
    let seconds = u64::try_from(unix_seconds).unwrap_or(0).min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}
