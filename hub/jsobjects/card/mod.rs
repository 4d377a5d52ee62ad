//! vCard (RFC 6350, and RFC 2426) and JSContact's Card (RFC 9553).

mod address;
mod check;
mod date;
mod name;
mod parameters;
mod read;
mod table;
#[cfg(test)]
mod tests;
mod write;

use hub_ical::{Component, Document};
use serde_json::{Map, Value};

use crate::Error;

/// Of the card that a text is; it is kept when the text is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V3,
    V4,
}

impl Version {
    fn of(card: Component<'_>) -> Self {
        match card.first("VERSION").is_some_and(|version| version.value.trim() == "3.0") {
            true => Self::V3,
            false => Self::V4,
        }
    }
}

/// What a card says.
pub fn read(text: &[u8]) -> Result<Map<String, Value>, Error> {
    let document = Document::parse(text).map_err(|error| Error::Text(error.to_string()))?;
    Ok(read::Reading::of(only(&document)?).object)
}

/// The text of a card that says what the object does: the text that it had `before`, if it had any, with
/// those lines changed whose part of the object is other than before.
pub fn write(before: Option<&[u8]>, object: &Map<String, Value>) -> Result<Vec<u8>, Error> {
    check::check(object)?;
    let text = before.unwrap_or(b"BEGIN:VCARD\r\nVERSION:4.0\r\nEND:VCARD\r\n");
    let document = Document::parse(text).map_err(|error| Error::Text(error.to_string()))?;
    Ok(write::written(only(&document)?, object))
}

fn only<'d>(document: &'d Document<'d>) -> Result<Component<'d>, Error> {
    let mut roots = document.roots();
    match (roots.next(), roots.next()) {
        (Some(card), None) if card.name() == "VCARD" => Ok(card),
        _ => Err(Error::Text("there must be one VCARD".into())),
    }
}
