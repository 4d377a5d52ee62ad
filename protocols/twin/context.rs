//! What the calls of one request share.

use std::collections::{BTreeMap, BTreeSet};

use hub::Account;

use crate::capability::Capability;

pub(crate) struct Context {
    pub(crate) account: Account,
    pub(crate) account_id: String,
    pub(crate) using: BTreeSet<Capability>,
    /// Creation id → id (RFC 8620 §3.3).
    pub(crate) created: BTreeMap<String, String>,
}

impl Context {
    pub(crate) fn new(account: Account) -> Self {
        let account_id = crate::ids::account(account.id());
        Self { account, account_id, using: BTreeSet::new(), created: BTreeMap::new() }
    }
}
