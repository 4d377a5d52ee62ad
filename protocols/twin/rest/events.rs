//! `GET /api/v1/events`: what has changed, with the objects, as server-sent events. A page that follows them has
//! what it shows without asking for anything else.
//!
//! | event | data |
//! |---|---|
//! | `ready` | `{states}`, first: what was listed at these states is up to date from here on |
//! | `change` | `{type, oldState, newState, created, updated, destroyed}`: objects, objects, ids |
//! | `reset` | `{type, newState}`: what has happened since is not known any more; list it anew |
//! | `ping` | `{interval}` |
//!
//! The id of an event has the states of all types after it, so that a client that comes back with it
//! (`Last-Event-ID`, or `lastEventId` in the URL, for pages that come with another ticket) gets what it missed.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::{Map, Value, json};

use super::Problem;
use crate::Service;
use crate::auth::Login;
use crate::capability::Capability;
use crate::context::Context;
use crate::core::error::MethodErrorKind;
use crate::core::limits::MAX_REFERENCED;
use crate::methods::{TYPES, Type, Verb};
use crate::push::{self, States, Wanted, Watching};
use crate::reply::Reply;
use crate::run;

/// Objects of one event.
const MOST: u64 = 100;
/// Of an e-mail that what a list of them shows; texts are long, and are asked for when one is opened.
const OF_EMAIL: [&str; 13] = [
    "id",
    "blobId",
    "threadId",
    "mailboxIds",
    "keywords",
    "size",
    "receivedAt",
    "sentAt",
    "from",
    "to",
    "subject",
    "hasAttachment",
    "preview",
];

pub(crate) async fn answer(service: &Service, login: Login, headers: &HeaderMap, query: &str) -> Reply {
    match open(service, login, headers, query).await {
        Ok(reply) | Err(reply) => reply,
    }
}

async fn open(service: &Service, login: Login, headers: &HeaderMap, query: &str) -> Result<Reply, Reply> {
    let wrong = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, "invalidArguments", detail).reply();
    let wanted =
        Wanted::parse(query).ok_or_else(|| wrong("The URL asks for something that makes no sense."))?;
    if let Some(unknown) = wanted.types.iter().flatten().find(|name| pushed(name).is_none()) {
        return Err(wrong(&format!("{unknown} has no events.")));
    }
    let of_url = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lastEventId");
    let of_field = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let last = of_field.or_else(|| of_url.map(|(_, id)| id.into_owned()));
    let (mut watching, reply) = push::open(service, login, wanted).await?;
    if let Some(last) = last {
        resume(&mut watching.known, &last);
    }
    tokio::spawn(run(watching));
    Ok(reply)
}

fn pushed(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.name == name && known.pushed.is_some())
}

/// Until the client goes.
async fn run(mut stream: Watching) -> Option<()> {
    let ready = json!({ "states": stream.known });
    send(&stream, "ready", &ready).await?;
    // What a client missed while it was away is told at once.
    let mut changed = stream.states().await?;
    loop {
        for (name, state) in changed {
            tell(&mut stream, name, &state).await?;
        }
        changed = stream.changed().await?;
    }
}

/// What has become of a type's objects since the state that is known, in as many events as it takes.
async fn tell(stream: &mut Watching, name: &'static str, now: &str) -> Option<()> {
    let known = pushed(name)?;
    while stream.known.get(name).is_some_and(|state| state != now) {
        let since = stream.known.get(name)?.clone();
        let (event, data) = match changes(stream, known, &since, now).await {
            Ok(change) => ("change", change),
            Err(MethodErrorKind::CannotCalculateChanges) => {
                ("reset", json!({ "type": name, "newState": now }))
            }
            Err(_) => return None,
        };
        let state = data["newState"].as_str()?.to_owned();
        let is_last = data["hasMoreChanges"] != true;
        stream.known.insert(name, state);
        send(stream, event, &data).await?;
        if is_last {
            // It may be ahead of what made us look.
            return Some(());
        }
    }
    Some(())
}

async fn changes(stream: &Watching, known: &Type, since: &str, now: &str) -> Result<Value, MethodErrorKind> {
    let mut context = Context::new(stream.login.account.clone());
    context.using.extend(Capability::ALL);
    if !known.has(Verb::Changes) {
        // There is one object, or a few.
        let mut got = call(&mut context, known, Verb::Get, Map::new()).await?;
        return Ok(json!({
            "type": known.name, "oldState": since, "newState": now,
            "created": [], "updated": got.remove("list"), "destroyed": [],
        }));
    }
    let arguments = json!({ "sinceState": since, "maxChanges": MOST });
    let mut changes = call(&mut context, known, Verb::Changes, object(arguments)).await?;
    let ids = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (created, updated) = (ids(&changes["created"]), ids(&changes["updated"]));
    let both: Vec<&Value> = created.iter().chain(&updated).collect();
    let mut get = object(json!({ "ids": both }));
    if known.name == "Email" {
        get.insert("properties".into(), json!(OF_EMAIL));
    }
    let mut got = call(&mut context, known, Verb::Get, get).await?;
    let list = got.remove("list").unwrap_or_default();
    let (new, old): (Vec<Value>, Vec<Value>) =
        ids(&list).into_iter().partition(|one| one.get("id").is_some_and(|id| created.contains(id)));
    let mut taken = |name: &str| changes.remove(name).unwrap_or_default();
    Ok(json!({
        "type": known.name, "oldState": taken("oldState"), "newState": taken("newState"),
        "hasMoreChanges": taken("hasMoreChanges"),
        "created": new, "updated": old, "destroyed": taken("destroyed"),
    }))
}

async fn call(
    context: &mut Context,
    known: &Type,
    verb: Verb,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, MethodErrorKind> {
    arguments.insert("accountId".into(), json!(context.account_id));
    let name = format!("{}/{}", known.name, verb.name());
    let answers = run::run_call(context, &name, arguments, &[], &mut { MAX_REFERENCED }).await;
    answers.map(|answers| answers.own).map_err(|error| error.kind)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

async fn send(stream: &Watching, event: &str, data: &Value) -> Option<()> {
    stream.send(format!("event: {event}\nid: {}\ndata: {data}\n\n", id(&stream.known))).await
}

/// `id = type "." state *("," type "." state)`
fn id(states: &States) -> String {
    states.iter().map(|(name, state)| format!("{name}.{state}")).collect::<Vec<_>>().join(",")
}

/// Goes back to the states of an id. What it does not have begins now.
fn resume(states: &mut States, id: &str) {
    for (name, state) in id.split(',').filter_map(|pair| pair.split_once('.')) {
        if let Some(known) = states.get_mut(name) {
            state.clone_into(known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_states() {
        let now = States::from([("Email", "7".to_owned()), ("Mailbox", "8".to_owned())]);
        assert_eq!(id(&now), "Email.7,Mailbox.8");
        for (last, expected) in [
            ("Email.5,Mailbox.6", "Email.5,Mailbox.6"),
            ("Mailbox.6", "Email.7,Mailbox.6"),
            ("Unheard.1,Email.x", "Email.x,Mailbox.8"),
            ("nonsense", "Email.7,Mailbox.8"),
            ("", "Email.7,Mailbox.8"),
        ] {
            let mut states = now.clone();
            resume(&mut states, last);
            assert_eq!(id(&states), expected, "{last}");
        }
    }
}
