//! Counters of accounts and mailboxes as of the last commit, so that the next need not ask for them.
//!
//! On SQLite nobody but this process's writer changes them. A transaction takes out what it uses
//! and puts it back when it is committed; what fails is read anew.

use std::collections::{BTreeMap, HashMap};

use crate::changes::Counters;
use crate::counted::{AccountState, MailboxState};
use crate::{AccountId, MailboxId};

/// Accounts, and mailboxes, at most: about 100 bytes each. Then all begins anew.
const MOST: usize = 8192;

#[derive(Default)]
pub(crate) struct Known {
    accounts: HashMap<AccountId, AccountState>,
    mailboxes: HashMap<(AccountId, MailboxId), MailboxState>,
}

impl Known {
    pub(crate) fn take_account(&mut self, id: AccountId) -> Option<AccountState> {
        self.accounts.remove(&id)
    }

    pub(crate) fn take_mailbox(&mut self, id: (AccountId, MailboxId)) -> Option<MailboxState> {
        self.mailboxes.remove(&id)
    }

    /// Counts a change of flags that is written later: the account's next modseq, and so many more
    /// messages without `\Seen`. `None` if the counters are not known.
    pub(crate) fn count_flags(&mut self, id: (AccountId, MailboxId), unseen: i64) -> Option<Counters> {
        let mailbox = self.mailboxes.get_mut(&id).filter(|mailbox| mailbox.selectable)?;
        let account = self.accounts.get_mut(&id.0)?;
        account.modseq += 1;
        mailbox.count_flags(account.modseq, unseen);
        Some(mailbox.counters(id.1))
    }

    /// Its row is about to be changed or removed.
    pub(crate) fn forget_mailbox(&mut self, id: (AccountId, MailboxId)) {
        self.mailboxes.remove(&id);
    }

    pub(crate) fn forget_account(&mut self, id: AccountId) {
        self.accounts.remove(&id);
        self.mailboxes.retain(|key, _| key.0 != id);
    }

    /// What a transaction knew when it was committed.
    pub(crate) fn keep(
        &mut self,
        accounts: BTreeMap<AccountId, AccountState>,
        mailboxes: BTreeMap<(AccountId, MailboxId), MailboxState>,
    ) {
        if self.accounts.len() + accounts.len() > MOST || self.mailboxes.len() + mailboxes.len() > MOST {
            *self = Self::default();
            return;
        }
        self.accounts.extend(accounts.into_iter().map(|(id, state)| (id, state.committed())));
        self.mailboxes.extend(mailboxes.into_iter().map(|(id, state)| (id, state.committed())));
    }
}
