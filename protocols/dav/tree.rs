//! MKCOL, DELETE, COPY and MOVE (RFC 4918 §9.3, §9.6, §9.8, §9.9).

use hub::files::{CopyDepth, FilePath, Overwrite, Placed, PropertyName};
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName};

use crate::head::Depth;
use crate::path::{Location, Place};
use crate::reply::{self, Reply};
use crate::shares::{Spot, Tree};
use crate::status::{self, Refusal};
use crate::xml::{Document, Element, Name, Xml, propstat};
use crate::{Call, body, head, nextcloud, proppatch};

pub(crate) async fn mkcol(call: &mut Call) -> Result<Reply, Refusal> {
    let (files, path) = call.target()?;
    let conditions = call.conditions()?;
    if path.is_root() {
        return Err(call.method_not_allowed());
    }
    let properties = match extended(&call.head.headers, body::small(&mut call.body).await?.as_ref())? {
        Extended::Plain => Vec::new(),
        Extended::With(properties) => properties,
        Extended::Refused(reply) => return Ok(reply),
    };
    let node = files.make_folder(&path, properties, conditions).await?;
    let mut reply = reply::empty(StatusCode::CREATED);
    reply::set_text(&mut reply, HeaderName::from_static("oc-fileid"), &node.id.0.to_string());
    Ok(reply)
}

/// What the body of a MKCOL asks for.
enum Extended {
    Plain,
    With(Vec<(PropertyName, String)>),
    Refused(Reply),
}

/// `<!ELEMENT mkcol (set+)>` (RFC 5689 §5.1)
fn extended(headers: &HeaderMap, body: &[u8]) -> Result<Extended, Refusal> {
    if body.is_empty() {
        return Ok(Extended::Plain);
    }
    // RFC 4918 §9.3: a body that is not understood.
    let unknown =
        Refusal::Status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "This body of a MKCOL is not understood.");
    let kind = head::text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "text/xml" | "application/xml") {
        return Err(unknown);
    }
    let document = Document::read(body)?;
    if !document.root.name.is_dav("mkcol") {
        return Err(unknown);
    }
    let sets = document.root.children.iter().filter(|child| child.name.is_dav("set"));
    let properties: Vec<&Element> =
        sets.filter_map(|set| set.dav_child("prop")).flat_map(|prop| &prop.children).collect();
    let mut kept = Vec::new();
    for property in &properties {
        if property.name.is_dav("resourcetype") {
            let is_plain = property.children.iter().all(|kind| kind.name.is_dav("collection"));
            if !is_plain {
                return Ok(Extended::Refused(refused(&properties, &property.name, "valid-resourcetype")));
            }
        } else if proppatch::is_protected(&property.name) {
            let condition = "cannot-modify-protected-property";
            return Ok(Extended::Refused(refused(&properties, &property.name, condition)));
        } else {
            let name = proppatch::property_name(&property.name);
            kept.push((name, document.fragment(property)));
        }
    }
    Ok(Extended::With(kept))
}

/// `<!ELEMENT mkcol-response (propstat+)>` (RFC 5689 §5.2): nothing was made, because of one.
pub(crate) fn refused(properties: &[&Element], culprit: &Name, condition: &str) -> Reply {
    let document = Xml::document("mkcol-response", |xml| {
        let others: Vec<&Name> =
            properties.iter().map(|property| &property.name).filter(|name| *name != culprit).collect();
        xml.dav("propstat", |xml| {
            xml.dav("prop", |xml| xml.element(culprit, |_| {}));
            xml.leaf("status", &crate::xml::status_line(StatusCode::FORBIDDEN));
            xml.dav("error", |xml| xml.empty(condition));
        });
        if !others.is_empty() {
            propstat(xml, StatusCode::FAILED_DEPENDENCY, |xml| {
                others.iter().for_each(|name| xml.element(name, |_| {}));
            });
        }
    });
    reply::xml(StatusCode::FORBIDDEN, document)
}

pub(crate) async fn delete(call: &mut Call) -> Result<Reply, Refusal> {
    let (files, path) = call.target()?;
    let conditions = call.conditions()?;
    // RFC 4918 §9.6.1: a collection goes with everything in it.
    whole_tree(&call.head.headers)?;
    if path.is_root() {
        return Err(if call.tree()?.share.is_some() { staying() } else { call.method_not_allowed() });
    }
    match files.delete(&path, conditions).await {
        Ok(()) => Ok(reply::empty(StatusCode::NO_CONTENT)),
        Err(error) => locked_within(call, error, &path),
    }
}

pub(crate) async fn copy(call: &mut Call) -> Result<Reply, Refusal> {
    let depth = match head::depth(&call.head.headers)? {
        None | Some(Depth::Infinity) => CopyDepth::Infinity,
        Some(Depth::Zero) => CopyDepth::Zero,
        // RFC 4918 §9.8.3
        Some(Depth::One) => return Err(bad_depth()),
    };
    let (files, from) = call.target()?;
    // What others share can be copied as a whole.
    if from.is_root() && call.tree()?.share.is_none() {
        return Err(staying());
    }
    let target = end(call).await?;
    let (conditions, overwrite) = (call.conditions()?, overwrite(call)?);
    let to = (&target.files, &target.path());
    let placed = files.copy(&from, to, depth, overwrite, conditions).await?;
    Ok(arrived(&placed, &target.location))
}

pub(crate) async fn rename(call: &mut Call) -> Result<Reply, Refusal> {
    if let Some(parts) = nextcloud::parts(&call.location.place) {
        return nextcloud::assemble(call, parts).await;
    }
    // RFC 4918 §9.9.2
    whole_tree(&call.head.headers)?;
    let (files, from) = call.target()?;
    if from.is_root() {
        return Err(staying());
    }
    let target = end(call).await?;
    let (conditions, overwrite) = (call.conditions()?, overwrite(call)?);
    let to = (&target.files, &target.path());
    match files.rename(&from, to, overwrite, conditions).await {
        Ok(placed) => Ok(arrived(&placed, &target.location)),
        Err(error) => locked_within(call, error, &from),
    }
}

fn locked_within(call: &Call, error: hub::Error, top: &FilePath) -> Result<Reply, Refusal> {
    status::of_tree(&error, top, &call.location, "lock-token-submitted").ok_or(error.into())
}

fn whole_tree(headers: &HeaderMap) -> Result<(), Refusal> {
    match head::depth(headers)? {
        None | Some(Depth::Infinity) => Ok(()),
        Some(Depth::Zero | Depth::One) => Err(bad_depth()),
    }
}

fn bad_depth() -> Refusal {
    Refusal::Status(StatusCode::BAD_REQUEST, "This method does not know this Depth.")
}

pub(crate) fn overwrite(call: &Call) -> Result<Overwrite, Refusal> {
    Ok(if head::overwrite(&call.head.headers)? { Overwrite::Allow } else { Overwrite::Refuse })
}

/// The tree that a file or folder is to be brought to, with the path there.
async fn end(call: &Call) -> Result<Tree, Refusal> {
    let location = destination(call)?;
    match (&call.location.place, &location.place) {
        (Place::File { .. }, Place::File { .. }) | (Place::Upload { .. }, Place::Upload { .. }) => {}
        _ => return Err(Refusal::Status(StatusCode::FORBIDDEN, "Files cannot be brought there.")),
    }
    let target = Spot::find_to_write(&call.account, &location).await?;
    if target.path().is_root() { Err(staying()) } else { Ok(target) }
}

fn staying() -> Refusal {
    Refusal::Status(StatusCode::FORBIDDEN, "A home, and what others share, stays where it is.")
}

/// Where the Destination leads to; it belongs to whoever asks.
pub(crate) fn destination(call: &Call) -> Result<Location, Refusal> {
    let location = head::destination(&call.head.uri, &call.head.headers)?;
    match &location.place {
        Place::File { handle: Some(handle), .. } | Place::Upload { handle, .. }
            if handle.to_lowercase() != call.account.handle().key() =>
        {
            Err(Refusal::Status(StatusCode::FORBIDDEN, "This belongs to somebody else."))
        }
        _ => Ok(location),
    }
}

/// RFC 4918 §9.8.5, §9.9.4
pub(crate) fn arrived(placed: &Placed, location: &Location) -> Reply {
    let status = if placed.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let mut reply = reply::empty(status);
    if let (true, Place::File { path, .. }) = (placed.created, &location.place) {
        let href = location.href(&path.to_string(), placed.node.is_folder());
        reply::set_text(&mut reply, header::LOCATION, &href);
    }
    reply
}
