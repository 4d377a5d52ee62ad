//! Quota/get, /changes, /query, /queryChanges (RFC 9425): the octets of the account, if they are limited.

use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::get::GetRequest;
use crate::core::query::{Filter, QueryChanges, Selection, Window};
use crate::core::set::Object;

const ID: &str = "octets";
const NAME: &str = "Storage";
const PROPERTIES: [&str; 9] =
    ["resourceType", "used", "hardLimit", "warnLimit", "softLimit", "scope", "name", "types", "description"];

/// The quota, unless there is no limit.
async fn object(context: &Context) -> MethodResult<Option<Object>> {
    let (used, limit) = context.account.quota().await?;
    let Some(limit) = limit else { return Ok(None) };
    let value = json!({
        "id": ID,
        "resourceType": "octets",
        "used": used,
        "hardLimit": limit,
        "warnLimit": null,
        "softLimit": null,
        "scope": "account",
        "name": NAME,
        "types": ["Email"],
        "description": null,
    });
    Ok(value.as_object().cloned())
}

/// The octets in use change with most commits, and are noted with none: the state is that of the account.
async fn state(context: &Context) -> MethodResult<String> {
    Ok(context.account.sending_states().await?.account.to_string())
}

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let state = state(context).await?;
    let is_wanted = request.ids.as_ref().is_none_or(|ids| ids.iter().any(|id| id == ID));
    let objects = object(context).await?.into_iter().filter(|_| is_wanted).collect();
    Ok(request.answer(context, &state, objects))
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let now = context.account.sending_states().await?.account;
    let is_there = object(context).await?.is_some();
    let changes = hub::emails::Changes { state: now, ..Default::default() };
    let since = request.since;
    let mut answer = request.answer(context, Some(changes), |id| id.to_string())?;
    let updated = since < now && is_there;
    answer.insert("updated".into(), if updated { json!([ID]) } else { json!([]) });
    // RFC 9425 §4.2: what changes by itself.
    answer.insert("updatedProperties".into(), if updated { json!(["used"]) } else { Value::Null });
    Ok(answer)
}

pub(crate) async fn query(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let window = Window::take(&mut arguments)?;
    arguments.end()?;
    let found = results(context, &selection).await?;
    let state = state(context).await?;
    window.answer(context, &state, &found, selection.calculate_total, false)
}

pub(crate) async fn query_changes(
    _: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    Selection::take(&mut arguments)?;
    QueryChanges::take(&mut arguments)?;
    arguments.end()?;
    Err(MethodErrorKind::CannotCalculateChanges.into())
}

async fn results(context: &Context, selection: &Selection) -> MethodResult<Vec<String>> {
    if selection.sort.iter().any(|one| !["name", "used"].contains(&one.property.as_str())) {
        return Err(MethodErrorKind::UnsupportedSort.into());
    }
    let matches = selection.filter.as_ref().map_or(Ok(true), matches)?;
    Ok(object(context).await?.into_iter().filter(|_| matches).map(|_| ID.to_owned()).collect())
}

fn matches(filter: &Filter) -> MethodResult<bool> {
    let all = |filters: &[Filter]| filters.iter().map(matches).collect::<MethodResult<Vec<_>>>();
    Ok(match filter {
        Filter::And(filters) => all(filters)?.into_iter().all(|matches| matches),
        Filter::Or(filters) => all(filters)?.into_iter().any(|matches| matches),
        Filter::Not(filters) => !all(filters)?.into_iter().any(|matches| matches),
        Filter::Condition(object) => {
            let leaves = object.iter().map(|(name, value)| leaf(name, value));
            leaves.collect::<MethodResult<Vec<_>>>()?.into_iter().all(|matches| matches)
        }
    })
}

fn leaf(name: &str, value: &Value) -> MethodResult<bool> {
    let wrong = || MethodError::argument("filter", &format!("has a {name} of the wrong type"));
    let text = value.as_str().ok_or_else(wrong)?;
    Ok(match name {
        "name" => NAME.to_lowercase().contains(&text.to_lowercase()),
        "scope" => text == "account",
        "resourceType" => text == "octets",
        "type" => text == "Email",
        _ => return Err(MethodError::new(MethodErrorKind::UnsupportedFilter, format!("{name} is unknown"))),
    })
}
