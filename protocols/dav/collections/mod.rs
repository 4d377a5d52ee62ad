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
mod tree;

use hub::collections::{CollectionKind, Collections};
use hyper::StatusCode;

use crate::path::{Place, Within};
use crate::reply::Reply;
use crate::status::Refusal;
use crate::{Call, options, precondition, search};

pub(crate) use report::answer as report;

/// What a request at such a URL is about.
struct Target {
    kind: CollectionKind,
    collections: Collections,
    at: Within,
}

impl Target {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let Place::Items { kind, at, .. } = &call.location.place else { return Err(nothing()) };
        let collections = match kind {
            CollectionKind::Calendar => call.account.calendars(),
            CollectionKind::AddressBook => call.account.address_books(),
            CollectionKind::Inbox => call.account.schedule_inbox(),
        };
        Ok(Self { kind: *kind, collections, at: at.clone() })
    }
}

fn nothing() -> Refusal {
    Refusal::Status(StatusCode::NOT_FOUND, "There is nothing here.")
}

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let target = Target::of(call)?;
    match call.head.method.as_str() {
        "OPTIONS" => Ok(options::answer(&call.location.place)),
        "GET" | "HEAD" => get::answer(call, &target).await,
        "PROPFIND" => propfind::answer(call, &target).await,
        "PROPPATCH" => patch::proppatch(call, &target).await,
        "REPORT" => crate::report::answer(call).await,
        "SEARCH" => search::answer(call).await,
        "PUT" => put::answer(call, &target).await,
        "POST" if target.kind == CollectionKind::Inbox => schedule::post(call, &target).await,
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
