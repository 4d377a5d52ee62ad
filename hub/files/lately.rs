//! Files that were read or written lately, by their paths: every device of a twin asks for what
//! another has just written, and each time anew it would cost a round trip to the database.
//!
//! A path leads elsewhere only by a commit that changes files; one that only adds files does not do
//! that. So an account's paths are forgotten at every other commit, and what was found before one is not
//! kept after it.

use std::collections::HashMap;
use std::sync::Mutex;

use hub_storage::Change;
use hub_storage::files::NodeId;

use crate::files::{FilePath, Files, Node};
use crate::{AccountId, Modseq, locked};

/// Paths of all accounts at most; when there are so many, all are forgotten.
const MOST: usize = 10_000;

/// A path from a top.
type Key = (NodeId, Vec<String>);

#[derive(Default)]
pub(crate) struct Lately(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    accounts: HashMap<AccountId, OfAccount>,
    paths: usize,
}

#[derive(Default)]
struct OfAccount {
    /// The last commit that did more than add files.
    changed: Modseq,
    files: HashMap<Key, Node>,
}

/// An account's files as of some commit.
#[derive(Clone, Copy)]
pub(super) struct Ticket(Modseq);

impl Lately {
    /// Something was committed.
    pub(crate) fn note(&self, changes: &[Change]) {
        for change in changes {
            if let Change::Files { account, modseq, only_new: false } = change {
                let mut inner = locked(&self.0);
                let of_account = inner.accounts.entry(*account).or_default();
                of_account.changed = *modseq;
                let forgotten = std::mem::take(&mut of_account.files).len();
                inner.paths -= forgotten;
            }
        }
    }

    /// The file at a path, or a ticket for putting it in.
    fn get(&self, account: AccountId, key: &Key) -> Result<Node, Ticket> {
        let inner = locked(&self.0);
        let Some(of_account) = inner.accounts.get(&account) else { return Err(Ticket(0)) };
        of_account.files.get(key).cloned().ok_or(Ticket(of_account.changed))
    }

    fn put(&self, account: AccountId, Ticket(then): Ticket, key: Key, file: Node) {
        let mut inner = locked(&self.0);
        if inner.paths >= MOST {
            inner.accounts.values_mut().for_each(|of_account| of_account.files = HashMap::new());
            inner.paths = 0;
        }
        let of_account = inner.accounts.entry(account).or_default();
        if of_account.changed == then && of_account.files.insert(key, file).is_none() {
            inner.paths += 1;
        }
    }

    /// A commit has made a file. If the same commit, or one after it, did more than add files, nobody
    /// knows here where the file is now.
    fn put_new(&self, account: AccountId, key: Key, file: Node) {
        let changed = locked(&self.0).accounts.get(&account).map_or(0, |of_account| of_account.changed);
        if file.modseq > changed {
            self.put(account, Ticket(changed), key, file);
        }
    }
}

impl Files {
    fn key(&self, path: &FilePath) -> Key {
        (self.top, path.keys().to_vec())
    }

    /// The file at a path, if it is known, or a ticket for [`Files::remember`].
    pub(super) fn recall(&self, path: &FilePath) -> Result<Node, Ticket> {
        self.hub.0.lately.get(self.owner, &self.key(path))
    }

    /// A file was looked up.
    pub(super) fn remember(&self, ticket: Ticket, path: &FilePath, file: &Node) {
        self.hub.0.lately.put(self.owner, ticket, self.key(path), file.clone());
    }

    /// A file was made.
    pub(super) fn remember_new(&self, path: &FilePath, file: &Node) {
        self.hub.0.lately.put_new(self.owner, self.key(path), file.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::NodeKind;

    const ALICE: AccountId = AccountId(1);

    fn key(name: &str) -> Key {
        (NodeId::FILES, vec![name.to_owned()])
    }

    fn file(id: i64, modseq: Modseq) -> Node {
        Node {
            id: NodeId(id),
            kind: NodeKind::File,
            name: String::new(),
            size: 0,
            nodes: 1,
            content_type: String::new(),
            created_at: 0,
            modified_at: 0,
            etag: String::new(),
            modseq,
            checksum: String::new(),
            has_properties: false,
            blob: None,
        }
    }

    fn commit(lately: &Lately, modseq: Modseq, only_new: bool) {
        lately.note(&[Change::Files { account: ALICE, modseq, only_new }]);
    }

    fn known(lately: &Lately, name: &str) -> Option<i64> {
        lately.get(ALICE, &key(name)).ok().map(|node| node.id.0)
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let lately = Lately::default();
        let ticket = lately.get(ALICE, &key("a")).expect_err("not there");
        commit(&lately, 7, true);
        lately.put(ALICE, ticket, key("a"), file(1, 3));
        assert_eq!(known(&lately, "a"), Some(1), "others were added only");
        let ticket = lately.get(ALICE, &key("b")).expect_err("not there");
        commit(&lately, 8, false);
        assert_eq!(known(&lately, "a"), None);
        lately.put(ALICE, ticket, key("b"), file(2, 3));
        assert_eq!(known(&lately, "b"), None);
    }

    /// Those of one commit have one modseq, and are told of in any order.
    #[test]
    fn what_is_new_is_known_unless_something_else_changed_with_it() {
        let lately = Lately::default();
        commit(&lately, 7, true);
        lately.put_new(ALICE, key("a"), file(1, 7));
        assert_eq!(known(&lately, "a"), Some(1));
        commit(&lately, 8, true);
        commit(&lately, 8, false);
        lately.put_new(ALICE, key("b"), file(2, 8));
        assert_eq!((known(&lately, "a"), known(&lately, "b")), (None, None));
        commit(&lately, 9, true);
        lately.put_new(ALICE, key("c"), file(3, 9));
        assert_eq!(known(&lately, "c"), Some(3));
    }

    #[test]
    fn there_are_never_too_many() {
        let lately = Lately::default();
        for n in 0..MOST + 10 {
            let ticket = lately.get(ALICE, &key("?")).expect_err("not there");
            lately.put(ALICE, ticket, key(&n.to_string()), file(1, 1));
        }
        assert_eq!(known(&lately, "0"), None);
        assert_eq!(known(&lately, &MOST.to_string()), Some(1));
        assert_eq!(locked(&lately.0).paths, 10);
    }
}
