//! GET and HEAD: the bytes of an object, as they were stored.

use bytes::Bytes;
use hub::collections::Item;
use hub_wire::http;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::{Target, schedule};
use crate::get::http_date;
use crate::path::Within;
use crate::precondition::Validators;
use crate::reply::{self, Reply, sentence};
use crate::status::Refusal;
use crate::{Call, media_type, precondition};

pub(super) async fn answer(call: &Call, target: &Target) -> Result<Reply, Refusal> {
    let (collection, name) = match &target.at {
        Within::Home => return Ok(folder()),
        Within::Collection(name) => {
            target.collections.find(name).await?;
            return Ok(folder());
        }
        Within::Item { collection, name } => (target.collections.find(collection).await?, name),
    };
    let item = target.collections.item(collection.id, name).await?;
    let validators = Validators { etag: &item.etag, modified_at: item.modified_at };
    if let Some(status) = precondition::instead_of_content(&call.head.headers, &validators)? {
        let mut reply = reply::empty(status);
        set_validators(&mut reply, &item);
        return Ok(reply);
    }
    // It may have been replaced meanwhile by another one, which has another id.
    let data = target.collections.contents(&[item.id]).await?.pop();
    let (_, data) = data.ok_or(hub::Error::NotFound("item"))?;
    Ok(with_content(&item, data))
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
