//! Under which conditions a change takes place. Decided within its transaction.

use hub_storage::files::LockRow;
use hub_storage::{Error, Result};

pub use crate::precondition::Precondition;

use crate::files::{FilePath, LockToken, locks};

/// Lists and terms of `If` at most, together; more are refused as `Stale`.
const TERMS: usize = 200;

/// What a client asks to be true.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// All must hold for what the operation is asked of (of COPY and MOVE, the source); else `Stale`.
    pub preconditions: Vec<Precondition>,
    /// RFC 4918 §10.4: if there are any, one must hold; else `Stale`.
    pub lists: Vec<IfList>,
    /// All lock tokens that were submitted, wherever they stand.
    pub tokens: Vec<LockToken>,
}

/// A list of terms that must all hold for one resource.
#[derive(Clone, Debug)]
pub struct IfList {
    pub of: StateOf,
    pub terms: Vec<IfTerm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateOf {
    /// The resource that the operation is asked of.
    Target,
    Path(FilePath),
    /// No file of this twin: it has neither locks nor an entity tag.
    Elsewhere,
}

#[derive(Clone, Debug)]
pub enum IfTerm {
    Etag { not: bool, etag: String },
    Token { not: bool, token: LockToken },
}

/// A resource as the conditions see it.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) path: FilePath,
    /// Where locks say it is.
    pub(crate) location: String,
    /// `None`: nothing is there.
    pub(crate) etag: Option<String>,
    pub(crate) modified_at: i64,
}

impl Conditions {
    /// Paths whose state must be known besides the target's.
    pub(crate) fn paths(&self) -> Vec<FilePath> {
        let mut paths: Vec<FilePath> = Vec::new();
        for list in &self.lists {
            if let StateOf::Path(path) = &list.of
                && !paths.contains(path)
            {
                paths.push(path.clone());
            }
        }
        paths
    }

    /// `Stale` unless everything holds. `others` are the states of [`Conditions::paths`].
    pub(crate) fn check(&self, target: &State, others: &[State], held: &[LockRow]) -> Result<()> {
        if self.is_too_long()
            || !self.preconditions.iter().all(|one| one.holds(target.etag.as_deref(), target.modified_at))
        {
            return Err(Error::Stale);
        }
        let list = |list: &IfList| {
            let state = match &list.of {
                StateOf::Target => Some(target),
                StateOf::Path(path) if *path == target.path => Some(target),
                StateOf::Path(path) => others.iter().find(|state| state.path == *path),
                StateOf::Elsewhere => None,
            };
            list.terms.iter().all(|term| term.holds(state, held))
        };
        match self.lists.is_empty() || self.lists.iter().any(list) {
            true => Ok(()),
            false => Err(Error::Stale),
        }
    }

    /// More than anybody means honestly; each path is a statement.
    pub(crate) fn is_too_long(&self) -> bool {
        self.lists.iter().map(|list| 1 + list.terms.len()).sum::<usize>() > TERMS
    }
}

impl IfTerm {
    /// RFC 4918 §10.4.4: a token matches a resource that is within the scope of its lock.
    fn holds(&self, state: Option<&State>, held: &[LockRow]) -> bool {
        match self {
            Self::Etag { not, etag } => {
                let matches = state.is_some_and(|state| state.etag.as_ref() == Some(etag));
                matches != *not
            }
            Self::Token { not, token } => {
                let is_locked = |state: &State| {
                    let covers = |lock: &LockRow| locks::is_covering(lock, &state.location);
                    held.iter().any(|lock| lock.token == token.as_str() && covers(lock))
                };
                state.is_some_and(is_locked) != *not
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_storage::AccountId;

    fn path(text: &str) -> FilePath {
        FilePath::parse(text).expect("a path")
    }

    fn state(text: &str, etag: &str) -> State {
        State {
            path: path(text),
            location: text.to_owned(),
            etag: (!etag.is_empty()).then(|| etag.to_owned()),
            modified_at: 100,
        }
    }

    fn lock(token: &str, path: &str) -> LockRow {
        LockRow {
            token: token.to_owned(),
            path: path.to_owned(),
            holder: AccountId(1),
            is_exclusive: true,
            is_deep: true,
            owner: String::new(),
            timeout_seconds: 60,
            expires_at: 1000,
        }
    }

    fn etag(not: bool, etag: &str) -> IfTerm {
        IfTerm::Etag { not, etag: etag.to_owned() }
    }

    fn token(not: bool, token: &str) -> IfTerm {
        IfTerm::Token { not, token: LockToken::new(token).expect("a token") }
    }

    #[test]
    fn if_lists_of_rfc_4918() {
        let held = [lock("urn:1", "folder")];
        let target = state("folder/file", "a");
        let others = [state("other", "b"), state("nothing", "")];
        let of = |path: &str| StateOf::Path(self::path(path));
        for (name, lists, holds) in [
            ("a token of a folder above", vec![(StateOf::Target, vec![token(false, "urn:1")])], true),
            ("a token that is none", vec![(StateOf::Target, vec![token(false, "urn:2")])], false),
            ("not locked with it (§10.4.8)", vec![(StateOf::Target, vec![token(true, "urn:2")])], true),
            ("all of a list", vec![(StateOf::Target, vec![token(false, "urn:1"), etag(false, "x")])], false),
            (
                "one of two lists (§10.4.6)",
                vec![(StateOf::Target, vec![etag(false, "x")]), (StateOf::Target, vec![etag(false, "a")])],
                true,
            ),
            ("another's etag", vec![(of("other"), vec![etag(false, "b")])], true),
            ("a token beyond its scope", vec![(of("other"), vec![token(false, "urn:1")])], false),
            ("what does not exist (§10.4.8)", vec![(of("nothing"), vec![etag(true, "b")])], true),
            ("not a file", vec![(StateOf::Elsewhere, vec![etag(false, "a")])], false),
            ("the target by its path", vec![(of("folder/file"), vec![etag(false, "a")])], true),
        ] {
            let lists = lists.into_iter().map(|(of, terms)| IfList { of, terms }).collect();
            let conditions = Conditions { lists, ..Conditions::default() };
            assert_eq!(conditions.check(&target, &others, &held).is_ok(), holds, "{name}");
        }
    }

    #[test]
    fn endless_lists_are_refused() {
        let terms = vec![etag(false, "a"); TERMS];
        let conditions =
            Conditions { lists: vec![IfList { of: StateOf::Target, terms }], ..Conditions::default() };
        assert!(conditions.check(&state("f", "a"), &[], &[]).is_err());
    }
}
