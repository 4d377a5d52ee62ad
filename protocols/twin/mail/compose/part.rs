//! The body as it is to be: from `bodyStructure`, or from text, HTML and attachments (RFC 8621 §4.6).

use serde_json::{Map, Value};

use crate::core::error::{SetError, SetResult};
use crate::core::set::Object;
use crate::mail::compose::encode;
use crate::mail::compose::field::Field;
use crate::mail::header::HeaderProperty;

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Blob(String),
    Parts(Vec<PartPlan>),
    Text(String),
}

#[derive(Clone, Debug)]
pub(crate) struct PartPlan {
    /// In lower case.
    pub(crate) media_type: String,
    charset: Option<String>,
    name: Option<String>,
    disposition: Option<String>,
    content_id: Option<String>,
    language: Vec<String>,
    location: Option<String>,
    /// Others that were given.
    pub(crate) fields: Vec<Field>,
    pub(crate) content: Content,
}

/// What an `EmailBodyPart` may have besides header fields.
const PROPERTIES: [&str; 11] = [
    "partId",
    "blobId",
    "size",
    "name",
    "type",
    "charset",
    "disposition",
    "cid",
    "language",
    "location",
    "subParts",
];

pub(crate) fn read(object: &Object) -> SetResult<PartPlan> {
    let values = Values::read(object.get("bodyValues"))?;
    if let Some(structure) = given(object, "bodyStructure") {
        if let Some(other) =
            ["textBody", "htmlBody", "attachments"].iter().find(|name| given(object, name).is_some())
        {
            return Err(SetError::property(other, "stands beside bodyStructure"));
        }
        return one(structure, "bodyStructure", &values, None);
    }
    let text = single(object, "textBody", "text/plain", &values)?;
    let html = single(object, "htmlBody", "text/html", &values)?;
    let attachments = match given(object, "attachments") {
        None => Vec::new(),
        Some(Value::Array(parts)) => {
            parts.iter().map(|part| one(part, "attachments", &values, None)).collect::<SetResult<Vec<_>>>()?
        }
        Some(_) => return Err(SetError::property("attachments", "is not an array")),
    };
    Ok(assembled(text, html, attachments))
}

fn given<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// Text and HTML are alternatives; what the HTML refers to goes with it, the rest beside both.
fn assembled(text: Option<PartPlan>, html: Option<PartPlan>, attachments: Vec<PartPlan>) -> PartPlan {
    let has_html = html.is_some();
    let is_related = |part: &PartPlan| {
        has_html && part.content_id.is_some() && part.disposition.as_deref() == Some("inline")
    };
    let (related, beside): (Vec<_>, Vec<_>) = attachments.into_iter().partition(is_related);
    let html = html.map(|html| match related.is_empty() {
        true => html,
        false => PartPlan::multipart("related", std::iter::once(html).chain(related).collect()),
    });
    let body = match (text, html) {
        (Some(text), Some(html)) => Some(PartPlan::multipart("alternative", vec![text, html])),
        (text, html) => text.or(html),
    };
    if beside.is_empty() {
        return body.unwrap_or_else(|| PartPlan::new("text/plain", Content::Text(String::new())));
    }
    PartPlan::multipart("mixed", body.into_iter().chain(beside).collect())
}

/// Texts by part id.
struct Values(Map<String, Value>);

impl Values {
    fn read(value: Option<&Value>) -> SetResult<Self> {
        let wrong = |why: &str| SetError::property("bodyValues", why);
        let values = match value {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(values)) => values.clone(),
            Some(_) => return Err(wrong("is not an object")),
        };
        for value in values.values() {
            let value = value.as_object().ok_or_else(|| wrong("has a value that is not an object"))?;
            if !value.get("value").is_some_and(Value::is_string) {
                return Err(wrong("has one without a value"));
            }
            for flag in ["isEncodingProblem", "isTruncated"] {
                if !matches!(value.get(flag), None | Some(Value::Bool(false))) {
                    return Err(wrong("says of a value that it is not whole"));
                }
            }
            if value
                .keys()
                .any(|name| !["value", "isEncodingProblem", "isTruncated"].contains(&name.as_str()))
            {
                return Err(wrong("has something unknown"));
            }
        }
        Ok(Self(values))
    }

    fn text(&self, part_id: &str) -> Option<String> {
        self.0.get(part_id)?.get("value")?.as_str().map(str::to_owned)
    }
}

/// `textBody` or `htmlBody`: one part of one type.
fn single(object: &Object, name: &str, media_type: &str, values: &Values) -> SetResult<Option<PartPlan>> {
    match given(object, name) {
        None => Ok(None),
        Some(Value::Array(parts)) if parts.len() == 1 => {
            let part = one(&parts[0], name, values, Some(media_type))?;
            match part.media_type == media_type {
                true => Ok(Some(part)),
                false => Err(SetError::property(name, "has a part of another type")),
            }
        }
        Some(_) => Err(SetError::property(name, "does not have exactly one part")),
    }
}

/// A part and those below it; the depth is that of JSON. Errors name the `property` that it is in.
fn one(value: &Value, property: &str, values: &Values, default_type: Option<&str>) -> SetResult<PartPlan> {
    let wrong = |why: &str| SetError::property(property, why);
    let object = value.as_object().ok_or_else(|| wrong("has a part that is not an object"))?;
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.chars().any(char::is_control) => Ok(Some(text.clone())),
        Some(_) => Err(wrong("has a part with a value of the wrong type")),
    };
    let sub_parts = match object.get("subParts") {
        None | Some(Value::Null) => None,
        Some(Value::Array(parts)) => {
            Some(parts.iter().map(|part| one(part, property, values, None)).collect::<SetResult<Vec<_>>>()?)
        }
        Some(_) => return Err(wrong("has subParts that are not an array")),
    };
    let media_type = text("type")?.map(|given| given.to_ascii_lowercase());
    let guessed = if sub_parts.is_some() { "multipart/mixed" } else { default_type.unwrap_or("text/plain") };
    let media_type = media_type.unwrap_or_else(|| guessed.to_owned());
    let is_type = media_type.split('/').count() == 2
        && media_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+/".contains(&byte));
    if !is_type || media_type.starts_with("multipart/") != sub_parts.is_some() {
        return Err(wrong("has a part whose type is none, or does not fit what is in it"));
    }
    let content = match (sub_parts, text("partId")?, text("blobId")?) {
        (Some(parts), None, None) if !parts.is_empty() => Content::Parts(parts),
        (None, Some(part_id), None) => {
            if object.get("charset").is_some_and(|value| !value.is_null())
                || object.get("size").is_some_and(|value| !value.is_null())
            {
                return Err(wrong("has a part with a partId and a charset or size"));
            }
            let text = values.text(&part_id);
            Content::Text(text.ok_or_else(|| wrong("has a partId that bodyValues does not have"))?)
        }
        (None, None, Some(blob_id)) => Content::Blob(blob_id),
        _ => return Err(wrong("has a part without exactly one of partId, blobId and subParts")),
    };
    let language = match object.get("language") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => crate::core::request::strings(value.clone())
            .ok_or_else(|| wrong("has a language that is not a list"))?,
    };
    let mut part = PartPlan {
        charset: text("charset")?,
        name: text("name")?,
        disposition: text("disposition")?,
        content_id: text("cid")?,
        language,
        location: text("location")?,
        ..PartPlan::new(&media_type, content)
    };
    for (name, value) in object.iter().filter(|(name, _)| !PROPERTIES.contains(&name.as_str())) {
        let header = HeaderProperty::parse(name).filter(|_| name.starts_with("header:"));
        let header = header.ok_or_else(|| wrong("has a part with something unknown"))?;
        if header.name.eq_ignore_ascii_case("Content-Transfer-Encoding") || part.says(&header.name) {
            return Err(wrong("has a part with a field that is given already, or is not to be"));
        }
        part.fields.extend(Field::read(property, &header, value)?);
    }
    Ok(part)
}

impl PartPlan {
    fn new(media_type: &str, content: Content) -> Self {
        Self {
            media_type: media_type.to_owned(),
            charset: None,
            name: None,
            disposition: None,
            content_id: None,
            language: Vec::new(),
            location: None,
            fields: Vec::new(),
            content,
        }
    }

    fn multipart(subtype: &str, parts: Vec<Self>) -> Self {
        Self::new(&format!("multipart/{subtype}"), Content::Parts(parts))
    }

    /// Whether a property or field given already stands for this one.
    fn says(&self, field: &str) -> bool {
        let lower = field.to_ascii_lowercase();
        let by_property = match lower.as_str() {
            "content-disposition" => self.disposition.is_some() || self.name.is_some(),
            "content-id" => self.content_id.is_some(),
            "content-language" => !self.language.is_empty(),
            "content-location" => self.location.is_some(),
            _ => false,
        };
        by_property || self.fields.iter().any(|other| other.is_named(field))
    }

    pub(crate) fn each_blob(&self, take: &mut impl FnMut(&str)) {
        match &self.content {
            Content::Blob(id) => take(id),
            Content::Parts(parts) => parts.iter().for_each(|part| part.each_blob(take)),
            Content::Text(_) => {}
        }
    }

    /// The part's header with the line that ends it.
    pub(crate) fn head(&self, boundary: Option<&str>, encoding: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let has = |name: &str| self.fields.iter().any(|field| field.is_named(name));
        if !has("Content-Type") || boundary.is_some() {
            let mut content_type = self.media_type.clone();
            if let Some(boundary) = boundary {
                content_type += &format!("; boundary=\"{boundary}\"");
            } else if self.media_type.starts_with("text/") {
                let charset = match self.content {
                    Content::Text(_) => Some("utf-8"),
                    _ => self.charset.as_deref(),
                };
                if let Some(charset) = charset {
                    content_type += &format!("; charset={charset}");
                }
            }
            encode::folded("Content-Type", &content_type, &mut out);
        }
        encode::folded("Content-Transfer-Encoding", encoding, &mut out);
        let disposition =
            self.disposition.clone().or_else(|| self.name.as_ref().map(|_| "attachment".to_owned()));
        if let Some(disposition) = disposition {
            let name = self.name.as_deref().map(|name| format!("; {}", parameter("filename", name)));
            encode::folded(
                "Content-Disposition",
                &format!("{disposition}{}", name.unwrap_or_default()),
                &mut out,
            );
        }
        if let Some(id) = &self.content_id {
            encode::folded("Content-ID", &format!("<{id}>"), &mut out);
        }
        if !self.language.is_empty() {
            encode::folded("Content-Language", &self.language.join(", "), &mut out);
        }
        if let Some(location) = &self.location {
            encode::folded("Content-Location", location, &mut out);
        }
        for field in self.fields.iter().filter(|field| boundary.is_none() || !field.is_named("Content-Type"))
        {
            field.write(&mut out);
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// A parameter, by RFC 2231 if it must be.
fn parameter(name: &str, value: &str) -> String {
    if value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let encoded: String = value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => (byte as char).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("{name}*=utf-8''{encoded}")
}
