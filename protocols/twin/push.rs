//! `GET /jmap/events/` (RFC 8620 §7.3): changes of states as server-sent events. What is the same for the
//! events with objects (`rest::events`) is here, too.
//!
//! A stream that waits costs a task and a watch. Nothing is queued: whoever reads slowly is told of the
//! last states, not of those between.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hub::{Account, AccountId};
use hub_wire::http::{self, Sender};
use hub_wire::limits::AccountPlace;
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
pub(crate) struct Wanted {
    /// `None` for all types.
    pub(crate) types: Option<Vec<String>>,
    close_after_state: bool,
    /// Seconds; 0 for none.
    ping: u64,
}

impl Wanted {
    pub(crate) fn parse(query: &str) -> Option<Self> {
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
pub(crate) type States = BTreeMap<&'static str, String>;

async fn states(account: &Account, wanted: &Wanted) -> hub::Result<States> {
    let mail = account.emails().state().await?;
    let sending = account.sending_states().await?;
    let contacts = account.address_books().state().await?;
    let files = account.files().files_state().await?;
    let state = |of: StateOf| match of {
        StateOf::Contacts => contacts,
        StateOf::Files => files,
        StateOf::Identities => sending.identities,
        StateOf::Mail => mail,
        StateOf::Submissions => sending.submissions,
        StateOf::Vacation => sending.vacation,
    };
    let covered = TYPES.iter().filter(|one| account.require(one.needs(Verb::Get)).is_ok());
    let pushed = covered.filter_map(|one| Some((one.name, one.pushed?)));
    Ok(pushed.filter(|(name, _)| wanted.has(name)).map(|(name, of)| (name, state(of).to_string())).collect())
}

/// A stream that was asked for: it has its place, and is watched for.
pub(crate) struct Watching {
    pub(crate) login: Login,
    pub(crate) wanted: Wanted,
    /// What the client was told last, or had when it connected.
    pub(crate) known: States,
    sender: Sender,
    watch: hub::Watch,
    next_ping: Instant,
    _place: AccountPlace<AccountId>,
}

/// Opens a stream; the answer is the beginning of it.
pub(crate) async fn open(
    service: &Service,
    login: Login,
    wanted: Wanted,
) -> Result<(Watching, Reply), Reply> {
    let Some(place) = service.streams.take(login.account.id(), MAX_EVENT_STREAMS) else {
        let error = RequestError::Limit("maxConcurrentRequests");
        return Err(reply::problem(error.status(), &error.problem()));
    };
    // The watch begins before the states are read: what happens in between is not missed.
    let watch = login.account.watch();
    let known = states(&login.account, &wanted).await.map_err(|error| status::reply(&error))?;
    let (sender, body) = http::channel();
    let next_ping = Instant::now() + Duration::from_secs(wanted.ping);
    let mut reply = Response::new(body);
    let media_type = HeaderValue::from_static("text/event-stream; charset=utf-8");
    reply::set(&mut reply, header::CONTENT_TYPE, media_type);
    reply::set(&mut reply, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((Watching { login, wanted, known, sender, watch, next_ping, _place: place }, reply))
}

impl Watching {
    /// The states of all that is wanted, now.
    pub(crate) async fn states(&self) -> Option<States> {
        states(&self.login.account, &self.wanted).await.ok()
    }

    /// States that are other than what is known, once there are some; signs of life go out meanwhile. `None`
    /// at the end: the client has gone, its token is none any more, or the hub cannot tell.
    pub(crate) async fn changed(&mut self) -> Option<States> {
        loop {
            let happened = tokio::time::timeout(SIGN_OF_LIFE, self.watch.happened()).await.is_ok();
            self.watch.take();
            if !self.login.is_good().await {
                return None;
            }
            // What has no watch is looked at with each sign of life.
            let mut now = self.states().await?;
            now.retain(|name, state| self.known.get(name) != Some(state));
            if !now.is_empty() {
                return Some(now);
            }
            if !happened {
                self.sign_of_life().await?;
            }
        }
    }

    async fn sign_of_life(&mut self) -> Option<()> {
        if self.wanted.ping == 0 || Instant::now() < self.next_ping {
            return self.send(":\n\n".to_owned()).await;
        }
        self.next_ping = Instant::now() + Duration::from_secs(self.wanted.ping);
        self.send(format!("event: ping\ndata: {}\n\n", json!({ "interval": self.wanted.ping }))).await
    }

    pub(crate) async fn send(&self, text: String) -> Option<()> {
        self.sender.send(Bytes::from(text)).await.ok()
    }
}

/// `GET /jmap/events/`
pub(crate) async fn answer(service: &Service, login: Login, headers: &HeaderMap, query: &str) -> Reply {
    let Some(wanted) = Wanted::parse(query) else {
        return sentence(StatusCode::BAD_REQUEST, "The URL asks for something that makes no sense.");
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    match open(service, login, wanted).await {
        Ok((watching, reply)) => {
            tokio::spawn(run(watching, last));
            reply
        }
        Err(refusal) => refusal,
    }
}

/// Until the client goes, or has got what it waited for.
async fn run(mut stream: Watching, last: Option<String>) -> Option<()> {
    // Who was away hears at once what it has missed.
    if last.is_some_and(|last| last != id(&stream.known)) {
        tell(&stream, &stream.known).await?;
        if stream.wanted.close_after_state {
            return None;
        }
    } else {
        stream.send(format!("id: {}\n\n", id(&stream.known))).await?;
    }
    loop {
        let changed = stream.changed().await?;
        stream.known.extend(changed.clone());
        tell(&stream, &changed).await?;
        if stream.wanted.close_after_state {
            return None;
        }
    }
}

/// A StateChange object (RFC 8620 §7.1).
async fn tell(stream: &Watching, changed: &States) -> Option<()> {
    let account = ids::account(stream.login.account.id());
    let change = json!({ "@type": "StateChange", "changed": { account: changed } });
    stream.send(format!("event: state\nid: {}\ndata: {change}\n\n", id(&stream.known))).await
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
