//! Mail addresses in their normal form (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::{Error, Result};

/// A well-formed mailbox address `local@domain`. The domain is lower case, both sides are NFC.
/// The local part keeps its spelling; [`Address::key`] is what is compared and looked up.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// Parses `local@domain`, with a quoted local part or an address literal as RFC 5321 allows.
    /// At most 64 octets of local part and 254 in all (RFC 5321 §4.5.3.1).
    pub fn parse(text: &str) -> Result<Self> {
        let invalid =
            |why: &str| Error::Invalid(format!("\"{}\" is not a mail address: {why}", text.escape_debug()));
        if text.len() > 254 {
            return Err(Error::Invalid("the mail address is longer than 254 octets".into()));
        }
        let at = text.rfind('@').ok_or_else(|| invalid("there is no @"))?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        if local.is_empty() || local.len() > 64 {
            return Err(invalid("the part before the @ must have 1 to 64 octets"));
        }
        let local = if let Some(quoted) = local.strip_prefix('"') {
            let quoted = quoted.strip_suffix('"').ok_or_else(|| invalid("a quotation mark is missing"))?;
            unquote(quoted).ok_or_else(|| invalid("the quoted part is malformed"))?
        } else {
            if !is_dot_atom(local) {
                return Err(invalid("the part before the @ has a character that needs quoting"));
            }
            local.to_owned()
        };
        let domain = normal_domain(domain).ok_or_else(|| invalid("the domain is malformed"))?;
        let local: String = local.nfc().collect();
        Ok(Self { at: local.len(), text: format!("{local}@{domain}") })
    }

    /// The local part, without quotation marks.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain in lower case; an address literal keeps its brackets.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The form in which addresses are stored and compared: all lower case. (A local part may be
    /// case-sensitive by RFC 5321 §2.4; on this hub none is.)
    pub fn key(&self) -> String {
        self.text.to_lowercase()
    }

    /// This address without its `+detail` (RFC 5233); `None` if it has none.
    pub fn without_detail(&self) -> Option<Self> {
        let plus = self.local().find('+').filter(|&at| at > 0)?;
        let local = &self.local()[..plus];
        Some(Self { text: format!("{local}@{}", self.domain()), at: local.len() })
    }

    /// The `detail` of `local+detail@domain`.
    pub fn detail(&self) -> Option<&str> {
        self.local().find('+').filter(|&at| at > 0).map(|at| &self.local()[at + 1..])
    }

    /// True if it can only travel with SMTPUTF8 (RFC 6531).
    pub fn needs_utf8(&self) -> bool {
        !self.text.is_ascii()
    }
}

/// Prints the address as it stands on the wire, quoting the local part where needed.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_atom(self.local()) {
            return f.write_str(&self.text);
        }
        f.write_str("\"")?;
        for c in self.local().chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        write!(f, "\"@{}", self.domain())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

/// A domain name in lower case and NFC, or an address literal; `None` if malformed.
pub fn normal_domain(text: &str) -> Option<String> {
    if let Some(literal) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        let ip = literal.strip_prefix("IPv6:").unwrap_or(literal);
        return ip.parse::<std::net::IpAddr>().ok().map(|_| text.to_owned());
    }
    let text: String = text.trim_end_matches('.').nfc().collect::<String>().to_lowercase();
    let label_fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| {
                c.is_alphanumeric()
                    || matches!(c, '-' | '_')
                    || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
            })
    };
    (text.len() <= 253 && text.split('.').all(label_fits)).then_some(text)
}

fn is_dot_atom(local: &str) -> bool {
    let is_atext = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn unquote(quoted: &str) -> Option<String> {
    let mut out = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?),
            '"' => return None,
            _ => out.push(c),
        }
    }
    (!out.is_empty() && !out.chars().any(char::is_control)).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_and_printed() {
        for (input, printed, key) in [
            ("Alice@Example.ORG", "Alice@example.org", "alice@example.org"),
            ("alice+news@example.org.", "alice+news@example.org", "alice+news@example.org"),
            ("\"a b\"@example.org", "\"a b\"@example.org", "a b@example.org"),
            ("\"plain\"@example.org", "plain@example.org", "plain@example.org"),
            ("a@[IPv6:::1]", "a@[IPv6:::1]", "a@[ipv6:::1]"),
            ("a@[127.0.0.1]", "a@[127.0.0.1]", "a@[127.0.0.1]"),
            ("用户@例子.测试", "用户@例子.测试", "用户@例子.测试"),
        ] {
            let address = Address::parse(input).expect(input);
            assert_eq!(address.to_string(), printed);
            assert_eq!(address.key(), key);
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for input in [
            "",
            "alice",
            "@example.org",
            "alice@",
            "a..b@example.org",
            "a b@example.org",
            "a@b..c",
            "a@-b.org",
            "a@[1.2.3]",
            "\"a@example.org",
            "a\r\n@example.org",
            "a@exa\nmple.org",
        ] {
            assert!(Address::parse(input).is_err(), "{input:?}");
        }
        assert!(Address::parse(&format!("{}@example.org", "a".repeat(65))).is_err());
    }

    #[test]
    fn detail_is_cut_off() {
        let address = Address::parse("alice+a+b@example.org").expect("valid");
        assert_eq!(address.detail(), Some("a+b"));
        assert_eq!(address.without_detail().expect("has detail").to_string(), "alice@example.org");
        assert_eq!(Address::parse("+x@example.org").expect("valid").without_detail(), None);
    }
}
