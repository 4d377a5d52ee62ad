//! Annotations of mailboxes and of the account (RFC 5464).

use std::collections::HashMap;

use hub_storage::{mailboxes, metadata};

use crate::{Error, MailboxId, Messages, Result};

/// Bytes of one value: RFC 5464 §4.1 asks for 1,024 at least; an icon fits.
pub const METADATA_VALUE: usize = 16 << 10;
/// Annotations of one mailbox; RFC 5464 §4.1 asks for 10 at least.
const MOST: u64 = 100;
/// Bytes of all annotations of an account, so that they cannot be used as a second mailbox without
/// quota.
const ALL: u64 = 4 << 20;

/// An annotation: its entry in lower case, and its value.
pub type Annotation = (String, Vec<u8>);

impl Messages<'_> {
    /// The annotations of a mailbox, or of the account, by entry.
    pub async fn metadata(&self, of: Option<MailboxId>) -> Result<Vec<Annotation>> {
        let of = of.unwrap_or(metadata::OF_ACCOUNT);
        let rows = self.storage().metadata(self.account.id, Some(of)).await?;
        Ok(rows.into_iter().map(|(_, entry, value)| (entry, value)).collect())
    }

    /// The annotations of all mailboxes.
    pub async fn all_metadata(&self) -> Result<HashMap<MailboxId, Vec<Annotation>>> {
        let mut all: HashMap<_, Vec<_>> = HashMap::new();
        for (mailbox, entry, value) in self.storage().metadata(self.account.id, None).await? {
            all.entry(mailbox).or_default().push((entry, value));
        }
        Ok(all)
    }

    /// Sets annotations, or removes those without value; all or none. `TooLarge`, `Limit`,
    /// `Forbidden` for what would be shown to other twins, `NotFound`.
    pub async fn set_metadata(
        &self,
        of: Option<MailboxId>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<()> {
        if of.is_none() && entries.iter().any(|(entry, _)| entry.starts_with("/shared/")) {
            return Err(Error::Forbidden("the hub's shared annotations are its owner's"));
        }
        let too_large = |value: &Vec<u8>| value.len() > METADATA_VALUE;
        if entries.iter().any(|(_, value)| value.as_ref().is_some_and(too_large)) {
            return Err(Error::TooLarge { limit: METADATA_VALUE as u64 });
        }
        let account = self.account.id;
        let mailbox = of.unwrap_or(metadata::OF_ACCOUNT);
        Ok(self
            .storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    if of.is_some() && !mailboxes::exists(tx, account, mailbox).await? {
                        return Err(hub_storage::Error::NotFound("mailbox"));
                    }
                    metadata::set(tx, account, mailbox, entries).await?;
                    let (count, bytes) = metadata::usage(tx, account, mailbox).await?;
                    if count > MOST || bytes > ALL {
                        return Err(hub_storage::Error::Limit("annotations"));
                    }
                    Ok(())
                })
            })
            .await?)
    }
}
