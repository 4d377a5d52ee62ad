//! The tree of an account's mailboxes under the names that IMAP clients use.

use std::sync::Arc;

use hub_storage::{MailboxRow, Tx, mailboxes, metadata};
use unicode_normalization::UnicodeNormalization;

use crate::directory::{Directory, paths};
use crate::{Error, IdSet, MailboxId, Messages, Modseq, Result, Role, Uid, UidValidity};

/// Mailboxes of one account at most.
const MOST: u64 = 10_000;
/// Levels of one path at most, and octets of one name: longer ones only come from broken clients.
pub(crate) const LEVELS: usize = 32;
const NAME: usize = 255;

/// A mailbox with its counters as of the last commit.
#[derive(Clone, Debug)]
pub struct MailboxInfo {
    pub id: MailboxId,
    /// Full name from the root, levels separated by `/`; the inbox is `INBOX`.
    pub path: String,
    pub role: Option<Role>,
    /// False for a name that exists only because it has children (`\Noselect`).
    pub selectable: bool,
    pub subscribed: bool,
    pub has_children: bool,
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub modseq: Modseq,
    pub total: u32,
    pub unseen: u32,
    /// Sum of the sizes of its messages, in bytes.
    pub bytes: u64,
    /// Where a client lists it among its siblings (RFC 8621 §2).
    pub sort_order: u32,
}

/// A path as levels: NFC, INBOX in capitals (RFC 9051 §5.1).
fn levels(path: &str) -> Result<Vec<String>> {
    let invalid = |why: &str| Error::Invalid(format!("the mailbox name {why}"));
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut levels: Vec<String> = path.split('/').map(|level| level.nfc().collect()).collect();
    if levels.len() > LEVELS {
        return Err(invalid("has more than 32 levels"));
    }
    for level in &levels {
        if level.is_empty() {
            return Err(invalid("is empty or has an empty level"));
        }
        if level.len() > NAME {
            return Err(invalid("has a level of more than 255 octets"));
        }
        if level.chars().any(char::is_control) {
            return Err(invalid("has a control character"));
        }
    }
    if levels[0].eq_ignore_ascii_case("INBOX") {
        levels[0] = "INBOX".into();
    }
    Ok(levels)
}

/// The name of a mailbox as its path is kept.
pub(crate) fn normal_path(path: &str) -> Result<String> {
    Ok(levels(path)?.join("/"))
}

impl MailboxInfo {
    pub(crate) fn new(row: MailboxRow, path: String, has_children: bool, subscribed: bool) -> Self {
        Self {
            id: row.id,
            path,
            role: row.role,
            selectable: row.selectable,
            subscribed,
            has_children,
            uid_validity: row.uid_validity,
            uid_next: row.uid_next,
            modseq: row.modseq,
            total: row.total,
            unseen: row.unseen,
            bytes: row.bytes,
            sort_order: row.sort_order,
        }
    }
}

impl Messages<'_> {
    async fn directory(&self) -> Result<Arc<Directory>> {
        self.account.hub.0.directories.get(self.storage(), self.account.id).await
    }

    /// All mailboxes, sorted by path with INBOX first.
    pub async fn mailboxes(&self) -> Result<Vec<MailboxInfo>> {
        Ok(self.directory().await?.all())
    }

    /// The mailbox of that name (`INBOX` in any case), `NotFound` if there is none.
    pub async fn mailbox(&self, path: &str) -> Result<MailboxInfo> {
        let path = levels(path).map_err(|_| Error::NotFound("mailbox"))?.join("/");
        self.directory().await?.at(&path).ok_or(Error::NotFound("mailbox"))
    }

    /// Those of these mailboxes that there are.
    pub async fn mailboxes_with(&self, ids: &[MailboxId]) -> Result<Vec<MailboxInfo>> {
        Ok(self.directory().await?.with(ids))
    }

    /// Creates a mailbox, its missing parents too, and subscribes to it. One with the name of a usual
    /// mailbox (`Sent`) gets its role back if the account has none with it: a client that deleted
    /// it and makes it again means the same. `Exists`, `Invalid`, `Limit`.
    pub async fn create(&self, path: &str, role: Option<Role>) -> Result<MailboxInfo> {
        let levels = levels(path)?;
        let account = self.account.id;
        let path = levels.join("/");
        self.storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    let taken = mailboxes::roles(tx, account).await?;
                    let is_taken = |role: &Role| taken.contains(role);
                    if role.as_ref().is_some_and(is_taken) {
                        return Err(hub_storage::Error::Exists("a mailbox with this special use"));
                    }
                    let role = role.or_else(|| usual_role(&levels).filter(|role| !is_taken(role)));
                    let count = mailboxes::count(tx, account).await?;
                    if count + levels.len() as u64 > MOST {
                        return Err(hub_storage::Error::Limit("an account can have 10000 mailboxes"));
                    }
                    make_path(tx, account, &levels, role).await?;
                    mailboxes::subscribe(tx, account, &levels.join("/"), true).await
                })
            })
            .await?;
        self.mailbox(&path).await
    }

    /// Deletes a mailbox and its messages. With children it stays as a name that cannot be selected
    /// (RFC 9051 §6.3.5). `NotFound`, `Forbidden` for INBOX, `Invalid` for such a bare name with children.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let path = levels(path).map_err(|_| Error::NotFound("mailbox"))?.join("/");
        if path == "INBOX" {
            return Err(Error::Forbidden("INBOX cannot be deleted"));
        }
        let account = self.account.id;
        self.storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    let rows = mailboxes::list(tx, account).await?;
                    let row = find(&rows, &path)?;
                    let has_children = rows.iter().any(|other| other.parent == row.id);
                    if has_children && !row.selectable {
                        return Ok(Err(Error::Invalid(
                            "the mailbox has others below it and holds no messages itself".into(),
                        )));
                    }
                    mailboxes::delete(tx, account, row, has_children).await?;
                    Ok(Ok(()))
                })
            })
            .await?
    }

    /// Renames a mailbox and all below it; UIDs and UIDVALIDITY stay, subscriptions follow. Renaming
    /// INBOX moves its messages into a new mailbox (RFC 9051 §6.3.6). `NotFound`, `Exists`, `Invalid`.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let from = levels(from).map_err(|_| Error::NotFound("mailbox"))?;
        let to = levels(to)?;
        if to == ["INBOX"] {
            return Err(Error::Exists("INBOX"));
        }
        if from == ["INBOX"] {
            let target = self.create(&to.join("/"), None).await?;
            let all = IdSet::range(1, u64::from(u32::MAX));
            self.move_to(MailboxId::INBOX, &all, target.id).await?;
            // RFC 5464 §4.1: annotations stay with INBOX and go along.
            let account = self.account.id;
            let copy = self.storage().transact([account], move |tx| {
                Box::pin(metadata::copy(tx, account, MailboxId::INBOX, target.id))
            });
            return Ok(copy.await?);
        }
        if to.len() > from.len() && to.starts_with(&from) {
            return Err(Error::Invalid("a mailbox cannot be moved below itself".into()));
        }
        let account = self.account.id;
        Ok(self
            .storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    let rows = mailboxes::list(tx, account).await?;
                    let id = find(&rows, &from.join("/"))?.id;
                    let parent = match to.split_last() {
                        Some((_, above)) if !above.is_empty() => make_parents(tx, account, above).await?,
                        _ => MailboxRow::ROOT,
                    };
                    let name = to.last().map_or("", String::as_str);
                    mailboxes::rename(tx, account, id, parent, name).await?;
                    move_subscriptions(tx, account, &from.join("/"), &to.join("/")).await
                })
            })
            .await?)
    }

    /// Subscribes to or unsubscribes from a name, whether it exists or not (RFC 3501 §6.3.6).
    pub async fn subscribe(&self, path: &str, subscribed: bool) -> Result<()> {
        let path = levels(path)?.join("/");
        let known = self.directory().await?.at(&path).map(|info| info.id);
        let account = self.account.id;
        Ok(self
            .storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    if let Some(id) = known {
                        mailboxes::touch(tx, account, id);
                    }
                    mailboxes::subscribe(tx, account, &path, subscribed).await
                })
            })
            .await?)
    }

    /// Gives a mailbox another special use, or none, and another place among its siblings. `NotFound`;
    /// `Exists` if another mailbox has that use; `Forbidden` for the use of INBOX.
    pub async fn set_use(&self, id: MailboxId, role: Option<Role>, sort_order: u32) -> Result<()> {
        let account = self.account.id;
        let known = self.mailboxes_with(&[id]).await?.pop().ok_or(Error::NotFound("mailbox"))?;
        if role != known.role && (role == Some(Role::Inbox) || id == MailboxId::INBOX) {
            return Err(Error::Forbidden("INBOX keeps its special use"));
        }
        Ok(self
            .storage()
            .transact([account], move |tx| {
                Box::pin(async move {
                    let rows = mailboxes::list(tx, account).await?;
                    if role.is_some() && rows.iter().any(|row| row.role == role && row.id != id) {
                        return Err(hub_storage::Error::Exists("a mailbox with this special use"));
                    }
                    mailboxes::set_use(tx, account, id, role, sort_order).await
                })
            })
            .await?)
    }

    /// All subscribed names, also those of mailboxes that do not exist any more.
    pub async fn subscriptions(&self) -> Result<Vec<String>> {
        Ok(self.directory().await?.subscriptions().to_vec())
    }
}

/// The role that a top-level mailbox of this name usually has.
fn usual_role(levels: &[String]) -> Option<Role> {
    let [name] = levels else { return None };
    let usual = &crate::admin::FIRST_MAILBOXES;
    usual.iter().find(|(usual, _)| usual.eq_ignore_ascii_case(name)).map(|(_, role)| *role)
}

fn find<'r>(rows: &'r [MailboxRow], path: &str) -> hub_storage::Result<&'r MailboxRow> {
    let paths = paths(rows);
    rows.iter()
        .find(|row| paths.get(&row.id).is_some_and(|found| found == path))
        .ok_or(hub_storage::Error::NotFound("mailbox"))
}

/// Makes sure that all levels exist; returns the last one's id.
async fn make_parents(
    tx: &mut Tx,
    account: hub_storage::AccountId,
    levels: &[String],
) -> hub_storage::Result<MailboxId> {
    let mut parent = MailboxRow::ROOT;
    for name in levels {
        parent = match mailboxes::child(tx, account, parent, name).await? {
            Some(row) => row.id,
            None => mailboxes::create(tx, account, parent, name, None, true).await?,
        };
    }
    Ok(parent)
}

async fn make_path(
    tx: &mut Tx,
    account: hub_storage::AccountId,
    levels: &[String],
    role: Option<Role>,
) -> hub_storage::Result<()> {
    let Some((name, above)) = levels.split_last() else { return Ok(()) };
    let parent = make_parents(tx, account, above).await?;
    match mailboxes::child(tx, account, parent, name).await? {
        Some(row) if row.selectable => Err(hub_storage::Error::Exists("mailbox")),
        Some(row) => mailboxes::make_selectable(tx, account, row.id, role).await,
        None => mailboxes::create(tx, account, parent, name, role, true).await.map(drop),
    }
}

async fn move_subscriptions(
    tx: &mut Tx,
    account: hub_storage::AccountId,
    from: &str,
    to: &str,
) -> hub_storage::Result<()> {
    for path in mailboxes::subscribed(tx, account).await? {
        let below = path.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(rest) = below {
            mailboxes::subscribe(tx, account, &path, false).await?;
            mailboxes::subscribe(tx, account, &format!("{to}{rest}"), true).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (input, expected) in [
            ("inbox", Some("INBOX")),
            ("InBox/sub", Some("INBOX/sub")),
            ("a/b/", Some("a/b")),
            ("Entwu\u{308}rfe", Some("Entwürfe")),
            ("", None),
            ("/", None),
            ("a//b", None),
            ("/a", None),
            ("a\u{7}", None),
            ("a\r\nb", None),
        ] {
            assert_eq!(levels(input).ok().map(|l| l.join("/")).as_deref(), expected, "{input:?}");
        }
        assert!(levels(&"x/".repeat(33)).is_err());
        assert!(levels(&"x".repeat(256)).is_err());
    }
}
