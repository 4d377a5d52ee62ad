//! Names of live properties, and how each is written.

use super::Subject;
use super::items::{
    address_data, address_data_types, addressbook_collations, addressbook_description, addressbook_home,
    calendar_collations, calendar_color, calendar_data, calendar_data_types, calendar_description,
    calendar_home, calendar_order, calendar_timezone, component_set, component_sets, content_tag,
    default_calendar, inbox, max_attendees, max_date, max_instances, max_resource_size, min_date, outbox,
    schedule_tag, transparency, user_addresses, user_type,
};
use super::sharing::{
    group_members, group_membership, invite, notification_type, notification_url, proxy_read_for,
    proxy_write_for, shared_url, sharing_modes,
};
use super::values::{
    acl, acl_restrictions, checksums, content_length, content_type, creation_date, display_name, etag,
    file_id, last_modified, lock_discovery, oc_id, owner, owner_id, permissions, principal,
    principal_collections, principal_url, privileges, quota_available, quota_used, reports, resource_type,
    size, supported_lock, supported_privileges, synchronization,
};
use crate::xml::{APPLE, CALDAV, CALENDAR_SERVER, CARDDAV, DAV, OWNCLOUD, Xml};

pub(super) struct Live {
    pub(super) namespace: &'static str,
    pub(super) local: &'static str,
    /// RFC 4918 §9.1: those of that document; others are asked for by name.
    pub(super) in_allprop: bool,
    /// A client may put a value of its own in its place.
    pub(super) can_be_set: bool,
    /// Writes what is in the element; false if the subject has no such property.
    pub(super) value: fn(&Subject<'_>, &mut Xml) -> bool,
}

impl Live {
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }
}

type Value = fn(&Subject<'_>, &mut Xml) -> bool;

/// RFC 4918 §15, in allprop.
const fn basic(local: &'static str, value: Value) -> Live {
    Live { namespace: DAV, local, in_allprop: true, can_be_set: false, value }
}

const fn asked(local: &'static str, value: Value) -> Live {
    Live { namespace: DAV, local, in_allprop: false, can_be_set: false, value }
}

const fn owncloud(local: &'static str, value: Value) -> Live {
    Live { namespace: OWNCLOUD, local, in_allprop: false, can_be_set: false, value }
}

const fn of(namespace: &'static str, local: &'static str, value: Value) -> Live {
    Live { namespace, local, in_allprop: false, can_be_set: false, value }
}

/// What a client says of its calendar or address book.
const fn said(namespace: &'static str, local: &'static str, value: Value) -> Live {
    Live { can_be_set: true, ..of(namespace, local, value) }
}

pub(super) static TABLE: &[Live] = &[
    // RFC 4918 §15
    basic("resourcetype", resource_type),
    Live { can_be_set: true, ..basic("displayname", display_name) },
    basic("creationdate", creation_date),
    basic("getlastmodified", last_modified),
    basic("getetag", etag),
    basic("getcontentlength", content_length),
    basic("getcontenttype", content_type),
    basic("supportedlock", supported_lock),
    basic("lockdiscovery", lock_discovery),
    // RFC 4331 §3, §4
    asked("quota-available-bytes", quota_available),
    asked("quota-used-bytes", quota_used),
    // RFC 3253 §3.1.5
    asked("supported-report-set", reports),
    // RFC 6578 §4
    asked("sync-token", synchronization),
    // RFC 5397 §3
    asked("current-user-principal", principal),
    // RFC 3744 §4, §5
    asked("acl", acl),
    asked("acl-restrictions", acl_restrictions),
    asked("current-user-privilege-set", privileges),
    asked("group-member-set", group_members),
    asked("group-membership", group_membership),
    asked("owner", owner),
    asked("principal-collection-set", principal_collections),
    asked("principal-URL", principal_url),
    asked("supported-privilege-set", supported_privileges),
    // RFC 4791 §5.2, §6.2.1, §7.5.1, §9.6
    of(CALDAV, "calendar-data", calendar_data),
    said(CALDAV, "calendar-description", calendar_description),
    of(CALDAV, "calendar-home-set", calendar_home),
    said(CALDAV, "calendar-timezone", calendar_timezone),
    of(CALDAV, "max-attendees-per-instance", max_attendees),
    of(CALDAV, "max-date-time", max_date),
    of(CALDAV, "max-instances", max_instances),
    of(CALDAV, "max-resource-size", max_resource_size),
    of(CALDAV, "min-date-time", min_date),
    of(CALDAV, "supported-calendar-component-set", component_set),
    of(CALDAV, "supported-calendar-component-sets", component_sets),
    of(CALDAV, "supported-calendar-data", calendar_data_types),
    of(CALDAV, "supported-collation-set", calendar_collations),
    // RFC 6638 §2, §9
    of(CALDAV, "calendar-user-address-set", user_addresses),
    of(CALDAV, "calendar-user-type", user_type),
    said(CALDAV, "schedule-calendar-transp", transparency),
    of(CALDAV, "schedule-default-calendar-URL", default_calendar),
    of(CALDAV, "schedule-inbox-URL", inbox),
    of(CALDAV, "schedule-outbox-URL", outbox),
    of(CALDAV, "schedule-tag", schedule_tag),
    // RFC 6352 §6.2, §7.1.1, §8.3.1, §10.4
    of(CARDDAV, "address-data", address_data),
    said(CARDDAV, "addressbook-description", addressbook_description),
    of(CARDDAV, "addressbook-home-set", addressbook_home),
    of(CARDDAV, "max-resource-size", max_resource_size),
    of(CARDDAV, "supported-address-data", address_data_types),
    of(CARDDAV, "supported-collation-set", addressbook_collations),
    // Apple's calendar server and programs
    of(CALENDAR_SERVER, "getctag", content_tag),
    of(CALENDAR_SERVER, "allowed-sharing-modes", sharing_modes),
    of(CALENDAR_SERVER, "calendar-proxy-read-for", proxy_read_for),
    of(CALENDAR_SERVER, "calendar-proxy-write-for", proxy_write_for),
    of(CALENDAR_SERVER, "invite", invite),
    of(CALENDAR_SERVER, "notification-URL", notification_url),
    of(CALENDAR_SERVER, "notificationtype", notification_type),
    of(CALENDAR_SERVER, "shared-url", shared_url),
    said(APPLE, "calendar-color", calendar_color),
    said(APPLE, "calendar-order", calendar_order),
    // ownCloud, Nextcloud
    owncloud("checksums", checksums),
    owncloud("fileid", file_id),
    owncloud("id", oc_id),
    owncloud("owner-id", owner_id),
    owncloud("permissions", permissions),
    owncloud("size", size),
];
