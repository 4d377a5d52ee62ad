//! Email/get, Email/changes (RFC 8621 §4.2, §4.3).

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use hub::emails::Email;
use hub::{EmailId, Keywords, Message};
use hub_mime::{SummaryView, are_listed, has_attachment, listed_header_fields};
use serde_json::{Map, Value, json};

use crate::blob::{Blob, HELD, Parts};
use crate::context::Context;
use crate::core::arguments::Arguments;
use crate::core::changes::ChangesRequest;
use crate::core::error::{MethodError, MethodErrorKind, MethodResult};
use crate::core::get::GetRequest;
use crate::core::limits::{MAX_BODY_VALUES, MAX_OBJECTS_IN_GET};
use crate::ids::{self, BlobId};
use crate::mail::render::{self, MessageRequest};
use crate::mail::{dates, keywords};

/// What the store tells of an e-mail, not the message.
pub(crate) const METADATA: [&str; 7] =
    ["id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt"];

/// RFC 8621 §4.2: without `properties` these are given.
const DEFAULT: [&str; 24] = [
    "id",
    "blobId",
    "threadId",
    "mailboxIds",
    "keywords",
    "size",
    "receivedAt",
    "messageId",
    "inReplyTo",
    "references",
    "sender",
    "from",
    "to",
    "cc",
    "bcc",
    "replyTo",
    "subject",
    "sentAt",
    "hasAttachment",
    "preview",
    "bodyValues",
    "textBody",
    "htmlBody",
    "attachments",
];

/// Messages that are looked at together, and octets of them.
const PAGE: usize = 64;
const PAGE_OCTETS: u64 = 16 << 20;

pub(crate) async fn get(context: &mut Context, mut arguments: Arguments) -> MethodResult<Map<String, Value>> {
    let known = |name: &str| METADATA.contains(&name) || render::is_property(name);
    let request = GetRequest::take(context, &mut arguments, known)?;
    let properties = request.properties.clone();
    let properties = properties.unwrap_or_else(|| DEFAULT.iter().map(|name| (*name).to_owned()).collect());
    let message_request = MessageRequest::take(&mut arguments, properties)?;
    arguments.end()?;
    let emails = context.account.emails();
    let state = emails.state().await?.to_string();
    let wanted: Vec<EmailId> = match &request.ids {
        Some(ids) => ids.iter().filter_map(|id| ids::parse_email(id)).collect(),
        None => all(context).await?,
    };
    let found = emails.find(&wanted).await?;
    let found: Vec<Email> = wanted.iter().filter_map(|id| found.get(id).cloned()).collect();
    let keywords = context.account.messages().keywords().await?;
    let mut objects = Vec::with_capacity(found.len());
    let mut room = MAX_BODY_VALUES;
    for page in pages(&found) {
        render_page(context, page, &message_request, &keywords, &mut room, &mut objects).await?;
    }
    Ok(request.answer(context, &state, objects))
}

/// The properties that a message tells that lies nowhere (RFC 8621 §4.9).
pub(crate) fn parsed_properties(arguments: &mut Arguments) -> MethodResult<BTreeSet<String>> {
    let known = |name: &str| METADATA.contains(&name) || render::is_property(name);
    let properties = arguments.strings("properties")?;
    if let Some(unknown) = properties.iter().flatten().find(|name| !known(name)) {
        return Err(MethodError::argument("properties", &format!("has {unknown:?}, which is none here")));
    }
    let default =
        || DEFAULT.iter().filter(|name| !METADATA.contains(name)).map(|name| (*name).to_owned()).collect();
    Ok(properties.map_or_else(default, |names| names.into_iter().collect()))
}

/// `Email/parse` of one blob; `None` if it is no message.
pub(crate) async fn parsed(
    message: &Parts,
    id: &BlobId,
    request: &MessageRequest,
    room: &mut usize,
) -> MethodResult<Option<Map<String, Value>>> {
    let Some(top) = message.parts.first() else { return Ok(None) };
    let header = message.header(top).await?;
    if hub_mime::all_fields(&header).next().is_none() {
        return Ok(None);
    }
    let mut object = Map::new();
    for name in METADATA.iter().filter(|name| request.properties.contains(**name)) {
        let value = match *name {
            "blobId" => json!(id.to_string()),
            "size" => json!(message.blob.size()),
            _ => Value::Null,
        };
        object.insert((*name).to_owned(), value);
    }
    request.put_header(&mut object, &header);
    request.put_body(&mut object, message, id, room).await?;
    request.put_summary(&mut object, message.has_attachment, &message.preview);
    Ok(Some(object))
}

/// All e-mails, unless they are too many for one answer.
pub(crate) async fn all(context: &Context) -> MethodResult<Vec<EmailId>> {
    let (all, _) = context.account.emails().query(None, &[], false).await?;
    if all.len() > MAX_OBJECTS_IN_GET {
        return Err(MethodErrorKind::RequestTooLarge.into());
    }
    Ok(all)
}

fn pages(emails: &[Email]) -> Vec<&[Email]> {
    let mut pages = Vec::new();
    let (mut start, mut octets) = (0, 0);
    for (at, email) in emails.iter().enumerate() {
        let size = u64::from(email.size);
        if at > start && (at - start >= PAGE || octets + size > PAGE_OCTETS) {
            pages.push(&emails[start..at]);
            (start, octets) = (at, 0);
        }
        octets += size;
    }
    pages.push(&emails[start..]);
    pages
}

async fn render_page(
    context: &Context,
    page: &[Email],
    request: &MessageRequest,
    keywords: &Keywords,
    room: &mut usize,
    objects: &mut Vec<Map<String, Value>>,
) -> hub::Result<()> {
    let account = &context.account;
    let only_metadata = request.properties.iter().all(|name| METADATA.contains(&name.as_str()));
    if only_metadata {
        objects.extend(page.iter().map(|email| metadata(email, keywords, &request.properties)));
        return Ok(());
    }
    let ids: Vec<EmailId> = page.iter().map(|email| email.id).collect();
    let messages = account.emails().messages(&ids).await?;
    let known: Vec<(&Email, &Message)> =
        page.iter().zip(&messages).filter_map(|(email, message)| Some((email, message.as_ref()?))).collect();
    let blocks = header_blocks(context, &known, request).await?;
    for ((email, message), block) in known.into_iter().zip(blocks) {
        let mut object = metadata(email, keywords, &request.properties);
        match block {
            Read::Header(block) => request.put_header(&mut object, &block),
            Read::Whole(bytes) => {
                let message = Parts::of_kept(Blob::Held(bytes), message);
                if let Some(top) = message.parts.first() {
                    request.put_header(&mut object, &message.header(top).await?);
                }
                request.put_body(&mut object, &message, &BlobId::email(email.id), room).await?;
            }
            Read::Large => {
                let open = account.messages().open_message(message).await?;
                let message = Parts::of_kept(Blob::Message(open, message.size()), message);
                if let Some(top) = message.parts.first() {
                    request.put_header(&mut object, &message.header(top).await?);
                }
                request.put_body(&mut object, &message, &BlobId::email(email.id), room).await?;
            }
        }
        if let Some(view) = SummaryView::new(&message.summary) {
            request.put_summary(&mut object, has_attachment(view.body_structure()), view.preview());
        }
        objects.push(object);
    }
    Ok(())
}

/// What was read of a message.
enum Read {
    /// The header, or the fields of it that are wanted.
    Header(Bytes),
    Whole(Bytes),
    /// It is to be read in pieces.
    Large,
}

/// Reads what the request needs of all messages in one go: nothing, if the fields that it asks for are
/// kept beside the messages.
async fn header_blocks(
    context: &Context,
    known: &[(&Email, &Message)],
    request: &MessageRequest,
) -> hub::Result<Vec<Read>> {
    let fields = request.fields();
    let mut reads: Vec<Option<Read>> = Vec::with_capacity(known.len());
    let mut missing: Vec<(&Message, u64)> = Vec::new();
    for (_, message) in known {
        let view = SummaryView::new(&message.summary);
        let listed = view.and_then(|view| view.listed_fields());
        reads.push(match (&fields, listed) {
            _ if request.wants_body() && message.size() > HELD => Some(Read::Large),
            (Some(fields), Some(listed)) if !request.wants_body() && are_listed(fields) => {
                Some(Read::Header(listed_header_fields(&message.prefix, listed, fields).into()))
            }
            _ => {
                let header = view.map_or(0, |view| view.header_length()) + message.prefix.len() as u64;
                missing.push((message, if request.wants_body() { u64::MAX } else { header }));
                None
            }
        });
    }
    let mut read = context.account.messages().read_starts(&missing).await?.into_iter();
    let whole = request.wants_body();
    let fill = |known: Option<Read>| {
        known.unwrap_or_else(|| {
            let bytes = read.next().unwrap_or_default();
            if whole { Read::Whole(bytes) } else { Read::Header(bytes) }
        })
    };
    Ok(reads.into_iter().map(fill).collect())
}

pub(crate) fn metadata(
    email: &Email,
    keywords: &Keywords,
    properties: &BTreeSet<String>,
) -> Map<String, Value> {
    let mailboxes: HashMap<String, bool> =
        email.mailboxes.iter().map(|id| (ids::mailbox(*id), true)).collect();
    let mut object = Map::new();
    object.insert("id".into(), json!(ids::email(email.id)));
    for name in METADATA.iter().filter(|name| properties.contains(**name)) {
        let value = match *name {
            "blobId" => json!(BlobId::email(email.id).to_string()),
            "threadId" => json!(ids::thread(email.thread)),
            "mailboxIds" => json!(mailboxes),
            "keywords" => keywords::to_json(keywords, email.flags),
            "size" => json!(email.size),
            "receivedAt" => json!(dates::utc(email.received_at)),
            _ => continue,
        };
        object.insert((*name).to_owned(), value);
    }
    object
}

pub(crate) async fn changes(
    context: &mut Context,
    mut arguments: Arguments,
) -> MethodResult<Map<String, Value>> {
    let request = ChangesRequest::take(&mut arguments)?;
    arguments.end()?;
    let changes = context.account.emails().changes(request.since, request.most).await?;
    request.answer(context, changes, |id| ids::email(EmailId(id)))
}
