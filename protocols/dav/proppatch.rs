//! PROPPATCH (RFC 4918 §9.2): all or nothing.

mod proxies;

use hub::files::{NodePatch, PropertyName};
use hyper::StatusCode;

use crate::path::Place;
use crate::props;
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{Document, Element, Name, Xml, propstat};
use crate::{Call, body, head};

pub(crate) use crate::props::is_protected;
pub(crate) use proxies::twin;

/// More than a file may have.
const MAX_CHANGES: usize = 1000;

pub(crate) const MALFORMED: Refusal =
    Refusal::Status(StatusCode::BAD_REQUEST, "The body is no propertyupdate.");

/// An element and what is to be done with it.
pub(crate) type Change<'d> = (&'d Element, What);

pub(crate) async fn answer(call: &mut Call) -> Result<Reply, Refusal> {
    let document = body::xml(&mut call.body).await?.ok_or(MALFORMED)?;
    let changes = read(&document)?;
    if let Place::ProxyGroup { access, .. } = call.location.place {
        return proxies::patch(call, access, &changes).await;
    }
    if let Place::Root | Place::Homes | Place::Principals | Place::Principal { .. } = call.location.place {
        return Ok(all_refused(&call.location.base, &changes));
    }
    let (files, path) = call.target()?;
    let conditions = call.conditions()?;
    let node = files.lookup(&path).await?;
    let href = call.location.href(&path.to_string(), node.is_folder());
    if let Some(reply) = protected(&href, &changes) {
        return Ok(reply);
    }
    files.patch(&path, patch(&document, &changes), conditions).await?;
    Ok(done(call, &href, &changes))
}

/// What everything being changed is answered with.
pub(crate) fn done(call: &Call, href: &str, changes: &[Change<'_>]) -> Reply {
    // RFC 8144 §2.1
    if head::prefer(&call.head.headers).minimal {
        return reply::empty(StatusCode::NO_CONTENT);
    }
    single(href, |xml| {
        propstat(xml, StatusCode::OK, |xml| {
            changes.iter().for_each(|(element, _)| xml.element(&element.name, |_| {}));
        });
    })
}

/// The answer if there is something among the changes that only the server sets.
pub(crate) fn protected(href: &str, changes: &[Change<'_>]) -> Option<Reply> {
    let culprits: Vec<&Name> =
        changes.iter().map(|(element, _)| &element.name).filter(|name| is_protected(name)).collect();
    let condition = "cannot-modify-protected-property";
    (!culprits.is_empty()).then(|| refused(href, &culprits, changes, condition))
}

/// The answer where nothing can be set.
pub(crate) fn all_refused(href: &str, changes: &[Change<'_>]) -> Reply {
    let all: Vec<&Name> = changes.iter().map(|(element, _)| &element.name).collect();
    refused(href, &all, changes, "cannot-modify-protected-property")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Set,
    Remove,
}

/// `<!ELEMENT propertyupdate (remove | set)+ >` (RFC 4918 §14.19), in document order.
pub(crate) fn read(document: &Document) -> Result<Vec<Change<'_>>, Refusal> {
    if !document.root.name.is_dav("propertyupdate") {
        return Err(MALFORMED);
    }
    let mut changes = Vec::new();
    for instruction in &document.root.children {
        let what = match instruction.name.local() {
            "set" if instruction.name.is_dav("set") => What::Set,
            "remove" if instruction.name.is_dav("remove") => What::Remove,
            // RFC 4918 §17: what is not known is ignored.
            _ => continue,
        };
        let Some(prop) = instruction.dav_child("prop") else { return Err(MALFORMED) };
        changes.extend(prop.children.iter().map(|element| (element, what)));
    }
    match changes.len() {
        0 => Err(MALFORMED),
        1..=MAX_CHANGES => Ok(changes),
        _ => Err(Refusal::Status(StatusCode::PAYLOAD_TOO_LARGE, "There are too many properties.")),
    }
}

fn patch(document: &Document, changes: &[Change<'_>]) -> NodePatch {
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
pub(crate) fn refused(href: &str, culprits: &[&Name], changes: &[Change<'_>], condition: &str) -> Reply {
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
