//! Parts of addresses (RFC 5228 §2.7.4, RFC 5233).

use crate::program::AddressPart;

/// Separates the detail (RFC 5233 §4).
const SEPARATOR: char = '+';

/// An address in two halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailAddress {
    pub(crate) local: String,
    pub(crate) domain: String,
}

impl MailAddress {
    /// An address as the envelope has it; `None` for the null reverse-path.
    pub(crate) fn split(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        (!text.is_empty()).then(|| Self { local: local.to_owned(), domain: domain.to_owned() })
    }

    /// `None` if there is no such part.
    pub(crate) fn part(&self, part: AddressPart) -> Option<String> {
        Some(match part {
            AddressPart::All if self.domain.is_empty() => self.local.clone(),
            AddressPart::All => format!("{}@{}", self.local, self.domain),
            AddressPart::Detail => self.local.split_once(SEPARATOR)?.1.to_owned(),
            AddressPart::Domain => self.domain.clone(),
            AddressPart::LocalPart => self.local.clone(),
            AddressPart::User => self.local.split(SEPARATOR).next().unwrap_or_default().to_owned(),
        })
    }
}

/// The address within `Name <address>`, without white space, if it is exactly one that a message can be
/// sent to.
pub(crate) fn read_address(text: &str) -> Option<String> {
    let addresses = hub_mime::field_addresses(text.as_bytes(), 2);
    let [(local, domain)] = &addresses[..] else { return None };
    let is_plain = |c: char| c.is_alphanumeric() || !c.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let has_dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    let is_domain = !domain.starts_with(['.', '-'])
        && !domain.ends_with('.')
        && !domain.contains("..")
        && domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':'));
    let ats = text.matches('@').count() - local.matches('@').count();
    let is_list = !text.contains('"') && text.contains([',', ';']);
    if !is_domain || is_list || ats != 1 || text.chars().any(char::is_control) {
        return None;
    }
    if local.chars().all(is_plain) && !has_dots {
        return Some(format!("{local}@{domain}"));
    }
    let is_quoted = text.contains('"');
    is_quoted.then(|| format!("\"{}\"@{domain}", local.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5233_4_parts() {
        let address = MailAddress::split("ken+sieve@example.org").expect("an address");
        for (part, expected) in [
            (AddressPart::All, "ken+sieve@example.org"),
            (AddressPart::Detail, "sieve"),
            (AddressPart::Domain, "example.org"),
            (AddressPart::LocalPart, "ken+sieve"),
            (AddressPart::User, "ken"),
        ] {
            assert_eq!(address.part(part).as_deref(), Some(expected));
        }
        assert_eq!(MailAddress::split("ken@x").and_then(|ken| ken.part(AddressPart::Detail)), None);
        let empty = MailAddress::split("ken+@x").and_then(|ken| ken.part(AddressPart::Detail));
        assert_eq!(empty.as_deref(), Some(""));
        assert_eq!(MailAddress::split(""), None);
    }

    #[test]
    fn addresses_are_read() {
        for (text, address) in [
            ("a@b", "a@b"),
            ("A. Name <a.b@c.example>", "a.b@c.example"),
            (" stephan @ example.org ", "stephan@example.org"),
            ("Stephan Bosch< stephan@example.org>", "stephan@example.org"),
            ("\"x y\"@b", "\"x y\"@b"),
            ("ü@例子.测试", "ü@例子.测试"),
            ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ] {
            assert_eq!(read_address(text).as_deref(), Some(address), "{text}");
        }
        for text in ["", "a", "@b", "a@", "a@b, c@d", "a,b@c", "a@b..c", ".a@b", "a@b.", "a@b@c"] {
            assert_eq!(read_address(text), None, "{text}");
        }
    }
}
