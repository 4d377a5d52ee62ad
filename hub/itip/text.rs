//! Components whose lines can be changed one by one; all others stay the bytes that they were.

use hub_ical::{Component, Piece, Property};

/// Octets of a line before it is folded (RFC 5545 §3.1).
const FOLD: usize = 75;

/// A component with everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// In capital letters.
    pub(crate) name: String,
    /// `BEGIN` first, `END` last.
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Block(Block),
    Line(Line),
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Unfolded.
    pub(crate) text: String,
    bytes: Vec<u8>,
}

impl Line {
    pub(crate) fn new(text: String) -> Self {
        let bytes = folded(&text);
        Self { text, bytes }
    }

    pub(crate) fn property(&self) -> Option<Property<'_>> {
        Property::parse(&self.text)
    }

    fn is(&self, name: &str) -> bool {
        self.property().is_some_and(|property| property.is(name))
    }
}

impl Block {
    pub(crate) fn of(component: Component<'_>) -> Self {
        let part = |piece| match piece {
            Piece::Component(child) => Part::Block(Self::of(child)),
            Piece::Line { text, bytes } => Part::Line(Line { text: text.to_owned(), bytes: bytes.to_vec() }),
        };
        Self { name: component.name().to_owned(), parts: component.pieces().map(part).collect() }
    }

    /// One with nothing in it.
    pub(crate) fn new(name: &str) -> Self {
        let line = |word| Part::Line(Line::new(format!("{word}:{name}")));
        Self { name: name.to_owned(), parts: vec![line("BEGIN"), line("END")] }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for part in &self.parts {
            part.write(out);
        }
    }

    /// Octets.
    pub(crate) fn size(&self) -> usize {
        let size = |part: &Part| match part {
            Part::Block(block) => block.size(),
            Part::Line(line) => line.bytes.len(),
        };
        self.parts.iter().map(size).sum()
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.parts.iter().filter_map(|part| match part {
            Part::Line(line) => Some(line),
            Part::Block(_) => None,
        })
    }

    /// Without `BEGIN` and `END`.
    pub(crate) fn properties(&self) -> impl Iterator<Item = Property<'_>> {
        self.lines()
            .filter_map(Line::property)
            .filter(|property| !property.is("BEGIN") && !property.is("END"))
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Property<'a>> {
        self.properties().filter(move |property| property.is(name))
    }

    pub(crate) fn first(&self, name: &str) -> Option<Property<'_>> {
        self.lines().filter_map(Line::property).find(|property| property.is(name))
    }

    /// The text of the first property of this name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.first(name).map(|property| property.text().trim().to_owned())
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.first(name).and_then(|property| property.value.trim().parse().ok()).unwrap_or(0)
    }

    /// Puts a line in the place of the property that it has, or behind the others.
    pub(crate) fn set(&mut self, text: String) {
        let line = Line::new(text);
        let Some(name) = line.property().map(|property| property.name.to_owned()) else { return };
        let place = self.parts.iter().position(|part| part.is(&name));
        let at = place.unwrap_or_else(|| self.end_of_properties());
        self.remove(&name);
        self.parts.insert(at, Part::Line(line));
    }

    /// Adds a line behind the others.
    pub(crate) fn add(&mut self, text: String) {
        self.add_all(vec![text]);
    }

    pub(crate) fn add_all(&mut self, lines: Vec<String>) {
        let at = self.end_of_properties();
        self.parts.splice(at..at, lines.into_iter().map(|text| Part::Line(Line::new(text))));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.parts.retain(|part| !part.is(name));
    }

    pub(crate) fn remove_blocks(&mut self, name: &str) {
        self.parts.retain(|part| !matches!(part, Part::Block(block) if block.name == name));
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Self> {
        self.parts.iter().filter_map(|part| match part {
            Part::Block(block) => Some(block),
            Part::Line(_) => None,
        })
    }

    pub(crate) fn push(&mut self, block: Self) {
        let end = self.parts.len().saturating_sub(1);
        self.parts.insert(end, Part::Block(block));
    }

    /// Writes properties of one name anew where there is something new to say.
    pub(crate) fn rewrite(&mut self, name: &str, new: impl Fn(&Property<'_>, &str) -> Option<String>) {
        for part in &mut self.parts {
            let Part::Line(line) = part else { continue };
            let Some(property) = line.property().filter(|property| property.is(name)) else { continue };
            if let Some(text) = new(&property, &line.text).filter(|text| *text != line.text) {
                *line = Line::new(text);
            }
        }
    }

    fn end_of_properties(&self) -> usize {
        let is_block = |part: &Part| matches!(part, Part::Block(_));
        self.parts.iter().position(is_block).unwrap_or_else(|| self.parts.len().saturating_sub(1))
    }
}

impl Part {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Block(block) => block.write(out),
            Self::Line(line) => out.extend_from_slice(&line.bytes),
        }
    }

    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Line(line) if line.is(name))
    }
}

/// A line with another value of a parameter, or without it.
pub(crate) fn with_parameter(text: &str, name: &str, value: Option<&str>) -> String {
    let colon = unquoted(text, b':').unwrap_or(text.len());
    let (head, rest) = text.split_at(colon);
    let mut out = String::with_capacity(text.len() + 32);
    for (number, piece) in pieces(head).enumerate() {
        let is_it = piece.split_once('=').is_some_and(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        if number > 0 && is_it {
            continue;
        }
        if number > 0 {
            out.push(';');
        }
        out.push_str(piece);
    }
    if let Some(value) = value {
        // What stands in quotation marks may have no others, and no control characters.
        let value: String = value.chars().filter(|c| *c != '"' && !c.is_control()).collect();
        let is_plain = !value.contains([';', ':', ',']);
        let quote = if is_plain { "" } else { "\"" };
        out.push_str(&format!(";{name}={quote}{value}{quote}"));
    }
    out + rest
}

/// The same parameters for another property, or another value.
pub(crate) fn with_value(text: &str, name: &str, value: &str) -> String {
    let colon = unquoted(text, b':').unwrap_or(text.len());
    let parameters = text[..colon].find(';').map_or("", |at| &text[at..colon]);
    format!("{name}{parameters}:{value}")
}

/// What semicolons part that are not within quotation marks.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (piece, after) = match unquoted(text, b';') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(piece)
    })
}

fn unquoted(text: &str, wanted: u8) -> Option<usize> {
    let mut is_quoted = false;
    text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == wanted && !is_quoted
    })
}

fn folded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    let mut length = 0;
    for c in text.chars() {
        if length + c.len_utf8() > FOLD {
            out.extend_from_slice(b"\r\n ");
            length = 1;
        }
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        length += c.len_utf8();
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_ical::Document;

    #[test]
    fn parameters() {
        let line = "ATTENDEE;CN=\"A; PARTSTAT=x:y\";PARTSTAT=NEEDS-ACTION;ROLE=CHAIR:mailto:a@b";
        assert_eq!(
            with_parameter(line, "PARTSTAT", Some("ACCEPTED")),
            "ATTENDEE;CN=\"A; PARTSTAT=x:y\";ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:a@b"
        );
        assert_eq!(
            with_parameter(line, "partstat", None),
            "ATTENDEE;CN=\"A; PARTSTAT=x:y\";ROLE=CHAIR:mailto:a@b"
        );
        assert_eq!(
            with_parameter("ORGANIZER:mailto:a@b", "SCHEDULE-STATUS", Some("1.2;\"x")),
            "ORGANIZER;SCHEDULE-STATUS=\"1.2;x\":mailto:a@b"
        );
        assert_eq!(
            with_value("DTSTART;TZID=\"a:b\":20240101T000000", "RECURRENCE-ID", "20240102T000000"),
            "RECURRENCE-ID;TZID=\"a:b\":20240102T000000"
        );
    }

    #[test]
    fn only_what_is_changed_is_written_anew() {
        let text = "BEGIN:VEVENT\nX-ODD;A=\"b\"  :\\,\n  folded\nSEQUENCE:1\nUID:1\nSEQUENCE:2\nBEGIN:VALARM\n\
                    END:VALARM\nnot one\nEND:VEVENT\n";
        let document = Document::parse(text.as_bytes()).expect("balanced");
        let mut block = Block::of(document.roots().next().expect("one"));
        block.set("SEQUENCE:3".into());
        block.set("DTSTAMP:20240101T000000Z".into());
        block.rewrite("UID", |_, text| Some(text.to_owned()));
        let mut out = Vec::new();
        block.write(&mut out);
        let expected = text
            .replace("SEQUENCE:1\n", "SEQUENCE:3\r\n")
            .replace("SEQUENCE:2\n", "DTSTAMP:20240101T000000Z\r\n");
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let line = Line::new(format!("SUMMARY:{}", "\u{e4}".repeat(100)));
        let document = Document::parse([b"BEGIN:A\r\n", line.bytes.as_slice(), b"END:A\r\n"].concat().leak())
            .map(|document| {
                document.roots().next().expect("one").first("SUMMARY").expect("there").text().into_owned()
            });
        assert_eq!(document.expect("balanced"), "\u{e4}".repeat(100));
        assert!(line.bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= FOLD + 1));
    }
}
