//! The grammar of records (RFC 7208 §12). Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use hub::AuthResult;

use super::macros::{DomainSpec, is_macro_string};

/// What cannot be read is a permanent error (RFC 7208 §4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<DomainSpec>,
    pub(super) explanation: Option<DomainSpec>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Directive {
    /// What a match means.
    pub(super) qualifier: AuthResult,
    pub(super) mechanism: Mechanism,
}

/// Without a domain a mechanism is about the domain that is being checked.
#[derive(Debug, PartialEq)]
pub(super) enum Mechanism {
    A(Option<DomainSpec>, Prefixes),
    All,
    Exists(DomainSpec),
    Include(DomainSpec),
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr, u8),
    Mx(Option<DomainSpec>, Prefixes),
    Ptr(Option<DomainSpec>),
}

/// `dual-cidr-length`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) ip4: u8,
    pub(super) ip6: u8,
}

/// RFC 7208 §4.5: the version, and then a space or the end.
pub(super) fn is_spf(txt: &[u8]) -> bool {
    const VERSION: &[u8] = b"v=spf1";
    let begins = txt.get(..VERSION.len()).is_some_and(|head| head.eq_ignore_ascii_case(VERSION));
    begins && matches!(txt.get(VERSION.len()), None | Some(b' '))
}

impl Record {
    /// ```text
    /// record = version terms *SP
    /// terms  = *( 1*SP ( directive / modifier ) )
    /// ```
    pub(super) fn parse(txt: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(txt).ok().filter(|text| text.is_ascii()).ok_or(Malformed)?;
        let mut record = Self { directives: Vec::new(), redirect: None, explanation: None };
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            match modifier(term) {
                None => record.directives.push(Directive::parse(term)?),
                Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                    set_once(&mut record.redirect, value)?;
                }
                Some((name, value)) if name.eq_ignore_ascii_case("exp") => {
                    set_once(&mut record.explanation, value)?;
                }
                // RFC 7208 §6: others are ignored, if they are well-formed.
                Some((_, value)) if is_macro_string(value) => {}
                Some(_) => return Err(Malformed),
            }
        }
        Ok(record)
    }
}

/// RFC 7208 §6: twice is an error.
fn set_once(slot: &mut Option<DomainSpec>, value: &str) -> Result<(), Malformed> {
    let spec = DomainSpec::parse(value)?;
    if slot.replace(spec).is_some() { Err(Malformed) } else { Ok(()) }
}

/// ```text
/// modifier = name "=" …
/// name     = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )
/// ```
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(in_name);
    is_name.then_some((name, value))
}

impl Directive {
    /// `directive = [ qualifier ] mechanism`
    fn parse(term: &str) -> Result<Self, Malformed> {
        let (qualifier, mechanism) = match term.as_bytes().first() {
            Some(b'+') => (AuthResult::Pass, &term[1..]),
            Some(b'-') => (AuthResult::Fail, &term[1..]),
            Some(b'~') => (AuthResult::SoftFail, &term[1..]),
            Some(b'?') => (AuthResult::Neutral, &term[1..]),
            _ => (AuthResult::Pass, term),
        };
        Ok(Self { qualifier, mechanism: Mechanism::parse(mechanism)? })
    }
}

impl Mechanism {
    fn parse(text: &str) -> Result<Self, Malformed> {
        let end = text.find([':', '/']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        match name.to_ascii_lowercase().as_str() {
            "a" => with_prefixes(rest).map(|(spec, prefixes)| Self::A(spec, prefixes)),
            "all" if rest.is_empty() => Ok(Self::All),
            "exists" => target(rest).map(Self::Exists),
            "include" => target(rest).map(Self::Include),
            "ip4" => network(rest, 32).map(|(address, prefix)| Self::Ip4(address, prefix)),
            "ip6" => network(rest, 128).map(|(address, prefix)| Self::Ip6(address, prefix)),
            "mx" => with_prefixes(rest).map(|(spec, prefixes)| Self::Mx(spec, prefixes)),
            "ptr" if rest.is_empty() => Ok(Self::Ptr(None)),
            "ptr" => target(rest).map(|spec| Self::Ptr(Some(spec))),
            _ => Err(Malformed),
        }
    }

    /// True if it counts towards the ten of RFC 7208 §4.6.4.
    pub(super) fn asks_dns(&self) -> bool {
        !matches!(self, Self::All | Self::Ip4(..) | Self::Ip6(..))
    }
}

/// `":" domain-spec`
fn target(rest: &str) -> Result<DomainSpec, Malformed> {
    DomainSpec::parse(rest.strip_prefix(':').ok_or(Malformed)?)
}

/// ```text
/// [ ":" domain-spec ] [ dual-cidr-length ]
/// dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]
/// ```
/// A slash may also be part of the domain, so lengths are looked for from the end.
fn with_prefixes(rest: &str) -> Result<(Option<DomainSpec>, Prefixes), Malformed> {
    let mut prefixes = Prefixes { ip4: 32, ip6: 128 };
    let mut rest = rest;
    if let Some((head, length)) = split_length(rest, "//") {
        prefixes.ip6 = prefix_length(length, 128)?;
        rest = head;
    }
    if let Some((head, length)) = split_length(rest, "/") {
        prefixes.ip4 = prefix_length(length, 32)?;
        rest = head;
    }
    let spec = if rest.is_empty() { None } else { Some(target(rest)?) };
    Ok((spec, prefixes))
}

fn split_length<'a>(text: &'a str, slashes: &str) -> Option<(&'a str, &'a str)> {
    let (head, length) = text.rsplit_once(slashes)?;
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    digits.then_some((head, length))
}

/// `"0" / %x31-39 0*2DIGIT`
fn prefix_length(digits: &str, most: u8) -> Result<u8, Malformed> {
    let number: u8 = digits.parse().map_err(|_| Malformed)?;
    let plain = digits == "0" || !digits.starts_with('0');
    if plain && number <= most { Ok(number) } else { Err(Malformed) }
}

/// `":" network [ "/" length ]`
fn network<A: std::str::FromStr>(rest: &str, most: u8) -> Result<(A, u8), Malformed> {
    let text = rest.strip_prefix(':').ok_or(Malformed)?;
    let (address, prefix) = match text.split_once('/') {
        Some((address, length)) => (address, prefix_length(length, most)?),
        None => (text, most),
    };
    Ok((address.parse().map_err(|_| Malformed)?, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7208_4_5_versions() {
        for (txt, is) in [
            ("v=spf1", true),
            ("V=SPF1 -all", true),
            ("v=spf10", false),
            ("v=spf1\t-all", false),
            ("", false),
        ] {
            assert_eq!(is_spf(txt.as_bytes()), is, "{txt:?}");
        }
    }

    proptest::proptest! {
        /// Whatever is published, reading it ends well.
        #[test]
        fn any_record_is_read(text in "[ -~é\x00]{0,80}") {
            let _ = Record::parse(format!("v=spf1 {text}").as_bytes());
        }
    }

    #[test]
    fn rfc7208_12_terms() {
        for (terms, good) in [
            ("a:example.com/24//64 -all", true),
            ("a/24", true),
            ("a//64", true),
            ("mx:foo:bar/baz.example.com", true),
            ("ip4:192.0.2.0/24 ip6:2001:db8::/32", true),
            ("unknown=%{s}x redirect=example.com", true),
            ("a:museum", false),
            ("a:", false),
            ("a/", false),
            ("a/33", false),
            ("a//129", false),
            ("a/024", false),
            ("a:example.com///64", false),
            ("all.", false),
            ("all/8", false),
            ("include", false),
            ("ip4:192.0.2", false),
            ("ip4:192.0.2.1/", false),
            ("ip6:2001:db8::1/129", false),
            ("ptr/24", false),
            ("-exp=example.com", false),
            ("redirect=a.example redirect=b.example", false),
            ("moo", false),
            ("x=%{", false),
        ] {
            let record = Record::parse(format!("v=spf1 {terms}").as_bytes());
            assert_eq!(record.is_ok(), good, "{terms}: {record:?}");
        }
    }
}
