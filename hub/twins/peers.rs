//! What other hubs say of their twins, and whether it is believed.
//!
//! A hub is asked over TLS, under the name of its own domain. What it says is checked against what it has said
//! before: its log must only have grown, a record must follow on the version that is known, a handle must
//! lead to the twin that it has led to. Who is caught at anything else is not believed any more, until the
//! owner of this hub says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub_identity::{Handle, History, Merged, Object, PublicKey, Record, TwinId, Value};
use hub_merkle::{self as merkle, Checkpoint, Hash};
use hub_storage::peers::{self as rows, HubRow, RecordRow, TwinRow};
use url::Url;

use crate::{Error, Hub, Result, unix_now};

/// A descriptor is good for a day; that a domain has no hub, too.
const HUB_FOR: i64 = 86_400;
/// A record is good for an hour.
const TWIN_FOR: i64 = 3600;

/// Keys of one hub: the one it uses, the next, and one to spare.
const MOST_KEYS: usize = 3;
/// Octets of the answers that [`Hub::believe_descriptor`] and [`Hub::believe_entry`] read.
pub const LONGEST_DESCRIPTOR: usize = 4 << 10;
pub const LONGEST_ENTRY: usize = 1 << 20;

/// The hub of another domain.
#[derive(Clone, Debug)]
pub struct PeerHub {
    row: HubRow,
    pub keys: Vec<PublicKey>,
}

/// A twin of another hub, as far as it is believed.
#[derive(Clone, Debug)]
pub struct PeerTwin {
    pub history: History,
    /// It was asked about within the last hour.
    pub is_fresh: bool,
    /// The owner of this hub says that the handle is this twin's.
    pub is_pinned: bool,
    pub checked_at: i64,
    pub first_seen: i64,
}

/// What came of a look-up.
#[derive(Clone, Debug)]
pub enum Found {
    /// Its hub knows it no more.
    Gone(PeerTwin),
    /// The domain has no hub.
    NoHub,
    /// There is a hub, which knows no such twin, and none was known here.
    NoTwin,
    Twin(PeerTwin),
}

impl PeerHub {
    fn new(row: HubRow) -> Self {
        let keys = row.keys.split(' ').filter_map(|key| key.parse().ok()).collect();
        Self { row, keys }
    }

    pub fn domain(&self) -> &str {
        &self.row.domain
    }

    /// Where it answers; `None` if the domain has no hub.
    pub fn api(&self) -> Option<&str> {
        Some(self.row.api.as_str()).filter(|api| !api.is_empty())
    }

    /// Leaves of its log that were seen.
    pub fn size(&self) -> u64 {
        self.row.size
    }

    /// The last head of its log that was seen: shown back to it.
    pub fn note(&self) -> &str {
        &self.row.note
    }

    pub fn is_fresh(&self) -> bool {
        (0..HUB_FOR).contains(&(unix_now() - self.row.checked_at))
    }

    /// `Refused` if it was caught at something.
    pub fn trusted(self) -> Result<Self> {
        match self.row.trouble.is_empty() {
            true => Ok(self),
            false => Err(Error::Refused(format!(
                "the hub of {0} is not believed: {1}; see: twinhub phonebook forget --help",
                self.row.domain, self.row.trouble
            ))),
        }
    }
}

impl Hub {
    pub async fn peer_hub(&self, domain: &str) -> Result<Option<PeerHub>> {
        Ok(self.0.storage.peer_hub(domain).await?.map(PeerHub::new))
    }

    /// What is known of another hub's twin.
    pub async fn peer_twin(&self, handle: &Handle) -> Result<Option<PeerTwin>> {
        Ok(self.known_twin(handle).await?.map(|(twin, ..)| twin))
    }

    /// Notes that a domain has no hub. Where one was known it stays known: who can suppress an answer must not
    /// make a twin's mail leave by another way.
    pub async fn believe_no_hub(&self, domain: &str) -> Result<PeerHub> {
        let known = self.0.storage.peer_hub(domain).await?;
        if let Some(known) = known.filter(|known| !known.api.is_empty()) {
            return PeerHub::new(known).trusted();
        }
        let row = HubRow { domain: domain.to_owned(), checked_at: unix_now(), ..HubRow::default() };
        self.put_hub(row.clone()).await?;
        Ok(PeerHub::new(row))
    }

    /// Reads the descriptor that a domain shows. A hub that is known may change its place, but not get other
    /// keys than it had: nothing in a descriptor proves who wrote it, and whoever could add a key of its own
    /// today could drop the others tomorrow. `Invalid`, `Refused`.
    pub async fn believe_descriptor(&self, domain: &str, text: &[u8]) -> Result<PeerHub> {
        let (api, keys) = read_descriptor(domain, text)
            .ok_or_else(|| Error::Invalid(format!("the descriptor of {domain} makes no sense")))?;
        let known = self.0.storage.peer_hub(domain).await?.unwrap_or_default();
        let before = PeerHub::new(known.clone()).trusted()?;
        if !before.keys.is_empty() && !keys.iter().all(|key| before.keys.contains(key)) {
            return Err(self.caught(known, "it shows a key that it did not have").await?);
        }
        let keys: Vec<String> = keys.iter().map(PublicKey::to_string).collect();
        let row =
            HubRow { domain: domain.to_owned(), api, keys: keys.join(" "), checked_at: unix_now(), ..known };
        self.put_hub(row.clone()).await?;
        Ok(PeerHub::new(row))
    }

    /// Reads what a hub answers about its log alone. `Invalid`, `Refused`; `Stale` if it is to be asked again.
    pub async fn believe_log(&self, peer: &PeerHub, text: &[u8]) -> Result<Checkpoint> {
        let answer = Answer::read(text).ok_or_else(|| nonsense(peer.domain()))?;
        self.believe_head(peer, &answer).await
    }

    /// Reads what a hub answers about a twin. `pin`: the owner of this hub says which twin the handle is.
    /// `Invalid`, `Refused`; `Stale` if it is to be asked again.
    pub async fn believe_entry(
        &self,
        peer: &PeerHub,
        handle: &Handle,
        text: &[u8],
        pin: Option<TwinId>,
    ) -> Result<PeerTwin> {
        let now = unix_now();
        let text = text.to_vec();
        // A thousand versions with eight signatures each take a while to check.
        let read = crate::apart(move || {
            let answer = Answer::read(&text)?;
            let theirs = History::new(answer.records.iter().cloned(), now);
            Some((answer, theirs))
        });
        let (answer, theirs) = read.await?.ok_or_else(|| nonsense(peer.domain()))?;
        let refused = |why: &dyn std::fmt::Display| {
            Error::Refused(format!("what {} says of {handle} is not believed: {why}", peer.domain()))
        };
        let theirs = theirs.map_err(|refusal| refused(&refusal))?;
        if theirs.handle() != handle || !theirs.current().draft().hubs.iter().any(|hub| hub == peer.domain())
        {
            return Err(refused(&"the record is about another handle or another hub"));
        }
        let head = self.believe_head(peer, &answer).await?;
        let leaf = merkle::leaf_hash(&theirs.current().hash().0);
        if !merkle::is_included(&leaf, answer.leaf, head.size, &answer.proof, &head.root) {
            return Err(refused(&"the record is not in its log"));
        }
        if pin.is_some_and(|id| id != theirs.id()) {
            return Err(refused(&format!("it is {}", theirs.id())));
        }
        if theirs.current().draft().expires_at <= now {
            return Err(refused(&"the record has ended"));
        }
        let known = self
            .known_twin(handle)
            .await?
            .filter(|(known, ..)| pin.is_none_or(|id| id == known.history.id()));
        let (history, seen, is_pinned, from) = match known {
            None => (theirs, Vec::new(), pin.is_some(), 1),
            Some((twin, seen, _)) => {
                let mut history = twin.history;
                let merged = history.merge(&theirs, &seen, now).map_err(|refusal| {
                    tracing::warn!(%handle, hub = peer.domain(), %refusal, "a record is not believed");
                    refused(&refusal)
                })?;
                let from = match merged {
                    Merged::Extended(_) | Merged::Unchanged => seen.len() as u64 + 1,
                    Merged::Overruled(seq) => {
                        tracing::warn!(%handle, seq, "versions of a record were overruled");
                        seq
                    }
                };
                (history, seen, twin.is_pinned || pin.is_some(), from)
            }
        };
        let first_seen = seen.first().copied().unwrap_or(now);
        self.put_twin(&history, is_pinned, from).await?;
        Ok(PeerTwin { history, is_fresh: true, is_pinned, checked_at: now, first_seen })
    }

    /// Notes that a hub knows no such twin. One that was known is not forgotten.
    pub async fn believe_no_twin(&self, handle: &Handle) -> Result<Found> {
        Ok(self.peer_twin(handle).await?.map_or(Found::NoTwin, Found::Gone))
    }

    /// Believes a hub anew, whatever it was caught at.
    pub async fn forget_peer_hub(&self, domain: &str) -> Result<()> {
        let domain = domain.to_owned();
        let forget = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { rows::forget_hub(tx, &domain).await }));
        Ok(forget.await?)
    }

    /// Checks that a log has only grown since it was seen last.
    async fn believe_head(&self, peer: &PeerHub, answer: &Answer) -> Result<Checkpoint> {
        let head = Checkpoint::verify(&answer.checkpoint, peer.domain(), &peer.keys);
        let head = head.ok_or_else(|| {
            Error::Refused(format!("the head of the log of {} is not signed by its hub", peer.domain()))
        })?;
        // What was seen meanwhile counts too.
        let known = self.0.storage.peer_hub(peer.domain()).await?.ok_or(Error::Stale)?;
        PeerHub::new(known.clone()).trusted()?;
        if known.note.is_empty() {
            let row = HubRow {
                size: head.size,
                root: head.root.to_vec(),
                note: answer.checkpoint.clone(),
                ..known
            };
            self.put_hub(row).await?;
            return Ok(head);
        }
        let root = Hash::try_from(known.root.as_slice()).map_err(|_| Error::Stale)?;
        if head.size == known.size {
            return match head.root == root {
                true => Ok(head),
                false => Err(self.caught(known, "it shows two logs of one length").await?),
            };
        }
        // Others have seen more of it meanwhile, or it is an old answer: nothing to be proven by this one.
        if head.size < known.size || known.size != peer.size() {
            return Err(Error::Stale);
        }
        if !merkle::is_consistent((known.size, &root), (head.size, &head.root), &answer.consistency) {
            return Err(self.caught(known, "its log does not go on from where it was").await?);
        }
        let row =
            HubRow { size: head.size, root: head.root.to_vec(), note: answer.checkpoint.clone(), ..known };
        self.put_hub(row).await?;
        Ok(head)
    }

    /// Notes at what a hub was caught, and says so.
    async fn caught(&self, row: HubRow, why: &str) -> Result<Error> {
        let domain = row.domain.clone();
        tracing::error!(domain, why, "another hub was caught; it is not believed any more");
        let row = HubRow { trouble: why.to_owned(), ..row };
        self.put_hub(row.clone()).await?;
        match PeerHub::new(row).trusted() {
            Err(refused) => Ok(refused),
            Ok(_) => Ok(Error::Stale),
        }
    }

    async fn known_twin(&self, handle: &Handle) -> Result<Option<(PeerTwin, Vec<i64>, TwinRow)>> {
        let Some(row) = self.0.storage.peer_twin(handle.as_str()).await? else { return Ok(None) };
        let records = self.0.storage.peer_records(&row.id).await?;
        let seen: Vec<i64> = records.iter().map(|record| record.seen_at).collect();
        let parsed: Result<Vec<Record>, _> = records.iter().map(|row| Record::parse(&row.record)).collect();
        let history = parsed.and_then(|records| History::new(records, i64::MAX)).map_err(|refusal| {
            tracing::error!(%handle, %refusal, "what is kept of another hub's twin is damaged");
            Error::Unavailable(hub_storage::Error::Busy)
        })?;
        let now = unix_now();
        let is_fresh =
            (0..TWIN_FOR).contains(&(now - row.checked_at)) && history.current().draft().expires_at > now;
        let twin = PeerTwin {
            history,
            is_fresh,
            is_pinned: row.pinned,
            checked_at: row.checked_at,
            first_seen: seen.first().copied().unwrap_or_default(),
        };
        Ok(Some((twin, seen, row)))
    }

    async fn put_hub(&self, row: HubRow) -> Result<()> {
        let put =
            self.0.storage.transact([], move |tx| Box::pin(async move { rows::put_hub(tx, &row).await }));
        Ok(put.await?)
    }

    /// Keeps the versions from `from` on.
    async fn put_twin(&self, history: &History, pinned: bool, from: u64) -> Result<()> {
        let now = unix_now();
        let twin = TwinRow {
            handle: history.handle().to_string(),
            id: history.id().to_string(),
            checked_at: now,
            pinned,
        };
        let new = history.records().iter().filter(|record| record.seq() >= from);
        let new: Vec<RecordRow> = new
            .map(|record| RecordRow {
                seq: record.seq(),
                seen_at: now,
                record: record.to_canonical().into_bytes(),
            })
            .collect();
        let put = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { rows::put_twin(tx, &twin, from, new).await }));
        Ok(put.await?)
    }
}

fn nonsense(domain: &str) -> Error {
    Error::Invalid(format!("the answer of the hub of {domain} makes no sense"))
}

/// `api` and `keys` of a descriptor.
fn read_descriptor(domain: &str, text: &[u8]) -> Option<(String, Vec<PublicKey>)> {
    let value = Value::parse(text).ok().filter(|_| text.len() <= LONGEST_DESCRIPTOR)?;
    let object = value.as_object()?;
    let is_it = object.get("type")?.as_str()? == "twin-hub/1" && object.get("domain")?.as_str()? == domain;
    let api = object.get("api")?.as_str()?;
    let url = Url::parse(api).ok()?;
    // Asked is a name that can show a certificate, and nothing but the path is added.
    let is_fit = url.scheme() == "https"
        && url.domain().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !api.ends_with('/')
        && api.len() <= 500;
    let keys = object.get("keys")?.as_array()?;
    let keys: Option<Vec<PublicKey>> = keys.iter().map(|key| key.as_str()?.parse().ok()).collect();
    let keys = keys.filter(|keys| (1..=MOST_KEYS).contains(&keys.len()))?;
    (is_it && is_fit).then(|| (api.to_owned(), keys))
}

/// What a hub answers, not believed yet.
struct Answer {
    records: Vec<Record>,
    leaf: u64,
    proof: Vec<Hash>,
    checkpoint: String,
    consistency: Vec<Hash>,
}

impl Answer {
    /// About a log alone it has no records, and so no proof about them.
    fn read(text: &[u8]) -> Option<Self> {
        let value = Value::parse(text).ok().filter(|_| text.len() <= LONGEST_ENTRY)?;
        let object = value.as_object()?;
        let records = match object.get("records") {
            None => Vec::new(),
            Some(list) => {
                let record = |value: &Value| Record::parse(value.to_canonical().as_bytes()).ok();
                list.as_array()?.iter().map(record).collect::<Option<_>>()?
            }
        };
        let leaf = object.get("leaf").and_then(Value::as_integer).unwrap_or(0);
        Some(Self {
            records,
            leaf: u64::try_from(leaf).ok()?,
            proof: read_hashes(object, "proof").unwrap_or_default(),
            checkpoint: object.get("checkpoint")?.as_str()?.to_owned(),
            consistency: read_hashes(object, "consistency")?,
        })
    }
}

/// A tree of 2^64 leaves has proofs of 64 hashes, or twice as many.
fn read_hashes(object: &Object, name: &str) -> Option<Vec<Hash>> {
    let list = object.get(name)?.as_array().filter(|list| list.len() <= 128)?;
    list.iter().map(|hash| STANDARD.decode(hash.as_str()?).ok()?.try_into().ok()).collect()
}
