//! What the live properties of calendars, address books and what lies in them say.

use hub::collections::{Collection, CollectionKind, ItemKind, MOST_BYTES};
use hub::itip::MOST_ATTENDEES;

use super::values::text;
use super::{Subject, What};
use crate::path::encode_into;
use crate::propfind::principal as principal_of;
use crate::xml::{CALDAV, CARDDAV, DAV, Xml};

/// Components that a calendar may take, by the names that clients know them by.
pub(crate) const COMPONENTS: &[(ItemKind, &str)] = &[
    (ItemKind::Event, "VEVENT"),
    (ItemKind::Todo, "VTODO"),
    (ItemKind::Journal, "VJOURNAL"),
    (ItemKind::FreeBusy, "VFREEBUSY"),
    (ItemKind::Availability, "VAVAILABILITY"),
];
/// Instances that one object is expanded to in one answer, RFC 4791 §5.2.8.
pub(crate) const MOST_INSTANCES: usize = 10_000;

impl Subject<'_> {
    fn calendar(&self) -> Option<&Collection> {
        self.collection(CollectionKind::Calendar)
    }

    fn collection(&self, wanted: CollectionKind) -> Option<&Collection> {
        match self.what {
            What::Collection(kind, collection) if kind == wanted => Some(collection),
            _ => None,
        }
    }

    fn is_principal(&self) -> bool {
        matches!(self.what, What::Principal)
    }
}

/// Text that a client has set, if it has.
fn said(xml: &mut Xml, value: Option<&str>) -> bool {
    text(xml, value.filter(|value| !value.is_empty()))
}

/// RFC 4791 §4.2, RFC 6352 §5.2
pub(super) fn resource_type(kind: CollectionKind, collection: &Collection, xml: &mut Xml) {
    match kind {
        // RFC 6638 §2.1, §2.2
        CollectionKind::Inbox if is_outbox(collection) => xml.element_of(CALDAV, "schedule-outbox", |_| {}),
        CollectionKind::Inbox => xml.element_of(CALDAV, "schedule-inbox", |_| {}),
        CollectionKind::Calendar => xml.element_of(CALDAV, "calendar", |_| {}),
        CollectionKind::AddressBook => xml.element_of(CARDDAV, "addressbook", |_| {}),
    }
}

/// What lies beside the inbox and is always empty.
fn is_outbox(collection: &Collection) -> bool {
    collection.name == "outbox"
}

pub(super) fn name_of(collection: &Collection) -> &str {
    match collection.facts.display_name.as_str() {
        "" => &collection.name,
        name => name,
    }
}

pub(super) fn name_of_home(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Calendar => "Calendars",
        CollectionKind::AddressBook => "Address books",
        CollectionKind::Inbox => "Scheduling",
    }
}

pub(super) fn reports(kind: CollectionKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        CollectionKind::Calendar => &[
            (CALDAV, "calendar-query"),
            (CALDAV, "calendar-multiget"),
            (CALDAV, "free-busy-query"),
            (DAV, "sync-collection"),
            (DAV, "expand-property"),
        ],
        CollectionKind::Inbox => &[
            (CALDAV, "calendar-query"),
            (CALDAV, "calendar-multiget"),
            (DAV, "sync-collection"),
            (DAV, "expand-property"),
        ],
        CollectionKind::AddressBook => &[
            (CARDDAV, "addressbook-query"),
            (CARDDAV, "addressbook-multiget"),
            (DAV, "sync-collection"),
            (DAV, "expand-property"),
        ],
    }
}

pub(super) fn reports_of_home(kind: CollectionKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        CollectionKind::Calendar => &[
            (CALDAV, "calendar-query"),
            (CALDAV, "calendar-multiget"),
            (CALDAV, "free-busy-query"),
            (DAV, "expand-property"),
        ],
        CollectionKind::Inbox => &[(DAV, "expand-property")],
        CollectionKind::AddressBook => {
            &[(CARDDAV, "addressbook-query"), (CARDDAV, "addressbook-multiget"), (DAV, "expand-property")]
        }
    }
}

/// RFC 4791 §9.6: what the report makes of the object.
pub(super) fn calendar_data(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    data_of(subject, CollectionKind::Calendar, xml) || data_of(subject, CollectionKind::Inbox, xml)
}

/// RFC 6352 §10.4
pub(super) fn address_data(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    data_of(subject, CollectionKind::AddressBook, xml)
}

fn data_of(subject: &Subject<'_>, wanted: CollectionKind, xml: &mut Xml) -> bool {
    match subject.what {
        What::Item(kind, _, data) if kind == wanted => text(xml, data),
        _ => false,
    }
}

pub(super) fn calendar_description(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    said(xml, subject.calendar().map(|calendar| calendar.facts.description.as_str()))
}

pub(super) fn addressbook_description(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let book = subject.collection(CollectionKind::AddressBook);
    said(xml, book.map(|book| book.facts.description.as_str()))
}

pub(super) fn calendar_timezone(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    said(xml, subject.calendar().map(|calendar| calendar.facts.time_zone.as_str()))
}

pub(super) fn calendar_color(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    said(xml, subject.calendar().map(|calendar| calendar.facts.color.as_str()))
}

pub(super) fn calendar_order(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    text(xml, subject.calendar().map(|calendar| calendar.facts.position.to_string()).as_deref())
}

/// `<!ELEMENT schedule-calendar-transp (opaque | transparent)>` (RFC 6638 §9.1)
pub(super) fn transparency(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let Some(calendar) = subject.calendar() else { return false };
    let local = if calendar.facts.is_transparent { "transparent" } else { "opaque" };
    xml.element_of(CALDAV, local, |_| {});
    true
}

fn component(xml: &mut Xml, name: &str) {
    xml.element_with(CALDAV, "comp", &[("name", name)]);
}

/// `<!ELEMENT supported-calendar-component-set (comp+)>` (RFC 4791 §5.2.3)
pub(super) fn component_set(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let inbox = || subject.collection(CollectionKind::Inbox);
    let Some(calendar) = subject.calendar().or_else(inbox) else { return false };
    component_names(xml, calendar.facts.components);
    true
}

/// Those in a set of bits.
pub(super) fn component_names(xml: &mut Xml, components: i64) {
    let named = COMPONENTS.iter().filter(|(kind, _)| components & *kind as i64 != 0);
    named.for_each(|(_, name)| component(xml, name));
}

/// On the home, which components its calendars may take together: any.
pub(super) fn component_sets(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let is_home = matches!(subject.what, What::Home(CollectionKind::Calendar));
    if is_home {
        xml.element_of(CALDAV, "supported-calendar-component-set", |xml| {
            COMPONENTS.iter().for_each(|(_, name)| component(xml, name));
        });
    }
    is_home
}

/// RFC 4791 §5.2.4
pub(super) fn calendar_data_types(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let is_calendar = subject.calendar().is_some();
    if is_calendar {
        let kind = [("content-type", "text/calendar"), ("version", "2.0")];
        xml.element_with(CALDAV, "calendar-data", &kind);
    }
    is_calendar
}

/// RFC 6352 §6.2.2
pub(super) fn address_data_types(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let is_book = subject.collection(CollectionKind::AddressBook).is_some();
    for version in ["3.0", "4.0"].iter().filter(|_| is_book) {
        let kind = [("content-type", "text/vcard"), ("version", version)];
        xml.element_with(CARDDAV, "address-data-type", &kind);
    }
    is_book
}

const COLLATIONS: &[&str] = &["i;ascii-casemap", "i;octet", "i;unicode-casemap"];

/// RFC 4791 §7.5.1
pub(super) fn calendar_collations(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    collations(subject, CollectionKind::Calendar, CALDAV, xml)
}

/// RFC 6352 §8.3.1
pub(super) fn addressbook_collations(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    collations(subject, CollectionKind::AddressBook, CARDDAV, xml)
}

fn collations(subject: &Subject<'_>, wanted: CollectionKind, namespace: &str, xml: &mut Xml) -> bool {
    let is_one = subject.collection(wanted).is_some();
    for collation in COLLATIONS.iter().filter(|_| is_one) {
        xml.element_of(namespace, "supported-collation", |xml| xml.text(collation));
    }
    is_one
}

pub(super) fn max_resource_size(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let is_collection = matches!(subject.what, What::Collection(..));
    text(xml, is_collection.then(|| MOST_BYTES.to_string()).as_deref())
}

/// RFC 4791 §5.2.6: what four digits can say.
pub(super) fn min_date(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    text(xml, subject.calendar().map(|_| "00010101T000000Z"))
}

pub(super) fn max_date(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    text(xml, subject.calendar().map(|_| "99991231T235959Z"))
}

pub(super) fn max_instances(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    text(xml, subject.calendar().map(|_| MOST_INSTANCES.to_string()).as_deref())
}

pub(super) fn max_attendees(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    text(xml, subject.calendar().map(|_| MOST_ATTENDEES.to_string()).as_deref())
}

/// Changes with everything in a collection; that of a home, with everything in any of its collections
/// (iOS asks the home first).
pub(super) fn content_tag(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let tag = match subject.what {
        What::Collection(_, collection) => Some(collection.state.to_string()),
        What::Home(_) => subject.context.home.clone(),
        What::Notifications(all) => Some(hub::collections::tag_of(all)),
        _ => None,
    };
    text(xml, tag.map(|tag| format!("\"{tag}\"")).as_deref())
}

/// RFC 4791 §6.2.1
pub(super) fn calendar_home(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    home(subject, "/dav/calendars/", xml)
}

/// RFC 6352 §7.1.1
pub(super) fn addressbook_home(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    home(subject, "/dav/addressbooks/", xml)
}

/// Of the principal; and, for programs that look for it there, of whatever they begin with.
fn home(subject: &Subject<'_>, folder: &str, xml: &mut Xml) -> bool {
    let has = !matches!(
        subject.what,
        What::Item(..)
            | What::Node(_)
            | What::Notification(_)
            | What::Notifications(_)
            | What::ProxyGroup(_)
            | What::Room(_)
    );
    if has {
        let mut href = folder.to_owned();
        encode_into(&mut href, &subject.context.handle, b"@");
        href.push('/');
        xml.leaf("href", &href);
    }
    has
}

/// `<!ELEMENT calendar-user-address-set (DAV:href*)>` (RFC 6638 §2.4.1)
pub(super) fn user_addresses(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    if let What::Room(room) = subject.what {
        xml.leaf("href", &format!("mailto:{}", room.address));
        xml.leaf("href", &principal_of(&room.address.to_string()));
        return true;
    }
    if subject.is_principal() {
        let handle = [format!("mailto:{}", subject.context.handle)];
        let all =
            if subject.context.addresses.is_empty() { &handle } else { subject.context.addresses.as_slice() };
        all.iter().for_each(|address| xml.leaf("href", address));
        xml.leaf("href", &principal_of(&subject.context.handle));
    }
    subject.is_principal()
}

/// RFC 6638 §2.2.1, §2.1.1
pub(super) fn inbox(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    subject.is_principal() && subject.context.is_own() && below(subject, "/dav/schedule/", "inbox", xml)
}

pub(super) fn outbox(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    subject.is_principal() && subject.context.is_own() && below(subject, "/dav/schedule/", "outbox", xml)
}

/// Where invitations come: of the inbox (RFC 6638 §9.2).
pub(super) fn default_calendar(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let inbox = subject.collection(CollectionKind::Inbox).filter(|inbox| !is_outbox(inbox));
    match (inbox, &subject.context.default_calendar) {
        (Some(_), Some(name)) => below(subject, "/dav/calendars/", name, xml),
        _ => false,
    }
}

fn below(subject: &Subject<'_>, folder: &str, name: &str, xml: &mut Xml) -> bool {
    let mut href = folder.to_owned();
    encode_into(&mut href, &subject.context.handle, b"@");
    href.push('/');
    encode_into(&mut href, name, b"@");
    href.push('/');
    xml.leaf("href", &href);
    true
}

/// RFC 6638 §9.3
pub(super) fn schedule_tag(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    let tag = match subject.what {
        What::Item(_, item, _) => item.schedule_tag.as_ref().map(|tag| format!("\"{tag}\"")),
        _ => None,
    };
    text(xml, tag.as_deref())
}

/// RFC 6638 §2.4.2
pub(super) fn user_type(subject: &Subject<'_>, xml: &mut Xml) -> bool {
    match subject.what {
        What::Principal => xml.text("INDIVIDUAL"),
        What::ProxyGroup(_) => xml.text("GROUP"),
        What::Room(room) => xml.text(room.user_type()),
        _ => return false,
    }
    true
}
