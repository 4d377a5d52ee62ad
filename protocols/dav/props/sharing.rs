//! What the live properties say of what twins share with each other (Apple's caldav-sharing and
//! caldav-proxy).

use hub::collections::{Access, Collection, CollectionGrant, CollectionKind, Notification, Status};

use super::items::component_names;
use super::{Subject, What};
use crate::path::{encode_into, proxy_name};
use crate::propfind::principal as principal_of;
use crate::xml::{CALDAV, CALENDAR_SERVER, Xml};

fn own(xml: &mut Xml, local: &str, content: impl FnOnce(&mut Xml)) {
    xml.element_of(CALENDAR_SERVER, local, content);
}

impl Subject<'_> {
    /// What its owner has granted of the collection.
    fn grants<'s>(&'s self, collection: &Collection) -> impl Iterator<Item = &'s CollectionGrant> {
        let id = collection.id;
        let is_own = self.is_owned();
        self.context.grants.iter().filter(move |grant| is_own && grant.collection == id)
    }
}

/// caldav-sharing §5.2.1
pub(super) fn resource_type(subject: &Subject<'_>, collection: &Collection, xml: &mut Xml) {
    if collection.shared.is_some() {
        own(xml, "shared", |_| {});
    } else if subject.grants(collection).next().is_some() {
        own(xml, "shared-owner", |_| {});
    }
}

/// `<!ELEMENT invite (organizer?, user*)>` (caldav-sharing §5.2.2). Whom it is shared with besides, is its
/// owner's to know.
pub(super) fn invite(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let What::Collection(_, collection) = subject.what else { return false };
    if let Some(shared) = &collection.shared {
        organizer(xml, &shared.owner.to_string());
        let grantee = subject.context.handle.as_str();
        user(xml, grantee, Status::Accepted, shared.access, &shared.summary);
        return true;
    }
    let before = xml.len();
    for grant in subject.grants(collection) {
        user(xml, &grant.grantee.to_string(), grant.status, grant.access, &grant.summary);
    }
    xml.len() > before
}

/// `<!ELEMENT user (DAV:href, common-name?, (invite-noresponse | invite-accepted | invite-declined |
/// invite-invalid), access, summary?)>` (caldav-sharing §6.5)
fn user(xml: &mut Xml, twin: &str, status: Status, right: Access, summary: &str) {
    own(xml, "user", |xml| {
        xml.leaf("href", &format!("mailto:{twin}"));
        own(xml, "common-name", |xml| xml.text(twin));
        own(xml, status_name(status), |_| {});
        access(xml, right);
        own(xml, "summary", |xml| xml.text(summary));
    });
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Accepted => "invite-accepted",
        Status::Declined => "invite-declined",
        Status::Revoked => "invite-deleted",
        Status::Waiting => "invite-noresponse",
    }
}

/// `<!ELEMENT access (read | read-write)>` (caldav-sharing §6.11)
fn access(xml: &mut Xml, access: Access) {
    let local = match access {
        Access::Read => "read",
        Access::Write => "read-write",
    };
    own(xml, "access", |xml| own(xml, local, |_| {}));
}

/// `<!ELEMENT organizer (DAV:href, CS:common-name?, …)>` (caldav-sharing §6.18)
fn organizer(xml: &mut Xml, twin: &str) {
    own(xml, "organizer", |xml| {
        xml.leaf("href", &principal_of(twin));
        own(xml, "common-name", |xml| xml.text(twin));
    });
}

/// `<!ELEMENT allowed-sharing-modes (can-be-shared?, can-be-published?)>` (caldav-sharing §5.2.3)
pub(super) fn sharing_modes(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let can = match subject.what {
        What::Collection(CollectionKind::Inbox, _) => false,
        What::Collection(..) => subject.is_owned(),
        _ => false,
    };
    if can {
        own(xml, "can-be-shared", |_| {});
    }
    can
}

/// `<!ELEMENT shared-url (DAV:href)>` (caldav-sharing §5.2.4)
pub(super) fn shared_url(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let What::Collection(kind, collection) = subject.what else { return false };
    let Some(shared) = &collection.shared else { return false };
    xml.leaf("href", &collection_url(kind, &shared.owner.to_string(), &shared.name));
    true
}

/// Of a collection, in its owner's home.
fn collection_url(kind: CollectionKind, owner: &str, name: &str) -> String {
    let mut url = String::from(match kind {
        CollectionKind::AddressBook => "/dav/addressbooks/",
        CollectionKind::Calendar => "/dav/calendars/",
        CollectionKind::Inbox => "/dav/schedule/",
    });
    encode_into(&mut url, owner, b"@");
    url.push('/');
    encode_into(&mut url, name, b"@");
    url.push('/');
    url
}

/// `<!ELEMENT notification-URL (DAV:href)>` (caldav-sharing §4.1.1)
pub(super) fn notification_url(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let is_own = matches!(subject.what, What::Principal) && subject.context.is_own();
    if is_own {
        let mut url = String::from("/dav/notifications/");
        encode_into(&mut url, &subject.context.handle, b"@");
        url.push('/');
        xml.leaf("href", &url);
    }
    is_own
}

/// `<!ELEMENT notificationtype (invite-notification | invite-reply)>` (caldav-sharing §4.2.1)
pub(super) fn notification_type(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let What::Notification(note) = subject.what else { return false };
    match note.is_reply {
        true => own(xml, "invite-reply", |_| {}),
        false => xml.element_with(CALENDAR_SERVER, "invite-notification", &[SHARED_TYPE]),
    }
    true
}

/// What Apple's programs look for before they show one.
const SHARED_TYPE: (&str, &str) = ("shared-type", "calendar");

/// `<!ELEMENT notification (CS:dtstamp, (invite-notification | invite-reply)>` (caldav-sharing §6.24)
pub(crate) fn notification(note: &Notification) -> String {
    Xml::document_of(CALENDAR_SERVER, "notification", |xml| {
        let stamp: String = super::values::iso_date(note.grant.changed_at)
            .chars()
            .filter(|c| !matches!(c, '-' | ':'))
            .collect();
        own(xml, "dtstamp", |xml| xml.text(&stamp));
        match note.is_reply {
            true => own(xml, "invite-reply", |xml| reply(xml, note)),
            false => xml.element_around(CALENDAR_SERVER, "invite-notification", &[SHARED_TYPE], |xml| {
                invitation(xml, note);
            }),
        }
    })
}

/// `<!ELEMENT invite-notification (uid, DAV:href, (invite-noresponse | invite-deleted | invite-accepted |
/// invite-declined), access, hosturl, organizer, summary?, CALDAV:supported-calendar-component-set?>`
/// (caldav-sharing §6.15)
fn invitation(xml: &mut Xml, note: &Notification) {
    let grant = &note.grant;
    own(xml, "uid", |xml| xml.text(&note.uid));
    xml.leaf("href", &format!("mailto:{}", grant.grantee));
    own(xml, status_name(grant.status), |_| {});
    access(xml, grant.access);
    host_url(xml, grant);
    organizer(xml, &grant.owner.to_string());
    own(xml, "summary", |xml| xml.text(&grant.summary));
    if grant.kind == CollectionKind::Calendar && grant.components != 0 {
        xml.element_of(CALDAV, "supported-calendar-component-set", |xml| {
            component_names(xml, grant.components);
        });
    }
}

/// `<!ELEMENT invite-reply (DAV:href, (invite-accepted | invite-declined), hosturl, in-reply-to, summary?>`
/// (caldav-sharing §6.22)
fn reply(xml: &mut Xml, note: &Notification) {
    let grant = &note.grant;
    xml.leaf("href", &format!("mailto:{}", grant.grantee));
    own(xml, status_name(grant.status), |_| {});
    host_url(xml, grant);
    own(xml, "in-reply-to", |xml| xml.text(&note.uid));
    own(xml, "summary", |xml| xml.text(&grant.summary));
}

fn host_url(xml: &mut Xml, grant: &CollectionGrant) {
    let url = collection_url(grant.kind, &grant.owner.to_string(), &grant.name);
    own(xml, "hosturl", |xml| xml.leaf("href", &url));
}

/// `<!ELEMENT calendar-proxy-read-for (DAV:href*)>` (caldav-proxy §5.3.1)
pub(super) fn proxy_read_for(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    proxy_for(subject, Access::Read, xml)
}

/// `<!ELEMENT calendar-proxy-write-for (DAV:href*)>` (caldav-proxy §5.3.2)
pub(super) fn proxy_write_for(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    proxy_for(subject, Access::Write, xml)
}

fn proxy_for(subject: &Subject<'_>, access: Access, xml: &mut Xml) -> bool {
    let has = matches!(subject.what, What::Principal) && subject.context.is_own();
    for grant in subject.context.proxy_for.iter().filter(|grant| has && grant.access == access) {
        xml.leaf("href", &principal_of(&grant.owner.to_string()));
    }
    has
}

/// RFC 3744 §4.4: a twin is in the groups of those whose proxy it is.
pub(super) fn group_membership(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let is_group = matches!(subject.what, What::ProxyGroup(_));
    if matches!(subject.what, What::Principal) && subject.context.is_own() {
        for grant in &subject.context.proxy_for {
            xml.leaf("href", &group_url(&grant.owner.to_string(), grant.access));
        }
        return true;
    }
    is_group
}

/// RFC 3744 §4.3
pub(super) fn group_members(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let What::ProxyGroup(access) = subject.what else { return matches!(subject.what, What::Principal) };
    for grant in subject.context.proxies.iter().filter(|grant| grant.access == access) {
        xml.leaf("href", &principal_of(&grant.grantee.to_string()));
    }
    true
}

pub(super) fn group_url(twin: &str, access: Access) -> String {
    let mut url = principal_of(twin);
    url.push_str(proxy_name(access));
    url.push('/');
    url
}
