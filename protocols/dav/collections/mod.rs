//! Calendars and address books (RFC 4791, RFC 6352): what is done at their URLs. The two differ in the
//! names of their elements and in their queries; everything else is said once.

mod data;
mod free_busy;
mod get;
mod patch;
mod propfind;
mod put;
mod query;
mod report;
mod rows;
mod schedule;
mod share;
mod tree;

use hub::collections::{Access, CollectionKind, Collections};
use hyper::StatusCode;

use crate::path::{Place, Within};
use crate::props::Guest;
use crate::reply::Reply;
use crate::status::Refusal;
use crate::{Call, options, precondition, search};

pub(crate) use report::answer as report;

/// What a request at such a URL is about.
struct Target {
    kind: CollectionKind,
    collections: Collections,
    at: Within,
    /// If the collections are not the twin's own.
    guest: Option<Guest>,
}

impl Target {
    async fn of(call: &Call) -> Result<Self, Refusal> {
        let Place::Items { kind, handle, at } = &call.location.place else { return Err(nothing()) };
        if !call.is_own(handle) {
            return Self::as_proxy(call, handle, at).await;
        }
        let is_making = matches!(call.head.method.as_str(), "MKCALENDAR" | "MKCOL");
        let (collections, guest) = match at {
            Within::Collection(name) | Within::Item { collection: name, .. } if !is_making => {
                opened(call, *kind, name).await?
            }
            _ => (own(call, *kind), None),
        };
        Ok(Self { kind: *kind, collections, at: at.clone(), guest })
    }

    /// What a collection of the same home is reached by.
    async fn open(&self, call: &Call, collection: &str) -> Result<(Collections, Option<Guest>), Refusal> {
        match call.location.handle() {
            Some(handle) if call.is_own(handle) => match opened(call, self.kind, collection).await {
                // It will not be found among the twin's own, either.
                Err(Refusal::Hub(hub::Error::NotFound(_))) => Ok((own(call, self.kind), None)),
                opened => opened,
            },
            _ => Ok((self.collections.clone(), self.guest.clone())),
        }
    }

    async fn as_proxy(call: &Call, handle: &str, at: &Within) -> Result<Self, Refusal> {
        let stranger = Refusal::Status(StatusCode::FORBIDDEN, "This belongs to somebody else.");
        match call.account.calendars_as_proxy(handle).await {
            Ok((collections, grant)) => {
                let guest = Some(Guest { owner: grant.owner, access: grant.access });
                Ok(Self { kind: CollectionKind::Calendar, collections, at: at.clone(), guest })
            }
            Err(hub::Error::NotFound(_)) => Err(stranger),
            Err(error) => Err(error.into()),
        }
    }

    /// RFC 3744 §7.1.1, for those who may only read. The hub asks again, with the change.
    fn check_rights(&self, call: &Call) -> Result<(), Refusal> {
        let Some(Guest { access: Access::Read, .. }) = &self.guest else { return Ok(()) };
        let href = call.head.uri.path().to_owned();
        let privilege = match (call.head.method.as_str(), &self.at) {
            ("PUT", _) => "write-content",
            ("PROPPATCH", Within::Item { .. }) => "write-properties",
            ("POST" | "COPY", _) => "bind",
            ("DELETE" | "MOVE", Within::Item { .. }) => "unbind",
            _ => return Ok(()),
        };
        Err(Refusal::Privilege(href, privilege))
    }
}

fn own(call: &Call, kind: CollectionKind) -> Collections {
    match kind {
        CollectionKind::Calendar => call.account.calendars(),
        CollectionKind::AddressBook => call.account.address_books(),
        CollectionKind::Inbox => call.account.schedule_inbox(),
    }
}

/// What a collection in the twin's home is reached by: others' are among its own.
async fn opened(
    call: &Call,
    kind: CollectionKind,
    collection: &str,
) -> Result<(Collections, Option<Guest>), Refusal> {
    let Some(granted) = call.account.granted_collections(kind, collection).await? else {
        return Ok((own(call, kind), None));
    };
    let shared = granted.find(collection).await?.shared;
    let guest = shared.map(|shared| Guest { owner: shared.owner, access: shared.access });
    Ok((granted, guest))
}

fn nothing() -> Refusal {
    Refusal::Status(StatusCode::NOT_FOUND, "There is nothing here.")
}

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let target = Target::of(call).await?;
    target.check_rights(call)?;
    match call.head.method.as_str() {
        "OPTIONS" => Ok(options::answer(&call.location.place)),
        "GET" | "HEAD" => get::answer(call, &target).await,
        "PROPFIND" => propfind::answer(call, &target).await,
        "PROPPATCH" => patch::proppatch(call, &target).await,
        "REPORT" => crate::report::answer(call).await,
        "SEARCH" => search::answer(call).await,
        "PUT" => put::answer(call, &target).await,
        "POST" if target.kind == CollectionKind::Inbox => schedule::post(call, &target).await,
        "POST" if share::is_meant(call) => share::post(call, &target).await,
        "POST" => put::add_member(call, &target).await,
        "MKCALENDAR" | "MKCOL" => tree::make(call, &target).await,
        "DELETE" => tree::delete(call, &target).await,
        "COPY" => tree::copy(call, &target).await,
        "MOVE" => tree::rename(call, &target).await,
        _ => Err(call.method_not_allowed()),
    }
}

/// Conditions of `If-Match` and its kin. There are no locks here, so `If` can only ask for entity-tags;
/// nobody does.
fn preconditions(call: &Call) -> Result<Vec<hub::Precondition>, Refusal> {
    Ok(precondition::preconditions(&call.head.headers)?)
}
