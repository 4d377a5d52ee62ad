//! PROPPATCH (RFC 4918 §9.2): all or nothing.

use hub::files::{NodePatch, PropertyName};
use hyper::StatusCode;

use crate::path::Place;
use crate::props;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{Document, Element, Name, Xml, propstat};
use crate::{Call, body, head};

pub(crate) use crate::props::is_protected;

/// More than a file may have.
const MAX_CHANGES: usize = 1000;

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let none = Refusal::Status(StatusCode::BAD_REQUEST, "The body is no propertyupdate.");
    let document = body::xml(&mut call.body).await?.ok_or(none)?;
    let changes = read(&document)?;
    let protected: Vec<&Name> =
        changes.iter().map(|(element, _)| &element.name).filter(|name| is_protected(name)).collect();
    if let Place::Root | Place::Homes | Place::Principals | Place::Principal { .. } = call.location.place {
        let all: Vec<&Name> = changes.iter().map(|(element, _)| &element.name).collect();
        return Ok(refused(&call.location.base, &all, &changes, "cannot-modify-protected-property"));
    }
    let (files, path) = call.target()?;
    let conditions = call.conditions()?;
    let node = files.lookup(&path).await?;
    let href = call.location.href(&path.to_string(), node.is_folder());
    if !protected.is_empty() {
        return Ok(refused(&href, &protected, &changes, "cannot-modify-protected-property"));
    }
    files.patch(&path, patch(&document, &changes), conditions).await?;
    // RFC 8144 §2.1
    if head::prefer(&call.head.headers).minimal {
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    Ok(single(&href, |xml| {
        propstat(xml, StatusCode::OK, |xml| {
            changes.iter().for_each(|(element, _)| xml.element(&element.name, |_| {}));
        });
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Set,
    Remove,
}

/// `<!ELEMENT propertyupdate (remove | set)+ >` (RFC 4918 §14.19), in document order.
fn read(document: &Document) -> Result<Vec<(&Element, What)>, Refusal> {
    let malformed = Refusal::Status(StatusCode::BAD_REQUEST, "The body is no propertyupdate.");
    if !document.root.name.is_dav("propertyupdate") {
        return Err(malformed);
    }
    let mut changes = Vec::new();
    for instruction in &document.root.children {
        let what = match instruction.name.local() {
            "set" if instruction.name.is_dav("set") => What::Set,
            "remove" if instruction.name.is_dav("remove") => What::Remove,
            // RFC 4918 §17: what is not known is ignored.
            _ => continue,
        };
        let Some(prop) = instruction.dav_child("prop") else { return Err(malformed) };
        changes.extend(prop.children.iter().map(|element| (element, what)));
    }
    match changes.len() {
        0 => Err(malformed),
        1..=MAX_CHANGES => Ok(changes),
        _ => Err(Refusal::Status(StatusCode::PAYLOAD_TOO_LARGE, "There are too many properties.")),
    }
}

fn patch(document: &Document, changes: &[(&Element, What)]) -> NodePatch {
    let mut patch = NodePatch::default();
    for (element, what) in changes {
        let value = (*what == What::Set).then(|| document.fragment(element));
        if value.is_some() {
            times(element, &mut patch);
        }
        patch.properties.push((property_name(&element.name), value));
    }
    patch
}

/// What Windows (and rclone, for ownCloud) say about a file's times is heeded, and kept as well: they ask
/// for it again.
fn times(element: &Element, patch: &mut NodePatch) {
    let text = element.text.trim();
    let date = || {
        let since = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    if props::is_win32(&element.name, "Win32LastModifiedTime") {
        patch.modified_at = date().or(patch.modified_at);
    } else if props::is_win32(&element.name, "Win32CreationTime") {
        patch.created_at = date().or(patch.created_at);
    } else if element.name.is_dav("lastmodified") {
        patch.modified_at = text.parse().ok().filter(|seconds| *seconds >= 0).or(patch.modified_at);
    }
}

pub(crate) fn property_name(name: &Name) -> PropertyName {
    PropertyName { namespace: name.namespace().to_owned(), name: name.local().to_owned() }
}

fn single(href: &str, propstats: impl FnOnce(&mut Xml)) -> Reply {
    let document = Xml::document("multistatus", |xml| {
        xml.dav("response", |xml| {
            xml.leaf("href", href);
            propstats(xml);
        });
    });
    reply::xml(StatusCode::MULTI_STATUS, document)
}

/// RFC 4918 §9.2.1: 403 for those that cannot be changed, 424 for the others, which are not.
fn refused(href: &str, culprits: &[&Name], changes: &[(&Element, What)], condition: &str) -> Reply {
    let others: Vec<&Name> =
        changes.iter().map(|(element, _)| &element.name).filter(|name| !culprits.contains(name)).collect();
    single(href, |xml| {
        xml.dav("propstat", |xml| {
            xml.dav("prop", |xml| culprits.iter().for_each(|name| xml.element(name, |_| {})));
            xml.leaf("status", &crate::xml::status_line(StatusCode::FORBIDDEN));
            xml.dav("error", |xml| xml.empty(condition));
        });
        if !others.is_empty() {
            propstat(xml, StatusCode::FAILED_DEPENDENCY, |xml| {
                others.iter().for_each(|name| xml.element(name, |_| {}));
            });
        }
    })
}
