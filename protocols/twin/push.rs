//! `GET /jmap/events/` (RFC 8620 §7.3): changes of states as server-sent events.
//!
//! A stream that waits costs a task and a watch. Nothing is queued: whoever reads slowly is told of the
//! last states, not of those between.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hub::Account;
use hub_wire::http::{self, Sender};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::time::Instant;

use crate::Service;
use crate::auth::Login;
use crate::core::error::RequestError;
use crate::core::limits::MAX_EVENT_STREAMS;
use crate::methods::{StateOf, TYPES, Verb};
use crate::reply::{self, Reply, sentence};
use crate::{ids, status};

/// Something is sent at least so often: the listener ends connections on which nothing moves for a minute,
/// and a client that has gone is noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// Between two pings, in seconds.
const PING: std::ops::RangeInclusive<u64> = 30..=3_600;

/// What the query of the URL asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// `None` for all types.
    types: Option<Vec<String>>,
    close_after_state: bool,
    /// Seconds; 0 for none.
    ping: u64,
}

impl Wanted {
    fn parse(query: &str) -> Option<Self> {
        let mut wanted = Self { types: None, close_after_state: false, ping: 0 };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "types" if value == "*" => wanted.types = None,
                "types" => wanted.types = Some(value.split(',').map(str::to_owned).collect()),
                "closeafter" => {
                    wanted.close_after_state = match value.as_ref() {
                        "state" => true,
                        "no" => false,
                        _ => return None,
                    }
                }
                "ping" => {
                    let seconds: u64 = value.parse().ok()?;
                    wanted.ping = if seconds == 0 { 0 } else { seconds.clamp(*PING.start(), *PING.end()) };
                }
                _ => {}
            }
        }
        Some(wanted)
    }

    fn has(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|one| one == name))
    }
}

/// States by type.
type States = BTreeMap<&'static str, String>;

async fn states(account: &Account, wanted: &Wanted) -> hub::Result<States> {
    let mail = account.emails().state().await?;
    let sending = account.sending_states().await?;
    let contacts = account.address_books().state().await?;
    let state = |of: StateOf| match of {
        StateOf::Contacts => contacts,
        StateOf::Identities => sending.identities,
        StateOf::Mail => mail,
        StateOf::Submissions => sending.submissions,
        StateOf::Vacation => sending.vacation,
    };
    let covered = TYPES.iter().filter(|one| account.require(one.needs(Verb::Get)).is_ok());
    let pushed = covered.filter_map(|one| Some((one.name, one.pushed?)));
    Ok(pushed.filter(|(name, _)| wanted.has(name)).map(|(name, of)| (name, state(of).to_string())).collect())
}

pub(crate) async fn answer(service: &Service, login: Login, headers: &HeaderMap, query: &str) -> Reply {
    let account = &login.account;
    let Some(wanted) = Wanted::parse(query) else {
        return sentence(StatusCode::BAD_REQUEST, "The URL asks for something that makes no sense.");
    };
    let Some(place) = service.streams.take(account.id(), MAX_EVENT_STREAMS) else {
        let error = RequestError::Limit("maxConcurrentRequests");
        return reply::problem(error.status(), &error.problem());
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    // The watch begins before the states are read: what happens in between is not missed.
    let watch = account.watch();
    let known = match states(account, &wanted).await {
        Ok(known) => known,
        Err(error) => return status::reply(&error),
    };
    let (sender, body) = http::channel();
    let stream = Stream { login, wanted, sender, known };
    tokio::spawn(async move {
        let _place = place;
        stream.run(watch, last.as_deref()).await;
    });
    let mut reply = Response::new(body);
    let media_type = HeaderValue::from_static("text/event-stream; charset=utf-8");
    reply::set(&mut reply, header::CONTENT_TYPE, media_type);
    reply::set(&mut reply, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

struct Stream {
    login: Login,
    wanted: Wanted,
    sender: Sender,
    /// What the client was told last, or had when it connected.
    known: States,
}

impl Stream {
    /// Until the client goes, or has got what it waited for.
    async fn run(mut self, watch: hub::Watch, last: Option<&str>) {
        let mut next_ping = Instant::now() + Duration::from_secs(self.wanted.ping);
        // Who was away hears at once what it has missed.
        if last.is_some_and(|last| last != id(&self.known)) {
            let all = self.known.clone();
            if self.tell(&all).await.is_none() || self.wanted.close_after_state {
                return;
            }
        } else if self.send(format!("id: {}\n\n", id(&self.known))).await.is_none() {
            return;
        }
        loop {
            let happened = tokio::time::timeout(SIGN_OF_LIFE, watch.happened()).await.is_ok();
            watch.take();
            if !self.login.is_good().await {
                return;
            }
            // What has no watch is looked at with each sign of life.
            let Ok(now) = states(&self.login.account, &self.wanted).await else { return };
            let changed: States = now
                .iter()
                .filter(|(name, state)| self.known.get(*name) != Some(*state))
                .map(|(a, b)| (*a, b.clone()))
                .collect();
            self.known = now;
            if !changed.is_empty() {
                if self.tell(&changed).await.is_none() || self.wanted.close_after_state {
                    return;
                }
            } else if !happened {
                let is_ping = self.wanted.ping > 0 && Instant::now() >= next_ping;
                let sign = match is_ping {
                    true => format!("event: ping\ndata: {}\n\n", json!({ "interval": self.wanted.ping })),
                    false => ":\n\n".to_owned(),
                };
                if is_ping {
                    next_ping = Instant::now() + Duration::from_secs(self.wanted.ping);
                }
                if self.send(sign).await.is_none() {
                    return;
                }
            }
        }
    }

    /// A StateChange object (RFC 8620 §7.1).
    async fn tell(&self, changed: &States) -> Option<()> {
        let account = ids::account(self.login.account.id());
        let change = json!({ "@type": "StateChange", "changed": { account: changed } });
        self.send(format!("event: state\nid: {}\ndata: {change}\n\n", id(&self.known))).await
    }

    async fn send(&self, text: String) -> Option<()> {
        self.sender.send(Bytes::from(text)).await.ok()
    }
}

/// The states that a client knows, as the id of an event.
fn id(states: &States) -> String {
    states.values().map(String::as_str).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let parse = |query: &str| Wanted::parse(query).map(|w| (w.types, w.close_after_state, w.ping));
        let types = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        for (query, expected) in [
            ("types=*&closeafter=no&ping=0", Some((None, false, 0))),
            ("types=Email,Mailbox&closeafter=state&ping=1", Some((types(&["Email", "Mailbox"]), true, 30))),
            ("types=Email%2CMailbox&ping=99999", Some((types(&["Email", "Mailbox"]), false, 3_600))),
            ("", Some((None, false, 0))),
            ("ping=-1", None),
            ("ping=x", None),
            ("closeafter=never", None),
        ] {
            assert_eq!(parse(query), expected, "{query}");
        }
    }
}
