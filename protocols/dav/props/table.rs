//! Names of live properties, and how each is written.

use super::Subject;
use super::values::{
    acl, acl_restrictions, checksums, content_length, content_type, creation_date, display_name, etag,
    file_id, group_membership, last_modified, lock_discovery, oc_id, owner, owner_id, permissions, principal,
    principal_collections, principal_url, privileges, quota_available, quota_used, reports, resource_type,
    size, supported_lock, supported_privileges, synchronization,
};
use crate::xml::{DAV, OWNCLOUD, Xml};

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
    asked("group-membership", group_membership),
    asked("owner", owner),
    asked("principal-collection-set", principal_collections),
    asked("principal-URL", principal_url),
    asked("supported-privilege-set", supported_privileges),
    // ownCloud, Nextcloud
    owncloud("checksums", checksums),
    owncloud("fileid", file_id),
    owncloud("id", oc_id),
    owncloud("owner-id", owner_id),
    owncloud("permissions", permissions),
    owncloud("size", size),
];
