//! From an address to its collections (RFC 6764 §6): the principal, its homes, and what is in them.

use super::client::{Asked, Client};
use super::properties::{Resource, resources};
use super::xml::{APPLE, CALDAV, CARDDAV, DAV, Element};
use super::{Address, Login};
use crate::Error;
use crate::frames::Collection;
use crate::objects::Objects;

/// Collections of an account.
const MOST: usize = 500;

/// A calendar or an address book of the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) collection: Collection,
}

/// What there is of one kind, wherever the server has it.
pub(super) async fn collections(login: &Login<'_>, client: &mut Client<'_>) -> Result<Vec<Found>, Error> {
    let address = login.address;
    let (names, home) = match address.kind {
        Objects::Calendars => ("<C:calendar-home-set/>", (CALDAV, "calendar-home-set")),
        Objects::Contacts => ("<A:addressbook-home-set/>", (CARDDAV, "addressbook-home-set")),
    };
    let asked = format!("<D:current-user-principal/><D:resourcetype/>{names}");
    let mut last = None;
    for place in places(address) {
        let start = match first(client, address, &place, &asked).await {
            Ok(start) => start,
            // Not there: the next one may be. The first refusal says the most.
            Err(error @ Error::Refused(_)) => {
                last.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        if is_one(address.kind, &start) {
            return in_home(client, address, &start.path).await;
        }
        let mut homes: Vec<String> = start.hrefs(address, home.0, home.1).collect();
        if homes.is_empty()
            && let Some(principal) = start.hrefs(address, DAV, "current-user-principal").next()
        {
            let principal = first(client, address, &principal, &asked).await?;
            homes = principal.hrefs(address, home.0, home.1).collect();
        }
        let mut found = Vec::new();
        for path in homes {
            found.append(&mut in_home(client, address, &path).await?);
        }
        if !found.is_empty() {
            found.sort_by(|one, other| one.path.cmp(&other.path));
            found.dedup_by(|one, other| one.path == other.path);
            found.truncate(MOST);
            return Ok(found);
        }
    }
    let nothing = || Error::Refused("there are no such collections on this server".into());
    Err(last.unwrap_or_else(nothing))
}

/// Where to begin.
fn places(address: &Address) -> Vec<String> {
    let well_known = match address.kind {
        Objects::Calendars => "/.well-known/caldav",
        Objects::Contacts => "/.well-known/carddav",
    };
    match address.path.as_str() {
        "/" => vec![well_known.to_owned(), "/".to_owned()],
        path => vec![path.to_owned()],
    }
}

async fn first(
    client: &mut Client<'_>,
    address: &Address,
    path: &str,
    names: &str,
) -> Result<Resource, Error> {
    let answer = client.ask(propfind(path, "0", names)).await?;
    let found = resources(address, &answer)?.into_iter().next();
    found.ok_or_else(|| Error::Refused(format!("the server says nothing of {path}")))
}

pub(super) fn propfind<'a>(path: &'a str, depth: &'static str, names: &str) -> Asked<'a> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"{DAV}\" xmlns:C=\"{CALDAV}\" \
         xmlns:A=\"{CARDDAV}\" xmlns:I=\"{APPLE}\"><D:prop>{names}</D:prop></D:propfind>"
    );
    Asked { method: "PROPFIND", path, depth: Some(depth), body }
}

fn is_one(kind: Objects, resource: &Resource) -> bool {
    match kind {
        Objects::Calendars => resource.is_a(CALDAV, "calendar"),
        Objects::Contacts => resource.is_a(CARDDAV, "addressbook"),
    }
}

/// The collections in a home, or the one that it is itself.
async fn in_home(client: &mut Client<'_>, address: &Address, path: &str) -> Result<Vec<Found>, Error> {
    let names = "<D:resourcetype/><D:displayname/><C:calendar-description/><A:addressbook-description/>\
                 <I:calendar-color/><I:calendar-order/><C:calendar-timezone/>\
                 <C:supported-calendar-component-set/>";
    let answer = client.ask(propfind(path, "1", names)).await?;
    let all = resources(address, &answer)?;
    let own = all.into_iter().filter(|resource| is_one(address.kind, resource));
    Ok(own.map(|resource| found(address.kind, &resource)).collect())
}

fn found(kind: Objects, resource: &Resource) -> Found {
    let text = |namespace, local| resource.text(namespace, local).map(str::to_owned);
    let components = |set: &Element| set.children.iter().filter_map(|comp| comp.name.clone()).collect();
    let description = match kind {
        Objects::Calendars => text(CALDAV, "calendar-description"),
        Objects::Contacts => text(CARDDAV, "addressbook-description"),
    };
    let collection = Collection {
        name: name_of(&resource.path),
        display_name: text(DAV, "displayname"),
        description,
        color: text(APPLE, "calendar-color"),
        position: text(APPLE, "calendar-order").and_then(|order| order.parse().ok()),
        time_zone: text(CALDAV, "calendar-timezone"),
        components: resource
            .get(CALDAV, "supported-calendar-component-set")
            .map(components)
            .unwrap_or_default(),
    };
    Found { path: resource.path.clone(), collection }
}

/// The last segment of a path, decoded.
pub(super) fn name_of(path: &str) -> String {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    crate::imap::decoded(last).unwrap_or_else(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, name) in [("/a/b%20c/", "b c"), ("/x+y.ics", "x+y.ics"), ("/", ""), ("/a=b", "a=b")] {
            assert_eq!(name_of(path), name, "{path}");
        }
    }
}
