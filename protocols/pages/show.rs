//! GET: the page, or the content, that is at a URL.

use hub::files::{Node, VersionId};
use hub_wire::http;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use crate::status::Refusal;
use crate::visitor::{Place, Spot};
use crate::{Call, Reply, details, find, html, list, trash};

pub(crate) async fn answer(call: &Call, spot: &Spot) -> Result<Reply, Refusal> {
    let (files, path) = match &spot.place {
        Place::Files { files, path, .. } => (files, path),
        Place::Shares(shares, owner) => return Ok(list::of_shares(spot, shares, owner.as_ref())),
    };
    let target = &call.target;
    if !files.access().may_read() {
        return Ok(list::of_uploads(spot, target.parameter("done")));
    }
    if target.parameter("trash").is_some() && spot.is_own() {
        return trash::answer(spot, target.parameter("done")).await;
    }
    let node = files.lookup(path).await?;
    // What was shared by itself is seen with all about it; other files are linked to in that way.
    let is_content = ["raw", "download", "version"].iter().any(|name| target.parameter(name).is_some());
    let is_details =
        target.parameter("details").is_some() || path.is_root() && !node.is_folder() && !is_content;
    // Links on a page are relative to it.
    if (is_details || node.is_folder()) && node.is_folder() != target.is_folder {
        return Ok(redirect(&canonical(call, spot, &node)));
    }
    if is_details {
        return details::answer(call, spot, node).await;
    }
    if node.is_folder() {
        if let Some(text) = target.parameter("find") {
            return find::answer(spot, text).await;
        }
        let after = target.parameter("after").unwrap_or_default();
        return list::answer(spot, &node, after, target.parameter("done")).await;
    }
    let name = node.name.clone();
    let file = match target.parameter("version").map(str::parse) {
        None => files.open_node(node).await?,
        Some(Ok(version)) if spot.is_own() => files.open_version(path, VersionId(version)).await?,
        Some(_) => return Err(hub::Error::NotFound("version").into()),
    };
    let mut reply = hub_content::answer(&call.head.method, &call.head.headers, file).await?;
    if target.parameter("download").is_some() || target.parameter("version").is_some() {
        hub_content::save(&mut reply, &name);
    }
    html::set(&mut reply, header::REFERRER_POLICY, "same-origin");
    Ok(reply)
}

/// The same URL, with a slash at the end if it is a folder's.
fn canonical(call: &Call, spot: &Spot, node: &Node) -> String {
    let path = match &spot.place {
        Place::Files { path, .. } => path.clone(),
        Place::Shares(..) => call.target.path.clone(),
    };
    let mut href = spot.href(&path, node.is_folder());
    if !node.is_folder() && href.len() > 1 {
        href = href.trim_end_matches('/').to_owned();
    }
    match call.head.uri.query() {
        Some(query) => format!("{href}?{query}"),
        None => href,
    }
}

/// RFC 9110 §15.4.4: what a form is answered with, so that nobody sends it twice.
pub(crate) fn redirect(target: &str) -> Reply {
    let mut reply = Response::new(http::empty());
    *reply.status_mut() = StatusCode::SEE_OTHER;
    html::set(&mut reply, header::LOCATION, target);
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
