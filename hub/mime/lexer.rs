//! Tokens of structured header fields (RFC 5322 §3.2, RFC 2045 §5.1), read forgivingly.

/// Reads one unfolded field value from left to right.
pub(crate) struct Lexer<'a> {
    rest: &'a str,
    /// Text of the last comment passed over.
    comment: Option<String>,
}

/// Comments within comments are followed so deep; beyond, parentheses are text.
const MAX_COMMENT_DEPTH: usize = 20;

impl<'a> Lexer<'a> {
    pub(crate) fn new(value: &'a str) -> Self {
        Self { rest: value, comment: None }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(crate) fn next_char(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Takes `c` if it comes next.
    pub(crate) fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(crate) fn take_comment(&mut self) -> Option<String> {
        self.comment.take()
    }

    /// `[CFWS]`; true if there was any.
    pub(crate) fn skip_cfws(&mut self) -> bool {
        let before = self.rest.len();
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !self.rest.starts_with('(') {
                return self.rest.len() != before;
            }
            self.read_comment();
        }
    }

    /// `comment`; one that is not closed goes to the end.
    fn read_comment(&mut self) {
        self.next_char();
        let mut depth = 1;
        let mut text = String::new();
        while let Some(c) = self.next_char() {
            match c {
                '\\' => {
                    if let Some(quoted) = self.next_char() {
                        text.push(quoted);
                    }
                    continue;
                }
                '(' if depth < MAX_COMMENT_DEPTH => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                _ => {}
            }
            text.push(c);
        }
        self.comment = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    }

    /// `quoted-string` without its quotation marks and backslashes; one that is not closed goes to
    /// the end.
    pub(crate) fn quoted_string(&mut self) -> Option<String> {
        if !self.take('"') {
            return None;
        }
        let mut text = String::new();
        while let Some(c) = self.next_char() {
            match c {
                '"' => break,
                '\\' => text.extend(self.next_char()),
                _ => text.push(c),
            }
        }
        Some(text)
    }

    /// The longest run of characters that `is_part` allows; empty if there is none.
    pub(crate) fn run(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// `token` of RFC 2045 §5.1, with any non-ASCII.
    pub(crate) fn mime_token(&mut self) -> &'a str {
        self.run(|c| !(c.is_ascii_control() || " ()<>@,;:\\\"/[]?=".contains(c)))
    }
}

/// `atext` of RFC 5322 §3.2.3 as widened by RFC 6532 §3.2.
pub(crate) fn is_atext(c: char) -> bool {
    !(c.is_ascii_control() || " ()<>[]:;@\\,.\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_skipped() {
        let check = |value: &str, rest: &str, comment: Option<&str>| {
            let mut lexer = Lexer::new(value);
            lexer.skip_cfws();
            assert_eq!(lexer.rest, rest, "{value}");
            assert_eq!(lexer.take_comment().as_deref(), comment, "{value}");
        };
        check("a", "a", None);
        check(" \t a", "a", None);
        check("(c) a", "a", Some("c"));
        check("(c (d) \\) e) (f)a", "a", Some("f"));
        check("(c (d) \\) e)a", "a", Some("c (d) ) e"));
        check("(open", "", Some("open"));
        check("()a", "a", None);
    }

    #[test]
    fn quoted_strings() {
        let check = |value: &str, text: Option<&str>, rest: &str| {
            let mut lexer = Lexer::new(value);
            assert_eq!(lexer.quoted_string().as_deref(), text, "{value}");
            assert_eq!(lexer.rest, rest, "{value}");
        };
        check("\"a b\" c", Some("a b"), " c");
        check("\"a \\\"b\\\\\"", Some("a \"b\\"), "");
        check("\"open", Some("open"), "");
        check("\"open\\", Some("open"), "");
        check("a", None, "a");
    }
}
