//! Tokens of a script (RFC 5228 §8.1).

use crate::error::{Mistake, Position};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Identifier(String),
    /// Without its colon, in lower case.
    Tag(String),
    Number(u64),
    String(String),
    /// One of `;,(){}[]`.
    Mark(char),
    End,
}

/// The largest number: RFC 5228 §2.4.1 asks for 2147483647 at least.
const MOST: u64 = u32::MAX as u64;

pub(crate) struct Lexer<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(script: &'a str) -> Self {
        // Editors of one system put a byte order mark in front.
        let rest = script.strip_prefix('\u{feff}').unwrap_or(script);
        Self { rest, at: Position { line: 1, column: 1 } }
    }

    /// The next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(Token, Position), Mistake> {
        self.skip_white_space()?;
        let at = self.at;
        let Some(first) = self.rest.chars().next() else { return Ok((Token::End, at)) };
        let token = match first {
            ';' | ',' | '(' | ')' | '{' | '}' | '[' | ']' => {
                self.advance(1);
                Token::Mark(first)
            }
            '"' => Token::String(self.quoted_string(at)?),
            ':' => {
                self.advance(1);
                let name = self.identifier();
                if name.is_empty() {
                    return Err(Mistake::new(at, "a colon must be followed by the name of an argument"));
                }
                Token::Tag(name.to_ascii_lowercase())
            }
            '0'..='9' => Token::Number(self.number(at)?),
            c if c == '_' || c.is_ascii_alphabetic() => {
                let name = self.identifier();
                if name.eq_ignore_ascii_case("text") && self.rest.starts_with(':') {
                    self.advance(1);
                    Token::String(self.multi_line(at)?)
                } else {
                    Token::Identifier(name.to_ascii_lowercase())
                }
            }
            c => return Err(Mistake::new(at, format!("unexpected character {c:?}"))),
        };
        Ok((token, at))
    }

    /// Goes on by so many octets, which end with a whole character.
    fn advance(&mut self, octets: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at(octets);
        for c in passed.chars() {
            if c == '\n' {
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
        passed
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        self.advance(end)
    }

    /// `white-space = 1*(SP / CRLF / HTAB) / comment`
    fn skip_white_space(&mut self) -> Result<(), Mistake> {
        loop {
            self.run(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            if self.rest.starts_with('#') {
                self.run(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                let at = self.at;
                let end =
                    self.rest[2..].find("*/").ok_or_else(|| Mistake::new(at, "this comment has no end"))?;
                self.advance(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    /// `identifier = (ALPHA / "_") *(ALPHA / DIGIT / "_")`
    fn identifier(&mut self) -> &'a str {
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.run(|c| c == '_' || c.is_ascii_alphanumeric())
    }

    /// `number = 1*DIGIT [ "K" / "M" / "G" ]`
    fn number(&mut self, at: Position) -> Result<u64, Mistake> {
        let too_large = || Mistake::new(at, format!("numbers go up to {MOST}"));
        let digits = self.run(|c| c.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| too_large())?;
        let unit = self.identifier();
        let factor = match unit {
            "" => 1,
            "k" | "K" => 1 << 10,
            "m" | "M" => 1 << 20,
            "g" | "G" => 1 << 30,
            _ => {
                return Err(Mistake::new(
                    at,
                    format!("{digits}{unit} is no number; the units are K, M and G"),
                ));
            }
        };
        number.checked_mul(factor).filter(|number| *number <= MOST).ok_or_else(too_large)
    }

    /// `quoted-string = DQUOTE quoted-text DQUOTE`; a backslash stands before any other character for
    /// nothing.
    fn quoted_string(&mut self, at: Position) -> Result<String, Mistake> {
        self.advance(1);
        let mut out = String::new();
        loop {
            out.push_str(self.run(|c| !matches!(c, '"' | '\\' | '\0')));
            match self.rest.chars().next() {
                Some('"') => {
                    self.advance(1);
                    return Ok(out);
                }
                Some('\\') => {
                    self.advance(1);
                    if let Some(c) = self.rest.chars().next().filter(|c| *c != '\0') {
                        out.push_str(self.advance(c.len_utf8()));
                    }
                }
                Some(_) => return Err(Mistake::new(self.at, "a string cannot have a NUL")),
                None => return Err(Mistake::new(at, "this string has no end")),
            }
        }
    }

    /// `multi-line = "text:" *(SP / HTAB) (hash-comment / CRLF) *(multiline-literal /
    /// multiline-dotstart) "." CRLF`
    fn multi_line(&mut self, at: Position) -> Result<String, Mistake> {
        self.run(|c| matches!(c, ' ' | '\t'));
        if self.rest.starts_with('#') {
            self.run(|c| c != '\n');
        }
        self.run(|c| c == '\r');
        if !self.rest.starts_with('\n') {
            return Err(Mistake::new(self.at, "the text begins on the line after \"text:\""));
        }
        self.advance(1);
        let mut out = String::new();
        loop {
            if self.rest.is_empty() {
                return Err(Mistake::new(at, "this text has no end: a line with nothing but a dot"));
            }
            let end = self.rest.find('\n').map_or(self.rest.len(), |end| end + 1);
            let line = self.advance(end);
            let content = line.trim_end_matches(['\r', '\n']);
            if content == "." {
                return Ok(out);
            }
            if content.contains('\0') {
                return Err(Mistake::new(at, "a string cannot have a NUL"));
            }
            out.push_str(content.strip_prefix('.').filter(|_| content.starts_with("..")).unwrap_or(content));
            out.push_str("\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(script: &str) -> Result<Vec<Token>, Mistake> {
        let mut lexer = Lexer::new(script);
        let mut out = Vec::new();
        loop {
            match lexer.next()?.0 {
                Token::End => return Ok(out),
                token => out.push(token),
            }
        }
    }

    #[test]
    fn rfc5228_8_1_tokens() {
        let string = |text: &str| Token::String(text.into());
        for (script, expected) in [
            ("Keep;", vec![Token::Identifier("keep".into()), Token::Mark(';')]),
            ("# all\n/* this */ :Is 100K", vec![Token::Tag("is".into()), Token::Number(102_400)]),
            (r#""a \"b\" \\ \c""#, vec![string(r#"a "b" \ c"#)]),
            ("\"two\r\nlines\"", vec![string("two\r\nlines")]),
            ("text: # note\r\n..dot\r\n.x\n.\n", vec![string(".dot\r\n.x\r\n")]),
            ("text:\n.", vec![string("")]),
            ("1g 0", vec![Token::Number(1 << 30), Token::Number(0)]),
        ] {
            assert_eq!(tokens(script).as_ref(), Ok(&expected), "{script}");
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        for (script, line, column) in [
            ("keep;\n  \"open", 2, 3),
            ("/* open", 1, 1),
            ("text:\nabc", 1, 1),
            ("text: abc", 1, 7),
            ("a\n\u{fc}b", 2, 1),
            ("5000M", 1, 1),
            ("99999999999999999999", 1, 1),
            ("12x", 1, 1),
            (":1", 1, 1),
            ("\"a\0\"", 1, 3),
        ] {
            let mistake = tokens(script).expect_err(script);
            assert_eq!(mistake.at, Position { line, column }, "{script:?}: {mistake}");
        }
    }
}
