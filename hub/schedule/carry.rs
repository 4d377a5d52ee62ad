//! Bringing messages to their recipients, each once: at once by whoever wrote them, else by a task that
//! finds what a crash or a full disk left.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hub_itip::CalendarUser;
use hub_storage::itip::{self, ItipKey, ItipRow};
use tokio::task::JoinSet;

use crate::{AccountId, Address, Hub, Inner, Result, Route, unix_now};

/// Recipients that are looked after at a time.
const AT_A_TIME: usize = 8;
/// Messages of one round.
const ROUND: usize = 100;
/// How often is looked for what was left.
const PAUSE: Duration = Duration::from_secs(30);
/// Seconds until the second attempt; each further one waits twice as long.
const RETRY: i64 = 60;
const MOST_ATTEMPTS: i64 = 10;

/// RFC 6638 §3.2.9.
pub(super) mod status {
    pub(crate) const SENT: &str = "1.1";
    pub(crate) const DELIVERED: &str = "1.2";
    pub(crate) const UNKNOWN_USER: &str = "3.7";
    pub(crate) const NOT_DELIVERED: &str = "5.1";
    pub(crate) const REJECTED: &str = "5.3";
}

/// Where a recipient is.
pub(super) enum Reach {
    Mail(Address),
    Nobody,
    Twin(AccountId),
}

impl Hub {
    /// Brings messages to all of their recipients, then tells the senders' copies. What cannot be done
    /// now is done later.
    pub(super) async fn carry(&self, ids: &[(AccountId, i64)]) {
        if let Err(error) = self.try_to_carry(ids).await {
            tracing::warn!(%error, "messages about calendars have to wait");
        }
    }

    async fn try_to_carry(&self, ids: &[(AccountId, i64)]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut objects = BTreeSet::new();
        let mut tasks = JoinSet::new();
        let mut messages = self.0.storage.itip_messages(ids).await?;
        // In the order in which they were written: a cancellation before another invitation.
        messages.sort_by_key(|message| (message.account, message.id));
        for message in messages {
            let message = Arc::new(message);
            objects.insert((message.account, message.uid.clone()));
            for (recipient, attempts) in message.recipients.clone() {
                if tasks.len() >= AT_A_TIME {
                    tasks.join_next().await;
                }
                let (hub, message) = (self.clone(), Arc::clone(&message));
                tasks.spawn(async move { hub.carry_one(&message, recipient, attempts).await });
            }
            // The next message may be to the same recipients.
            while tasks.join_next().await.is_some() {}
        }
        for (account, uid) in objects {
            self.try_to_tell(account, &uid).await;
        }
        Ok(())
    }

    async fn carry_one(&self, message: &ItipRow, recipient: String, attempts: i64) {
        let key = ItipKey { account: message.account, message: message.id, recipient };
        let Err(error) = self.bring(&key, message).await else { return };
        let id = message.id;
        tracing::warn!(%error, id, "a message about a calendar could not be brought to its recipient");
        let (now, is_over) = (unix_now(), attempts + 1 >= MOST_ATTEMPTS);
        let put_off = self.0.storage.transact([], move |tx| {
            Box::pin(async move {
                match is_over {
                    true => itip::settle(tx, &key, status::NOT_DELIVERED).await.map(drop),
                    false => itip::put_off(tx, &key, now + (RETRY << attempts)).await,
                }
            })
        });
        if let Err(error) = put_off.await {
            tracing::warn!(error = %hub_storage::chain(&error), id, "it could not be put off");
        }
    }

    async fn bring(&self, key: &ItipKey, message: &ItipRow) -> Result<()> {
        let reach = match key.recipient.as_str() {
            "" => Reach::Twin(message.account),
            recipient => self.reach(recipient).await?,
        };
        match reach {
            Reach::Mail(address) => self.mail_itip(key, message, &address).await,
            Reach::Nobody => self.settle_itip(key, status::UNKNOWN_USER).await,
            Reach::Twin(account) => self.receive_itip(key, message, account).await,
        }
    }

    pub(super) async fn reach(&self, recipient: &str) -> Result<Reach> {
        let user = CalendarUser::new(recipient);
        let Some(Ok(address)) = user.mail().map(Address::parse) else { return Ok(Reach::Nobody) };
        Ok(match self.route(&address).await? {
            Route::Elsewhere => Reach::Mail(address),
            Route::Local(members) => match (members.accounts.as_slice(), members.elsewhere.as_slice()) {
                ([account], []) if self.owner(*account, &[recipient.as_bytes()]).await?.has(&user) => {
                    Reach::Twin(*account)
                }
                // Whoever an alias stands for gets mail, as everybody that it leads to, and whoever takes
                // what nobody else has.
                _ => Reach::Mail(address),
            },
            Route::Unknown => Reach::Nobody,
        })
    }

    pub(super) async fn settle_itip(&self, key: &ItipKey, status: &'static str) -> Result<()> {
        let key = key.clone();
        let settle = self
            .0
            .storage
            .transact([], move |tx| Box::pin(async move { itip::settle(tx, &key, status).await }));
        settle.await?;
        Ok(())
    }

    /// Brings every message about calendars that is due to its recipients. A task does so whenever there
    /// are some; this is for those who cannot go on before.
    pub async fn carry_messages(&self) -> Result<()> {
        loop {
            let due = self.0.storage.itip_due(unix_now(), ROUND).await?;
            self.try_to_carry(&due).await?;
            if due.len() < ROUND / 2 {
                break;
            }
        }
        for (account, uid) in self.0.storage.itip_to_tell(ROUND).await? {
            self.try_to_tell(account, &uid).await;
        }
        Ok(())
    }

    /// One copy that cannot be written does not keep the others from being told.
    async fn try_to_tell(&self, account: AccountId, uid: &str) {
        if let Err(error) = self.tell(account, uid).await {
            let account = account.0;
            tracing::warn!(%error, account, "what became of messages could not be written down");
        }
    }
}

/// Looks after messages that nobody else does.
pub(crate) async fn keep_carried(hub: Weak<Inner>, news: Arc<tokio::sync::Notify>) {
    loop {
        {
            let Some(hub) = hub.upgrade().map(Hub) else { return };
            if let Err(error) = hub.carry_messages().await {
                tracing::warn!(%error, "messages about calendars have to wait");
            }
        }
        tokio::select! {
            () = news.notified() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
