//! Keys that sign what the twins send (DKIM): made with a domain, changed from time to time.
//!
//! A new pair is published first. It signs when DNS has had it for a while, so that no receiver meets
//! a signature whose key it cannot find yet; the pair before it stays published for a week, for mail
//! that is still on its way. Only a domain's first pair signs at once: without it nothing would.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hub_dkim::{Algorithm, Signer};
use hub_storage::dkim::{self, KeyRow};

use crate::{Error, Hub, Incoming, Result, locked, unix_now};

/// DNS has had a key for so long before it signs: twice the life of a record.
const BEFORE_SIGNING: i64 = 2 * 3600;
/// A retired key stays published: mail waits in queues for five days.
const BEFORE_REVOKING: i64 = 7 * 86_400;
/// A revoked key is told (`p=`) for so long, then forgotten.
const BEFORE_FORGETTING: i64 = 30 * 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It waits to be found in DNS.
    New,
    Retired,
    /// Its secret is gone.
    Revoked,
    Signing,
}

/// One key, as the hub's owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    pub selector: String,
    pub state: KeyState,
    /// What `selector._domainkey.domain` must say (RFC 6376 §3.6.1).
    pub record: String,
    /// Unix seconds.
    pub created_at: i64,
}

/// How often the owner is reminded of the same in the log.
const REMIND: i64 = 86_400;

/// Signing keys of domains that have sent lately.
#[derive(Default)]
pub(crate) struct Signers {
    known: Mutex<HashMap<String, Arc<Vec<Signer>>>>,
    /// When the owner of the hub was last reminded of the keys of a domain.
    reminded: Mutex<HashMap<String, i64>>,
}

impl Signers {
    pub(crate) fn forget(&self) {
        locked(&self.known).clear();
    }

    /// True once in a while.
    fn remind(&self, domain: &str, now: i64) -> bool {
        let mut reminded = locked(&self.reminded);
        let is_time = reminded.get(domain).is_none_or(|last| now - last >= REMIND);
        if is_time {
            reminded.insert(domain.to_owned(), now);
        }
        is_time
    }
}

fn state(key: &KeyRow) -> KeyState {
    match key {
        KeyRow { secret, .. } if secret.is_empty() => KeyState::Revoked,
        KeyRow { retired_at: 1.., .. } => KeyState::Retired,
        KeyRow { active_at: 1.., .. } => KeyState::Signing,
        _ => KeyState::New,
    }
}

fn record(key: &KeyRow) -> String {
    // RFC 6376 §3.6.1: an empty key is a revoked one.
    let public = if key.secret.is_empty() { "" } else { &key.public };
    format!("v=DKIM1; k={}; p={public}", key.algorithm)
}

impl Hub {
    /// All keys of a domain, oldest first.
    pub async fn signing_keys(&self, domain: &str) -> Result<Vec<SigningKey>> {
        let keys = self.0.storage.dkim_keys(&hosted_name(domain)?).await?;
        let show = |key: &KeyRow| SigningKey {
            selector: key.selector.clone(),
            state: state(key),
            record: record(key),
            created_at: key.created_at,
        };
        Ok(keys.iter().map(show).collect())
    }

    /// Makes the next pair of keys, which takes over when DNS has it. `NotFound`; `Exists` if there
    /// is such a pair already.
    pub async fn rotate_keys(&self, domain: &str) -> Result<()> {
        let domain = hosted_name(domain)?;
        if !self.0.storage.has_domain(&domain).await? {
            return Err(Error::NotFound("domain"));
        }
        let keys = self.0.storage.dkim_keys(&domain).await?;
        if keys.iter().any(|key| state(key) == KeyState::New) {
            return Err(Error::Exists("pair of new keys"));
        }
        self.add_keys(&domain, &keys).await
    }

    /// Sees to it that every domain has keys, and does what is due with them. `published` tells which
    /// records (name, text) DNS has. A pair that has signed for `age` seconds gets a successor, if its
    /// own records are there: whoever publishes these will find the new ones too. Until then the old
    /// pair signs.
    pub async fn tend_keys<F>(&self, published: impl Fn(String, String) -> F, age: Option<i64>) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let now = unix_now();
        for domain in self.0.storage.domains().await? {
            let keys = self.0.storage.dkim_keys(&domain).await?;
            self.ensure_keys(&domain).await?;
            let is_old = age.is_some_and(|age| is_old(&keys, now, age));
            let looked_for = if is_old { KeyState::Signing } else { KeyState::New };
            let (mut seen, mut missing) = (Vec::new(), false);
            for key in keys.iter().filter(|key| state(key) == looked_for) {
                let name = format!("{}._domainkey.{domain}", key.selector);
                match published(name, record(key)).await {
                    true => seen.push(key.selector.clone()),
                    false => missing = true,
                }
            }
            if missing && self.0.signers.remind(&domain, now) {
                tracing::warn!(
                    domain,
                    signing = is_old,
                    "DNS does not have the keys of a domain; see: twinhub check"
                );
            }
            if is_old && !missing {
                match self.add_keys(&domain, &keys).await {
                    Ok(()) => tracing::info!(domain, "publish the new keys; see: twinhub dns"),
                    Err(Error::Exists(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            let due = due(keys, &seen, now);
            if !due.is_empty() {
                self.change_keys(due).await?;
            }
        }
        // Another node on this database may have changed them.
        self.0.signers.forget();
        Ok(())
    }

    /// Makes a domain's first keys, if it has none that sign.
    pub async fn ensure_keys(&self, domain: &str) -> Result<()> {
        let domain = hosted_name(domain)?;
        let keys = self.0.storage.dkim_keys(&domain).await?;
        match keys.iter().any(|key| state(key) == KeyState::Signing) {
            true => Ok(()),
            false => match self.add_keys(&domain, &keys).await {
                // The other of `tend_keys` and an owner who has just added the domain was quicker.
                Err(Error::Exists(_)) => Ok(()),
                added => added,
            },
        }
    }

    /// A pair for a domain that signs at once if none does.
    async fn add_keys(&self, domain: &str, keys: &[KeyRow]) -> Result<()> {
        let now = unix_now();
        let is_first = !keys.iter().any(|key| state(key) == KeyState::Signing);
        let made =
            crate::apart(|| [Algorithm::Rsa, Algorithm::Ed25519].map(|a| (a, hub_dkim::generate(a)))).await?;
        let mut rows = Vec::new();
        for (algorithm, made) in made {
            let (secret, public) = made.map_err(|_| Error::Limit("keys cannot be made at the moment"))?;
            rows.push(KeyRow {
                domain: domain.to_owned(),
                selector: selector(algorithm, keys),
                algorithm: algorithm.name().to_owned(),
                secret,
                public,
                created_at: now,
                seen_at: 0,
                active_at: if is_first { now } else { 0 },
                retired_at: 0,
            });
        }
        let add = self.0.storage.transact([], move |tx| {
            Box::pin(async move {
                for row in &rows {
                    dkim::add(tx, row).await?;
                }
                Ok(())
            })
        });
        add.await?;
        tracing::info!(domain, signing = is_first, "made signing keys");
        Ok(())
    }

    async fn change_keys(&self, due: Vec<Due>) -> Result<()> {
        let change = self.0.storage.transact([], move |tx| {
            Box::pin(async move {
                for due in &due {
                    match due {
                        Due::Change(key) => dkim::change(tx, key).await?,
                        Due::Forget(key) => dkim::remove(tx, &key.domain, &key.selector).await?,
                    }
                }
                Ok(())
            })
        });
        Ok(change.await?)
    }

    /// Signatures of the first author's domain, as fields to put in front; empty if it is not ours.
    pub(crate) async fn signatures(&self, incoming: &Incoming) -> Result<String> {
        let author = incoming.summary.author_addresses.first().and_then(|author| author.rsplit_once('@'));
        let Some((_, domain)) = author else { return Ok(String::new()) };
        let signers = self.signers(domain).await?;
        let (incoming, now) = (incoming.clone(), unix_now());
        if signers.is_empty() {
            return Ok(String::new());
        }
        let signed = crate::apart(move || {
            let header = incoming.header()?;
            hub_dkim::sign(&signers, &header, incoming.body(), now).map_err(unreadable)
        });
        signed.await?
    }

    /// Seals a message that is passed on (RFC 8617) in the name of `domain`: fields to put in front.
    /// `results` is what was found out about it on arrival, from our name on. Empty if the domain has no
    /// key, or the chain is broken.
    pub async fn seal(
        &self,
        domain: &str,
        results: &str,
        passes: bool,
        incoming: &Incoming,
    ) -> Result<String> {
        let signers = self.signers(domain).await?;
        let (incoming, results, now) = (incoming.clone(), results.to_owned(), unix_now());
        let sealed = crate::apart(move || {
            // One seal: RSA, which all who check chains know.
            let Some(signer) = signers.first() else { return Ok(String::new()) };
            let header = incoming.header()?;
            hub_dkim::seal(signer, &results, passes, &header, incoming.body(), now).map_err(unreadable)
        });
        sealed.await?
    }

    /// Keys that sign for a domain now, RSA first.
    pub(crate) async fn signers(&self, domain: &str) -> Result<Arc<Vec<Signer>>> {
        if let Some(signers) = locked(&self.0.signers.known).get(domain) {
            return Ok(Arc::clone(signers));
        }
        let mut keys = self.0.storage.dkim_keys(domain).await?;
        keys.retain(|key| state(key) == KeyState::Signing);
        keys.sort_by_key(|key| key.algorithm != Algorithm::Rsa.name());
        let signer = |key: &KeyRow| {
            Signer::new(&key.domain, &key.selector, Algorithm::from_name(&key.algorithm)?, &key.secret)
        };
        let signers = Arc::new(keys.iter().filter_map(signer).collect::<Vec<_>>());
        if !signers.is_empty() {
            locked(&self.0.signers.known).insert(domain.to_owned(), Arc::clone(&signers));
        }
        Ok(signers)
    }
}

/// True if the pair that signs has done so for `age` seconds and nothing waits to take over.
fn is_old(keys: &[KeyRow], now: i64, age: i64) -> bool {
    let has = |wanted| keys.iter().any(|key| state(key) == wanted);
    let signing = keys.iter().filter(|key| state(key) == KeyState::Signing);
    let oldest = signing.map(|key| key.active_at).min();
    !has(KeyState::New) && oldest.is_some_and(|oldest| now - oldest >= age)
}

/// What is to be done with a key.
#[derive(PartialEq, Eq)]
enum Due {
    Change(KeyRow),
    Forget(KeyRow),
}

/// The timetable. `seen`: new keys that DNS has now.
fn due(keys: Vec<KeyRow>, seen: &[String], now: i64) -> Vec<Due> {
    let waits = |key: &&KeyRow| state(key) == KeyState::New;
    // A record can be gone again, or have been corrected for the worse.
    let ripe =
        |key: &KeyRow| key.seen_at > 0 && now - key.seen_at >= BEFORE_SIGNING && seen.contains(&key.selector);
    // A pair takes over together.
    let takes_over = keys.iter().any(|key| waits(&key)) && keys.iter().filter(waits).all(ripe);
    let mut due = Vec::new();
    for mut key in keys {
        match state(&key) {
            KeyState::New if takes_over => key.active_at = now,
            KeyState::New if key.seen_at == 0 && seen.contains(&key.selector) => key.seen_at = now,
            KeyState::Signing if takes_over => key.retired_at = now,
            KeyState::Retired if now - key.retired_at >= BEFORE_REVOKING => key.secret.clear(),
            KeyState::Revoked if now - key.retired_at >= BEFORE_FORGETTING => {
                due.push(Due::Forget(key));
                continue;
            }
            _ => continue,
        }
        due.push(Due::Change(key));
    }
    due
}

/// Like `rsa-3`, the number of the pair; names are not used twice while one of them is remembered.
fn selector(algorithm: Algorithm, keys: &[KeyRow]) -> String {
    let number = |key: &KeyRow| key.selector.rsplit_once('-')?.1.parse::<u32>().ok();
    let last = keys.iter().filter_map(number).max().unwrap_or(0);
    format!("{}-{}", algorithm.name(), last.saturating_add(1))
}

fn hosted_name(domain: &str) -> Result<String> {
    crate::normal_domain(domain).ok_or(Error::NotFound("domain"))
}

pub(crate) fn unreadable(error: std::io::Error) -> Error {
    tracing::error!(%error, "a message could not be read or signed");
    Error::Unavailable(hub_storage::Error::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(selector: &str, times: [i64; 3]) -> KeyRow {
        let [seen_at, active_at, retired_at] = times;
        KeyRow {
            domain: "a.example".into(),
            selector: selector.into(),
            algorithm: "rsa".into(),
            secret: vec![1],
            public: "AA".into(),
            created_at: 1,
            seen_at,
            active_at,
            retired_at,
        }
    }

    #[test]
    fn a_pair_takes_over_when_dns_has_had_both() {
        let now = 1_000_000_000;
        let pair = |seen: [i64; 2]| {
            vec![key("old", [0, 1, 0]), key("r", [seen[0], 0, 0]), key("e", [seen[1], 0, 0])]
        };
        let both = ["r".to_owned(), "e".to_owned()];
        assert!(due(pair([0, 0]), &[], now).is_empty(), "not published");
        assert!(
            due(pair([0, 0]), &both, now)
                == [Due::Change(key("r", [now, 0, 0])), Due::Change(key("e", [now, 0, 0]))]
        );
        assert!(due(pair([now - 10, now - 10]), &both, now).is_empty(), "not long enough");
        let early = now - BEFORE_SIGNING;
        assert!(due(pair([early, now]), &both, now).is_empty(), "one of them not long enough");
        assert!(due(pair([early, early]), &both[..1], now).is_empty(), "one of them is gone again");
        let taken = due(pair([early, early]), &both, now);
        assert!(
            taken
                == [
                    Due::Change(key("old", [0, 1, now])),
                    Due::Change(key("r", [early, now, 0])),
                    Due::Change(key("e", [early, now, 0])),
                ]
        );
    }

    #[test]
    fn an_old_key_is_revoked_and_forgotten() {
        let now = 1_000_000_000;
        let old = |ago| key("old", [0, 1, now - ago]);
        assert!(due(vec![old(BEFORE_REVOKING - 1)], &[], now).is_empty());
        let revoked = KeyRow { secret: Vec::new(), ..old(BEFORE_REVOKING) };
        assert!(due(vec![old(BEFORE_REVOKING)], &[], now) == [Due::Change(revoked.clone())]);
        assert_eq!((state(&revoked), record(&revoked).as_str()), (KeyState::Revoked, "v=DKIM1; k=rsa; p="));
        let forgotten = KeyRow { secret: Vec::new(), ..old(BEFORE_FORGETTING) };
        assert!(due(vec![forgotten.clone()], &[], now) == [Due::Forget(forgotten)]);
    }

    #[test]
    fn a_pair_grows_old() {
        let signing = key("old", [0, 1_000, 0]);
        assert!(!is_old(&[], 5_000, 100), "no pair");
        assert!(!is_old(std::slice::from_ref(&signing), 1_099, 100));
        assert!(is_old(std::slice::from_ref(&signing), 1_100, 100));
        assert!(!is_old(&[signing, key("new", [0, 0, 0])], 5_000, 100), "a new one waits already");
    }

    #[test]
    fn selectors_are_not_used_twice() {
        assert_eq!(selector(Algorithm::Ed25519, &[]), "ed25519-1");
        let keys = [key("rsa-9", [0, 1, 0]), key("ed25519-10", [0, 1, 0]), key("mine", [0, 1, 0])];
        assert_eq!(selector(Algorithm::Rsa, &keys), "rsa-11");
    }
}
