//! AddressBook/get, /changes, /set (RFC 9610 §2).

use hub::collections::{Collection, CollectionId, CollectionPatch, Collections};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::GetRequest;
use crate::core::patch;
use crate::core::references;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::ids;
use crate::items::{self, prefs, prefs::Prefs};

const PROPERTIES: [&str; 8] =
    ["id", "name", "description", "sortOrder", "isDefault", "isSubscribed", "shareWith", "myRights"];
const SETTABLE: [&str; 5] = ["name", "description", "sortOrder", "isSubscribed", "shareWith"];
const SUBSCRIBED: &str = "is-subscribed";

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let books = context.account.address_books();
    let list = books.list().await?;
    let state = books.state().await?.to_string();
    let prefs = Prefs::of(&books, &list).await?;
    let is_wanted = |id: &str| request.ids.as_ref().is_none_or(|ids| ids.iter().any(|wanted| wanted == id));
    let objects = list
        .iter()
        .filter(|one| is_wanted(&ids::address_book(one.id)))
        .map(|one| object(one, &prefs, prefs.default(&list)))
        .collect();
    Ok(request.answer(context, &state, objects))
}

fn object(book: &Collection, prefs: &Prefs, default: Option<&Collection>) -> Object {
    let name = if book.facts.display_name.is_empty() { &book.name } else { &book.facts.display_name };
    let description = Some(&book.facts.description).filter(|text| !text.is_empty());
    let value = json!({
        "id": ids::address_book(book.id),
        "name": name,
        "description": description,
        "sortOrder": book.facts.position.max(0),
        "isDefault": default.is_some_and(|default| default.id == book.id),
        "isSubscribed": prefs.flag(book, SUBSCRIBED).unwrap_or(true),
        "shareWith": null,
        "myRights": { "mayRead": true, "mayWrite": true, "mayShare": false, "mayDelete": true },
    });
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.address_books().changed_collections(request.since, request.most).await?;
    request.answer(context, changes, |id| ids::address_book(CollectionId(id)))
}

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let books = context.account.address_books();
    let remove_contents = arguments.flag("onDestroyRemoveContents")?;
    let default = arguments.string("onSuccessSetIsDefault")?;
    books.list().await?;
    let old_state = books.state().await?.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    let mut answer = SetAnswer::default();
    for (creation, object) in std::mem::take(&mut request.create) {
        let result = create(&books, &object).await;
        answer.created(context, creation, result);
    }
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, object) in update {
        let result = update_one(&books, &id, &object).await;
        answer.updated(written, result.map(|()| None));
    }
    for (written, id) in destroy {
        let result = destroy_one(&books, &id, remove_contents).await;
        answer.destroyed(written, result);
    }
    if let Some(id) = default.filter(|_| answer.is_success()) {
        set_default(context, &books, &id, &mut answer).await?;
    }
    let new_state = books.state().await?.to_string();
    Ok(answer.answer(context, &old_state, &new_state))
}

/// What a client wants of a book, for the hub.
fn read(object: &Object) -> SetResult<CollectionPatch> {
    let wrong = |name: &str, why: &str| Err(SetError::property(name, why));
    let mut patch = CollectionPatch::default();
    for (name, value) in object {
        match (name.as_str(), value) {
            ("name", Value::String(text)) if (1..=255).contains(&text.len()) => {
                patch.display_name = Some(text.clone());
            }
            ("description", Value::String(text)) => patch.description = Some(text.clone()),
            ("description", Value::Null) => patch.description = Some(String::new()),
            ("sortOrder", value) => match value.as_i64() {
                Some(order @ 0..=0x7fff_ffff) => patch.position = Some(order),
                None if value.is_null() => patch.position = Some(0),
                _ => return wrong(name, "is not a number from 0 to 2^31 - 1"),
            },
            ("isSubscribed", Value::Bool(_)) => patch.properties.push(prefs::change(SUBSCRIBED, value)),
            ("isSubscribed", Value::Null) => patch.properties.push(prefs::change(SUBSCRIBED, &Value::Null)),
            ("shareWith", Value::Null) => {}
            ("shareWith", _) => {
                return Err(SetError::new(SetErrorKind::Forbidden, "nothing is shared this way"));
            }
            _ => return wrong(name, "is of the wrong type or value"),
        }
    }
    Ok(patch)
}

async fn create(books: &Collections, given: &Object) -> SetResult<Object> {
    set::check_names(given, |name| SETTABLE.contains(&name))?;
    if !given.contains_key("name") {
        return Err(SetError::property("name", "is missing"));
    }
    let made = books.create(&items::new_name()?, read(given)?).await?;
    let list = books.list().await?;
    let prefs = Prefs::of(books, &list).await?;
    let mut object = object(&made, &prefs, prefs.default(&list));
    object.retain(|name, value| given.get(name) != Some(value));
    Ok(object)
}

async fn find(books: &Collections, id: &str) -> SetResult<Collection> {
    let id = ids::parse_address_book(id).ok_or(SetErrorKind::NotFound)?;
    let mut list = books.list().await?.into_iter();
    list.find(|book| book.id == id).ok_or_else(|| SetErrorKind::NotFound.into())
}

async fn update_one(books: &Collections, id: &str, changes: &Object) -> SetResult<()> {
    let book = find(books, id).await?;
    let list = books.list().await?;
    let prefs = Prefs::of(books, &list).await?;
    let before = object(&book, &prefs, prefs.default(&list));
    let mut after = before.clone();
    patch::apply(&mut after, changes)?;
    after.retain(|name, value| before.get(name) != Some(value));
    set::check_names(&after, |name| SETTABLE.contains(&name))?;
    match after.is_empty() {
        true => Ok(()),
        false => Ok(books.update(&book.name, read(&after)?).await.map(drop)?),
    }
}

async fn destroy_one(books: &Collections, id: &str, remove_contents: bool) -> SetResult<()> {
    let book = find(books, id).await?;
    if !remove_contents && !books.items(book.id, "").await?.is_empty() {
        return Err(SetErrorKind::AddressBookHasContents.into());
    }
    Ok(books.remove(&book.name).await?)
}

/// Makes a book the default, if it is there; tells which have changed by that.
async fn set_default(
    context: &Context,
    books: &Collections,
    written: &str,
    answer: &mut SetAnswer,
) -> MethodResult<()> {
    let id = references::created(written, &context.created).map(str::to_owned);
    let list = books.list().await?;
    let prefs = Prefs::of(books, &list).await?;
    let before = prefs.default(&list);
    let is_it = |book: &&Collection| Some(ids::address_book(book.id)) == id;
    let Some(chosen) = list.iter().find(is_it).filter(|chosen| before.is_none_or(|one| one.id != chosen.id))
    else {
        return Ok(());
    };
    for book in list.iter().filter(|book| prefs.flag(book, prefs::DEFAULT).is_some()) {
        make_default(books, book, &Value::Null).await?;
    }
    make_default(books, chosen, &json!(true)).await?;
    answer.also_changed(written, &ids::address_book(chosen.id), "isDefault", json!(true));
    if let Some(before) = before {
        let id = ids::address_book(before.id);
        answer.also_changed(&id, &id, "isDefault", json!(false));
    }
    Ok(())
}

async fn make_default(books: &Collections, book: &Collection, value: &Value) -> hub::Result<()> {
    let properties = vec![prefs::change(prefs::DEFAULT, value)];
    books.update(&book.name, CollectionPatch { properties, ..CollectionPatch::default() }).await.map(drop)
}
