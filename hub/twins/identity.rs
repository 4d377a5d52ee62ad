//! The identities of this hub's twins: made with the account, renewed before they end, with new keys when
//! somebody asks for them.
//!
//! The hub keeps the keys that sign for a twin and one that may rotate them (custody `hub`), as it keeps the
//! keys of DKIM: in its database. So it could speak for its twins, as it can read their mail. What it does
//! not keep is the recovery key, which ranks higher: whoever has the words of it can overrule the hub.

use std::collections::BTreeMap;

use hub_identity::{
    Custody, Draft, Handle, Hash, History, Merged, Record, Refusal, SecretKey, TwinId, Words,
};
use hub_storage::twins::{self as rows, IdentityRow};
use hub_storage::{Storage, Tx};

use super::log;
use crate::{AccountId, Address, Error, Hub, Result, unix_now};

/// A record is good for a year, and renewed two months before: peers that ask rarely still see the next one.
const GOOD_FOR: i64 = 365 * 86_400;
const RENEW_BEFORE: i64 = 60 * 86_400;

/// Accounts in one commit.
const AT_ONCE: u32 = 200;

const NO_KEYS: Error = Error::Limit("keys cannot be made at the moment");

/// What an envelope may be to a twin of this hub.
const ACCEPTS: [&str; 1] = ["mail/1"];

/// A twin's identity, for those who may know that it exists.
#[derive(Clone, Debug)]
pub struct TwinIdentity {
    pub history: History,
    /// When the words of its recovery key were shown, Unix seconds.
    pub recovery_at: Option<i64>,
    /// Other hubs are told that there is no such twin.
    pub is_hidden: bool,
}

impl TwinIdentity {
    pub fn id(&self) -> TwinId {
        self.history.id()
    }

    /// The hash of the version that counts.
    pub fn hash(&self) -> Hash {
        self.history.current().hash()
    }
}

/// A twin's identity with the keys that the hub holds.
struct Own {
    row: IdentityRow,
    history: History,
    /// When each version came to be here.
    seen: Vec<i64>,
}

/// Keys that the hub makes for a twin.
struct Keys {
    rotation: SecretKey,
    signing: SecretKey,
}

impl Keys {
    fn generate() -> Result<Self> {
        let key = || SecretKey::generate().ok_or(NO_KEYS);
        Ok(Self { rotation: key()?, signing: key()? })
    }
}

/// An identity that nobody has seen yet.
pub(crate) struct NewIdentity {
    row: IdentityRow,
    genesis: Record,
}

impl NewIdentity {
    pub(crate) fn of(mut self, account: AccountId) -> Self {
        self.row.account = account;
        self
    }
}

/// The handle of a twin with this address; `None` if an address like this cannot be one.
pub(crate) fn handle_of(address: &Address) -> Option<Handle> {
    let url::Host::Domain(domain) = url::Host::parse(address.domain()).ok()? else { return None };
    format!("{}@{domain}", address.local().to_lowercase()).parse().ok()
}

/// An identity for a new account, whose number is not known yet, and its first record.
pub(crate) fn new_identity(handle: &Address, now: i64) -> Result<Option<NewIdentity>> {
    let Some(handle) = handle_of(handle) else { return Ok(None) };
    let keys = Keys::generate()?;
    let draft = Draft {
        time: now,
        expires_at: now + GOOD_FOR,
        hubs: vec![handle.domain().to_owned()],
        handle: handle.clone(),
        rotate: vec![keys.rotation.public()],
        sign: vec![keys.signing.public()],
        custody: Custody::Hub,
        accepts: ACCEPTS.map(str::to_owned).to_vec(),
    };
    let genesis = Record::genesis(&draft, &keys.rotation).map_err(refused)?;
    let row = IdentityRow {
        account: AccountId(0),
        id: genesis.id().to_string(),
        handle: handle.to_string(),
        rotation_seed: keys.rotation.seed().to_vec(),
        signing_seed: keys.signing.seed().to_vec(),
        recovery_at: 0,
        expires_at: draft.expires_at,
        hidden: false,
        created_at: now,
    };
    Ok(Some(NewIdentity { row, genesis }))
}

impl Hub {
    /// Who a twin is. `NotFound` if there is no such twin, or its address cannot be a handle.
    pub async fn twin_identity(&self, handle: &Address) -> Result<TwinIdentity> {
        let own = self.own_identity(self.twin(handle).await?).await?;
        let Own { row, history, .. } = own;
        let recovery_at = (row.recovery_at > 0).then_some(row.recovery_at);
        Ok(TwinIdentity { history, recovery_at, is_hidden: row.hidden })
    }

    /// The handle that a mail address is; `None` if it can be none.
    pub fn handle_of(&self, address: &Address) -> Option<Handle> {
        handle_of(address)
    }

    /// Hides a twin from other hubs, or shows it. They are told then that there is none; mail for it still comes.
    pub async fn hide_twin(&self, handle: &Address, hidden: bool) -> Result<()> {
        let account = self.twin(handle).await?;
        self.0.storage.transact([account], move |tx| Box::pin(rows::hide(tx, account, hidden))).await?;
        Ok(())
    }

    /// Makes a recovery key and returns its words, which are kept nowhere. `Exists` if there is one already
    /// and it is not to be replaced.
    pub async fn make_recovery_key(&self, handle: &Address, replace: bool) -> Result<Words> {
        let mut own = self.own_identity(self.twin(handle).await?).await?;
        if own.row.recovery_at > 0 && !replace {
            return Err(Error::Exists("recovery key"));
        }
        let hub_key = own.rotation_key()?;
        let recovery = SecretKey::generate().ok_or(NO_KEYS)?;
        let mut draft = renewed(own.history.current());
        draft.rotate = vec![recovery.public(), hub_key.public()];
        own.row.recovery_at = unix_now();
        let record = own.history.current().next(&draft, &hub_key).map_err(refused)?;
        self.change_identity(own, record).await?;
        tracing::info!(twin = %handle, "a recovery key was made");
        Ok(recovery.to_words())
    }

    /// Gives a twin new keys to sign with and to rotate with. Signed by the hub, or with the words of a
    /// recovery key; then `behind` can name the last version that the twin stands by, and what came later is
    /// overruled. `Forbidden`, `Invalid`.
    pub async fn rotate_identity(
        &self,
        handle: &Address,
        words: Option<&Words>,
        behind: Option<u64>,
    ) -> Result<Merged> {
        let mut own = self.own_identity(self.twin(handle).await?).await?;
        let last = own.history.current().seq();
        let base = own.history.version(behind.unwrap_or(last)).ok_or(Error::NotFound("version"))?.clone();
        let signer = match words {
            None => own.rotation_key()?,
            Some(words) => SecretKey::from_words(words).ok_or(NO_KEYS)?,
        };
        let rank = base.draft().rotate.iter().position(|key| *key == signer.public());
        let rank = rank.ok_or(Error::Forbidden("this key may not rotate the keys of the twin"))?;
        let keys = Keys::generate()?;
        let mut draft = Draft { sign: vec![keys.signing.public()], ..renewed(&base) };
        // Keys of a lower rank, and the hub's own, give way to the new one.
        draft.rotate.truncate(rank + usize::from(words.is_some()));
        draft.rotate.push(keys.rotation.public());
        (own.row.rotation_seed, own.row.signing_seed) =
            (keys.rotation.seed().to_vec(), keys.signing.seed().to_vec());
        let record = base.next(&draft, &signer).map_err(refused)?;
        let merged = self.change_identity(own, record).await?;
        tracing::info!(twin = %handle, ?merged, "the keys of a twin were changed");
        Ok(merged)
    }

    /// Renews records that end soon.
    pub async fn renew_identities(&self) -> Result<()> {
        loop {
            let ending = self.0.storage.identities_ending(unix_now() + RENEW_BEFORE, AT_ONCE).await?;
            let mut renewed = 0;
            for account in &ending {
                match self.renew_identity(*account).await {
                    Ok(()) => renewed += 1,
                    // It is changed or removed at this moment, or its keys are elsewhere by now.
                    Err(Error::Stale | Error::NotFound(_) | Error::Forbidden(_)) => {}
                    // One that is damaged must not keep the others from being renewed.
                    Err(error) => tracing::error!(account = account.0, %error, "a record cannot be renewed"),
                }
            }
            if renewed == 0 {
                return Ok(());
            }
        }
    }

    async fn renew_identity(&self, account: AccountId) -> Result<()> {
        let own = self.own_identity(account).await?;
        let last = own.history.current();
        let record = last.next(&renewed(last), &own.rotation_key()?).map_err(refused)?;
        self.change_identity(own, record).await.map(drop)
    }

    async fn own_identity(&self, account: AccountId) -> Result<Own> {
        let row = self.0.storage.twin_identity(account).await?.ok_or(Error::NotFound("identity"))?;
        let records = self.0.storage.twin_records(account).await?;
        let seen = records.iter().map(|record| record.made_at).collect();
        let parsed = records.iter().map(|row| Record::parse(&row.record)).collect::<Result<Vec<_>, _>>();
        // A clock that was put back must not make own records unreadable.
        let history = parsed.and_then(|records| History::new(records, i64::MAX)).map_err(|refusal| {
            tracing::error!(account = account.0, %refusal, "the record of a twin is damaged");
            Error::Unavailable(hub_storage::Error::Busy)
        })?;
        Ok(Own { row, history, seen })
    }

    /// Keeps a version and the keys that go with it.
    async fn change_identity(&self, own: Own, record: Record) -> Result<Merged> {
        let Own { mut row, mut history, seen } = own;
        let expected = history.current().seq();
        row.expires_at = record.draft().expires_at;
        let (seq, hash, text) = (record.seq(), record.hash(), record.to_canonical().into_bytes());
        let domain = record.draft().handle.domain().to_owned();
        let merged = history.accept(record, &seen, unix_now()).map_err(refused)?;
        let account = row.account;
        let change = self.0.storage.transact([account], move |tx| {
            Box::pin(async move {
                let leaf = log::append(tx, &domain, &[hash]).await?;
                rows::change(tx, &row, expected, (seq, leaf), &text).await
            })
        });
        change.await?;
        Ok(merged)
    }
}

/// Keeps new identities and puts their records into the logs of their domains.
pub(crate) async fn add_identities(tx: &mut Tx, new: Vec<NewIdentity>) -> hub_storage::Result<()> {
    let mut domains: BTreeMap<String, Vec<NewIdentity>> = BTreeMap::new();
    for identity in new {
        let domain = identity.genesis.draft().handle.domain().to_owned();
        domains.entry(domain).or_default().push(identity);
    }
    for (domain, identities) in domains {
        let hashes: Vec<Hash> = identities.iter().map(|identity| identity.genesis.hash()).collect();
        let first = log::append(tx, &domain, &hashes).await?;
        let row = |(leaf, new): (u64, NewIdentity)| (new.row, new.genesis.to_canonical().into_bytes(), leaf);
        rows::add(tx, (first..).zip(identities).map(row).collect());
    }
    Ok(())
}

/// Gives an identity to every account that has none: they are older than identities.
pub(crate) async fn give_identities(storage: &Storage) -> Result<()> {
    let (mut after, mut given) = (AccountId(0), 0);
    loop {
        let accounts = storage.without_identity(after, AT_ONCE).await?;
        let Some((last, _)) = accounts.last() else { break };
        after = *last;
        let mut identities = Vec::new();
        for (account, handle) in &accounts {
            // What is kept as an address was one; if it cannot be read any more, others will say so.
            let Ok(handle) = Address::parse(handle) else { continue };
            if let Some(new) = new_identity(&handle, unix_now())? {
                identities.push(new.of(*account));
            }
        }
        given += identities.len();
        storage.transact([], |tx| Box::pin(add_identities(tx, identities))).await?;
    }
    if given > 0 {
        tracing::info!(given, "twins got their identities");
    }
    Ok(())
}

impl Own {
    /// The hub's own key to rotate with. `Forbidden` if the twin has taken that right away.
    fn rotation_key(&self) -> Result<SecretKey> {
        let key = SecretKey::from_seed(&self.row.rotation_seed);
        let key = key.filter(|key| self.history.current().draft().rotate.contains(&key.public()));
        key.ok_or(Error::Forbidden("the hub has no key that may change the record"))
    }
}

/// What a version says, from now on.
fn renewed(base: &Record) -> Draft {
    let time = unix_now().max(base.draft().time);
    Draft { time, expires_at: time + GOOD_FOR, ..base.draft().clone() }
}

fn refused(refusal: Refusal) -> Error {
    Error::Invalid(format!("the record cannot be changed so: {refusal}"))
}
