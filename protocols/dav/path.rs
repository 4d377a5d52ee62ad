//! URL ↔ resource. Names are decoded once, here; nothing below knows percent signs.

use hub::collections::{Access, CollectionKind};
use hub::files::FilePath;
use hub_content::url::decode;
pub(crate) use hub_content::url::{IN_PATHS, encode_into};

/// Longest path in bytes; the longest file path, encoded, fits.
const MAX_PATH: usize = 16 << 10;

/// What a path means, and how the client wrote the part of it that its answers begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) place: Place,
    /// As the client wrote it, with a slash at the end: clients compare the `href`s of an answer with
    /// their own spelling (`@` or `%40`, `/dav/` or `/remote.php/dav/`).
    pub(crate) base: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `/`, `/dav/`: above everything.
    Root,
    /// `/dav/files/`, `/dav/calendars/`, `/dav/addressbooks/`: above the homes.
    Homes,
    /// `/dav/files/HANDLE/…`; without a handle, the home of whoever asks.
    File {
        handle: Option<String>,
        path: FilePath,
    },
    /// `/dav/calendars/HANDLE/…`, `/dav/addressbooks/HANDLE/…`, and `/dav/schedule/HANDLE/…`, where the
    /// inbox and the outbox are (RFC 6638 §2).
    Items {
        kind: CollectionKind,
        handle: String,
        at: Within,
    },
    /// `/dav/uploads/HANDLE/…`: uploads in pieces.
    Upload {
        handle: String,
        path: FilePath,
    },
    Principals,
    /// `/dav/principals/HANDLE/`
    Principal {
        handle: String,
    },
    /// `/dav/principals/HANDLE/calendar-proxy-read/` and `…-write/` (caldav-proxy §5.2)
    ProxyGroup {
        handle: String,
        access: Access,
    },
    /// `/dav/notifications/HANDLE/`, and one in it (caldav-sharing §4).
    Notifications {
        handle: String,
        name: Option<String>,
    },
    /// A path of ours that nothing is at.
    Nothing,
}

/// Where in the home of calendars, or of address books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Home,
    Collection(String),
    Item { collection: String, name: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPath {
    /// RFC 9110 §15.5.15
    TooLong,
    /// Not decodable, or with a name that is none; for a person to see.
    Malformed(&'static str),
}

impl Location {
    pub(crate) fn parse(path: &str) -> Result<Self, BadPath> {
        if path.len() > MAX_PATH {
            return Err(BadPath::TooLong);
        }
        let raw: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let names = raw.iter().map(|segment| decode(segment)).collect::<Result<Vec<_>, _>>();
        let names = names.map_err(BadPath::Malformed)?;
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        let (place, depth) = place(&words)?;
        let mut base = String::from("/");
        for segment in &raw[..depth.min(raw.len())] {
            base.push_str(segment);
            base.push('/');
        }
        Ok(Self { place, base })
    }

    /// Whose home it is in, or whose principal it is.
    pub(crate) fn handle(&self) -> Option<&str> {
        match &self.place {
            Place::File { handle, .. } => handle.as_deref(),
            Place::Items { handle, .. }
            | Place::Notifications { handle, .. }
            | Place::Principal { handle }
            | Place::ProxyGroup { handle, .. }
            | Place::Upload { handle, .. } => Some(handle),
            Place::Homes | Place::Nothing | Place::Principals | Place::Root => None,
        }
    }

    /// The same home, where a tree begins at the path `at`, and `rest` in it.
    pub(crate) fn below(&self, at: &FilePath, rest: FilePath) -> Self {
        let place = match &self.place {
            Place::File { handle, .. } => Place::File { handle: handle.clone(), path: rest },
            other => other.clone(),
        };
        Self { place, base: self.href(&at.to_string(), true) }
    }

    /// The `href` of what lies at `path` below this location's base.
    pub(crate) fn href(&self, path: &str, is_folder: bool) -> String {
        let mut href = self.base.clone();
        if path.is_empty() && !is_folder {
            // A file that was granted by itself.
            href.truncate(href.len() - 1);
        }
        encode_into(&mut href, path, IN_PATHS);
        if is_folder && !path.is_empty() {
            href.push('/');
        }
        href
    }
}

/// What these names mean, and how many of them belong to the base.
fn place(names: &[&str]) -> Result<(Place, usize), BadPath> {
    let (start, rest) = match names {
        ["remote.php", "dav", rest @ ..] => (2, rest),
        // Nextcloud's older address of the own files.
        ["remote.php", "webdav", rest @ ..] => {
            return Ok((Place::File { handle: None, path: file_path(rest)? }, 2));
        }
        ["dav", rest @ ..] => (1, rest),
        [] => (0, names),
        ["remote.php"] => return Ok((Place::Root, 1)),
        _ => return Ok((Place::Nothing, names.len())),
    };
    Ok(match rest {
        [] => (Place::Root, start),
        ["files" | "calendars" | "addressbooks"] => (Place::Homes, start + 1),
        ["calendars", handle, rest @ ..] => (items(CollectionKind::Calendar, handle, rest), start + 2),
        ["addressbooks", handle, rest @ ..] => (items(CollectionKind::AddressBook, handle, rest), start + 2),
        ["schedule", handle, rest @ ..] => (items(CollectionKind::Inbox, handle, rest), start + 2),
        ["files", handle, rest @ ..] => {
            (Place::File { handle: Some((*handle).to_owned()), path: file_path(rest)? }, start + 2)
        }
        ["uploads", handle, rest @ ..] => {
            (Place::Upload { handle: (*handle).to_owned(), path: file_path(rest)? }, start + 2)
        }
        ["notifications", handle, rest @ ..] => (notifications(handle, rest), start + 2),
        ["principals"] | ["principals", "users"] => (Place::Principals, start + rest.len()),
        ["principals", handle] | ["principals", "users", handle] => {
            (Place::Principal { handle: (*handle).to_owned() }, start + rest.len())
        }
        ["principals", handle, group] | ["principals", "users", handle, group] => {
            (proxy_group(handle, group), start + rest.len())
        }
        _ => (Place::Nothing, names.len()),
    })
}

/// The last segment of a group's URL.
pub(crate) fn proxy_name(access: Access) -> &'static str {
    match access {
        Access::Read => "calendar-proxy-read",
        Access::Write => "calendar-proxy-write",
    }
}

fn proxy_group(handle: &str, group: &str) -> Place {
    match [Access::Read, Access::Write].into_iter().find(|access| proxy_name(*access) == group) {
        Some(access) => Place::ProxyGroup { handle: handle.to_owned(), access },
        None => Place::Nothing,
    }
}

fn notifications(handle: &str, names: &[&str]) -> Place {
    let name = match names {
        [] => None,
        [name] => Some((*name).to_owned()),
        _ => return Place::Nothing,
    };
    Place::Notifications { handle: handle.to_owned(), name }
}

fn items(kind: CollectionKind, handle: &str, names: &[&str]) -> Place {
    let at = match names {
        [] => Within::Home,
        [collection] => Within::Collection((*collection).to_owned()),
        [collection, name] => Within::Item { collection: (*collection).to_owned(), name: (*name).to_owned() },
        // No collection is within another (RFC 4791 §4.2, RFC 6352 §5.2).
        _ => return Place::Nothing,
    };
    Place::Items { kind, handle: handle.to_owned(), at }
}

fn file_path(names: &[&str]) -> Result<FilePath, BadPath> {
    FilePath::from_names(names).map_err(|_| BadPath::Malformed("a name in the path is not one, or too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(handle: Option<&str>, names: &[&str]) -> Place {
        Place::File { handle: handle.map(str::to_owned), path: FilePath::from_names(names).expect("a path") }
    }

    #[test]
    fn places() {
        let alice = Some("alice@a.test");
        for (path, place, base) in [
            ("/", Place::Root, "/"),
            ("/dav", Place::Root, "/dav/"),
            ("/dav/", Place::Root, "/dav/"),
            ("/remote.php/dav/", Place::Root, "/remote.php/dav/"),
            ("/dav/files/", Place::Homes, "/dav/files/"),
            ("/dav/files/alice@a.test", file(alice, &[]), "/dav/files/alice@a.test/"),
            ("/dav/files/alice%40a.test/", file(alice, &[]), "/dav/files/alice%40a.test/"),
            ("/dav/files/alice@a.test/a/b%20c", file(alice, &["a", "b c"]), "/dav/files/alice@a.test/"),
            ("/dav/files/alice@a.test//a/", file(alice, &["a"]), "/dav/files/alice@a.test/"),
            ("/dav/files/alice@a.test/%2525", file(alice, &["%25"]), "/dav/files/alice@a.test/"),
            (
                "/dav/calendars/alice@a.test/work/a%20b.ics",
                Place::Items {
                    kind: CollectionKind::Calendar,
                    handle: "alice@a.test".to_owned(),
                    at: Within::Item { collection: "work".to_owned(), name: "a b.ics".to_owned() },
                },
                "/dav/calendars/alice@a.test/",
            ),
            (
                "/dav/addressbooks/alice@a.test",
                Place::Items {
                    kind: CollectionKind::AddressBook,
                    handle: "alice@a.test".to_owned(),
                    at: Within::Home,
                },
                "/dav/addressbooks/alice@a.test/",
            ),
            ("/dav/files/alice@a.test/...", file(alice, &["..."]), "/dav/files/alice@a.test/"),
            ("/remote.php/webdav/a", file(None, &["a"]), "/remote.php/webdav/"),
            ("/remote.php/dav/files/alice@a.test/", file(alice, &[]), "/remote.php/dav/files/alice@a.test/"),
            ("/dav/principals/", Place::Principals, "/dav/principals/"),
            (
                "/dav/principals/alice@a.test/",
                Place::Principal { handle: "alice@a.test".to_owned() },
                "/dav/principals/alice@a.test/",
            ),
            (
                "/dav/principals/alice@a.test/calendar-proxy-write",
                Place::ProxyGroup { handle: "alice@a.test".to_owned(), access: Access::Write },
                "/dav/principals/alice@a.test/calendar-proxy-write/",
            ),
            ("/dav/principals/alice@a.test/x/", Place::Nothing, "/dav/principals/alice@a.test/x/"),
            (
                "/dav/notifications/alice@a.test/a.xml",
                Place::Notifications { handle: "alice@a.test".to_owned(), name: Some("a.xml".to_owned()) },
                "/dav/notifications/alice@a.test/",
            ),
            ("/dav/nothing", Place::Nothing, "/dav/nothing/"),
        ] {
            let location = Location::parse(path).expect(path);
            assert_eq!((&location.place, location.base.as_str()), (&place, base), "{path}");
        }
    }

    #[test]
    fn what_is_no_path() {
        for path in [
            "/dav/files/a@a.test/..",
            "/dav/files/a@a.test/../b",
            "/dav/files/a@a.test/%2e%2e/b",
            "/dav/files/a@a.test/.%2E/b",
            "/dav/files/a@a.test/./b",
            "/dav/files/a@a.test/a%2fb",
            "/dav/files/a@a.test/a%2Fb",
            "/dav/files/a@a.test/a%00b",
            "/dav/files/a@a.test/a%0d%0ab",
            "/dav/files/a@a.test/a%",
            "/dav/files/a@a.test/a%4",
            "/dav/files/a@a.test/a%zz",
            "/dav/files/a@a.test/%ff",
            "/%2e%2e/dav/files/",
        ] {
            assert!(matches!(Location::parse(path), Err(BadPath::Malformed(_))), "{path}");
        }
        let long_name = format!("/dav/files/a@a.test/{}", "a".repeat(10_000));
        assert!(Location::parse(&long_name).is_err());
        let long_path = format!("/dav/files/a@a.test/{}", "a/".repeat(10_000));
        assert_eq!(Location::parse(&long_path), Err(BadPath::TooLong));
    }

    #[test]
    fn hrefs_are_in_the_clients_spelling() {
        let location = Location::parse("/dav/files/alice%40a.test/x").expect("a path");
        assert_eq!(location.href("a b/ü#%", false), "/dav/files/alice%40a.test/a%20b/%C3%BC%23%25");
        assert_eq!(location.href("a", true), "/dav/files/alice%40a.test/a/");
        assert_eq!(location.href("", true), "/dav/files/alice%40a.test/");
    }

    proptest::proptest! {
        #[test]
        fn names_come_back(name in "[^/\\p{Cc}]{1,40}") {
            proptest::prop_assume!(name != "." && name != "..");
            let mut path = String::from("/dav/files/a@a.test/");
            encode_into(&mut path, &name, IN_PATHS);
            let location = Location::parse(&path).expect("encoded");
            proptest::prop_assert_eq!(location.place, file(Some("a@a.test"), &[&name]));
        }

        #[test]
        fn nothing_makes_it_panic(path in "/(dav/files/a/)?[a%./0-9fF]{0,30}") {
            let _ = Location::parse(&path);
        }
    }
}
