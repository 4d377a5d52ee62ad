//! The one way in: port 25, another hub, an import, a bounce and an invitation make no difference.
//! What each account does with a message is decided in `decide.rs`; here it is done, in one commit.

use hub_storage::queue::{self, NewQueued};
use hub_storage::{Appended, NewEmail, Tx, append_within, itip, sieve};

use crate::decide::Decided;
use crate::{AccountId, Address, EmailId, Hub, Incoming, MailboxId, Members, Result, Verdict};

/// One accepted RCPT TO of ours.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// As the client wrote it, for Delivered-To and the log.
    pub address: Address,
    pub members: Members,
}

/// Who brings a message.
#[derive(Clone)]
pub enum Origin {
    /// The site's own server in front, which answers for it; with what that says of the sender, if it is
    /// believed.
    Front(Option<Verdict>),
    /// The hub itself, with a report.
    Hub,
    /// Another server; with what is known of the sender, if that was looked into.
    Outside(Option<Verdict>),
    /// The hub, with what rules passed on in vain: they are not asked again, or it would go round in a
    /// circle.
    Returned,
    /// A twin of this hub, who has logged in.
    Twin,
}

impl Origin {
    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Front(verdict) | Self::Outside(verdict) => verdict.as_ref(),
            Self::Hub | Self::Returned | Self::Twin => None,
        }
    }
}

/// A message for twins of this hub.
#[derive(Clone)]
pub struct Delivery {
    pub incoming: Incoming,
    /// `None` is the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    pub recipients: Vec<Recipient>,
    /// Trace header fields to put in front (Received, Authentication-Results), CRLF-ended lines.
    /// Return-Path and Delivered-To are added per recipient by `deliver`.
    pub trace: Vec<u8>,
    pub origin: Origin,
    /// REQUIRETLS was given (RFC 8689): it holds for what goes on from here, too.
    pub require_tls: bool,
}

impl Hub {
    /// Puts the message where every account named wants it: where its rules say, else into INBOX, or
    /// Junk if it is suspicious. All or nothing; when it returns `Ok` the message is on disk and
    /// sessions have been told. Rules can want it nowhere.
    ///
    /// Errors: `Refused` if the rules of all accounts refuse it; `OverQuota` (nobody got it),
    /// `Unavailable`.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Vec<(AccountId, MailboxId, EmailId)>> {
        let decided = self.decide(&delivery).await?;
        let places: Vec<_> = decided.emails.iter().map(|email| (email.account, email.mailbox)).collect();
        let (appended, _) = self.carry_out(decided, None).await?;
        let place = |((account, mailbox), appended): (_, Appended)| (account, mailbox, appended.email);
        Ok(places.into_iter().zip(appended).map(place).collect())
    }

    /// Does what was decided, and queues what a twin sends elsewhere, in one commit. Returns the queue
    /// id of the latter.
    pub(crate) async fn carry_out(
        &self,
        decided: Decided,
        sent: Option<NewQueued>,
    ) -> Result<(Vec<Appended>, Option<i64>)> {
        let is_plain =
            decided.queued.is_empty() && decided.seen.is_empty() && decided.itip.is_empty() && sent.is_none();
        let storage = &self.0.storage;
        if is_plain {
            let emails = decided.emails;
            let again = goes_elsewhere(&emails).then(|| emails.clone());
            return match (storage.append(emails).await, again) {
                (Err(hub_storage::Error::NotFound(_)), Some(emails)) => {
                    Ok((storage.append(into_inboxes(emails)).await?, None))
                }
                (appended, _) => Ok((appended?, None)),
            };
        }
        let has_itip = !decided.itip.is_empty();
        let done = storage.transact(decided.accounts(), move |tx| {
            Box::pin(async move {
                let appended = decided.perform(tx).await?;
                let id = match &sent {
                    Some(message) => Some(queue::push(tx, message).await?),
                    None => None,
                };
                Ok((appended, id))
            })
        });
        let done = done.await?;
        if has_itip {
            self.0.itip_news.notify_one();
        }
        Ok(done)
    }
}

impl Decided {
    /// Accounts that are to be locked.
    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        let emails = self.emails.iter().map(|email| email.account);
        emails.chain(self.seen.iter().map(|(account, _)| *account)).collect()
    }

    /// Does it as a part of a transaction. If there is no room (`OverQuota`), or an account is gone
    /// (`NotFound`), nothing was done.
    pub(crate) async fn perform(&self, tx: &mut Tx) -> hub_storage::Result<Vec<Appended>> {
        let appended = match append_within(tx, &self.emails).await {
            Err(hub_storage::Error::NotFound(_)) if goes_elsewhere(&self.emails) => {
                append_within(tx, &into_inboxes(self.emails.clone())).await?
            }
            appended => appended?,
        };
        for message in &self.queued {
            queue::push(tx, message).await?;
        }
        for (account, hashes) in &self.seen {
            sieve::note(tx, *account, hashes).await?;
        }
        for (account, message) in &self.itip {
            itip::push(tx, *account, std::slice::from_ref(message), crate::unix_now()).await?;
        }
        Ok(appended)
    }
}

/// A mailbox that was decided for can be deleted meanwhile; an inbox cannot.
fn goes_elsewhere(emails: &[NewEmail]) -> bool {
    emails.iter().any(|email| email.mailbox != MailboxId::INBOX)
}

fn into_inboxes(mut emails: Vec<NewEmail>) -> Vec<NewEmail> {
    emails.iter_mut().for_each(|email| email.mailbox = MailboxId::INBOX);
    emails
}
