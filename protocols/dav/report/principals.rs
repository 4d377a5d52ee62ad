//! Reports about principals (RFC 3744 §9.2 to §9.5). A twin sees itself only: who else lives here is not
//! told.

use hyper::StatusCode;

use super::short;
use crate::Call;
use crate::propfind::{context, of_principals};
use crate::props::{Ask, Context, Subject, What};
use crate::reply::{self, Reply};
use crate::status::Refusal;
use crate::xml::{Element, Xml};

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
    let handle = call.account.handle().to_string().to_lowercase();
    let mut searches =
        root.children.iter().filter(|child| child.name.is_dav("property-search")).map(|search| {
            let text = search.dav_child("match").map(|text| text.text.trim().to_lowercase());
            text.is_some_and(|text| handle.contains(&text))
        });
    // RFC 3744 §9.4 with CalDAV's `test` attribute.
    let found = match root.attribute("test") {
        Some("anyof") => searches.any(|found| found),
        _ => searches.all(|found| found),
    };
    answer(call, root, found).await
}

/// `<!ELEMENT principal-search-property-set (principal-search-property*) >`
pub(super) fn search_properties() -> Reply {
    let document = Xml::document("principal-search-property-set", |xml| {
        xml.dav("principal-search-property", |xml| {
            xml.dav("prop", |xml| xml.empty("displayname"));
            xml.leaf("description", "Name");
        });
    });
    reply::xml(StatusCode::OK, document)
}

async fn answer(call: &Call, root: &Element, found: bool) -> Result<Reply, Refusal> {
    let ask = Ask::of(root)?.unwrap_or(Ask::These(Vec::new()));
    let mut context = context(call, None).await?;
    of_principals(call, &ask, &mut context).await?;
    Ok(short(|xml| {
        if found {
            response(xml, &context, &ask);
        }
    }))
}

/// The twin's own principal.
pub(super) fn response(xml: &mut Xml, context: &Context, ask: &Ask) {
    let subject = Subject { what: What::Principal, context, locks: Vec::new(), dead: &[] };
    xml.dav("response", |xml| {
        xml.leaf("href", &context.principal);
        subject.answer(ask).write(xml, false);
    });
}
