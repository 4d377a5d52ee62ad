//! expand-property (RFC 3253 §3.8): properties, and the properties of what they refer to.

use hub::collections::Access;
use hyper::StatusCode;

use super::{principals, short};
use crate::Call;
use crate::path::Place;
use crate::propfind::{context, of_principals, principal};
use crate::props::{Ask, Context, Subject, What};
use crate::reply::Reply;
use crate::status::Refusal;
use crate::xml::{CALENDAR_SERVER, DAV, Element, Name, PropStat, Xml};

/// Properties that refer to the twin's own principal, on what is its own.
const REFERENCES: &[&str] = &["current-user-principal", "owner", "principal-URL"];
/// Properties that refer to those of others: for whom the twin is a proxy (caldav-proxy §5.3).
const OTHERS: &[(&str, Access)] =
    &[("calendar-proxy-read-for", Access::Read), ("calendar-proxy-write-for", Access::Write)];

/// `<!ELEMENT expand-property (property*)>`
pub(super) async fn answer(call: &Call, root: &Element) -> Result<Reply, Refusal> {
    let (files, node, href) = match &call.location.place {
        Place::File { .. } | Place::Upload { .. } => {
            let (files, path) = call.target()?;
            let node = files.lookup(&path).await?;
            let href = call.location.href(&path.to_string(), node.is_folder());
            (Some(files), Some(node), href)
        }
        Place::Nothing => return Err(Refusal::Status(StatusCode::NOT_FOUND, "There is nothing here.")),
        _ => (None, None, call.location.base.clone()),
    };
    let ask = Ask::These(names(root));
    let mut context = context(call, files.as_ref().map(|files| (files, &ask))).await?;
    of_principals(call, &ask, &mut context).await?;
    let dead = match (&files, &node) {
        (Some(files), Some(node)) if node.has_properties => {
            files.properties(&[node.id]).await?.remove(&node.id).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let what = match (&node, &call.location.place) {
        (Some(node), _) => What::Node(node),
        (None, Place::Principal { .. }) => What::Principal,
        (None, Place::ProxyGroup { access, .. }) => What::ProxyGroup(*access),
        (None, _) => What::Above,
    };
    let subject = Subject { what, context: &context, locks: Vec::new(), dead: &dead };
    Ok(short(|xml| {
        xml.dav("response", |xml| {
            xml.leaf("href", &href);
            expanded(&subject, root).write(xml, false);
        });
    }))
}

/// `<!ELEMENT property (property*)>`, with the attributes `name` and `namespace`
fn name(element: &Element) -> Option<Name> {
    let is_property = element.name.is_dav("property");
    let name = element.attribute("name").filter(|name| is_property && is_word(name))?;
    Some(Name::new(element.attribute("namespace").unwrap_or(DAV), name))
}

/// It will be a tag. What is refused here is a name, too, but of no property that anybody has.
fn is_word(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(fits)
}

fn names(element: &Element) -> Vec<Name> {
    element.children.iter().filter_map(name).collect()
}

fn expanded(subject: &Subject<'_>, root: &Element) -> PropStat {
    let mut all = PropStat::default();
    for property in &root.children {
        let Some(name) = name(property) else { continue };
        let is_own = subject.context.is_own() && subject.context.share.is_none();
        let is_reference = is_own && REFERENCES.iter().any(|reference| name.is_dav(reference));
        let others = OTHERS.iter().find(|(other, _)| name.is(CALENDAR_SERVER, other));
        let mut answer = subject.answer(&Ask::These(vec![name.clone()]));
        if is_reference && answer.missing.is_empty() && !property.children.is_empty() {
            all.found.element(&name, |xml| reference(xml, subject.context, property));
        } else if let (Some((_, access)), true) = (others, answer.missing.is_empty()) {
            all.found.element(&name, |xml| of_others(xml, subject.context, *access, property));
        } else {
            all.found.fragment(&answer.found.take());
            all.missing.append(&mut answer.missing);
        }
    }
    all
}

/// The principals for which the twin is a proxy, with what is asked of each.
fn of_others(xml: &mut Xml, context: &Context, access: Access, property: &Element) {
    for grant in context.proxy_for.iter().filter(|grant| grant.access == access) {
        let handle = grant.owner.to_string();
        let theirs = Context { principal: context.principal.clone(), handle, ..Context::default() };
        let subject = Subject { what: What::Principal, context: &theirs, locks: Vec::new(), dead: &[] };
        xml.dav("response", |xml| {
            xml.leaf("href", &principal(&theirs.handle));
            subject.answer(&Ask::These(names(property))).write(xml, false);
        });
    }
}

/// `response` in place of `href`; references of the principal are expanded in their turn, as deep as the
/// request is nested.
fn reference(xml: &mut Xml, context: &Context, property: &Element) {
    let nested = property.children.iter().any(|child| !child.children.is_empty());
    if !nested {
        return principals::response(xml, context, &Ask::These(names(property)), What::Principal);
    }
    let subject = Subject { what: What::Principal, context, locks: Vec::new(), dead: &[] };
    xml.dav("response", |xml| {
        xml.leaf("href", &context.principal);
        expanded(&subject, property).write(xml, false);
    });
}
