//! Identity/get, /changes, /set (RFC 8621 §6).

use hub::{Error, Identity};
use hub_mime::NamedAddress;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::GetRequest;
use crate::core::patch;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::ids;

const PROPERTIES: [&str; 8] =
    ["name", "email", "replyTo", "bcc", "textSignature", "htmlSignature", "mayDelete", "id"];

pub(crate) fn id(number: i64) -> String {
    format!("I{}", number + 1)
}

pub(crate) fn parse_id(text: &str) -> Option<i64> {
    ids::number(text, 'I').map(|number| number - 1)
}

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let state = context.account.sending_states().await?.identities.to_string();
    let identities = context.account.identities().await?;
    let wanted = |identity: &&Identity| {
        request.ids.as_ref().is_none_or(|ids| ids.iter().any(|one| parse_id(one) == Some(identity.id)))
    };
    let objects = identities.iter().filter(wanted).map(object).collect();
    Ok(request.answer(context, &state, objects))
}

fn object(identity: &Identity) -> Object {
    let list = |addresses: &[NamedAddress]| match addresses.is_empty() {
        true => Value::Null,
        false => addresses.iter().map(|one| json!({ "name": one.name, "email": one.email })).collect(),
    };
    let value = json!({
        "id": id(identity.id),
        "name": identity.name,
        "email": identity.email,
        "replyTo": list(&identity.reply_to),
        "bcc": list(&identity.bcc),
        "textSignature": identity.text_signature,
        "htmlSignature": identity.html_signature,
        "mayDelete": identity.id != 0,
    });
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.identity_changes(request.since, request.most).await?;
    request.answer(context, changes, id)
}

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let old_state = context.account.sending_states().await?.identities.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    let mut answer = SetAnswer::default();
    for (creation, object) in std::mem::take(&mut request.create) {
        let result = create(context, &object).await;
        answer.created(context, creation, result);
    }
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, object) in update {
        let result = update_one(context, &id, &object).await;
        answer.updated(written, result.map(|()| None));
    }
    for (written, id) in destroy {
        let result = match parse_id(&id) {
            Some(id) => context.account.remove_identity(id).await.map_err(SetError::from),
            None => Err(SetErrorKind::NotFound.into()),
        };
        answer.destroyed(written, result);
    }
    let new_state = context.account.sending_states().await?.identities.to_string();
    Ok(answer.answer(context, &old_state, &new_state))
}

async fn create(context: &Context, given: &Object) -> SetResult<Object> {
    set::check_names(given, |name| PROPERTIES.contains(&name) && !["id", "mayDelete"].contains(&name))?;
    let identity = read(-1, given)?;
    let number = put(context, &identity).await?;
    let mut made = object(&Identity { id: number, ..identity });
    made.retain(|name, _| !given.contains_key(name));
    Ok(made)
}

async fn update_one(context: &Context, id: &str, changes: &Object) -> SetResult<()> {
    let number = parse_id(id).ok_or(SetErrorKind::NotFound)?;
    let known = context.account.identities().await?.into_iter().find(|identity| identity.id == number);
    let before = object(&known.ok_or(SetErrorKind::NotFound)?);
    let mut after = before.clone();
    patch::apply(&mut after, changes)?;
    // RFC 8621 §6: the address is immutable.
    let fixed = |name: &&String| {
        (["id", "email", "mayDelete"].contains(&name.as_str()) || !PROPERTIES.contains(&name.as_str()))
            && before.get(*name) != after.get(*name)
    };
    let wrong: Vec<String> = after.keys().filter(fixed).cloned().collect();
    if !wrong.is_empty() {
        return Err(SetError::properties(wrong, "not to be changed"));
    }
    put(context, &read(number, &after)?).await.map(drop)
}

async fn put(context: &Context, identity: &Identity) -> SetResult<i64> {
    context.account.put_identity(identity).await.map_err(|error| match error {
        Error::Forbidden(why) => SetError::new(SetErrorKind::ForbiddenFrom, why),
        Error::Invalid(_) => SetError::property("email", "is no address"),
        other => other.into(),
    })
}

fn read(number: i64, object: &Object) -> SetResult<Identity> {
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(SetError::property(name, "is not a string")),
    };
    let addresses = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) => {
            read_addresses(value).ok_or_else(|| SetError::property(name, "is not a list of addresses"))
        }
    };
    if !object.contains_key("email") {
        return Err(SetError::property("email", "is missing"));
    }
    Ok(Identity {
        id: number,
        name: text("name")?,
        email: text("email")?,
        reply_to: addresses("replyTo")?,
        bcc: addresses("bcc")?,
        text_signature: text("textSignature")?,
        html_signature: text("htmlSignature")?,
    })
}

fn read_addresses(value: &Value) -> Option<Vec<NamedAddress>> {
    let one = |value: &Value| {
        let email = value.get("email")?.as_str()?.to_owned();
        match value.get("name") {
            None | Some(Value::Null) => Some(NamedAddress { name: None, email }),
            Some(Value::String(name)) => Some(NamedAddress { name: Some(name.clone()), email }),
            Some(_) => None,
        }
    };
    value.as_array()?.iter().map(one).collect()
}
