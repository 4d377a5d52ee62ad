//! LOCK and UNLOCK (RFC 4918 §6, §9.10, §9.11).

use hub::files::{FileLock, FilePath, LockRequest, LockScope, LockToken};
use hyper::StatusCode;
use hyper::header::HeaderName;

use crate::head::Depth;
use crate::props::active_lock;
use crate::reply::{self, Reply};
use crate::status::{self, Refusal};
use crate::xml::{Document, Element, Xml};
use crate::{Call, body, head};

/// For who does not say how long: as long as Office works without a word.
const DEFAULT_TIMEOUT: u32 = 3600;

pub(crate) async fn lock(call: &mut Call) -> Result<Reply, Refusal> {
    let timeout = head::timeout(&call.head.headers).unwrap_or(DEFAULT_TIMEOUT);
    let is_deep = match head::depth(&call.head.headers)? {
        // RFC 4918 §9.10.3; Windows sends none.
        None | Some(Depth::Infinity) => true,
        Some(Depth::Zero) => false,
        Some(Depth::One) => {
            return Err(Refusal::Status(StatusCode::BAD_REQUEST, "LOCK does not know this Depth."));
        }
    };
    let Some(document) = body::xml(&mut call.body).await? else { return refresh(call, timeout).await };
    let (scope, owner) = read(&document)?;
    let (files, path) = call.target()?;
    let conditions = call.conditions()?;
    let request = LockRequest { scope, is_deep, owner, timeout_seconds: timeout };
    let (lock, placed) = match files.lock(&path, request, conditions).await {
        Err(hub::Error::Locked { root }) => return Ok(conflicting(call, &path, root)),
        other => other?,
    };
    // RFC 4918 §7.3: a lock on a name where nothing was has made an empty file.
    let status = if placed.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut reply = discovered(call, status, &lock);
    reply::set_text(&mut reply, HeaderName::from_static("lock-token"), &format!("<{}>", lock.token.as_str()));
    Ok(reply)
}

/// RFC 4918 §9.10.6; or §9.10.3, if the other lock lies within the folder that was to be locked.
fn conflicting(call: &Call, path: &FilePath, root: String) -> Reply {
    let (href, condition) = (call.location.href(&root, root.is_empty()), "no-conflicting-lock");
    let within = status::of_tree(&hub::Error::Locked { root }, path, &call.location, condition);
    within.unwrap_or_else(|| reply::condition(StatusCode::LOCKED, condition, |xml| xml.leaf("href", &href)))
}

/// RFC 4918 §9.10.2: no body, and one token in `If`.
async fn refresh(call: &Call, timeout: u32) -> Result<Reply, Refusal> {
    let (files, path) = call.target()?;
    let conditions = call.conditions()?;
    let [token] = conditions.tokens.as_slice() else {
        let none = "A LOCK without a body refreshes the lock that If names, and needs one.";
        return Err(Refusal::Status(StatusCode::BAD_REQUEST, none));
    };
    match files.refresh_lock(&path, token, timeout).await {
        Err(hub::Error::Stale) => {
            Err(Refusal::Condition(StatusCode::PRECONDITION_FAILED, "lock-token-matches-request-uri"))
        }
        lock => Ok(discovered(call, StatusCode::OK, &lock?)),
    }
}

/// `<!ELEMENT lockinfo (lockscope, locktype, owner?) >` (RFC 4918 §14.11)
fn read(document: &Document) -> Result<(LockScope, String), Refusal> {
    let malformed = Refusal::Status(StatusCode::BAD_REQUEST, "The body is no lockinfo.");
    let root = &document.root;
    let child = |element: &str| root.dav_child(element).filter(|_| root.name.is_dav("lockinfo"));
    let has = |element: Option<&Element>, local| element.is_some_and(|it| it.dav_child(local).is_some());
    if !has(child("locktype"), "write") {
        return Err(malformed);
    }
    let scope = child("lockscope");
    let scope = match (has(scope, "exclusive"), has(scope, "shared")) {
        (true, false) => LockScope::Exclusive,
        (false, true) => LockScope::Shared,
        _ => return Err(malformed),
    };
    Ok((scope, child("owner").map_or_else(String::new, |owner| document.fragment(owner))))
}

/// The property `lockdiscovery`, with this lock.
fn discovered(call: &Call, status: StatusCode, lock: &FileLock) -> Reply {
    let root = call.location.href(&lock.root.to_string(), lock.root.is_root());
    let document = Xml::document("prop", |xml| {
        xml.dav("lockdiscovery", |xml| active_lock(xml, lock, &root));
    });
    reply::xml(status, document)
}

/// RFC 4918 §9.11: `Lock-Token = "Lock-Token" ":" Coded-URL`
pub(crate) async fn unlock(call: &mut Call) -> Result<Reply, Refusal> {
    let (files, path) = call.target()?;
    let field = head::named(&call.head.headers, "lock-token").unwrap_or_default();
    let Some(token) = field.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
        return Err(Refusal::Status(StatusCode::BAD_REQUEST, "Lock-Token is missing, or not <TOKEN>."));
    };
    match files.unlock(&path, &LockToken::new(token)?).await {
        Err(hub::Error::Conflict(_)) => {
            Err(Refusal::Condition(StatusCode::CONFLICT, "lock-token-matches-request-uri"))
        }
        done => done.map(|()| reply::empty(StatusCode::NO_CONTENT)).map_err(Refusal::from),
    }
}
