//! A cursor over one complete command, its literals inline: the tokens of RFC 9051 §9.

use std::borrow::Cow;

use super::{Error, Result};
use crate::names::{MailboxName, Names, decode};

/// Longest LIST pattern or reference, in bytes after decoding.
const LONGEST_PATTERN: usize = 1000;

/// Reads tokens from the front. Never looks past the end, never panics.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    names: Names,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self::with_names(text, Names::Utf7)
    }

    /// A cursor that reads mailbox names as the client writes them.
    pub(super) fn with_names(text: &'a [u8], names: Names) -> Self {
        Self { rest: text, names }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn is_at_end(&self) -> bool {
        matches!(self.rest, b"" | b"\r\n")
    }

    /// Takes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    pub(super) fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { Err(Error::Bad(otherwise)) }
    }

    /// One space; more are tolerated, because several clients build commands by concatenation.
    pub(super) fn space(&mut self) -> Result<()> {
        self.expect(b' ', "A space or an argument is missing")?;
        while self.eat(b' ') {}
        Ok(())
    }

    /// Spaces that may be missing, as around parentheses.
    pub(super) fn spaces(&mut self) {
        while self.eat(b' ') {}
    }

    /// The end of the command; trailing spaces are tolerated.
    pub(super) fn end(&mut self) -> Result<()> {
        self.spaces();
        if self.is_at_end() { Ok(()) } else { Err(Error::Bad("There is more than the command takes")) }
    }

    /// Takes bytes while `accept` holds.
    pub(super) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().position(|&b| !accept(b)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        token
    }

    /// `atom = 1*ATOM-CHAR`
    pub(super) fn atom(&mut self) -> Result<&'a [u8]> {
        match self.take_while(is_atom_char) {
            b"" => Err(Error::Bad("An atom is missing")),
            atom => Ok(atom),
        }
    }

    /// An atom in upper case, as keywords of the grammar are compared.
    pub(super) fn keyword(&mut self) -> Result<String> {
        let atom = self.atom()?;
        Ok(atom.iter().map(|b| char::from(b.to_ascii_uppercase())).collect())
    }

    /// Takes `word` (upper case) if the next atom is it, whatever its case.
    pub(super) fn eat_keyword(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.take_while(is_atom_char).eq_ignore_ascii_case(word.as_bytes());
        if found {
            *self = ahead;
        }
        found
    }

    /// `astring = 1*ASTRING-CHAR / string`
    pub(super) fn astring(&mut self) -> Result<Cow<'a, [u8]>> {
        if self.is_at_string() {
            return self.string();
        }
        match self.take_while(|b| is_atom_char(b) || b == b']') {
            b"" => Err(Error::Bad("A string is missing")),
            atom => Ok(Cow::Borrowed(atom)),
        }
    }

    /// `list-mailbox = 1*list-char / string`: an astring that may hold wildcards.
    fn list_mailbox(&mut self) -> Result<Cow<'a, [u8]>> {
        if self.is_at_string() {
            return self.string();
        }
        match self.take_while(|b| is_atom_char(b) || matches!(b, b']' | b'%' | b'*')) {
            b"" => Err(Error::Bad("A mailbox pattern is missing")),
            pattern => Ok(Cow::Borrowed(pattern)),
        }
    }

    /// `mailbox = "INBOX" / astring`
    pub(super) fn mailbox(&mut self) -> Result<MailboxName> {
        MailboxName::parse(&self.astring()?, self.names).ok_or(Error::Name)
    }

    /// A mailbox, or the empty string, which stands for the server (RFC 5464 §4.1).
    pub(super) fn mailbox_or_none(&mut self) -> Result<Option<MailboxName>> {
        match &*self.astring()? {
            b"" => Ok(None),
            name => MailboxName::parse(name, self.names).map(Some).ok_or(Error::Name),
        }
    }

    /// The reference of LIST: any beginning of a name.
    pub(super) fn reference(&mut self) -> Result<String> {
        let bytes = self.astring()?;
        self.pattern_text(&bytes)
    }

    /// `list-mailbox`, decoded.
    pub(super) fn pattern(&mut self) -> Result<String> {
        let bytes = self.list_mailbox()?;
        self.pattern_text(&bytes)
    }

    fn pattern_text(&self, bytes: &[u8]) -> Result<String> {
        decode(bytes, self.names).filter(|text| text.len() <= LONGEST_PATTERN).ok_or(Error::Name)
    }

    /// A tilde begins a literal8 or a name (`~peter/mail`).
    fn is_at_string(&self) -> bool {
        matches!(self.rest, [b'"' | b'{', ..] | [b'~', b'{', ..])
    }

    /// `string = quoted / literal`
    pub(super) fn string(&mut self) -> Result<Cow<'a, [u8]>> {
        if self.eat(b'"') {
            return self.quoted();
        }
        self.eat(b'~'); // literal8 (RFC 3516 §4.4)
        self.expect(b'{', "A string is missing")?;
        let size = self.number()?;
        self.eat(b'+');
        let malformed = Error::Bad("A literal is malformed");
        let rest = self.rest.strip_prefix(b"}\r\n").ok_or(malformed)?;
        let size = usize::try_from(size).ok().filter(|&size| size <= rest.len());
        let (literal, rest) = rest.split_at(size.ok_or(Error::Bad("A literal is malformed"))?);
        self.rest = rest;
        Ok(Cow::Borrowed(literal))
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`, behind the opening mark. Bytes above 127 pass: clients
    /// send UTF-8 passwords and search words in it without asking.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>> {
        let plain = self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.rest = &self.rest[1..];
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') if matches!(self.rest.get(1), Some(b'"' | b'\\')) => {
                    text.push(self.rest[1]);
                    self.rest = &self.rest[2..];
                }
                _ => return Err(Error::Bad("A quoted string is malformed")),
            }
            text.extend_from_slice(self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0)));
        }
    }

    /// `number64 = 1*DIGIT`, at most 63 bits.
    pub(super) fn number(&mut self) -> Result<u64> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .filter(|&number: &u64| number <= i64::MAX as u64)
            .ok_or(Error::Bad("A number is missing or too large"))
    }

    /// `"(" item *(SP item) ")"`; the list may be empty.
    pub(super) fn list<T>(
        &mut self,
        most: usize,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect(b'(', "A parenthesis is missing")?;
        let mut items = Vec::new();
        loop {
            self.spaces();
            if self.eat(b')') {
                return Ok(items);
            }
            if items.len() == most {
                return Err(Error::Limit("A list has too many elements"));
            }
            items.push(item(self)?);
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return Err(Error::Bad("A list is malformed"));
            }
        }
    }
}

/// `ATOM-CHAR = <any CHAR except atom-specials>`
pub(crate) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let check = |text: &str, expected: Option<&str>| {
            let mut cursor = Cursor::new(text.as_bytes());
            let found = cursor.astring().ok().filter(|_| cursor.end().is_ok());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{text:?}");
        };
        check("abc", Some("abc"));
        check("a]b", Some("a]b"));
        check("\"a b\"", Some("a b"));
        check("\"\"", Some(""));
        check("\"a\\\"\\\\b\"", Some("a\"\\b"));
        check("\"grün\"", Some("grün"));
        check("{3}\r\na\"b", Some("a\"b"));
        check("{3+}\r\na\"b\r\n", Some("a\"b"));
        check("~{2}\r\nab", Some("ab"));
        check("{0}\r\n", Some(""));
        check("{4}\r\nabc", None);
        check("{99999999999999999999}\r\nabc", None);
        check("\"abc", None);
        check("\"a\\bc\"", None);
        check("\"a\r\nc\"", None);
        check("", None);
        check("(", None);
        check("grün", None);
    }
}
