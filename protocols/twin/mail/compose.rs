//! A message made of an `Email` object (RFC 8621 §4.6): bytes go into a spool as they are made, so that
//! attachments of any size stream through.

mod encode;
mod field;
mod part;

use std::collections::BTreeSet;

use hub::{Account, Incoming, Spool};
use serde_json::Value;

use crate::blob;
use crate::context::Context;
use crate::core::error::{SetError, SetErrorKind, SetResult};
use crate::core::set::Object;
use crate::ids::BlobId;
use crate::mail::header::HeaderProperty;

use field::Field;
use part::{Content, PartPlan};

/// What is set of an e-mail besides the message.
const METADATA: [&str; 3] = ["mailboxIds", "keywords", "receivedAt"];
const BODY: [&str; 5] = ["bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments"];

/// A message as it is to be, all of it checked but the blobs.
struct Plan {
    fields: Vec<Field>,
    body: PartPlan,
}

/// Makes the message. `now` is in Unix seconds.
pub(crate) async fn compose(context: &Context, object: &Object, now: i64) -> SetResult<Incoming> {
    let plan = Plan::read(object)?;
    check_blobs(&context.account, &plan.body).await?;
    let mut spool = context.account.hub().spool();
    write(&context.account, &mut spool, &plan, now).await?;
    Ok(context.account.hub().examine(spool).await?)
}

impl Plan {
    fn read(object: &Object) -> SetResult<Self> {
        let mut fields: Vec<Field> = Vec::new();
        let mut named: BTreeSet<String> = BTreeSet::new();
        for (name, value) in object {
            if METADATA.contains(&name.as_str()) || BODY.contains(&name.as_str()) {
                continue;
            }
            let property = HeaderProperty::parse(name)
                .ok_or_else(|| SetError::property(name, "is not to be set here"))?;
            if property.name.to_ascii_lowercase().starts_with("content-") {
                return Err(SetError::property(name, "belongs to a part of the body"));
            }
            if !named.insert(property.name.to_ascii_lowercase()) {
                return Err(SetError::property(name, "stands for a field that is given twice"));
            }
            fields.extend(Field::read(name, &property, value)?);
        }
        let body = part::read(object)?;
        for field in &body.fields {
            if fields.iter().any(|other| other.is_named(&field.name)) {
                return Err(SetError::property("bodyStructure", "has a field that the e-mail has"));
            }
        }
        Ok(Self { fields, body })
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.is_named(name))
    }
}

/// `blobNotFound`, with all that are missing.
async fn check_blobs(account: &Account, body: &PartPlan) -> SetResult<()> {
    let mut wanted = BTreeSet::new();
    body.each_blob(&mut |id| {
        wanted.insert(id.to_owned());
    });
    let mut missing = Vec::new();
    for text in wanted {
        let found = match BlobId::parse(&text) {
            Some(id) => match blob::open(account, &id).await {
                Ok(_) => true,
                Err(hub::Error::NotFound(_)) => false,
                Err(error) => return Err(error.into()),
            },
            None => false,
        };
        if !found {
            missing.push(text);
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(SetError::new(SetErrorKind::BlobNotFound, "").with("notFound", missing.into())),
    }
}

async fn write(account: &Account, spool: &mut Spool, plan: &Plan, now: i64) -> SetResult<()> {
    let mut head = Vec::new();
    for field in &plan.fields {
        field.write(&mut head);
    }
    if !plan.has("Date") {
        Field::new("Date", hub_civil::rfc5322_date(now, 0)).write(&mut head);
    }
    if !plan.has("Message-ID") {
        let domain = account.handle().domain().to_owned();
        Field::new("Message-ID", format!("<{}@{domain}>", encode::token())).write(&mut head);
    }
    if !plan.has("MIME-Version") {
        Field::new("MIME-Version", "1.0".to_owned()).write(&mut head);
    }
    put(spool, &head).await?;
    write_body(account, spool, &plan.body).await
}

/// Multiparts nest as deep as JSON does.
async fn write_body(account: &Account, spool: &mut Spool, top: &PartPlan) -> SetResult<()> {
    /// What is still to be written.
    enum Step<'a> {
        Part(&'a PartPlan),
        Text(String),
    }
    let mut steps = vec![Step::Part(top)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Text(text) => put(spool, text.as_bytes()).await?,
            Step::Part(part) => match &part.content {
                Content::Parts(children) => {
                    let boundary = encode::token();
                    put(spool, &part.head(Some(&boundary), "7bit")).await?;
                    steps.push(Step::Text(format!("\r\n--{boundary}--\r\n")));
                    for child in children.iter().rev() {
                        steps.push(Step::Part(child));
                        steps.push(Step::Text(format!("\r\n--{boundary}\r\n")));
                    }
                }
                Content::Text(text) => {
                    let (encoding, bytes) = encode::text(text);
                    put(spool, &part.head(None, encoding)).await?;
                    put(spool, &bytes).await?;
                }
                Content::Blob(id) => write_blob(account, spool, part, id).await?,
            },
        }
    }
    Ok(())
}

async fn write_blob(account: &Account, spool: &mut Spool, part: &PartPlan, id: &str) -> SetResult<()> {
    let not_found = || SetError::new(SetErrorKind::BlobNotFound, "").with("notFound", vec![id].into());
    let id = BlobId::parse(id).ok_or_else(not_found)?;
    let blob = blob::open(account, &id).await?;
    // RFC 2046 §5.2.1: a message is not encoded.
    let is_message = part.media_type.starts_with("message/");
    put(spool, &part.head(None, if is_message { "8bit" } else { "base64" })).await?;
    let mut rest = 0..blob.size();
    let mut lines = encode::Base64Lines::default();
    while let Some(piece) = blob.next(&mut rest).await? {
        match is_message {
            true => put(spool, &piece).await?,
            false => put(spool, &lines.feed(&piece)).await?,
        }
    }
    put(spool, &lines.finish()).await
}

async fn put(spool: &mut Spool, bytes: &[u8]) -> SetResult<()> {
    spool.write(bytes).await.map_err(|error| hub::Error::from(error).into())
}

/// `true` for each of these.
pub(crate) fn id_set(value: Option<&Value>, name: &str) -> SetResult<Vec<String>> {
    let object =
        value.and_then(Value::as_object).ok_or_else(|| SetError::property(name, "is not an object"))?;
    if object.values().any(|value| *value != Value::Bool(true)) {
        return Err(SetError::property(name, "has a value that is not true"));
    }
    Ok(object.keys().cloned().collect())
}
