//! What the API can do, and what it tells about that (RFC 8620 §2, RFC 8621 §1.3).

use hub::Scopes;
use serde_json::{Value, json};

use crate::blobs;
use crate::core::limits;
use crate::core::query::COLLATIONS;
use crate::files;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Capability {
    Blob,
    Contacts,
    Core,
    FileNode,
    Mail,
    Quota,
    Submission,
    VacationResponse,
}

impl Capability {
    pub(crate) const ALL: [Self; 8] = [
        Self::Blob,
        Self::Contacts,
        Self::Core,
        Self::FileNode,
        Self::Mail,
        Self::Quota,
        Self::Submission,
        Self::VacationResponse,
    ];

    pub(crate) fn uri(self) -> &'static str {
        match self {
            Self::Blob => "urn:ietf:params:jmap:blob",
            Self::Contacts => "urn:ietf:params:jmap:contacts",
            Self::Core => "urn:ietf:params:jmap:core",
            Self::FileNode => "urn:ietf:params:jmap:filenode",
            Self::Mail => "urn:ietf:params:jmap:mail",
            Self::Quota => "urn:ietf:params:jmap:quota",
            Self::Submission => "urn:ietf:params:jmap:submission",
            Self::VacationResponse => "urn:ietf:params:jmap:vacationresponse",
        }
    }

    /// What a token must cover at least, so that there is any use in it.
    pub(crate) fn needs(self) -> Scopes {
        match self {
            Self::Blob | Self::Core | Self::Quota => Scopes::NONE,
            Self::Contacts => Scopes::CONTACTS_READ,
            Self::FileNode => Scopes::FILES_READ,
            Self::Mail | Self::VacationResponse => Scopes::MAIL_READ,
            Self::Submission => Scopes::MAIL_READ.and(Scopes::MAIL_SEND),
        }
    }

    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.uri() == uri)
    }

    /// For the server as a whole.
    pub(crate) fn of_server(self) -> Value {
        match self {
            Self::Core => json!({
                "maxSizeUpload": limits::MAX_SIZE_UPLOAD,
                "maxConcurrentUpload": limits::MAX_CONCURRENT_UPLOAD,
                "maxSizeRequest": limits::MAX_SIZE_REQUEST,
                "maxConcurrentRequests": limits::MAX_CONCURRENT_REQUESTS,
                "maxCallsInRequest": limits::MAX_CALLS_IN_REQUEST,
                "maxObjectsInGet": limits::MAX_OBJECTS_IN_GET,
                "maxObjectsInSet": limits::MAX_OBJECTS_IN_SET,
                "collationAlgorithms": COLLATIONS,
            }),
            Self::Blob
            | Self::FileNode
            | Self::Contacts
            | Self::Mail
            | Self::Quota
            | Self::Submission
            | Self::VacationResponse => json!({}),
        }
    }

    /// For one account.
    pub(crate) fn of_account(self) -> Value {
        match self {
            Self::Blob => json!({
                "maxSizeBlobSet": limits::MAX_SIZE_UPLOAD,
                "maxDataSources": blobs::MAX_DATA_SOURCES,
                "supportedTypeNames": blobs::TYPE_NAMES,
                "supportedDigestAlgorithms": blobs::DIGESTS,
            }),
            // RFC 9610 §1.5.1.
            Self::Contacts => json!({ "maxAddressBooksPerCard": 1, "mayCreateAddressBook": true }),
            Self::FileNode => files::capability(),
            Self::Core | Self::Quota | Self::VacationResponse => json!({}),
            // Nothing is held back for later.
            Self::Submission => json!({ "maxDelayedSend": 0, "submissionExtensions": { "DSN": [] } }),
            Self::Mail => json!({
                "maxMailboxesPerEmail": null,
                "maxMailboxDepth": 32,
                "maxSizeMailboxName": 255,
                "maxSizeAttachmentsPerEmail": limits::MAX_SIZE_UPLOAD,
                "emailQuerySortOptions": crate::mail::query::SORT_OPTIONS,
                "mayCreateTopLevelMailbox": true,
            }),
        }
    }
}
