//! Tickets for pages: what EventSource and WebSocket of a browser open has a URL and no header fields, and a
//! password or token in a URL ends up in logs. A ticket is good for a minute, and for streams only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub::{Error, Secret};
use hyper::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::auth::Login;
use crate::reply::{self, Reply};
use crate::{Service, status};

/// From fetching it to opening the stream; also time for a browser to open it again by itself.
const LIFE: Duration = Duration::from_secs(60);
/// Of one account: more than pages are opened in a minute.
const MOST_OF_ACCOUNT: usize = 32;
/// Of all accounts.
const MOST: usize = 10_000;

/// By the hashes of the tickets. In memory only: after a restart streams are opened anew anyway.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<HashMap<[u8; 32], (Login, Instant)>>);

impl Tickets {
    fn give(&self, login: Login, now: Instant) -> hub::Result<String> {
        let ticket = format!("{}{}", Secret::generate()?.expose(), Secret::generate()?.expose());
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, (_, until)| *until > now);
        let of_account = tickets.values().filter(|(one, _)| one.account.id() == login.account.id()).count();
        if of_account >= MOST_OF_ACCOUNT || tickets.len() >= MOST {
            return Err(Error::Limit("tickets"));
        }
        tickets.insert(hash(&ticket), (login, now + LIFE));
        Ok(ticket)
    }

    /// Who was given this ticket, while it is good.
    pub(crate) fn holder(&self, ticket: &str) -> Option<Login> {
        self.holder_at(ticket, Instant::now())
    }

    fn holder_at(&self, ticket: &str, now: Instant) -> Option<Login> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (login, until) = tickets.get(&hash(ticket))?;
        (*until > now).then(|| login.clone())
    }
}

fn hash(ticket: &str) -> [u8; 32] {
    Sha256::digest(ticket).into()
}

/// `POST /api/v1/tickets`
pub(crate) fn answer(service: &Service, login: Login) -> Reply {
    match service.tickets.give(login, Instant::now()) {
        Ok(ticket) => {
            let given = json!({ "ticket": ticket, "expiresIn": LIFE.as_secs() });
            reply::uncached(reply::json(StatusCode::CREATED, &given))
        }
        Err(Error::Limit(_)) => {
            let why = json!({
                "type": "urn:ietf:params:jmap:error:rateLimit", "status": 429,
                "detail": "There are too many tickets that were not used up yet.",
            });
            reply::problem(StatusCode::TOO_MANY_REQUESTS, &why)
        }
        Err(error) => status::reply(&error),
    }
}

/// The ticket in the query of a URL.
pub(crate) fn in_query(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket.into_owned())
}
