//! Many objects in one file, as programs export and import them: taken apart into objects that can be
//! stored, and put together again. Lines of components stay the bytes that they were.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

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

/// Bytes of a line of the calendar's own that its objects get.
const MOST_HEAD: usize = 1_000;

/// A file whose objects are made one at a time: each gets its calendar's head and time zones, so all of
/// them together may be much larger than the file.
#[derive(Debug)]
pub struct Split {
    heads: Vec<Vec<u8>>,
    parts: Vec<Planned>,
}

#[derive(Debug)]
struct Planned {
    uid: String,
    /// Which of the heads; none for a card.
    head: Option<usize>,
    /// Of the file: time zones, then components, with whether a UID must be written into them.
    zones: Vec<Range<usize>>,
    components: Vec<(Range<usize>, bool)>,
}

impl Split {
    /// Of a file of calendars: everything with one UID together, with the time zones that it uses, in
    /// the order in which they begin. `uid` makes one for what has none.
    pub fn calendars(file: &[u8], uid: impl Fn(&[u8]) -> String) -> Result<Self, Error> {
        let document = Document::parse(file)?;
        let mut split = Self { heads: Vec::new(), parts: Vec::new() };
        for calendar in document.roots().filter(|root| root.name() == "VCALENDAR") {
            split.calendar(calendar, file, &uid);
        }
        Ok(split)
    }

    /// Of a file of cards. What has no UID is named by `uid`, which is not written into the card.
    pub fn cards(file: &[u8], uid: impl Fn(&[u8]) -> String) -> Result<Self, Error> {
        let document = Document::parse(file)?;
        let part = |card: Component<'_>| Planned {
            uid: own_uid(card).unwrap_or_else(|| uid(&file[card.span()])),
            head: None,
            zones: Vec::new(),
            components: vec![(card.span(), false)],
        };
        let parts = document.roots().filter(|root| root.name() == "VCARD").map(part).collect();
        Ok(Self { heads: Vec::new(), parts })
    }

    fn calendar(&mut self, calendar: Component<'_>, file: &[u8], uid: &impl Fn(&[u8]) -> String) {
        let head = self.heads.len();
        self.heads.push(head_of(calendar));
        let mut zones: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for zone in calendar.children().filter(|child| child.name() == "VTIMEZONE") {
            if let Some(name) = zone.first("TZID") {
                zones.entry(name.text().into_owned()).or_insert(zone.span());
            }
        }
        let mut used: Vec<BTreeSet<String>> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let first = self.parts.len();
        for child in calendar.children().filter(|child| child.name() != "VTIMEZONE") {
            let own = own_uid(child);
            let (has_own, uid) = (own.is_some(), own.unwrap_or_else(|| uid(&file[child.span()])));
            let place = *places.entry(uid.clone()).or_insert(used.len());
            if place == used.len() {
                used.push(BTreeSet::new());
                let (zones, components) = (Vec::new(), Vec::new());
                self.parts.push(Planned { uid, head: Some(head), zones, components });
            }
            self.parts[first + place].components.push((child.span(), !has_own));
            zones_of(child, &mut used[place]);
        }
        for (part, used) in self.parts[first..].iter_mut().zip(used) {
            part.zones = used.iter().filter_map(|name| zones.get(name).cloned()).collect();
        }
    }

    pub fn len(&self) -> usize {
        self.parts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// One of the objects, of the same file.
    pub fn part(&self, index: usize, file: &[u8]) -> Option<Part> {
        let planned = self.parts.get(index)?;
        let mut data = Vec::new();
        if let Some(head) = planned.head.and_then(|head| self.heads.get(head)) {
            data.extend(b"BEGIN:VCALENDAR\r\n");
            data.extend(head);
        }
        for zone in &planned.zones {
            lines_of(file.get(zone.clone())?, &mut data);
        }
        for (span, lacks_uid) in &planned.components {
            let begin = data.len();
            lines_of(file.get(span.clone())?, &mut data);
            if *lacks_uid {
                let first = data[begin..].iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let line = format!("UID:{}\r\n", planned.uid);
                data.splice(begin + first..begin + first, line.into_bytes());
            }
        }
        if planned.head.is_some() {
            data.extend(b"END:VCALENDAR\r\n");
        }
        Some(Part { uid: planned.uid.clone(), data })
    }
}

fn own_uid(component: Component<'_>) -> Option<String> {
    component.first("UID").map(|own| own.text().trim().to_owned()).filter(|own| !own.is_empty())
}

fn head_of(calendar: Component<'_>) -> Vec<u8> {
    let mut head = Vec::new();
    let mut has_version = false;
    for piece in calendar.pieces() {
        let Piece::Line { text, bytes } = piece else { continue };
        let name = text.split([';', ':']).next().unwrap_or_default().to_ascii_uppercase();
        if HEAD.contains(&name.as_str()) && bytes.len() <= MOST_HEAD {
            has_version |= name == "VERSION";
            lines_of(bytes, &mut head);
        }
    }
    if !has_version {
        head.extend(b"VERSION:2.0\r\n");
    }
    head
}

/// Lines of a file that may end with a bare line feed, or the last one without any.
fn lines_of(bytes: &[u8], out: &mut Vec<u8>) {
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
}

/// Names of the time zones that times in it are of.
fn zones_of(component: Component<'_>, names: &mut BTreeSet<String>) {
    names.extend(component.properties().filter_map(|property| property.parameter("TZID")).map(Into::into));
    component.children().for_each(|child| zones_of(child, names));
}

/// Puts calendar objects together into one calendar, a piece at a time.
#[derive(Debug, Default)]
pub struct Joined {
    /// What the zones are that are written, by their names.
    zones: BTreeMap<String, Vec<u8>>,
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

    /// An object's components; its time zones, if they were not there yet. Where a name is that of
    /// another zone already, the object ends this calendar and is one of its own: programs may put
    /// several into one file (RFC 5545 §3.4). What cannot be read is left out.
    pub fn add(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let Ok(document) = Document::parse(data) else { return out };
        let zones: Vec<(String, Vec<u8>)> = document
            .roots()
            .flat_map(|root| root.children())
            .filter(|child| child.name() == "VTIMEZONE")
            .filter_map(|zone| {
                let mut text = Vec::new();
                lines_of(&data[zone.span()], &mut text);
                Some((zone.first("TZID")?.text().into_owned(), text))
            })
            .collect();
        if zones.iter().any(|(name, text)| self.zones.get(name).is_some_and(|known| known != text)) {
            out.extend_from_slice(Self::TAIL.as_bytes());
            out.extend_from_slice(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Twin Hub//EN\r\n");
            self.zones.clear();
        }
        for (name, text) in zones {
            if let Entry::Vacant(place) = self.zones.entry(name) {
                out.extend_from_slice(&text);
                place.insert(text);
            }
        }
        for child in document.roots().flat_map(|root| root.children()) {
            if child.name() != "VTIMEZONE" {
                lines_of(&data[child.span()], &mut out);
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
        let split = Split::calendars(text.as_bytes(), |_| "made".into()).expect("read");
        parts(&split, text).into_iter().collect()
    }

    fn parts(split: &Split, file: &str) -> Vec<(String, String)> {
        let part = |index| split.part(index, file.as_bytes()).expect("one of them");
        let text = |part: Part| (part.uid, String::from_utf8(part.data).expect("text"));
        (0..split.len()).map(part).map(text).collect()
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
        let split = Split::cards(file.as_bytes(), |data| data.len().to_string()).expect("read");
        let found = parts(&split, file);
        assert_eq!(found.iter().map(|(uid, _)| uid.as_str()).collect::<Vec<_>>(), ["1", "38"]);
        assert!(found.iter().all(|(_, card)| card.ends_with("END:VCARD\r\n")));
        assert!(Split::cards(b"BEGIN:VCARD\n", |_| String::new()).is_err());
    }

    /// Outlook calls every zone of its own the same.
    #[test]
    fn other_zones_of_the_same_name_are_kept_apart() {
        let object = |uid: &str, offset: &str| {
            format!(
                "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\nX:{offset}\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n\
                 UID:{uid}\r\nDTSTART;TZID=Own:20240101T000000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            )
        };
        let mut joined = Joined::default();
        let mut text = Joined::head("x").into_bytes();
        for (uid, offset) in [("1", "a"), ("2", "a"), ("3", "b")] {
            text.extend(joined.add(object(uid, offset).as_bytes()));
        }
        text.extend(Joined::TAIL.as_bytes());
        let text = String::from_utf8(text).expect("text");
        assert_eq!(
            (text.matches("BEGIN:VCALENDAR").count(), text.matches("BEGIN:VTIMEZONE").count()),
            (2, 2)
        );
        let again = split(&text);
        assert!(again[1].1.contains("X:a") && again[2].1.contains("X:b"));
    }
}
