//! `/api/v1/…`: the same methods as plain HTTP, for who wants to write no batches. One model, two spellings:
//! every request becomes calls of the method table.
//!
//! | request | calls |
//! |---|---|
//! | `GET /api/v1/TYPE?limit=…&position=…&sort=-NAME&FILTER=…` | `TYPE/query`, `TYPE/get` |
//! | `GET /api/v1/TYPE/ID` | `TYPE/get` |
//! | `GET /api/v1/TYPE/changes?since=STATE` | `TYPE/changes` |
//! | `POST /api/v1/TYPE` | `TYPE/set`, create |
//! | `PATCH /api/v1/TYPE/ID` | `TYPE/set`, update; the body is a merge patch (RFC 7396) |
//! | `DELETE /api/v1/TYPE/ID` | `TYPE/set`, destroy |
//!
//! The state is the ETag, `If-Match` is `ifInState`. What went wrong is told as problem details (RFC 9457).

mod body;
pub(crate) mod events;
mod openapi;
mod page;
mod query;
mod typescript;

use hub::{Account, Scopes};
use hub_wire::http::{self, Body};
use hub_wire::http_login;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::Service;
use crate::capability::Capability;
use crate::context::Context;
use crate::core::error::{MethodError, MethodErrorKind, RequestError};
use crate::core::limits::{MAX_CONCURRENT_REQUESTS, MAX_REFERENCED};
use crate::core::request::Invocation;
use crate::methods::{TYPES, Type, Verb};
use crate::reply::{self, Reply};
use crate::run;

pub use typescript::typescript;

/// Objects of a list unless the client says otherwise, and at most.
const LIMIT: u64 = 50;

/// What a path below `/api/v1` leads to.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    List(&'static Type),
    Changes(&'static Type),
    Object(&'static Type, &'a str),
}

impl<'a> Place<'a> {
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/api/v1/")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (name, id) = rest.split_once('/').map_or((rest, None), |(name, id)| (name, Some(id)));
        let known =
            TYPES.iter().find(|known| known.name.eq_ignore_ascii_case(name) && known.has_objects())?;
        match id {
            None => Some(Self::List(known)),
            Some("changes") => known.has(Verb::Changes).then_some(Self::Changes(known)),
            Some(id) => (!id.contains('/')).then_some(Self::Object(known, id)),
        }
    }

    pub(crate) fn methods(&self) -> &'static str {
        match self {
            Self::Changes(_) => "OPTIONS, GET",
            Self::List(known) if known.has(Verb::Set) => "OPTIONS, GET, POST",
            Self::Object(known, _) if known.has(Verb::Set) => "OPTIONS, GET, PATCH, DELETE",
            Self::List(_) | Self::Object(..) => "OPTIONS, GET",
        }
    }
}

/// What nobody need log in for.
#[derive(Clone, Copy)]
pub(crate) enum Public {
    /// OpenAPI 3.1, made from the method table.
    Description,
    /// A page to try things on.
    Page(page::File),
}

impl Public {
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/api/v1")? {
            "/openapi.json" => Some(Self::Description),
            rest => page::File::of(rest).map(Self::Page),
        }
    }

    pub(crate) fn answer(self) -> Reply {
        match self {
            Self::Description => reply::json(StatusCode::OK, &openapi::document()),
            Self::Page(file) => page::answer(file),
        }
    }
}

pub(crate) async fn answer(
    service: &Service,
    account: Account,
    place: Place<'_>,
    head: &Parts,
    body: Body,
) -> Reply {
    let Some(_place) = service.requests.take(account.id(), MAX_CONCURRENT_REQUESTS) else {
        let error = RequestError::Limit("maxConcurrentRequests");
        return reply::problem(error.status(), &error.problem());
    };
    let mut call = Call { context: Context::new(account) };
    call.context.using.extend(Capability::ALL);
    let query = head.uri.query().unwrap_or_default();
    let result = match (place, &head.method) {
        (Place::Changes(known), _) => call.changes(known, query).await,
        (Place::List(known), &Method::POST) => call.create(known, &head.headers, body).await,
        (Place::List(known), _) => call.list(known, query).await,
        (Place::Object(known, id), &Method::PATCH) => call.update(known, id, &head.headers, body).await,
        (Place::Object(known, id), &Method::DELETE) => call.destroy(known, id, &head.headers).await,
        (Place::Object(known, id), _) => call.get(known, id, query).await,
    };
    result.unwrap_or_else(Problem::reply)
}

/// Why a request is refused.
pub(crate) struct Problem {
    status: StatusCode,
    kind: String,
    detail: String,
    more: Map<String, Value>,
    /// What the token would have to cover.
    needed: Option<Scopes>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &str, detail: &str) -> Self {
        Self { status, kind: kind.to_owned(), detail: detail.to_owned(), more: Map::new(), needed: None }
    }

    /// RFC 6750 §3.1
    fn scope(needed: Scopes) -> Self {
        let detail = format!("The token does not cover {needed}.");
        Self { needed: Some(needed), ..Self::new(StatusCode::FORBIDDEN, "forbidden", &detail) }
    }

    fn reply(self) -> Reply {
        let mut object = self.more;
        object.insert("type".into(), format!("urn:ietf:params:jmap:error:{}", self.kind).into());
        object.insert("status".into(), self.status.as_u16().into());
        object.insert("detail".into(), self.detail.into());
        let mut reply = reply::problem(self.status, &object.into());
        if let Some(needed) = self.needed {
            let challenge = http_login::insufficient_scope(&needed.to_string());
            reply::set_text(&mut reply, header::WWW_AUTHENTICATE, &challenge);
        }
        reply
    }

    /// A SetError as it stands in the answer of a `/set`.
    fn of_set(error: &Value) -> Self {
        let kind = error["type"].as_str().unwrap_or("serverFail");
        let status = match kind {
            "notFound" => StatusCode::NOT_FOUND,
            "forbidden" | "forbiddenFrom" | "forbiddenMailFrom" => StatusCode::FORBIDDEN,
            "overQuota" => StatusCode::INSUFFICIENT_STORAGE,
            "tooLarge" => StatusCode::PAYLOAD_TOO_LARGE,
            "serverFail" => StatusCode::SERVICE_UNAVAILABLE,
            "alreadyExists"
            | "stateMismatch"
            | "cannotUnsend"
            | "mailboxHasChild"
            | "mailboxHasEmail"
            | "addressBookHasContents"
            | "nodeHasChildren" => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut problem = Self::new(status, kind, error["description"].as_str().unwrap_or_default());
        if let Some(properties) = error.get("properties") {
            problem.more.insert("properties".into(), properties.clone());
        }
        problem
    }
}

impl From<MethodError> for Problem {
    fn from(error: MethodError) -> Self {
        let status = match error.kind {
            MethodErrorKind::AccountNotFound
            | MethodErrorKind::AnchorNotFound
            | MethodErrorKind::UnknownMethod => StatusCode::NOT_FOUND,
            MethodErrorKind::CannotCalculateChanges | MethodErrorKind::TooManyChanges => StatusCode::GONE,
            MethodErrorKind::Forbidden => StatusCode::FORBIDDEN,
            MethodErrorKind::StateMismatch => StatusCode::PRECONDITION_FAILED,
            MethodErrorKind::ServerFail | MethodErrorKind::ServerUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            MethodErrorKind::FromAccountNotFound
            | MethodErrorKind::InvalidArguments
            | MethodErrorKind::InvalidResultReference
            | MethodErrorKind::RequestTooLarge
            | MethodErrorKind::UnknownDataType
            | MethodErrorKind::UnsupportedFilter
            | MethodErrorKind::UnsupportedSort => StatusCode::BAD_REQUEST,
        };
        let detail = if error.description.is_empty() { error.kind.name() } else { &error.description };
        Self::new(status, error.kind.name(), detail)
    }
}

/// A request that becomes calls.
struct Call {
    context: Context,
}

impl Call {
    async fn run(
        &mut self,
        known: &Type,
        verb: Verb,
        mut arguments: Map<String, Value>,
    ) -> Result<Map<String, Value>, Problem> {
        let needed = known.needs(verb);
        if self.context.account.require(needed).is_err() {
            return Err(Problem::scope(needed));
        }
        arguments.insert("accountId".into(), json!(self.context.account_id));
        let name = format!("{}/{}", known.name, verb.name());
        let nothing: &[Invocation] = &[];
        let answers =
            run::run_call(&mut self.context, &name, arguments, nothing, &mut { MAX_REFERENCED }).await?;
        Ok(answers.own)
    }

    async fn list(&mut self, known: &Type, query: &str) -> Result<Reply, Problem> {
        let asked = query::List::parse(query)?;
        let mut total = Value::Null;
        let mut get = asked.get_arguments();
        let mut position = json!(0);
        if known.has(Verb::Query) {
            let mut found = self.run(known, Verb::Query, asked.query_arguments(LIMIT)).await?;
            total = found.remove("total").unwrap_or_default();
            position = found.remove("position").unwrap_or_default();
            get.insert("ids".into(), found.remove("ids").unwrap_or_default());
        }
        let order = get.get("ids").cloned();
        let mut got = self.run(known, Verb::Get, get).await?;
        let mut list = got.remove("list").unwrap_or_default();
        if let (Some(order), Some(list)) = (order.as_ref().and_then(Value::as_array), list.as_array_mut()) {
            list.sort_by_key(|object| order.iter().position(|id| object.get("id") == Some(id)));
        }
        let state = got.remove("state").unwrap_or_default();
        let answer = json!({ "list": list, "position": position, "total": total, "state": state });
        Ok(with_state(reply::json(StatusCode::OK, &answer), &state))
    }

    async fn get(&mut self, known: &Type, id: &str, query: &str) -> Result<Reply, Problem> {
        let mut arguments = query::List::parse(query)?.get_arguments();
        arguments.insert("ids".into(), json!([id]));
        let got = self.run(known, Verb::Get, arguments).await?;
        match got["list"].get(0) {
            Some(object) => Ok(with_state(reply::json(StatusCode::OK, object), &got["state"])),
            None => Err(Problem::new(StatusCode::NOT_FOUND, "notFound", "There is no such object.")),
        }
    }

    async fn changes(&mut self, known: &Type, query: &str) -> Result<Reply, Problem> {
        let arguments = query::changes_arguments(query)?;
        let mut changes = self.run(known, Verb::Changes, arguments).await?;
        changes.remove("accountId");
        let state = changes["newState"].clone();
        Ok(with_state(reply::json(StatusCode::OK, &changes.into()), &state))
    }

    async fn create(&mut self, known: &Type, headers: &HeaderMap, body: Body) -> Result<Reply, Problem> {
        let object = body::object(headers, body).await?;
        let mut arguments = if_match(headers)?;
        arguments.insert("create".into(), json!({ "new": object }));
        let set = self.run(known, Verb::Set, arguments).await?;
        let Some(made) = set["created"].get("new") else {
            return Err(Problem::of_set(&set["notCreated"]["new"]));
        };
        let mut reply = with_state(reply::json(StatusCode::CREATED, made), &set["newState"]);
        let id = made["id"].as_str().unwrap_or_default();
        reply::set_text(&mut reply, header::LOCATION, &format!("/api/v1/{}/{id}", known.name));
        Ok(reply)
    }

    async fn update(
        &mut self,
        known: &Type,
        id: &str,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Reply, Problem> {
        let merge = body::object(headers, body).await?;
        let within = body::changed_within(&merge);
        let current = match within.is_empty() {
            true => Map::new(),
            false => {
                let arguments = json!({ "ids": [id], "properties": within });
                let got =
                    self.run(known, Verb::Get, arguments.as_object().cloned().unwrap_or_default()).await?;
                got["list"].get(0).and_then(Value::as_object).cloned().unwrap_or_default()
            }
        };
        let patch = body::as_patch(&merge, &current);
        let mut arguments = if_match(headers)?;
        arguments.insert("update".into(), json!({ id: patch }));
        let set = self.run(known, Verb::Set, arguments).await?;
        if let Some(error) = set["notUpdated"].get(id) {
            return Err(Problem::of_set(error));
        }
        Ok(with_state(no_content(), &set["newState"]))
    }

    async fn destroy(&mut self, known: &Type, id: &str, headers: &HeaderMap) -> Result<Reply, Problem> {
        let mut arguments = if_match(headers)?;
        arguments.insert("destroy".into(), json!([id]));
        let set = self.run(known, Verb::Set, arguments).await?;
        if let Some(error) = set["notDestroyed"].get(id) {
            return Err(Problem::of_set(error));
        }
        Ok(with_state(no_content(), &set["newState"]))
    }
}

fn no_content() -> Reply {
    let mut reply = Response::new(http::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

fn with_state(mut reply: Reply, state: &Value) -> Reply {
    if let Some(state) = state.as_str() {
        reply::set_text(&mut reply, header::ETAG, &format!("\"{state}\""));
    }
    reply::set(&mut reply, header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// `If-Match = "*" / entity-tag` as `ifInState`. There is one state, so a list of tags makes no sense; a weak one
/// never matches (RFC 9110 §13.1.1), as no state is written like that.
fn if_match(headers: &HeaderMap) -> Result<Map<String, Value>, Problem> {
    let Some(field) = headers.get(header::IF_MATCH) else { return Ok(Map::new()) };
    let field = field.to_str().unwrap_or_default().trim();
    if field == "*" {
        return Ok(Map::new());
    }
    let state = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
    let is_one = |state: &&str| !state.contains('"');
    match state.filter(is_one).or_else(|| field.starts_with("W/\"").then_some(field)) {
        Some(state) => Ok([("ifInState".to_owned(), json!(state))].into_iter().collect()),
        None => {
            let why = "If-Match is neither * nor one state in quotes.";
            Err(Problem::new(StatusCode::BAD_REQUEST, "invalidArguments", why))
        }
    }
}
