//! OPTIONS: what can be done here (RFC 9110 §9.3.7, RFC 4918 §10.1).

use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};

use crate::path::Place;
use crate::reply::{self, Reply};
use crate::{FILE_METHODS, FIXED_METHODS, ITEM_METHODS, NOTIFICATION_METHODS};

/// Finder shows a volume that it may write to only where it sees class 2.
const CLASSES: &str = "1, 2, 3, extended-mkcol, access-control, sync-collection, calendar-access, \
     calendar-auto-schedule, calendarserver-sharing, calendar-proxy, addressbook, add-member";
/// RFC 4918 §18.2: there are no locks in calendars and address books.
const CLASSES_OF_ITEMS: &str = "1, 3, extended-mkcol, access-control, sync-collection, calendar-access, \
     calendar-auto-schedule, calendarserver-sharing, calendar-proxy, addressbook, add-member";

pub(crate) fn answer(place: &Place) -> Reply {
    let mut reply = reply::empty(StatusCode::OK);
    reply::set(&mut reply, header::ALLOW, HeaderValue::from_static(methods(place)));
    let classes = if let Place::Items { .. } = place { CLASSES_OF_ITEMS } else { CLASSES };
    reply::set(&mut reply, HeaderName::from_static("dav"), HeaderValue::from_static(classes));
    // RFC 5323 §3.1
    reply::set(&mut reply, HeaderName::from_static("dasl"), HeaderValue::from_static("<DAV:basicsearch>"));
    // Windows takes the server for a web site without it.
    reply::set(&mut reply, HeaderName::from_static("ms-author-via"), HeaderValue::from_static("DAV"));
    reply::set(&mut reply, header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply
}

pub(crate) fn methods(place: &Place) -> &'static str {
    match place {
        Place::File { .. } | Place::Upload { .. } => FILE_METHODS,
        Place::Items { .. } => ITEM_METHODS,
        Place::Notifications { .. } => NOTIFICATION_METHODS,
        Place::Homes
        | Place::Nothing
        | Place::Principal { .. }
        | Place::Principals
        | Place::ProxyGroup { .. }
        | Place::Root => FIXED_METHODS,
    }
}
