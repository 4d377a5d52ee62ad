//! Macros in records (RFC 7208 §7). Pure.

use std::net::IpAddr;

use super::record::Malformed;

/// A domain with macros, well-formed.
#[derive(Debug, PartialEq)]
pub(super) struct DomainSpec(Vec<Token>);

/// The text of an explanation.
#[derive(Debug, PartialEq)]
pub(super) struct ExplainString(Vec<Token>);

#[derive(Debug, PartialEq)]
enum Token {
    Literal(String),
    Macro { letter: u8, escape: bool, keep: usize, reverse: bool, delimiters: String },
}

/// What macro letters stand for.
#[derive(Clone, Debug)]
pub(super) struct Values<'a> {
    pub(super) sender: &'a str,
    pub(super) domain: &'a str,
    pub(super) ip: IpAddr,
    /// `p`: the validated name of the address, if it was needed.
    pub(super) validated: &'a str,
    pub(super) helo: &'a str,
    pub(super) receiver: &'a str,
    /// Unix seconds.
    pub(super) now: i64,
}

/// Longest name, RFC 7208 §7.3.
const MAX_DOMAIN: usize = 253;
/// Octets of an explanation; macros could make it much longer than the record.
const MAX_EXPLANATION: usize = 1024;

impl DomainSpec {
    /// ```text
    /// domain-spec = macro-string domain-end
    /// domain-end  = ( "." toplabel [ "." ] ) / macro-expand
    /// ```
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let tokens = tokens(text, false)?;
        let ends_well = match tokens.last() {
            None => false,
            Some(Token::Macro { .. }) => true,
            // "%%" and the like are literals by now, and cannot end a name that exists.
            Some(Token::Literal(text)) => {
                let text = text.strip_suffix('.').unwrap_or(text);
                text.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
            }
        };
        if ends_well { Ok(Self(tokens)) } else { Err(Malformed) }
    }

    /// The name meant; labels too many are cut off on the left.
    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let mut name = expand(&self.0, values);
        if let Some(surplus) = name.len().checked_sub(MAX_DOMAIN).filter(|surplus| *surplus > 0) {
            // The first label that begins late enough.
            let dot = name.as_bytes()[surplus - 1..].iter().position(|byte| *byte == b'.');
            return dot.map(|at| name.split_off(surplus + at)).unwrap_or_default();
        }
        name
    }

    /// True if the address must be looked up backwards first.
    pub(super) fn needs_name(&self) -> bool {
        needs_name(&self.0)
    }
}

impl ExplainString {
    /// `explain-string = *( macro-string / SP )`; more letters are known there.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        tokens(text, true).map(Self)
    }

    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let mut text = expand(&self.0, values);
        text.retain(|c| c.is_ascii_graphic() || c == ' ');
        text.truncate(MAX_EXPLANATION);
        text
    }

    pub(super) fn needs_name(&self) -> bool {
        needs_name(&self.0)
    }
}

pub(super) fn is_macro_string(text: &str) -> bool {
    tokens(text, false).is_ok()
}

fn needs_name(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| matches!(token, Token::Macro { letter: b'p', .. }))
}

/// ```text
/// toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
/// ```
fn is_top_label(label: &str) -> bool {
    let letters = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let edges = !label.starts_with('-') && !label.ends_with('-');
    letters && edges && label.bytes().any(|b| !b.is_ascii_digit())
}

/// ```text
/// macro-string  = *( macro-expand / macro-literal )
/// macro-literal = %x21-24 / %x26-7E
/// macro-expand  = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
/// ```
fn tokens(text: &str, explanation: bool) -> Result<Vec<Token>, Malformed> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c != '%' {
            if !(c.is_ascii_graphic() || explanation && c == ' ') {
                return Err(Malformed);
            }
            literal.push(c);
            rest = &rest[1..];
            continue;
        }
        match rest.as_bytes().get(1) {
            Some(b'%') => literal.push('%'),
            Some(b'_') => literal.push(' '),
            Some(b'-') => literal.push_str("%20"),
            Some(b'{') => {
                let end = rest.find('}').ok_or(Malformed)?;
                if !literal.is_empty() {
                    tokens.push(Token::Literal(std::mem::take(&mut literal)));
                }
                tokens.push(macro_token(&rest[2..end], explanation)?);
                rest = &rest[end + 1..];
                continue;
            }
            _ => return Err(Malformed),
        }
        rest = &rest[2..];
    }
    if !literal.is_empty() {
        tokens.push(Token::Literal(literal));
    }
    Ok(tokens)
}

/// ```text
/// macro-letter = "s" / "l" / "o" / "d" / "i" / "p" / "h" / "c" / "r" / "t" / "v"
/// transformers = *DIGIT [ "r" ]
/// delimiter    = "." / "-" / "+" / "," / "/" / "_" / "="
/// ```
fn macro_token(text: &str, explanation: bool) -> Result<Token, Malformed> {
    let letter = *text.as_bytes().first().ok_or(Malformed)?;
    let lower = letter.to_ascii_lowercase();
    let known = b"slodiphv".contains(&lower) || (explanation && b"crt".contains(&lower));
    if !known {
        return Err(Malformed);
    }
    let rest = &text[1..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at(digits);
    let keep = match number {
        "" => usize::MAX,
        // RFC 7208 §7.1: not zero.
        number if number.bytes().all(|b| b == b'0') => return Err(Malformed),
        number => number.parse().unwrap_or(usize::MAX),
    };
    let reverse = rest.starts_with(['r', 'R']);
    let delimiters = if reverse { &rest[1..] } else { rest };
    if !delimiters.bytes().all(|b| b".-+,/_=".contains(&b)) {
        return Err(Malformed);
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters }.to_owned();
    Ok(Token::Macro { letter: lower, escape: letter.is_ascii_uppercase(), keep, reverse, delimiters })
}

fn expand(tokens: &[Token], values: &Values<'_>) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Literal(text) => out.push_str(text),
            Token::Macro { letter, escape, keep, reverse, delimiters } => {
                let value = values.of(*letter);
                let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
                if *reverse {
                    parts.reverse();
                }
                let kept = parts[parts.len().saturating_sub(*keep)..].join(".");
                if *escape { push_escaped(&mut out, &kept) } else { out.push_str(&kept) }
            }
        }
    }
    out
}

/// RFC 7208 §7.3: everything but the unreserved characters of RFC 3986.
fn push_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

impl Values<'_> {
    fn of(&self, letter: u8) -> String {
        let (local, domain) = self.sender.rsplit_once('@').unwrap_or(("postmaster", self.sender));
        match letter {
            b's' => self.sender.to_owned(),
            b'l' => local.to_owned(),
            b'o' => domain.to_owned(),
            b'd' => self.domain.to_owned(),
            b'i' => dotted(self.ip),
            b'p' => self.validated.to_owned(),
            b'v' => if self.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            b'h' => self.helo.to_owned(),
            b'c' => self.ip.to_string(),
            b'r' => self.receiver.to_owned(),
            _ => self.now.to_string(),
        }
    }
}

/// RFC 7208 §7.3: an IPv6 address as nibbles.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ip: &str) -> Values<'static> {
        Values {
            sender: "strong-bad@email.example.com",
            domain: "email.example.com",
            ip: ip.parse().expect("an address"),
            validated: "mx.example.org",
            helo: "mx.example.org",
            receiver: "here.example",
            now: 1_400_000_000,
        }
    }

    #[test]
    fn rfc7208_7_4_examples() {
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ] {
            let spec = DomainSpec::parse(text).expect(text);
            assert_eq!(spec.expand(&values("192.0.2.3")), expected, "{text}");
        }
        let spec = DomainSpec::parse("%{ir}.%{v}._spf.%{d2}").expect("a spec");
        assert_eq!(
            spec.expand(&values("2001:db8::cb01")),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    #[test]
    fn rfc7208_7_3_long_names_lose_labels_on_the_left() {
        let long = |head: &str, labels: usize| {
            let spec =
                DomainSpec::parse(&format!("{head}{}.example", ".abc".repeat(labels))).expect("a spec");
            spec.expand(&values("192.0.2.3"))
        };
        assert_eq!(long("x", 61).len(), 253);
        assert_eq!(long("xx", 61), format!("abc{}.example", ".abc".repeat(60)));
        assert_eq!(long("x", 50_000), format!("abc{}.example", ".abc".repeat(60)));
        let endless = DomainSpec::parse(&format!("{}.example", "a".repeat(300))).expect("a spec");
        assert_eq!(endless.expand(&values("192.0.2.3")), "example");
    }

    #[test]
    fn what_is_no_macro() {
        for text in ["%{d0}", "%{x}", "%{c}", "%", "%a", "%{d", "%{d!}", "%{}", "a b.example", "é.example"] {
            assert!(DomainSpec::parse(text).is_err(), "{text}");
        }
        let text = "see http://%{d}/?s=%{S}&i=%{c}%_%%";
        let explained = ExplainString::parse(text).expect("text").expand(&values("192.0.2.3"));
        assert_eq!(explained, "see http://email.example.com/?s=strong-bad%40email.example.com&i=192.0.2.3 %");
    }
}
