//! The one way in: port 25, another hub, an import, a bounce and an invitation make no difference.
//! Where each account keeps a message is decided in one place, [`Hub::place`].

use std::collections::HashSet;

use hub_storage::{Appended, NewEmail};

use crate::verdict::DmarcPolicy;
use crate::{AccountId, Address, EmailId, Flags, Hub, Incoming, MailboxId, Result, Role, Verdict};

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

/// Where one account keeps a message.
struct Placement {
    mailbox: MailboxId,
    flags: Flags,
}

impl Hub {
    /// Puts the message where every account named wants it: into INBOX, or Junk if it is suspicious.
    /// All or nothing; when it returns `Ok` the message is on disk and sessions have been told.
    ///
    /// Errors: `OverQuota` (nobody got it), `Unavailable`.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Vec<(AccountId, MailboxId, EmailId)>> {
        let emails = self.local_emails(&delivery).await?;
        let places: Vec<_> = emails.iter().map(|email| (email.account, email.mailbox)).collect();
        let appended = self.0.storage.append(emails).await?;
        let place = |((account, mailbox), appended): (_, Appended)| (account, mailbox, appended.email);
        Ok(places.into_iter().zip(appended).map(place).collect())
    }

    /// One row per account, however many of its addresses were named.
    pub(crate) async fn local_emails(&self, delivery: &Delivery) -> Result<Vec<NewEmail>> {
        let now = crate::unix_now();
        let mut reached = HashSet::new();
        let mut emails = Vec::new();
        for recipient in &delivery.recipients {
            for account in &recipient.accounts {
                if !reached.insert(*account) {
                    continue;
                }
                let prefix = delivery.prefix(&recipient.address);
                let Placement { mailbox, flags } = self.place(*account, delivery).await?;
                let incoming = delivery.incoming.clone();
                emails.push(incoming.into_email((*account, mailbox), prefix, flags, now));
            }
        }
        Ok(emails)
    }

    /// Decides for one account.
    async fn place(&self, account: AccountId, delivery: &Delivery) -> Result<Placement> {
        let suspicious =
            delivery.verdict.as_ref().is_some_and(|verdict| verdict.action == DmarcPolicy::Quarantine);
        let mailbox = match suspicious {
            true => self.mailbox_with_role(account, Role::Junk).await?.unwrap_or(MailboxId::INBOX),
            false => MailboxId::INBOX,
        };
        Ok(Placement { mailbox, flags: Flags::NONE })
    }

    async fn mailbox_with_role(&self, account: AccountId, role: Role) -> Result<Option<MailboxId>> {
        let directory = self.0.directories.get(&self.0.storage, account).await?;
        Ok(directory.with_role(role))
    }
}

impl Delivery {
    /// What lies in front of the message in a mailbox of whoever has `address`.
    fn prefix(&self, address: &Address) -> Vec<u8> {
        let reverse_path = self.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut prefix = format!("Return-Path: <{reverse_path}>\r\nDelivered-To: {address}\r\n").into_bytes();
        prefix.extend_from_slice(&self.trace);
        prefix
    }
}
