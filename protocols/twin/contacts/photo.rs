//! Pictures and sounds within cards, as blobs (RFC 9610 §3): their ids name the card and what is in them, so
//! that an id never leads to other bytes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hub::collections::ItemId;
use hub::{Account, Error, Result};
use hub_jsobjects::card;
use serde_json::Value;

use crate::blob;
use crate::core::error::{SetError, SetResult};
use crate::core::set::Object;
use crate::ids::{BlobId, BlobOf};

/// Octets of a picture that is put into a card.
const MOST: u64 = 7 << 20;

/// FNV-1a of the text: enough to tell the pictures of one card apart.
fn number(uri: &str) -> u32 {
    uri.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn is_data(entry: &Value) -> Option<&str> {
    entry.get("uri")?.as_str().filter(|uri| uri.starts_with("data:"))
}

fn media(object: &mut Object) -> impl Iterator<Item = (&String, &mut Value)> {
    object.get_mut("media").and_then(Value::as_object_mut).into_iter().flatten()
}

/// Puts blob ids in the place of what lies in the text itself.
pub(super) fn as_blobs(card: ItemId, object: &mut Object) {
    for (_, entry) in media(object) {
        let Some(number) = is_data(entry).map(number) else { continue };
        let id = BlobId { of: BlobOf::Card(card), parts: vec![number] };
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("uri");
            entry.insert("blobId".into(), id.to_string().into());
        }
    }
}

/// Puts what blob ids stand for into the text.
pub(super) async fn as_uris(account: &Account, object: &mut Object) -> SetResult<()> {
    for (key, entry) in media(object) {
        let Some(id) = entry.get("blobId").and_then(Value::as_str).map(str::to_owned) else { continue };
        let path = format!("media/{key}/blobId");
        if entry.get("uri").is_some_and(|uri| !uri.is_null()) {
            return Err(SetError::property(&path, "stands beside a uri"));
        }
        let uri = uri(account, &id, entry).await.map_err(|error| match error {
            Error::NotFound(_) => SetError::property(&path, "does not exist"),
            Error::Invalid(why) => SetError::property(&path, &why),
            other => other.into(),
        })?;
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("blobId");
            entry.insert("uri".into(), uri.into());
        }
    }
    Ok(())
}

async fn uri(account: &Account, id: &str, entry: &Value) -> Result<String> {
    let id = BlobId::parse(id).ok_or(Error::NotFound("blob"))?;
    if let BlobOf::Card(card) = id.of {
        // As it is written there, so that the line may stay.
        return text(account, card, &id.parts).await;
    }
    let blob = blob::open(account, &id).await?;
    if blob.size() > MOST {
        return Err(Error::Invalid(format!("has more than {MOST} octets")));
    }
    let bytes = blob.read(0..u64::MAX).await?;
    let given = entry.get("mediaType").and_then(Value::as_str).filter(|kind| !kind.contains([';', ',']));
    let is_photo = entry.get("kind").is_some_and(|kind| kind == "photo" || kind == "logo");
    let found = picture(&bytes);
    // RFC 9610 §3.5: a picture is one.
    let media_type = match (is_photo, given, found) {
        (true, _, None) => return Err(Error::Invalid("is not a picture".into())),
        (_, Some(given), _) => given,
        (_, None, Some(found)) => found,
        (_, None, None) => "application/octet-stream",
    };
    Ok(format!("data:{media_type};base64,{}", BASE64_STANDARD.encode(bytes)))
}

/// Kinds of pictures by their first octets.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    let at = |from: usize, magic: &[u8]| bytes.get(from..).is_some_and(|bytes| bytes.starts_with(magic));
    let known: [(usize, &[u8], &str); 6] = [
        (0, b"\xff\xd8\xff", "image/jpeg"),
        (0, b"\x89PNG\r\n\x1a\n", "image/png"),
        (0, b"GIF8", "image/gif"),
        (8, b"WEBP", "image/webp"),
        (4, b"ftypavif", "image/avif"),
        (4, b"ftypheic", "image/heic"),
    ];
    known.into_iter().find(|(from, magic, _)| at(*from, magic)).map(|(_, _, media_type)| media_type)
}

/// The `data:` URI that a blob id stands for.
async fn text(account: &Account, card: ItemId, parts: &[u32]) -> Result<String> {
    let books = account.address_books();
    let not_found = || Error::NotFound("blob");
    let [wanted] = parts else { return Err(not_found()) };
    let ids: Vec<ItemId> = books.items_by_id(&[card]).await?.iter().map(|item| item.id).collect();
    let (_, data) = books.contents(&ids).await?.pop().ok_or_else(not_found)?;
    let mut object = card::read(&data).map_err(|_| not_found())?;
    let mut uris = media(&mut object).filter_map(|(_, entry)| is_data(entry).map(str::to_owned));
    uris.find(|uri| number(uri) == *wanted).ok_or_else(not_found)
}

/// The bytes that a blob id stands for.
pub(crate) async fn open(account: &Account, card: ItemId, parts: &[u32]) -> Result<Bytes> {
    let uri = text(account, card, parts).await?;
    let (head, data) = uri.split_once(',').ok_or(Error::NotFound("blob"))?;
    match head.ends_with(";base64") {
        true => BASE64_STANDARD.decode(data).map(Bytes::from).map_err(|_| Error::NotFound("blob")),
        false => Ok(form_urlencoded::parse(format!("x={}", data.replace('+', "%2B")).as_bytes())
            .map(|(_, value)| Bytes::from(value.into_owned()))
            .next()
            .unwrap_or_default()),
    }
}
