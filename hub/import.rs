//! Messages that come from elsewhere by their owner's wish: each of them once, whatever happens in
//! between.

use std::collections::{HashMap, HashSet};

use hub_storage::{append_within, imports};

use crate::{Account, Address, Error, Hub, IdSet, MailboxId, Messages, NewMessage, Result};

/// A message of a source, under the number that the source knows it by (63 bits).
pub struct Imported {
    pub number: u64,
    pub message: NewMessage,
}

impl Hub {
    /// The account of a twin, for the owner of the hub: over the control socket, which only they
    /// reach, and on the command line. No protocol may call it. `NotFound`.
    pub async fn account_for_owner(&self, twin: &Address) -> Result<Account> {
        let rows = self.0.storage.accounts_of_address(&twin.key()).await?;
        let row = rows.into_iter().find(|row| row.handle.to_lowercase() == twin.key());
        let row = row.ok_or(Error::NotFound("twin"))?;
        self.open_account(&row, None)
    }
}

impl Messages<'_> {
    /// The numbers of a source's messages that were imported; `None` if the source is new.
    pub async fn imported(&self, source: &str) -> Result<Option<IdSet>> {
        Ok(self.storage().imported(self.account.id, source).await?)
    }

    /// Appends those messages that were not imported from `source` before, all or none, and remembers
    /// them in the same commit. Returns how many that were. With none, the source itself is
    /// remembered. `NotFound`, `OverQuota`.
    pub async fn import(&self, mailbox: MailboxId, source: &str, messages: Vec<Imported>) -> Result<usize> {
        let account = self.account.id;
        let source = source.to_owned();
        let numbers: Vec<u64> = messages.iter().map(|message| message.number).collect();
        let mut emails = HashMap::with_capacity(messages.len());
        for Imported { number, message } in messages {
            let NewMessage { incoming, flags, received_at } = message;
            emails.insert(number, incoming.into_email((account, mailbox), Vec::new(), flags, received_at));
        }
        let count = self
            .storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    let fresh: HashSet<u64> =
                        imports::note(tx, account, &source, &numbers).await?.into_iter().collect();
                    let wanted = numbers.iter().filter(|number| fresh.contains(number));
                    let emails: Vec<_> = wanted.filter_map(|number| emails.remove(number)).collect();
                    append_within(tx, &emails).await?;
                    Ok(emails.len())
                })
            })
            .await?;
        Ok(count)
    }
}
