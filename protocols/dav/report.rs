//! REPORT: synchronisation (RFC 6578), and reports about principals (RFC 3744 §9, RFC 3253 §3.8).

mod expand;
pub(crate) mod principals;

use hub::SyncState;
use hub::files::{FileChanges, FilePath, Files, SyncDepth};
use hyper::StatusCode;

use crate::head::Depth;
use crate::propfind::{Rows, Stop, below, multistatus};
use crate::props::{Ask, sync_state, sync_token};
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{DAV, Element};
use crate::{Call, body, collections, head};

/// Changes read at once.
const PAGE: usize = 1000;

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let none = Refusal::Status(StatusCode::BAD_REQUEST, "A REPORT has a body that says which.");
    let document = body::xml(&mut call.body).await?.ok_or(none)?;
    if let Some(reply) = collections::report(call, &document.root).await {
        return reply;
    }
    let name = &document.root.name;
    match name.local() {
        _ if name.namespace() != DAV => Err(unsupported()),
        "sync-collection" => sync_collection(call, &document.root).await,
        "expand-property" => expand::answer(call, &document.root).await,
        "principal-match" => principals::matching(call, &document.root).await,
        "principal-property-search" => principals::search(call, &document.root).await,
        "principal-search-property-set" => Ok(principals::search_properties()),
        "acl-principal-prop-set" => principals::of_acl(call, &document.root).await,
        _ => Err(unsupported()),
    }
}

/// RFC 3253 §3.6
pub(crate) fn unsupported() -> Refusal {
    Refusal::Condition(StatusCode::FORBIDDEN, "supported-report")
}

/// `<!ELEMENT sync-collection (sync-token, sync-level, limit?, prop)>` (RFC 6578 §6.1)
pub(crate) struct SyncRequest {
    pub(crate) since: Option<SyncState>,
    depth: SyncDepth,
    pub(crate) limit: Option<usize>,
    pub(crate) ask: Ask,
}

impl SyncRequest {
    pub(crate) fn read(call: &Call, root: &Element) -> Result<Self, Refusal> {
        let bad = |why| Refusal::Status(StatusCode::BAD_REQUEST, why);
        let token = root.dav_child("sync-token").ok_or(bad("There is no sync-token."))?.text.trim();
        let since = match token.is_empty() {
            true => None,
            false => Some(sync_state(token).ok_or_else(invalid_token)?),
        };
        let level = root.dav_child("sync-level").map(|level| level.text.trim());
        let depth = match (level, head::depth(&call.head.headers)?) {
            (Some("1"), _) => SyncDepth::One,
            (Some("infinite" | "infinity"), _) => SyncDepth::Infinity,
            (Some(_), _) => return Err(bad("The sync-level is neither 1 nor infinite.")),
            // Programs of before RFC 6578 say it in the header field.
            (None, Some(Depth::Infinity)) => SyncDepth::Infinity,
            (None, _) => SyncDepth::One,
        };
        let limit = root.dav_child("limit").and_then(|limit| limit.dav_child("nresults"));
        let limit = match limit.map(|number| number.text.trim().parse::<usize>()) {
            None => None,
            Some(Ok(number)) if number > 0 => Some(number),
            Some(_) => return Err(bad("The limit is not a number.")),
        };
        let ask = Ask::of(root)?.unwrap_or(Ask::These(Vec::new()));
        Ok(Self { since, depth, limit, ask })
    }
}

/// RFC 6578 §3.2
pub(crate) fn invalid_token() -> Refusal {
    Refusal::Condition(StatusCode::FORBIDDEN, "valid-sync-token")
}

async fn sync_collection(call: &mut Call, root: &Element) -> Result<Reply, Refusal> {
    let tree = call.tree()?.clone();
    let (files, path) = (tree.files.clone(), tree.path());
    let wanted = SyncRequest::read(call, root)?;
    if !files.lookup(&path).await?.is_folder() {
        return Err(unsupported());
    }
    let limit = wanted.limit.unwrap_or(PAGE).min(PAGE);
    // The first page before the status: whether the token is known.
    let first = match files.changes(&path, wanted.since, wanted.depth, limit).await {
        Err(hub::Error::Stale) => return Err(invalid_token()),
        first => first?,
    };
    let prefer = head::prefer(&call.head.headers);
    let (mut rows, body) = Rows::new(call, tree, wanted.ask, prefer).await?;
    let href = call.location.href(&path.to_string(), true);
    let sync = Sync { files, path, href, depth: wanted.depth, limit: wanted.limit };
    tokio::spawn(async move {
        match sync.run(&mut rows, first).await {
            Ok(state) => rows.end_with(Ok(()), |xml| xml.leaf("sync-token", &sync_token(state))).await,
            Err(stop) => rows.end(Err(stop)).await,
        }
    });
    Ok(multistatus(prefer, body))
}

struct Sync {
    files: Files,
    path: FilePath,
    href: String,
    depth: SyncDepth,
    /// Of the client. Without one it gets everything in one answer.
    limit: Option<usize>,
}

impl Sync {
    /// Returns the state that the answer represents: of the part that was sent, if that is not all
    /// (RFC 6578 §3.6).
    async fn run(&self, rows: &mut Rows, first: FileChanges) -> Result<SyncState, Stop> {
        let mut page = first;
        let mut left = self.limit.unwrap_or(usize::MAX);
        loop {
            left = left.saturating_sub(page.changes.len());
            self.write(rows, &mut page).await?;
            if !page.has_more {
                return Ok(page.state);
            }
            if left == 0 {
                let condition = Some("number-of-matches-within-limits");
                rows.out().status(&self.href, StatusCode::INSUFFICIENT_STORAGE, condition).await?;
                return Ok(page.state);
            }
            page = self.files.changes(&self.path, Some(page.state), self.depth, left.min(PAGE)).await?;
        }
    }

    async fn write(&self, rows: &mut Rows, page: &mut FileChanges) -> Result<(), Stop> {
        let mut there = Vec::new();
        for change in page.changes.drain(..) {
            let path = below(&self.path, &change.path);
            match change.node {
                Some(node) => there.push((path, node)),
                None => rows.gone(&path).await?,
            }
        }
        rows.page(there).await
    }
}

/// Answers about nothing, or about the twin itself: a multistatus that is short enough to be whole.
fn short(content: impl FnOnce(&mut crate::xml::Xml)) -> Reply {
    reply::xml(StatusCode::MULTI_STATUS, crate::xml::Xml::document("multistatus", content))
}
