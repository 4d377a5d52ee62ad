//! Errors in JMAP's words: of a request, of a method, of one object (RFC 8620 §3.6, §5.3).

use hyper::StatusCode;
use serde_json::{Map, Value, json};

/// Why a whole request is refused (RFC 8620 §3.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// With the name of the limit.
    Limit(&'static str),
    NotJson(String),
    NotRequest(String),
    UnknownCapability(String),
}

impl RequestError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Limit("maxSizeRequest") => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Limit("maxConcurrentRequests" | "maxConcurrentUpload") => StatusCode::TOO_MANY_REQUESTS,
            Self::Limit(_) | Self::NotJson(_) | Self::NotRequest(_) | Self::UnknownCapability(_) => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// The problem details object (RFC 9457).
    pub(crate) fn problem(&self) -> Value {
        let status = self.status().as_u16();
        let problem = |name: &str, detail: &str| json!({ "type": format!("urn:ietf:params:jmap:error:{name}"), "status": status, "detail": detail });
        match self {
            Self::Limit(limit) => {
                let mut problem = problem("limit", "The request goes beyond a limit of the session.");
                problem["limit"] = json!(limit);
                problem
            }
            Self::NotJson(why) => problem("notJSON", why),
            Self::NotRequest(why) => problem("notRequest", why),
            Self::UnknownCapability(uri) => {
                problem("unknownCapability", &format!("The capability {uri} is not known here."))
            }
        }
    }
}

/// Why a method does nothing (RFC 8620 §3.6.2, §5; RFC 8621 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MethodErrorKind {
    AccountNotFound,
    AnchorNotFound,
    CannotCalculateChanges,
    Forbidden,
    FromAccountNotFound,
    InvalidArguments,
    InvalidResultReference,
    RequestTooLarge,
    ServerFail,
    ServerUnavailable,
    StateMismatch,
    TooManyChanges,
    UnknownDataType,
    UnknownMethod,
    UnsupportedFilter,
    UnsupportedSort,
}

impl MethodErrorKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AccountNotFound => "accountNotFound",
            Self::AnchorNotFound => "anchorNotFound",
            Self::CannotCalculateChanges => "cannotCalculateChanges",
            Self::Forbidden => "forbidden",
            Self::FromAccountNotFound => "fromAccountNotFound",
            Self::InvalidArguments => "invalidArguments",
            Self::InvalidResultReference => "invalidResultReference",
            Self::RequestTooLarge => "requestTooLarge",
            Self::ServerFail => "serverFail",
            Self::ServerUnavailable => "serverUnavailable",
            Self::StateMismatch => "stateMismatch",
            Self::TooManyChanges => "tooManyChanges",
            Self::UnknownDataType => "unknownDataType",
            Self::UnknownMethod => "unknownMethod",
            Self::UnsupportedFilter => "unsupportedFilter",
            Self::UnsupportedSort => "unsupportedSort",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MethodError {
    pub(crate) kind: MethodErrorKind,
    pub(crate) description: String,
    /// Names of the arguments that are wrong.
    pub(crate) arguments: Vec<String>,
}

pub(crate) type MethodResult<T> = Result<T, MethodError>;

impl MethodError {
    pub(crate) fn new(kind: MethodErrorKind, description: impl Into<String>) -> Self {
        Self { kind, description: description.into(), arguments: Vec::new() }
    }

    /// `invalidArguments` because of one argument.
    pub(crate) fn argument(name: &str, why: &str) -> Self {
        Self {
            kind: MethodErrorKind::InvalidArguments,
            description: format!("{name} {why}"),
            arguments: vec![name.to_owned()],
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".into(), self.kind.name().into());
        if !self.description.is_empty() {
            object.insert("description".into(), self.description.clone().into());
        }
        if !self.arguments.is_empty() {
            object.insert("arguments".into(), self.arguments.clone().into());
        }
        object.into()
    }
}

impl From<MethodErrorKind> for MethodError {
    fn from(kind: MethodErrorKind) -> Self {
        Self::new(kind, "")
    }
}

/// Why one object was not created, updated or destroyed (RFC 8620 §5.3, RFC 8621 §2.5, §4.6, §7.5, RFC 9610 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetErrorKind {
    AddressBookHasContents,
    AlreadyExists,
    BlobNotFound,
    CannotUnsend,
    Forbidden,
    ForbiddenFrom,
    ForbiddenMailFrom,
    InvalidEmail,
    InvalidPatch,
    InvalidProperties,
    InvalidRecipients,
    MailboxHasChild,
    MailboxHasEmail,
    NoRecipients,
    NodeHasChildren,
    NotFound,
    OverQuota,
    ServerFail,
    Singleton,
    StateMismatch,
    TooLarge,
    TooManyKeywords,
    TooManyRecipients,
    WillDestroy,
}

impl SetErrorKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AddressBookHasContents => "addressBookHasContents",
            Self::AlreadyExists => "alreadyExists",
            Self::BlobNotFound => "blobNotFound",
            Self::CannotUnsend => "cannotUnsend",
            Self::Forbidden => "forbidden",
            Self::ForbiddenFrom => "forbiddenFrom",
            Self::ForbiddenMailFrom => "forbiddenMailFrom",
            Self::InvalidEmail => "invalidEmail",
            Self::InvalidPatch => "invalidPatch",
            Self::InvalidProperties => "invalidProperties",
            Self::InvalidRecipients => "invalidRecipients",
            Self::MailboxHasChild => "mailboxHasChild",
            Self::MailboxHasEmail => "mailboxHasEmail",
            Self::NodeHasChildren => "nodeHasChildren",
            Self::NoRecipients => "noRecipients",
            Self::NotFound => "notFound",
            Self::OverQuota => "overQuota",
            Self::ServerFail => "serverFail",
            Self::Singleton => "singleton",
            Self::StateMismatch => "stateMismatch",
            Self::TooLarge => "tooLarge",
            Self::TooManyKeywords => "tooManyKeywords",
            Self::TooManyRecipients => "tooManyRecipients",
            Self::WillDestroy => "willDestroy",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetError {
    pub(crate) kind: SetErrorKind,
    description: String,
    properties: Vec<String>,
    /// What a kind has besides, like `notFound` of `blobNotFound`.
    more: Option<(&'static str, Value)>,
}

pub(crate) type SetResult<T> = Result<T, SetError>;

impl SetError {
    pub(crate) fn new(kind: SetErrorKind, description: impl Into<String>) -> Self {
        Self { kind, description: description.into(), properties: Vec::new(), more: None }
    }

    /// `invalidProperties` because of one property.
    pub(crate) fn property(name: &str, why: &str) -> Self {
        Self {
            properties: vec![name.to_owned()],
            ..Self::new(SetErrorKind::InvalidProperties, format!("{name} {why}"))
        }
    }

    pub(crate) fn properties(names: Vec<String>, why: &str) -> Self {
        let description = format!("{}: {why}", names.join(", "));
        Self { properties: names, ..Self::new(SetErrorKind::InvalidProperties, description) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more = Some((name, value));
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".into(), self.kind.name().into());
        if !self.description.is_empty() {
            object.insert("description".into(), self.description.clone().into());
        }
        if !self.properties.is_empty() {
            object.insert("properties".into(), self.properties.clone().into());
        }
        if let Some((name, value)) = &self.more {
            object.insert((*name).into(), value.clone());
        }
        object.into()
    }
}

impl From<SetErrorKind> for SetError {
    fn from(kind: SetErrorKind) -> Self {
        Self::new(kind, "")
    }
}
