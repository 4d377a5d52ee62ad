//! The header of a message, as editheader changes it (RFC 5293).

use std::sync::Arc;

/// Addresses of one field that are looked at.
const ADDRESSES: usize = 1_000;
/// Characters of a line that we write, where there is a place to fold (RFC 5322 §2.1.1).
const LINE: usize = 78;

/// Fields in their order. Lines that are no field stay where they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    fields: Vec<Arc<Field>>,
    /// Octets of all fields.
    size: usize,
    /// Something was added or removed.
    pub(crate) is_edited: bool,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// Empty for a line that is no field.
    name: String,
    /// With its name and its line end.
    raw: Vec<u8>,
    value_at: usize,
}

impl Field {
    /// The value as it stands there.
    pub(crate) fn raw_value(&self) -> &[u8] {
        &self.raw[self.value_at..]
    }

    pub(crate) fn value(&self) -> String {
        hub_mime::field_value(self.raw_value())
    }

    pub(crate) fn addresses(&self) -> Vec<(String, String)> {
        hub_mime::field_addresses(self.raw_value(), ADDRESSES)
    }

    fn read(raw: &[u8]) -> Self {
        let line_end = raw.iter().position(|&b| b == b'\n').unwrap_or(raw.len());
        let colon = raw[..line_end].iter().position(|&b| b == b':');
        let name = colon.and_then(|at| std::str::from_utf8(&raw[..at]).ok()).map(str::trim_end);
        let name = name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
        let value_at = colon.filter(|_| name.is_some()).map_or(0, |at| at + 1);
        Self { name: name.unwrap_or_default().to_owned(), raw: raw.to_vec(), value_at }
    }
}

impl Header {
    /// Reads a header block, with or without the empty line that ends it.
    pub(crate) fn read(block: &[u8]) -> Self {
        let mut header = Self::default();
        let mut rest = block;
        while !rest.is_empty() && !rest.starts_with(b"\r\n") && !rest.starts_with(b"\n") {
            let line = |from: &[u8]| from.iter().position(|&b| b == b'\n').map_or(from.len(), |at| at + 1);
            let mut end = line(rest);
            while matches!(rest.get(end), Some(b' ' | b'\t')) {
                end += line(&rest[end..]);
            }
            let (raw, after) = rest.split_at(end);
            header.size += raw.len();
            header.fields.push(Arc::new(Field::read(raw)));
            rest = after;
        }
        header
    }

    /// Octets of all fields.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The fields with this name, from the top.
    pub(crate) fn fields<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Field> {
        self.fields.iter().map(|field| &**field).filter(move |field| field.name.eq_ignore_ascii_case(name))
    }

    /// Adds a field at the top, or at the end (RFC 5293 §4).
    pub(crate) fn add(&mut self, name: &str, value: &str, last: bool) {
        let field = Arc::new(Field::read(&write_field(name, value)));
        self.size += field.raw.len();
        self.is_edited = true;
        match last {
            true => self.fields.push(field),
            false => self.fields.insert(0, field),
        }
    }

    /// Removes those fields with this name for which `remove` says so; it gets their number among them,
    /// counted from 0.
    pub(crate) fn remove(&mut self, name: &str, mut remove: impl FnMut(usize, &Field) -> bool) {
        let mut number = 0;
        let (size, is_edited) = (&mut self.size, &mut self.is_edited);
        self.fields.retain(|field| {
            if !field.name.eq_ignore_ascii_case(name) {
                return true;
            }
            let goes = remove(number, field);
            number += 1;
            if goes {
                *size -= field.raw.len();
                *is_edited = true;
            }
            !goes
        });
    }

    /// The block with the empty line that ends it.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.size + 2);
        for field in &self.fields {
            block.extend_from_slice(&field.raw);
            if !field.raw.ends_with(b"\n") {
                block.extend_from_slice(b"\r\n");
            }
        }
        block.extend_from_slice(b"\r\n");
        block
    }
}

/// A field with its line end, folded at spaces. Control characters become spaces: a value must not make
/// fields of its own. Text beyond ASCII is written in encoded-words (RFC 2047), which all readers
/// understand.
pub(crate) fn write_field(name: &str, value: &str) -> Vec<u8> {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let value = value.trim();
    let words = match value.is_ascii() && !value.contains("=?") {
        true => value.split(' ').map(str::to_owned).collect(),
        false => encoded_words(value),
    };
    let mut out = format!("{name}:");
    let mut column = out.len();
    for (number, word) in words.iter().enumerate() {
        // A line of nothing but white space would end the header for some readers.
        if number > 0 && column + 1 + word.len() > LINE && !word.is_empty() {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out.push_str("\r\n");
    out.into_bytes()
}

/// `encoded-word = "=?" charset "?" encoding "?" encoded-text "?="`, each of at most 75 characters, and
/// none with a part of a character.
pub(crate) fn encoded_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let mut encoded = String::new();
        for &octet in c.encode_utf8(&mut [0; 4]).as_bytes() {
            match octet {
                b' ' => encoded.push('_'),
                b if b.is_ascii_alphanumeric() || b"!*+-/.,;:".contains(&b) => encoded.push(char::from(b)),
                b => encoded.push_str(&format!("={b:02X}")),
            }
        }
        // 75 less what stands around it, and room for the name of the field on the first line.
        if word.len() + encoded.len() > 45 {
            words.push(std::mem::take(&mut word));
        }
        word.push_str(&encoded);
    }
    words.push(word);
    words.into_iter().map(|word| format!("=?utf-8?q?{word}?=")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] = b"Received: one\r\n two\r\nSubject : Hi\r\nno field\r\nX: a\r\nx: b\r\n\r\nbody";

    fn text(header: &Header) -> String {
        String::from_utf8(header.write()).expect("text")
    }

    #[test]
    fn a_header_is_written_as_it_was_read() {
        let header = Header::read(BLOCK);
        assert_eq!(header.write(), &BLOCK[..BLOCK.len() - 4]);
        assert_eq!(header.fields("subject").map(Field::value).collect::<Vec<_>>(), ["Hi"]);
        assert_eq!(header.fields("X").count(), 2);
        assert_eq!(text(&Header::read(b"A: b")), "A: b\r\n\r\n");
    }

    #[test]
    fn rfc5293_fields_are_added_and_removed() {
        let mut header = Header::read(BLOCK);
        header.add("X", "new\r\nEvil: 1", false);
        header.add("Y", "end", true);
        header.remove("x", |number, field| number == 1 && field.value() == "a");
        header.remove("received", |_, _| true);
        assert_eq!(text(&header), "X: new  Evil: 1\r\nSubject : Hi\r\nno field\r\nx: b\r\nY: end\r\n\r\n");
        assert_eq!(header.size(), header.write().len() - 2);
    }

    #[test]
    fn long_and_foreign_values() {
        let mut header = Header::default();
        header.add("Long", &"word ".repeat(40), false);
        header.add("Foreign", &"Grüße ".repeat(30), false);
        let block = text(&header);
        assert!(block.lines().all(|line| line.len() <= LINE && !line.trim().is_empty() || line.is_empty()));
        assert!(block.is_ascii());
        let read = Header::read(block.as_bytes());
        assert_eq!(read.fields("long").next().map(Field::value), Some("word ".repeat(40).trim().to_owned()));
        assert_eq!(
            read.fields("foreign").next().map(Field::value),
            Some("Grüße ".repeat(30).trim().to_owned())
        );
    }
}
