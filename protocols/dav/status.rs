//! What went wrong → HTTP status (RFC 9110 §15, RFC 4918 §11) and condition element (RFC 4918 §16).

use hub::files::FilePath;
use hub::{Error, Scopes};
use hub_wire::http_login;
use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use tracing::warn;

use crate::head::{BadField, Elsewhere};
use crate::path::{BadPath, Location};
use crate::reply::{self, Reply, refused};
use crate::xml::{Malformed, Xml, status_line};

/// Why a request is not carried out.
#[derive(Debug)]
pub(crate) enum Refusal {
    Hub(Error),
    /// With a sentence for a person.
    Status(StatusCode, &'static str),
    /// With the name of the condition (RFC 4918 §16).
    Condition(StatusCode, &'static str),
    /// With the namespace and the name of a condition that is not of `DAV:`.
    Of(StatusCode, &'static str, &'static str),
    /// RFC 9110 §15.5.6: with the methods that would do.
    Method(&'static str),
    /// RFC 3744 §7.1.1: what of the resource at this URL would have to be allowed.
    Privilege(String, &'static str),
    /// RFC 6750 §3.1: the token does not cover this.
    Scope(Scopes),
}

/// `location` is where the request goes: the lock that is in the way of it lies in the same home.
pub(crate) fn of(refusal: &Refusal, method: &Method, location: &Location) -> Reply {
    match refusal {
        Refusal::Hub(error) => of_hub(error, method, location),
        Refusal::Status(status, text) => refused(*status, text),
        Refusal::Condition(status, name) => reply::condition(*status, name, |_| {}),
        Refusal::Of(status, namespace, name) => reply::condition_of(*status, namespace, name, None),
        Refusal::Method(allowed) => {
            let mut reply = refused(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.");
            reply::set(&mut reply, header::ALLOW, HeaderValue::from_static(allowed));
            reply
        }
        Refusal::Privilege(href, privilege) => {
            reply::condition(StatusCode::FORBIDDEN, "need-privileges", |xml| {
                xml.dav("resource", |xml| {
                    xml.leaf("href", href);
                    xml.dav("privilege", |xml| xml.empty(privilege));
                });
            })
        }
        Refusal::Scope(needed) => insufficient_scope(*needed),
    }
}

fn insufficient_scope(needed: Scopes) -> Reply {
    let mut reply = refused(StatusCode::FORBIDDEN, "The token does not cover this.");
    let challenge = http_login::insufficient_scope(&needed.to_string());
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        reply::set(&mut reply, header::WWW_AUTHENTICATE, challenge);
    }
    reply
}

fn of_hub(error: &Error, method: &Method, location: &Location) -> Reply {
    let status = match error {
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        // RFC 4918 §9.8.5: something is at the destination. §9.3.1, §9.7.2: or here.
        Error::Exists(_) if matches!(method.as_str(), "COPY" | "MOVE") => StatusCode::PRECONDITION_FAILED,
        Error::Exists(_) => StatusCode::METHOD_NOT_ALLOWED,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Stale => StatusCode::PRECONDITION_FAILED,
        Error::Locked { root } => {
            // RFC 4918 §16: with the lock's root.
            return reply::condition(StatusCode::LOCKED, "lock-token-submitted", |xml| {
                xml.leaf("href", &location.href(root, root.is_empty()));
            });
        }
        // RFC 4331 §6
        Error::OverQuota { .. } => {
            return reply::condition(StatusCode::INSUFFICIENT_STORAGE, "quota-not-exceeded", |_| {});
        }
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Limit(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Forbidden(_) | Error::Refused(_) => StatusCode::FORBIDDEN,
        Error::BadCredentials => StatusCode::UNAUTHORIZED,
        Error::Invalid(_) => StatusCode::BAD_REQUEST,
        // RFC 4331 §6
        Error::Unavailable(source) if source.is_disk_full() => {
            warn!(%source, "the disk is full");
            return reply::condition(StatusCode::INSUFFICIENT_STORAGE, "sufficient-disk-space", |_| {});
        }
        Error::Unavailable(source) => {
            warn!(%source, "a WebDAV request fails for now");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    refused(status, &error.to_string())
}

/// What the hub says of a whole tree, where a lock within it may be in the way: then that is what the
/// answer is about (RFC 4918 §9.6.1, §9.9.4, §9.10.3). `None` for other errors.
pub(crate) fn of_tree(error: &Error, top: &FilePath, location: &Location, condition: &str) -> Option<Reply> {
    let Error::Locked { root } = error else { return None };
    let is_within = FilePath::parse(root).is_ok_and(|root| top.contains(&root) && *top != root);
    let document = Xml::document("multistatus", |xml| {
        let href = location.href(root, root.is_empty());
        xml.dav("response", |xml| {
            xml.leaf("href", &href);
            xml.leaf("status", &status_line(StatusCode::LOCKED));
            xml.dav("error", |xml| xml.dav(condition, |xml| xml.leaf("href", &href)));
        });
    });
    is_within.then(|| reply::xml(StatusCode::MULTI_STATUS, document))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Hub(error)
    }
}

impl From<hub_content::Failure> for Refusal {
    fn from(why: hub_content::Failure) -> Self {
        match why {
            hub_content::Failure::Field(why) => why.into(),
            hub_content::Failure::Hub(error) => error.into(),
        }
    }
}

impl From<BadField> for Refusal {
    fn from(BadField(why): BadField) -> Self {
        Self::Status(StatusCode::BAD_REQUEST, why)
    }
}

impl From<Malformed> for Refusal {
    fn from(Malformed(why): Malformed) -> Self {
        Self::Status(StatusCode::BAD_REQUEST, why)
    }
}

impl From<BadPath> for Refusal {
    fn from(why: BadPath) -> Self {
        match why {
            BadPath::TooLong => Self::Status(StatusCode::URI_TOO_LONG, "The path is too long."),
            BadPath::Malformed(why) => Self::Status(StatusCode::BAD_REQUEST, why),
        }
    }
}

impl From<Elsewhere> for Refusal {
    fn from(why: Elsewhere) -> Self {
        let (status, text) = why.into();
        Self::Status(status, text)
    }
}
