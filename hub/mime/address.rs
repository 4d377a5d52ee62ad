//! Address lists (RFC 5322 §3.4) as IMAP's ENVELOPE tells them, read forgivingly.

use crate::lexer::{Lexer, is_atext};

/// What stands for a missing part. It must not be NIL, which would make the address a group
/// (RFC 9051 §7.5.2), nor empty, which clients are told to take for NIL.
const MISSING_MAILBOX: &str = "MISSING_MAILBOX";
const MISSING_DOMAIN: &str = "MISSING_DOMAIN";

/// One `address` of an ENVELOPE: a mailbox; the start of a group (no host) or its end (neither
/// mailbox nor host).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvelopeAddress {
    pub(crate) name: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) mailbox: Option<String>,
    pub(crate) host: Option<String>,
}

impl EnvelopeAddress {
    /// Local part and domain, if it is a whole address.
    pub(crate) fn address(&self) -> Option<(&str, &str)> {
        let (local, domain) = (self.mailbox.as_deref()?, self.host.as_deref()?);
        (local != MISSING_MAILBOX && domain != MISSING_DOMAIN).then_some((local, domain))
    }

    /// The mailbox, unless it is missing.
    pub(crate) fn known_mailbox(&self) -> Option<&str> {
        self.mailbox.as_deref().filter(|mailbox| *mailbox != MISSING_MAILBOX)
    }

    fn new(name: Option<String>, route: Option<String>, local: String, domain: String) -> Self {
        let or = |text: String, missing: &str| if text.is_empty() { missing.to_owned() } else { text };
        Self {
            name: name.filter(|name| !name.is_empty()),
            route,
            mailbox: Some(or(local, MISSING_MAILBOX)),
            host: Some(or(domain, MISSING_DOMAIN)),
        }
    }
}

/// `address-list`, at most `limit` entries of it.
pub(crate) fn parse_list(value: &str, limit: usize) -> Vec<EnvelopeAddress> {
    let mut lexer = Lexer::new(value);
    let mut list = Vec::new();
    let mut in_group = false;
    while !lexer.is_at_end() && list.len() < limit {
        lexer.skip_cfws();
        if lexer.take(',') {
            continue;
        }
        if lexer.take(';') {
            if std::mem::take(&mut in_group) {
                list.push(EnvelopeAddress::default());
            }
            continue;
        }
        lexer.take_comment();
        let words = read_words(&mut lexer);
        match lexer.peek() {
            Some(':') if !in_group => {
                lexer.next_char();
                in_group = true;
                list.push(EnvelopeAddress { mailbox: Some(words.phrase), ..EnvelopeAddress::default() });
                continue;
            }
            Some('<') => list.push(read_angle_address(&mut lexer, words.phrase)),
            Some('@') if words.is_local_part => list.push(read_plain_address(&mut lexer, words.local)),
            _ if words.phrase.is_empty() => {}
            _ if words.is_local_part => {
                list.push(EnvelopeAddress::new(lexer.take_comment(), None, words.local, String::new()));
            }
            // Several words without an address: a name is all that can be told.
            _ => list.push(EnvelopeAddress::new(Some(words.phrase), None, String::new(), String::new())),
        }
        // What is left before the next separator is not an address.
        lexer.run(|c| !matches!(c, ',' | ';'));
    }
    if in_group {
        list.push(EnvelopeAddress::default());
    }
    list
}

/// Words, read both as a phrase and as a local part, since only what follows tells which it is.
struct Words {
    phrase: String,
    local: String,
    /// Nothing but dots stands between the words.
    is_local_part: bool,
}

fn read_words(lexer: &mut Lexer) -> Words {
    let mut words = Words { phrase: String::new(), local: String::new(), is_local_part: true };
    let mut after_word = false;
    loop {
        let spaced = lexer.skip_cfws();
        let word = match lexer.peek() {
            Some('"') => lexer.quoted_string().unwrap_or_default(),
            Some('.') => {
                lexer.next_char();
                if spaced && !words.phrase.is_empty() {
                    words.phrase.push(' ');
                }
                words.phrase.push('.');
                words.local.push('.');
                after_word = false;
                continue;
            }
            Some('\\') => {
                lexer.next_char();
                lexer.next_char().map(String::from).unwrap_or_default()
            }
            Some(c) if is_atext(c) || matches!(c, '[' | ']') => {
                lexer.run(|c| is_atext(c) || matches!(c, '[' | ']')).to_owned()
            }
            _ => return words,
        };
        if after_word && spaced {
            words.is_local_part = false;
        }
        if spaced && !words.phrase.is_empty() {
            words.phrase.push(' ');
        }
        words.phrase.push_str(&word);
        words.local.push_str(&word);
        after_word = true;
    }
}

/// `angle-addr`, with the route that RFC 5322 §4.4 calls obsolete.
fn read_angle_address(lexer: &mut Lexer, phrase: String) -> EnvelopeAddress {
    lexer.next_char();
    lexer.skip_cfws();
    let mut route = String::new();
    while lexer.take('@') {
        if !route.is_empty() {
            route.push(',');
        }
        route.push('@');
        route.push_str(&read_domain(lexer));
        while lexer.take(',') {
            lexer.skip_cfws();
        }
        if lexer.take(':') {
            break;
        }
    }
    let words = read_words(lexer);
    let (local, domain) =
        if lexer.take('@') { (words.local, read_domain(lexer)) } else { (words.phrase, String::new()) };
    let name = if phrase.is_empty() { None } else { Some(phrase) };
    lexer.run(|c| !matches!(c, '>' | ',' | ';'));
    lexer.take('>');
    lexer.skip_cfws();
    let name = name.or_else(|| lexer.take_comment());
    EnvelopeAddress::new(name, Some(route).filter(|route| !route.is_empty()), local, domain)
}

/// The rest of an `addr-spec`; a comment behind it is the name (RFC 5322 §3.4, note). If an address
/// in angle brackets follows, all before it was a name that should have been quoted.
fn read_plain_address(lexer: &mut Lexer, local: String) -> EnvelopeAddress {
    lexer.next_char();
    let domain = read_domain(lexer);
    lexer.skip_cfws();
    if lexer.peek() == Some('<') {
        return read_angle_address(lexer, format!("{local}@{domain}"));
    }
    EnvelopeAddress::new(lexer.take_comment(), None, local, domain)
}

/// `domain`, without comments and white space.
fn read_domain(lexer: &mut Lexer) -> String {
    let mut domain = String::new();
    lexer.skip_cfws();
    if lexer.peek() == Some('[') {
        let literal = lexer.run(|c| !matches!(c, ']' | '>' | ','));
        domain.extend(literal.chars().filter(|c| !c.is_ascii_whitespace()));
        lexer.take(']');
        domain.push(']');
        lexer.skip_cfws();
        return domain;
    }
    loop {
        domain.push_str(lexer.run(is_atext));
        lexer.skip_cfws();
        if !lexer.take('.') {
            return domain;
        }
        domain.push('.');
        lexer.skip_cfws();
    }
}
