//! Sharing with other twins by POST (Apple's caldav-sharing §5.3, §5.4): of a collection, its owner says who
//! may see it; of its home, a twin answers invitations.

use hub::Address;
use hub::collections::{Access, Invitation};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::Target;
use crate::path::Within;
use crate::proppatch::twin;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{CALENDAR_SERVER, Document, Element, Xml};
use crate::{Call, body};

/// Changes in one request.
const MOST: usize = 100;

const MALFORMED: Refusal =
    Refusal::Status(StatusCode::BAD_REQUEST, "The body is neither share nor invite-reply.");

/// Whether a body is meant for here, by what the client calls it.
pub(super) fn is_meant(call: &Call) -> bool {
    let media_type = crate::head::text(&call.head.headers, &header::CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(media_type.as_str(), "application/xml" | "text/xml")
}

pub(super) async fn post(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    let document = body::xml(&mut call.body).await?.ok_or(MALFORMED)?;
    match &target.at {
        Within::Collection(name) if document.root.name.is(CALENDAR_SERVER, "share") => {
            share(call, target, name, &document).await
        }
        Within::Home if document.root.name.is(CALENDAR_SERVER, "invite-reply") => {
            answer(call, &document).await
        }
        _ => Err(MALFORMED),
    }
}

/// `<!ELEMENT share (set | remove)*>`, in the order in which they stand there.
async fn share(call: &Call, target: &Target, name: &str, document: &Document) -> Result<Reply, Refusal> {
    let changes = &document.root.children;
    if changes.len() > MOST {
        return Err(Refusal::Status(StatusCode::PAYLOAD_TOO_LARGE, "There are too many changes."));
    }
    target.collections.find(name).await?;
    // All are read before any is carried out.
    let changes: Vec<Change> = changes
        .iter()
        .filter_map(|element| Change::read(call, element).transpose())
        .collect::<Result<_, _>>()?;
    let mut unknown = Vec::new();
    for change in changes {
        let done = match &change.what {
            Some((access, summary)) => {
                let summary = summary.as_deref();
                target.collections.share(name, &change.twin, *access, summary, Invitation::Ask).await
            }
            None => target.collections.unshare(name, &change.twin).await,
        };
        match done {
            // Whom nothing is shared with, stays so.
            Ok(()) | Err(hub::Error::NotFound("grant")) => {}
            Err(hub::Error::Invalid(_)) => unknown.push(change.href),
            Err(error) => return Err(error.into()),
        }
    }
    match unknown.is_empty() {
        true => Ok(uncached(reply::empty(StatusCode::OK))),
        false => Ok(partly(&unknown)),
    }
}

/// What Apple's calendar server answers if some are nobody here.
fn partly(unknown: &[String]) -> Reply {
    let document = Xml::document("multistatus", |xml| {
        for href in unknown {
            xml.dav("response", |xml| {
                xml.leaf("href", href);
                xml.leaf("status", &crate::xml::status_line(StatusCode::FORBIDDEN));
            });
        }
    });
    uncached(reply::xml(StatusCode::MULTI_STATUS, document))
}

struct Change {
    href: String,
    twin: Address,
    /// `None`: it is taken back.
    what: Option<(Access, Option<String>)>,
}

impl Change {
    /// `<!ELEMENT set (DAV:href, common-name?, summary?, (read | read-write)>`,
    /// `<!ELEMENT remove (DAV:href)>` (caldav-sharing §6.27, §6.28); `None` for what is not known.
    fn read(call: &Call, element: &Element) -> Result<Option<Self>, Refusal> {
        let is = |local| element.name.is(CALENDAR_SERVER, local);
        if !is("set") && !is("remove") {
            return Ok(None);
        }
        let href = element.dav_child("href").map(|href| href.text.trim()).ok_or(MALFORMED)?;
        let stranger =
            Refusal::Status(StatusCode::FORBIDDEN, "It can be shared with twins of this hub only.");
        let twin = twin(call, href).ok_or(stranger)?;
        let has = |local| element.child(CALENDAR_SERVER, local).is_some();
        let what = match (is("remove"), has("read"), has("read-write")) {
            (true, ..) => None,
            (false, true, false) => Some(Access::Read),
            (false, false, true) => Some(Access::Write),
            (false, ..) => return Err(MALFORMED),
        };
        let summary = element.child(CALENDAR_SERVER, "summary").map(|summary| summary.text.trim().to_owned());
        Ok(Some(Self { href: href.to_owned(), twin, what: what.map(|access| (access, summary)) }))
    }
}

/// `<!ELEMENT invite-reply (DAV:href, (invite-accepted | invite-declined), hosturl, in-reply-to, summary?>`
async fn answer(call: &Call, document: &Document) -> Result<Reply, Refusal> {
    let child = |local| document.root.child(CALENDAR_SERVER, local);
    let accepts = match (child("invite-accepted"), child("invite-declined")) {
        (Some(_), None) => true,
        (None, Some(_)) => false,
        _ => return Err(MALFORMED),
    };
    let uid = child("in-reply-to").map(|uid| uid.text.trim()).ok_or(MALFORMED)?;
    let name = call.account.answer_invitation(uid, accepts).await?;
    let Some(name) = name else { return Ok(uncached(reply::empty(StatusCode::OK))) };
    let href = call.location.href(&name, true);
    // caldav-sharing §6.29
    let document = Xml::document_of(CALENDAR_SERVER, "shared-as", |xml| xml.leaf("href", &href));
    Ok(uncached(reply::xml(StatusCode::OK, document)))
}

fn uncached(mut reply: Reply) -> Reply {
    reply::set(&mut reply, header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}
