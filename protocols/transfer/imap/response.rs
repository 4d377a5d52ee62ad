//! What a server says (RFC 3501 §7), as far as an import needs it.

use crate::Error;

/// Parentheses within parentheses; FETCH with flags has two.
const MAX_DEPTH: usize = 10;
/// What of a server's text is shown to a person.
const SHOWN: usize = 200;

/// A literal that went to the courier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Body(Body),
    Literal(Vec<u8>),
    Text(String),
}

/// One response: text, with literals in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Atom(String),
    Body(Body),
    Close,
    Open,
    /// Quoted, or a literal.
    String(String),
}

/// A line of LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) attributes: Vec<String>,
    pub(super) delimiter: Option<char>,
    pub(super) name: String,
}

/// A line of FETCH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) uid: Option<u32>,
    pub(super) flags: Vec<String>,
    pub(super) received_at: Option<i64>,
    pub(super) body: Option<Content>,
}

/// A message's bytes: gone to the courier, or so few that they came as a quoted string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Gone(u64),
    Here(String),
}

/// `text {123}` → the text and 123.
pub(super) fn literal_at_end(line: &str) -> Option<(&str, u64)> {
    let (text, number) = line.strip_suffix('}')?.rsplit_once('{')?;
    // literal8 of BINARY, and LITERAL+ (which only clients may use).
    let text = text.strip_suffix('~').unwrap_or(text);
    let number = number.strip_suffix('+').unwrap_or(number);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_number).map(|number| (text, number))
}

impl Response {
    /// Its first line.
    pub(super) fn text(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// For a message to a person.
    pub(super) fn shown(&self) -> String {
        self.text().chars().filter(|c| !c.is_control()).take(SHOWN).collect()
    }

    /// `Some` if this ends the command well; an error if it ends it badly.
    pub(super) fn completion(&self, tag: &str) -> Result<Option<()>, Error> {
        let text = self.text();
        if starts_with(text, "* BYE") {
            return Err(Error::Broken(format!("the server says {}", self.shown())));
        }
        let Some(rest) = text.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) else {
            return match text.starts_with(['*', '+']) {
                true => Ok(None),
                false => Err(Error::Broken(format!("the server says what is no IMAP: {}", self.shown()))),
            };
        };
        match rest.split(' ').next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "OK" => Ok(Some(())),
            // RFC 5530: try again later.
            _ if rest.contains("[UNAVAILABLE]") || rest.contains("[INUSE]") => {
                Err(Error::Broken(self.shown()))
            }
            _ => Err(Error::Refused(self.shown())),
        }
    }

    /// `* OK [NAME number]`.
    pub(super) fn code(&self, name: &str) -> Option<u32> {
        let (_, rest) = self.text().split_once('[')?;
        let (code, _) = rest.split_once(']')?;
        let (found, number) = code.split_once(' ')?;
        number.trim().parse().ok().filter(|_| found.eq_ignore_ascii_case(name))
    }

    /// `* number NAME`.
    pub(super) fn count(&self, name: &str) -> Option<u32> {
        let mut words = self.text().split_ascii_whitespace();
        let (star, number, word) = (words.next()?, words.next()?, words.next()?);
        number.parse().ok().filter(|_| star == "*" && word.eq_ignore_ascii_case(name))
    }

    /// `mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox`
    pub(super) fn listed(&self) -> Option<Listed> {
        let tokens = self.tokens_after("* LIST ")?;
        let mut tokens = tokens.into_iter();
        if tokens.next()? != Token::Open {
            return None;
        }
        let mut attributes = Vec::new();
        loop {
            match tokens.next()? {
                Token::Close => break,
                Token::Atom(attribute) => attributes.push(attribute),
                _ => return None,
            }
        }
        let delimiter = match tokens.next()? {
            Token::String(text) => text.chars().next(),
            Token::Atom(_) => None,
            _ => return None,
        };
        match tokens.next()? {
            Token::Atom(name) | Token::String(name) => Some(Listed { attributes, delimiter, name }),
            _ => None,
        }
    }

    /// The first string within the first list of `* NAMESPACE` (RFC 2342 §5) is the prefix of the
    /// user's own mailboxes; the first strings of the others lead to mailboxes of other people.
    pub(super) fn namespaces(&self) -> Option<[Vec<String>; 3]> {
        let tokens = self.tokens_after("* NAMESPACE ")?;
        let mut found: [Vec<String>; 3] = Default::default();
        let (mut at, mut depth, mut is_first) = (0, 0, true);
        for token in tokens {
            match token {
                Token::Open => {
                    depth += 1;
                    is_first = true;
                }
                Token::Close => depth = usize::checked_sub(depth, 1)?,
                Token::String(text) if depth == 2 && is_first => {
                    found.get_mut(at)?.push(text);
                    is_first = false;
                }
                _ => {}
            }
            if depth == 0 {
                at += 1;
            }
        }
        Some(found)
    }

    /// `msg-att = "(" (msg-att-dynamic / msg-att-static) *(SP …) ")"`; what was not asked for is
    /// skipped. `None` if this is no FETCH, or a broken one.
    pub(super) fn fetched(&self) -> Option<Fetched> {
        self.count("FETCH")?;
        let start = self.text().find('(')?;
        let mut tokens = self.tokens(start)?.into_iter().peekable();
        if tokens.next()? != Token::Open {
            return None;
        }
        let mut fetched = Fetched::default();
        while let Some(Token::Atom(name)) = tokens.next() {
            match (name.to_ascii_uppercase().as_str(), tokens.next()?) {
                ("UID", Token::Atom(uid)) => fetched.uid = Some(uid.parse().ok()?),
                ("INTERNALDATE", Token::String(date)) => fetched.received_at = crate::date::of_imap(&date),
                ("BODY[]", Token::Body(body)) => fetched.body = Some(Content::Gone(body.size)),
                ("BODY[]", Token::String(text)) => fetched.body = Some(Content::Here(text)),
                ("FLAGS", Token::Open) => loop {
                    match tokens.next()? {
                        Token::Close => break,
                        Token::Atom(flag) => fetched.flags.push(flag),
                        _ => return None,
                    }
                },
                (_, Token::Open) => {
                    let mut depth = 1;
                    while depth > 0 {
                        match tokens.next()? {
                            Token::Open => depth += 1,
                            Token::Close => depth -= 1,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(fetched)
    }

    fn tokens_after(&self, start: &str) -> Option<Vec<Token>> {
        starts_with(self.text(), start).then(|| self.tokens(start.len()))?
    }

    /// From this byte of the first text on.
    fn tokens(&self, start: usize) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        let mut depth = 0;
        for (n, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Body(body) => tokens.push(Token::Body(*body)),
                Piece::Literal(bytes) => {
                    tokens.push(Token::String(String::from_utf8_lossy(bytes).into_owned()));
                }
                Piece::Text(text) => {
                    let text = if n == 0 { text.get(start..)? } else { text };
                    scan(text, &mut tokens, &mut depth)?;
                }
            }
        }
        Some(tokens)
    }
}

/// `None` for a string without end, or too deep.
fn scan(text: &str, tokens: &mut Vec<Token>, depth: &mut usize) -> Option<()> {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' => {
                *depth += 1;
                if *depth > MAX_DEPTH {
                    return None;
                }
                tokens.push(Token::Open);
            }
            ')' => {
                *depth = depth.checked_sub(1)?;
                tokens.push(Token::Close);
            }
            '"' => {
                let mut string = String::new();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => string.push(chars.next()?),
                        c => string.push(c),
                    }
                }
                tokens.push(Token::String(string));
            }
            c => {
                let mut atom = String::from(c);
                while let Some(c) = chars.next_if(|c| !matches!(c, ' ' | '(' | ')' | '"')) {
                    atom.push(c);
                }
                tokens.push(Token::Atom(atom));
            }
        }
    }
    Some(())
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> Response {
        Response { pieces: vec![Piece::Text(line.to_owned())] }
    }

    #[test]
    fn lists() {
        let listed = |attributes: &[&str], delimiter, name: &str| {
            let attributes = attributes.iter().map(|a| (*a).to_owned()).collect();
            Some(Listed { attributes, delimiter, name: name.to_owned() })
        };
        for (line, expected) in [
            (
                "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
                listed(&["\\HasNoChildren", "\\Sent"], Some('/'), "Sent"),
            ),
            ("* list () \".\" \"INBOX.a \\\"b\\\"\"", listed(&[], Some('.'), "INBOX.a \"b\"")),
            ("* LIST () NIL INBOX", listed(&[], None, "INBOX")),
            ("* LIST () \"\\\\\" x", listed(&[], Some('\\'), "x")),
            ("* LIST (", None),
            ("* LIST () \"/", None),
            ("* LSUB () \"/\" x", None),
        ] {
            assert_eq!(text(line).listed(), expected, "{line}");
        }
        let mut response = text("* LIST () \"/\" ");
        response.pieces.push(Piece::Literal("lit\"eral".into()));
        assert_eq!(response.listed(), listed(&[], Some('/'), "lit\"eral"));
    }

    #[test]
    fn fetches() {
        let body = Piece::Body(Body { size: 9 });
        let response = Response {
            pieces: vec![
                Piece::Text("* 3 FETCH (BODY[] ".into()),
                body,
                Piece::Text(" UID 7 X-GM-LABELS (a (b \"c\")) FLAGS (\\Seen $x) INTERNALDATE \" 5-Feb-2024 10:11:12 +0100\")".into()),
            ],
        };
        let expected = Fetched {
            uid: Some(7),
            flags: vec!["\\Seen".into(), "$x".into()],
            received_at: Some(1_707_124_272),
            body: Some(Content::Gone(9)),
        };
        assert_eq!(response.fetched(), Some(expected));
        assert_eq!(text("* 3 FETCH (UID x)").fetched(), None);
        assert_eq!(text("* 3 EXISTS").fetched(), None);
        assert_eq!(text("* 3 FETCH (FLAGS ()").fetched(), Some(Fetched::default()));
        assert_eq!(text(&format!("* 3 FETCH {}", "(".repeat(10_000))).fetched(), None);
        let quoted = text("* 3 FETCH (UID 1 BODY[] \"a: b\")").fetched().expect("a message");
        assert_eq!(quoted.body, Some(Content::Here("a: b".into())));
    }

    #[test]
    fn namespaces() {
        let found =
            text("* NAMESPACE ((\"INBOX.\" \".\")) ((\"user.\" \".\")) ((\"shared.\" \".\" \"x\" (\"y\")))");
        let expected = [vec!["INBOX.".to_owned()], vec!["user.".to_owned()], vec!["shared.".to_owned()]];
        assert_eq!(found.namespaces(), Some(expected));
        let found = text("* NAMESPACE ((\"\" \"/\")) NIL NIL").namespaces();
        assert_eq!(found, Some([vec![String::new()], vec![], vec![]]));
    }

    #[test]
    fn completions() {
        assert!(text("* 1 EXISTS").completion("T1").is_ok_and(|done| done.is_none()));
        assert!(text("T1 OK done").completion("T1").is_ok_and(|done| done.is_some()));
        assert!(matches!(text("T1 NO no").completion("T1"), Err(Error::Refused(_))));
        assert!(matches!(text("T1 NO [UNAVAILABLE] later").completion("T1"), Err(Error::Broken(_))));
        assert!(matches!(text("* BYE").completion("T1"), Err(Error::Broken(_))));
        assert!(matches!(text("HTTP/1.1 400").completion("T1"), Err(Error::Broken(_))));
        assert_eq!(text("* OK [UIDVALIDITY 17] ok").code("UIDVALIDITY"), Some(17));
        assert_eq!(text("* OK [UIDVALIDITY x] ok").code("UIDVALIDITY"), None);
    }

    #[test]
    fn literals() {
        for (line, expected) in [
            ("a {12}", Some(("a ", 12))),
            ("a ~{12}", Some(("a ", 12))),
            ("a {}", None),
            ("a {99999999999999999999999}", None),
            ("a {-1}", None),
            ("{1", None),
        ] {
            assert_eq!(literal_at_end(line), expected, "{line}");
        }
    }

    proptest::proptest! {
        /// Whatever a server says, it is answered without a panic.
        #[test]
        fn any_line_is_read(line in "(\\* (LIST|NAMESPACE|1 FETCH) )?[ -~]{0,60}") {
            let response = text(&line);
            let _ = (response.listed(), response.fetched(), response.namespaces(), response.completion("T1"));
            let _ = (response.code("X"), response.count("X"), literal_at_end(&line));
        }
    }
}
