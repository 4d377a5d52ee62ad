//! Writes XML; every element that is opened is closed, every text escaped.

use super::{DAV, Name, PREFIXES, escape_into, escaped};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// XML that is being written. What is complete can be taken away at any time.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    out: String,
}

impl Xml {
    /// A whole document: one element of `DAV:`.
    pub(crate) fn document(local: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::default();
        xml.open_root(local);
        content(&mut xml);
        xml.close_root(local);
        xml.out
    }

    /// A whole document: one element of a namespace that has a prefix.
    pub(crate) fn document_of(namespace: &str, local: &str, content: impl FnOnce(&mut Self)) -> String {
        let known = PREFIXES.iter().find(|(_, known)| *known == namespace);
        let name = format!("{}:{local}", known.map_or("D", |(prefix, _)| *prefix));
        let mut xml = Self::default();
        xml.open_root_named(&name);
        content(&mut xml);
        xml.out.push_str(&format!("</{name}>\n"));
        xml.out
    }

    pub(crate) fn open_root(&mut self, local: &str) {
        self.open_root_named(&format!("D:{local}"));
    }

    fn open_root_named(&mut self, name: &str) {
        self.out.push_str(DECLARATION);
        self.out.push('<');
        self.out.push_str(name);
        for (prefix, namespace) in PREFIXES {
            self.out.push_str(&format!(" xmlns:{prefix}=\"{namespace}\""));
        }
        self.out.push('>');
    }

    pub(crate) fn close_root(&mut self, local: &str) {
        self.out.push_str("</D:");
        self.out.push_str(local);
        self.out.push_str(">\n");
    }

    /// An element of `DAV:`.
    pub(crate) fn dav(&mut self, local: &str, content: impl FnOnce(&mut Self)) {
        self.element_of(DAV, local, content);
    }

    pub(crate) fn open(&mut self, local: &str) {
        self.out.push_str("<D:");
        self.out.push_str(local);
        self.out.push('>');
    }

    pub(crate) fn close(&mut self, local: &str) {
        self.out.push_str("</D:");
        self.out.push_str(local);
        self.out.push('>');
    }

    pub(crate) fn leaf(&mut self, local: &str, text: &str) {
        self.dav(local, |xml| xml.text(text));
    }

    pub(crate) fn empty(&mut self, local: &str) {
        self.out.push_str("<D:");
        self.out.push_str(local);
        self.out.push_str("/>");
    }

    /// An element of whatever name.
    pub(crate) fn element(&mut self, name: &Name, content: impl FnOnce(&mut Self)) {
        self.element_of(name.namespace(), name.local(), content);
    }

    pub(crate) fn element_of(&mut self, namespace: &str, local: &str, content: impl FnOnce(&mut Self)) {
        let known = PREFIXES.iter().find(|(_, known)| *known == namespace);
        let prefix = match known {
            Some((prefix, _)) => *prefix,
            None if namespace.is_empty() => "",
            None => "x",
        };
        self.out.push('<');
        self.tag(prefix, local);
        if prefix == "x" {
            self.out.push_str(&format!(" xmlns:x=\"{}\"", escaped(namespace)));
        }
        self.out.push('>');
        let opened = self.out.len();
        content(self);
        if self.out.len() == opened {
            self.out.truncate(opened - 1);
            self.out.push_str("/>");
        } else {
            self.out.push_str("</");
            self.tag(prefix, local);
            self.out.push('>');
        }
    }

    /// An empty element with attributes, of a namespace that has a prefix.
    pub(crate) fn element_with(&mut self, namespace: &str, local: &str, attributes: &[(&str, &str)]) {
        let known = PREFIXES.iter().find(|(_, known)| *known == namespace);
        self.out.push('<');
        self.tag(known.map_or("", |(prefix, _)| *prefix), local);
        for (name, value) in attributes {
            self.out.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
        self.out.push_str("/>");
    }

    /// The same with content.
    pub(crate) fn element_around(
        &mut self,
        namespace: &str,
        local: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.element_with(namespace, local, attributes);
        self.out.truncate(self.out.len() - "/>".len());
        self.out.push('>');
        content(self);
        let known = PREFIXES.iter().find(|(_, known)| *known == namespace);
        self.out.push_str("</");
        self.tag(known.map_or("", |(prefix, _)| *prefix), local);
        self.out.push('>');
    }

    fn tag(&mut self, prefix: &str, local: &str) {
        self.out.push_str(prefix);
        if !prefix.is_empty() {
            self.out.push(':');
        }
        self.out.push_str(local);
    }

    pub(crate) fn text(&mut self, text: &str) {
        escape_into(&mut self.out, text);
    }

    /// XML that stands alone and was well-formed when it was kept.
    pub(crate) fn fragment(&mut self, xml: &str) {
        self.out.push_str(xml);
    }

    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.out.truncate(length);
    }

    /// What was written so far.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Document;

    #[test]
    fn elements_of_all_namespaces() {
        let text = Xml::document("prop", |xml| {
            xml.leaf("displayname", "a<b>&\"c\"");
            xml.empty("resourcetype");
            xml.element(&Name::new("urn:x\"", "y"), |xml| xml.text("1"));
            xml.element(&Name::new("", "plain"), |_| {});
            xml.element(&Name::new("http://owncloud.org/ns", "size"), |_| {});
        });
        let root = Document::read(text.as_bytes()).expect("well-formed").root;
        let names: Vec<_> = root.children.iter().map(|child| format!("{:?}", child.name)).collect();
        let expected = [
            "{DAV:}displayname",
            "{DAV:}resourcetype",
            "{urn:x\"}y",
            "{}plain",
            "{http://owncloud.org/ns}size",
        ];
        assert_eq!(names, expected);
        assert_eq!(root.children[0].text, "a<b>&\"c\"");
    }
}
