//! Writes small XML documents; every element that is opened is closed, every text escaped.

use quick_xml::escape::escape;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

pub(crate) struct Xml {
    out: String,
    depth: usize,
}

impl Xml {
    /// A document of this element; `prologue` stands between declaration and element.
    pub(crate) fn document(
        prologue: &str,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) -> String {
        let mut xml = Self { out: format!("{DECLARATION}{prologue}"), depth: 0 };
        xml.element(name, attributes, content);
        xml.out
    }

    pub(crate) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        self.out.push('\n');
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.indent();
        self.close(name);
    }

    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.out.push_str(&escape(allowed(text)));
        self.close(name);
    }

    /// `<true/>` of a property list.
    pub(crate) fn empty(&mut self, name: &str) {
        self.indent();
        self.out.push_str(&format!("<{name}/>\n"));
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.out.push_str(&format!("<{name}"));
        for (attribute, value) in attributes {
            self.out.push_str(&format!(" {attribute}=\"{}\"", escape(allowed(value))));
        }
        self.out.push('>');
    }

    fn close(&mut self, name: &str) {
        self.out.push_str(&format!("</{name}>\n"));
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }
}

/// XML 1.0 §2.2 has no way to write other characters, not even escaped.
///
/// `Char ::= #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]`
fn allowed(text: &str) -> String {
    let is_char = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_char(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let xml = Xml::document("", "a", &[("b", "\"<&")], |xml| {
            xml.leaf("c", "x<y>&'z'\u{1}\u{fffe}");
            xml.element("d", &[], |xml| xml.empty("true"));
        });
        assert_eq!(
            xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"&quot;&lt;&amp;\">\n  \
             <c>x&lt;y&gt;&amp;&apos;z&apos;\u{fffd}\u{fffd}</c>\n  <d>\n    <true/>\n  </d>\n</a>\n"
        );
    }

    proptest::proptest! {
        /// Whatever the text, it is read back as it was.
        #[test]
        fn any_text_comes_back(text in "[ -~\u{80}-\u{ffff}]{0,40}") {
            let xml = Xml::document("", "a", &[], |xml| xml.leaf("b", &text));
            let start = xml.find("<b>").expect("opened") + 3;
            let inner = &xml[start..xml.find("</b>").expect("closed")];
            let read = quick_xml::escape::unescape(inner).expect("well-formed");
            proptest::prop_assert_eq!(read, allowed(&text));
        }
    }
}
