//! Thread/get, Thread/changes (RFC 8621 §3).

use std::collections::{BTreeMap, BTreeSet};

use hub::EmailId;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodErrorKind, MethodResult};
use crate::core::get::GetRequest;
use crate::core::limits::MAX_QUERY;
use crate::ids;
use crate::mail::email;

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let request = GetRequest::take(context, &mut arguments, |name| name == "emailIds")?;
    arguments.end()?;
    let emails = context.account.emails();
    let state = emails.state().await?.to_string();
    let conversations = emails.conversations().await?;
    let threads: Vec<i64> = match &request.ids {
        Some(wanted) => wanted.iter().filter_map(|id| ids::parse_thread(id)).collect(),
        None => {
            let all = email::all(context).await?;
            let threads: BTreeSet<i64> =
                all.iter().filter_map(|email| conversations.thread(*email)).collect();
            threads.into_iter().collect()
        }
    };
    let members: Vec<EmailId> = threads.iter().flat_map(|thread| conversations.emails(*thread)).collect();
    if members.len() > 10 * MAX_QUERY {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    let mut by_thread: BTreeMap<i64, Vec<(i64, EmailId)>> = BTreeMap::new();
    for email in emails.find(&members).await?.into_values() {
        by_thread.entry(email.thread).or_default().push((email.received_at, email.id));
    }
    let object = |(thread, mut members): (i64, Vec<(i64, EmailId)>)| {
        // RFC 8621 §3: by the date of receipt, oldest first.
        members.sort_unstable();
        let members: Vec<String> = members.into_iter().map(|(_, email)| ids::email(email)).collect();
        let object = json!({ "id": ids::thread(thread), "emailIds": members });
        object.as_object().cloned().unwrap_or_default()
    };
    let objects = by_thread.into_iter().map(object).collect();
    Ok(request.answer(context, &state, objects))
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.emails().thread_changes(request.since, request.most).await?;
    request.answer(context, changes, ids::thread)
}
