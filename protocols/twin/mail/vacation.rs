//! VacationResponse/get, /set (RFC 8621 §8): there is one per account.

use hub::Vacation;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::GetRequest;
use crate::core::patch;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::mail::dates;

const ID: &str = "singleton";
const PROPERTIES: [&str; 6] = ["isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody"];

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let state = context.account.sending_states().await?.vacation.to_string();
    let is_wanted = request.ids.as_ref().is_none_or(|ids| ids.iter().any(|id| id == ID));
    let objects = match is_wanted {
        true => vec![object(&context.account.vacation().await?)],
        false => Vec::new(),
    };
    Ok(request.answer(context, &state, objects))
}

fn object(vacation: &Vacation) -> Object {
    let value = json!({
        "id": ID,
        "isEnabled": vacation.is_enabled,
        "fromDate": vacation.from.map(dates::utc),
        "toDate": vacation.until.map(dates::utc),
        "subject": vacation.subject,
        "textBody": vacation.text,
        "htmlBody": vacation.html,
    });
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let old_state = context.account.sending_states().await?.vacation.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    arguments.end()?;
    let mut answer = SetAnswer::default();
    for (creation, _) in std::mem::take(&mut request.create) {
        answer.created(context, creation, Err(SetErrorKind::Singleton.into()));
    }
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, changes) in update {
        let result = match id == ID {
            true => update_one(context, &changes).await,
            false => Err(SetErrorKind::NotFound.into()),
        };
        answer.updated(written, result.map(|()| None));
    }
    for (written, _) in destroy {
        answer.destroyed(written, Err(SetErrorKind::Singleton.into()));
    }
    let new_state = context.account.sending_states().await?.vacation.to_string();
    Ok(answer.answer(context, &old_state, &new_state))
}

async fn update_one(context: &Context, changes: &Object) -> SetResult<()> {
    let mut after = object(&context.account.vacation().await?);
    patch::apply(&mut after, changes)?;
    set::check_names(&after, |name| PROPERTIES.contains(&name) || name == "id")?;
    let wrong = |name: &str| SetError::property(name, "is of the wrong type");
    let text = |name: &str| match after.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(name)),
    };
    let date =
        |name: &str| text(name)?.map(|date| dates::parse_utc(&date).ok_or_else(|| wrong(name))).transpose();
    let is_enabled = match after.get("isEnabled") {
        None | Some(Value::Null) => false,
        Some(value) => value.as_bool().ok_or_else(|| wrong("isEnabled"))?,
    };
    let vacation = Vacation {
        is_enabled,
        from: date("fromDate")?,
        until: date("toDate")?,
        subject: text("subject")?,
        text: text("textBody")?,
        html: text("htmlBody")?,
    };
    Ok(context.account.set_vacation(&vacation).await?)
}
