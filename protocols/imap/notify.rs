//! What a client wants to hear of without asking (RFC 5465): which events of which mailboxes; and
//! how the names of mailboxes have changed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use hub::{MailboxId, MailboxInfo};

use crate::grammar::command::Item;

/// The words for [`Events`], for BADEVENT (RFC 5465 §3.1).
pub(crate) const EVENT_NAMES: &str = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange \
     MailboxMetadataChange ServerMetadataChange";

/// NOTIFY SET; the default is NOTIFY NONE.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notify {
    /// `None`: nothing of the selected mailbox (RFC 5465 §3.1).
    pub(crate) selected: Option<SelectedEvents>,
    pub(crate) groups: Vec<Group>,
}

#[derive(Clone, Debug)]
pub(crate) struct SelectedEvents {
    /// SELECTED-DELAYED: expunges wait for a command that may say them (RFC 5465 §6.1.2).
    pub(crate) delayed: bool,
    pub(crate) events: Events,
    /// What to send of new messages.
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) mailboxes: Filter,
    pub(crate) events: Events,
}

/// `filter-mailboxes-other`
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Mailboxes(Vec<String>),
    /// Also INBOXES: which mailboxes deliveries go to cannot be told beforehand (RFC 5465 §6.3).
    Personal,
    Subscribed,
    Subtree(Vec<String>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    pub(crate) expunge: bool,
    pub(crate) flags: bool,
    pub(crate) metadata: bool,
    pub(crate) names: bool,
    pub(crate) new: bool,
    pub(crate) server_metadata: bool,
    pub(crate) subscriptions: bool,
}

impl Events {
    pub(crate) fn is_beyond_messages(self) -> bool {
        self.metadata || self.names || self.server_metadata || self.subscriptions
    }

    fn and(self, other: Self) -> Self {
        Self {
            expunge: self.expunge || other.expunge,
            flags: self.flags || other.flags,
            metadata: self.metadata || other.metadata,
            names: self.names || other.names,
            new: self.new || other.new,
            server_metadata: self.server_metadata || other.server_metadata,
            subscriptions: self.subscriptions || other.subscriptions,
        }
    }
}

impl Notify {
    /// Events of a mailbox that is not selected: those of all groups that it is in (RFC 5465 §6).
    pub(crate) fn events(&self, path: &str, subscribed: bool) -> Events {
        let groups = self.groups.iter().filter(|group| group.mailboxes.has(path, subscribed));
        groups.fold(Events::default(), |all, group| all.and(group.events))
    }

    /// ServerMetadataChange is about no mailbox; it counts wherever it stands.
    pub(crate) fn server_metadata(&self) -> bool {
        self.groups.iter().any(|group| group.events.server_metadata)
    }

    /// Something is to be said between commands.
    pub(crate) fn is_anything(&self) -> bool {
        self.selected.is_some() || !self.groups.is_empty()
    }

    /// Number of mailbox names.
    pub(crate) fn names(&self) -> usize {
        let names = self.groups.iter().map(|group| match &group.mailboxes {
            Filter::Mailboxes(names) | Filter::Subtree(names) => names.len(),
            Filter::Personal | Filter::Subscribed => 0,
        });
        names.sum()
    }
}

impl Filter {
    fn has(&self, path: &str, subscribed: bool) -> bool {
        match self {
            Self::Mailboxes(names) => names.iter().any(|name| name == path),
            Self::Personal => true,
            Self::Subscribed => subscribed,
            Self::Subtree(names) => names.iter().any(|name| is_within(path, name)),
        }
    }
}

/// True for `name` and what lies below it.
fn is_within(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The mailboxes and subscriptions that a client has been told of, or could have.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) mailboxes: BTreeMap<MailboxId, MailboxInfo>,
    subscriptions: BTreeSet<String>,
}

/// A name that is to be said again (RFC 5465 §5.4, §5.5).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Renewed<'a> {
    pub(crate) path: &'a str,
    /// `None`: there is no such mailbox any more.
    pub(crate) mailbox: Option<MailboxId>,
    pub(crate) subscribed: bool,
    pub(crate) old_name: Option<&'a str>,
}

impl Names {
    pub(crate) fn new(mailboxes: Vec<MailboxInfo>, subscriptions: Vec<String>) -> Self {
        Self {
            mailboxes: mailboxes.into_iter().map(|info| (info.id, info)).collect(),
            subscriptions: subscriptions.into_iter().collect(),
        }
    }

    /// What `notify` asks to be told when these names become `now`, but for what is about the names in
    /// `own`, which the client has changed itself.
    pub(crate) fn renewed<'a>(&'a self, now: &'a Self, notify: &Notify, own: &[String]) -> Vec<Renewed<'a>> {
        let mut renewed = Vec::new();
        let mut parents = BTreeSet::new();
        let hears = |path: &str, subscribed: bool| notify.events(path, subscribed).names;
        let is_own = |path: &str| own.iter().any(|own| own == path);
        for (id, before) in &self.mailboxes {
            if now.mailboxes.contains_key(id) || is_own(&before.path) {
                continue;
            }
            // A bare name may have taken its place; then that is said.
            if !now.has(&before.path) && hears(&before.path, before.subscribed) {
                let subscribed = now.subscriptions.contains(&before.path);
                renewed.push(Renewed { path: &before.path, mailbox: None, subscribed, old_name: None });
            }
            parents.extend(parent(&before.path));
        }
        for (id, info) in &now.mailboxes {
            let before = self.mailboxes.get(id);
            let old_name = before.map(|before| before.path.as_str()).filter(|old| *old != info.path);
            if is_own(&info.path) || old_name.is_some_and(is_own) {
                continue;
            }
            let says = match (before, old_name) {
                (None, _) => {
                    parents.extend(parent(&info.path));
                    hears(&info.path, info.subscribed)
                }
                // RFC 5465 §5.4: nothing is said of those below it.
                (Some(_), Some(old)) if self.moved_with_parent(now, old, &info.path) => false,
                (Some(before), Some(old)) => {
                    hears(&info.path, info.subscribed) || hears(old, before.subscribed)
                }
                (Some(before), None) => {
                    let events = notify.events(&info.path, info.subscribed || before.subscribed);
                    events.subscriptions && info.subscribed != before.subscribed
                }
            };
            if says {
                let subscribed = info.subscribed;
                renewed.push(Renewed { path: &info.path, mailbox: Some(*id), subscribed, old_name });
            }
        }
        // The parent has or lacks children now.
        for info in now.mailboxes.values().filter(|info| parents.contains(info.path.as_str())) {
            let is_said = renewed.iter().any(|renewed| renewed.path == info.path);
            if !is_said && hears(&info.path, info.subscribed) {
                let subscribed = info.subscribed;
                renewed.push(Renewed {
                    path: &info.path,
                    mailbox: Some(info.id),
                    subscribed,
                    old_name: None,
                });
            }
        }
        for path in self.subscriptions.symmetric_difference(&now.subscriptions) {
            // What was or is a mailbox has been looked at.
            let exists = [self, now].iter().any(|names| names.has(path));
            let subscribed = now.subscriptions.contains(path);
            let is_said = renewed.iter().any(|renewed| renewed.path == path);
            if !exists && !is_said && !is_own(path) && notify.events(path, true).subscriptions {
                renewed.push(Renewed { path, mailbox: None, subscribed, old_name: None });
            }
        }
        renewed
    }

    fn has(&self, path: &str) -> bool {
        self.mailboxes.values().any(|info| info.path == path)
    }

    /// True if a mailbox that went from `old` to `new` only followed the one above it.
    fn moved_with_parent(&self, now: &Self, old: &str, new: &str) -> bool {
        let (Some((old_parent, old_leaf)), Some((new_parent, new_leaf))) =
            (old.rsplit_once('/'), new.rsplit_once('/'))
        else {
            return false;
        };
        let id = self.mailboxes.values().find(|info| info.path == old_parent).map(|info| info.id);
        let parent_now = id.and_then(|id| now.mailboxes.get(&id));
        old_leaf == new_leaf && old_parent != new_parent && parent_now.is_some_and(|p| p.path == new_parent)
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(mailboxes: &[(i64, &str)], subscriptions: &[&str]) -> Names {
        let info = |&(id, path): &(i64, &str)| MailboxInfo {
            id: MailboxId(id),
            path: path.into(),
            role: None,
            selectable: true,
            subscribed: subscriptions.contains(&path),
            has_children: false,
            uid_validity: 1,
            uid_next: 1,
            modseq: 1,
            total: 0,
            unseen: 0,
            bytes: 0,
        };
        Names::new(
            mailboxes.iter().map(info).collect(),
            subscriptions.iter().map(|&path| path.to_owned()).collect(),
        )
    }

    #[test]
    fn names_are_said_as_they_changed() {
        let before =
            names(&[(1, "INBOX"), (2, "a"), (3, "a/b"), (4, "gone/x"), (5, "gone")], &["a", "never"]);
        let now = names(&[(1, "INBOX"), (2, "new"), (3, "new/b"), (5, "gone"), (6, "c")], &["new", "INBOX"]);
        let all = Events { names: true, subscriptions: true, ..Events::default() };
        let notify =
            |mailboxes: Filter| Notify { selected: None, groups: vec![Group { mailboxes, events: all }] };
        let check = |filter: Filter, own: &[&str], expected: &[&str]| {
            let own: Vec<String> = own.iter().map(|&name| name.to_owned()).collect();
            let renewed = before.renewed(&now, &notify(filter), &own);
            let said: Vec<String> = renewed
                .iter()
                .map(|renewed| {
                    let id = renewed.mailbox.map_or(0, |id| id.0);
                    format!("{} {id} {} {:?}", renewed.path, renewed.subscribed, renewed.old_name)
                })
                .collect();
            assert_eq!(said, expected);
        };
        check(
            Filter::Personal,
            &[],
            &[
                "gone/x 0 false None",
                "INBOX 1 true None",
                "new 2 true Some(\"a\")",
                "c 6 false None",
                "gone 5 false None",
                "never 0 false None",
            ],
        );
        check(
            Filter::Mailboxes(vec!["c".into(), "a".into()]),
            &[],
            &["new 2 true Some(\"a\")", "c 6 false None"],
        );
        check(Filter::Subtree(vec!["gone".into()]), &[], &["gone/x 0 false None", "gone 5 false None"]);
        check(Filter::Personal, &["gone/x", "new", "INBOX", "never"], &["c 6 false None"]);
        assert!(before.renewed(&before, &notify(Filter::Personal), &[]).is_empty());
    }

    #[test]
    fn groups_add_up() {
        let messages = Events { new: true, expunge: true, ..Events::default() };
        let flags = Events { flags: true, ..messages };
        let notify = Notify {
            selected: None,
            groups: vec![
                Group { mailboxes: Filter::Subtree(vec!["Lists".into()]), events: messages },
                Group { mailboxes: Filter::Subscribed, events: flags },
            ],
        };
        assert_eq!(notify.events("Lists/a", false), messages);
        assert_eq!(notify.events("Lists/a", true), flags);
        assert_eq!(notify.events("Listsen", false), Events::default());
        assert!(notify.is_anything() && !notify.server_metadata());
    }
}
