//! Where a message ends, and what its bytes are: the receiving side of DATA (RFC 5321 §4.5.2) and
//! BDAT (RFC 3030 §2).
//!
//! Only CR LF `.` CR LF ends a message, and only a dot after CR LF is unstuffed. Everything that
//! merely looks like a line end (bare LF, bare CR, CR CR LF) is content: a server that takes it for
//! one can be made to see a second message where its neighbour saw one (SMTP smuggling,
//! CVE-2023-51764). Pieces are slices of the input; the result does not depend on how the input
//! was cut.

use memchr::memchr2;

/// Lines longer than this are refused. RFC 5321 §4.5.3.1.6 promises 998 octets, but real mail has
/// whole HTML pages in one line; such a line is stored as it is.
pub(crate) const MAX_LINE: u64 = 1024 * 1024;

/// What to do about a CR without LF or an LF without CR (RFC 5321 §2.3.8 forbids both).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BareLineEnds {
    /// Each becomes CR LF in the message, never a line end of the protocol. A run of CRs counts once.
    Normalise,
    /// They stay, and [`Framer::has_bare_line_end`] tells of them.
    Report,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'i> {
    /// The next bytes of the message; never empty.
    Bytes(&'i [u8]),
    /// The message is complete; what is left of the input follows it.
    End,
    /// The input is used up.
    More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning, or right after CR LF.
    LineStart,
    /// Anywhere else.
    Middle,
    /// After a CR that was not handed out yet.
    Cr,
    /// After a dot at the start of a line, not handed out yet.
    Dot,
    /// After such a dot and a CR, neither handed out yet.
    DotCr,
    Ended,
}

#[derive(Debug)]
pub(crate) struct Framer {
    state: State,
    /// False inside BDAT, which counts bytes instead of looking for dots.
    dots: bool,
    bare: BareLineEnds,
    has_bare_line_end: bool,
    has_long_line: bool,
    /// Length of the current line so far.
    line: u64,
}

impl Framer {
    pub(crate) fn data(bare: BareLineEnds) -> Self {
        Self {
            state: State::LineStart,
            dots: true,
            bare,
            has_bare_line_end: false,
            has_long_line: false,
            line: 0,
        }
    }

    /// For the octets of BDAT chunks; the caller counts them and calls [`Framer::finish`].
    pub(crate) fn chunks(bare: BareLineEnds) -> Self {
        Self { dots: false, ..Self::data(bare) }
    }

    pub(crate) fn has_bare_line_end(&self) -> bool {
        self.has_bare_line_end
    }

    /// A line was longer than [`MAX_LINE`].
    pub(crate) fn has_long_line(&self) -> bool {
        self.has_long_line
    }

    /// Takes the next piece off the front of `input`.
    pub(crate) fn next<'i>(&mut self, input: &mut &'i [u8]) -> Piece<'i> {
        loop {
            let Some(&first) = input.first() else { return Piece::More };
            match (self.state, first) {
                (State::Ended, _) => return Piece::End,
                (State::LineStart, b'.') if self.dots => self.withhold(input, State::Dot),
                (State::Dot, b'\r') => self.withhold(input, State::DotCr),
                (State::DotCr, b'\n') => {
                    self.withhold(input, State::Ended);
                    return Piece::End;
                }
                // The dot was stuffing and is dropped; its CR is looked at like any other.
                (State::DotCr, _) => self.state = State::Cr,
                (State::Cr, b'\n') => {
                    self.withhold(input, State::LineStart);
                    self.end_line(0);
                    return Piece::Bytes(b"\r\n");
                }
                (State::Cr, _) => {
                    self.has_bare_line_end = true;
                    match (self.bare, first) {
                        (BareLineEnds::Normalise, b'\r') => self.withhold(input, State::Cr),
                        _ => {
                            self.state = State::Middle;
                            return self.bare_cr();
                        }
                    }
                }
                (State::Dot | State::LineStart | State::Middle, b'\n')
                    if self.bare == BareLineEnds::Normalise =>
                {
                    return self.bare_lf(input);
                }
                (State::Dot | State::LineStart | State::Middle, _) => {
                    if let Some(bytes) = self.run(input) {
                        return Piece::Bytes(bytes);
                    }
                }
            }
        }
    }

    /// What was still withheld when the last chunk ended.
    pub(crate) fn finish(&mut self) -> &'static [u8] {
        if self.state != State::Cr {
            return b"";
        }
        self.state = State::Ended;
        self.has_bare_line_end = true;
        match self.bare {
            BareLineEnds::Normalise => b"\r\n",
            BareLineEnds::Report => b"\r",
        }
    }

    /// Takes as many bytes as can be handed out unchanged in one slice.
    fn run<'i>(&mut self, input: &mut &'i [u8]) -> Option<&'i [u8]> {
        let bytes = *input;
        let mut at = 0;
        let mut line_start = 0;
        let (end, skip, state) = loop {
            let Some(found) = memchr2(b'\r', b'\n', &bytes[at..]) else {
                break (
                    bytes.len(),
                    0,
                    if at > 0 && at == bytes.len() { State::LineStart } else { State::Middle },
                );
            };
            let found = at + found;
            match (bytes[found], bytes.get(found + 1)) {
                (b'\r', Some(b'\n')) => {
                    self.end_line((found - line_start) as u64);
                    at = found + 2;
                    line_start = at;
                    if self.dots && bytes.get(at) == Some(&b'.') {
                        break (at, 0, State::LineStart);
                    }
                }
                (b'\r', None) => break (found, 1, State::Cr),
                (b'\r', Some(_)) if self.bare == BareLineEnds::Normalise => break (found, 1, State::Cr),
                (_, _) if self.bare == BareLineEnds::Normalise => break (found, 0, State::Middle),
                _ => {
                    self.has_bare_line_end = true;
                    at = found + 1;
                    if at == bytes.len() {
                        break (at, 0, State::Middle);
                    }
                }
            }
        };
        self.line += (end - line_start) as u64;
        self.note_length();
        self.state = state;
        let (run, rest) = bytes.split_at(end);
        *input = &rest[skip..];
        (!run.is_empty()).then_some(run)
    }

    fn withhold(&mut self, input: &mut &[u8], state: State) {
        *input = &input[1..];
        self.state = state;
    }

    fn bare_cr(&mut self) -> Piece<'static> {
        match self.bare {
            BareLineEnds::Normalise => {
                self.line = 0;
                Piece::Bytes(b"\r\n")
            }
            BareLineEnds::Report => {
                self.line += 1;
                Piece::Bytes(b"\r")
            }
        }
    }

    /// The state afterwards is not `LineStart`: a dot after a bare LF is neither end nor stuffing.
    fn bare_lf(&mut self, input: &mut &[u8]) -> Piece<'static> {
        self.withhold(input, State::Middle);
        self.has_bare_line_end = true;
        self.line = 0;
        Piece::Bytes(b"\r\n")
    }

    fn end_line(&mut self, more: u64) {
        self.line += more;
        self.note_length();
        self.line = 0;
    }

    fn note_length(&mut self) {
        self.has_long_line |= self.line > MAX_LINE;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames `chunks` and returns the message, whether it ended, what followed it, and whether a
    /// bare line end was seen.
    fn frame(mut framer: Framer, chunks: &[&[u8]]) -> (Vec<u8>, Option<Vec<u8>>, bool) {
        let mut message = Vec::new();
        for (n, chunk) in chunks.iter().enumerate() {
            let mut input = *chunk;
            loop {
                match framer.next(&mut input) {
                    Piece::Bytes(bytes) => {
                        assert!(!bytes.is_empty());
                        message.extend_from_slice(bytes);
                    }
                    Piece::More => break,
                    Piece::End => {
                        let rest = [&[input], &chunks[n + 1..]].concat().concat();
                        return (message, Some(rest), framer.has_bare_line_end());
                    }
                }
            }
        }
        (message, None, framer.has_bare_line_end())
    }

    /// The same in the plainest way: look for the end in the whole text, then replace.
    fn reference(input: &[u8], bare: BareLineEnds) -> Option<(Vec<u8>, Vec<u8>, bool)> {
        let text = [b"\r\n", input].concat();
        let end = memchr::memmem::find(&text, b"\r\n.\r\n")?;
        let rest = text[end + 5..].to_vec();
        let stuffed = &text[..end + 2];
        let mut body = Vec::new();
        let mut at = 2;
        if stuffed.get(2) == Some(&b'.') {
            at = 3;
        }
        while at < stuffed.len() {
            if stuffed[at..].starts_with(b"\r\n.") {
                body.extend_from_slice(b"\r\n");
                at += 3;
            } else {
                body.push(stuffed[at]);
                at += 1;
            }
        }
        let normal = normalise(&body);
        let has_bare = normal != body;
        Some((if bare == BareLineEnds::Normalise { normal } else { body }, rest, has_bare))
    }

    fn normalise(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < body.len() {
            let crs = body[at..].iter().take_while(|&&b| b == b'\r').count();
            at += crs;
            let lf = body.get(at) == Some(&b'\n');
            at += usize::from(lf);
            if crs > 0 || lf {
                out.extend_from_slice(b"\r\n");
            } else {
                out.push(body[at]);
                at += 1;
            }
        }
        out
    }

    fn check(input: &str, message: &str, rest: Option<&str>) {
        for bare in [BareLineEnds::Normalise, BareLineEnds::Report] {
            let (got, end, _) = frame(Framer::data(bare), &[input.as_bytes()]);
            assert_eq!(String::from_utf8_lossy(&got), message, "{input:?}");
            assert_eq!(end.as_deref(), rest.map(str::as_bytes), "{input:?}");
            let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
            let (got, end, _) = frame(Framer::data(bare), &bytes);
            assert_eq!(String::from_utf8_lossy(&got), message, "{input:?} byte by byte");
            assert_eq!(end.as_deref(), rest.map(str::as_bytes), "{input:?} byte by byte");
        }
    }

    #[test]
    fn rfc5321_4_5_2_transparency() {
        check("a\r\n.\r\n", "a\r\n", Some(""));
        check(".\r\n", "", Some(""));
        check(".\r\nQUIT\r\n", "", Some("QUIT\r\n"));
        check("..\r\n.\r\n", ".\r\n", Some(""));
        check("..x\r\n.\r\n", ".x\r\n", Some(""));
        check(".x\r\n.\r\n", "x\r\n", Some(""));
        check("a\r\n..\r\nb\r\n.\r\nQUIT\r\n", "a\r\n.\r\nb\r\n", Some("QUIT\r\n"));
        check("a\r\n...\r\n.\r\n", "a\r\n..\r\n", Some(""));
        check("\r\n\r\n.\r\n", "\r\n\r\n", Some(""));
        check("a\r\n. \r\n.\r\n", "a\r\n \r\n", Some(""));
        check("a\0\u{e9}b\r\n.\r\n", "a\0\u{e9}b\r\n", Some(""));
        check("unfinished\r\n", "unfinished\r\n", None);
    }

    /// Sequences that some server takes for the end of a message.
    const NOT_AN_END: [&str; 17] = [
        "\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\n.\r",
        "\r.\n",
        "\r\n.\r\r\n",
        "\r\r\n.\r\r\n",
        "\r\n\0.\r\n",
        "\r\n.\0\r\n",
        "\n\n.\r\n",
        "\r\n. \r\n",
        "\r\n..\r\n",
        "\n\r.\r\n",
        "\r\n.\r.\r\n",
    ];

    #[test]
    fn smuggling_sequences_do_not_end_the_message() {
        for eod in NOT_AN_END {
            let smuggled = format!("body{eod}MAIL FROM:<x@attacker.test>\r\nDATA\r\n");
            let input = format!("{smuggled}\r\n.\r\nQUIT\r\n");
            for bare in [BareLineEnds::Normalise, BareLineEnds::Report] {
                let (message, rest, has_bare) = frame(Framer::data(bare), &[input.as_bytes()]);
                assert_eq!(rest.as_deref(), Some(&b"QUIT\r\n"[..]), "{eod:?}");
                assert!(message.windows(9).any(|w| w == b"MAIL FROM"), "{eod:?}");
                let literal_bare = normalise(smuggled.as_bytes()) != smuggled.as_bytes();
                assert_eq!(has_bare, literal_bare, "{eod:?}");
                if bare == BareLineEnds::Normalise {
                    assert_eq!(normalise(&message), message, "{eod:?} leaves bare CR or LF");
                }
            }
        }
    }

    #[test]
    fn bare_line_ends_are_normalised() {
        for (input, message) in [
            ("a\nb\r\n.\r\n", "a\r\nb\r\n"),
            ("a\rb\r\n.\r\n", "a\r\nb\r\n"),
            ("a\r\r\nb\r\n.\r\n", "a\r\nb\r\n"),
            ("a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"),
            ("\n\r\n.\r\n", "\r\n\r\n"),
        ] {
            let (got, rest, bare) = frame(Framer::data(BareLineEnds::Normalise), &[input.as_bytes()]);
            assert_eq!(String::from_utf8_lossy(&got), message, "{input:?}");
            assert_eq!(rest.as_deref(), Some(&b""[..]), "{input:?}");
            assert!(bare, "{input:?}");
        }
    }

    #[test]
    fn chunks_keep_dots_and_a_last_cr() {
        let mut framer = Framer::chunks(BareLineEnds::Report);
        let mut input = &b".\r\n..\r\n.\r\nend\r"[..];
        let mut message = Vec::new();
        while let Piece::Bytes(bytes) = framer.next(&mut input) {
            message.extend_from_slice(bytes);
        }
        message.extend_from_slice(framer.finish());
        assert_eq!(message, b".\r\n..\r\n.\r\nend\r");
        assert!(framer.has_bare_line_end());
    }

    #[test]
    fn long_lines_are_noticed_across_chunks() {
        for (length, long) in [(MAX_LINE, false), (MAX_LINE + 1, true)] {
            for size in [1000, 65536, usize::MAX] {
                let text = [vec![b'a'; length as usize], b"\r\n".to_vec()].concat();
                let mut framer = Framer::data(BareLineEnds::Report);
                for chunk in text.chunks(size.min(text.len())) {
                    let mut input = chunk;
                    while let Piece::Bytes(_) = framer.next(&mut input) {}
                }
                assert_eq!(framer.has_long_line(), long, "{length} in chunks of {size}");
            }
        }
    }

    /// Text made of the bytes that matter, cut anywhere.
    fn cut_text() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
        let byte = prop_oneof![
            4 => Just(b'\r'), 4 => Just(b'\n'), 4 => Just(b'.'), 1 => Just(b'a'), 1 => Just(0u8), 1 => Just(0xe9u8)
        ];
        (prop::collection::vec(byte, 0..60), prop::collection::vec(0..60usize, 0..6))
    }

    fn pieces<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|&c| c.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn equals_the_reference((text, cuts) in cut_text(), normalise in any::<bool>()) {
            let bare = if normalise { BareLineEnds::Normalise } else { BareLineEnds::Report };
            let text = [&text[..], b"\r\n.\r\nQUIT"].concat();
            let (message, rest, has_bare) = frame(Framer::data(bare), &pieces(&text, &cuts));
            let (expected, expected_rest, expected_bare) = reference(&text, bare).expect("it ends");
            prop_assert_eq!(message, expected);
            prop_assert_eq!(rest, Some(expected_rest));
            prop_assert_eq!(has_bare, expected_bare);
        }

        #[test]
        fn chunks_are_the_identity_but_for_bare_line_ends((text, cuts) in cut_text()) {
            for bare in [BareLineEnds::Report, BareLineEnds::Normalise] {
                let mut framer = Framer::chunks(bare);
                let mut message = Vec::new();
                for mut input in pieces(&text, &cuts) {
                    while let Piece::Bytes(bytes) = framer.next(&mut input) {
                        message.extend_from_slice(bytes);
                    }
                }
                message.extend_from_slice(framer.finish());
                let normal = normalise(&text);
                prop_assert_eq!(framer.has_bare_line_end(), normal != text);
                prop_assert_eq!(message, if bare == BareLineEnds::Report { text.clone() } else { normal });
            }
        }
    }
}
