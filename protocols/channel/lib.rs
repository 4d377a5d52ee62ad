//! Between hubs: the phonebook of this hub's twins, and the asking of others for theirs.
//!
//! The room knows `hub`, `hub-https` and `hub-wire`. It carries questions and answers; whether an answer is
//! believed, and what of this hub's twins others are told, is decided in `hub`.
//!
//! - `GET https://DOMAIN/.well-known/twin`: where the hub of a domain answers, and its keys (RFC 8615). Where a
//!   domain's website is elsewhere, that can show a copy of this one file.
//! - `GET {api}/phonebook/NAME?since=LEAVES`: all versions of the record of a twin, by handle or id; the proof
//!   that the last one is in its domain's log; the signed head of the log, and the proof that the log has only
//!   grown since it had that many leaves. 404 for who does not exist or does not want to be found.
//! - `GET {api}/log/DOMAIN?since=LEAVES`: the head and that proof alone.
//!
//! `Twin-Checkpoint`, in requests, shows a hub the last head of its log that the asker has seen (in base64): one
//! that it has not made means that somebody else has its key.

mod phonebook;
mod serve;
mod status;

use hub::Hub;
use hub::identity::SecretKey;
use hub_wire::limits::{Buckets, Rate};

pub use phonebook::{LookUp, Phonebook, Trouble};

/// From a domain to where its hub answers, `https://HOST/twin/v1`; `None` if nobody outside can reach it.
pub type Api = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What all requests share.
pub struct Service {
    hub: Hub,
    /// The hub's own key.
    key: SecretKey,
    api: Api,
    questions: Option<Buckets>,
}

/// Questions from one address in an hour: more than a hub asks whose twins write to ours, too few to try all
/// names.
const QUESTIONS: u32 = 6000;

impl Service {
    pub fn new(hub: Hub, key: SecretKey, api: Api) -> Self {
        Self { hub, key, api, questions: Rate::per_hour(QUESTIONS).map(Buckets::new) }
    }
}
