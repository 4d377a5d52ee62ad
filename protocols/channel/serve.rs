//! What other hubs ask.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub::{Checkpoint, Error, Result};
use hub_wire::http::{self, Answer, Body, Client, Mount};
use hub_wire::small_body;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tracing::{debug, error};

use crate::{Service, status};

pub(crate) const DESCRIPTOR: &str = "/.well-known/twin";
/// The path of `{api}`.
const API: &str = "/twin/v1/";
/// What a header field may take to show a head of a log.
const LONGEST_SHOWN: usize = 4096;

impl Mount for Service {
    fn takes(&self, _: &Method, path: &str) -> bool {
        path == DESCRIPTOR || path.starts_with(API)
    }

    fn answer(self: Arc<Self>, client: Client, request: Request<Body>) -> Answer {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let reply = self.reply(client, &head).await;
            // No question has one; who sends it all the same is to see the answer.
            small_body::drain(&head.headers, body).await;
            reply
        })
    }
}

impl Service {
    async fn reply(&self, client: Client, head: &Parts) -> Response<Body> {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let mut reply = refusal(StatusCode::METHOD_NOT_ALLOWED);
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        if !self.may_ask(client) {
            return refusal(StatusCode::TOO_MANY_REQUESTS);
        }
        self.look_at_head(head).await;
        let answered = match head.uri.path() {
            DESCRIPTOR => self.descriptor(head).await,
            path => self.question(path.trim_start_matches(API), head.uri.query()).await,
        };
        let is_head = head.method == Method::HEAD;
        match answered {
            Ok(text) => json(StatusCode::OK, if is_head { String::new() } else { text }),
            Err(error) => {
                debug!(conn = client.conn, %error, "a question of another hub is not answered");
                refusal(status::of(&error))
            }
        }
    }

    /// A hub on the same machine may ask as often as it likes: there is no stranger on it.
    fn may_ask(&self, client: Client) -> bool {
        let ip = client.address.ip();
        let key = hub_wire::limits::Client::from(ip);
        ip.to_canonical().is_loopback()
            || self.questions.as_ref().is_none_or(|questions| questions.take(key, 1).is_ok())
    }

    async fn descriptor(&self, head: &Parts) -> Result<String> {
        let domain = host(head).ok_or(Error::NotFound("domain"))?;
        let api = (self.api)(&domain).ok_or(Error::NotFound("address"))?;
        self.hub.descriptor(&domain, &api, &[self.key.public()]).await
    }

    async fn question(&self, path: &str, query: Option<&str>) -> Result<String> {
        let since = query.and_then(|query| query.strip_prefix("since=")).map_or(Ok(0), str::parse);
        let since = since.map_err(|_| Error::Invalid("since is no number of leaves".into()))?;
        match path.split_once('/') {
            Some(("phonebook", name)) => self.hub.phonebook_entry(&decoded(name), since, &self.key).await,
            Some(("log", domain)) => self.hub.log_answer(domain, since, &self.key).await,
            _ => Err(Error::NotFound("page")),
        }
    }

    /// Whoever shows a head of our log that is not ours has been told another history, in our name.
    async fn look_at_head(&self, head: &Parts) {
        let Some(shown) = head.headers.get("twin-checkpoint") else { return };
        let octets = STANDARD.decode(shown.as_bytes()).ok().filter(|octets| octets.len() <= LONGEST_SHOWN);
        let Some(note) = octets.and_then(|octets| String::from_utf8(octets).ok()) else { return };
        let domain = note.split('/').next().unwrap_or_default().to_owned();
        let Some(shown) = Checkpoint::verify(&note, &domain, &[self.key.public()]) else { return };
        if self.hub.is_foreign_head(&shown).await.unwrap_or(false) {
            error!(
                domain,
                leaves = shown.size,
                "another hub was shown a log that is not ours, with our signature: somebody has the hub's key, or \
                 the database is older than what was shown"
            );
        }
    }
}

/// The domain that is asked for.
fn host(head: &Parts) -> Option<String> {
    let origin = http::origin(head)?;
    let (_, authority) = origin.split_once("://")?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    (!host.starts_with('[')).then(|| host.to_owned())
}

/// A handle in a path, as RFC 3986 §2.1 writes what is not ASCII. What cannot be read is nobody's name.
fn decoded(name: &str) -> String {
    let (mut out, mut octets) = (Vec::new(), name.bytes());
    while let Some(octet) = octets.next() {
        let hex = |octet: Option<u8>| octet.and_then(|octet| char::from(octet).to_digit(16));
        out.push(match octet {
            b'%' => match (hex(octets.next()), hex(octets.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return String::new(),
            },
            octet => octet,
        });
    }
    String::from_utf8(out).unwrap_or_default()
}

/// The same words for the same status, whatever the reason was.
fn refusal(status: StatusCode) -> Response<Body> {
    json(status, format!("{{\"status\":{}}}", status.as_u16()))
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut reply = Response::new(http::full(text));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths() {
        for (path, name) in [
            ("alice@example.org", "alice@example.org"),
            ("j%C3%BCrgen%40example.org", "jürgen@example.org"),
            ("%", ""),
            ("%4", ""),
            ("%zz", ""),
            ("%ff", ""),
        ] {
            assert_eq!(decoded(path), name, "{path}");
        }
    }
}
