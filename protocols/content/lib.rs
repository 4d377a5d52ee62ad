//! Files as content of HTTP answers: for every room that serves them.
//!
//! Whole or in ranges, under conditions, in memory that does not grow with the file, and so that a browser
//! runs nothing of it. The room must not know who may see a file, or under which URL.
//!
//! RFCs: 9110 (§8.8 validators, §13 conditions, §14 ranges), 3986 (names in URLs), 8187 (names in
//! Content-Disposition).

pub mod conditions;
pub mod media_type;
pub mod range;
pub mod url;

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hub::files::{Node, OpenFile};
use hub_wire::http::{self, Body, Gone, Sender};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use conditions::Validators;
use range::Wanted;

/// Read at once. A file that is not longer is sent without a task of its own.
const PIECE: usize = 128 << 10;

type Reply = Response<Body>;

/// A header field that is not what it should be; for a person to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadField(pub &'static str);

/// Why there is no content.
#[derive(Debug)]
pub enum Failure {
    Field(BadField),
    Hub(hub::Error),
}

impl From<BadField> for Failure {
    fn from(why: BadField) -> Self {
        Self::Field(why)
    }
}

impl From<hub::Error> for Failure {
    fn from(error: hub::Error) -> Self {
        Self::Hub(error)
    }
}

/// The field's value; `None` if it is not there, or not text.
pub fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Answers a GET or HEAD of a file.
pub async fn answer(method: &Method, headers: &HeaderMap, file: OpenFile) -> Result<Reply, Failure> {
    if let Some(status) = conditions::instead_of_content(headers, &Validators::from(&file.node))? {
        let mut reply = empty(status);
        set_validators(&mut reply, &file.node);
        return Ok(reply);
    }
    let (node, size) = (file.node.clone(), file.node.size);
    // RFC 9110 §14.2: only GET has ranges.
    let field = text(headers, &header::RANGE)
        .filter(|_| *method == Method::GET && conditions::if_range(headers, &file.node));
    let wanted = field.map_or(Wanted::Whole, |field| range::wanted(field, size));
    let media_type = media_type::of(&file.node.content_type, &file.node.name).to_owned();
    let mut reply = match wanted {
        Wanted::Unsatisfiable => {
            let mut reply = Response::new(http::full("The file has no such bytes.\n"));
            *reply.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set_text(&mut reply, header::CONTENT_TYPE, "text/plain; charset=utf-8");
            set_text(&mut reply, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(reply);
        }
        Wanted::Whole if *method == Method::HEAD => {
            let mut reply = empty(StatusCode::OK);
            set(&mut reply, header::CONTENT_LENGTH, HeaderValue::from(size));
            reply
        }
        Wanted::Whole => with_length(StatusCode::OK, size, content(file, 0..size).await?),
        Wanted::Parts(parts) => match parts.as_slice() {
            [part] => one_part(file, part.clone()).await?,
            _ => multipart(file, parts, &media_type),
        },
    };
    if !reply.headers().contains_key(header::CONTENT_TYPE) {
        set_text(&mut reply, header::CONTENT_TYPE, &media_type);
    }
    set_validators(&mut reply, &node);
    set_manners(&mut reply, &node, &media_type);
    Ok(reply)
}

async fn one_part(file: OpenFile, part: Range<u64>) -> Result<Reply, Failure> {
    let (size, length) = (file.node.size, part.end - part.start);
    let field = content_range(&part, size);
    let mut reply = with_length(StatusCode::PARTIAL_CONTENT, length, content(file, part).await?);
    set_text(&mut reply, header::CONTENT_RANGE, &field);
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
    set_text(&mut reply, header::CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    reply
}

fn with_length(status: StatusCode, length: u64, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_LENGTH, HeaderValue::from(length));
    reply
}

async fn content(file: OpenFile, part: Range<u64>) -> Result<Body, Failure> {
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
pub fn set_validators(reply: &mut Reply, node: &Node) {
    set_text(reply, header::ETAG, &format!("\"{}\"", node.etag));
    set_text(reply, header::LAST_MODIFIED, &http_date(node.modified_at));
    if !node.checksum.is_empty() {
        set_text(reply, HeaderName::from_static("oc-checksum"), &node.checksum);
    }
}

/// A browser runs nothing of a twin's files: it does not guess types, saves what could be a page, and
/// what it shows has no origin.
fn set_manners(reply: &mut Reply, node: &Node, media_type: &str) {
    set(reply, header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Browsers show no PDF in a sandbox; their viewers are apart from the page's origin anyway.
    let policy = match media_type::essence(media_type).as_str() {
        "application/pdf" => {
            "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
        }
        _ => "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'",
    };
    set(reply, header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    set(reply, header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if !media_type::is_shown(media_type) {
        save(reply, &node.name);
    }
}

/// IMF-fixdate (RFC 9110 §5.6.7).
pub fn http_date(unix_seconds: i64) -> String {
    // Years beyond 9999 cannot be written.
    let seconds = u64::try_from(unix_seconds).unwrap_or(0).min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A browser saves it under this name, whatever it is (RFC 6266, RFC 8187 §3.2).
pub fn save(reply: &mut Reply, name: &str) {
    let mut disposition = String::from("attachment; filename*=UTF-8''");
    url::encode_into(&mut disposition, name, b"");
    set_text(reply, header::CONTENT_DISPOSITION, &disposition);
}

fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(http::empty());
    *reply.status_mut() = status;
    reply
}

fn set(reply: &mut Reply, name: HeaderName, value: HeaderValue) {
    reply.headers_mut().insert(name, value);
}

/// A field that is made of what we write ourselves; left out if it cannot be one.
fn set_text(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        set(reply, name, value);
    }
}
