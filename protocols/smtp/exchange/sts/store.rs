//! Policies for as long as they say. What is known is never given up for a look-up or a fetch that
//! fails: that is all that an attacker would have to bring about (RFC 8461 §5.1).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub::{Hub, StsPolicy, TlsFailure};
use hub_dns::Dns;
use hub_https::Https;
use tracing::{info, warn};

use super::{Policy, fetch, id};
use crate::Service;
use crate::exchange::sessions::Flaw;
use crate::status::causes;
use crate::work::unix_now;

/// A policy that ends within a day is fetched anew (RFC 8461 §3.3).
const REFRESH: i64 = 24 * 3600;
/// After a fetch that failed, the domain is left in peace for so long (RFC 8461 §5.1).
const PAUSE: Duration = Duration::from_secs(5 * 60);
/// Domains remembered for that.
const MAX_FAILED: usize = 10_000;

pub(crate) struct Store {
    hub: Hub,
    dns: Arc<Dns>,
    https: Https,
    failed: Mutex<HashMap<String, (Instant, Flaw)>>,
}

/// What is known of a domain.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) policy: Option<Arc<Policy>>,
    /// Why what it publishes now cannot be had.
    pub(crate) flaw: Option<Flaw>,
}

impl Store {
    pub(crate) fn new(service: &Service, https: Https) -> Self {
        Self { hub: service.hub.clone(), dns: Arc::clone(&service.dns), https, failed: Mutex::default() }
    }

    /// The policy of a domain, if it has one. `Err` if what was known of it cannot be read now.
    pub(crate) async fn policy(&self, domain: &str) -> Result<Found, String> {
        let now = unix_now();
        let kept = self.kept(domain, now).await.map_err(|error| {
            warn!(domain, error = causes(&error), "the domain's MTA-STS policy cannot be read");
            format!("451 4.3.0 the MTA-STS policy of {domain} cannot be read")
        })?;
        let published = self.dns.texts(&format!("_mta-sts.{domain}")).await.ok().and_then(|texts| id(&texts));
        let Some(published) = published else {
            return Ok(Found { policy: kept.map(|(_, policy)| policy), flaw: None });
        };
        Ok(match kept {
            Some((row, policy))
                if row.id == published && row.expires_at > now + REFRESH.min(policy.max_age as i64 / 2) =>
            {
                Found { policy: Some(policy), flaw: None }
            }
            kept => match self.fetch(domain, published, now).await {
                Ok(policy) => Found { policy: Some(policy), flaw: None },
                Err(flaw) => Found { policy: kept.map(|(_, policy)| policy), flaw: Some(flaw) },
            },
        })
    }

    async fn kept(&self, domain: &str, now: i64) -> hub::Result<Option<(StsPolicy, Arc<Policy>)>> {
        let row = self.hub.sts_policy(domain).await?.filter(|row| row.expires_at > now);
        Ok(row.and_then(|row| {
            let policy = Policy::parse(&row.policy).ok()?;
            Some((row, Arc::new(policy)))
        }))
    }

    async fn fetch(&self, domain: &str, published: String, now: i64) -> Result<Arc<Policy>, Flaw> {
        if let Some((_, flaw)) = self.failed().get(domain).filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(flaw.clone());
        }
        let fetched = fetch::policy(&self.https, domain).await;
        let parsed = fetched.and_then(|text| match Policy::parse(&text) {
            Ok(policy) => Ok((text, policy)),
            Err(why) => Err(Flaw::new(TlsFailure::StsPolicyInvalid, why)),
        });
        let (text, policy) = parsed.inspect_err(|flaw| {
            warn!(domain, why = flaw.reason, "the domain's MTA-STS policy cannot be had");
            self.remember_failure(domain, flaw);
        })?;
        info!(domain, mode = ?policy.mode, hosts = policy.hosts().join(", "), "MTA-STS policy");
        let row = StsPolicy {
            domain: domain.to_owned(),
            id: published,
            policy: text,
            expires_at: now + policy.max_age as i64,
        };
        if let Err(error) = self.hub.keep_sts_policy(row).await {
            warn!(domain, error = causes(&error), "the domain's MTA-STS policy cannot be kept");
        }
        Ok(Arc::new(policy))
    }

    fn remember_failure(&self, domain: &str, flaw: &Flaw) {
        let mut failed = self.failed();
        if failed.len() >= MAX_FAILED {
            failed.retain(|_, (at, _)| at.elapsed() < PAUSE);
        }
        if failed.len() < MAX_FAILED {
            failed.insert(domain.to_owned(), (Instant::now(), flaw.clone()));
        }
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Flaw)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
