//! What contacts and agenda share: objects that are kept as text in collections.

pub(crate) mod prefs;
pub(crate) mod query;
pub(crate) mod text;

use std::collections::HashMap;

use bytes::Bytes;
use hub::collections::{Collection, Collections, Item, ItemId, Refusal, portions_of};
use hub::schedule::{NotAllowed, ScheduleOutcome};
use serde_json::{Value, json};

use crate::core::error::{MethodErrorKind, MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::limits::{MAX_OBJECTS_IN_GET, MAX_TEXTS};

/// Items with their bytes: those of these ids, or all.
pub(crate) async fn load(
    collections: &Collections,
    ids: Option<Vec<ItemId>>,
) -> MethodResult<Vec<(Item, Bytes)>> {
    let items = match ids {
        Some(ids) => collections.items_by_id(&ids).await?,
        None => all(collections, MAX_OBJECTS_IN_GET).await?.ok_or(MethodErrorKind::RequestTooLarge)?,
    };
    // RFC 8620 §5.1: the client asks for fewer.
    if items.iter().map(|item| item.size).sum::<u64>() > MAX_TEXTS {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    let mut loaded = Vec::with_capacity(items.len());
    for items in portions_of(&items, |item| item.size) {
        let ids: Vec<ItemId> = items.iter().map(|item| item.id).collect();
        loaded.append(&mut collections.contents(&ids).await?);
    }
    Ok(loaded)
}

/// All items of all collections; `None` if there are more than `most`.
pub(crate) async fn all(collections: &Collections, most: usize) -> hub::Result<Option<Vec<Item>>> {
    let mut items = Vec::new();
    for collection in collections.list().await? {
        let mut after = String::new();
        loop {
            let page = collections.items(collection.id, &after).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.name);
            items.extend(page);
            if items.len() > most {
                return Ok(None);
            }
        }
    }
    Ok(Some(items))
}

/// Collections by their ids.
pub(crate) fn by_id(list: Vec<Collection>) -> HashMap<i64, Collection> {
    list.into_iter().map(|collection| (collection.id.0, collection)).collect()
}

/// The only collection of a set of ids; `property` is what the set is called.
pub(crate) fn only_collection<'c>(
    value: Option<&Value>,
    property: &str,
    list: &'c HashMap<i64, Collection>,
    id: impl Fn(&str) -> Option<i64>,
) -> SetResult<&'c Collection> {
    let wrong = |why: &str| SetError::property(property, why);
    let Some(Value::Object(set)) = value else { return Err(wrong("is not a set of ids")) };
    let mut chosen = set.iter();
    let (Some((key, flag)), None) = (chosen.next(), chosen.next()) else {
        return Err(wrong("has not one id; here an object is in one at a time"));
    };
    if *flag != true {
        return Err(wrong("has a value that is not true"));
    }
    id(key).and_then(|id| list.get(&id)).ok_or_else(|| wrong("has an id that does not exist"))
}

/// What was stored, or why not. `existing` tells the id of what has the UID already, by its name.
pub(crate) async fn stored(
    collections: &Collections,
    collection: &Collection,
    outcome: ScheduleOutcome,
    id: impl Fn(ItemId) -> String,
) -> SetResult<Item> {
    match outcome {
        ScheduleOutcome::Stored { placed, .. } => Ok(placed.item),
        ScheduleOutcome::Refused(Refusal::UidTaken(name)) => {
            Err(taken(collections.item(collection.id, &name).await.ok(), id))
        }
        ScheduleOutcome::NotAllowed(NotAllowed::Taken(calendar, name)) => {
            let other = collections.find(&calendar).await?;
            Err(taken(collections.item(other.id, &name).await.ok(), id))
        }
        ScheduleOutcome::NotAllowed(NotAllowed::Itip(why)) => {
            Err(SetError::new(SetErrorKind::Forbidden, why.to_string()))
        }
        ScheduleOutcome::Refused(refusal) => Err(refused(&refusal)),
    }
}

/// RFC 8620 §5.4.
fn taken(existing: Option<Item>, id: impl Fn(ItemId) -> String) -> SetError {
    let error = SetError::new(SetErrorKind::AlreadyExists, "another object has this uid");
    match existing {
        Some(item) => error.with("existingId", json!(id(item.id))),
        None => error,
    }
}

fn refused(refusal: &Refusal) -> SetError {
    let kind = match refusal {
        Refusal::TooLarge(_) => SetErrorKind::TooLarge,
        Refusal::UidTaken(_) => SetErrorKind::AlreadyExists,
        Refusal::UidChanged => return SetError::property("uid", "cannot be changed"),
        Refusal::CardVersion(_)
        | Refusal::Kind(_)
        | Refusal::NotCalendar(_)
        | Refusal::NotCard(_)
        | Refusal::NotOneObject(_) => SetErrorKind::InvalidProperties,
    };
    SetError::new(kind, refusal.to_string())
}

/// What cannot be made text.
pub(crate) fn unwritable(error: hub_jsobjects::Error) -> SetError {
    match error {
        hub_jsobjects::Error::Property(path, why) => SetError::property(&path, why),
        error @ hub_jsobjects::Error::Text(_) => SetError::new(SetErrorKind::Forbidden, error.to_string()),
    }
}

/// A name for a URL that nothing has yet, and nobody guesses.
pub(crate) fn new_name() -> SetResult<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| SetErrorKind::ServerFail)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// `urn:uuid` of version 4 (RFC 9562 §5.4).
pub(crate) fn new_uid() -> SetResult<String> {
    let hex = new_name()?;
    let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16] & 3)];
    Ok(format!("{}-{}-4{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]))
}
