//! Reports: queries, multigets and synchronisation.

use std::collections::BTreeMap;

use hub::SyncState;
use hub::collections::{Collection, CollectionKind, ItemChanges, MOST_FOUND};
use hub::ical::{CardFilter, ComponentFilter, Zone};
use hyper::StatusCode;

use super::data::Wanted;
use super::propfind::context;
use super::query::{self, bad};
use super::rows::Rows;
use super::{Target, free_busy, nothing};
use crate::head::Depth;
use crate::path::{Place, Within};
use crate::propfind::{Stop, multistatus};
use crate::props::{Ask, sync_token};
use crate::reply::Reply;
use crate::report::{SyncRequest, invalid_token, unsupported};
use crate::status::Refusal;
use crate::xml::{CALDAV, CARDDAV, Element};
use crate::{Call, head};

/// Items that are looked up at once.
const PAGE: usize = 500;
/// Changes read at once.
const CHANGES: usize = 1000;

/// A report that only calendars and address books have; `None` for others.
pub(crate) async fn answer(call: &Call, root: &Element) -> Option<Result<Reply, Refusal>> {
    let Place::Items { .. } = call.location.place else { return None };
    let target = match Target::of(call).await {
        Ok(target) => target,
        Err(refusal) => return Some(Err(refusal)),
    };
    let name = &root.name;
    let own = match target.kind {
        CollectionKind::Calendar | CollectionKind::Inbox => CALDAV,
        CollectionKind::AddressBook => CARDDAV,
    };
    Some(match name.local() {
        "sync-collection" if name.is_dav("sync-collection") => sync(call, &target, root).await,
        "calendar-query" | "addressbook-query" if name.namespace() == own => {
            run_query(call, &target, root).await
        }
        "calendar-multiget" | "addressbook-multiget" if name.namespace() == own => {
            multiget(call, &target, root).await
        }
        "free-busy-query"
            if name.is(CALDAV, "free-busy-query") && target.kind == CollectionKind::Calendar =>
        {
            free_busy::answer(call, &target, root).await
        }
        _ => return None,
    })
}

fn ask(root: &Element) -> Result<Ask, Refusal> {
    Ok(Ask::of(root)?.unwrap_or(Ask::These(Vec::new())))
}

/// The calendar that the client keeps its own times by (RFC 4791 §9.8, RFC 7809 §5.3).
fn clock(root: &Element) -> Result<Option<Zone>, Refusal> {
    if let Some(name) = root.child(CALDAV, "timezone-id") {
        let unknown = Refusal::Of(StatusCode::FORBIDDEN, CALDAV, "valid-timezone");
        return Zone::named(name.text.trim()).map(Some).ok_or(unknown);
    }
    let Some(zone) = root.child(CALDAV, "timezone") else { return Ok(None) };
    let invalid = Refusal::Of(StatusCode::FORBIDDEN, CALDAV, "valid-calendar-data");
    hub::collections::zone_of(&zone.text).map(Some).ok_or(invalid)
}

/// Which collections a query looks into: below a home, those within its depth. What others share is to
/// be asked for by itself: whether it counts is not for the home to say.
pub(super) async fn searched(call: &Call, target: &Target) -> Result<Vec<Collection>, Refusal> {
    match &target.at {
        Within::Collection(name) => Ok(vec![target.collections.find(name).await?]),
        Within::Home if head::depth(&call.head.headers)? == Some(Depth::Infinity) => {
            Ok(target.collections.list().await?)
        }
        Within::Home => Ok(Vec::new()),
        Within::Item { .. } => Err(unsupported()),
    }
}

enum Filter {
    Calendar(ComponentFilter, Option<Zone>),
    Cards(CardFilter),
}

/// RFC 4791 §7.8, RFC 6352 §8.6
async fn run_query(call: &Call, target: &Target, root: &Element) -> Result<Reply, Refusal> {
    let clock = clock(root)?;
    let filter = match target.kind {
        CollectionKind::Calendar | CollectionKind::Inbox => {
            Filter::Calendar(query::of_calendar(root)?, clock.clone())
        }
        CollectionKind::AddressBook => Filter::Cards(query::of_cards(root)?),
    };
    let limit = limit(root)?;
    let searched = searched(call, target).await?;
    let ask = ask(root)?;
    let data = Wanted::of(call, root, clock.unwrap_or_else(|| floating(&searched)))?;
    let prefer = head::prefer(&call.head.headers);
    let context = context(call, target, &ask).await?;
    let (rows, body) = Rows::new(call, target, ask, prefer, context);
    let (mut rows, collections) = (rows.showing(data), target.collections.clone());
    let href = match &target.at {
        Within::Collection(name) => call.location.href(name, true),
        _ => call.location.href("", true),
    };
    tokio::spawn(async move {
        let run = async {
            let mut left = limit;
            let mut has_more = false;
            for collection in searched {
                if left == 0 {
                    has_more = true;
                    break;
                }
                let mut found = match &filter {
                    Filter::Calendar(filter, clock) => {
                        collections.query(&collection, filter.clone(), clock.clone()).await?
                    }
                    Filter::Cards(filter) => {
                        collections.query_cards(&collection, filter.clone(), left).await?
                    }
                };
                has_more |= found.has_more || found.items.len() > left;
                found.items.truncate(left);
                left -= found.items.len();
                rows.items(&collection.name, found.items).await?;
            }
            if has_more {
                rows.limited(&href).await?;
            }
            Ok(())
        };
        let done: Result<(), Stop> = run.await;
        rows.end(done).await;
    });
    Ok(multistatus(prefer, body))
}

fn floating(searched: &[Collection]) -> Zone {
    let zone = searched.first().and_then(|one| hub::collections::zone_of(&one.facts.time_zone));
    zone.unwrap_or(Zone::UTC)
}

/// `<!ELEMENT limit (nresults)>` (RFC 6352 §10.6; RFC 5323 §5.17 for DAV's own)
fn limit(root: &Element) -> Result<usize, Refusal> {
    let own = root.child(CARDDAV, "limit").and_then(|limit| limit.child(CARDDAV, "nresults"));
    let number = own.or(root.dav_child("limit").and_then(|limit| limit.dav_child("nresults")));
    match number.map(|number| number.text.trim().parse::<usize>()) {
        None => Ok(MOST_FOUND),
        Some(Ok(number)) if number > 0 => Ok(number.min(MOST_FOUND)),
        Some(_) => Err(bad("The limit is not a number.")),
    }
}

/// `<!ELEMENT calendar-multiget ((allprop | propname | prop)?, href+)>` (RFC 4791 §9.10, RFC 6352 §8.7)
async fn multiget(call: &Call, target: &Target, root: &Element) -> Result<Reply, Refusal> {
    let ask = ask(root)?;
    let wanted = Hrefs::read(call, target, root);
    let mut opened = Vec::with_capacity(wanted.by_collection.len());
    for (collection, named) in wanted.by_collection {
        opened.push((target.open(call, &collection).await?, collection, named));
    }
    let searched = match &target.at {
        Within::Collection(name) => vec![target.collections.find(name).await?],
        _ => Vec::new(),
    };
    let data = Wanted::of(call, root, floating(&searched))?;
    let prefer = head::prefer(&call.head.headers);
    let context = context(call, target, &ask).await?;
    let (rows, body) = Rows::new(call, target, ask, prefer, context);
    let mut rows = rows.showing(data);
    tokio::spawn(async move {
        let run = async {
            for ((collections, guest), collection, named) in opened {
                rows.enter(collections.clone(), guest);
                let id = match collections.find(&collection).await {
                    Ok(collection) => Some(collection.id),
                    Err(hub::Error::NotFound(_)) => None,
                    Err(error) => return Err(error.into()),
                };
                for page in named.chunks(PAGE) {
                    let names: Vec<&str> = page.iter().map(|(name, _)| name.as_str()).collect();
                    let items = match id {
                        Some(id) => collections.items_named(id, &names).await?,
                        None => Vec::new(),
                    };
                    let is_there = |name: &str| items.iter().any(|item| item.name == name);
                    for (_, href) in page.iter().filter(|(name, _)| !is_there(name)) {
                        rows.missing(href).await?;
                    }
                    rows.items(&collection, items).await?;
                }
            }
            for href in &wanted.elsewhere {
                rows.missing(href).await?;
            }
            Ok(())
        };
        let done: Result<(), Stop> = run.await;
        rows.end(done).await;
    });
    Ok(multistatus(prefer, body))
}

/// What a multiget asks for.
#[derive(Default)]
struct Hrefs {
    /// Names with the URLs as the client wrote them.
    by_collection: BTreeMap<String, Vec<(String, String)>>,
    /// What cannot be an object of the same home.
    elsewhere: Vec<String>,
}

impl Hrefs {
    fn read(call: &Call, target: &Target, root: &Element) -> Self {
        let mut hrefs = Self::default();
        for href in root.children.iter().filter(|child| child.name.is_dav("href")) {
            let href = href.text.trim();
            let location = head::reference(&call.head.uri, &call.head.headers, href);
            match location.map(|location| location.place) {
                Ok(Place::Items { kind, handle, at: Within::Item { collection, name } })
                    if kind == target.kind
                        && call.location.handle().map(str::to_lowercase) == Some(handle.to_lowercase()) =>
                {
                    let named = hrefs.by_collection.entry(collection).or_default();
                    named.push((name, href.to_owned()));
                }
                _ => hrefs.elsewhere.push(href.to_owned()),
            }
        }
        for named in hrefs.by_collection.values_mut() {
            named.sort_unstable();
            named.dedup_by(|one, other| one.0 == other.0);
        }
        hrefs
    }
}

/// RFC 6578
async fn sync(call: &Call, target: &Target, root: &Element) -> Result<Reply, Refusal> {
    let request = SyncRequest::read(call, root)?;
    let collection = match &target.at {
        Within::Collection(name) => target.collections.find(name).await?,
        Within::Home => return Err(unsupported()),
        Within::Item { .. } => return Err(nothing()),
    };
    let limit = request.limit.unwrap_or(CHANGES).min(CHANGES);
    // The first page before the status: whether the token is known.
    let first = match target.collections.changes(collection.id, request.since, limit).await {
        Err(hub::Error::Stale) => return Err(invalid_token()),
        first => first?,
    };
    let data = Wanted::of(call, root, floating(std::slice::from_ref(&collection)))?;
    let prefer = head::prefer(&call.head.headers);
    let context = context(call, target, &request.ask).await?;
    let (rows, body) = Rows::new(call, target, request.ask, prefer, context);
    let (mut rows, collections) = (rows.showing(data), target.collections.clone());
    let href = call.location.href(&collection.name, true);
    tokio::spawn(async move {
        let run = async {
            let mut page: ItemChanges = first;
            let mut left = request.limit.unwrap_or(usize::MAX);
            loop {
                left = left.saturating_sub(page.changes.len());
                changed(&mut rows, &collection.name, &mut page).await?;
                if !page.has_more {
                    return Ok(page.state);
                }
                if left == 0 {
                    rows.limited(&href).await?;
                    return Ok(page.state);
                }
                page = collections.changes(collection.id, Some(page.state), left.min(CHANGES)).await?;
            }
        };
        let done: Result<SyncState, Stop> = run.await;
        match done {
            Ok(state) => rows.end_with(Ok(()), |xml| xml.leaf("sync-token", &sync_token(state))).await,
            Err(stop) => rows.end(Err(stop)).await,
        }
    });
    Ok(multistatus(prefer, body))
}

async fn changed(rows: &mut Rows, collection: &str, page: &mut ItemChanges) -> Result<(), Stop> {
    let mut there = Vec::new();
    for change in page.changes.drain(..) {
        match change.item {
            Some(item) => there.push(item),
            None => rows.gone(collection, &change.name).await?,
        }
    }
    rows.items(collection, there).await
}
