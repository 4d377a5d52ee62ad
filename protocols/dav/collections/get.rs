//! GET and HEAD: the bytes of an object, as they were stored.

use bytes::Bytes;
use hub::collections::{CollectionKind, Item};
use hub_wire::http;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::{Target, schedule};
use crate::get::http_date;
use crate::path::{Within, encode_into};
use crate::precondition::Validators;
use crate::reply::{self, Reply, sentence};
use crate::status::Refusal;
use crate::{Call, media_type, precondition};

pub(super) async fn answer(call: &Call, target: &Target) -> Result<Reply, Refusal> {
    let (collection, name) = match &target.at {
        Within::Home => return Ok(folder()),
        Within::Collection(name) => return whole(call, target, name).await,
        Within::Item { collection, name } => (target.collections.find(collection).await?, name),
    };
    let found = target.collections.item(collection.id, name).await?;
    // Conditions and the answer are of the moment of the content: what was found may be another by now.
    let contents = target.collections.contents(&[found.id]).await?.pop();
    let (item, data) = contents.ok_or(hub::Error::NotFound("item"))?;
    let validators = Validators { etag: &item.etag, modified_at: item.modified_at };
    if let Some(status) = precondition::instead_of_content(&call.head.headers, &validators)? {
        let mut reply = reply::empty(status);
        set_validators(&mut reply, &item);
        return Ok(reply);
    }
    Ok(with_content(&item, data))
}

/// All of a calendar or an address book as one file, which other programs read in.
async fn whole(call: &Call, target: &Target, name: &str) -> Result<Reply, Refusal> {
    let mut out = target.collections.take_out(name).await?;
    let (media_type, ending) = match target.kind {
        CollectionKind::Calendar | CollectionKind::Inbox => ("text/calendar; charset=utf-8", "ics"),
        CollectionKind::AddressBook => ("text/vcard; charset=utf-8", "vcf"),
    };
    let mut reply = match call.head.method == Method::HEAD {
        true => reply::empty(StatusCode::OK),
        false => {
            let (sender, body) = http::channel();
            tokio::spawn(async move {
                loop {
                    match out.next().await {
                        Ok(Some(piece)) if piece.is_empty() => {}
                        // Whoever does not read any more needs no reason.
                        Ok(Some(piece)) => match sender.send(piece).await {
                            Ok(()) => {}
                            Err(_) => return,
                        },
                        Ok(None) => return,
                        Err(error) => return sender.abort(error.into()).await,
                    }
                }
            });
            Response::new(body)
        }
    };
    reply::set(&mut reply, header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    reply::set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let mut disposition = String::from("attachment; filename*=UTF-8''");
    encode_into(&mut disposition, &format!("{name}.{ending}"), b"");
    reply::set_text(&mut reply, header::CONTENT_DISPOSITION, &disposition);
    Ok(reply)
}

fn with_content(item: &Item, data: Bytes) -> Reply {
    let mut reply = Response::new(http::full(data));
    reply::set(&mut reply, header::CONTENT_TYPE, HeaderValue::from_static(media_type::of_item(item.kind)));
    reply::set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set_validators(&mut reply, item);
    reply
}

fn folder() -> Reply {
    sentence(
        StatusCode::OK,
        "This is a calendar or an address book. Its address, in a calendar or contacts program, is that of \
         this page.",
    )
}

/// What later conditions are about; the same as in PROPFIND.
pub(super) fn set_validators(reply: &mut Reply, item: &Item) {
    reply::set_text(reply, header::ETAG, &format!("\"{}\"", item.etag));
    reply::set_text(reply, header::LAST_MODIFIED, &http_date(item.modified_at));
    schedule::set_tag(reply, item);
}
