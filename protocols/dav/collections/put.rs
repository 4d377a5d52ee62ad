//! PUT: an object is stored as it came (RFC 4791 §5.3.2, RFC 6352 §6.3.2), and POST, which chooses a name
//! for it (RFC 5995).

use bytes::Bytes;
use hub::collections::{CollectionKind, MOST_BYTES, Placed, PutOutcome, Refusal as Refused};
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};

use super::{Target, get, preconditions, schedule};
use crate::path::Within;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{CALDAV, CARDDAV};
use crate::{Call, body, head};

pub(super) async fn answer(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    let Within::Item { collection, name } = &target.at else { return Err(call.method_not_allowed()) };
    let preconditions = preconditions(call)?;
    let data = object(call, target.kind).await?;
    let request = schedule::request(call, preconditions);
    let put = target.collections.put_scheduled(collection, name, data, request).await;
    schedule::answer(call, target.kind, collection, put)
}

/// RFC 5995 §3: the collection itself is where members are added.
pub(super) async fn add_member(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    let Within::Collection(collection) = &target.at else { return Err(call.method_not_allowed()) };
    let data = object(call, target.kind).await?;
    let ending = match target.kind {
        CollectionKind::Calendar | CollectionKind::Inbox => "ics",
        CollectionKind::AddressBook => "vcf",
    };
    let (name, added) = match target.collections.add_scheduled(collection, ending, data).await {
        Ok((name, added)) => (name, Ok(added)),
        Err(error) => (String::new(), Err(error)),
    };
    let mut reply = schedule::answer(call, target.kind, collection, added)?;
    if reply.status() == StatusCode::CREATED {
        let href = call.location.href(&format!("{collection}/{name}"), false);
        reply::set_text(&mut reply, header::LOCATION, &href);
    }
    Ok(reply)
}

/// RFC 4791 §5.3.4: with the entity-tag, for what is kept is what was sent.
pub(super) fn stored(placed: &Placed) -> Reply {
    let status = if placed.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let mut reply = reply::empty(status);
    get::set_validators(&mut reply, &placed.item);
    reply
}

/// The body, if it can be one of this kind.
pub(super) async fn object(call: &mut Call, kind: CollectionKind) -> Result<Bytes, Refusal> {
    if head::text(&call.head.headers, &header::CONTENT_RANGE).is_some() {
        // RFC 9110 §14.5
        return Err(Refusal::Status(StatusCode::BAD_REQUEST, "An object is stored as a whole."));
    }
    if !is_kind(&call.head.headers, kind) {
        let (namespace, condition) = supported_data(kind);
        return Err(Refusal::Of(StatusCode::UNSUPPORTED_MEDIA_TYPE, namespace, condition));
    }
    match body::whole(&mut call.body, MOST_BYTES).await {
        Err(Refusal::Status(StatusCode::PAYLOAD_TOO_LARGE, _)) => {
            let (namespace, condition) = too_large(kind);
            Err(Refusal::Of(StatusCode::PAYLOAD_TOO_LARGE, namespace, condition))
        }
        data => data,
    }
}

/// What a program calls it is believed unless it names something else for certain: some say
/// `application/octet-stream`, or nothing.
fn is_kind(headers: &HeaderMap, kind: CollectionKind) -> bool {
    let media_type = head::text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let own: &[&str] = match kind {
        CollectionKind::Calendar | CollectionKind::Inbox => {
            &["text/calendar", "text/x-vcalendar", "application/ics"]
        }
        CollectionKind::AddressBook => &["text/vcard", "text/x-vcard", "text/directory"],
    };
    let anything = ["", "application/octet-stream", "text/plain", "application/x-www-form-urlencoded"];
    own.contains(&media_type.as_str()) || anything.contains(&media_type.as_str())
}

type Condition = (&'static str, &'static str);

fn supported_data(kind: CollectionKind) -> Condition {
    match kind {
        CollectionKind::Calendar | CollectionKind::Inbox => (CALDAV, "supported-calendar-data"),
        CollectionKind::AddressBook => (CARDDAV, "supported-address-data"),
    }
}

fn too_large(kind: CollectionKind) -> Condition {
    (namespace(kind), "max-resource-size")
}

fn namespace(kind: CollectionKind) -> &'static str {
    match kind {
        CollectionKind::Calendar | CollectionKind::Inbox => CALDAV,
        CollectionKind::AddressBook => CARDDAV,
    }
}

/// What was stored, or the condition that it does not fulfil (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1).
pub(super) fn outcome(
    call: &Call,
    kind: CollectionKind,
    collection: &str,
    outcome: hub::Result<PutOutcome>,
) -> Result<Result<Placed, Reply>, Refusal> {
    let refused = match outcome {
        Ok(PutOutcome::Stored(placed)) => return Ok(Ok(placed)),
        Ok(PutOutcome::Refused(refused)) => refused,
        // RFC 4918 §9.7.1: there is nothing that it could be in.
        Err(hub::Error::NotFound("collection")) => {
            return Err(Refusal::Status(StatusCode::CONFLICT, "There is no such calendar or address book."));
        }
        Err(error) => return Err(error.into()),
    };
    let (status, namespace, condition) = match &refused {
        Refused::CardVersion(_) => (StatusCode::FORBIDDEN, CARDDAV, "supported-address-data"),
        Refused::Kind(_) if kind == CollectionKind::Calendar => {
            (StatusCode::FORBIDDEN, CALDAV, "supported-calendar-component")
        }
        Refused::Kind(_) => (StatusCode::FORBIDDEN, CARDDAV, "supported-address-data"),
        Refused::NotCalendar(_) => (StatusCode::FORBIDDEN, CALDAV, "valid-calendar-data"),
        Refused::NotCard(_) => (StatusCode::FORBIDDEN, CARDDAV, "valid-address-data"),
        Refused::NotOneObject(_) => (StatusCode::FORBIDDEN, CALDAV, "valid-calendar-object-resource"),
        Refused::TooLarge(_) => {
            let (namespace, condition) = too_large(kind);
            (StatusCode::PAYLOAD_TOO_LARGE, namespace, condition)
        }
        Refused::UidChanged | Refused::UidTaken(_) => {
            (StatusCode::CONFLICT, namespace(kind), "no-uid-conflict")
        }
    };
    let href = match &refused {
        Refused::UidTaken(name) => Some(call.location.href(&format!("{collection}/{name}"), false)),
        _ => None,
    };
    let reply = reply::explained(status, namespace, condition, &refused.to_string(), href.as_deref());
    Ok(Err(reply))
}
