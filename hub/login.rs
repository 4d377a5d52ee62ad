//! Logging in, and remembering for minutes that somebody did: clients that reconnect all the time
//! must not cost an argon2 each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hub_storage::accounts::AccountRow;
use tokio::sync::Semaphore;

use crate::password::{self, hmac_sha256};
use crate::{Account, AccountId, Address, Door, Error, Hub, Result, Scopes, ScramCredentials, Secret};

/// How long a verified log-in is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Log-ins remembered at most.
const MOST: usize = 10_000;

/// What a log-in opens.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) account: AccountId,
    pub(crate) handle: Address,
    pub(crate) hidden_capabilities: Arc<[String]>,
    pub(crate) scopes: Scopes,
}

impl Known {
    /// Everything, of the account of this row.
    pub(crate) fn of(row: &AccountRow) -> Result<Self> {
        let hidden = row.hidden_capabilities.split(' ').filter(|name| !name.is_empty());
        Ok(Self {
            account: row.id,
            handle: Address::parse(&row.handle)?,
            hidden_capabilities: hidden.map(str::to_owned).collect(),
            scopes: Scopes::ALL,
        })
    }
}

/// Taken before it is read who logs in: if anything changes meanwhile, it is not remembered.
pub(crate) struct Ticket {
    token: [u8; 32],
    changes: u64,
}

pub(crate) struct Logins {
    /// Of this process only: keys what is remembered, so that no secret lies in memory.
    key: [u8; 32],
    remembered: Mutex<HashMap<[u8; 32], (Known, Instant)>>,
    /// The same for passwords of public links.
    links: Mutex<HashMap<[u8; 32], Instant>>,
    /// Counts what was forgotten: a password checked before it was changed is not remembered after.
    changes: AtomicU64,
    /// argon2 takes 19 MiB and a core each time; more at once than cores only costs memory.
    hashing: Semaphore,
    /// Checked against when there is no such account, so that it takes as long.
    nobody: tokio::sync::OnceCell<String>,
}

impl Logins {
    pub(crate) fn new() -> Result<Self> {
        let mut key = [0; 32];
        password::random(&mut key)?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            key,
            remembered: Mutex::default(),
            links: Mutex::default(),
            changes: AtomicU64::new(0),
            hashing: Semaphore::new(cores),
            nobody: tokio::sync::OnceCell::new(),
        })
    }

    /// Runs something slow of `password` on another thread, not too many at once.
    pub(crate) async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let busy = || Error::Unavailable(hub_storage::Error::Busy);
        let _permit = self.hashing.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| busy())
    }

    /// Checks the password of a public link against what is kept of it.
    pub(crate) async fn verify_of_link(&self, token: &str, secret: &Secret, kept: String) -> Result<bool> {
        let inner = hmac_sha256(&self.key, secret.expose().as_bytes());
        let proof = hmac_sha256(&inner, format!("link\0{token}\0{kept}").as_bytes());
        let now = Instant::now();
        if crate::locked(&self.links).get(&proof).is_some_and(|until| *until > now) {
            return Ok(true);
        }
        let secret = secret.clone();
        let is_right = self.hashing(move || password::verify(&secret, &kept)).await?;
        if is_right {
            let mut links = crate::locked(&self.links);
            links.retain(|_, until| *until > now);
            if links.len() < MOST {
                links.insert(proof, now + REMEMBERED);
            }
        }
        Ok(is_right)
    }

    fn token(&self, name: &str, secret: &Secret, door: Door) -> [u8; 32] {
        let inner = hmac_sha256(&self.key, secret.expose().as_bytes());
        hmac_sha256(&inner, format!("{}\0{name}", door.name()).as_bytes())
    }

    pub(crate) fn ticket(&self, token: [u8; 32]) -> Ticket {
        Ticket { token, changes: self.changes.load(Ordering::Acquire) }
    }

    pub(crate) fn recall(&self, token: &[u8; 32]) -> Option<Known> {
        let remembered = crate::locked(&self.remembered);
        let (known, until) = remembered.get(token)?;
        (*until > Instant::now()).then(|| known.clone())
    }

    /// For the usual time, but not longer than it is good.
    pub(crate) fn remember(&self, Ticket { token, changes }: Ticket, known: Known, good_for: Duration) {
        let now = Instant::now();
        let mut remembered = crate::locked(&self.remembered);
        if self.changes.load(Ordering::Acquire) != changes {
            return;
        }
        if remembered.len() >= MOST {
            remembered.retain(|_, (_, until)| *until > now);
            if remembered.len() >= MOST {
                remembered.clear();
            }
        }
        remembered.insert(token, (known, now + REMEMBERED.min(good_for)));
    }

    /// Forgets an account's log-ins: its password changed, or it is gone.
    pub(crate) fn forget(&self, account: AccountId) {
        let mut remembered = crate::locked(&self.remembered);
        self.changes.fetch_add(1, Ordering::Release);
        remembered.retain(|_, (known, _)| known.account != account);
    }
}

impl Hub {
    /// Checks a login name (an address of the twin; without a domain if the hub has only one) and
    /// its password or an app password for this door.
    ///
    /// Takes equally long for unknown names. Errors: `BadCredentials`, or `Unavailable` if it could
    /// not be checked (never say "wrong password" then: clients would ask for a new one).
    pub async fn login(&self, name: &str, secret: &Secret, door: Door) -> Result<Account> {
        let logins = &self.0.logins;
        let token = logins.token(name, secret, door);
        if let Some(known) = logins.recall(&token) {
            return Ok(self.opened(known));
        }
        let ticket = logins.ticket(token);
        let account = self.account_of_login(name).await?;
        if let Some(account) = &account
            && let Some(hash) = password::app_password_hash(secret)
            && self.app_password_opens(account.id, &hash, door).await?
        {
            return self.open_account(account, Some(ticket));
        }
        if let Some(account) = account.as_ref().filter(|account| !account.password.is_empty()) {
            self.read_ahead(account.id);
        }
        self.open_account(&self.check_password(account, secret).await?, Some(ticket))
    }

    /// [`Hub::login`] for what only the twin itself may do: no app password opens it, and nothing is
    /// remembered.
    pub(crate) async fn login_in_person(&self, name: &str, secret: &Secret) -> Result<Account> {
        let account = self.account_of_login(name).await?;
        self.open_account(&self.check_password(account, secret).await?, None)
    }

    async fn check_password(&self, account: Option<AccountRow>, secret: &Secret) -> Result<AccountRow> {
        let account = account.filter(|account| !account.password.is_empty());
        let hash = match &account {
            Some(account) => account.password.clone(),
            None => self.hash_of_nobody().await?,
        };
        let secret = secret.clone();
        let right = self.0.logins.hashing(move || password::verify(&secret, &hash)).await?;
        account.filter(|_| right).ok_or(Error::BadCredentials)
    }

    /// The credentials for a SCRAM-SHA-256 exchange. For an unknown name they are made up, but the
    /// same each time, so that nobody learns which names exist (RFC 5802 §9).
    pub async fn scram_credentials(&self, name: &str) -> Result<ScramCredentials> {
        let account = self.account_of_login(name).await?;
        let known = account.and_then(|account| ScramCredentials::decode(&account.scram));
        Ok(known.unwrap_or_else(|| ScramCredentials::of_nobody(&self.0.secret, name)))
    }

    /// Opens the account after a SCRAM exchange has proved `name`'s password.
    pub async fn login_proven(&self, name: &str, _door: Door) -> Result<Account> {
        let account = self.account_of_login(name).await?.ok_or(Error::BadCredentials)?;
        self.open_account(&account, None)
    }

    /// While a password is checked, what its owner is going to ask for first is read.
    fn read_ahead(&self, account: AccountId) {
        let hub = self.clone();
        tokio::spawn(async move {
            // Should it fail, the client's own question does, too, and says so.
            let _ = tokio::join!(hub.0.directories.get(&hub.0.storage, account), hub.keywords_of(account));
        });
    }

    pub(crate) fn open_account(&self, row: &AccountRow, ticket: Option<Ticket>) -> Result<Account> {
        let known = Known::of(row)?;
        if let Some(ticket) = ticket {
            self.0.logins.remember(ticket, known.clone(), REMEMBERED);
        }
        Ok(self.opened(known))
    }

    pub(crate) fn opened(&self, known: Known) -> Account {
        let Known { account: id, handle, hidden_capabilities, scopes } = known;
        Account { hub: self.clone(), id, handle, hidden_capabilities, scopes }
    }

    pub(crate) async fn account_of_login(&self, name: &str) -> Result<Option<AccountRow>> {
        let full = match name.contains('@') {
            true => name.to_owned(),
            false => match self.0.storage.domains().await?.as_slice() {
                [only] => format!("{name}@{only}"),
                _ => return Ok(None),
            },
        };
        let Ok(address) = Address::parse(&full) else { return Ok(None) };
        let key = address.key();
        let mut accounts = self.0.storage.accounts_of_address(&key).await?;
        let is_handle = |account: &AccountRow| account.handle.to_lowercase() == key;
        if let Some(at) = accounts.iter().position(is_handle) {
            return Ok(Some(accounts.swap_remove(at)));
        }
        // An alias names one twin or, being a list, nobody in particular.
        Ok(if accounts.len() == 1 { accounts.pop() } else { None })
    }

    async fn app_password_opens(&self, account: AccountId, hash: &[u8; 32], door: Door) -> Result<bool> {
        for row in self.0.storage.app_passwords(account).await? {
            let opens = row.doors.is_empty() || row.doors.split(' ').any(|name| name == door.name());
            if password::same_hash(&row.hash, hash) && opens {
                let storage = self.0.storage.clone();
                // Nobody waits for the note of the last use.
                tokio::spawn(async move {
                    if let Err(error) = storage
                        .transact([account], move |tx| {
                            Box::pin(hub_storage::accounts::used_app_password(tx, account, row.id))
                        })
                        .await
                    {
                        tracing::debug!(%error, "the last use of an app password was not noted");
                    }
                });
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn hash_of_nobody(&self) -> Result<String> {
        let logins = &self.0.logins;
        let make = || async {
            let kept = logins.hashing(|| password::keep(&Secret::new("nobody"))).await??;
            Ok::<_, Error>(kept.hash)
        };
        logins.nobody.get_or_try_init(make).await.cloned()
    }
}
