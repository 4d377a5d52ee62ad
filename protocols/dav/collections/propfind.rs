//! PROPFIND (RFC 4918 §9.1) of homes, collections and objects.

use hub::collections::{Collection, CollectionKind, Item};
use hyper::StatusCode;

use super::Target;
use super::rows::Rows;
use crate::head::Depth;
use crate::path::Within;
use crate::propfind::{self, Stop, multistatus};
use crate::props::{Ask, Context};
use crate::reply::Reply;
use crate::status::Refusal;
use crate::xml::{CALDAV, CALENDAR_SERVER};
use crate::{Call, head};

/// What is asked about.
enum Top {
    Home(Vec<Collection>),
    Collection(Collection),
    Item(String, Item),
}

pub(super) async fn answer(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    let depth = head::depth(&call.head.headers)?.unwrap_or(Depth::Infinity);
    let ask = propfind::asked(call).await?;
    let collections = &target.collections;
    let top = match &target.at {
        // RFC 4918 §9.1.1
        Within::Home if depth == Depth::Infinity => {
            return Err(Refusal::Condition(StatusCode::FORBIDDEN, "propfind-finite-depth"));
        }
        Within::Home if depth == Depth::Zero => Top::Home(Vec::new()),
        Within::Home => Top::Home(all(call, target).await?),
        Within::Collection(name) => Top::Collection(collections.find(name).await?),
        Within::Item { collection, name } => {
            let within = collections.find(collection).await?;
            Top::Item(collection.clone(), collections.item(within.id, name).await?)
        }
    };
    let prefer = head::prefer(&call.head.headers);
    let context = context(call, target, &ask).await?;
    let (mut rows, body) = Rows::new(call, target, ask, prefer, context);
    tokio::spawn(async move {
        let done = below(&mut rows, top, depth).await;
        rows.end(done).await;
    });
    Ok(multistatus(prefer, body))
}

/// What there is in a home: the twin's own, and what others share with it.
pub(super) async fn all(call: &Call, target: &Target) -> Result<Vec<Collection>, Refusal> {
    let mut all = target.collections.list().await?;
    if target.guest.is_none() {
        all.append(&mut call.account.shared_collections(target.kind).await?);
    }
    Ok(all)
}

async fn below(rows: &mut Rows, top: Top, depth: Depth) -> Result<(), Stop> {
    let with_root = depth == Depth::Zero || !rows.prefer.without_root;
    match top {
        Top::Home(collections) => {
            if with_root {
                rows.home().await?;
            }
            rows.collections(&collections).await
        }
        Top::Collection(collection) => {
            if with_root {
                rows.collections(std::slice::from_ref(&collection)).await?;
            }
            if depth != Depth::Zero {
                rows.all_items(&collection).await?;
            }
            Ok(())
        }
        Top::Item(collection, item) => rows.items(&collection, vec![item]).await,
    }
}

/// What all rows share, as far as it is asked for.
pub(super) async fn context(call: &Call, target: &Target, ask: &Ask) -> Result<Context, Refusal> {
    let files = call.account.files();
    let mut context = propfind::context(call, Some((&files, ask))).await?;
    context.guest.clone_from(&target.guest);
    if target.at == Within::Home && ask.names(CALENDAR_SERVER, "getctag") {
        context.home = Some(target.collections.tag().await?);
    }
    let names = ask.wants("resourcetype") || ask.names(CALENDAR_SERVER, "invite");
    if names && target.guest.is_none() && target.kind != CollectionKind::Inbox {
        context.grants = target.collections.grants().await?;
    }
    if target.kind == CollectionKind::Inbox && ask.names(CALDAV, "schedule-default-calendar-URL") {
        context.default_calendar = call.account.default_calendar().await?;
    }
    Ok(context)
}
