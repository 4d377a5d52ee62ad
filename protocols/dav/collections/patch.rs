//! PROPPATCH, and the properties that a new calendar or address book begins with.

use hub::collections::{CollectionKind, CollectionPatch, PropertyName};

use super::{Target, preconditions};
use crate::path::Within;
use crate::proppatch::{self, Change, property_name};
use crate::props::COMPONENTS;
use crate::reply::Reply;
use crate::status::Refusal;
use crate::xml::{APPLE, CALDAV, CARDDAV, Document, Element, Name};
use crate::{Call, body, tree};

pub(super) async fn proppatch(call: &mut Call, target: &Target) -> Result<Reply, Refusal> {
    let document = body::xml(&mut call.body).await?.ok_or(proppatch::MALFORMED)?;
    let changes = proppatch::read(&document)?;
    match &target.at {
        Within::Home => Ok(proppatch::all_refused(&call.location.base, &changes)),
        Within::Collection(name) => of_collection(call, target, name, &document, &changes).await,
        Within::Item { collection, name } => {
            let href = call.location.href(&format!("{collection}/{name}"), false);
            if let Some(reply) = proppatch::protected(&href, &changes) {
                return Ok(reply);
            }
            let dead = changes.iter().map(|change| dead(&document, change)).collect();
            target.collections.patch_item(collection, name, dead, preconditions(call)?).await?;
            Ok(proppatch::done(call, &href, &changes))
        }
    }
}

async fn of_collection(
    call: &Call,
    target: &Target,
    name: &str,
    document: &Document,
    changes: &[Change<'_>],
) -> Result<Reply, Refusal> {
    // Whether it is there is answered before what may be changed of it.
    target.collections.find(name).await?;
    let href = call.location.href(name, true);
    if let Some(reply) = proppatch::protected(&href, changes) {
        return Ok(reply);
    }
    let mut patch = CollectionPatch::default();
    let wrong: Vec<&Name> = changes
        .iter()
        .filter(|change| !apply(&mut patch, document, change, target.kind))
        .map(|(element, _)| &element.name)
        .collect();
    if !wrong.is_empty() {
        return Ok(proppatch::refused(&href, &wrong, changes, "valid-property-value"));
    }
    match target.collections.update(name, patch).await {
        // A value of one of them is none; which, the hub does not say.
        Err(hub::Error::Invalid(_)) => Ok(proppatch::all_refused(&href, changes)),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(proppatch::done(call, &href, changes)),
    }
}

fn dead(document: &Document, (element, what): &Change<'_>) -> (PropertyName, Option<String>) {
    let value = (*what == proppatch::What::Set).then(|| document.fragment(element));
    (property_name(&element.name), value)
}

/// Properties that are columns go there; all others are kept as they were sent. False for a value that
/// makes no sense.
fn apply(
    patch: &mut CollectionPatch,
    document: &Document,
    change: &Change<'_>,
    kind: CollectionKind,
) -> bool {
    let (element, what) = change;
    let is_set = *what == proppatch::What::Set;
    let text = || Some(if is_set { element.text.trim().to_owned() } else { String::new() });
    let is_calendar = kind == CollectionKind::Calendar;
    let description = if is_calendar { CALDAV } else { CARDDAV };
    let name = &element.name;
    match name.local() {
        "displayname" if name.is_dav("displayname") => patch.display_name = text(),
        "calendar-description" | "addressbook-description" if name.namespace() == description => {
            patch.description = text();
        }
        "calendar-timezone" if is_calendar && name.namespace() == CALDAV => patch.time_zone = text(),
        "calendar-color" if is_calendar && name.namespace() == APPLE => patch.color = text(),
        "calendar-order" if is_calendar && name.namespace() == APPLE => {
            let Some(position) = element.text.trim().parse().ok().or((!is_set).then_some(0)) else {
                return false;
            };
            patch.position = Some(position);
        }
        "schedule-calendar-transp" if is_calendar && name.namespace() == CALDAV => {
            let is = |local| element.child(CALDAV, local).is_some();
            patch.is_transparent = Some(is_set && is("transparent"));
            return !is_set || is("transparent") != is("opaque");
        }
        _ => patch.properties.push(dead(document, change)),
    }
    true
}

/// What a new collection is to be.
pub(super) enum Making {
    Patch(CollectionPatch),
    /// RFC 5689 §5.2
    Refused(Reply),
}

pub(super) fn of_new(document: &Document, properties: &[&Element], kind: CollectionKind) -> Making {
    let mut patch = CollectionPatch::default();
    for property in properties {
        let name = &property.name;
        let refused = |condition| Making::Refused(tree::refused(properties, name, condition));
        if name.is_dav("resourcetype") {
            if !is_type(property, kind) {
                return refused("valid-resourcetype");
            }
        } else if name.is(CALDAV, "supported-calendar-component-set") && kind == CollectionKind::Calendar {
            match components(property) {
                Some(components) => patch.components = Some(components),
                None => return refused("supported-calendar-component"),
            }
        } else if crate::props::is_protected(name) {
            return refused("cannot-modify-protected-property");
        } else if !apply(&mut patch, document, &(*property, proppatch::What::Set), kind) {
            return refused("valid-property-value");
        }
    }
    Making::Patch(patch)
}

/// A collection, and what all collections in this home are.
fn is_type(resource_type: &Element, kind: CollectionKind) -> bool {
    let is_own = |name: &Name| match kind {
        CollectionKind::Calendar => name.is(CALDAV, "calendar"),
        CollectionKind::AddressBook => name.is(CARDDAV, "addressbook"),
        CollectionKind::Inbox => false,
    };
    resource_type.children.iter().all(|child| child.name.is_dav("collection") || is_own(&child.name))
}

/// Bits of the kinds; `None` if one is not known, or none is named.
fn components(set: &Element) -> Option<i64> {
    let named = set.children.iter().filter(|child| child.name.is(CALDAV, "comp"));
    let bit = |comp: &Element| {
        let name = comp.attribute("name")?.to_ascii_uppercase();
        // What every calendar may have in it, for programs that list it.
        if matches!(name.as_str(), "VTIMEZONE" | "VALARM") {
            return Some(0);
        }
        COMPONENTS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind as i64)
    };
    let bits = named.map(bit).try_fold(0, |all, bit| Some(all | bit?))?;
    (bits != 0).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_by_name() {
        let check = |content: &str, expected: Option<i64>| {
            let text = format!(
                "<C:supported-calendar-component-set xmlns:C=\"{CALDAV}\">{content}\
                 </C:supported-calendar-component-set>"
            );
            let document = Document::read(text.as_bytes()).expect("well-formed");
            assert_eq!(components(&document.root), expected, "{content}");
        };
        check("<C:comp name=\"VEVENT\"/>", Some(1));
        check("<C:comp name=\"VEVENT\"/><C:comp name=\"vtodo\"/><C:comp name=\"VTIMEZONE\"/>", Some(3));
        check("", None);
        check("<C:comp name=\"VTIMEZONE\"/>", None);
        check("<C:comp name=\"VCARD\"/>", None);
        check("<C:comp/>", None);
    }
}
