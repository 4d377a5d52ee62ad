//! What each live property says. `false`: the subject does not have it.

use hub::SyncState;
use hub::collections::{Access, CollectionKind};
use hub::files::{FileLock, Granted, LockScope, Node};
use hub_civil::{Civil, Date};

use super::{Guest, Subject, What, items, sharing};
use crate::get::http_date;
use crate::media_type;
use crate::path::{IN_PATHS, encode_into, proxy_name};
use crate::propfind::principal as principal_of;
use crate::xml::{CALDAV, CALENDAR_SERVER, DAV, OWNCLOUD, Xml};

impl Subject<'_> {
    fn node(&self) -> Option<&Node> {
        match self.what {
            What::Node(node) | What::Shares(node) => Some(node),
            _ => None,
        }
    }

    /// Whose it is, if not the twin's own.
    fn share(&self) -> Option<&Granted> {
        self.context.share.as_ref().filter(|_| matches!(self.what, What::Node(_)))
    }

    /// True for a home, and for what was granted: it stays where it is.
    fn is_top(&self, node: &Node) -> bool {
        self.share().map_or(node.name.is_empty(), |granted| granted.node.id == node.id)
    }

    fn file(&self) -> Option<&Node> {
        self.node().filter(|node| !node.is_folder())
    }

    fn folder(&self) -> Option<&Node> {
        self.node().filter(|node| node.is_folder())
    }

    /// By whose grant the twin sees a calendar or an address book, or what lies in it.
    fn guest(&self) -> Option<Guest> {
        match self.what {
            What::Collection(_, collection) => {
                let shared = collection.shared.as_ref();
                let guest = shared.map(|shared| Guest { owner: shared.owner.clone(), access: shared.access });
                guest.or_else(|| self.context.guest.clone())
            }
            What::Home(_) | What::Item(..) => self.context.guest.clone(),
            _ => None,
        }
    }

    /// What is the twin's own, and not made up.
    pub(super) fn is_owned(&self) -> bool {
        let is_made_up = matches!(
            self.what,
            What::Above
                | What::Notification(_)
                | What::Notifications(_)
                | What::Principal
                | What::ProxyGroup(_)
                | What::Room(_)
                | What::Shares(_)
        );
        !is_made_up && self.share().is_none() && self.guest().is_none()
    }

    fn is_granted(&self) -> bool {
        self.share().is_some() || self.guest().is_some()
    }

    fn may_write(&self) -> bool {
        self.is_owned()
            || self.share().is_some_and(|granted| granted.access.may_write())
            || self.guest().is_some_and(|guest| guest.access == Access::Write)
    }

    /// RFC 4331 §2: collections do.
    fn has_quota(&self) -> bool {
        self.folder().is_some() || matches!(self.what, What::Collection(..) | What::Home(_))
    }
}

pub(super) fn text(xml: &mut Xml, value: Option<&str>) -> bool {
    value.inspect(|value| xml.text(value)).is_some()
}

/// `<!ELEMENT resourcetype ANY >` (RFC 4918 §15.9, RFC 3744 §4)
pub(super) fn resource_type(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    match subject.what {
        What::Node(node) if !node.is_folder() => {}
        What::Item(..) | What::Notification(_) => {}
        What::Notifications(_) => {
            xml.empty("collection");
            xml.element_of(CALENDAR_SERVER, "notification", |_| {});
        }
        What::ProxyGroup(access) => {
            xml.empty("collection");
            xml.empty("principal");
            xml.element_of(CALENDAR_SERVER, proxy_name(access), |_| {});
        }
        What::Node(_) | What::Above | What::Home(_) | What::Shares(_) => xml.empty("collection"),
        What::Collection(kind, collection) => {
            xml.empty("collection");
            items::resource_type(kind, collection, xml);
            sharing::resource_type(subject, collection, xml);
        }
        What::Principal | What::Room(_) => {
            xml.empty("collection");
            xml.empty("principal");
        }
    }
    true
}

pub(super) fn display_name(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    match subject.what {
        What::Node(node) | What::Shares(node) if !node.name.is_empty() => xml.text(&node.name),
        What::Node(_) | What::Principal | What::Shares(_) => xml.text(&subject.context.handle),
        What::Room(room) => xml.text(&room.name),
        What::Above => xml.text("Twin Hub"),
        What::Collection(_, collection) => xml.text(items::name_of(collection)),
        What::Home(kind) => xml.text(items::name_of_home(kind)),
        What::Notifications(_) => xml.text("Notifications"),
        What::ProxyGroup(access) => xml.text(proxy_name(access)),
        What::Item(..) | What::Notification(_) => return false,
    }
    true
}

/// RFC 4918 §15.1: a date-time of RFC 3339.
pub(super) fn creation_date(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let created_at = match subject.what {
        What::Collection(_, collection) => Some(collection.created_at),
        What::Item(_, item, _) => Some(item.created_at),
        _ => subject.node().map(|node| node.created_at),
    };
    text(xml, created_at.map(iso_date).as_deref())
}

pub(super) fn last_modified(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let modified_at = match subject.what {
        What::Item(_, item, _) => Some(item.modified_at),
        _ => subject.node().map(|node| node.modified_at),
    };
    text(xml, modified_at.map(http_date).as_deref())
}

/// As GET says it, quotes included.
pub(super) fn etag(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let etag = match subject.what {
        What::Item(_, item, _) => Some(&item.etag),
        What::Notification(note) => Some(&note.etag),
        _ => subject.node().map(|node| &node.etag),
    };
    text(xml, etag.map(|etag| format!("\"{etag}\"")).as_deref())
}

pub(super) fn content_length(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let size = match subject.what {
        What::Item(_, item, _) => Some(item.size),
        _ => subject.file().map(|node| node.size),
    };
    text(xml, size.map(|size| size.to_string()).as_deref())
}

pub(super) fn content_type(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let media_type = match subject.what {
        What::Item(_, item, _) => Some(media_type::of_item(item.kind)),
        What::Notification(_) => Some("application/xml; charset=utf-8"),
        _ => subject.file().map(|node| media_type::of(&node.content_type, &node.name)),
    };
    text(xml, media_type)
}

/// `<!ELEMENT supportedlock (lockentry)* >` (RFC 4918 §15.10)
pub(super) fn supported_lock(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    for scope in ["exclusive", "shared"].iter().filter(|_| subject.node().is_some() && subject.may_write()) {
        xml.dav("lockentry", |xml| {
            xml.dav("lockscope", |xml| xml.empty(scope));
            xml.dav("locktype", |xml| xml.empty("write"));
        });
    }
    subject.node().is_some()
}

/// `<!ELEMENT lockdiscovery (activelock)* >` (RFC 4918 §15.8)
pub(super) fn lock_discovery(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    for lock in &subject.locks {
        let mut root = subject.context.files.clone();
        encode_into(&mut root, &lock.root.to_string(), IN_PATHS);
        active_lock(xml, lock, &root);
    }
    subject.node().is_some()
}

/// `<!ELEMENT activelock (lockscope, locktype, depth, owner?, timeout?, locktoken?, lockroot)>`
/// (RFC 4918 §14.1)
pub(crate) fn active_lock(xml: &mut Xml, lock: &FileLock, root: &str) {
    xml.dav("activelock", |xml| {
        xml.dav("lockscope", |xml| {
            xml.empty(match lock.scope {
                LockScope::Exclusive => "exclusive",
                LockScope::Shared => "shared",
            });
        });
        xml.dav("locktype", |xml| xml.empty("write"));
        xml.leaf("depth", if lock.is_deep { "infinity" } else { "0" });
        xml.fragment(&lock.owner);
        xml.leaf("timeout", &format!("Second-{}", lock.remaining_seconds()));
        xml.dav("locktoken", |xml| xml.leaf("href", lock.token.as_str()));
        xml.dav("lockroot", |xml| xml.leaf("href", root));
    });
}

/// RFC 4331 §3; without a limit there is nothing to say.
pub(super) fn quota_available(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let quota = subject.context.quota.filter(|_| subject.has_quota());
    let available = quota.and_then(|(used, limit)| Some(limit?.saturating_sub(used)));
    text(xml, available.map(|bytes| bytes.to_string()).as_deref())
}

pub(super) fn quota_used(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    // How much somebody else has is none of a grantee's business.
    let is_own = subject.context.share.is_none();
    let quota = subject.context.quota.filter(|_| is_own && subject.has_quota());
    text(xml, quota.map(|(used, _)| used.to_string()).as_deref())
}

/// `<!ELEMENT supported-report-set (supported-report*)>` (RFC 3253 §3.1.5)
pub(super) fn reports(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let own: &[(&str, &str)] = match subject.what {
        What::Node(node) if node.is_folder() => &[(DAV, "sync-collection"), (DAV, "expand-property")],
        What::Node(_) | What::Above | What::Item(..) | What::Shares(_) => &[(DAV, "expand-property")],
        What::Notification(_) | What::Notifications(_) => &[],
        What::Collection(kind, _) => items::reports(kind),
        What::Home(kind) => items::reports_of_home(kind),
        What::Room(_) => &[],
        What::Principal | What::ProxyGroup(_) => &[
            (DAV, "expand-property"),
            (DAV, "principal-match"),
            (DAV, "principal-property-search"),
            (DAV, "principal-search-property-set"),
        ],
    };
    for (namespace, report) in own {
        xml.dav("supported-report", |xml| {
            xml.dav("report", |xml| xml.element_of(namespace, report, |_| {}));
        });
    }
    true
}

/// A URI, as RFC 6578 §4 wants it.
const SYNC_TOKEN: &str = "urn:x-twinhub:sync:";

pub(super) fn synchronization(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let state = match subject.what {
        What::Collection(_, collection) => Some(collection.state),
        What::Shares(_) => None,
        _ => subject.folder().map(Node::state),
    };
    text(xml, state.map(sync_token).as_deref())
}

pub(crate) fn sync_token(state: SyncState) -> String {
    format!("{SYNC_TOKEN}{state}")
}

/// The state in a token of ours.
pub(crate) fn sync_state(token: &str) -> Option<SyncState> {
    token.trim().strip_prefix(SYNC_TOKEN)?.parse().ok()
}

pub(super) fn principal(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    xml.leaf("href", &subject.context.principal);
    true
}

pub(super) fn owner(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    if let What::Above | What::Room(_) = subject.what {
        return false;
    }
    let owner = match (subject.share(), subject.guest()) {
        (Some(granted), _) => granted.owner.to_string(),
        (None, Some(guest)) => guest.owner.to_string(),
        (None, None) => subject.context.handle.clone(),
    };
    xml.leaf("href", &principal_of(&owner));
    true
}

pub(super) fn principal_url(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    match subject.what {
        What::Principal => xml.leaf("href", &principal_of(&subject.context.handle)),
        What::Room(room) => xml.leaf("href", &principal_of(&room.address.to_string())),
        What::ProxyGroup(access) => {
            xml.leaf("href", &sharing::group_url(&subject.context.handle, access));
        }
        _ => return false,
    }
    true
}

pub(super) fn principal_collections(_: &Subject<'_>, xml: &mut Xml) -> bool {
    xml.leaf("href", "/dav/principals/");
    true
}

/// What clients look for to tell whether they may write; aggregates with their parts, because some look
/// for one and some for the other.
const PRIVILEGES: &[&str] = &[
    "all",
    "read",
    "write",
    "write-properties",
    "write-content",
    "bind",
    "unbind",
    "unlock",
    "read-acl",
    "read-current-user-privilege-set",
];
const READING: &[&str] = &["read", "read-acl", "read-current-user-privilege-set"];
/// Of what others share: who else may see it is not told.
const GRANTED: &[&str] = &["read", "read-current-user-privilege-set"];
const GRANTED_TO_WRITE: &[&str] = &[
    "read",
    "write",
    "write-properties",
    "write-content",
    "bind",
    "unbind",
    "read-current-user-privilege-set",
];

/// `<!ELEMENT current-user-privilege-set (privilege*)>` (RFC 3744 §5.4)
pub(super) fn privileges(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let own = match (subject.is_owned(), subject.is_granted()) {
        (true, _) => PRIVILEGES,
        (false, true) if subject.may_write() => GRANTED_TO_WRITE,
        (false, true) => GRANTED,
        (false, false) => READING,
    };
    for privilege in own {
        xml.dav("privilege", |xml| xml.empty(privilege));
    }
    // RFC 4791 §6.1.1
    if subject.what.kind() == Some(CollectionKind::Calendar) {
        xml.dav("privilege", |xml| xml.element_of(CALDAV, "read-free-busy", |_| {}));
    }
    true
}

/// `<!ELEMENT acl (ace*) >` (RFC 3744 §5.5): the owner may do everything, nobody else anything.
pub(super) fn acl(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    if subject.is_granted() {
        return false;
    }
    xml.dav("ace", |xml| {
        xml.dav("principal", |xml| match subject.is_owned() {
            true => xml.dav("property", |xml| xml.empty("owner")),
            false => xml.empty("authenticated"),
        });
        let privilege = if subject.is_owned() { "all" } else { "read" };
        xml.dav("grant", |xml| xml.dav("privilege", |xml| xml.empty(privilege)));
        xml.empty("protected");
    });
    true
}

/// RFC 3744 §5.6
pub(super) fn acl_restrictions(_: &Subject<'_>, xml: &mut Xml) -> bool {
    xml.empty("grant-only");
    xml.empty("no-invert");
    true
}

/// `<!ELEMENT supported-privilege-set (supported-privilege*)>` (RFC 3744 §5.3)
pub(super) fn supported_privileges(_: &Subject<'_>, xml: &mut Xml) -> bool {
    fn entry(xml: &mut Xml, name: &str, description: &str, parts: impl FnOnce(&mut Xml)) {
        xml.dav("supported-privilege", |xml| {
            xml.dav("privilege", |xml| xml.empty(name));
            xml.leaf("description", description);
            parts(xml);
        });
    }
    let none = |_: &mut Xml| {};
    entry(xml, "all", "Everything", |xml| {
        entry(xml, "read", "Read", |xml| {
            entry(xml, "read-current-user-privilege-set", "Read one's own rights", none);
            xml.dav("supported-privilege", |xml| {
                xml.dav("privilege", |xml| xml.element_of(CALDAV, "read-free-busy", |_| {}));
                xml.leaf("description", "Read when somebody is busy");
            });
        });
        entry(xml, "write", "Write", |xml| {
            entry(xml, "write-properties", "Change properties", none);
            entry(xml, "write-content", "Change content", none);
            entry(xml, "bind", "Add", none);
            entry(xml, "unbind", "Remove", none);
        });
        entry(xml, "unlock", "Remove locks", none);
        entry(xml, "read-acl", "Read rights", none);
    });
    true
}

pub(super) fn checksums(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let known = subject.file().filter(|node| !node.checksum.is_empty());
    if let Some(node) = known {
        xml.element_of(OWNCLOUD, "checksum", |xml| xml.text(&node.checksum));
    }
    known.is_some()
}

/// Of others' files it would be that of one's own.
pub(super) fn file_id(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let node = subject.node().filter(|_| subject.share().is_none());
    text(xml, node.map(|node| node.id.0.to_string()).as_deref())
}

/// The file's id, padded, with that of the server; one that nothing else in the home has.
pub(super) fn oc_id(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let owner = subject.share().map_or_else(String::new, |granted| format!("-{}", granted.owner_number()));
    text(xml, subject.node().map(|node| format!("{:08}twinhub{owner}", node.id.0)).as_deref())
}

pub(super) fn owner_id(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let owner = subject.share().map(|granted| granted.owner.to_string());
    text(xml, subject.node().map(|_| owner.as_deref().unwrap_or(&subject.context.handle)))
}

/// S somebody else's, G read, D delete, N rename, V move, W write; in folders C add files, K add folders.
pub(super) fn permissions(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let Some(node) = subject.node() else { return false };
    let own = match (node.is_folder(), subject.is_top(node)) {
        _ if !subject.may_write() => "G",
        (true, true) => "GCK",
        (true, false) => "GDNVCK",
        (false, true) => "GW",
        (false, false) => "GDNVW",
    };
    if !subject.is_owned() {
        xml.text("S");
    }
    xml.text(own);
    true
}

pub(super) fn size(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    text(xml, subject.node().map(|node| node.size.to_string()).as_deref())
}

/// RFC 3339, in UTC; years 1 to 9999.
pub(crate) fn iso_date(unix_seconds: i64) -> String {
    let civil = Civil::of(unix_seconds.clamp(-62_135_596_800, 253_402_300_799));
    let Date { year, month, day } = civil.date;
    format!("{year:04}-{month:02}-{day:02}T{}Z", civil.time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
            (i64::MIN, "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(iso_date(seconds), expected);
        }
    }

    #[test]
    fn only_our_own_tokens_have_a_state() {
        assert!(sync_state("http://elsewhere.test/1").is_none());
        assert!(sync_state("urn:x-twinhub:sync:x").is_none());
        let state = sync_state("urn:x-twinhub:sync:12").expect("one of ours");
        assert_eq!(sync_token(state), "urn:x-twinhub:sync:12");
    }
}
