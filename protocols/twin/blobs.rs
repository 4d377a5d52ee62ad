//! Blob/upload, Blob/get, Blob/lookup (RFC 9404): blobs within requests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hub::{Error, Scopes, Spool};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::blob::{self, Blob};
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::{GetRequest, answer};
use crate::core::limits::{MAX_BODY_VALUES, MAX_OBJECTS_IN_GET, MAX_OBJECTS_IN_SET, MAX_SIZE_UPLOAD};
use crate::core::references;
use crate::core::set::{Object, SetAnswer};
use crate::ids::{self, BlobId, BlobOf};

/// Pieces that one blob is put together of.
pub(crate) const MAX_DATA_SOURCES: usize = 64;
/// Types that blobs are looked up in.
pub(crate) const TYPE_NAMES: [&str; 3] = ["Email", "Thread", "Mailbox"];
/// RFC 9404 §4.2, names of RFC 3230's registry in lower case.
pub(crate) const DIGESTS: [&str; 2] = ["sha", "sha-256"];

const PROPERTIES: [&str; 6] =
    ["data", "data:asText", "data:asBase64", "digest:sha", "digest:sha-256", "size"];

/// RFC 9404 §4.1.
pub(crate) async fn upload(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let create = arguments.objects("create")?;
    arguments.end()?;
    context.account.require_change()?;
    if create.len() > MAX_OBJECTS_IN_SET {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    let mut answer_of_all = SetAnswer::default();
    for (creation, object) in create {
        let result = upload_one(context, &object).await;
        answer_of_all.created(context, creation, result);
    }
    let mut answer = answer_of_all.answer(context, "", "");
    answer.retain(|name, _| ["accountId", "created", "notCreated"].contains(&name.as_str()));
    Ok(answer)
}

async fn upload_one(context: &Context, object: &Object) -> SetResult<Object> {
    let wrong = |name: &str| SetError::property(name, "is missing or of the wrong type");
    crate::core::set::check_names(object, |name| ["data", "type"].contains(&name))?;
    let sources = object.get("data").and_then(Value::as_array).ok_or_else(|| wrong("data"))?;
    let media_type = match object.get("type") {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(text)) => text.clone().into(),
        Some(_) => return Err(wrong("type")),
    };
    if sources.len() > MAX_DATA_SOURCES {
        return Err(SetErrorKind::TooLarge.into());
    }
    let mut spool = context.account.hub().spool();
    for source in sources {
        append(context, &mut spool, source).await?;
    }
    let (id, size) = context.account.keep_upload(spool).await?;
    let id = BlobId { of: BlobOf::Upload(id), parts: Vec::new() }.to_string();
    Ok(answer([("id", json!(id)), ("type", media_type), ("size", json!(size))]))
}

/// A DataSourceObject: text, base64, or a range of another blob.
async fn append(context: &Context, spool: &mut Spool, source: &Value) -> SetResult<()> {
    let wrong = |why: &str| SetError::property("data", why);
    let object = source.as_object().ok_or_else(|| wrong("has a source that is not an object"))?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let room = MAX_SIZE_UPLOAD.saturating_sub(spool.len());
    let bytes = match (text("data:asText"), text("data:asBase64"), text("blobId")) {
        (Some(text), None, None) => text.as_bytes().to_vec(),
        (None, Some(text), None) => {
            BASE64_STANDARD.decode(text).map_err(|_| wrong("has base64 that is none"))?
        }
        (None, None, Some(id)) => {
            let missing = || SetError::new(SetErrorKind::BlobNotFound, "").with("notFound", json!([id]));
            let blob = find(context, id).await?.ok_or_else(missing)?;
            let range = range(object.get("offset"), object.get("length"), blob.size());
            let mut rest = range.ok_or_else(|| wrong("has a range that the blob does not have"))?;
            if rest.end - rest.start > room {
                return Err(SetErrorKind::TooLarge.into());
            }
            while let Some(piece) = blob.next(&mut rest).await? {
                spool.write(&piece).await.map_err(Error::from)?;
            }
            return Ok(());
        }
        _ => return Err(wrong("has a source without exactly one of data:asText, data:asBase64 and blobId")),
    };
    if bytes.len() as u64 > room {
        return Err(SetErrorKind::TooLarge.into());
    }
    Ok(spool.write(&bytes).await.map_err(Error::from)?)
}

/// `offset` and `length` of a blob; `None` if it does not have them.
fn range(offset: Option<&Value>, length: Option<&Value>, size: u64) -> Option<std::ops::Range<u64>> {
    let number = |value: Option<&Value>, default: u64| match value {
        None | Some(Value::Null) => Some(default),
        Some(value) => value.as_u64(),
    };
    let start = number(offset, 0)?;
    let end = start.checked_add(number(length, size.checked_sub(start)?)?)?;
    (end <= size).then_some(start..end)
}

async fn find(context: &Context, id: &str) -> hub::Result<Option<Blob>> {
    let real = references::created(id, &context.created).and_then(BlobId::parse);
    let Some(id) = real else { return Ok(None) };
    match blob::open(&context.account, &id).await {
        Ok(blob) => Ok(Some(blob)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// RFC 9404 §4.2.
pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let mut request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    let (offset, length) = (arguments.unsigned("offset")?, arguments.unsigned("length")?);
    arguments.end()?;
    let ids = request.ids.clone().ok_or_else(|| MethodError::argument("ids", "is missing"))?;
    // One property may be answered by another, or by two.
    let properties = request.properties.take();
    let wants = |name: &str| match &properties {
        None => ["data", "size"].contains(&name),
        Some(properties) => properties.contains(name),
    };
    let mut objects = Vec::with_capacity(ids.len());
    let mut room = MAX_BODY_VALUES as u64;
    for id in ids {
        let Some(blob) = find(context, &id).await? else { continue };
        let mut object = answer([("id", json!(id))]);
        if wants("size") {
            object.insert("size".into(), json!(blob.size()));
        }
        let start = offset.unwrap_or(0).min(blob.size());
        let asked = start.saturating_add(length.unwrap_or(u64::MAX));
        let end = asked.min(blob.size());
        let wants_data = ["data", "data:asText", "data:asBase64"].iter().any(|name| wants(name));
        let wants_digest = DIGESTS.iter().any(|name| wants(&format!("digest:{name}")));
        if length.is_some() && asked > blob.size() || offset.is_some_and(|offset| offset > blob.size()) {
            object.insert("isTruncated".into(), true.into());
        }
        if wants_data || wants_digest {
            room = room.checked_sub(end - start).ok_or(MethodErrorKind::RequestTooLarge)?;
            let bytes = blob.read(start..end).await?;
            put_data(&mut object, &bytes, &wants);
        }
        objects.push(object);
    }
    let mut answered = request.answer(context, "", objects);
    answered.remove("state");
    Ok(answered)
}

fn put_data(object: &mut Object, bytes: &[u8], wants: &impl Fn(&str) -> bool) {
    let text = std::str::from_utf8(bytes).ok();
    if wants("data:asText") || wants("data") {
        match text {
            Some(text) => drop(object.insert("data:asText".into(), text.into())),
            None => {
                object.insert("isEncodingProblem".into(), true.into());
                if wants("data:asText") {
                    object.insert("data:asText".into(), Value::Null);
                }
            }
        }
    }
    if wants("data:asBase64") || (wants("data") && text.is_none()) {
        object.insert("data:asBase64".into(), BASE64_STANDARD.encode(bytes).into());
    }
    if wants("digest:sha") {
        object.insert("digest:sha".into(), BASE64_STANDARD.encode(Sha1::digest(bytes)).into());
    }
    if wants("digest:sha-256") {
        object.insert("digest:sha-256".into(), BASE64_STANDARD.encode(Sha256::digest(bytes)).into());
    }
}

/// RFC 9404 §4.3: which objects have these blobs.
pub(crate) async fn lookup(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let types =
        arguments.strings("typeNames")?.ok_or_else(|| MethodError::argument("typeNames", "is missing"))?;
    let ids = arguments.strings("ids")?.ok_or_else(|| MethodError::argument("ids", "is missing"))?;
    arguments.end()?;
    if ids.len() > MAX_OBJECTS_IN_GET {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    if let Some(unknown) = types.iter().find(|name| !TYPE_NAMES.contains(&name.as_str())) {
        return Err(MethodError::new(
            MethodErrorKind::UnknownDataType,
            format!("{unknown} has no blobs here"),
        ));
    }
    let may_read = context.account.scopes().contains(Scopes::MAIL_READ);
    let emails: Vec<hub::EmailId> = ids.iter().filter(|_| may_read).filter_map(|id| of_email(id)).collect();
    let found = context.account.emails().find(&emails).await?;
    let (mut list, mut not_found) = (Vec::new(), Vec::new());
    for id in ids {
        let email = of_email(&id).and_then(|email| found.get(&email));
        if email.is_none() && find(context, &id).await?.is_none() {
            not_found.push(id);
            continue;
        }
        let matched = |name: &String| {
            let ids = match (email, name.as_str()) {
                (Some(email), "Email") => vec![ids::email(email.id)],
                (Some(email), "Thread") => vec![ids::thread(email.thread)],
                (Some(email), _) => email.mailboxes.iter().map(|id| ids::mailbox(*id)).collect(),
                (None, _) => Vec::new(),
            };
            (name.clone(), json!(ids))
        };
        let matched: Map<String, Value> = types.iter().map(matched).collect();
        list.push(json!({ "id": id, "matchedIds": matched }));
    }
    Ok(answer([
        ("accountId", json!(context.account_id)),
        ("list", list.into()),
        ("notFound", json!(not_found)),
    ]))
}

/// The e-mail that a blob is, or is a part of.
fn of_email(id: &str) -> Option<hub::EmailId> {
    match BlobId::parse(id)?.of {
        BlobOf::Email(email) => Some(email),
        BlobOf::Card(_) | BlobOf::File(_) | BlobOf::Upload(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lie_within() {
        let (zero, three, ten) = (json!(0), json!(3), json!(10));
        for (offset, length, expected) in [
            (None, None, Some(0..5)),
            (Some(&three), None, Some(3..5)),
            (Some(&zero), Some(&three), Some(0..3)),
            (Some(&three), Some(&three), None),
            (Some(&ten), None, None),
            (Some(&Value::Null), Some(&Value::Null), Some(0..5)),
        ] {
            assert_eq!(range(offset, length, 5), expected, "{offset:?} {length:?}");
        }
        assert_eq!(range(Some(&json!(-1)), None, 5), None);
        assert_eq!(range(Some(&json!(u64::MAX)), Some(&json!(u64::MAX)), 5), None);
    }
}
