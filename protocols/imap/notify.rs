//! What a client wants to hear of without asking (RFC 5465): which events of which mailboxes; and
//! how the names of mailboxes have changed. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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

    /// Names have to be remembered, to see how they change.
    pub(crate) fn hears_of_names(&self) -> bool {
        self.groups.iter().any(|group| group.events.names || group.events.subscriptions)
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
    /// `own`, which the client has changed itself. Said in this order, it turns the one into the other.
    pub(crate) fn renewed<'a>(&'a self, now: &'a Self, notify: &Notify, own: &[String]) -> Vec<Renewed<'a>> {
        let mut list = List {
            before: self,
            now,
            before_ids: self.ids(),
            now_ids: now.ids(),
            notify,
            own: own.iter().map(String::as_str).collect(),
            said: HashSet::new(),
            renewed: Vec::new(),
        };
        let mut parents = BTreeSet::new();
        for (id, before) in &self.mailboxes {
            if !now.mailboxes.contains_key(id) && !list.is_own(&before.path) {
                list.say_gone(&before.path, before.subscribed);
                parents.extend(parent(&before.path));
            }
        }
        list.say_renamed();
        for (id, info) in &now.mailboxes {
            if !self.mailboxes.contains_key(id) && !list.is_own(&info.path) {
                list.say(info, None);
                parents.extend(parent(&info.path));
            }
        }
        list.say_subscriptions();
        // A parent has or lacks children now (RFC 5465 §5.4).
        for info in now.mailboxes.values().filter(|info| parents.contains(info.path.as_str())) {
            list.say(info, None);
        }
        list.renewed
    }

    /// Mailboxes by name: where ten thousand were renamed at once, each is looked up several times.
    fn ids(&self) -> HashMap<&str, MailboxId> {
        self.mailboxes.iter().map(|(id, info)| (info.path.as_str(), *id)).collect()
    }
}

/// What is to be said, while it is put together.
struct List<'a, 'n> {
    before: &'a Names,
    now: &'a Names,
    before_ids: HashMap<&'a str, MailboxId>,
    now_ids: HashMap<&'a str, MailboxId>,
    notify: &'n Notify,
    own: HashSet<&'n str>,
    /// The names in `renewed`.
    said: HashSet<&'a str>,
    renewed: Vec<Renewed<'a>>,
}

impl<'a> List<'a, '_> {
    fn is_own(&self, path: &str) -> bool {
        self.own.contains(path)
    }

    fn hears(&self, path: &str, subscribed: bool) -> bool {
        self.notify.events(path, subscribed).names
    }

    fn push(&mut self, renewed: Renewed<'a>) {
        self.said.insert(renewed.path);
        self.renewed.push(renewed);
    }

    /// A mailbox under its name of now, unless that has been said.
    fn say(&mut self, info: &'a MailboxInfo, old_name: Option<&'a str>) {
        let is_said = self.said.contains(info.path.as_str());
        if !is_said && (self.hears(&info.path, info.subscribed) || old_name.is_some()) {
            let subscribed = info.subscribed;
            self.push(Renewed { path: &info.path, mailbox: Some(info.id), subscribed, old_name });
        }
    }

    /// A name that is gone, unless another mailbox has it: then that is said.
    fn say_gone(&mut self, path: &'a str, was_subscribed: bool) {
        if !self.now_ids.contains_key(path) && self.hears(path, was_subscribed) {
            let subscribed = self.now.subscriptions.contains(path);
            self.push(Renewed { path, mailbox: None, subscribed, old_name: None });
        }
    }

    /// Renamed mailboxes, the deepest first: what left a mailbox before that was renamed did not go along.
    fn say_renamed(&mut self) {
        let (before, now) = (self.before, self.now);
        let pairs = now.mailboxes.iter().filter_map(|(id, info)| Some((before.mailboxes.get(id)?, info)));
        let mut renamed: Vec<_> = pairs.filter(|(old, new)| old.path != new.path).collect();
        renamed.sort_by_key(|(old, _)| std::cmp::Reverse(old.path.matches('/').count()));
        for (old, new) in renamed {
            if self.is_own(&old.path) || self.is_own(&new.path) || self.follows_parent(&old.path, &new.path) {
                continue;
            }
            if !self.is_plain(&old.path, &new.path) {
                self.say_gone(&old.path, old.subscribed);
                self.say(new, None);
            } else if self.hears(&new.path, new.subscribed) || self.hears(&old.path, old.subscribed) {
                self.say(new, Some(&old.path));
            }
        }
    }

    /// Neither name has or had another mailbox, so that OLDNAME cannot be misunderstood.
    fn is_plain(&self, old: &str, new: &str) -> bool {
        !self.now_ids.contains_key(old) && !self.before_ids.contains_key(new)
    }

    /// True if a mailbox that went from `old` to `new` only followed the one above it, which is said:
    /// RFC 5465 §5.4 has nothing said of it then.
    fn follows_parent(&self, old: &str, new: &str) -> bool {
        let (Some((old_parent, old_leaf)), Some((new_parent, new_leaf))) =
            (old.rsplit_once('/'), new.rsplit_once('/'))
        else {
            return false;
        };
        let is_there = self
            .before_ids
            .get(old_parent)
            .and_then(|parent| self.now.mailboxes.get(parent))
            .is_some_and(|parent| parent.path == new_parent && self.hears(new_parent, parent.subscribed));
        old_leaf == new_leaf
            && is_there
            && self.is_plain(old, new)
            && self.is_plain(old_parent, new_parent)
            && !self.is_own(old_parent)
    }

    /// RFC 5465 §5.5, also of names without mailbox.
    fn say_subscriptions(&mut self) {
        let (before, now) = (self.before, self.now);
        for (id, info) in &now.mailboxes {
            let events = self.notify.events(&info.path, true);
            let was = before.mailboxes.get(id).filter(|before| before.path == info.path);
            let changed = was.is_some_and(|was| was.subscribed != info.subscribed);
            let is_said = self.said.contains(info.path.as_str());
            if changed && events.subscriptions && !is_said && !self.is_own(&info.path) {
                let subscribed = info.subscribed;
                self.push(Renewed { path: &info.path, mailbox: Some(*id), subscribed, old_name: None });
            }
        }
        for path in before.subscriptions.symmetric_difference(&now.subscriptions) {
            // What was or is a mailbox has been looked at.
            let is_mailbox =
                self.before_ids.contains_key(path.as_str()) || self.now_ids.contains_key(path.as_str());
            if !is_mailbox && !self.is_own(path) && self.notify.events(path, true).subscriptions {
                let subscribed = now.subscriptions.contains(path);
                self.push(Renewed { path, mailbox: None, subscribed, old_name: None });
            }
        }
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            sort_order: 0,
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
                "new 2 true Some(\"a\")",
                "c 6 false None",
                "INBOX 1 true None",
                "never 0 false None",
                "gone 5 false None",
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

    /// What a client makes of what it is told.
    fn told(mut paths: BTreeSet<String>, renewed: &[Renewed<'_>]) -> BTreeSet<String> {
        for line in renewed {
            if let Some(old) = line.old_name {
                let moved = |path: &String| match path.strip_prefix(old) {
                    Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", line.path),
                    _ => path.clone(),
                };
                paths = paths.iter().map(moved).collect();
            }
            match line.mailbox {
                Some(_) => paths.insert(line.path.to_owned()),
                None => paths.remove(line.path),
            };
        }
        paths
    }

    /// A tree of mailboxes with ids; each has its parent.
    fn trees() -> impl Strategy<Value = Vec<(i64, &'static str)>> {
        const PATHS: [&str; 7] = ["a", "b", "a/x", "b/x", "a/y", "a/x/z", "b/x/z"];
        (
            proptest::sample::subsequence(PATHS.to_vec(), 0..=7),
            Just((1..8).collect::<Vec<i64>>()).prop_shuffle(),
        )
            .prop_map(|(paths, ids)| {
                let kept = |path: &&str| {
                    parent(path).is_none_or(|above| {
                        paths.contains(&above) && parent(above).is_none_or(|top| paths.contains(&top))
                    })
                };
                ids.into_iter().zip(paths.iter().copied().filter(kept)).collect()
            })
    }

    proptest! {
        #[test]
        fn whoever_believes_it_knows_the_names(before in trees(), now in trees()) {
            let (before, now) = (names(&before, &[]), names(&now, &[]));
            let events = Events { names: true, ..Events::default() };
            let groups = vec![Group { mailboxes: Filter::Personal, events }];
            let renewed = before.renewed(&now, &Notify { selected: None, groups }, &[]);
            let paths = |names: &Names| names.mailboxes.values().map(|info| info.path.clone()).collect();
            prop_assert_eq!(told(paths(&before), &renewed), paths(&now));
        }
    }
}
