//! What a twin has not seen yet (Apple's caldav-sharing §4): invitations to calendars and address books,
//! and answers to its own. They are made of the grants as they are now; deleting one says that it was seen.

use hub::collections::Notification;
use hub_wire::http::{self};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::head::Depth;
use crate::precondition::{self, Validators};
use crate::propfind::{self, multistatus};
use crate::props::{Subject, What, notification};
use crate::reply::{self, Reply, sentence};
use crate::status::Refusal;
use crate::xml::Multistatus;
use crate::{Call, head, options};

pub(crate) async fn answer(call: &mut Call, name: Option<&str>) -> Result<Reply, Refusal> {
    match (call.head.method.as_str(), name) {
        ("OPTIONS", _) => Ok(options::answer(&call.location.place)),
        ("PROPFIND", _) => list(call, name).await,
        ("GET" | "HEAD", None) => Ok(sentence(StatusCode::OK, "Here is what others share with you.")),
        ("GET" | "HEAD", Some(name)) => get(call, name).await,
        ("DELETE", Some(name)) => {
            call.account.dismiss_notification(name).await?;
            Ok(reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(call.method_not_allowed()),
    }
}

async fn find(call: &Call, name: &str) -> Result<Notification, Refusal> {
    let found = call.account.notifications().await?.into_iter().find(|one| one.name == name);
    Ok(found.ok_or(hub::Error::NotFound("notification"))?)
}

async fn get(call: &Call, name: &str) -> Result<Reply, Refusal> {
    let found = find(call, name).await?;
    let validators = Validators { etag: &found.etag, modified_at: found.grant.changed_at };
    let etag = format!("\"{}\"", found.etag);
    let mut reply = match precondition::instead_of_content(&call.head.headers, &validators)? {
        Some(status) => reply::empty(status),
        None => {
            let mut reply = Response::new(http::full(notification(&found)));
            let media_type = HeaderValue::from_static("application/xml; charset=utf-8");
            reply::set(&mut reply, header::CONTENT_TYPE, media_type);
            reply
        }
    };
    reply::set_text(&mut reply, HeaderName::from_static("etag"), &etag);
    Ok(reply)
}

async fn list(call: &mut Call, name: Option<&str>) -> Result<Reply, Refusal> {
    let depth = head::depth(&call.head.headers)?.unwrap_or(Depth::Infinity);
    let ask = propfind::asked(call).await?;
    let context = propfind::context(call, None).await?;
    let prefer = head::prefer(&call.head.headers);
    let (top, notes) = match name {
        Some(name) => (false, vec![find(call, name).await?]),
        None => (true, call.account.notifications().await?),
    };
    let mut rows = Vec::new();
    if top {
        rows.push((call.location.href("", true), What::Notifications(&notes)));
    }
    if !top || depth != Depth::Zero {
        rows.extend(
            notes.iter().map(|note| (call.location.href(&note.name, false), What::Notification(note))),
        );
    }
    let answers: Vec<_> = rows
        .into_iter()
        .map(|(href, what)| {
            let subject = Subject { what, context: &context, locks: Vec::new(), dead: &[] };
            (href, subject.answer(&ask))
        })
        .collect();
    let (sender, body) = http::channel();
    tokio::spawn(async move {
        let mut out = Multistatus::new(sender);
        for (href, answer) in answers {
            if out.properties(&href, answer, prefer.minimal).await.is_err() {
                return;
            }
        }
        // The last piece: if the client has gone, nobody misses it.
        let _ = out.finish().await;
    });
    Ok(multistatus(prefer, body))
}
