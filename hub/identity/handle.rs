//! Handles: the names under which twins are found.

use std::fmt;
use std::str::FromStr;

use crate::Refusal;

/// A mail address as a handle: lower case, its domain as DNS has it, so that equal means the same octets.
/// ```abnf
/// handle = local "@" domain
/// local  = atom *("." atom)      ; 1 to 64 octets, no upper case, no "+"
/// domain = label 1*("." label)   ; A-labels, at most 253 octets
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    text: String,
    at: usize,
}

impl Handle {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }
}

impl FromStr for Handle {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let malformed = Refusal::Malformed("handle");
        let (local, domain) = text.rsplit_once('@').ok_or(malformed)?;
        let fits = local.len() <= 64 && is_local(local) && is_domain(domain) && text.len() <= 254;
        if !fits {
            return Err(malformed);
        }
        Ok(Self { text: text.to_owned(), at: local.len() })
    }
}

/// Names as people choose them, in any script. `+` is for details of an address (RFC 5233), and what needs
/// quotation marks in mail is no name.
fn is_local(local: &str) -> bool {
    let is_in_atom = |c: char| match c {
        'a'..='z' | '0'..='9' => true,
        c if c.is_ascii() => "!#$%&'*-/=?^_`{|}~".contains(c),
        c => c.is_alphanumeric(),
    };
    let is_lower = local.chars().all(|c| c.to_lowercase().eq([c]));
    is_lower && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_in_atom))
}

/// True for a name of at least two labels as DNS has them.
pub(crate) fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_in_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_in_label)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label)
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles() {
        for text in ["a@b.c", "alice.b_c-d@example.org", "jürgen@xn--4ca.example", "o'neil@a-b.example.org"]
        {
            let handle: Handle = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(handle.to_string(), text);
            assert_eq!(format!("{}@{}", handle.local(), handle.domain()), text);
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@b.c",
            "a@b",
            "A@b.c",
            "a@B.c",
            "a+b@c.d",
            "a..b@c.d",
            ".a@b.c",
            "\"a b\"@c.d",
            "a b@c.d",
            "a@b@c.d",
            "a@[127.0.0.1]",
            "a@ä.example",
            "a@-b.c",
            "a@b-.c",
            "a@b..c",
            "a@b.c.",
            "a\u{0}@b.c",
            "Ä@b.c",
            &long,
        ] {
            assert!(text.parse::<Handle>().is_err(), "{text}");
        }
    }
}
