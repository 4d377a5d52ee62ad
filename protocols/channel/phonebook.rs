//! Asking other hubs who their twins are.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hub::identity::{Handle, TwinId};
use hub::{Checkpoint, Error, Found, Hub, LONGEST_DESCRIPTOR, LONGEST_ENTRY, PeerHub, PeerTwin};
use hub_https::Https;
use hyper::http::request::Builder;
use hyper::{Request, StatusCode, Uri};
use tracing::debug;

use crate::serve::DESCRIPTOR;

/// What is known of a twin is used for so long when its hub does not answer, in seconds.
const STALE_FOR: i64 = 7 * 86_400;

/// Looks twins up. Cheap to clone.
#[derive(Clone)]
pub struct Phonebook {
    hub: Hub,
    https: Https,
}

/// How to look up.
#[derive(Clone, Copy, Debug, Default)]
pub struct LookUp {
    /// Ask, whatever is known.
    pub fresh: bool,
    /// The owner of this hub says which twin the handle is.
    pub pin: Option<TwinId>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// It may be another time.
    Unreachable(String),
    /// Nothing that could be waited for: what was answered is not believed, or something here is broken.
    Hub(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Hub(error)
    }
}

impl Phonebook {
    /// `https` asks at the port at which all hubs are asked: 443 except in tests.
    pub fn new(hub: Hub, https: Https) -> Self {
        Self { hub, https }
    }

    /// Who a handle of another domain is. What is known already is enough for an hour; if the hub cannot be
    /// asked then, for a week.
    pub async fn look_up(&self, handle: &Handle, how: LookUp) -> Result<Found, Trouble> {
        let known = self.hub.peer_twin(handle).await?;
        let is_meant = |twin: &PeerTwin| how.pin.is_none_or(|id| id == twin.history.id());
        if let Some(twin) = known.clone().filter(|twin| is_meant(twin) && twin.is_fresh && !how.fresh) {
            return Ok(Found::Twin(twin));
        }
        match (self.ask(handle, how).await, known) {
            // A week is long enough for repairs, and short enough for a key that was taken away.
            (Err(Trouble::Unreachable(why)), Some(twin))
                if !how.fresh && is_meant(&twin) && twin.checked_at + STALE_FOR > hub::unix_now() =>
            {
                debug!(%handle, why, "what is known of a twin is used, its hub does not answer");
                Ok(Found::Twin(twin))
            }
            // No downgrade: who was a twin is one, whatever the domain says of having a hub.
            (Ok(Found::NoHub), Some(_)) => {
                Err(Trouble::Unreachable(format!("{} has no hub any more", handle.domain())))
            }
            (answered, _) => answered,
        }
    }

    /// Asks a hub for the head of its log, and whether it goes on from where it was.
    pub async fn check(&self, domain: &str) -> Result<Option<Checkpoint>, Trouble> {
        let peer = self.peer(domain, true).await?;
        let Some(api) = peer.api() else { return Ok(None) };
        let url = format!("{api}/log/{domain}?since={}", peer.size());
        match self.get(&url, &peer).await? {
            Some(text) => match self.hub.believe_log(&peer, &text).await {
                Ok(head) => Ok(Some(head)),
                Err(error) => Err(trouble(domain, error)),
            },
            None => Err(Trouble::Unreachable(format!("the hub of {domain} has no log of it"))),
        }
    }

    async fn ask(&self, handle: &Handle, how: LookUp) -> Result<Found, Trouble> {
        // Another look-up may be quicker and see more of the log.
        const ATTEMPTS: u32 = 3;
        let mut attempt = 1;
        loop {
            let peer = self.peer(handle.domain(), how.fresh && attempt == 1).await?;
            let Some(api) = peer.api() else { return Ok(Found::NoHub) };
            let url = format!("{api}/phonebook/{}?since={}", encoded(handle.as_str()), peer.size());
            let Some(text) = self.get(&url, &peer).await? else {
                return Ok(self.hub.believe_no_twin(handle).await?);
            };
            match self.hub.believe_entry(&peer, handle, &text, how.pin).await {
                Ok(twin) => return Ok(Found::Twin(twin)),
                Err(Error::Stale) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(trouble(handle.domain(), error)),
            }
        }
    }

    /// The hub of a domain, from memory or from its descriptor.
    async fn peer(&self, domain: &str, fresh: bool) -> Result<PeerHub, Trouble> {
        let known = self.hub.peer_hub(domain).await?;
        if let Some(peer) = known.clone().filter(|peer| peer.is_fresh() && !fresh) {
            return Ok(peer.trusted()?);
        }
        let had_hub = known.as_ref().is_some_and(|peer| peer.api().is_some());
        let answer = self.https.ask(domain, Request::get(DESCRIPTOR), Bytes::new(), LONGEST_DESCRIPTOR).await;
        match answer {
            Ok(answer) if answer.status() == StatusCode::OK => {
                match self.hub.believe_descriptor(domain, answer.body()).await {
                    // Websites answer anything with a page.
                    Err(Error::Invalid(_)) if !had_hub => Ok(self.hub.believe_no_hub(domain).await?),
                    believed => Ok(believed?),
                }
            }
            // Whoever had a hub has it.
            Ok(answer) if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE) => {
                Ok(self.hub.believe_no_hub(domain).await?)
            }
            // Too many questions, a proxy in the way: it says nothing of a hub.
            Ok(answer) => Err(Trouble::Unreachable(format!("{domain}: the answer is {}", answer.status()))),
            Err(trouble) if had_hub => match known {
                Some(peer) if !fresh => Ok(peer.trusted()?),
                _ => Err(Trouble::Unreachable(format!("{domain}: {trouble}"))),
            },
            Err(trouble) => {
                debug!(domain, %trouble, "no descriptor of a hub");
                Ok(self.hub.believe_no_hub(domain).await?)
            }
        }
    }

    /// What a hub answers; `None` is 404.
    async fn get(&self, url: &str, peer: &PeerHub) -> Result<Option<Bytes>, Trouble> {
        let unreachable = |why: &dyn std::fmt::Display| Trouble::Unreachable(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|error| unreachable(&error))?;
        let host = uri.host().ok_or_else(|| unreachable(&"there is no name of a host"))?;
        let port = uri.port_u16().unwrap_or(self.https.port());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = with_head(Request::get(path), peer);
        let answer = self.https.ask_at(host, port, request, Bytes::new(), LONGEST_ENTRY).await;
        let answer = answer.map_err(|trouble| unreachable(&trouble))?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.into_body())),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(unreachable(&format!("the answer is {status}"))),
        }
    }
}

fn trouble(domain: &str, error: Error) -> Trouble {
    match error {
        Error::Stale => Trouble::Unreachable(format!("the log of {domain} is shorter than it was")),
        error => Trouble::Hub(error),
    }
}

/// Shows a hub the last head of its log that was seen.
fn with_head(request: Builder, peer: &PeerHub) -> Builder {
    match peer.note() {
        "" => request,
        note => request.header("Twin-Checkpoint", STANDARD.encode(note)),
    }
}

/// RFC 3986 §2.1, for all but what needs it nowhere.
fn encoded(name: &str) -> String {
    let mut out = String::new();
    for octet in name.bytes() {
        match octet {
            b'a'..=b'z' | b'0'..=b'9' | b'@' | b'-' | b'.' | b'_' => out.push(char::from(octet)),
            // Writing to a string cannot fail.
            _ => write!(out, "%{octet:02X}").unwrap_or_default(),
        }
    }
    out
}
