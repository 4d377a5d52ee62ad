//! Components within components.

use std::borrow::Cow;
use std::ops::Range;

use crate::Error;
use crate::lines::{Lines, lines};
use crate::property::Property;

/// `VALARM` in `VEVENT` in `VCALENDAR` is 3; nobody needs many more.
pub(crate) const MAX_DEPTH: usize = 16;

/// A text of content lines and the components that they form. Lines that are no property belong to
/// nobody, and stay.
#[derive(Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    lines: Lines<'a>,
    components: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// In capital letters.
    name: String,
    parent: Option<usize>,
    /// From `BEGIN` to `END`, both included.
    lines: Range<usize>,
    /// Of the children, in order.
    children: Vec<usize>,
}

/// What a component is made of.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'d> {
    Component(Component<'d>),
    /// A line, unfolded, and as it came, with the line breaks around it.
    Line {
        text: &'d str,
        bytes: &'d [u8],
    },
}

/// One component of a document.
#[derive(Clone, Copy, Debug)]
pub struct Component<'d> {
    document: &'d Document<'d>,
    index: usize,
}

impl<'a> Document<'a> {
    /// Every `BEGIN` needs its `END`, and nothing may stand outside.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let lines = lines(bytes)?;
        let mut components: Vec<Node> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (number, line) in lines.texts.iter().enumerate() {
            let property = Property::parse(line);
            let is =
                |name| property.filter(|property| property.is(name)).map(|property| property.value.trim());
            if let Some(name) = is("BEGIN") {
                if open.len() == MAX_DEPTH {
                    return Err(Error::TooDeep);
                }
                let (index, parent) = (components.len(), open.last().copied());
                if let Some(parent) = parent {
                    components[parent].children.push(index);
                }
                let name = name.to_ascii_uppercase();
                components.push(Node { name, parent, lines: number..number + 1, children: Vec::new() });
                open.push(index);
            } else if let Some(name) = is("END") {
                let index = open.pop().ok_or_else(|| Error::unbalanced(name))?;
                if !components[index].name.eq_ignore_ascii_case(name) {
                    return Err(Error::unbalanced(name));
                }
                components[index].lines.end = number + 1;
            } else if open.is_empty() {
                return Err(Error::Outside);
            }
        }
        match open.last() {
            Some(index) => Err(Error::unbalanced(&components[*index].name)),
            None => Ok(Self { bytes, lines, components }),
        }
    }
}

impl<'d> Document<'d> {
    /// The outermost components.
    pub fn roots(&'d self) -> impl Iterator<Item = Component<'d>> {
        let is_root = |index: &usize| self.components[*index].parent.is_none();
        (0..self.components.len()).filter(is_root).map(|index| Component { document: self, index })
    }
}

impl<'d> Component<'d> {
    fn node(&self) -> &'d Node {
        &self.document.components[self.index]
    }

    /// Whether it is this very component of the same document.
    pub fn is_same(&self, other: Component<'_>) -> bool {
        std::ptr::addr_eq(self.document, other.document) && self.index == other.index
    }

    /// In capital letters.
    pub fn name(&self) -> &'d str {
        &self.node().name
    }

    pub fn children(&self) -> impl Iterator<Item = Self> + use<'d> {
        let document = self.document;
        self.node().children.iter().map(move |index| Self { document, index: *index })
    }

    /// The properties of the component itself, in order.
    pub fn properties(&self) -> impl Iterator<Item = Property<'d>> + use<'d> {
        self.own_lines().filter_map(|line| Property::parse(line))
    }

    /// The same with the lines that they stand in, unfolded; and lines that are none.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&'d str, Option<Property<'d>>)> + use<'d> {
        self.own_lines().map(|line| (&**line, Property::parse(line)))
    }

    /// All of it, from `BEGIN` to `END`, unfolded.
    pub(crate) fn whole(&self) -> impl Iterator<Item = &'d str> + use<'d> {
        self.document.lines.texts[self.node().lines.clone()].iter().map(|line| &**line)
    }

    /// Where it stands in the bytes of the document.
    pub(crate) fn span(&self) -> Range<usize> {
        let (lines, ends) = (&self.node().lines, &self.document.lines.ends);
        lines.start.checked_sub(1).map_or(0, |before| ends[before])..ends[lines.end - 1]
    }

    pub fn all(&self, name: &'d str) -> impl Iterator<Item = Property<'d>> + use<'d> {
        self.properties().filter(move |property| property.is(name))
    }

    pub fn first(&self, name: &str) -> Option<Property<'d>> {
        self.properties().find(|property| property.is(name))
    }

    /// Without `BEGIN`, `END` and the lines of other components within.
    fn own_lines(&self) -> impl Iterator<Item = &'d Cow<'d, str>> + use<'d> {
        let (document, node) = (self.document, self.node());
        let begins = node.children.iter().map(|child| document.components[*child].lines.clone());
        let end = node.lines.end - 1..node.lines.end;
        let mut at = node.lines.start + 1;
        begins.chain(std::iter::once(end)).flat_map(move |child| {
            let own = at..child.start.max(at);
            at = child.end;
            &document.lines.texts[own]
        })
    }

    /// All of it in order, from `BEGIN` to `END`.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'d>> + use<'d> {
        let (document, node) = (self.document, self.node());
        let mut children = node.children.iter().copied().peekable();
        let mut at = node.lines.start;
        std::iter::from_fn(move || {
            if at >= node.lines.end {
                return None;
            }
            if let Some(index) = children.next_if(|child| document.components[*child].lines.start == at) {
                at = document.components[index].lines.end;
                return Some(Piece::Component(Component { document, index }));
            }
            let begin = at.checked_sub(1).map_or(0, |before| document.lines.ends[before]);
            let bytes = &document.bytes[begin..document.lines.ends[at]];
            at += 1;
            Some(Piece::Line { text: &document.lines.texts[at - 1], bytes })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nBEGIN:VALARM\r\nACTION:A\r\n\
                       END:VALARM\r\nSUMMARY:s\r\nEND:VEVENT\r\nX-WR:x\r\nbegin:vtodo\r\nend:VTODO\r\nEND:VCALENDAR\r\n";

    #[test]
    fn a_tree() {
        let document = Document::parse(TWO.as_bytes()).expect("balanced");
        let calendar = document.roots().next().expect("one");
        let names = |component: Component<'_>| {
            component.properties().map(|one| one.name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((calendar.name(), names(calendar)), ("VCALENDAR", vec!["VERSION".into(), "X-WR".into()]));
        let children: Vec<_> = calendar.children().collect();
        assert_eq!(children.iter().map(Component::name).collect::<Vec<_>>(), ["VEVENT", "VTODO"]);
        assert_eq!(names(children[0]), ["UID", "SUMMARY"]);
        assert_eq!(names(children[0].children().next().expect("an alarm")), ["ACTION"]);
    }

    #[test]
    fn pieces_are_the_text() {
        fn put_together(component: Component<'_>, out: &mut Vec<u8>) {
            for piece in component.pieces() {
                match piece {
                    Piece::Component(child) => put_together(child, out),
                    Piece::Line { bytes, .. } => out.extend_from_slice(bytes),
                }
            }
        }
        let odd = format!("\u{feff}\n{}", TWO.replace("SUMMARY:s", "SUMMARY:s\r\n\tt\r\n\n \r\nnothing"));
        for text in [TWO, &odd] {
            let document = Document::parse(text.as_bytes()).expect("balanced");
            let mut out = Vec::new();
            put_together(document.roots().next().expect("one"), &mut out);
            assert_eq!(String::from_utf8(out).expect("text"), text);
        }
    }

    #[test]
    fn what_is_not_balanced() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Document::parse(text.as_bytes()).expect_err(text).to_string(), expected, "{text}");
        };
        check("BEGIN:A\nBEGIN:B\nEND:A\nEND:B", "BEGIN and END of \"A\" do not match");
        check("BEGIN:A", "BEGIN and END of \"A\" do not match");
        check("END:A", "BEGIN and END of \"A\" do not match");
        check("BEGIN:A\nEND:A\nX:1", "there is text outside of every component");
        check(&"BEGIN:A\n".repeat(17), "components are nested more than 16 deep");
    }
}
