//! EmailSubmission (RFC 8621 §7): sending, looking at what was sent, calling it back.

mod send;

use std::collections::{BTreeMap, HashSet};

use hub::{Scopes, Sent, SentState, Undo};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult, SetError, SetErrorKind, SetResult};
use crate::core::get::GetRequest;
use crate::core::query::{Comparator, Filter, QueryChanges, Selection, Window};
use crate::core::references;
use crate::core::set::{self, Object, SetAnswer, SetRequest};
use crate::ids;
use crate::mail::{dates, email_set, identity};
use crate::methods::Answers;

const PROPERTIES: [&str; 10] = [
    "identityId",
    "emailId",
    "threadId",
    "envelope",
    "sendAt",
    "undoStatus",
    "deliveryStatus",
    "dsnBlobIds",
    "mdnBlobIds",
    "id",
];

fn id(number: i64) -> String {
    format!("S{number}")
}

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| PROPERTIES.contains(&name))?;
    arguments.end()?;
    let state = context.account.sending_states().await?.submissions.to_string();
    let sent = context.account.sent().await?;
    let wanted: Option<HashSet<&str>> =
        request.ids.as_ref().map(|ids| ids.iter().map(String::as_str).collect());
    let is_wanted = |one: &&Sent| wanted.as_ref().is_none_or(|wanted| wanted.contains(id(one.id).as_str()));
    let objects = sent.iter().filter(is_wanted).map(object).collect();
    Ok(request.answer(context, &state, objects))
}

fn object(sent: &Sent) -> Object {
    let address = |address: &str| json!({ "email": address, "parameters": null });
    let status = |state: &SentState| match state {
        SentState::Delivered => json!({
            "smtpReply": "250 2.1.5 Delivered here", "delivered": "yes", "displayed": "unknown",
        }),
        SentState::Gone => json!({
            "smtpReply": "250 2.0.0 It has left this server", "delivered": "unknown", "displayed": "unknown",
        }),
        SentState::Queued(last) => json!({
            "smtpReply": if last.is_empty() { "250 2.0.0 Queued" } else { last.as_str() },
            "delivered": "queued",
            "displayed": "unknown",
        }),
    };
    let recipients = sent.recipients.iter();
    let statuses: BTreeMap<&str, Value> =
        recipients.clone().map(|to| (to.address.as_str(), status(&to.state))).collect();
    let value = json!({
        "id": id(sent.id),
        "identityId": identity::id(sent.identity),
        "emailId": ids::email(sent.email),
        "threadId": ids::thread(sent.thread),
        "envelope": {
            "mailFrom": address(&sent.mail_from),
            "rcptTo": recipients.map(|to| address(&to.address)).collect::<Vec<_>>(),
        },
        "sendAt": dates::utc(sent.sent_at),
        "undoStatus": undo_status(sent.undo),
        "deliveryStatus": statuses,
        "dsnBlobIds": [],
        "mdnBlobIds": [],
    });
    value.as_object().cloned().unwrap_or_default()
}

fn undo_status(undo: Undo) -> &'static str {
    match undo {
        Undo::Canceled => "canceled",
        Undo::Final => "final",
        Undo::Pending => "pending",
    }
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.sent_changes(request.since, request.most).await?;
    request.answer(context, changes, id)
}

pub(crate) async fn query(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let window = Window::take(&mut arguments)?;
    arguments.end()?;
    let state = context.account.sending_states().await?.submissions.to_string();
    let found = results(context, &selection).await?;
    window.answer(context, &state, &found, selection.calculate_total, true)
}

pub(crate) async fn query_changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let selection = Selection::take(&mut arguments)?;
    let request = QueryChanges::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.sent_changes(request.since, usize::MAX).await?;
    let changes = changes.filter(|changes| changes.state >= request.since);
    let changes = changes.ok_or(MethodErrorKind::CannotCalculateChanges)?;
    let changed = changes.created.iter().chain(&changes.updated).map(|number| id(*number)).collect();
    let gone = changes.destroyed.iter().map(|number| id(*number)).collect();
    let found = results(context, &selection).await?;
    request.answer(context, &changes.state.to_string(), &found, (changed, gone), &selection)
}

async fn results(context: &Context, selection: &Selection) -> MethodResult<Vec<String>> {
    let sent = context.account.sent().await?;
    let mut found = Vec::with_capacity(sent.len());
    for one in &sent {
        if selection.filter.as_ref().map_or(Ok(true), |filter| matches(filter, one))? {
            found.push(one);
        }
    }
    let keys = selection.sort.iter().map(sort_key).collect::<MethodResult<Vec<_>>>()?;
    found.sort_by(|a, b| {
        let orderings = keys.iter().map(|(key, is_ascending)| {
            let ordering = key(a).cmp(&key(b));
            if *is_ascending { ordering } else { ordering.reverse() }
        });
        orderings.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    Ok(found.into_iter().map(|one| id(one.id)).collect())
}

type SortKey = fn(&Sent) -> i64;

fn sort_key(comparator: &Comparator) -> MethodResult<(SortKey, bool)> {
    let key: SortKey = match comparator.property.as_str() {
        "emailId" => |one| one.email.0,
        "threadId" => |one| one.thread,
        // RFC 8621 §7.3 says sentAt; the property is called sendAt.
        "sentAt" | "sendAt" => |one| one.sent_at,
        _ => return Err(MethodErrorKind::UnsupportedSort.into()),
    };
    Ok((key, comparator.is_ascending))
}

fn matches(filter: &Filter, one: &Sent) -> MethodResult<bool> {
    let all = |filters: &[Filter]| {
        filters.iter().map(|inner| matches(inner, one)).collect::<MethodResult<Vec<_>>>()
    };
    Ok(match filter {
        Filter::And(filters) => all(filters)?.into_iter().all(|matches| matches),
        Filter::Or(filters) => all(filters)?.into_iter().any(|matches| matches),
        Filter::Not(filters) => !all(filters)?.into_iter().any(|matches| matches),
        Filter::Condition(object) => {
            let leaves = object.iter().map(|(name, value)| leaf(name, value, one));
            leaves.collect::<MethodResult<Vec<_>>>()?.into_iter().all(|matches| matches)
        }
    })
}

fn leaf(name: &str, value: &Value, one: &Sent) -> MethodResult<bool> {
    let wrong = || MethodError::argument("filter", &format!("has a {name} of the wrong type"));
    let among = |id: String| {
        let ids = value.as_array().ok_or_else(wrong)?;
        Ok(ids.iter().any(|other| other.as_str() == Some(&id)))
    };
    let date = || value.as_str().and_then(dates::parse_utc).ok_or_else(wrong);
    match name {
        "identityIds" => among(identity::id(one.identity)),
        "emailIds" => among(ids::email(one.email)),
        "threadIds" => among(ids::thread(one.thread)),
        "undoStatus" => Ok(value.as_str().ok_or_else(wrong)? == undo_status(one.undo)),
        "before" => Ok(one.sent_at < date()?),
        "after" => Ok(one.sent_at >= date()?),
        _ => Err(MethodError::new(MethodErrorKind::UnsupportedFilter, format!("{name} is unknown"))),
    }
}

pub(crate) async fn set(context: &mut Context, mut arguments: Arguments) -> MethodResult<Answers> {
    let old_state = context.account.sending_states().await?.submissions.to_string();
    let mut request = SetRequest::take(&mut arguments, &old_state)?;
    let update_emails = arguments.objects("onSuccessUpdateEmail")?;
    let destroy_emails = arguments.strings("onSuccessDestroyEmail")?.unwrap_or_default();
    arguments.end()?;
    if !update_emails.is_empty() || !destroy_emails.is_empty() {
        context.account.require(Scopes::MAIL_WRITE)?;
    }
    let emails_before: BTreeMap<String, String> = match update_emails.is_empty() && destroy_emails.is_empty()
    {
        true => BTreeMap::new(),
        false => known(context).await?,
    };
    let mut answer = SetAnswer::default();
    let mut done: HashSet<String> = HashSet::new();
    for (creation, object) in std::mem::take(&mut request.create) {
        let result = send::create(context, &object).await;
        if result.is_ok() {
            done.insert(format!("#{creation}"));
        }
        answer.created(context, creation, result);
    }
    let (update, destroy) = set::existing(context, &mut request, &mut answer);
    for (written, id, changes) in update {
        let result = update_one(context, &id, &changes).await;
        if result.is_ok() {
            done.extend([written.clone(), id]);
        }
        answer.updated(written, result.map(|()| None));
    }
    for (written, id) in destroy {
        let result = match ids::number(&id, 'S') {
            Some(number) => context.account.forget_sent(number).await.map_err(SetError::from),
            None => Err(SetErrorKind::NotFound.into()),
        };
        if result.is_ok() {
            done.extend([written.clone(), id]);
        }
        answer.destroyed(written, result);
    }
    let new_state = context.account.sending_states().await?.submissions.to_string();
    let own = answer.answer(context, &old_state, &new_state);
    if update_emails.is_empty() && destroy_emails.is_empty() {
        return Ok(own.into());
    }
    let mut emails = emails_before;
    emails.extend(known(context).await?);
    // Of each submission that went well, the e-mail that it is about.
    let email_of = |written: &String| {
        let real = references::created(written, &context.created)?;
        done.contains(written).then(|| emails.get(real).cloned()).flatten()
    };
    let implicit = SetRequest {
        update: update_emails
            .into_iter()
            .filter_map(|(written, patch)| Some((email_of(&written)?, patch)))
            .collect(),
        destroy: destroy_emails.iter().filter_map(email_of).collect(),
        ..SetRequest::default()
    };
    let email_state = context.account.emails().state().await?.to_string();
    let more = email_set::carry_out(context, implicit, &email_state).await?;
    Ok(Answers { own, more: vec![("Email/set", more)] })
}

/// The e-mail of each submission.
async fn known(context: &Context) -> MethodResult<BTreeMap<String, String>> {
    let sent = context.account.sent().await?;
    Ok(sent.iter().map(|one| (id(one.id), ids::email(one.email))).collect())
}

/// All that can be changed is to call it back.
async fn update_one(context: &Context, written: &str, changes: &Object) -> SetResult<()> {
    let number = ids::number(written, 'S').ok_or(SetErrorKind::NotFound)?;
    let known = context.account.sent().await?.into_iter().find(|one| one.id == number);
    let before = object(&known.ok_or(SetErrorKind::NotFound)?);
    let others = |name: &&String| *name != "undoStatus" && before.get(*name) != changes.get(*name);
    let wrong: Vec<String> = changes.keys().filter(others).cloned().collect();
    if !wrong.is_empty() {
        return Err(SetError::properties(wrong, "not to be changed"));
    }
    let wanted = changes.get("undoStatus").and_then(Value::as_str);
    match (before.get("undoStatus").and_then(Value::as_str), wanted) {
        (before, wanted) if before == wanted || !changes.contains_key("undoStatus") => Ok(()),
        (Some("pending" | "final"), Some("canceled")) => {
            context.account.cancel(number).await.map_err(|error| match error {
                hub::Error::Conflict(_) => SetErrorKind::CannotUnsend.into(),
                other => other.into(),
            })
        }
        _ => Err(SetError::property("undoStatus", "cannot become that")),
    }
}
