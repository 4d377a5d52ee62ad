//! `group-member-set` (RFC 3744 §4.3) of the groups of a twin's proxies (caldav-proxy §5.2).

use hub::Address;
use hub::collections::Access;

use super::{Change, What, all_refused, done, refused};
use crate::path::Place;
use crate::reply::Reply;
use crate::status::Refusal;
use crate::xml::{Element, Name};
use crate::{Call, head};

/// Sets who is in the group; nothing else of it can be changed.
pub(super) async fn patch(call: &Call, access: Access, changes: &[Change<'_>]) -> Result<Reply, Refusal> {
    let href = &call.location.base;
    let [(element, what)] = changes else { return Ok(all_refused(href, changes)) };
    if !element.name.is_dav("group-member-set") {
        return Ok(all_refused(href, changes));
    }
    let members = match what {
        What::Remove => Some(Vec::new()),
        What::Set => members(call, element),
    };
    let unknown = || {
        let names: Vec<&Name> = vec![&element.name];
        // RFC 3744 §7.1.1 has no element for members that there are not; §8.1.1 has one of its like.
        refused(href, &names, changes, "recognized-principal")
    };
    let Some(members) = members else { return Ok(unknown()) };
    match call.account.set_proxies(access, &members).await {
        Ok(()) => Ok(done(call, href, changes)),
        Err(hub::Error::Invalid(_)) => Ok(unknown()),
        Err(error) => Err(error.into()),
    }
}

/// The twins whose principals these are; `None` if one is none.
fn members(call: &Call, set: &Element) -> Option<Vec<Address>> {
    let hrefs = set.children.iter().filter(|child| child.name.is_dav("href"));
    hrefs.map(|href| twin(call, href.text.trim())).collect()
}

/// A twin by the URL of its principal, or by its address.
pub(crate) fn twin(call: &Call, href: &str) -> Option<Address> {
    if let Some(address) = href.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")) {
        return Address::parse(&href[address.len()..]).ok();
    }
    match head::reference(&call.head.uri, &call.head.headers, href).ok()?.place {
        Place::Principal { handle } => Address::parse(&handle).ok(),
        _ => None,
    }
}
