//! All collections of an account, object by object.

use std::collections::HashMap;

use quick_xml::escape::escape;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::{Asked, Client};
use super::discovery::{Found, collections, name_of, propfind};
use super::properties::resources;
use super::xml::{CALDAV, CARDDAV, DAV};
use super::{Address, Login};
use crate::objects::{Objects, ObjectsKept};
use crate::{Courier, Error, Progress};

/// Objects of one multiget, and of one commit.
const BATCH: usize = 50;
/// Objects of one collection.
const MOST: usize = 1_000_000;
/// Attempts at a thing before the import stops; it goes on from there when it is run again.
const ATTEMPTS: u32 = 5;

/// An object of the source that is not here yet.
struct Wanted {
    path: String,
    number: u64,
}

/// Brings all calendars, or all address books, with everything in them that is not here yet.
pub async fn import<S: AsyncRead + AsyncWrite + Unpin>(
    login: &Login<'_>,
    courier: &mut Courier<S>,
    progress: &mut impl Progress,
) -> Result<ObjectsKept, Error> {
    let mut client = Client::new(login)?;
    let mut all = ObjectsKept { stored: 0, unchanged: 0, refused: Vec::new() };
    let found = patiently(login, progress, async || collections(login, &mut client).await).await?;
    for one in found {
        progress.mailbox(one.collection.display_name.as_deref().unwrap_or(&one.collection.name));
        let source = format!("{}{}", login.address.source(), one.path);
        courier.collection(login.address.kind, &source, one.collection.clone()).await?;
        let listed =
            patiently(login, progress, async || list(login.address, &mut client, &one).await).await?;
        progress.found(listed.len() as u64);
        let before = listed.len();
        let wanted: Vec<Wanted> = listed.into_iter().filter(|one| !courier.knows(one.number)).collect();
        let known = (before - wanted.len()) as u64;
        all.unchanged += known;
        progress.done(known);
        for some in wanted.chunks(BATCH) {
            let texts =
                patiently(login, progress, async || fetch(login.address, &mut client, &one, some).await)
                    .await?;
            for one in some {
                let Some(text) = texts.get(&name_of(&one.path)) else {
                    all.refused.push((name_of(&one.path), "the server has not sent it".to_owned()));
                    continue;
                };
                courier.object(&name_of(&one.path), one.number, text.as_bytes()).await?;
                progress.bytes(text.len() as u64);
            }
            let mut kept = courier.commit_objects().await?;
            all.stored += kept.stored;
            all.unchanged += kept.unchanged;
            all.refused.append(&mut kept.refused);
            progress.done(some.len() as u64);
        }
    }
    Ok(all)
}

/// What is broken may be whole again in a moment.
async fn patiently<T>(
    login: &Login<'_>,
    progress: &mut impl Progress,
    mut work: impl AsyncFnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut attempt = 0;
    loop {
        match work().await {
            Err(Error::Broken(why)) if attempt < ATTEMPTS => {
                progress.note(&format!("{why}; trying again"));
                tokio::time::sleep(login.pause * 2u32.pow(attempt)).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

/// The objects of a collection, by their URLs and entity-tags.
async fn list(address: &Address, client: &mut Client<'_>, one: &Found) -> Result<Vec<Wanted>, Error> {
    let answer = client.ask(propfind(&one.path, "1", "<D:getetag/><D:resourcetype/>")).await?;
    let all = resources(address, &answer)?.into_iter();
    let objects = all.filter(|resource| !resource.is_a(DAV, "collection")).filter_map(|resource| {
        let etag = resource.text(DAV, "getetag")?;
        Some(Wanted { number: number(&resource.path, etag), path: resource.path })
    });
    Ok(objects.take(MOST).collect())
}

/// 63 bits: the database's integers are signed.
fn number(path: &str, etag: &str) -> u64 {
    let hash = Sha256::digest(format!("{}\n{etag}", name_of(path)));
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)) >> 1
}

/// The texts of objects by their names; what has gone meanwhile is left out.
async fn fetch(
    address: &Address,
    client: &mut Client<'_>,
    one: &Found,
    some: &[Wanted],
) -> Result<HashMap<String, String>, Error> {
    let (report, data, namespace) = match address.kind {
        Objects::Calendars => ("calendar-multiget", "calendar-data", CALDAV),
        // Without a version, a server may write another one than it has (RFC 6352 §10.4).
        Objects::Contacts => ("addressbook-multiget", "address-data", CARDDAV),
    };
    let hrefs: String = some.iter().map(|one| format!("<D:href>{}</D:href>", escape(&one.path))).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<X:{report} xmlns:D=\"{DAV}\" xmlns:X=\"{namespace}\">\
         <D:prop><D:getetag/><X:{data}/></D:prop>{hrefs}</X:{report}>"
    );
    let answer = client.ask(Asked { method: "REPORT", path: &one.path, depth: Some("1"), body }).await?;
    let mut texts = HashMap::new();
    if answer.status.as_u16() == 207 {
        for resource in resources(address, &answer)? {
            // As it was in the file: lines in XML end without carriage return.
            if let Some(text) = resource.get(namespace, data) {
                texts.insert(name_of(&resource.path), lines(&text.text));
            }
        }
        return Ok(texts);
    }
    // A server without the report has at least the objects.
    for one in some {
        let asked = Asked { method: "GET", path: &one.path, depth: None, body: String::new() };
        let answer = client.ask(asked).await?;
        if answer.status.is_success() {
            texts.insert(name_of(&one.path), String::from_utf8_lossy(&answer.body).into_owned());
        }
    }
    Ok(texts)
}

/// RFC 5545 §3.1, RFC 6350 §3.2: with CRLF, which XML does not keep unless it is escaped.
fn lines(text: &str) -> String {
    match text.contains('\r') {
        true => text.to_owned(),
        false => text.replace('\n', "\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_of_name_and_tag() {
        let own = number("/a/x.ics", "\"1\"");
        assert_eq!(own, number("/b/x.ics", "\"1\""));
        assert_ne!(own, number("/a/x.ics", "\"2\""));
        assert_ne!(own, number("/a/y.ics", "\"1\""));
        assert!(own <= i64::MAX as u64);
    }

    #[test]
    fn line_ends() {
        assert_eq!(lines("a\nb\n"), "a\r\nb\r\n");
        assert_eq!(lines("a\r\nb\r\n"), "a\r\nb\r\n");
    }
}
