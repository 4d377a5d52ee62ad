//! Reads the XML of a request into a small tree, within limits.
//!
//! No document type, no entities but the five of XML 1.0 §4.6, no processing instructions: what is
//! not read cannot expand.

use std::ops::Range;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, QName};

use super::Name;

/// Longest request body in XML; the multigets of calendar programs are some 100 KiB.
pub(crate) const MAX_DOCUMENT: usize = 1 << 20;
/// A `propfind` has 3 levels, a filter of CalDAV 7; property values may have some of their own.
const MAX_DEPTH: usize = 64;
const MAX_ELEMENTS: usize = 20_000;
const MAX_ATTRIBUTES: usize = 32;
/// Namespaces in scope: each fragment looks at all of them.
const MAX_BINDINGS: usize = 64;
/// Bytes of a name or a namespace.
const MAX_NAME: usize = 1024;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// Why a document is not read; for a person to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

#[derive(Debug)]
pub(crate) struct Document {
    source: String,
    pub(crate) root: Element,
}

type Attributes = Vec<(String, String)>;

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: Name,
    /// Without namespace declarations; names as written.
    attributes: Attributes,
    pub(crate) children: Vec<Self>,
    /// Character data directly inside.
    pub(crate) text: String,
    /// Where it stands in the source, tags included.
    span: Range<usize>,
    /// End of its name in the source.
    name_end: usize,
    /// What prefixes mean around it, and inside.
    outside: Arc<Scope>,
    inside: Arc<Scope>,
}

/// What a start tag says about prefixes and the language of text. A chain, not copies: those would grow
/// with the square of the document.
#[derive(Debug, Default)]
struct Scope {
    bindings: Vec<(String, String)>,
    language: Option<String>,
    outer: Option<Arc<Self>>,
}

impl Scope {
    /// From the inside out.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.outer.as_deref())
    }

    fn bindings(&self) -> impl Iterator<Item = &(String, String)> {
        self.chain().flat_map(|scope| &scope.bindings)
    }

    fn language(&self) -> Option<&str> {
        self.chain().find_map(|scope| scope.language.as_deref())
    }

    fn resolve(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        self.bindings().find(|(known, _)| known == prefix).map(|(_, namespace)| namespace.as_str())
    }
}

impl Element {
    /// The first child of this name in `DAV:`.
    pub(crate) fn dav_child(&self, local: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name.is_dav(local))
    }

    pub(crate) fn child(&self, namespace: &str, local: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name.is(namespace, local))
    }

    pub(crate) fn children_of<'e>(
        &'e self,
        namespace: &'e str,
        local: &'e str,
    ) -> impl Iterator<Item = &'e Self> + use<'e> {
        self.children.iter().filter(move |child| child.name.is(namespace, local))
    }

    /// Prefixes that its own start tag declares.
    fn own_prefixes(&self) -> impl Iterator<Item = &str> {
        let own = (!Arc::ptr_eq(&self.outside, &self.inside)).then_some(&self.inside.bindings);
        own.into_iter().flatten().map(|(prefix, _)| prefix.as_str())
    }

    /// An attribute without prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Document {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > MAX_DOCUMENT {
            return Err(Malformed("the document is too long"));
        }
        let source = decode(body)?;
        let root = Parser::new(&source).run()?;
        Ok(Self { source, root })
    }

    /// The element as it was written, with all that it needs from around it: namespaces and the
    /// language (RFC 4918 §4.3: prefixes, text and language are kept).
    pub(crate) fn fragment(&self, element: &Element) -> String {
        let source = &self.source[element.span.clone()];
        let (head, rest) = source.split_at(element.name_end - element.span.start);
        let mut out = String::from(head);
        let mut declared: Vec<&str> = element.own_prefixes().collect();
        for (prefix, namespace) in element.outside.bindings() {
            if declared.contains(&prefix.as_str()) {
                continue;
            }
            declared.push(prefix);
            if prefix.is_empty() && !namespace.is_empty() {
                out.push_str(&format!(" xmlns=\"{}\"", super::escaped(namespace)));
            } else if !prefix.is_empty() && source.contains(&format!("{prefix}:")) {
                out.push_str(&format!(" xmlns:{prefix}=\"{}\"", super::escaped(namespace)));
            }
        }
        if let Some(language) = element.outside.language()
            && element.attribute("xml:lang").is_none()
        {
            out.push_str(&format!(" xml:lang=\"{}\"", super::escaped(language)));
        }
        out.push_str(rest);
        out
    }
}

/// RFC 4918 §8.2: both encodings must be understood.
fn decode(body: &[u8]) -> Result<String, Malformed> {
    let malformed = Malformed("the document is neither UTF-8 nor UTF-16");
    let units = |of: fn([u8; 2]) -> u16| {
        let (pairs, rest) = body[2..].as_chunks::<2>();
        let units = pairs.iter().map(|pair| of(*pair));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        text.ok().filter(|_| rest.is_empty()).ok_or(malformed)
    };
    match body {
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] | text => {
            std::str::from_utf8(text).map(str::to_owned).map_err(|_| malformed)
        }
    }
}

struct Parser<'a> {
    source: &'a str,
    reader: Reader<&'a [u8]>,
    open: Vec<Element>,
    count: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a str) -> Self {
        let mut reader = Reader::from_str(source);
        reader.config_mut().check_comments = true;
        Self { source, reader, open: Vec::new(), count: 0 }
    }

    fn run(mut self) -> Result<Element, Malformed> {
        let mut root = None;
        loop {
            let before = self.position();
            let event = self.reader.read_event().map_err(|_| Malformed("the XML is not well-formed"))?;
            match event {
                Event::Start(start) => {
                    if root.is_some() {
                        return Err(Malformed("there are two root elements"));
                    }
                    self.start(&start, before)?;
                }
                Event::Empty(start) => {
                    if root.is_some() {
                        return Err(Malformed("there are two root elements"));
                    }
                    self.start(&start, before)?;
                    root = self.end();
                }
                Event::End(_) => root = self.end(),
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(name) => {
                    let bad = Malformed("an entity is not known");
                    match name.resolve_char_ref().map_err(|_| bad)? {
                        Some(character) if super::is_char(character) => {
                            self.text(character.encode_utf8(&mut [0; 4]))?;
                        }
                        Some(_) => return Err(bad),
                        None => {
                            let text =
                                resolve_predefined_entity(&name.xml10_content()).ok_or(bad)?.to_owned();
                            self.text(&text)?;
                        }
                    }
                }
                Event::Comment(_) | Event::Decl(_) => {}
                Event::DocType(_) => return Err(Malformed("a document type is not read")),
                Event::PI(_) => return Err(Malformed("processing instructions are not read")),
                Event::Eof if self.open.is_empty() => return root.ok_or(Malformed("there is no XML")),
                Event::Eof => return Err(Malformed("the XML ends too early")),
            }
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX).min(self.source.len())
    }

    fn start(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), Malformed> {
        self.count += 1;
        if self.open.len() == MAX_DEPTH {
            return Err(Malformed("elements are nested too deeply"));
        }
        if self.count > MAX_ELEMENTS {
            return Err(Malformed("there are too many elements"));
        }
        let outside = self.open.last().map_or_else(Arc::default, |element| Arc::clone(&element.inside));
        let (attributes, inside) = attributes(start, &outside)?;
        let name = resolve(start.name(), &inside)?;
        let end = self.position();
        let name_end = at + 1 + start.name().as_ref().len();
        let element = Element {
            name,
            attributes,
            children: Vec::new(),
            text: String::new(),
            span: at..end,
            name_end,
            outside,
            inside,
        };
        self.open.push(element);
        Ok(())
    }

    /// Ends the innermost element; gives it back if it was the root.
    fn end(&mut self) -> Option<Element> {
        let mut element = self.open.pop()?;
        element.span.end = self.position();
        match self.open.last_mut() {
            Some(parent) => {
                parent.children.push(element);
                None
            }
            None => Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Malformed> {
        if text.chars().any(|character| !super::is_char(character)) {
            return Err(Malformed("a character is not allowed in XML"));
        }
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(Malformed("there is text outside of the root element")),
        }
        Ok(())
    }
}

/// The attributes of a start tag, and what prefixes mean inside the element.
fn attributes(start: &BytesStart<'_>, outside: &Arc<Scope>) -> Result<(Attributes, Arc<Scope>), Malformed> {
    let malformed = Malformed("an attribute is not well-formed");
    let mut attributes = Vec::new();
    let mut inside = Scope { outer: Some(Arc::clone(outside)), ..Scope::default() };
    for (count, attribute) in start.attributes().enumerate() {
        let attribute = attribute.map_err(|_| malformed)?;
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Explicit1_0)
            .map_err(|_| malformed)?
            .into_owned();
        if count == MAX_ATTRIBUTES {
            return Err(Malformed("an element has too many attributes"));
        }
        if value.chars().any(|character| !super::is_char(character)) {
            return Err(Malformed("a character is not allowed in XML"));
        }
        match attribute.key.as_namespace_binding() {
            Some(declaration) => {
                let prefix = match declaration {
                    PrefixDeclaration::Default => "",
                    // XML Names §5: only the default namespace can be undeclared.
                    PrefixDeclaration::Named(_) if value.is_empty() => return Err(malformed),
                    PrefixDeclaration::Named("xml" | "xmlns") => return Err(malformed),
                    PrefixDeclaration::Named(prefix) => prefix,
                };
                if value.len() > MAX_NAME {
                    return Err(Malformed("a namespace is too long"));
                }
                inside.bindings.push((prefix.to_owned(), value));
            }
            None => {
                let name = attribute.key.as_ref();
                if name == "xml:lang" {
                    inside.language = Some(value.clone());
                }
                attributes.push((name.to_owned(), value));
            }
        }
    }
    if inside.bindings().count() > MAX_BINDINGS {
        return Err(Malformed("too many namespaces are declared"));
    }
    let is_new = !inside.bindings.is_empty() || inside.language.is_some();
    Ok((attributes, if is_new { Arc::new(inside) } else { Arc::clone(outside) }))
}

fn resolve(name: QName<'_>, scope: &Scope) -> Result<Name, Malformed> {
    let prefix = name.prefix().map(|prefix| prefix.as_ref().to_owned());
    let local = name.local_name().as_ref().to_owned();
    if local.is_empty() || local.contains(':') || name.as_ref().len() > MAX_NAME {
        return Err(Malformed("a name is not well-formed, or too long"));
    }
    let namespace = match prefix {
        None => scope.resolve("").unwrap_or_default(),
        Some(prefix) => scope.resolve(&prefix).ok_or(Malformed("a namespace prefix is not declared"))?,
    };
    Ok(Name::new(namespace, &local))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Document, Malformed> {
        Document::read(text.as_bytes())
    }

    #[test]
    fn names_are_resolved_whatever_the_prefix() {
        for text in [
            "<D:a xmlns:D='DAV:'><D:b/></D:a>",
            "<a xmlns='DAV:'><b/></a>",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<x:a xmlns:x=\"DAV:\"><b xmlns='DAV:'></b></x:a>\n",
            "\u{feff}<a xmlns='DAV:'><!-- c --><b/></a>",
        ] {
            let document = read(text).expect(text);
            assert!(document.root.name.is("DAV:", "a"), "{text}");
            assert!(document.root.dav_child("b").is_some(), "{text}");
        }
        let inner = read("<a xmlns='DAV:'><b xmlns=''/></a>").expect("well-formed");
        assert!(inner.root.children[0].name.is("", "b"));
    }

    #[test]
    fn text_is_put_together() {
        let document = read("<a>x &lt;&#x41;&amp; <![CDATA[<b>]]></a>").expect("well-formed");
        assert_eq!(document.root.text, "x <A& <b>");
        let wide: Vec<u8> = "\u{feff}<a>ü</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(Document::read(&wide).expect("UTF-16").root.text, "ü");
    }

    #[test]
    fn what_is_refused() {
        let deep = "<a>".repeat(65) + &"</a>".repeat(65);
        let many = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        let attributes: String = (0..33).map(|n| format!(" x{n}=''")).collect();
        let long = format!("<{}/>", "a".repeat(1025));
        let prefixes: String = (0..3).fold(String::new(), |xml, n| {
            let declared: String = (0..30).map(|m| format!(" xmlns:x{n}y{m}='urn:x'")).collect();
            format!("{xml}<a{declared}>")
        }) + "</a></a></a>";
        for text in [
            "",
            " ",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<D:a/>",
            "<a:b:c xmlns:a='DAV:'/>",
            "<a xmlns:b=''/>",
            "<a x='1' x='2'/>",
            "<a>&b;</a>",
            "<a>&#0;</a>",
            "<a>&#xffff;</a>",
            "<a>\u{1}</a>",
            "<a b='\u{1}'/>",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<?php x?><a/>",
            "<a><?b c?></a>",
            &deep,
            &many,
            &format!("<a{attributes}/>"),
            &long,
            &prefixes,
        ] {
            assert!(read(text).is_err(), "{}", &text[..text.len().min(60)]);
        }
        assert!(Document::read(b"<a>\xff</a>").is_err());
        assert!(Document::read(&[0xfe, 0xff, 0]).is_err());
        assert!(Document::read(&vec![b' '; MAX_DOCUMENT + 1]).is_err());
    }

    #[test]
    fn fragments_stand_alone() {
        for (text, expected) in [
            ("<p xmlns:x='urn:x'><x:a>1</x:a></p>", "<x:a xmlns:x=\"urn:x\">1</x:a>"),
            ("<p xmlns='urn:d'><a/></p>", "<a xmlns=\"urn:d\"/>"),
            ("<p xmlns='urn:d'><a xmlns='urn:e'><b/></a></p>", "<a xmlns='urn:e'><b/></a>"),
            ("<p xmlns:x='urn:1'><q xmlns:x='urn:2'><x:a/></q></p>", "<x:a xmlns:x=\"urn:2\"/>"),
            (
                "<p xmlns:y='urn:y' xmlns:x='urn:x'><a><x:b c='y:z'/></a></p>",
                "<a xmlns:y=\"urn:y\" xmlns:x=\"urn:x\"><x:b c='y:z'/></a>",
            ),
            ("<p xmlns='urn:d'><a b='>' xmlns='urn:e'/></p>", "<a b='>' xmlns='urn:e'/>"),
            ("<p xml:lang='de'><a>ü</a></p>", "<a xml:lang=\"de\">ü</a>"),
            ("<p xml:lang='de'><a xml:lang='fr'>ü</a></p>", "<a xml:lang='fr'>ü</a>"),
        ] {
            let document = read(text).expect(text);
            let mut element = &document.root.children[0];
            if element.name.local() == "q" {
                element = &element.children[0];
            }
            let fragment = document.fragment(element);
            assert_eq!(fragment, expected);
            let again = read(&fragment).expect("well-formed by itself");
            assert_eq!(again.root.name, element.name);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[<>/a-c:='\"&; !?\\[\\]-]{0,60}") {
            if let Ok(document) = read(&text) {
                let _ = document.fragment(&document.root);
            }
        }
    }
}
