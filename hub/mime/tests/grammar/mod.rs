//! A strict reader of ENVELOPE and BODYSTRUCTURE, rule by rule as in RFC 9051 §9. It panics where
//! the bytes break a rule.

#![allow(dead_code, reason = "not every test looks at everything")]

/// A `body`, as far as tests compare it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Basic { octets: u64 },
    Message { octets: u64, lines: u64, body: Box<Self> },
    Multipart { parts: Vec<Self> },
    Text { octets: u64, lines: u64 },
}

pub(crate) fn envelope(wire: &[u8]) {
    let mut reader = Reader { rest: wire };
    reader.envelope();
    assert!(reader.rest.is_empty(), "behind the envelope: {:?}", reader.shown());
}

pub(crate) fn body_structure(wire: &[u8]) -> Body {
    body(wire, true)
}

pub(crate) fn body_without_extensions(wire: &[u8]) -> Body {
    body(wire, false)
}

fn body(wire: &[u8], extensible: bool) -> Body {
    let mut reader = Reader { rest: wire };
    let body = reader.body(extensible);
    assert!(reader.rest.is_empty(), "behind the body: {:?}", reader.shown());
    body
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.rest[..self.rest.len().min(60)]).into_owned()
    }

    fn take(&mut self, literal: &str) -> bool {
        let is_next = self.rest.starts_with(literal.as_bytes());
        if is_next {
            self.rest = &self.rest[literal.len()..];
        }
        is_next
    }

    fn expect(&mut self, literal: &str) {
        assert!(self.take(literal), "{literal:?} expected at {:?}", self.shown());
    }

    /// `envelope = "(" env-date SP env-subject SP 6(addresses SP) env-in-reply-to SP env-message-id ")"`
    fn envelope(&mut self) {
        self.expect("(");
        self.nstring();
        self.expect(" ");
        self.nstring();
        for _ in 0..6 {
            self.expect(" ");
            self.addresses();
        }
        self.expect(" ");
        self.nstring();
        self.expect(" ");
        self.nstring();
        self.expect(")");
    }

    /// `"(" 1*address ")" / nil`, with groups opened and closed in turn.
    fn addresses(&mut self) {
        if self.take("NIL") {
            return;
        }
        self.expect("(");
        let mut in_group = false;
        loop {
            self.expect("(");
            let name = self.nstring();
            self.expect(" ");
            let route = self.nstring();
            self.expect(" ");
            let mailbox = self.nstring();
            self.expect(" ");
            let host = self.nstring();
            self.expect(")");
            match (mailbox.is_some(), host.is_some()) {
                (_, true) => assert!(mailbox.is_some(), "a host without mailbox"),
                (is_start, false) => {
                    assert!(name.is_none() && route.is_none(), "a group marker with name or route");
                    assert!(is_start != in_group, "groups are not closed in turn");
                    in_group = is_start;
                }
            }
            if self.take(")") {
                assert!(!in_group, "a group is not closed");
                return;
            }
        }
    }

    /// `body = "(" (body-type-1part / body-type-mpart) ")"`
    fn body(&mut self, extensible: bool) -> Body {
        self.expect("(");
        let body =
            if self.rest.starts_with(b"(") { self.multipart(extensible) } else { self.one_part(extensible) };
        self.expect(")");
        body
    }

    /// `body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]`
    fn multipart(&mut self, extensible: bool) -> Body {
        let mut parts = Vec::new();
        while self.rest.starts_with(b"(") {
            parts.push(self.body(extensible));
        }
        self.expect(" ");
        self.string();
        if extensible {
            self.expect(" ");
            self.parameters();
            self.extensions();
        }
        Body::Multipart { parts }
    }

    /// `body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]`
    fn one_part(&mut self, extensible: bool) -> Body {
        let kind = self.string().to_ascii_lowercase();
        self.expect(" ");
        let subtype = self.string().to_ascii_lowercase();
        assert!(!kind.is_empty() && !subtype.is_empty(), "an empty media type");
        assert!(kind != "multipart", "a multipart without parts");
        self.expect(" ");
        self.parameters();
        self.expect(" ");
        self.nstring();
        self.expect(" ");
        self.nstring();
        self.expect(" ");
        assert!(!self.string().is_empty(), "an empty encoding");
        self.expect(" ");
        let octets = self.number();
        let body = if kind == "text" {
            self.expect(" ");
            Body::Text { octets, lines: self.number() }
        } else if kind == "message" && subtype == "rfc822" {
            self.expect(" ");
            self.envelope();
            self.expect(" ");
            let body = Box::new(self.body(extensible));
            self.expect(" ");
            Body::Message { octets, lines: self.number(), body }
        } else {
            Body::Basic { octets }
        };
        if extensible {
            self.expect(" ");
            self.nstring();
            self.extensions();
        }
        body
    }

    /// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
    fn extensions(&mut self) {
        self.expect(" ");
        if !self.take("NIL") {
            self.expect("(");
            assert!(!self.string().is_empty(), "an empty disposition");
            self.expect(" ");
            self.parameters();
            self.expect(")");
        }
        self.expect(" ");
        if self.take("(") {
            self.string();
            while self.take(" ") {
                self.string();
            }
            self.expect(")");
        } else {
            self.nstring();
        }
        self.expect(" ");
        self.nstring();
    }

    /// `body-fld-param = "(" string SP string *(SP string SP string) ")" / nil`
    fn parameters(&mut self) {
        if self.take("NIL") {
            return;
        }
        self.expect("(");
        loop {
            assert!(!self.string().is_empty(), "a parameter without name");
            self.expect(" ");
            self.string();
            if !self.take(" ") {
                break;
            }
        }
        self.expect(")");
    }

    fn nstring(&mut self) -> Option<String> {
        if self.take("NIL") { None } else { Some(self.string()) }
    }

    /// `string = quoted / literal`, of seven bits.
    fn string(&mut self) -> String {
        let mut text = String::new();
        if self.take("{") {
            let length = usize::try_from(self.number()).expect("fits");
            self.expect("}\r\n");
            let (literal, rest) = self.rest.split_at(length);
            assert!(literal.iter().all(|byte| (1..0x80).contains(byte)), "a literal with NUL or eight bits");
            self.rest = rest;
            return String::from_utf8(literal.to_vec()).expect("ASCII");
        }
        self.expect("\"");
        loop {
            let (&byte, rest) = self.rest.split_first().expect("an open string");
            self.rest = rest;
            match byte {
                b'"' => return text,
                b'\\' => {
                    let (&escaped, rest) = self.rest.split_first().expect("an open string");
                    assert!(matches!(escaped, b'"' | b'\\'), "a needless escape");
                    self.rest = rest;
                    text.push(char::from(escaped));
                }
                0 | b'\r' | b'\n' | 0x80.. => panic!("octet {byte} in a quoted string"),
                _ => text.push(char::from(byte)),
            }
        }
    }

    fn number(&mut self) -> u64 {
        let end =
            self.rest.iter().position(|byte| !byte.is_ascii_digit()).expect("something behind a number");
        let (digits, rest) = self.rest.split_at(end);
        assert!(!digits.is_empty(), "a number expected at {:?}", self.shown());
        self.rest = rest;
        std::str::from_utf8(digits).expect("digits").parse().expect("a number")
    }
}
