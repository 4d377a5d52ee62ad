//! The sending side of DATA (RFC 5321 §4.5.2) and BDAT (RFC 3030): dots are stuffed where they matter,
//! and what goes out has no bare CR or LF, so that no receiver, however lax, can see another end than
//! ours.

use memchr::memchr2;

/// Turns a message, handed over in pieces, into what is sent.
#[derive(Debug)]
pub(crate) struct Stuffer {
    /// For DATA: dots are doubled, and one ends the message.
    dots: bool,
    line_start: bool,
    /// A CR came last and was not written yet.
    cr: bool,
}

impl Stuffer {
    pub(crate) fn for_data() -> Self {
        Self { dots: true, line_start: true, cr: false }
    }

    /// For BDAT (RFC 3030), whose length says where the end is; the line ends are made the same.
    pub(crate) fn for_chunks() -> Self {
        Self { dots: false, line_start: true, cr: false }
    }

    pub(crate) fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while let Some(&first) = input.first() {
            if self.cr {
                match first {
                    b'\n' => input = &input[1..],
                    // A run of CRs is one line break, as in the framer.
                    b'\r' => {
                        input = &input[1..];
                        continue;
                    }
                    _ => {}
                }
                self.cr = false;
                self.end_line(out);
                continue;
            }
            if self.dots && self.line_start && first == b'.' {
                out.push(b'.');
            }
            let end = memchr2(b'\r', b'\n', input).unwrap_or(input.len());
            let (text, rest) = input.split_at(end);
            out.extend_from_slice(text);
            self.line_start &= text.is_empty();
            input = rest;
            match rest.first() {
                Some(b'\r') => self.cr = true,
                Some(_) => self.end_line(out),
                None => return,
            }
            input = &input[1..];
        }
    }

    /// Ends the last line if it has no end, then the message.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) {
        if self.cr || !self.line_start {
            self.end_line(out);
        }
        if self.dots {
            out.extend_from_slice(b".\r\n");
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.line_start = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::framer::{BareLineEnds, Framer, Piece};

    fn stuff(chunks: &[&[u8]]) -> Vec<u8> {
        let mut stuffer = Stuffer::for_data();
        let mut out = Vec::new();
        for chunk in chunks {
            stuffer.push(chunk, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    #[test]
    fn rfc5321_4_5_2_transparency() {
        for (message, sent) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            (".a\r\n..\r\n", "..a\r\n...\r\n.\r\n"),
            ("\r\n.\r\n", "\r\n..\r\n.\r\n"),
            ("a\n.\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\r\n", "a\r\n..\r\n.\r\n"),
            ("a\r\r\n.b", "a\r\n..b\r\n.\r\n"),
            ("a\r", "a\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&stuff(&[message.as_bytes()])), sent, "{message:?}");
        }
    }

    proptest! {
        /// What we send, we would receive: nothing else than CR LF, one end, the same text.
        #[test]
        fn the_framer_undoes_it(text in "[a.\r\n]{0,40}", cut in 0..40usize) {
            let (a, b) = text.as_bytes().split_at(cut.min(text.len()));
            let sent = stuff(&[a, b]);
            prop_assert_eq!(&sent, &stuff(&[text.as_bytes()]));
            let mut framer = Framer::data(BareLineEnds::Report);
            let mut input = &sent[..];
            let mut received = Vec::new();
            loop {
                match framer.next(&mut input) {
                    Piece::Bytes(bytes) => received.extend_from_slice(bytes),
                    end => break prop_assert_eq!(end, Piece::End),
                }
            }
            prop_assert!(input.is_empty());
            prop_assert!(!framer.has_bare_line_end());
            prop_assert_eq!(stuff(&[&received]), sent);
        }
    }
}
