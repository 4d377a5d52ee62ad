//! MKCALENDAR and MKCOL (RFC 4791 §5.3.1, RFC 5689, RFC 6352 §6.3.1), DELETE, COPY and MOVE.

use hub::collections::{CollectionKind, CollectionPatch, Placed};
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};

use super::patch::{self, Making};
use super::{Target, preconditions, schedule};
use crate::path::{Location, Place, Within};
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::tree::overwrite;
use crate::xml::{CALDAV, Document, Element};
use crate::{Call, body, head};

pub(super) async fn make(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    let name = match &target.at {
        Within::Collection(name) => name,
        Within::Home => return Err(call.method_not_allowed()),
        // RFC 4791 §5.3.1.1: calendars are not within calendars.
        Within::Item { .. } => {
            let condition = "calendar-collection-location-ok";
            return Err(Refusal::Of(StatusCode::FORBIDDEN, CALDAV, condition));
        }
    };
    let is_mkcalendar = call.head.method.as_str() == "MKCALENDAR";
    if is_mkcalendar && target.kind != CollectionKind::Calendar {
        let condition = "calendar-collection-location-ok";
        return Err(Refusal::Of(StatusCode::FORBIDDEN, CALDAV, condition));
    }
    let patch = match body::xml(&mut call.body).await? {
        None => CollectionPatch::default(),
        Some(document) => {
            let root = &document.root.name;
            let is_known = if is_mkcalendar { root.is(CALDAV, "mkcalendar") } else { root.is_dav("mkcol") };
            if !is_known {
                let unknown = "The body is neither mkcol nor mkcalendar.";
                return Err(Refusal::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE, unknown));
            }
            match patch::of_new(&document, &set(&document), target.kind) {
                Making::Patch(patch) => patch,
                Making::Refused(reply) => return Ok(reply),
            }
        }
    };
    target.collections.create(name, patch).await?;
    let mut reply = reply::empty(StatusCode::CREATED);
    // RFC 4791 §5.3.1: must not be cached.
    reply::set(&mut reply, header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(reply)
}

/// The properties in `set` elements.
fn set(document: &Document) -> Vec<&Element> {
    let sets = document.root.children.iter().filter(|child| child.name.is_dav("set"));
    sets.filter_map(|set| set.dav_child("prop")).flat_map(|prop| &prop.children).collect()
}

pub(super) async fn delete(call: &Call, target: &Target) -> Result<Reply, Refusal> {
    match &target.at {
        Within::Home => return Err(call.method_not_allowed()),
        Within::Collection(name) if target.kind == CollectionKind::Calendar => {
            target.collections.remove_calendar_scheduled(name).await?;
        }
        Within::Collection(name) => target.collections.remove(name).await?,
        Within::Item { collection, name } => {
            let request = schedule::request(call, preconditions(call)?);
            target.collections.remove_scheduled(collection, name, request).await?;
        }
    }
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// What is copied or moved, and where to.
struct Way {
    from: (String, String),
    to: (String, String),
    location: Location,
}

pub(super) async fn copy(call: &Call, target: &Target) -> Result<Reply, Refusal> {
    let Within::Item { .. } = &target.at else {
        let whole = "A whole calendar or address book cannot be copied.";
        return Err(Refusal::Status(StatusCode::FORBIDDEN, whole));
    };
    let (way, overwrite) = (way(call, target).await?, overwrite(call)?);
    let (from, to) = ((way.from.0.as_str(), way.from.1.as_str()), (way.to.0.as_str(), way.to.1.as_str()));
    let copied = target.collections.copy_scheduled(from, to, overwrite, preconditions(call)?).await;
    Ok(match schedule::placed(call, target.kind, to.0, copied)? {
        Ok((placed, _)) => arrived(&placed, &way),
        Err(refused) => refused,
    })
}

pub(super) async fn rename(call: &Call, target: &Target) -> Result<Reply, Refusal> {
    match &target.at {
        Within::Home => return Err(call.method_not_allowed()),
        Within::Collection(name) => return rename_collection(call, target, name).await,
        Within::Item { .. } => {}
    }
    let (way, overwrite) = (way(call, target).await?, overwrite(call)?);
    let (from, to) = ((way.from.0.as_str(), way.from.1.as_str()), (way.to.0.as_str(), way.to.1.as_str()));
    let moved = target.collections.move_scheduled(from, to, overwrite, preconditions(call)?).await;
    Ok(match schedule::placed(call, target.kind, to.0, moved)? {
        Ok((placed, _)) => arrived(&placed, &way),
        Err(refused) => refused,
    })
}

/// Nothing is overwritten: a whole calendar would be lost by it.
async fn rename_collection(call: &Call, target: &Target, name: &str) -> Result<Reply, Refusal> {
    let (at, location) = destination(call, target)?;
    let Within::Collection(to) = at else {
        return Err(Refusal::Status(StatusCode::FORBIDDEN, "It stays where it is."));
    };
    let patch = CollectionPatch { name: Some(to.clone()), ..CollectionPatch::default() };
    target.collections.update(name, patch).await?;
    let mut reply = reply::empty(StatusCode::CREATED);
    reply::set_text(&mut reply, header::LOCATION, &location.href(&to, true));
    Ok(reply)
}

async fn way(call: &Call, target: &Target) -> Result<Way, Refusal> {
    let (at, location) = destination(call, target)?;
    match (&target.at, at) {
        (Within::Item { collection, name }, Within::Item { collection: into, name: as_name }) => {
            // caldav-sharing §5.5.5: what others share stays where it is. A proxy has one home to deal with.
            if *collection != into && call.location.handle().is_some_and(|handle| call.is_own(handle)) {
                let (_, guest) = target.open(call, &into).await?;
                if guest.is_some() || target.guest.is_some() {
                    let stays = "What others share is neither copied nor moved to other places.";
                    return Err(Refusal::Status(StatusCode::FORBIDDEN, stays));
                }
            }
            Ok(Way { from: (collection.clone(), name.clone()), to: (into, as_name), location })
        }
        _ => Err(Refusal::Status(StatusCode::FORBIDDEN, "An object lies in a calendar or an address book.")),
    }
}

/// In the same home: neither is a card an event, nor is this a way into somebody else's.
fn destination(call: &Call, target: &Target) -> Result<(Within, Location), Refusal> {
    let location = head::destination(&call.head.uri, &call.head.headers)?;
    match &location.place {
        Place::Items { kind, handle, at }
            if *kind == target.kind
                && call.location.handle().map(str::to_lowercase) == Some(handle.to_lowercase()) =>
        {
            Ok((at.clone(), location))
        }
        _ => Err(Refusal::Status(StatusCode::FORBIDDEN, "It cannot be brought there.")),
    }
}

fn arrived(placed: &Placed, way: &Way) -> Reply {
    let status = if placed.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let mut reply = reply::empty(status);
    let href = way.location.href(&format!("{}/{}", way.to.0, way.to.1), false);
    reply::set_text(&mut reply, header::LOCATION, &href);
    reply::set_text(&mut reply, HeaderName::from_static("etag"), &format!("\"{}\"", placed.item.etag));
    reply
}
