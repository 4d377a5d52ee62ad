//! E-mails whatever their mailboxes, as RFC 8621 sees them: one object per EMAILID, all of whose entries
//! in mailboxes count. An entry with `\Deleted` is none (RFC 8621 §4.1.1).

mod change;
mod changes;
mod conversations;
mod filter;
mod query;

use std::collections::{BTreeMap, HashMap, HashSet};

pub(crate) use conversations::Conversations;
use hub_storage::Placed;

pub use change::{EmailChange, NewEmailIn};
pub use changes::Changes;
pub(crate) use changes::{folded, journal_changes};
pub use conversations::Threads;
pub use filter::{EmailFilter, KeywordScope};
pub use query::{EmailSort, EmailSortKey, MailboxCounts};

use crate::{Account, EmailId, Flags, MailboxId, Message, Record, Result};

/// The e-mails of one account: `account.emails()`.
#[derive(Clone, Copy)]
pub struct Emails<'a> {
    pub(crate) account: &'a Account,
}

/// An e-mail with all its entries.
#[derive(Clone, Debug)]
pub struct Email {
    pub id: EmailId,
    /// The conversation that it belongs to.
    pub thread: i64,
    /// Bytes.
    pub size: u32,
    /// Unix seconds.
    pub received_at: i64,
    /// As `combined` says.
    pub flags: Flags,
    /// Ascending; at least one.
    pub mailboxes: Vec<MailboxId>,
}

impl Account {
    pub fn emails(&self) -> Emails<'_> {
        Emails { account: self }
    }
}

/// The flags of an e-mail by those of its entries: seen when all are, anything else when one has it.
pub(crate) fn combined(entries: impl IntoIterator<Item = Flags>) -> Flags {
    let (mut any, mut all) = (Flags::NONE, Flags(u64::MAX));
    for flags in entries {
        any = any | flags;
        all = all & flags;
    }
    let hidden = Flags::SEEN | Flags::DELETED;
    (any & !hidden) | (all & any & Flags::SEEN)
}

impl Emails<'_> {
    /// Those of these e-mails that lie in a mailbox.
    pub async fn find(&self, ids: &[EmailId]) -> Result<HashMap<EmailId, Email>> {
        let account = self.account;
        let placed = account.hub.0.storage.email_places(account.id, ids).await?;
        let alive = self.alive(&placed).await?;
        let threads = self.conversations().await?;
        let mut entries: BTreeMap<EmailId, Vec<Placed>> = BTreeMap::new();
        for placed in
            placed.into_iter().filter(|placed| is_visible(&placed.record) && alive.contains(&placed.mailbox))
        {
            entries.entry(placed.record.email).or_default().push(placed);
        }
        Ok(entries
            .into_iter()
            .filter_map(|(id, entries)| Some((id, email(&entries, threads.thread(id)?)?)))
            .collect())
    }

    /// Which of the mailboxes of these entries were not deleted.
    async fn alive(&self, placed: &[Placed]) -> Result<HashSet<MailboxId>> {
        let ids: HashSet<MailboxId> = placed.iter().map(|placed| placed.mailbox).collect();
        let ids: Vec<MailboxId> = ids.into_iter().collect();
        let infos = self.account.messages().mailboxes_with(&ids).await?;
        Ok(infos.into_iter().map(|info| info.id).collect())
    }

    /// The kept messages of these ids, as [`crate::Messages::fetch`].
    pub async fn messages(&self, ids: &[EmailId]) -> Result<Vec<Option<Message>>> {
        self.account.messages().fetch(ids).await
    }
}

/// RFC 8621 §4.1.1: what has `\Deleted` must not be seen.
pub(crate) fn is_visible(record: &Record) -> bool {
    !record.flags.contains(Flags::DELETED)
}

fn email(entries: &[Placed], thread: i64) -> Option<Email> {
    let first = entries.first()?.record;
    let mut mailboxes: Vec<MailboxId> = entries.iter().map(|placed| placed.mailbox).collect();
    mailboxes.dedup();
    Some(Email {
        id: first.email,
        thread,
        size: first.size,
        received_at: first.received_at,
        flags: combined(entries.iter().map(|placed| placed.record.flags)),
        mailboxes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_several_entries() {
        let keyword = Flags::keyword(3);
        for (entries, expected) in [
            (vec![Flags::SEEN], Flags::SEEN),
            (vec![Flags::SEEN, Flags::NONE], Flags::NONE),
            (
                vec![Flags::SEEN | keyword, Flags::SEEN | Flags::FLAGGED],
                Flags::SEEN | keyword | Flags::FLAGGED,
            ),
            (vec![Flags::DELETED | Flags::DRAFT, Flags::NONE], Flags::DRAFT),
            (vec![], Flags::NONE),
        ] {
            assert_eq!(combined(entries.clone()), expected, "{entries:?}");
        }
    }
}
