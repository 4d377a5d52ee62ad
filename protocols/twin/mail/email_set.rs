//! Email/set, Email/import, Email/parse (RFC 8621 §4.6, §4.8, §4.9).

use std::collections::BTreeSet;

use hub::emails::{Email, EmailChange, NewEmailIn};
use hub::{EmailId, Flags, Incoming, MailboxId, NewMessage};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodErrorKind, MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::answer;
use crate::core::limits::MAX_OBJECTS_IN_SET;
use crate::core::patch;
use crate::core::references;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::ids::{self, BlobId};
use crate::mail::compose::{compose, id_set};
use crate::mail::{dates, email, keywords};
use crate::{blob, clock};

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let old_state = context.account.emails().state().await?.to_string();
    let request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    carry_out(context, request, &old_state).await
}

/// What `Email/set` does, also when a submission calls for it (RFC 8621 §7.5).
pub(crate) async fn carry_out(
    context: &mut Context,
    mut request: SetRequest,
    old_state: &str,
) -> MethodResult<Map<String, Value>> {
    let mut answer = SetAnswer::default();
    for (creation, object) in std::mem::take(&mut request.create) {
        let result = create(context, &object).await;
        answer.created(context, creation, result);
    }
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    update_all(context, update, &mut answer).await?;
    destroy_all(context, destroy, &mut answer).await?;
    let new_state = context.account.emails().state().await?.to_string();
    Ok(answer.answer(context, old_state, &new_state))
}

async fn create(context: &Context, object: &Object) -> SetResult<Object> {
    let place = Place::read(context, object).await?;
    let incoming = compose(context, object, clock::unix_now()).await?;
    keep(context, place, incoming).await
}

/// Where a new e-mail is to lie, and how.
struct Place {
    mailboxes: Vec<MailboxId>,
    flags: Flags,
    received_at: i64,
}

impl Place {
    /// `mailboxIds`, `keywords` and `receivedAt`.
    async fn read(context: &Context, object: &Object) -> SetResult<Self> {
        let mailboxes = mailboxes(context, object.get("mailboxIds")).await?;
        let names = match object.get("keywords") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => keywords::names(value)?,
        };
        let received_at = match object.get("receivedAt") {
            None | Some(Value::Null) => clock::unix_now(),
            Some(value) => {
                let date = value.as_str().and_then(dates::parse_utc);
                date.ok_or_else(|| SetError::property("receivedAt", "is not a UTCDate"))?
            }
        };
        Ok(Self { mailboxes, flags: flags(context, &names).await?, received_at })
    }
}

/// Mailboxes that there are; at least one.
async fn mailboxes(context: &Context, value: Option<&Value>) -> SetResult<Vec<MailboxId>> {
    let wrong = |why: &str| SetError::property("mailboxIds", why);
    let names = id_set(value, "mailboxIds")?;
    let real = |id: &String| references::created(id, &context.created).and_then(ids::parse_mailbox);
    let ids =
        names.iter().map(real).collect::<Option<Vec<_>>>().ok_or_else(|| wrong("has an id of no mailbox"))?;
    let known = context.account.messages().mailboxes_with(&ids).await?;
    if known.len() < ids.len() || known.iter().any(|info| !info.selectable) {
        return Err(wrong("has a mailbox that there is not, or that holds no e-mails"));
    }
    match ids.is_empty() {
        true => Err(wrong("is empty")),
        false => Ok(ids),
    }
}

/// The flags of keywords, which the account is given if it does not have them.
async fn flags(context: &Context, names: &[String]) -> SetResult<Flags> {
    let messages = context.account.messages();
    let created = messages.keyword_flags(&keywords::own(names), true).await;
    created.map_err(|error| match error {
        hub::Error::Limit(why) => SetError::new(SetErrorKind::TooManyKeywords, why),
        other => other.into(),
    })?;
    let known = messages.keywords().await?;
    Ok(names.iter().fold(Flags::NONE, |flags, name| flags | keywords::flag(&known, name)))
}

async fn keep(context: &Context, place: Place, incoming: Incoming) -> SetResult<Object> {
    let emails = context.account.emails();
    let message = NewMessage { incoming, flags: place.flags, received_at: place.received_at };
    let id = emails.create(NewEmailIn { mailboxes: place.mailboxes, message }).await?;
    let email = emails.find(&[id]).await?.remove(&id).ok_or(SetErrorKind::NotFound)?;
    let object = json!({
        "id": ids::email(id),
        "blobId": BlobId::email(id).to_string(),
        "threadId": ids::thread(email.thread),
        "size": email.size,
    });
    Ok(object.as_object().cloned().unwrap_or_default())
}

async fn update_all(
    context: &Context,
    updates: Vec<(String, String, Object)>,
    answer: &mut SetAnswer,
) -> MethodResult<()> {
    let ids: Vec<EmailId> = updates.iter().filter_map(|(_, id, _)| ids::parse_email(id)).collect();
    let known = context.account.emails().find(&ids).await?;
    let mut changes = Vec::new();
    let mut written = Vec::new();
    for (name, id, object) in updates {
        let email = ids::parse_email(&id).and_then(|id| known.get(&id));
        match change(context, email, &object).await {
            Ok(change) => {
                changes.push(change);
                written.push(name);
            }
            Err(error) => answer.updated(name, Err(error)),
        }
    }
    if !changes.is_empty() {
        let results = context.account.emails().change(changes).await;
        for (name, result) in written.into_iter().zip(results) {
            answer.updated(name, result.map(|()| None).map_err(SetError::from));
        }
    }
    Ok(())
}

/// What a patch makes of an e-mail.
async fn change(context: &Context, email: Option<&Email>, object: &Object) -> SetResult<EmailChange> {
    let email = email.ok_or(SetErrorKind::NotFound)?;
    let top = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let foreign = object.keys().map(top).filter(|name| !["mailboxIds", "keywords"].contains(&name.as_str()));
    let known = context.account.messages().keywords().await?;
    let all: BTreeSet<String> = email::METADATA.iter().map(|name| (*name).to_owned()).collect();
    let mut after = email::metadata(email, &known, &all);
    let before = after.clone();
    let foreign: Vec<String> = foreign.filter(|name| before.get(name) != object.get(name)).collect();
    if !foreign.is_empty() {
        return Err(SetError::properties(foreign, "not to be changed"));
    }
    patch::apply(&mut after, &with_created(context, object))?;
    let keywords_after = match after.get("keywords") {
        // RFC 8621 §4.1.1: the default.
        None | Some(Value::Null) => Vec::new(),
        Some(value) => keywords::names(value)?,
    };
    let wanted = flags(context, &keywords_after).await?;
    let into = mailboxes(context, after.get("mailboxIds")).await?;
    Ok(EmailChange {
        email: email.id,
        out_of: email.mailboxes.iter().copied().filter(|mailbox| !into.contains(mailbox)).collect(),
        into: into.into_iter().filter(|mailbox| !email.mailboxes.contains(mailbox)).collect(),
        set: wanted & !email.flags,
        clear: email.flags & !wanted,
    })
}

/// The patch with real ids in the place of creation ids within paths.
fn with_created(context: &Context, object: &Object) -> Object {
    let real = |path: &String| match path.split_once('/') {
        Some(("mailboxIds", id)) => references::created(id, &context.created)
            .map_or_else(|| path.clone(), |id| format!("mailboxIds/{id}")),
        _ => path.clone(),
    };
    object.iter().map(|(path, value)| (real(path), value.clone())).collect()
}

async fn destroy_all(
    context: &Context,
    destroy: Vec<(String, String)>,
    answer: &mut SetAnswer,
) -> MethodResult<()> {
    if destroy.is_empty() {
        return Ok(());
    }
    let ids: Vec<EmailId> = destroy.iter().filter_map(|(_, id)| ids::parse_email(id)).collect();
    let gone = context.account.emails().destroy(ids).await?;
    for (written, id) in destroy {
        let is_gone = ids::parse_email(&id).is_some_and(|id| gone.contains(&id));
        answer.destroyed(written, if is_gone { Ok(()) } else { Err(SetErrorKind::NotFound.into()) });
    }
    Ok(())
}

/// RFC 8621 §4.8.
pub(crate) async fn import(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let old_state = context.account.emails().state().await?.to_string();
    let if_in_state = arguments.string("ifInState")?;
    let emails = arguments.objects("emails")?;
    arguments.end()?;
    if emails.len() > MAX_OBJECTS_IN_SET {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    if if_in_state.is_some_and(|expected| expected != old_state) {
        return Err(MethodErrorKind::StateMismatch.into());
    }
    let mut answer_of_all = SetAnswer::default();
    for (creation, object) in emails {
        let result = import_one(context, &object).await;
        answer_of_all.created(context, creation, result);
    }
    let new_state = context.account.emails().state().await?.to_string();
    let mut answer = answer_of_all.answer(context, &old_state, &new_state);
    answer.retain(|name, _| {
        ["accountId", "oldState", "newState", "created", "notCreated"].contains(&name.as_str())
    });
    Ok(answer)
}

async fn import_one(context: &Context, object: &Object) -> SetResult<Object> {
    set::check_names(object, |name| ["blobId", "mailboxIds", "keywords", "receivedAt"].contains(&name))?;
    let blob_id = object.get("blobId").and_then(Value::as_str);
    let blob_id = blob_id.ok_or_else(|| SetError::property("blobId", "is missing or not a string"))?;
    let place = Place::read(context, object).await?;
    let not_found = || SetError::property("blobId", "is the id of no blob");
    let id = BlobId::parse(blob_id).ok_or_else(not_found)?;
    let incoming = match blob::incoming(&context.account, &id).await {
        Ok(incoming) => incoming,
        Err(hub::Error::NotFound(_)) => return Err(not_found()),
        Err(error) => return Err(error.into()),
    };
    // Anything can be read as a message; what has not even a field is none.
    if hub_mime::all_fields(&incoming.header()?).next().is_none() {
        return Err(SetErrorKind::InvalidEmail.into());
    }
    keep(context, place, incoming).await
}

/// RFC 8621 §4.9.
pub(crate) async fn parse(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let blob_ids = arguments.strings("blobIds")?.unwrap_or_default();
    let properties = email::parsed_properties(&mut arguments)?;
    let request = crate::mail::render::MessageRequest::take(&mut arguments, properties)?;
    arguments.end()?;
    if blob_ids.len() > crate::core::limits::MAX_OBJECTS_IN_GET {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    let (mut parsed, mut not_parsable, mut not_found) = (Map::new(), Vec::new(), Vec::new());
    let mut room = crate::core::limits::MAX_BODY_VALUES;
    for text in blob_ids {
        let opened = match BlobId::parse(&text) {
            Some(id) => blob::open_message(&context.account, &id).await.map(|message| (id, message)),
            None => Err(hub::Error::NotFound("blob")),
        };
        match opened {
            Ok((id, message)) => match email::parsed(&message, &id, &request, &mut room).await? {
                Some(object) => drop(parsed.insert(text, object.into())),
                None => not_parsable.push(text),
            },
            Err(hub::Error::NotFound(_)) => not_found.push(text),
            Err(error) => return Err(error.into()),
        }
    }
    let list = |ids: Vec<String>| if ids.is_empty() { Value::Null } else { json!(ids) };
    Ok(answer([
        ("accountId", json!(context.account_id)),
        ("parsed", if parsed.is_empty() { Value::Null } else { parsed.into() }),
        ("notParsable", list(not_parsable)),
        ("notFound", list(not_found)),
    ]))
}
