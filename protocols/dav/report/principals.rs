//! Reports about principals (RFC 3744 §9.2 to §9.5). A twin sees itself and the rooms of the hub: who
//! else lives here is not told.

use hub::rooms::Room;
use hyper::StatusCode;

use super::short;
use crate::Call;
use crate::propfind::{context, of_principals, principal};
use crate::props::{Ask, Context, Subject, What};
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{CALDAV, Element, Xml};

/// `<!ELEMENT principal-match ((principal-property | self), prop?)>`
pub(super) async fn matching(call: &Call, root: &Element) -> Result<Reply, Refusal> {
    answer(call, root, root.dav_child("self").is_some()).await
}

/// `<!ELEMENT acl-principal-prop-set ANY>`: of those whom the acl names, which is the owner.
pub(super) async fn of_acl(call: &Call, root: &Element) -> Result<Reply, Refusal> {
    answer(call, root, true).await
}

/// `<!ELEMENT principal-property-search ((property-search+), prop?, apply-to-principal-collection-set?) >`
pub(super) async fn search(call: &Call, root: &Element) -> Result<Reply, Refusal> {
    let ask = Ask::of(root)?.unwrap_or(Ask::These(Vec::new()));
    let mut context = context(call, None).await?;
    of_principals(call, &ask, &mut context).await?;
    let mut found: Vec<Room> = call.account.rooms().await?;
    found.retain(|room| {
        let address = room.address.to_string();
        fits(root, &Words { name: &room.name, address: &address, user_type: room.user_type() })
    });
    let handle = &context.handle;
    let is_own = fits(root, &Words { name: handle, address: handle, user_type: "INDIVIDUAL" });
    Ok(short(|xml| {
        if is_own {
            response(xml, &context, &ask, What::Principal);
        }
        for room in &found {
            response(xml, &context, &ask, What::Room(room));
        }
    }))
}

/// What principals are found by.
struct Words<'a> {
    name: &'a str,
    address: &'a str,
    user_type: &'a str,
}

/// `<!ELEMENT property-search (prop, match)>`; RFC 3744 §9.4 with CalDAV's `test` attribute.
fn fits(root: &Element, words: &Words<'_>) -> bool {
    let mut searches =
        root.children.iter().filter(|child| child.name.is_dav("property-search")).map(|search| {
            let Some(wanted) = search.dav_child("match").map(|text| text.text.trim().to_lowercase()) else {
                return false;
            };
            let names = search.dav_child("prop").map(|prop| prop.children.as_slice()).unwrap_or_default();
            let has = |text: &str| text.to_lowercase().contains(&wanted);
            names.iter().all(|name| match name.name.local() {
                "calendar-user-address-set" => has(&format!("mailto:{}", words.address)),
                "calendar-user-type" => has(words.user_type),
                // Whatever names and addresses are called.
                _ => has(words.name) || has(words.address),
            })
        });
    match root.attribute("test") {
        Some("anyof") => searches.any(|found| found),
        _ => searches.all(|found| found),
    }
}

/// `<!ELEMENT principal-search-property-set (principal-search-property*) >`
pub(super) fn search_properties() -> Reply {
    let document = Xml::document("principal-search-property-set", |xml| {
        xml.dav("principal-search-property", |xml| {
            xml.dav("prop", |xml| xml.empty("displayname"));
            xml.leaf("description", "Name");
        });
        for (local, description) in [
            ("calendar-user-address-set", "Address"),
            ("calendar-user-type", "Person, room or other resource"),
        ] {
            xml.dav("principal-search-property", |xml| {
                xml.dav("prop", |xml| xml.element_of(CALDAV, local, |_| {}));
                xml.leaf("description", description);
            });
        }
    });
    reply::xml(StatusCode::OK, document)
}

async fn answer(call: &Call, root: &Element, found: bool) -> Result<Reply, Refusal> {
    let ask = Ask::of(root)?.unwrap_or(Ask::These(Vec::new()));
    let mut context = context(call, None).await?;
    of_principals(call, &ask, &mut context).await?;
    Ok(short(|xml| {
        if found {
            response(xml, &context, &ask, What::Principal);
        }
    }))
}

/// The twin's own principal, or a room's.
pub(crate) fn response(xml: &mut Xml, context: &Context, ask: &Ask, what: What<'_>) {
    let href = match what {
        What::Room(room) => principal(&room.address.to_string()),
        _ => context.principal.clone(),
    };
    let subject = Subject { what, context, locks: Vec::new(), dead: &[] };
    xml.dav("response", |xml| {
        xml.leaf("href", &href);
        subject.answer(ask).write(xml, false);
    });
}
