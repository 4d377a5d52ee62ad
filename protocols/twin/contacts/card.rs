//! ContactCard/get and /changes (RFC 9610 §3).

use hub::collections::{Item, ItemId};
use hub_jsobjects::card;
use serde_json::{Map, Value, json};

use super::photo;
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::MethodResult;
use crate::core::get::GetRequest;
use crate::core::set::Object;
use crate::{ids, items};

pub(crate) use super::card_query::{query, query_changes};
pub(crate) use super::card_set::set;

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    // Any name may be a property: those of others, and those that will be registered.
    let request = GetRequest::take(context, &mut arguments, |_| true)?;
    arguments.end()?;
    let books = context.account.address_books();
    let state = books.state().await?.to_string();
    let wanted = request.ids.as_ref().map(|ids| ids.iter().filter_map(|id| ids::parse_card(id)).collect());
    let loaded = items::load(&books, wanted).await?;
    let objects = loaded.iter().filter_map(|(item, data)| object(item, data)).collect();
    Ok(request.answer(context, &state, objects))
}

/// A card as clients see it; `None` if its text cannot be read, which nothing that is stored is.
pub(super) fn object(item: &Item, data: &[u8]) -> Option<Object> {
    let mut object = card::read(data).ok()?;
    // Cards of older programs have none: this one stays as long as the card does.
    object.entry("uid").or_insert_with(|| item.uid.as_str().into());
    photo::as_blobs(item.id, &mut object);
    object.insert("id".into(), ids::card(item.id).into());
    object.insert("addressBookIds".into(), json!({ ids::address_book(item.collection): true }));
    Some(object)
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.address_books().changed_items(request.since, request.most).await?;
    request.answer(context, changes, |id| ids::card(ItemId(id)))
}
