//! Locks (RFC 4918 §6 and §7). All of an account are few and known to every change; what they forbid
//! is decided here, on paths.

use hub_storage::files::{self, Content, LockRow, NewNode, NodeId};
use hub_storage::{AccountId, Error as Refusal};

use crate::files::change::{Found, Work};
use crate::files::sharing::By;
use crate::files::{Conditions, FilePath, Files, Placed};
use crate::{Error, Result};

/// Locks of an account at most: each is read with every change.
const LOCKS: usize = 500;
/// Bytes of a lock's owner.
const OWNER: usize = 8 << 10;
/// Seconds that a lock lasts at most. Who is still there refreshes it.
const LONGEST: u32 = 24 * 3600;

/// A lock token (RFC 4918 §6.5): a URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockToken(String);

impl LockToken {
    /// `Invalid` unless it is 1 to 255 characters of visible ASCII.
    pub fn new(text: &str) -> Result<Self> {
        match (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::Invalid("a lock token is a URI".to_owned())),
        }
    }

    /// A new one, as RFC 4122 §4.4 makes them.
    fn random() -> Result<Self> {
        let mut bytes = [0u8; 16];
        crate::password::random(&mut bytes)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = u128::from_be_bytes(bytes);
        let hex = format!("{hex:032x}");
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Ok(Self(format!("urn:uuid:{}", parts.join("-"))))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockScope {
    Exclusive,
    Shared,
}

/// What somebody wants to lock.
#[derive(Clone, Debug)]
pub struct LockRequest {
    pub scope: LockScope,
    /// Depth infinity.
    pub is_deep: bool,
    /// What the client wants to be shown of its owner: XML, at most 8 KiB.
    pub owner: String,
    /// Cut to a day.
    pub timeout_seconds: u32,
}

/// A lock that has not expired.
#[derive(Clone, Debug)]
pub struct FileLock {
    pub token: LockToken,
    pub scope: LockScope,
    pub is_deep: bool,
    pub owner: String,
    pub timeout_seconds: u32,
    /// Unix seconds.
    pub expires_at: i64,
    /// The lock root.
    pub root: FilePath,
    /// Whose it is.
    pub holder: AccountId,
}

impl FileLock {
    /// True if what is at `path` is within its scope.
    pub fn covers(&self, path: &FilePath) -> bool {
        self.root == *path || self.is_deep && self.root.contains(path)
    }

    /// Seconds until it ends.
    pub fn remaining_seconds(&self) -> u32 {
        u32::try_from(self.expires_at - crate::unix_now()).unwrap_or(0)
    }

    /// `top` is where the files of whoever asks begin.
    fn from_row(row: LockRow, top: &str) -> Result<Self> {
        Ok(Self {
            root: FilePath::parse(within(&row.path, top))?,
            token: LockToken(row.token),
            scope: if row.is_exclusive { LockScope::Exclusive } else { LockScope::Shared },
            is_deep: row.is_deep,
            owner: row.owner,
            timeout_seconds: row.timeout_seconds,
            expires_at: row.expires_at,
            holder: row.holder,
        })
    }
}

impl Files {
    /// Locks what is at a path, or an empty file made there (RFC 4918 §7.3). `Locked` if a lock in the
    /// way excludes it, `Stale`, `Conflict`, `Limit` for more than 500 locks, `TooLarge`.
    pub async fn lock(
        &self,
        path: &FilePath,
        request: LockRequest,
        conditions: Conditions,
    ) -> Result<(FileLock, Placed)> {
        if self.top == NodeId::UPLOADS {
            return Err(Error::Forbidden("locking parts of an upload"));
        }
        if request.owner.len() > OWNER {
            return Err(Error::TooLarge { limit: OWNER as u64 });
        }
        let timeout_seconds = request.timeout_seconds.clamp(1, LONGEST);
        let row = LockRow {
            token: LockToken::random()?.0,
            path: String::new(),
            holder: self.user,
            is_exclusive: request.scope == LockScope::Exclusive,
            is_deep: request.is_deep,
            owner: request.owner,
            timeout_seconds,
            expires_at: crate::unix_now() + i64::from(timeout_seconds),
        };
        let (work, path, mut lock) = (self.work(), path.clone(), row);
        let (placed, lock) = self
            .transact(move |tx| {
                Box::pin(async move {
                    let found = work.find(tx, &path).await?;
                    work.check(tx, &found, &conditions).await?;
                    lock.path = found.location();
                    if let Some(other) = found.locks.iter().find(|other| excludes(other, &lock)) {
                        return Err(found.held(other));
                    }
                    if found.locks.len() >= LOCKS {
                        return Err(Refusal::Limit("locks"));
                    }
                    let placed = match found.node() {
                        Some(node) => (node.clone(), false),
                        None => (work.make_empty(tx, &found, &conditions).await?, true),
                    };
                    files::lock(tx, work.account, &lock).await?;
                    Ok((placed, lock))
                })
            })
            .await?;
        Ok((FileLock::from_row(lock, &self.location().await?)?, self.placed(placed)))
    }

    /// RFC 4918 §9.10.2: the time of a lock starts anew. `Stale` unless it is the user's and covers
    /// `path`.
    pub async fn refresh_lock(
        &self,
        path: &FilePath,
        token: &LockToken,
        timeout_seconds: u32,
    ) -> Result<FileLock> {
        let (work, path, token) = (self.work(), path.clone(), token.clone());
        let timeout_seconds = timeout_seconds.clamp(1, LONGEST);
        let row = self
            .transact(move |tx| {
                Box::pin(async move {
                    let found = work.find(tx, &path).await?;
                    let path = found.location();
                    let lock = found.locks.into_iter().find(|lock| {
                        lock.token == token.0 && is_covering(lock, &path) && lock.holder == work.user
                    });
                    let mut lock = lock.ok_or(Refusal::Stale)?;
                    lock.timeout_seconds = timeout_seconds;
                    lock.expires_at = crate::unix_now() + i64::from(timeout_seconds);
                    files::refresh_lock(tx, work.account, &lock).await?;
                    Ok(lock)
                })
            })
            .await?;
        FileLock::from_row(row, &self.location().await?)
    }

    /// RFC 4918 §9.11. `Conflict` unless the lock covers `path`, `Forbidden` if it is somebody else's
    /// (the owner of the files may end any).
    pub async fn unlock(&self, path: &FilePath, token: &LockToken) -> Result<()> {
        let (work, path, token) = (self.work(), path.clone(), token.clone());
        self.transact(move |tx| {
            Box::pin(async move {
                let found = work.find(tx, &path).await?;
                let path = found.location();
                let lock = found.locks.iter().find(|lock| lock.token == token.0 && is_covering(lock, &path));
                let lock = lock.ok_or(Refusal::Conflict("lock"))?;
                if lock.holder != work.user && work.user != work.account {
                    return Err(Refusal::Forbidden("the lock is somebody else's"));
                }
                files::unlock(tx, work.account, &[&lock.token]).await
            })
        })
        .await
    }

    /// All locks of these files that have not expired, at most 500. [`FileLock::covers`] tells which
    /// concern a path.
    pub async fn locks(&self) -> Result<Vec<FileLock>> {
        self.may_read()?;
        let top = self.location().await?;
        let mut rows = self.storage().file_locks(self.owner, crate::unix_now()).await?;
        rows.retain(|lock| is_covering(lock, &top) || lock.path == top || is_below(&lock.path, &top));
        rows.into_iter().map(|row| FileLock::from_row(row, &top)).collect()
    }

    /// Where these files begin in the owner's: names in NFC.
    async fn location(&self) -> Result<String> {
        if self.by == By::Owner {
            return Ok(String::new());
        }
        let above = self.storage().file_ancestors(self.owner, self.top).await?;
        let top = self.storage().file_path(self.owner, self.top, &[]).await?;
        let keys: Vec<&str> = above.iter().chain(&top).skip(1).map(|node| node.key.as_str()).collect();
        Ok(keys.join("/"))
    }
}

impl Work {
    /// RFC 4918 §7.3: a lock on a name where nothing is makes an empty file there.
    async fn make_empty(
        &self,
        tx: &mut hub_storage::Tx,
        found: &Found,
        conditions: &Conditions,
    ) -> hub_storage::Result<files::NodeRow> {
        let place = found.place()?;
        self.may_change_members(found, conditions)?;
        let now = crate::unix_now();
        let new = NewNode {
            is_folder: false,
            content: Content::Empty,
            content_type: String::new(),
            checksum: String::new(),
            created_at: now,
            modified_at: now,
        };
        files::create(tx, self.account, &place, new).await
    }
}

/// True if what is at `path` (names in NFC) is within the lock's scope.
pub(crate) fn is_covering(lock: &LockRow, path: &str) -> bool {
    lock.path == path || lock.is_deep && is_below(path, &lock.path)
}

/// True if `path` is somewhere below the folder `above`.
pub(crate) fn is_below(path: &str, above: &str) -> bool {
    above.is_empty() && !path.is_empty() || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// A path in the owner's files as one from `top` on. What is not below it is told as the top itself:
/// where that lies is nobody else's business.
pub(crate) fn within<'a>(path: &'a str, top: &str) -> &'a str {
    match top.is_empty() {
        true => path,
        false => path.strip_prefix(top).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default(),
    }
}

/// RFC 4918 §6.2: shared locks go together, everything else does not, if there is anything that
/// both cover.
fn excludes(held: &LockRow, wanted: &LockRow) -> bool {
    (held.is_exclusive || wanted.is_exclusive)
        && (is_covering(held, &wanted.path) || is_covering(wanted, &held.path))
}

/// The lock that keeps somebody with these tokens from changing what is at `path`: of all that cover
/// it, one must have been submitted by its holder (RFC 4918 §6.4, §7).
pub(crate) fn blocking<'a>(
    held: &'a [LockRow],
    path: &str,
    user: AccountId,
    conditions: &Conditions,
) -> Option<&'a LockRow> {
    let covering = || held.iter().filter(|lock| is_covering(lock, path));
    let is_submitted = |lock: &LockRow| {
        lock.holder == user && conditions.tokens.iter().any(|token| token.as_str() == lock.token)
    };
    if covering().any(is_submitted) { None } else { covering().next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    fn lock(token: &str, path: &str, is_exclusive: bool, is_deep: bool) -> LockRow {
        LockRow {
            token: token.to_owned(),
            path: path.to_owned(),
            holder: ALICE,
            is_exclusive,
            is_deep,
            owner: String::new(),
            timeout_seconds: 60,
            expires_at: 1000,
        }
    }

    #[test]
    fn scopes() {
        for (root, is_deep, path, covers) in [
            ("a", true, "a", true),
            ("a", true, "a/b/c", true),
            ("a", false, "a/b", false),
            ("a", true, "ab", false),
            ("a/b", true, "a", false),
            ("", true, "a", true),
            ("", false, "", true),
            ("", false, "a", false),
        ] {
            assert_eq!(is_covering(&lock("x", root, true, is_deep), path), covers, "{root:?} {path:?}");
        }
    }

    #[test]
    fn which_locks_exclude_each_other() {
        for (held, wanted, excluded) in [
            (("a", true, false), ("a", true, false), true),
            (("a", false, false), ("a", false, false), false),
            (("a", false, false), ("a", true, false), true),
            (("a", true, true), ("a/b", false, false), true),
            (("a/b", true, false), ("a", true, true), true),
            (("a/b", true, false), ("a", true, false), false),
            (("a/b", true, true), ("a/c", true, true), false),
        ] {
            let row = |(path, is_exclusive, is_deep)| lock("x", path, is_exclusive, is_deep);
            assert_eq!(excludes(&row(held), &row(wanted)), excluded, "{held:?} {wanted:?}");
        }
    }

    #[test]
    fn whoever_submits_a_token_may_change_it() {
        let held = [lock("urn:1", "a", false, true), lock("urn:2", "a/b", false, false)];
        let with = |tokens: &[&str]| Conditions {
            tokens: tokens.iter().map(|token| LockToken::new(token).expect("a token")).collect(),
            ..Conditions::default()
        };
        let root = |path, user, tokens: &[&str]| {
            blocking(&held, path, user, &with(tokens)).map(|lock| lock.path.as_str())
        };
        assert_eq!(root("c", ALICE, &[]), None);
        assert_eq!(root("a/b", ALICE, &[]), Some("a"));
        assert_eq!(root("a/b", ALICE, &["urn:3"]), Some("a"));
        assert_eq!(root("a/b", ALICE, &["urn:2"]), None, "one of two shared ones");
        assert_eq!(root("a/c", ALICE, &["urn:2"]), Some("a"));
        assert_eq!(root("a/b", BOB, &["urn:2"]), Some("a"), "RFC 4918 §6.4: a token is nobody else's");
    }

    #[test]
    fn whoever_sees_a_part_is_not_told_where_it_lies() {
        for (path, top, seen) in [
            ("a/b", "", "a/b"),
            ("a/b/c", "a/b", "c"),
            ("a/b", "a/b", ""),
            ("a", "a/b", ""),
            ("a/bc", "a/b", ""),
        ] {
            assert_eq!(within(path, top), seen, "{path} {top}");
        }
    }

    #[test]
    fn tokens_are_unique_and_uris() {
        let tokens: Vec<_> = (0..3).map(|_| LockToken::random().expect("random")).collect();
        assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
        for token in &tokens {
            assert!(token.as_str().starts_with("urn:uuid:") && token.as_str().len() == 45);
            assert_eq!(&token.as_str()[23..24], "4");
        }
        assert!(LockToken::new("a b").is_err() && LockToken::new("").is_err());
    }
}
