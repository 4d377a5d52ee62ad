//! Commands as they come in (RFC 5804 §4): words and strings up to a line end. A literal may hold any
//! number of lines.

/// One argument, or the name of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A name or a number, as it was written.
    Atom(String),
    /// `string = quoted / literal-c2s`
    String(Vec<u8>),
}

/// Octets of a command besides its literals.
const LINE: usize = 8 * 1024;
/// Words of a command.
const WORDS: usize = 8;
/// Who announces more than this is not waited for.
const ABSURD: u64 = 16 * 1024 * 1024;

/// Gathers octets until a command is complete.
#[derive(Debug)]
pub(crate) struct Reader {
    words: Vec<Word>,
    part: Part,
    /// Octets of this command so far, literals not counted.
    line: usize,
    /// Octets of literals that a command may have, all together.
    room: usize,
    left: usize,
    mistake: Option<&'static str>,
}

#[derive(Debug)]
enum Part {
    Atom(String),
    /// A line feed must follow.
    End,
    Literal {
        bytes: Vec<u8>,
        left: u64,
    },
    /// `{`, digits, `+`, `}` and the line end.
    LiteralHead(String),
    Quoted {
        bytes: Vec<u8>,
        escaped: bool,
    },
    Space,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// A command without mistakes in its grammar.
    Command(Vec<Word>),
    /// It was read to its end, and cannot be understood.
    Mistake(&'static str),
    /// Where the next command would begin cannot be known.
    Hopeless(&'static str),
}

impl Reader {
    /// `room` is for the literals of one command, in octets.
    pub(crate) fn new(room: usize) -> Self {
        Self { words: Vec::new(), part: Part::Space, line: 0, room, left: room, mistake: None }
    }

    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
        self.left = room;
    }

    /// Nothing of a command has come yet.
    pub(crate) fn is_between(&self) -> bool {
        self.line == 0
    }

    /// Takes octets from the front of `input` until a command is complete, or all of it.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> Option<Taken> {
        while let Some((&byte, rest)) = input.split_first() {
            if let Part::Literal { bytes, left } = &mut self.part {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                let (taken, rest) = input.split_at(length);
                // Of one that is too long nothing is kept.
                if self.mistake.is_none() {
                    bytes.extend_from_slice(taken);
                }
                *left -= length as u64;
                *input = rest;
                if *left == 0 {
                    let bytes = std::mem::take(bytes);
                    self.part = Part::Space;
                    self.push(Word::String(bytes));
                }
                continue;
            }
            *input = rest;
            self.line += 1;
            if self.line > LINE {
                return Some(Taken::Hopeless("The command is too long"));
            }
            if let Some(taken) = self.step(byte) {
                return Some(taken);
            }
        }
        None
    }

    fn step(&mut self, byte: u8) -> Option<Taken> {
        match std::mem::replace(&mut self.part, Part::Space) {
            Part::Space => self.begin(byte),
            Part::Atom(mut atom) => {
                if byte.is_ascii_graphic() && !b"\"{(){}".contains(&byte) {
                    atom.push(char::from(byte));
                    self.part = Part::Atom(atom);
                    return None;
                }
                self.push(Word::Atom(atom));
                self.begin(byte)
            }
            Part::End => match byte {
                b'\n' => Some(self.complete()),
                _ => Some(Taken::Hopeless("A line ends with CR and LF")),
            },
            Part::LiteralHead(mut head) => match byte {
                b'\n' => self.literal(&head),
                _ => {
                    head.push(char::from(byte));
                    self.part = Part::LiteralHead(head);
                    None
                }
            },
            Part::Quoted { mut bytes, escaped } => {
                match byte {
                    b'"' if !escaped => {
                        self.push(Word::String(bytes));
                        return None;
                    }
                    b'\\' if !escaped => self.part = Part::Quoted { bytes, escaped: true },
                    b'\r' | b'\n' | 0 => return Some(Taken::Hopeless("A quoted string has one line")),
                    _ => {
                        bytes.push(byte);
                        self.part = Part::Quoted { bytes, escaped: false };
                    }
                }
                None
            }
            // Taken as a whole by `take`.
            part @ Part::Literal { .. } => {
                self.part = part;
                None
            }
        }
    }

    /// Between two words.
    fn begin(&mut self, byte: u8) -> Option<Taken> {
        match byte {
            b' ' | b'\t' => {}
            b'\r' => self.part = Part::End,
            // Programs that talk to it by hand.
            b'\n' => return Some(self.complete()),
            b'"' => self.part = Part::Quoted { bytes: Vec::new(), escaped: false },
            b'{' => self.part = Part::LiteralHead(String::new()),
            b if b.is_ascii_graphic() => self.part = Part::Atom(char::from(b).to_string()),
            _ => self.mistake = self.mistake.or(Some("Unexpected character")),
        }
        None
    }

    /// `literal-c2s = "{" number "+}" CRLF *OCTET`
    fn literal(&mut self, head: &str) -> Option<Taken> {
        let length = head.strip_suffix("+}\r").and_then(|digits| digits.parse::<u64>().ok());
        let Some(length) = length else { return Some(Taken::Hopeless("A literal is announced as {7+}")) };
        if length > ABSURD {
            return Some(Taken::Hopeless("The literal is too long"));
        }
        match usize::try_from(length).ok().and_then(|length| self.left.checked_sub(length)) {
            Some(left) => self.left = left,
            None => self.mistake = self.mistake.or(Some(TOO_LONG)),
        }
        match length {
            0 => self.push(Word::String(Vec::new())),
            _ => self.part = Part::Literal { bytes: Vec::new(), left: length },
        }
        None
    }

    fn push(&mut self, word: Word) {
        match self.words.len() < WORDS {
            true => self.words.push(word),
            false => self.mistake = self.mistake.or(Some("Too many arguments")),
        }
    }

    fn complete(&mut self) -> Taken {
        let words = std::mem::take(&mut self.words);
        let mistake = self.mistake.take();
        self.line = 0;
        self.left = self.room;
        match mistake {
            Some(mistake) => Taken::Mistake(mistake),
            None => Taken::Command(words),
        }
    }
}

/// The script, or whatever it is, is over the limit.
pub(crate) const TOO_LONG: &str = "The literal is longer than the limit";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(mut input: &[u8]) -> Vec<Taken> {
        let mut reader = Reader::new(20);
        let mut all = Vec::new();
        while let Some(taken) = reader.take(&mut input) {
            let is_end = matches!(taken, Taken::Hopeless(_));
            all.push(taken);
            if is_end {
                break;
            }
        }
        all
    }

    fn command(words: &[&str]) -> Taken {
        let word = |(number, text): (usize, &&str)| match number {
            0 => Word::Atom((*text).to_owned()),
            _ => Word::String(text.as_bytes().to_vec()),
        };
        Taken::Command(words.iter().enumerate().map(word).collect())
    }

    #[test]
    fn rfc5804_4_commands() {
        for (input, expected) in [
            ("NOOP\r\n", vec![command(&["NOOP"])]),
            ("PUTSCRIPT \"a\\\"b\" {5+}\r\nke\r\np\r\n", vec![command(&["PUTSCRIPT", "a\"b", "ke\r\np"])]),
            ("X {0+}\r\n\"\"\r\nY\r\n", vec![command(&["X", "", ""]), command(&["Y"])]),
            ("X {21+}\r\n123456789012345678901\r\nY\r\n", vec![Taken::Mistake(TOO_LONG), command(&["Y"])]),
            ("X {5}\r\n", vec![Taken::Hopeless("A literal is announced as {7+}")]),
            ("X {99999999999+}\r\n", vec![Taken::Hopeless("The literal is too long")]),
            ("X \"a\r\n", vec![Taken::Hopeless("A quoted string has one line")]),
            ("X\rY", vec![Taken::Hopeless("A line ends with CR and LF")]),
            ("1 2 3 4 5 6 7 8 9\r\n", vec![Taken::Mistake("Too many arguments")]),
            ("\r\n", vec![Taken::Command(Vec::new())]),
        ] {
            assert_eq!(read(input.as_bytes()), expected, "{input:?}");
        }
        assert_eq!(
            read(b"HAVESPACE \"a\" 12\r\n"),
            [Taken::Command(vec![
                Word::Atom("HAVESPACE".into()),
                Word::String(b"a".to_vec()),
                Word::Atom("12".into())
            ])]
        );
        assert!(matches!(read(&[b'x'; 9_000])[..], [Taken::Hopeless(_)]));
    }

    proptest! {
        /// Where the network cuts does not matter.
        #[test]
        fn input_in_pieces(input in "([A-C]{1,3}| \"[a\\\\\"]{0,3}\"| \\{[0-3]\\+\\}\r\n[a-c]{0,3}|\r\n| ){0,12}", cut in 0usize..60) {
            let whole = read(input.as_bytes());
            let mut reader = Reader::new(20);
            let mut pieces = Vec::new();
            let cut = cut.min(input.len());
            'all: for mut piece in [&input.as_bytes()[..cut], &input.as_bytes()[cut..]] {
                while let Some(taken) = reader.take(&mut piece) {
                    let is_end = matches!(taken, Taken::Hopeless(_));
                    pieces.push(taken);
                    if is_end {
                        break 'all;
                    }
                }
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}
