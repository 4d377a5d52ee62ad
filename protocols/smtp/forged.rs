//! Takes out of arriving mail what claims to be ours: Authentication-Results fields with our name (RFC
//! 8601 §5), and the field in which the junk filter explains itself. A reader, or a rule, could not tell
//! them from the hub's own. Everything else passes byte for byte.
//!
//! What was taken out is remembered, so that signatures can be checked over what was sent.

/// A field of so many octets must have told whose it is. A comment could hide the name behind them,
/// so a field that has not is taken for a forgery.
const MAX_HELD: usize = 1024;
/// Octets of forgeries that are remembered, and one piece of input more. Beyond that signatures over them fail, as they may.
const MAX_REMOVED: usize = 64 * 1024;
const RESULTS: &[u8] = b"authentication-results";
const VERDICT: &[u8] = b"x-junk-verdict";

/// A field that was taken out, and how many octets of the rest stand before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The filter of one message. Line ends are CR LF.
#[derive(Debug)]
pub(crate) struct Forged {
    /// Our authserv-id, in lower case.
    host_name: String,
    state: State,
    /// What is held back: the beginning of a line, or of a field.
    held: Vec<u8>,
    passed: u64,
    removed: Vec<Removed>,
    /// Octets in `removed`.
    remembered: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a line; `Field` is that of the line before.
    Begin(Field),
    /// Within a line of a field.
    Line(Field),
    /// Behind the header.
    Past,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// Results of somebody; held back until it is known whose.
    Open,
    Ours,
    Other,
}

/// What the beginning of a line says.
enum Line {
    Blank,
    Continued,
    Results,
    Something,
    Undecided,
    /// The junk filter's: ours, whatever it says.
    Verdict,
}

impl Forged {
    pub(crate) fn new(host_name: &str) -> Self {
        Self {
            host_name: host_name.to_ascii_lowercase(),
            state: State::Begin(Field::Other),
            held: Vec::new(),
            passed: 0,
            removed: Vec::new(),
            remembered: 0,
        }
    }

    /// True if the header is past: what comes needs no look.
    pub(crate) fn is_past(&self) -> bool {
        self.state == State::Past
    }

    /// Takes the next bytes and gives those to keep.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + self.held.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Past => {
                    self.keep(rest, &mut out);
                    &[]
                }
                State::Begin(before) => {
                    let (byte, behind) = rest.split_at(1);
                    self.begin(before, byte[0], &mut out);
                    behind
                }
                State::Line(field) => {
                    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                    let (line, behind) = rest.split_at(end);
                    self.line(field, line, &mut out);
                    behind
                }
            };
        }
        out
    }

    /// The message is complete, and may be all header.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.state {
            State::Begin(Field::Open) => {
                let begun = self.held.split_off(self.line_start());
                self.close(&mut out);
                self.held = begun;
            }
            State::Line(Field::Open) => _ = self.close(&mut out),
            _ => {}
        }
        let held = std::mem::take(&mut self.held);
        self.keep(&held, &mut out);
        self.state = State::Past;
        out
    }

    pub(crate) fn into_removed(self) -> Vec<Removed> {
        self.removed
    }

    fn keep(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
        self.passed += bytes.len() as u64;
    }

    /// Where in what is held the line begins.
    fn line_start(&self) -> usize {
        self.held.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
    }

    /// One more byte at the beginning of a line; it is held back until it is clear what begins.
    fn begin(&mut self, before: Field, byte: u8, out: &mut Vec<u8>) {
        // An open field is held in front of the line.
        let start = if before == Field::Open { self.line_start() } else { 0 };
        self.held.push(byte);
        match kind_of(&self.held[start..]) {
            Line::Undecided => {}
            Line::Continued if before == Field::Open => self.state = State::Line(Field::Open),
            Line::Continued => self.flush(before, out),
            line => {
                if before == Field::Open {
                    let begun = self.held.split_off(start);
                    self.close(out);
                    self.held = begun;
                }
                match line {
                    Line::Results => {
                        self.state = State::Line(Field::Open);
                    }
                    Line::Verdict => {
                        self.remember();
                        self.flush(Field::Ours, out);
                    }
                    Line::Blank => {
                        self.flush(Field::Other, out);
                        self.state = State::Past;
                    }
                    _ => self.flush(Field::Other, out),
                }
            }
        }
        let line_ended = self.held.last() == Some(&b'\n') || (self.held.is_empty() && byte == b'\n');
        if let State::Line(field) = self.state
            && line_ended
        {
            self.state = State::Begin(field);
        }
    }

    /// More of a line, perhaps its end.
    fn line(&mut self, field: Field, bytes: &[u8], out: &mut Vec<u8>) {
        let mut field = field;
        if field == Field::Open {
            self.held.extend_from_slice(bytes);
            if self.held.len() > MAX_HELD {
                field = self.close(out);
            }
        } else {
            self.flush_bytes(field, bytes, out);
        }
        self.state = if bytes.ends_with(b"\n") { State::Begin(field) } else { State::Line(field) };
    }

    /// Decides about the open field, of which no more is needed.
    fn close(&mut self, out: &mut Vec<u8>) -> Field {
        let bytes = std::mem::take(&mut self.held);
        let value = bytes.iter().position(|b| *b == b':').map_or(&[][..], |at| &bytes[at + 1..]);
        let field = match authserv_id(value) {
            Some(id) if id != self.host_name => Field::Other,
            None if bytes.len() <= MAX_HELD => Field::Other,
            _ => Field::Ours,
        };
        if field == Field::Ours {
            self.remember();
        }
        self.flush_bytes(field, &bytes, out);
        field
    }

    /// A field begins that is taken out.
    fn remember(&mut self) {
        if self.remembered < MAX_REMOVED {
            self.removed.push(Removed { at: self.passed, bytes: Vec::new() });
        }
    }

    /// What is held is of this field.
    fn flush(&mut self, field: Field, out: &mut Vec<u8>) {
        let bytes = std::mem::take(&mut self.held);
        self.flush_bytes(field, &bytes, out);
        self.state = State::Line(field);
    }

    fn flush_bytes(&mut self, field: Field, bytes: &[u8], out: &mut Vec<u8>) {
        match (field, self.removed.last_mut()) {
            (Field::Ours, Some(removed)) if self.remembered < MAX_REMOVED => {
                removed.bytes.extend_from_slice(bytes);
                self.remembered += bytes.len();
            }
            (Field::Ours, _) => {}
            _ => self.keep(bytes, out),
        }
    }
}

fn kind_of(line: &[u8]) -> Line {
    match line {
        [b' ' | b'\t', ..] => return Line::Continued,
        [b'\r'] => return Line::Undecided,
        [b'\r', b'\n'] | [b'\n'] => return Line::Blank,
        _ => {}
    }
    for (known, kind) in [(RESULTS, Line::Results), (VERDICT, Line::Verdict)] {
        let (name, rest) = line.split_at(line.len().min(known.len()));
        if !name.eq_ignore_ascii_case(&known[..name.len()]) {
            continue;
        }
        // Some programs take white space before the colon.
        return match rest.trim_ascii() {
            [] if rest.len() <= 8 && !rest.contains(&b'\n') => Line::Undecided,
            [b':'] => kind,
            _ => Line::Something,
        };
    }
    Line::Something
}

/// ```text
/// authres-payload = [CFWS] authserv-id …    ; RFC 8601 §2.2
/// authserv-id     = value                   ; a token or a quoted string
/// ```
/// In lower case; `None` if there is none.
fn authserv_id(value: &[u8]) -> Option<String> {
    let mut rest = value;
    loop {
        rest = rest.trim_ascii_start();
        match rest.first()? {
            b'(' => rest = behind_comment(rest)?,
            b'"' => return quoted(&rest[1..]),
            _ => break,
        }
    }
    let end = rest.iter().position(|b| b.is_ascii_whitespace() || b"();,".contains(b)).unwrap_or(rest.len());
    let id = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
    (!id.is_empty()).then_some(id)
}

/// Comments nest (RFC 5322 §3.2.2).
fn behind_comment(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0;
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(&text[at + 1..]),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn quoted(text: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return Some(String::from_utf8_lossy(&out).to_ascii_lowercase()),
            b'\\' => out.extend(bytes.next()),
            byte => out.push(*byte),
        }
    }
    None
}

/// The header as it was sent.
pub(crate) fn restore(header: &[u8], removed: &[Removed]) -> Vec<u8> {
    let mut out = Vec::with_capacity(header.len());
    let mut from = 0;
    for field in removed {
        let to = usize::try_from(field.at).unwrap_or(usize::MAX).clamp(from, header.len());
        out.extend_from_slice(&header[from..to]);
        out.extend_from_slice(&field.bytes);
        from = to;
    }
    out.extend_from_slice(&header[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(message: &str, size: usize) -> (String, Vec<Removed>) {
        let mut forged = Forged::new("Mail.example.org");
        let mut out = Vec::new();
        for piece in message.as_bytes().chunks(size) {
            out.extend(forged.pass(piece));
        }
        out.extend(forged.end());
        (String::from_utf8_lossy(&out).into_owned(), forged.into_removed())
    }

    #[test]
    fn rfc8601_5_what_claims_to_be_ours_goes() {
        let ours = "Authentication-Results: mail.example.org; spf=pass\r\n";
        for (message, kept) in [
            (format!("A: b\r\n{ours}C: d\r\n\r\nbody"), "A: b\r\nC: d\r\n\r\nbody"),
            (format!("{ours}\r\n{ours}"), "\r\nAuthentication-Results: mail.example.org; spf=pass\r\n"),
            (format!("{ours}\tdkim=pass\r\n x\r\n{ours}A: b\r\n"), "A: b\r\n"),
            (
                "AUTHENTICATION-results :(c (d)\\() MAIL.EXAMPLE.ORG 1;none\r\nA: b\r\n\r\n".into(),
                "A: b\r\n\r\n",
            ),
            ("Authentication-Results:\r\n \"mail.example\\.org\"; x\r\n\r\n".into(), "\r\n"),
            ("X-Junk-Verdict: good\r\n\tx\r\nx-junk-VERDICT :\r\nA: b\r\n\r\n".into(), "A: b\r\n\r\n"),
            ("X-Junk-Verdicts: a\r\n\r\n".into(), "X-Junk-Verdicts: a\r\n\r\n"),
            (
                "Authentication-Results: other; x\r\n y\r\n\r\n".into(),
                "Authentication-Results: other; x\r\n y\r\n\r\n",
            ),
            (
                "Authentication-Results-X: mail.example.org\r\n".into(),
                "Authentication-Results-X: mail.example.org\r\n",
            ),
            (
                "X: Authentication-Results\r\n Authentication-Results: mail.example.org\r\n\r\n".into(),
                "X: Authentication-Results\r\n Authentication-Results: mail.example.org\r\n\r\n",
            ),
            ("Auth".into(), "Auth"),
            ("Authentication-Results: mail.example.org".into(), ""),
            ("\r\n".into(), "\r\n"),
            (String::new(), ""),
        ] {
            for size in [1, 2, 5, 23, 1000] {
                let (found, removed) = filter(&message, size);
                assert_eq!(found, kept, "{message:?} in pieces of {size}");
                let restored = restore(found.as_bytes(), &removed);
                assert_eq!(String::from_utf8_lossy(&restored), message, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_name_cannot_hide_behind_a_long_comment() {
        let long = "c".repeat(5000);
        let hidden = format!("Authentication-Results: ({long}) mail.example.org; x\r\n y\r\nA: b\r\n\r\n");
        assert_eq!(filter(&hidden, 100).0, "A: b\r\n\r\n");
        let other = format!("Authentication-Results: other ({long});\r\n y\r\nA: b\r\n\r\n");
        assert_eq!(filter(&other, 100).0, other);
        for (field, times) in [(long.as_str(), 100), ("", 100_000)] {
            let many = format!("Authentication-Results: mail.example.org; {field}\r\n").repeat(times);
            let (kept, removed) = filter(&many, 4096);
            assert_eq!(kept, "");
            assert!(removed.iter().map(|removed| removed.bytes.len()).sum::<usize>() <= MAX_REMOVED + 4096);
            assert!(removed.len() < 2000, "{} fields", removed.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_else_changes(message in "([AX:( ;\"]|\r\n|Authentication-Results|mail\\.example\\.org){0,30}", size in 1usize..9) {
            let (kept, removed) = filter(&message, size);
            let restored = restore(kept.as_bytes(), &removed);
            proptest::prop_assert_eq!(String::from_utf8_lossy(&restored), message);
        }
    }
}
