//! ContactCard/set (RFC 9610 §3.5).

use std::collections::HashMap;

use hub::collections::{Collection, Collections, Item, Overwrite};
use hub::schedule::ScheduleRequest;
use hub::{Account, Error, Precondition};
use hub_jsobjects::card as text;
use serde_json::{Map, Value, json};

use super::{card, photo};
use crate::clock::unix_now;
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::patch;
use crate::core::references;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::mail::dates;
use crate::{ids, items};

/// Times that a change is tried again because somebody else was quicker.
const ATTEMPTS: usize = 8;

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let books = context.account.address_books();
    let list = items::by_id(books.list().await?);
    let old_state = books.state().await?.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    let mut answer = SetAnswer::default();
    for (creation, mut object) in std::mem::take(&mut request.create) {
        resolve_books(context, &mut object);
        let result = create(&context.account, &books, &list, object).await;
        answer.created(context, creation, result);
    }
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, mut object) in update {
        resolve_books(context, &mut object);
        let result = update_one(&context.account, &books, &list, &id, &object).await;
        answer.updated(written, result.map(Some));
    }
    for (written, id) in destroy {
        let result = destroy_one(&books, &list, &id).await;
        answer.destroyed(written, result);
    }
    let new_state = books.state().await?.to_string();
    Ok(answer.answer(context, &old_state, &new_state))
}

/// Creation ids of address books, as ids.
fn resolve_books(context: &Context, object: &mut Object) {
    if let Some(Value::Object(set)) = object.get_mut("addressBookIds") {
        let resolved = std::mem::take(set)
            .into_iter()
            .map(|(id, value)| (references::created(&id, &context.created).unwrap_or(&id).to_owned(), value));
        *set = resolved.collect();
    }
}

type Books = HashMap<i64, Collection>;

fn book_of<'c>(object: &Object, list: &'c Books) -> SetResult<&'c Collection> {
    let id = |id: &str| ids::parse_address_book(id).map(|id| id.0);
    items::only_collection(object.get("addressBookIds"), "addressBookIds", list, id)
}

async fn create(account: &Account, books: &Collections, list: &Books, given: Object) -> SetResult<Object> {
    let book = book_of(&given, list)?;
    let mut wanted = given.clone();
    if wanted.remove("id").is_some() {
        return Err(SetError::property("id", "is set by the server"));
    }
    wanted.remove("addressBookIds");
    let now = dates::utc(unix_now());
    let mut by_server = Map::new();
    let mut add = |name: &str, value: String| {
        if wanted.get(name).is_none_or(Value::is_null) {
            wanted.insert(name.to_owned(), value.as_str().into());
            by_server.insert(name.to_owned(), value.into());
        }
    };
    add("uid", format!("urn:uuid:{}", items::new_uid()?));
    add("created", now.clone());
    add("updated", now);
    photo::as_uris(account, &mut wanted).await?;
    let data = text::write(None, &wanted).map_err(items::unwritable)?;
    let (_, outcome) = books.add_scheduled(&book.name, "vcf", data.into()).await?;
    let item = items::stored(books, book, outcome, ids::card).await?;
    by_server.insert("id".into(), ids::card(item.id).into());
    Ok(by_server)
}

async fn find(books: &Collections, id: &str) -> SetResult<Item> {
    let id = ids::parse_card(id).ok_or(SetErrorKind::NotFound)?;
    books.items_by_id(&[id]).await?.pop().ok_or_else(|| SetErrorKind::NotFound.into())
}

/// What the server has set besides.
async fn update_one(
    account: &Account,
    books: &Collections,
    list: &Books,
    id: &str,
    changes: &Object,
) -> SetResult<Object> {
    for _ in 0..ATTEMPTS {
        let item = find(books, id).await?;
        match try_update(account, books, list, &item, changes).await {
            Err(error) if error.kind == SetErrorKind::StateMismatch => {}
            result => return result,
        }
    }
    Err(SetErrorKind::StateMismatch.into())
}

async fn try_update(
    account: &Account,
    books: &Collections,
    list: &Books,
    item: &Item,
    changes: &Object,
) -> SetResult<Object> {
    let lies_in = list.get(&item.collection.0).ok_or(SetErrorKind::NotFound)?;
    let (item, data) = books.contents(&[item.id]).await?.pop().ok_or(SetErrorKind::NotFound)?;
    let before = card::object(&item, &data).ok_or(SetErrorKind::ServerFail)?;
    let mut after = before.clone();
    patch::apply(&mut after, changes)?;
    if after.get("id") != before.get("id") {
        return Err(SetError::property("id", "cannot be changed"));
    }
    let book = book_of(&after, list)?;
    let mut by_server = Map::new();
    let names = ["id", "addressBookIds"];
    let content = |object: &Object| -> Object {
        object
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()))
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect()
    };
    let mut wanted = content(&after);
    if wanted != content(&before) {
        if after.get("uid") != before.get("uid") {
            return Err(SetError::property("uid", "cannot be changed"));
        }
        // The one that we have made up is not written.
        if text::read(&data).is_ok_and(|said| !said.contains_key("uid")) {
            wanted.remove("uid");
        }
        if after.get("updated") == before.get("updated") {
            let now = dates::utc(unix_now());
            by_server.insert("updated".into(), json!(now));
            wanted.insert("updated".into(), now.into());
        }
        photo::as_uris(account, &mut wanted).await?;
        let written = text::write(Some(&data), &wanted).map_err(items::unwritable)?;
        let preconditions = vec![Precondition::Match(vec![item.etag.clone()])];
        let request = ScheduleRequest { preconditions, ..ScheduleRequest::default() };
        let outcome = books.put_scheduled(&lies_in.name, &item.name, written.into(), request).await?;
        items::stored(books, lies_in, outcome, ids::card).await?;
    }
    if book.id != lies_in.id {
        move_to(books, lies_in, book, &item).await?;
    }
    Ok(by_server)
}

async fn move_to(books: &Collections, from: &Collection, to: &Collection, item: &Item) -> SetResult<()> {
    let moved = |name: String| async move {
        let (from, to) = ((from.name.as_str(), item.name.as_str()), (to.name.as_str(), name.as_str()));
        books.move_scheduled(from, to, Overwrite::Refuse, Vec::new()).await
    };
    let outcome = match moved(item.name.clone()).await {
        // The name alone is no reason.
        Err(Error::Exists(_)) => moved(format!("{}.vcf", items::new_name()?)).await,
        outcome => outcome,
    };
    items::stored(books, to, outcome?, ids::card).await.map(drop)
}

async fn destroy_one(books: &Collections, list: &Books, id: &str) -> SetResult<()> {
    let item = find(books, id).await?;
    let book = list.get(&item.collection.0).ok_or(SetErrorKind::NotFound)?;
    Ok(books.remove_scheduled(&book.name, &item.name, ScheduleRequest::default()).await?)
}
