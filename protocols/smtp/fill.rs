//! Adds Date and Message-ID to a submitted message that lacks them (RFC 6409 §8.2, §8.3).
//!
//! They become the first fields of the message itself, not of the trace before it, so that they are
//! seen wherever the message is summarised; the twin's own bytes follow unchanged.

/// Bytes of header that are held back until it is known what is missing. In a longer header
/// nothing is added.
const MAX_HEADER: usize = 64 * 1024;

/// Holds the beginning of a message back until its header has come. Line ends are CR LF.
#[derive(Debug, Default)]
pub(crate) struct Fill {
    held: Vec<u8>,
    is_past: bool,
}

/// The beginning of a message, and which fields it lacks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) bytes: Vec<u8>,
    pub(crate) no_date: bool,
    pub(crate) no_message_id: bool,
}

impl Fill {
    /// True if the header is past: what comes needs no look.
    pub(crate) fn is_past(&self) -> bool {
        self.is_past
    }

    /// Takes more of the message; gives the beginning back when the header is complete.
    pub(crate) fn hold(&mut self, bytes: &[u8]) -> Option<Beginning> {
        let searched = self.held.len().saturating_sub(3);
        self.held.extend_from_slice(bytes);
        if self.held.starts_with(b"\r\n") {
            return Some(self.release(0));
        }
        match memchr::memmem::find(&self.held[searched..], b"\r\n\r\n") {
            Some(at) => Some(self.release(searched + at)),
            None if self.held.len() > MAX_HEADER => {
                self.is_past = true;
                let bytes = std::mem::take(&mut self.held);
                Some(Beginning { bytes, no_date: false, no_message_id: false })
            }
            None => None,
        }
    }

    /// The message is complete and may be all header.
    pub(crate) fn end(&mut self) -> Option<Beginning> {
        (!self.is_past).then(|| self.release(self.held.len()))
    }

    fn release(&mut self, header_end: usize) -> Beginning {
        self.is_past = true;
        let bytes = std::mem::take(&mut self.held);
        let lacks = |name: &[u8]| {
            let mut lines = bytes[..header_end].split(|&byte| byte == b'\n');
            !lines.any(|line| {
                let end = line.iter().position(|&byte| byte == b':');
                end.is_some_and(|end| line[..end].trim_ascii_end().eq_ignore_ascii_case(name))
            })
        };
        Beginning { no_date: lacks(b"date"), no_message_id: lacks(b"message-id"), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_found() {
        for (message, no_date, no_message_id) in [
            ("From: a\r\n\r\nDate: b\r\nMessage-ID: c\r\n", true, true),
            ("From: a\r\nDate: b\r\n\r\nx", false, true),
            ("DATE : b\r\nmessage-ID:x\r\n\r\n", false, false),
            ("X: y\r\n Date: folded\r\n\r\n", true, true),
            ("X-Date: a\r\nDates: b\r\nMessage-ID-Old: c\r\n\r\n", true, true),
            ("From: a\r\nMessage-ID: x", true, false),
            ("\r\nDate: body\r\n", true, true),
            ("", true, true),
        ] {
            for size in [1, 2, 3, 7, 1000] {
                let mut fill = Fill::default();
                let mut out = Vec::new();
                let mut beginning = None;
                for chunk in message.as_bytes().chunks(size) {
                    if fill.is_past() {
                        out.extend_from_slice(chunk);
                    } else if let Some(Beginning { bytes, no_date, no_message_id }) = fill.hold(chunk) {
                        out.extend(bytes);
                        beginning = Some((no_date, no_message_id));
                    }
                }
                if let Some(Beginning { bytes, no_date, no_message_id }) = fill.end() {
                    out.extend(bytes);
                    beginning = Some((no_date, no_message_id));
                }
                assert_eq!(beginning, Some((no_date, no_message_id)), "{message:?} in pieces of {size}");
                assert_eq!(String::from_utf8_lossy(&out), message, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn an_endless_header_is_not_held_back() {
        let mut fill = Fill::default();
        let mut held = 0;
        let line = "X: y\r\n".repeat(100);
        while !fill.is_past() {
            held += line.len();
            if let Some(beginning) = fill.hold(line.as_bytes()) {
                assert_eq!(beginning.bytes.len(), held);
                assert!(!beginning.no_date && !beginning.no_message_id);
            }
        }
        assert!(held <= MAX_HEADER + line.len());
        assert_eq!(fill.end(), None);
    }
}
