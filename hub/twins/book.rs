//! What other hubs are told of this hub's twins.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub_identity::{Object, PublicKey, SecretKey, Value};
use hub_merkle::{Checkpoint, Hash};

use crate::{Error, Hub, Result};

impl Hub {
    /// `/.well-known/twin` of a hosted domain: where its hub answers, and the keys that it signs with.
    /// `NotFound`.
    pub async fn descriptor(&self, domain: &str, api: &str, keys: &[PublicKey]) -> Result<String> {
        self.require_domain(domain).await?;
        let mut object = Object::default();
        object.set("type", "twin-hub/1".into());
        object.set("domain", domain.into());
        object.set("api", api.into());
        object.set("keys", Value::Array(keys.iter().map(|key| key.to_string().into()).collect()));
        Ok(object.to_canonical())
    }

    /// All versions of a twin's record (by its handle or id), the proof that the last of them is in the log of
    /// its domain, and that the log still begins with its first `since` leaves. `NotFound`: there is no such
    /// twin, or it does not want to be found; nothing tells which.
    pub async fn phonebook_entry(&self, name: &str, since: u64, key: &SecretKey) -> Result<String> {
        let rows = self.0.storage.shown_records(name).await?;
        let (last, mut records) = (rows.last().ok_or(Error::NotFound("twin"))?, Vec::new());
        for row in &rows {
            records.push(Value::parse(&row.record).map_err(|_| Error::NotFound("twin"))?);
        }
        let handle = records.last().and_then(Value::as_object).and_then(|record| record.get("handle"));
        let domain = handle.and_then(Value::as_str).and_then(|handle| handle.rsplit_once('@'));
        let (_, domain) = domain.ok_or(Error::NotFound("twin"))?;
        let head = self.log_head(domain).await?;
        let proof = self.log_inclusion(&head, last.leaf).await?;
        let consistency = self.growth(&head, since).await?;
        let mut object = Object::default();
        object.set("leaf", Value::Integer(i64::try_from(last.leaf).unwrap_or(i64::MAX)));
        object.set("records", Value::Array(records));
        object.set("proof", hashes(&proof));
        object.set("checkpoint", head.sign(key).into());
        object.set("consistency", hashes(&consistency));
        Ok(object.to_canonical())
    }

    /// The head of a hosted domain's log, and the proof that it begins with its first `since` leaves.
    /// `NotFound`.
    pub async fn log_answer(&self, domain: &str, since: u64, key: &SecretKey) -> Result<String> {
        self.require_domain(domain).await?;
        let head = self.log_head(domain).await?;
        let consistency = self.growth(&head, since).await?;
        let mut object = Object::default();
        object.set("checkpoint", head.sign(key).into());
        object.set("consistency", hashes(&consistency));
        Ok(object.to_canonical())
    }

    /// Who has seen a longer log is shown this one as it is.
    async fn growth(&self, head: &Checkpoint, since: u64) -> Result<Vec<Hash>> {
        if since > head.size { Ok(Vec::new()) } else { self.log_consistency(head, since).await }
    }

    /// `NotFound` unless this is a domain of ours as DNS has it; it may have been added in another script.
    async fn require_domain(&self, ascii: &str) -> Result<()> {
        let is_ours = self.hosts_domain(ascii).await? || {
            let is_it =
                |domain: &String| url::Host::parse(domain).is_ok_and(|host| host.to_string() == ascii);
            ascii.contains("xn--") && self.domains().await?.iter().any(is_it)
        };
        if is_ours { Ok(()) } else { Err(Error::NotFound("domain")) }
    }
}

fn hashes(list: &[Hash]) -> Value {
    Value::Array(list.iter().map(|hash| STANDARD.encode(hash).into()).collect())
}
