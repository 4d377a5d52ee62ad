//! Whether answers can be validated. That needs a name server that passes signatures on; the boxes
//! that many people have on their wall do not, and behind one of them every signed domain would
//! look forged.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{Name, RecordType};
use tracing::{info, warn};

use crate::lookup::is_secure;
use crate::{Error, Settings, resolver};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// If the name server passes signatures on. This is found out by asking for those of the root.
    #[default]
    Auto,
    Off,
    /// Always; what cannot be validated is not believed.
    On,
}

/// How long a name server that passes no signatures on is left in peace.
const PAUSE: Duration = Duration::from_secs(3600);
/// The same after silence: the network may just not be up yet.
const SHORT_PAUSE: Duration = Duration::from_secs(30);

pub(crate) struct Validator {
    resolver: Option<TokioResolver>,
    is_always: bool,
    time: Duration,
    state: Mutex<State>,
}

enum State {
    Works,
    /// Not before this time is it tried again.
    WorksNot(Instant),
    Unknown,
}

impl Validator {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let (resolver, state) = match settings.validation {
            Validation::Auto => (Some(resolver::validating(settings)?), State::Unknown),
            Validation::Off => (None, State::Unknown),
            Validation::On => (Some(resolver::validating(settings)?), State::Works),
        };
        let is_always = settings.validation == Validation::On;
        Ok(Self { resolver, is_always, time: settings.time, state: Mutex::new(state) })
    }

    pub(crate) fn is_always(&self) -> bool {
        self.is_always
    }

    /// The validating resolver, if answers can be validated.
    pub(crate) async fn get(&self) -> Option<&TokioResolver> {
        let resolver = self.resolver.as_ref()?;
        match *self.lock() {
            State::Works => return Some(resolver),
            State::WorksNot(until) if Instant::now() < until => return None,
            State::WorksNot(_) | State::Unknown => {}
        }
        self.probe(resolver).await.then_some(resolver)
    }

    /// Asks for the root's name servers, which are signed.
    async fn probe(&self, resolver: &TokioResolver) -> bool {
        let lookup = resolver.lookup(Name::root(), RecordType::NS);
        let pause = match tokio::time::timeout(self.time * 2, lookup).await {
            Ok(Ok(lookup)) if is_secure(&lookup, RecordType::NS) => {
                info!("answers of the name server are validated with DNSSEC");
                *self.lock() = State::Works;
                return true;
            }
            Ok(Ok(_)) => PAUSE,
            Ok(Err(error)) if crate::error::kind_of(&error) == crate::Kind::Bogus => PAUSE,
            Ok(Err(_)) | Err(_) => SHORT_PAUSE,
        };
        if pause == PAUSE {
            warn!("the name server passes no DNSSEC signatures on, so DANE is not used for outgoing mail");
        }
        *self.lock() = State::WorksNot(Instant::now() + pause);
        false
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
