//! Adds Date and Message-ID to a submitted message that lacks them (RFC 6409 §8.2, §8.3).
//!
//! They become part of the message itself, at the end of its header, so that they are seen wherever
//! the message is summarised. The header streams through; nothing of it is held back.

/// Looks at a message's bytes as they pass, until its header is over. Line ends are CR LF.
#[derive(Debug)]
pub(crate) struct Fill {
    position: Position,
    has_date: bool,
    has_message_id: bool,
}

#[derive(Debug)]
enum Position {
    /// The header is over.
    Body,
    /// Within a field's name; its first bytes, in lower case.
    Name(Vec<u8>),
    /// Anywhere else in a line.
    Rest,
}

/// Enough to tell `message-id:` from anything longer.
const MAX_NAME: usize = 16;

impl Fill {
    pub(crate) fn new() -> Self {
        Self { position: Position::Name(Vec::new()), has_date: false, has_message_id: false }
    }

    /// Where in `bytes` the header ends, if it does so there: what is missing belongs there.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.position {
                Position::Body => return None,
                Position::Rest => {
                    let end = memchr::memchr(b'\n', &bytes[at..])?;
                    at += end + 1;
                    self.position = Position::Name(Vec::new());
                }
                Position::Name(name) => {
                    let byte = bytes[at];
                    if name.is_empty() && byte == b'\r' {
                        self.position = Position::Body;
                        return Some(at);
                    }
                    match byte {
                        b':' => {
                            let name = name.trim_ascii_end();
                            self.has_date |= name == b"date";
                            self.has_message_id |= name == b"message-id";
                            self.position = Position::Rest;
                        }
                        b'\r' | b'\n' => {
                            self.position = Position::Rest;
                            continue;
                        }
                        _ if name.len() >= MAX_NAME => self.position = Position::Rest,
                        byte => name.push(byte.to_ascii_lowercase()),
                    }
                    at += 1;
                }
            }
        }
        None
    }

    /// The same for the end of the message: a header without an empty line ends there. True if it
    /// ended just now; then the flag tells whether its last line has its line end.
    pub(crate) fn end(&mut self) -> Option<bool> {
        match std::mem::replace(&mut self.position, Position::Body) {
            Position::Body => None,
            Position::Name(name) => Some(name.is_empty()),
            Position::Rest => Some(false),
        }
    }

    /// The fields to add, with the texts given.
    pub(crate) fn missing(&self, date: &str, message_id: &str) -> String {
        let mut out = String::new();
        if !self.has_date {
            out.push_str(&format!("Date: {date}\r\n"));
        }
        if !self.has_message_id {
            out.push_str(&format!("Message-ID: <{message_id}>\r\n"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message with `D` for an added Date and `M` for an added Message-ID.
    fn filled(message: &str, size: usize) -> String {
        let mut fill = Fill::new();
        let mut out = String::new();
        let short =
            |fill: &Fill| fill.missing("", "").replace("Date: \r\n", "D").replace("Message-ID: <>\r\n", "M");
        for chunk in message.as_bytes().chunks(size) {
            let text = std::str::from_utf8(chunk).expect("ASCII");
            match fill.pass(chunk) {
                Some(at) => out.push_str(&format!("{}{}{}", &text[..at], short(&fill), &text[at..])),
                None => out.push_str(text),
            }
        }
        if let Some(line_ended) = fill.end() {
            out.push_str(if line_ended { "" } else { "\r\n" });
            out.push_str(&short(&fill));
        }
        out
    }

    #[test]
    fn what_is_missing_stands_at_the_end_of_the_header() {
        for (message, expected) in [
            ("From: a\r\n\r\nDate: b\r\n", "From: a\r\nDM\r\nDate: b\r\n"),
            ("From: a\r\nDate: b\r\n\r\nx", "From: a\r\nDate: b\r\nM\r\nx"),
            ("DATE : b\r\nmessage-ID: x\r\n\r\n", "DATE : b\r\nmessage-ID: x\r\n\r\n"),
            ("X: y\r\n Date: folded\r\n\r\n", "X: y\r\n Date: folded\r\nDM\r\n"),
            (
                "X-Date: a\r\nDates: b\r\nMessage-ID-Old: c\r\n\r\n",
                "X-Date: a\r\nDates: b\r\nMessage-ID-Old: c\r\nDM\r\n",
            ),
            ("A-very-long-field-name-date: a\r\n\r\n", "A-very-long-field-name-date: a\r\nDM\r\n"),
            ("From: a\r\n", "From: a\r\nDM"),
            ("From: a", "From: a\r\nDM"),
            ("\r\nbody", "DM\r\nbody"),
            ("", "DM"),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(filled(message, size), expected, "{message:?} in pieces of {size}");
            }
        }
    }
}
