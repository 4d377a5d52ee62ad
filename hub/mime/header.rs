//! The header fields of one block that a summary needs, gathered line by line.

use std::ops::Range;

use crate::charset;

/// A field is kept up to this length; it is some 6,000 recipients.
const MAX_FIELD: usize = 256 * 1024;

/// What a field takes of the room beside its text, so that a million empty ones do not fit either.
const FIELD_COST: usize = 32;

/// The fields that a summary needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Bcc,
    Cc,
    ContentDescription,
    ContentDisposition,
    ContentId,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
    ContentTransferEncoding,
    ContentType,
    Date,
    DeliveredTo,
    From,
    InReplyTo,
    MessageId,
    Received,
    References,
    ReplyTo,
    Sender,
    Subject,
    To,
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        let mut lower = [0; 25];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"bcc" => Self::Bcc,
            b"cc" => Self::Cc,
            b"content-description" => Self::ContentDescription,
            b"content-disposition" => Self::ContentDisposition,
            b"content-id" => Self::ContentId,
            b"content-language" => Self::ContentLanguage,
            b"content-location" => Self::ContentLocation,
            b"content-md5" => Self::ContentMd5,
            b"content-transfer-encoding" => Self::ContentTransferEncoding,
            b"content-type" => Self::ContentType,
            b"date" => Self::Date,
            b"delivered-to" => Self::DeliveredTo,
            b"from" => Self::From,
            b"in-reply-to" => Self::InReplyTo,
            b"message-id" => Self::MessageId,
            b"received" => Self::Received,
            b"references" => Self::References,
            b"reply-to" => Self::ReplyTo,
            b"sender" => Self::Sender,
            b"subject" => Self::Subject,
            b"to" => Self::To,
            _ => return None,
        })
    }
}

/// The fields of a header block, unfolded (RFC 5322 §2.2.3: only the line breaks go). What does not
/// fit into the room is left out.
#[derive(Default)]
pub(crate) struct HeaderBlock {
    text: Vec<u8>,
    fields: Vec<(Field, Range<usize>)>,
    room: usize,
    /// The last line's field is kept, and continuation lines belong to it.
    in_field: bool,
    received_count: u32,
}

impl HeaderBlock {
    pub(crate) fn with_room(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    /// Takes a line without its line break.
    pub(crate) fn line(&mut self, line: &[u8]) {
        if line.first().is_some_and(|&byte| is_space(byte)) {
            if self.in_field {
                self.append(line);
            }
            return;
        }
        self.in_field = false;
        let Some((name, value)) = split_field(line) else { return };
        match Field::named(name) {
            None => {}
            Some(Field::Received) => self.received_count = self.received_count.saturating_add(1),
            Some(field) if self.room > FIELD_COST => {
                self.room -= FIELD_COST;
                self.in_field = true;
                self.fields.push((field, self.text.len()..self.text.len()));
                self.append(value);
            }
            Some(_) => {}
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let Some((_, range)) = self.fields.last_mut() else { return };
        let fits = bytes.len().min(self.room).min(MAX_FIELD.saturating_sub(self.text.len() - range.start));
        self.room -= fits;
        self.text.extend_from_slice(&bytes[..fits]);
        range.end = self.text.len();
    }

    /// What is left of the room it was given.
    pub(crate) fn room_left(&self) -> usize {
        self.room
    }

    pub(crate) fn received_count(&self) -> u32 {
        self.received_count
    }

    /// Raw unfolded values of a field, in the order of the message.
    fn raw(&self, field: Field) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.fields.iter().filter(move |(f, _)| *f == field).map(|(_, range)| &self.text[range.clone()])
    }

    /// Values as UTF-8, without white space around them and with tabs made spaces; what is neither ASCII nor UTF-8 is read in `charset`.
    pub(crate) fn values<'a>(
        &'a self,
        field: Field,
        charset: Option<&'a str>,
    ) -> impl Iterator<Item = String> + 'a {
        self.raw(field).map(move |raw| charset::header_text(raw, charset))
    }

    /// The first value. Of the fields of MIME the first counts: it is what a scanner in front of us
    /// has looked at.
    pub(crate) fn first(&self, field: Field, charset: Option<&str>) -> Option<String> {
        self.raw(field).next().map(|raw| charset::header_text(raw, charset))
    }

    /// The last value. Of Date, Subject and the like the last counts: relays put theirs on top.
    pub(crate) fn last(&self, field: Field, charset: Option<&str>) -> Option<String> {
        self.raw(field).next_back().map(|raw| charset::header_text(raw, charset))
    }
}

/// Field name and value of a line; `None` if there is no colon or no name. White space before the
/// colon is obsolete but allowed (RFC 5322 §4.5).
pub(crate) fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = trim_end(&line[..colon]);
    (!name.is_empty() && !is_space(name[0])).then_some((name, &line[colon + 1..]))
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| !is_space(byte)).map_or(0, |at| at + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(lines: &[&str]) -> HeaderBlock {
        let mut block = HeaderBlock::with_room(10_000);
        lines.iter().for_each(|line| block.line(line.as_bytes()));
        block
    }

    #[test]
    fn fields_are_unfolded() {
        let check = |lines: &[&str], value: Option<&str>| {
            assert_eq!(block(lines).first(Field::Subject, None).as_deref(), value, "{lines:?}");
        };
        check(&["Subject: Hello"], Some("Hello"));
        check(&["SUBJECT:Hello"], Some("Hello"));
        check(&["Subject \t: Hello"], Some("Hello"));
        check(&["Subject:"], Some(""));
        check(&["Subject: a", " b", "\t  c"], Some("a b   c"));
        check(&["Subject: a ", "  b "], Some("a   b"));
        check(&["Subject:", " a", " "], Some("a"));
        check(&["X: a", " Subject: b"], None);
        check(&[" Subject: b"], None);
        check(&["Subject"], None);
        check(&[": Subject"], None);
        check(&["To: x", "Subject: a", "no field", " b"], Some("a"));
    }

    #[test]
    fn first_last_and_all() {
        let block = block(&["Received: 1", " 2", "Subject: a", "Received: 3", "Subject: b"]);
        assert_eq!(block.first(Field::Subject, None).as_deref(), Some("a"));
        assert_eq!(block.last(Field::Subject, None).as_deref(), Some("b"));
        assert!(block.values(Field::Subject, None).eq(["a", "b"]));
        assert_eq!(block.received_count(), 2);
    }

    #[test]
    fn room_is_kept_to() {
        let mut block = HeaderBlock::with_room(100);
        for _ in 0..1000 {
            block.line(b"To: 1234567890");
            block.line(b" 1234567890");
        }
        let text: usize = block.values(Field::To, None).map(|value| value.len() + FIELD_COST).sum();
        assert!(text <= 100 && text > 60, "{text}");
    }
}
