//! Strings of a script: `${name}` of variables (RFC 5229 §3) and `${hex: 40}` of encoded-character
//! (RFC 5228 §2.4.2.4).

use std::collections::BTreeSet;

use crate::capability::{Capability, Required};

/// A string as the script has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Literal(String),
    Template(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    Variable(Variable),
}

/// Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Shared by all scripts of a run (RFC 6609 §3.4).
    Global(String),
    Local(String),
    /// `${0}` is what the last `:matches` or `:regex` matched as a whole.
    Match(usize),
}

/// Names of one script that `global` has made global.
pub(crate) type Globals = BTreeSet<String>;

impl Text {
    /// The string, if no variable can change it.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Template(_) => None,
        }
    }

    /// Reads a string of a script that requires these extensions. `Err` says what is wrong with it.
    pub(crate) fn read(raw: &str, required: &Required, globals: &Globals) -> Result<Self, String> {
        let decoded;
        let raw = if required.has(Capability::EncodedCharacter) {
            decoded = decode_characters(raw)?;
            &decoded
        } else {
            raw
        };
        if !required.has(Capability::Variables) {
            return Ok(Self::Literal(raw.to_owned()));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = raw;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            // A reference ends at the first brace; in "${fo${x}" the inner one is it.
            match reference(&from[2..], required, globals)? {
                Some((variable, length)) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Variable(variable));
                    rest = &from[2 + length..];
                }
                None => {
                    plain.push_str("${");
                    rest = &from[2..];
                }
            }
        }
        if pieces.is_empty() {
            return Ok(Self::Literal(raw.to_owned()));
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Literal(plain));
        }
        Ok(Self::Template(pieces))
    }
}

/// `variable-ref = "${" [namespace] variable-name "}"`: what stands behind `${`, with its length and
/// the brace. `None`: not a reference, so these characters mean themselves.
fn reference(
    text: &str,
    required: &Required,
    globals: &Globals,
) -> Result<Option<(Variable, usize)>, String> {
    let Some(end) = text.find('}') else { return Ok(None) };
    let name = &text[..end];
    if name.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() {
        let number = name.parse().ok().filter(|number| *number < MATCHES);
        return match number {
            Some(number) => Ok(Some((Variable::Match(number), end + 1))),
            None => Err(format!("match variables go up to {}", MATCHES - 1)),
        };
    }
    match variable(name, required, globals) {
        Ok(variable) => Ok(Some((variable, end + 1))),
        Err(Unusable::NoName) => Ok(None),
        Err(Unusable::Because(why)) => Err(why),
    }
}

/// Match variables that there are; RFC 5229 §3.2 asks for 10 at least.
pub(crate) const MATCHES: usize = 32;
/// Octets of a variable's name; RFC 5229 §6 asks for 32 at least.
const NAME: usize = 64;

pub(crate) enum Unusable {
    /// It is no name at all.
    NoName,
    Because(String),
}

/// `variable-name = num-variable / identifier`, here the latter, perhaps with a namespace.
pub(crate) fn variable(name: &str, required: &Required, globals: &Globals) -> Result<Variable, Unusable> {
    let lower = name.to_ascii_lowercase();
    let mut levels = lower.split('.');
    if !lower.split('.').all(is_identifier) {
        return Err(Unusable::NoName);
    }
    if lower.len() > NAME {
        return Err(Unusable::Because(format!("the name of a variable has at most {NAME} octets")));
    }
    match (levels.next(), levels.next(), levels.next()) {
        (Some(name), None, None) if globals.contains(name) => Ok(Variable::Global(lower)),
        (Some(_), None, None) => Ok(Variable::Local(lower)),
        (Some("global"), Some(name), None) if required.has(Capability::Include) => {
            Ok(Variable::Global(name.to_owned()))
        }
        _ => Err(Unusable::Because(format!("there is no namespace for the variable {name:?}"))),
    }
}

pub(crate) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic())
        && bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// `encoded-arb-octets` and `encoded-unicode-char`; anything that only looks like it stays.
fn decode_characters(raw: &str) -> Result<String, String> {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let decoded = from.find('}').map(|end| (decode_one(&from[2..end]), end));
        match decoded {
            Some((Ok(Some(octets)), end)) => {
                out.extend_from_slice(&octets);
                rest = &from[end + 1..];
            }
            Some((Err(why), _)) => return Err(why),
            _ => {
                out.extend_from_slice(b"${");
                rest = &from[2..];
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    // RFC 5228 §2.4.2.4 leaves octets that make no UTF-8 to the implementation.
    String::from_utf8(out).map_err(|_| "the encoded characters make no UTF-8".into())
}

fn decode_one(inner: &str) -> Result<Option<Vec<u8>>, String> {
    let Some((kind, values)) = inner.split_once(':') else { return Ok(None) };
    let values: Vec<&str> = values.split([' ', '\t', '\r', '\n']).filter(|value| !value.is_empty()).collect();
    let is_hex = |value: &&str| value.bytes().all(|b| b.is_ascii_hexdigit());
    if values.is_empty() || !values.iter().all(is_hex) {
        return Ok(None);
    }
    let mut out = Vec::new();
    if kind.eq_ignore_ascii_case("hex") {
        for value in values {
            match u8::from_str_radix(value, 16) {
                Ok(octet) if value.len() <= 2 => out.push(octet),
                _ => return Ok(None),
            }
        }
    } else if kind.eq_ignore_ascii_case("unicode") {
        for value in values {
            let c = u32::from_str_radix(value, 16).ok().and_then(char::from_u32);
            let c = c.ok_or_else(|| format!("U+{value} is no character"))?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    } else {
        return Ok(None);
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str, extensions: &[&str]) -> Result<Text, String> {
        let mut required = Required::default();
        extensions.iter().for_each(|name| assert!(required.add(name)));
        Text::read(raw, &required, &Globals::from(["shared".to_owned()]))
    }

    #[test]
    fn rfc5228_2_4_2_4_encoded_characters() {
        for (raw, expected) in [
            ("$${hex:40}", "$@"),
            ("${hex: 40 }", "@"),
            ("${HEX: 40}", "@"),
            ("${hex:40", "${hex:40"),
            ("${hex:400}", "${hex:400}"),
            ("${hex:4${hex:30}}", "${hex:40}"),
            ("${unicode:40}", "@"),
            ("${ unicode:40}", "${ unicode:40}"),
            ("${UNICODE:40}", "@"),
            ("${UnICoDE:0000040}", "@"),
            ("${Unicode:40", "${Unicode:40"),
            ("${Unicode:Cool}", "${Unicode:Cool}"),
            ("${hex: 53 69 65 76 65}", "Sieve"),
        ] {
            assert_eq!(read(raw, &["encoded-character"]), Ok(Text::Literal(expected.into())), "{raw}");
        }
        assert!(read("${unicode:200000}", &["encoded-character"]).is_err());
        assert!(read("${unicode:D801}", &["encoded-character"]).is_err());
        assert!(read("${hex:ff}", &["encoded-character"]).is_err());
        assert_eq!(read("${hex:40}", &[]), Ok(Text::Literal("${hex:40}".into())));
    }

    #[test]
    fn rfc5229_3_references() {
        let local = |name: &str| Piece::Variable(Variable::Local(name.into()));
        let plain = |text: &str| Piece::Literal(text.into());
        for (raw, pieces) in [
            ("&%${}!", vec![plain("&%${}!")]),
            ("${doh!}", vec![plain("${doh!}")]),
            ("${company} Inc", vec![local("company"), plain(" Inc")]),
            ("a${B}${1}", vec![plain("a"), local("b"), Piece::Variable(Variable::Match(1))]),
            ("${fo${x}", vec![plain("${fo"), local("x")]),
            ("${shared}", vec![Piece::Variable(Variable::Global("shared".into()))]),
            ("${global.x}", vec![Piece::Variable(Variable::Global("x".into()))]),
            ("${", vec![plain("${")]),
        ] {
            let expected = match &pieces[..] {
                [Piece::Literal(text)] => Text::Literal(text.clone()),
                _ => Text::Template(pieces),
            };
            assert_eq!(read(raw, &["variables", "include"]), Ok(expected), "{raw}");
        }
        assert!(read("${other.x}", &["variables", "include"]).is_err());
        assert!(read("${global.x}", &["variables"]).is_err());
        assert!(read("${32}", &["variables"]).is_err());
    }
}
