//! The properties of `Email` that follow from the message itself (RFC 8621 §4.1.2–4.1.4).

use std::collections::BTreeSet;

use hub::Result;
use serde_json::{Map, Value, json};

use crate::blob::Parts;
use crate::core::arguments::Arguments;
use crate::core::error::{MethodError, MethodResult};
use crate::ids::BlobId;
use crate::mail::body::{self, Body, BodyRequest};
use crate::mail::header::{self, HeaderProperty};

const BODY: [&str; 5] = ["bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments"];

/// What is asked for of the messages.
pub(crate) struct MessageRequest {
    pub(crate) properties: BTreeSet<String>,
    body: BodyRequest,
}

/// Whether a name is a property that the message tells.
pub(crate) fn is_property(name: &str) -> bool {
    BODY.contains(&name)
        || ["hasAttachment", "preview", "headers"].contains(&name)
        || HeaderProperty::parse(name).is_some()
}

impl MessageRequest {
    /// The arguments about bodies (RFC 8621 §4.2, §4.9).
    pub(crate) fn take(arguments: &mut Arguments, properties: BTreeSet<String>) -> MethodResult<Self> {
        let body_properties = arguments.strings("bodyProperties")?;
        if let Some(unknown) = body_properties.iter().flatten().find(|name| !body::is_property(name)) {
            return Err(MethodError::argument(
                "bodyProperties",
                &format!("has {unknown:?}, which is none here"),
            ));
        }
        Ok(Self {
            properties,
            body: BodyRequest {
                properties: body_properties
                    .map_or_else(body::default_properties, |names| names.into_iter().collect()),
                text_values: arguments.flag("fetchTextBodyValues")?,
                html_values: arguments.flag("fetchHTMLBodyValues")?,
                all_values: arguments.flag("fetchAllBodyValues")?,
                most: arguments.unsigned("maxBodyValueBytes")?.unwrap_or(0) as usize,
            },
        })
    }

    fn has(&self, name: &str) -> bool {
        self.properties.contains(name)
    }

    /// Whether the body must be looked at.
    pub(crate) fn wants_body(&self) -> bool {
        BODY.iter().any(|name| self.has(name))
    }

    /// The names of the fields that are wanted; `None` if it is all of them.
    pub(crate) fn fields(&self) -> Option<Vec<String>> {
        if self.has("headers") {
            return None;
        }
        let properties = self.properties.iter().filter_map(|name| HeaderProperty::parse(name));
        Some(properties.map(|property| property.name).collect())
    }

    pub(crate) fn put_header(&self, object: &mut Map<String, Value>, block: &[u8]) {
        header::put(object, block, self.properties.iter().map(String::as_str));
    }

    /// `room` is what the values of this answer may still weigh.
    pub(crate) async fn put_body(
        &self,
        object: &mut Map<String, Value>,
        message: &Parts,
        blob_id: &BlobId,
        room: &mut usize,
    ) -> Result<()> {
        let body = Body::of(message, blob_id).await?;
        for name in BODY.iter().filter(|name| self.has(name)) {
            let value = match *name {
                "bodyStructure" => body.structure(&self.body).await?,
                "bodyValues" => body.values(&self.body, room).await?,
                "textBody" => body.list(&body.chosen.text, &self.body).await?,
                "htmlBody" => body.list(&body.chosen.html, &self.body).await?,
                _ => body.list(&body.chosen.attachments, &self.body).await?,
            };
            object.insert((*name).to_owned(), value);
        }
        Ok(())
    }

    pub(crate) fn put_summary(&self, object: &mut Map<String, Value>, has_attachment: bool, preview: &str) {
        if self.has("hasAttachment") {
            object.insert("hasAttachment".into(), json!(has_attachment));
        }
        if self.has("preview") {
            object.insert("preview".into(), json!(preview.chars().take(256).collect::<String>()));
        }
    }
}
