//! The one way in: port 25, another hub, an import, a bounce and an invitation make no difference.

use std::collections::HashSet;
use std::sync::Arc;

use hub_mime::{Scanner, Summary};
use hub_storage::{NewEmail, StagedBlob};

use crate::{AccountId, Address, EmailId, Error, Flags, Hub, MailboxId, Result, Spool, Verdict};

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To these twins of this hub (an alias can name several).
    Local(Vec<AccountId>),
    /// The domain is ours but nobody has this address.
    Unknown,
    /// The domain is not ours.
    Elsewhere,
}

/// A message whose bytes have arrived completely, examined but not yet kept.
/// Dropping it forgets it.
#[derive(Clone)]
pub struct Incoming {
    pub(crate) blob: Arc<StagedBlob>,
    pub summary: Arc<Summary>,
    encoded: Arc<[u8]>,
    thread_keys: Arc<[i64]>,
}

/// One accepted RCPT TO of ours.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// As the client wrote it, for Delivered-To and the log.
    pub address: Address,
    pub accounts: Vec<AccountId>,
}

/// A message for twins of this hub.
pub struct Delivery {
    pub incoming: Incoming,
    /// `None` is the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    pub recipients: Vec<Recipient>,
    /// Trace header fields to put in front (Received, Authentication-Results), CRLF-ended lines.
    /// Return-Path and Delivered-To are added per recipient by `deliver`.
    pub trace: Vec<u8>,
    /// What is known of the sender, if the message came from another server.
    pub verdict: Option<Verdict>,
}

/// Large bodies are scanned in pieces of this many bytes.
const PIECE: usize = 256 * 1024;

impl Incoming {
    /// The row of this message in one mailbox.
    pub(crate) fn into_email(
        self,
        (account, mailbox): (AccountId, MailboxId),
        prefix: Vec<u8>,
        flags: Flags,
        received_at: i64,
    ) -> NewEmail {
        NewEmail {
            account,
            mailbox,
            blob: self.blob,
            prefix,
            summary: self.encoded,
            sent_at: self.summary.sent_at.unwrap_or(0),
            thread_keys: self.thread_keys.to_vec(),
            flags,
            received_at,
        }
    }
}

fn scan(blob: &StagedBlob) -> Result<Summary> {
    let mut scanner = Scanner::new();
    if let Some(bytes) = blob.in_memory() {
        scanner.feed(bytes);
    } else {
        let mut offset = 0;
        while offset < blob.size() {
            let piece = blob.read_at(offset, PIECE)?;
            scanner.feed(&piece);
            offset += piece.len().max(1) as u64;
        }
    }
    Ok(scanner.finish())
}

/// RFC 8621 §3: messages of a thread share a message id in Message-ID, In-Reply-To or References,
/// and the base subject.
fn thread_keys(summary: &Summary) -> Vec<i64> {
    let subject = crate::thread::base_subject(&summary.subject);
    let ids = std::iter::once(&summary.message_id).chain(summary.references.iter().rev().take(20));
    let mut keys = Vec::new();
    for id in ids.filter(|id| !id.is_empty()) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(id.as_bytes()).update(&[0]).update(subject.as_bytes());
        let hash = hasher.finalize();
        let (head, _) = hash.as_bytes().split_first_chunk::<8>().expect("a hash has 32 bytes");
        let key = i64::from_be_bytes(*head);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

impl Hub {
    /// A place for arriving bytes: in memory while small, then in a file. Nothing is visible until
    /// it is delivered, appended or submitted.
    pub fn spool(&self) -> Spool {
        self.0.storage.spool()
    }

    /// Ends the spool and summarises the message; a large body is durable in its file afterwards.
    pub async fn examine(&self, spool: Spool) -> Result<Incoming> {
        let blob = Arc::new(spool.finish().await?);
        let summary = if blob.in_memory().is_some() {
            scan(&blob)?
        } else {
            let blob = Arc::clone(&blob);
            tokio::task::spawn_blocking(move || scan(&blob))
                .await
                .map_err(|_| Error::Unavailable(hub_storage::Error::Busy))??
        };
        let encoded = summary.encode().into();
        let thread_keys = thread_keys(&summary).into();
        Ok(Incoming { blob, summary: Arc::new(summary), encoded, thread_keys })
    }

    /// Decides where mail for `address` goes: exact address or alias first, then without `+detail`;
    /// `postmaster` of every domain of ours always exists (RFC 5321 §4.5.1).
    pub async fn route(&self, address: &Address) -> Result<Route> {
        let key = address.key();
        match self.0.routes.get(&key) {
            Ok(route) => Ok(route),
            Err(ticket) => {
                let route = self.find_route(address).await?;
                // Misses are not kept: anybody can ask for any number of them.
                if matches!(route, Route::Local(_)) {
                    self.0.routes.put(ticket, key, route.clone());
                }
                Ok(route)
            }
        }
    }

    async fn find_route(&self, address: &Address) -> Result<Route> {
        let storage = &self.0.storage;
        if !storage.has_domain(address.domain()).await? {
            return Ok(Route::Elsewhere);
        }
        let mut accounts = storage.accounts_of_address(&address.key()).await?;
        if accounts.is_empty()
            && let Some(plain) = address.without_detail()
        {
            accounts = storage.accounts_of_address(&plain.key()).await?;
        }
        if accounts.is_empty() && address.local().eq_ignore_ascii_case("postmaster") {
            return Ok(Route::Local(self.postmaster().await?.accounts));
        }
        if accounts.is_empty() {
            return Ok(Route::Unknown);
        }
        Ok(Route::Local(accounts.into_iter().map(|account| account.id).collect()))
    }

    /// Whom `RCPT TO:<postmaster>` without a domain reaches: who has that address in any domain of
    /// ours, else the hub's first twin. `NotFound` as long as there is no twin at all.
    pub async fn postmaster(&self) -> Result<Recipient> {
        let storage = &self.0.storage;
        let domains = storage.domains().await?;
        for domain in &domains {
            let address = Address::parse(&format!("postmaster@{domain}"))?;
            let accounts = storage.accounts_of_address(&address.key()).await?;
            if !accounts.is_empty() {
                return Ok(Recipient { address, accounts: accounts.into_iter().map(|a| a.id).collect() });
            }
        }
        let first = storage.accounts().await?.into_iter().next().ok_or(Error::NotFound("postmaster"))?;
        let domain = domains.first().map_or("localhost", String::as_str);
        Ok(Recipient { address: Address::parse(&format!("postmaster@{domain}"))?, accounts: vec![first.id] })
    }

    /// `OverQuota` if one of the accounts has no room for `bytes` more: to be said at RCPT TO, so that
    /// one full mailbox does not hold up a message for everybody else.
    pub async fn room_for(&self, accounts: &[AccountId], bytes: u64) -> Result<()> {
        for id in accounts {
            let Err(ticket) = self.0.unlimited.get(id) else { continue };
            let account = self.0.storage.account(*id).await?.ok_or(Error::NotFound("account"))?;
            if account.quota == 0 {
                self.0.unlimited.put(ticket, *id, ());
            } else if account.bytes.saturating_add(bytes) > account.quota {
                return Err(Error::OverQuota { used: account.bytes, limit: account.quota });
            }
        }
        Ok(())
    }

    /// Puts the message into the INBOX of every account named. All or nothing; when it returns `Ok`
    /// the message is on disk and sessions have been told.
    ///
    /// Errors: `OverQuota` (nobody got it), `Unavailable`.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Vec<(AccountId, MailboxId, EmailId)>> {
        let emails = local_emails(&delivery);
        let places: Vec<AccountId> = emails.iter().map(|email| email.account).collect();
        let appended = self.0.storage.append(emails).await?;
        let place = |(account, appended): (AccountId, hub_storage::Appended)| {
            (account, MailboxId::INBOX, appended.email)
        };
        Ok(places.into_iter().zip(appended).map(place).collect())
    }
}

/// One row per account, however many of its addresses were named.
pub(crate) fn local_emails(delivery: &Delivery) -> Vec<NewEmail> {
    let now = crate::unix_now();
    let mut reached = HashSet::new();
    let mut emails = Vec::new();
    for recipient in &delivery.recipients {
        for account in &recipient.accounts {
            if !reached.insert(*account) {
                continue;
            }
            let reverse_path = delivery.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut prefix =
                format!("Return-Path: <{reverse_path}>\r\nDelivered-To: {}\r\n", recipient.address)
                    .into_bytes();
            prefix.extend_from_slice(&delivery.trace);
            let place = (*account, MailboxId::INBOX);
            emails.push(delivery.incoming.clone().into_email(place, prefix, Flags::NONE, now));
        }
    }
    emails
}
