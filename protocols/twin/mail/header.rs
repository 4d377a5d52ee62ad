//! Header fields as properties: `header:NAME:asFORM:all` and those with names of their own
//! (RFC 8621 §4.1.2, §4.1.3).

use hub_mime::{
    AddressGroup, NamedAddress, addresses_form, all_fields, date_form, grouped_addresses_form,
    message_ids_form, named_fields, raw_form, text_form, urls_form,
};
use serde_json::{Map, Value, json};

use crate::mail::dates;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Addresses,
    Date,
    GroupedAddresses,
    MessageIds,
    Raw,
    Text,
    Urls,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderProperty {
    pub(crate) name: String,
    pub(crate) form: Form,
    /// Every field of the name, not only the last.
    pub(crate) all: bool,
}

/// Properties that stand for a field in a form.
pub(crate) const NAMED: [(&str, &str, Form); 11] = [
    ("messageId", "Message-ID", Form::MessageIds),
    ("inReplyTo", "In-Reply-To", Form::MessageIds),
    ("references", "References", Form::MessageIds),
    ("sender", "Sender", Form::Addresses),
    ("from", "From", Form::Addresses),
    ("to", "To", Form::Addresses),
    ("cc", "Cc", Form::Addresses),
    ("bcc", "Bcc", Form::Addresses),
    ("replyTo", "Reply-To", Form::Addresses),
    ("subject", "Subject", Form::Text),
    ("sentAt", "Date", Form::Date),
];

impl Form {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "asAddresses" => Self::Addresses,
            "asDate" => Self::Date,
            "asGroupedAddresses" => Self::GroupedAddresses,
            "asMessageIds" => Self::MessageIds,
            "asRaw" => Self::Raw,
            "asText" => Self::Text,
            "asURLs" => Self::Urls,
            _ => return None,
        })
    }

    /// RFC 8621 §4.1.2: fields that RFC 5322 and RFC 2369 define have the forms that make sense, all others
    /// any.
    fn suits(self, field: &str) -> bool {
        let defined = match field.to_ascii_lowercase().as_str() {
            "from" | "sender" | "reply-to" | "to" | "cc" | "bcc" | "resent-from" | "resent-sender"
            | "resent-reply-to" | "resent-to" | "resent-cc" | "resent-bcc" => {
                [Self::Addresses, Self::GroupedAddresses].contains(&self)
            }
            "subject" | "comments" | "keywords" | "list-id" => self == Self::Text,
            "message-id" | "in-reply-to" | "references" | "resent-message-id" => self == Self::MessageIds,
            "date" | "resent-date" => self == Self::Date,
            "list-help" | "list-unsubscribe" | "list-subscribe" | "list-post" | "list-owner"
            | "list-archive" => self == Self::Urls,
            "return-path" | "received" => false,
            _ => true,
        };
        self == Self::Raw || defined
    }
}

impl HeaderProperty {
    /// ```text
    /// property = "header:" field-name [ ":as" form ] [ ":all" ]
    /// ```
    pub(crate) fn parse(property: &str) -> Option<Self> {
        if let Some((_, name, form)) = NAMED.iter().find(|(known, ..)| *known == property) {
            return Some(Self { name: (*name).to_owned(), form: *form, all: false });
        }
        let mut pieces = property.strip_prefix("header:")?.split(':');
        let name = pieces.next()?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| (33..=126).contains(&byte));
        let mut suffix = pieces.next();
        let form = match suffix.and_then(Form::named) {
            Some(form) => {
                suffix = pieces.next();
                form
            }
            None => Form::Raw,
        };
        let all = match suffix {
            None => false,
            Some("all") => true,
            Some(_) => return None,
        };
        (is_name && pieces.next().is_none() && form.suits(name)).then(|| Self {
            name: name.to_owned(),
            form,
            all,
        })
    }

    /// Its value in a header block.
    pub(crate) fn of(&self, block: &[u8]) -> Value {
        let mut values = named_fields(block, &self.name);
        match self.all {
            true => values.map(|raw| self.form.of(raw)).collect(),
            false => values.next_back().map_or(Value::Null, |raw| self.form.of(raw)),
        }
    }
}

impl Form {
    fn of(self, raw: &[u8]) -> Value {
        match self {
            Self::Addresses => addresses_form(raw).iter().map(address).collect(),
            Self::Date => date_form(raw).map_or(Value::Null, |(unix, zone)| dates::zoned(unix, zone).into()),
            Self::GroupedAddresses => grouped_addresses_form(raw).iter().map(group).collect(),
            Self::MessageIds => json!(message_ids_form(raw)),
            Self::Raw => raw_form(raw).into(),
            Self::Text => text_form(raw).into(),
            Self::Urls => json!(urls_form(raw)),
        }
    }
}

fn address(address: &NamedAddress) -> Value {
    json!({ "name": address.name, "email": address.email })
}

fn group(group: &AddressGroup) -> Value {
    json!({ "name": group.name, "addresses": group.addresses.iter().map(address).collect::<Vec<_>>() })
}

/// `EmailHeader[]`
pub(crate) fn headers(block: &[u8]) -> Value {
    all_fields(block).map(|(name, value)| json!({ "name": name, "value": raw_form(value) })).collect()
}

/// Puts the properties of a header block that are among the names into an object.
pub(crate) fn put<'a>(object: &mut Map<String, Value>, block: &[u8], names: impl Iterator<Item = &'a str>) {
    for name in names {
        if name == "headers" {
            object.insert(name.to_owned(), headers(block));
        } else if let Some(property) = HeaderProperty::parse(name) {
            object.insert(name.to_owned(), property.of(block));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties() {
        let parse = |property: &str| HeaderProperty::parse(property).map(|p| (p.name, p.form, p.all));
        for (property, expected) in [
            ("header:subject", Some(("subject", Form::Raw, false))),
            ("header:Resent-To:asAddresses:all", Some(("Resent-To", Form::Addresses, true))),
            ("header:X-Y:all", Some(("X-Y", Form::Raw, true))),
            ("header:X-Y:asURLs", Some(("X-Y", Form::Urls, false))),
            ("sentAt", Some(("Date", Form::Date, false))),
            ("header:X-Y:all:asText", None),
            ("header:X-Y:asNone", None),
            ("header:", None),
            ("header:a b", None),
            ("header:From:asText", None),
            ("header:Subject:asAddresses", None),
            ("header:Received:asText", None),
            ("header:X-Y:asText:all:all", None),
            ("headers", None),
        ] {
            let expected = expected.map(|(name, form, all)| (name.to_owned(), form, all));
            assert_eq!(parse(property), expected, "{property}");
        }
    }

    #[test]
    fn values() {
        let block =
            b"To: a@x\r\nX: 1\r\nx:  =?utf-8?q?=C3=BC?=\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n\r\n";
        let of = |property: &str| HeaderProperty::parse(property).expect("a property").of(block);
        assert_eq!(of("header:x"), "  =?utf-8?q?=C3=BC?=");
        assert_eq!(of("header:X:all"), json!([" 1", "  =?utf-8?q?=C3=BC?="]));
        assert_eq!(of("header:X:asText"), "\u{fc}");
        assert_eq!(of("header:None"), Value::Null);
        assert_eq!(of("header:None:all"), json!([]));
        assert_eq!(of("to"), json!([{ "name": null, "email": "a@x" }]));
        assert_eq!(of("sentAt"), "1997-11-21T09:55:06-06:00");
        assert_eq!(of("messageId"), Value::Null);
        assert_eq!(
            headers(b"A: 1\r\nB:2\r\n\r\n"),
            json!([{ "name": "A", "value": " 1" }, { "name": "B", "value": "2" }])
        );
    }
}
