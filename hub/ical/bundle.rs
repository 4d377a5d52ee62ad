//! Many objects in one file, as programs export and import them: taken apart into objects that can be
//! stored, and put together again. Lines of components stay the bytes that they were.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::Error;
use crate::document::{Component, Document, Piece};

/// One object of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As the object has it; made of its bytes where it has none.
    pub uid: String,
    pub data: Vec<u8>,
}

/// What of a calendar's own properties each of its objects needs (RFC 5545 §3.6). Its name and its
/// METHOD are of the whole.
const HEAD: &[&str] = &["CALSCALE", "PRODID", "VERSION"];

/// The objects of a file of calendars: everything with one UID together, with the time zones that it
/// uses, in the order in which they begin. `uid` makes one for what has none.
pub fn split_calendars(data: &[u8], uid: impl Fn(&[u8]) -> String) -> Result<Vec<Part>, Error> {
    let document = Document::parse(data)?;
    let mut parts = Vec::new();
    for calendar in document.roots().filter(|root| root.name() == "VCALENDAR") {
        split_calendar(calendar, &uid, &mut parts);
    }
    Ok(parts)
}

fn split_calendar(calendar: Component<'_>, uid: &impl Fn(&[u8]) -> String, parts: &mut Vec<Part>) {
    let mut zones: BTreeMap<String, Component<'_>> = BTreeMap::new();
    let mut objects: Vec<(String, Vec<Component<'_>>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for child in calendar.children() {
        if child.name() == "VTIMEZONE" {
            if let Some(name) = child.first("TZID") {
                zones.entry(name.text().into_owned()).or_insert(child);
            }
            continue;
        }
        let own = child.first("UID").map(|own| own.text().trim().to_owned()).filter(|own| !own.is_empty());
        let is_new = own.is_none();
        let own = own.unwrap_or_else(|| uid(&bytes_of(child)));
        let place = *places.entry(own.clone()).or_insert(objects.len());
        match objects.get_mut(place).filter(|_| !is_new) {
            Some((_, components)) => components.push(child),
            None => objects.push((own, vec![child])),
        }
    }
    for (uid, components) in objects {
        let mut data = b"BEGIN:VCALENDAR\r\n".to_vec();
        data.extend(head(calendar));
        let mut used = BTreeSet::new();
        components.iter().for_each(|component| zones_of(*component, &mut used));
        for zone in used.iter().filter_map(|name| zones.get(name)) {
            data.extend(bytes_of(*zone));
        }
        for component in components {
            match component.first("UID") {
                Some(_) => data.extend(bytes_of(component)),
                None => data.extend(with_uid(component, &uid)),
            }
        }
        data.extend(b"END:VCALENDAR\r\n");
        parts.push(Part { uid, data });
    }
}

fn head(calendar: Component<'_>) -> Vec<u8> {
    let mut head = Vec::new();
    let mut has_version = false;
    for piece in calendar.pieces() {
        let Piece::Line { text, bytes } = piece else { continue };
        let name = text.split([';', ':']).next().unwrap_or_default().to_ascii_uppercase();
        has_version |= name == "VERSION";
        if HEAD.contains(&name.as_str()) {
            line(&mut head, bytes);
        }
    }
    if !has_version {
        head.extend(b"VERSION:2.0\r\n");
    }
    head
}

/// A line of a file that may end without a break, or with a bare one.
fn line(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    out.extend_from_slice(bytes.strip_suffix(b"\r").unwrap_or(bytes));
    out.extend_from_slice(b"\r\n");
}

fn bytes_of(component: Component<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(component, &mut out);
    out
}

fn write(component: Component<'_>, out: &mut Vec<u8>) {
    for piece in component.pieces() {
        match piece {
            Piece::Component(child) => write(child, out),
            Piece::Line { bytes, .. } => line(out, bytes),
        }
    }
}

fn with_uid(component: Component<'_>, uid: &str) -> Vec<u8> {
    let bytes = bytes_of(component);
    let begin = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    [&bytes[..begin], format!("UID:{uid}\r\n").as_bytes(), &bytes[begin..]].concat()
}

/// Names of the time zones that times in it are of.
fn zones_of(component: Component<'_>, names: &mut BTreeSet<String>) {
    names.extend(component.properties().filter_map(|property| property.parameter("TZID")).map(Into::into));
    component.children().for_each(|child| zones_of(child, names));
}

/// The cards of a file. `uid` makes a UID for what has none, which is not written into the card.
pub fn split_cards(data: &[u8], uid: impl Fn(&[u8]) -> String) -> Result<Vec<Part>, Error> {
    let document = Document::parse(data)?;
    let part = |card: Component<'_>| {
        let data = bytes_of(card);
        let own = card.first("UID").map(|own| own.text().trim().to_owned()).filter(|own| !own.is_empty());
        Part { uid: own.unwrap_or_else(|| uid(&data)), data }
    };
    Ok(document.roots().filter(|root| root.name() == "VCARD").map(part).collect())
}

/// Puts calendar objects together into one calendar, a piece at a time.
#[derive(Debug, Default)]
pub struct Joined {
    zones: HashSet<String>,
}

impl Joined {
    /// What the file begins with.
    pub fn head(name: &str) -> String {
        let name =
            name.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace(['\r', '\n'], " ");
        let mut text = crate::text::Text::default();
        text.begin("VCALENDAR");
        text.line("VERSION:2.0");
        text.line("PRODID:-//Twin Hub//EN");
        text.line(&format!("X-WR-CALNAME:{name}"));
        text.finish()
    }

    pub const TAIL: &'static str = "END:VCALENDAR\r\n";

    /// An object's components; its time zones, if they were not there yet. What cannot be read is left
    /// out.
    pub fn add(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let Ok(document) = Document::parse(data) else { return out };
        for child in document.roots().flat_map(|root| root.children()) {
            let is_known = child.name() == "VTIMEZONE"
                && child.first("TZID").is_none_or(|name| !self.zones.insert(name.text().into_owned()));
            if !is_known {
                write(child, &mut out);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:PUBLISH\nX-WR-CALNAME:Work\n\
        BEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:B\nEND:VTIMEZONE\n\
        BEGIN:VEVENT\nUID:1\nDTSTART;TZID=B:20240101T000000\nRRULE:FREQ=DAILY\nEND:VEVENT\n\
        BEGIN:VEVENT\nUID:2\nSUMMARY:fol\n ded\nEND:VEVENT\n\
        BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=B:20240102T000000\nEND:VEVENT\n\
        BEGIN:VTODO\nSUMMARY:no uid\nEND:VTODO\nEND:VCALENDAR\n";

    fn split(text: &str) -> Vec<(String, String)> {
        let parts = split_calendars(text.as_bytes(), |_| "made".into()).expect("read");
        parts.into_iter().map(|part| (part.uid, String::from_utf8(part.data).expect("text"))).collect()
    }

    #[test]
    fn a_file_is_taken_apart() {
        let parts = split(FILE);
        let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n";
        assert_eq!(parts.iter().map(|(uid, _)| uid.as_str()).collect::<Vec<_>>(), ["1", "2", "made"]);
        assert_eq!(
            parts[0].1,
            format!(
                "{head}BEGIN:VTIMEZONE\r\nTZID:B\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\n\
                 DTSTART;TZID=B:20240101T000000\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\n\
                 RECURRENCE-ID;TZID=B:20240102T000000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            )
        );
        assert!(parts[1].1.contains("SUMMARY:fol\r\n ded\r\n"), "folds stay");
        assert!(parts[2].1.contains("BEGIN:VTODO\r\nUID:made\r\nSUMMARY:no uid\r\n"));
    }

    #[test]
    fn and_put_together() {
        let mut joined = Joined::default();
        let mut text = Joined::head("Work, and more").into_bytes();
        for (_, data) in split(FILE) {
            text.extend(joined.add(data.as_bytes()));
        }
        text.extend(Joined::TAIL.as_bytes());
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("X-WR-CALNAME:Work\\, and more\r\n"));
        assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1);
        let again: Vec<_> = split(&text).into_iter().map(|(uid, _)| uid).collect();
        assert_eq!(again, ["1", "2", "made"]);
    }

    #[test]
    fn cards() {
        let file =
            "BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:A\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:B\nEND:VCARD";
        let parts = split_cards(file.as_bytes(), |data| data.len().to_string()).expect("read");
        assert_eq!(parts.iter().map(|part| part.uid.as_str()).collect::<Vec<_>>(), ["1", "48"]);
        assert!(split_cards(b"BEGIN:VCARD\n", |_| String::new()).is_err());
    }
}
