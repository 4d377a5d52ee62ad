//! Header fields from properties (RFC 8621 §4.1.2), in whatever form they are given.

use serde_json::Value;

use crate::core::error::{SetError, SetResult};
use crate::mail::compose::encode;
use crate::mail::dates;
use crate::mail::header::{Form, HeaderProperty};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    value: FieldValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum FieldValue {
    /// To be folded.
    Folded(String),
    /// As the client wrote it, from behind the colon on.
    Raw(String),
}

impl Field {
    pub(crate) fn new(name: &str, value: String) -> Self {
        Self { name: name.to_owned(), value: FieldValue::Folded(value) }
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.value {
            FieldValue::Folded(value) => encode::folded(&self.name, value, out),
            FieldValue::Raw(raw) => {
                out.extend_from_slice(self.name.as_bytes());
                out.push(b':');
                out.extend_from_slice(raw.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// The fields that a property stands for: none for `null`, several with `:all`.
    pub(crate) fn read(name: &str, property: &HeaderProperty, value: &Value) -> SetResult<Vec<Self>> {
        let wrong = || SetError::property(name, "is of the wrong type or value");
        let values: Vec<&Value> = match (property.all, value) {
            (_, Value::Null) => Vec::new(),
            (true, Value::Array(values)) => values.iter().collect(),
            (true, _) => return Err(wrong()),
            (false, value) => vec![value],
        };
        let mut fields = Vec::with_capacity(values.len());
        for value in values {
            if let Some(value) = read(property.form, value).ok_or_else(wrong)? {
                fields.push(Self { name: property.name.clone(), value });
            }
        }
        Ok(fields)
    }
}

/// `None` if the value is wrong; no field for an empty list.
fn read(form: Form, value: &Value) -> Option<Option<FieldValue>> {
    let folded = |value: String| Some(Some(value).filter(|value| !value.is_empty()).map(FieldValue::Folded));
    match form {
        Form::Addresses => folded(addresses(value)?),
        Form::Date => {
            let (unix, zone) = dates::parse(value.as_str()?)?;
            folded(hub_civil::rfc5322_date(unix, zone))
        }
        Form::GroupedAddresses => folded(groups(value)?),
        Form::MessageIds => folded(bracketed(value, " ")?),
        Form::Raw => raw(value.as_str()?).map(Some),
        Form::Text => {
            let text = value.as_str()?.replace(['\r', '\n'], " ");
            Some(Some(FieldValue::Folded(encode::header_text(&text))))
        }
        Form::Urls => folded(bracketed(value, ", ")?),
    }
}

/// No line in it may become a field of its own: header injection.
fn raw(text: &str) -> Option<FieldValue> {
    let unfolded = text.replace("\r\n ", "").replace("\r\n\t", "");
    let is_clean = !unfolded.contains(['\r', '\n', '\0']);
    is_clean.then(|| FieldValue::Raw(text.to_owned()))
}

fn bracketed(value: &Value, separator: &str) -> Option<String> {
    let items = value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    let is_clean =
        |item: &&str| !item.contains(['<', '>']) && !item.chars().any(|c| c.is_control() || c == ' ');
    if !items.iter().all(is_clean) {
        return None;
    }
    Some(items.iter().map(|item| format!("<{item}>")).collect::<Vec<_>>().join(separator))
}

fn addresses(value: &Value) -> Option<String> {
    let all = value.as_array()?.iter().map(address).collect::<Option<Vec<_>>>()?;
    Some(all.join(", "))
}

fn address(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    let email = object.get("email")?.as_str()?;
    if email.chars().any(|c| c.is_control() || matches!(c, '<' | '>')) {
        return None;
    }
    match object.get("name") {
        None | Some(Value::Null) => Some(email.to_owned()),
        Some(Value::String(name)) => Some(format!("{} <{email}>", encode::phrase(name))),
        Some(_) => None,
    }
}

fn groups(value: &Value) -> Option<String> {
    let group = |value: &Value| {
        let object = value.as_object()?;
        let members = addresses(object.get("addresses")?)?;
        match object.get("name") {
            None | Some(Value::Null) => Some(members),
            Some(Value::String(name)) => Some(format!("{}: {members};", encode::phrase(name))),
            Some(_) => None,
        }
    };
    let all = value.as_array()?.iter().map(group).collect::<Option<Vec<_>>>()?;
    Some(all.into_iter().filter(|group| !group.is_empty()).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields() {
        let written = |name: &str, value: Value| {
            let property = HeaderProperty::parse(name).expect("a property");
            let fields = Field::read(name, &property, &value).ok()?;
            let mut out = Vec::new();
            fields.iter().for_each(|field| field.write(&mut out));
            Some(String::from_utf8(out).expect("text"))
        };
        for (name, value, expected) in [
            (
                "from",
                json!([{ "name": "J\u{f6}rg", "email": "j@x" }, { "email": "k@x" }]),
                Some("From: =?utf-8?b?SsO2cmc=?= <j@x>, k@x\r\n"),
            ),
            ("to", json!([]), Some("")),
            ("to", Value::Null, Some("")),
            ("to", json!([{ "name": 1, "email": "x" }]), None),
            ("to", json!([{ "email": "a@x>\r\nBcc: b@x" }]), None),
            ("messageId", json!(["a@x", "b@x"]), Some("Message-ID: <a@x> <b@x>\r\n")),
            ("messageId", json!(["a>b"]), None),
            ("sentAt", json!("1997-11-21T09:55:06-06:00"), Some("Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n")),
            ("sentAt", json!("yesterday"), None),
            ("subject", json!("a\r\nBcc: b"), Some("Subject: a  Bcc: b\r\n")),
            ("header:X-Y", json!(" a\r\n b"), Some("X-Y: a\r\n b\r\n")),
            ("header:X-Y", json!(" a\r\nBcc: b"), None),
            ("header:X-Y:asText:all", json!(["a", "b"]), Some("X-Y: a\r\nX-Y: b\r\n")),
            (
                "header:To:asGroupedAddresses",
                json!([{ "name": "g", "addresses": [{ "email": "a@x" }] }]),
                Some("To: g: a@x;\r\n"),
            ),
            ("header:List-Post:asURLs", json!(["mailto:a@x"]), Some("List-Post: <mailto:a@x>\r\n")),
        ] {
            assert_eq!(written(name, value.clone()).as_deref(), expected, "{name} {value}");
        }
    }
}
