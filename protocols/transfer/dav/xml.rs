//! A small tree of the XML that servers answer with. No document types, entities but the five, bounded.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::Error;

/// Elements of an answer, and how deep they are nested.
const MAX_ELEMENTS: usize = 2_000_000;
const MAX_DEPTH: usize = 32;

pub(super) const DAV: &str = "DAV:";
pub(super) const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
pub(super) const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
pub(super) const APPLE: &str = "http://apple.com/ns/ical/";

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) namespace: String,
    pub(super) local: String,
    /// The attribute `name`: the only one that is looked at.
    pub(super) name: Option<String>,
    pub(super) children: Vec<Self>,
    /// Character data directly inside.
    pub(super) text: String,
}

impl Element {
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }

    pub(super) fn child(&self, namespace: &str, local: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, local))
    }

    pub(super) fn children_of<'e>(
        &'e self,
        namespace: &'e str,
        local: &'e str,
    ) -> impl Iterator<Item = &'e Self> + use<'e> {
        self.children.iter().filter(move |child| child.is(namespace, local))
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| bad("is not UTF-8"))?;
        let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
        let mut open: Vec<Self> = Vec::new();
        let mut count = 0;
        loop {
            let event = reader.read_event().map_err(|_| bad("is not well-formed"))?;
            let is_empty = matches!(event, Event::Empty(_));
            match event {
                Event::Start(start) | Event::Empty(start) => {
                    count += 1;
                    if count > MAX_ELEMENTS || open.len() == MAX_DEPTH {
                        return Err(bad("is too large"));
                    }
                    open.push(Self::of(&reader, &start)?);
                    if is_empty && let Some(root) = close(&mut open) {
                        return Ok(root);
                    }
                }
                Event::End(_) => {
                    if let Some(root) = close(&mut open) {
                        return Ok(root);
                    }
                }
                Event::Text(text) => add(&mut open, &text.xml10_content()),
                Event::CData(text) => add(&mut open, &text.xml10_content()),
                Event::GeneralRef(name) => {
                    let unknown = || bad("has an entity that is not known");
                    match name.resolve_char_ref().map_err(|_| unknown())? {
                        Some(character) => add(&mut open, character.encode_utf8(&mut [0; 4])),
                        None => {
                            let text =
                                resolve_predefined_entity(&name.xml10_content()).ok_or_else(unknown)?;
                            add(&mut open, text);
                        }
                    }
                }
                Event::DocType(_) => return Err(bad("has a document type")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => return Err(bad("ends too early")),
            }
        }
    }

    fn of(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Self, Error> {
        let (namespace, local) = reader.resolver().resolve_element(start.name());
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return Err(bad("has a prefix that is not declared")),
        };
        let name = start.try_get_attribute("name").map_err(|_| bad("has a bad attribute"))?;
        let name = match name {
            Some(value) => {
                let value = value.normalized_value(quick_xml::XmlVersion::Explicit1_0);
                Some(value.map_err(|_| bad("has a bad attribute"))?.into_owned())
            }
            None => None,
        };
        Ok(Self { namespace, local: local.as_ref().to_owned(), name, ..Self::default() })
    }
}

/// Ends the innermost element; gives it back if it was the root.
fn close(open: &mut Vec<Element>) -> Option<Element> {
    let element = open.pop()?;
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(element);
            None
        }
        None => Some(element),
    }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn bad(why: &str) -> Error {
    Error::Refused(format!("the server's XML {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_text_and_attributes() {
        let text = "<?xml version=\"1.0\"?><d:a xmlns:d=\"DAV:\" xmlns=\"urn:x\"><b name=\"V&amp;\"/>\
                    <d:href>/x&amp;&#x41;<![CDATA[<]]></d:href></d:a>";
        let root = Element::read(text.as_bytes()).expect("well-formed");
        assert!(root.is(DAV, "a"));
        assert_eq!(root.child("urn:x", "b").and_then(|b| b.name.as_deref()), Some("V&"));
        assert_eq!(root.child(DAV, "href").map(|href| href.text.as_str()), Some("/x&A<"));
    }

    #[test]
    fn what_is_refused() {
        let deep = "<a>".repeat(100);
        for text in ["", "<a>", "<a></b>", "<x:a/>", "<!DOCTYPE a><a/>", "<a>&b;</a>", "\u{1}", deep.as_str()]
        {
            assert!(Element::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Element::read(b"<a>\xff</a>").is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[<>/a&;:=\"'! x\\[\\]-]{0,60}") {
            let _ = Element::read(text.as_bytes());
        }
    }
}
