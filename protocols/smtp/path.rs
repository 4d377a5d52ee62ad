//! Reverse-paths and forward-paths (RFC 5321 §4.1.2), xtext (RFC 3461 §4).

use hub::Address;

/// Whom `RCPT TO` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForwardPath {
    Address(Address),
    /// `<Postmaster>` without a domain (RFC 5321 §4.5.1): ours.
    Postmaster,
}

/// `Reverse-path = Path / "<>"`. Returns what follows the path too.
pub(crate) fn reverse_path(text: &str) -> Option<(Option<Address>, &str)> {
    let (path, rest) = split_path(text)?;
    if path.is_empty() { Some((None, rest)) } else { Some((Some(mailbox(path)?), rest)) }
}

/// `Forward-path = Path / "<Postmaster>"`. Returns what follows the path too.
pub(crate) fn forward_path(text: &str) -> Option<(ForwardPath, &str)> {
    let (path, rest) = split_path(text)?;
    if path.eq_ignore_ascii_case("postmaster") {
        return Some((ForwardPath::Postmaster, rest));
    }
    Some((ForwardPath::Address(mailbox(path)?), rest))
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`. Source routes are taken off and ignored, as RFC 5321
/// §4.1.2 asks: what counts is the mailbox.
fn mailbox(path: &str) -> Option<Address> {
    let mailbox = match path.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => path,
    };
    Address::parse(mailbox).ok()
}

/// Finds the `>` that ends the path: not one inside a quoted local part.
fn split_path(text: &str) -> Option<(&str, &str)> {
    let path = text.strip_prefix('<')?;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some((&path[..at], &path[at + 1..])),
            _ => {}
        }
    }
    None
}

/// `xtext = *( xchar / hexchar )`: printable ASCII but `+` and `=`, or `+` and two upper-case
/// hexadecimal digits (RFC 3461 §4).
pub(crate) fn is_xtext(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'+' => {
                let hex = |b: Option<u8>| matches!(b, Some(b'0'..=b'9' | b'A'..=b'F'));
                hex(bytes.next()) && hex(bytes.next())
            }
            b'!'..=b'~' => byte != b'=',
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Resolves xtext to what it stands for; what is not xtext comes back as it is.
pub(crate) fn decode_xtext(text: &str) -> String {
    if !is_xtext(text) {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('+') {
        out.extend_from_slice(plain.as_bytes());
        let (hex, after) = after.split_at(2);
        out.push(u8::from_str_radix(hex, 16).unwrap_or(b'?'));
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// Writes `text` as xtext.
pub(crate) fn encode_xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            _ => out.push_str(&format!("+{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_paths() {
        for (input, address, rest) in [
            ("<alice@example.org>", Some("alice@example.org"), ""),
            ("<alice@example.org> NOTIFY=NEVER", Some("alice@example.org"), " NOTIFY=NEVER"),
            ("<Postmaster>", None, ""),
            ("<postMASTER> ", None, " "),
            ("<a@[IPv6:::1]>", Some("a@[IPv6:::1]"), ""),
            ("<\"a b\"@example.org>", Some("\"a b\"@example.org"), ""),
            ("<\"a>@b\\\"\"@example.org>x", Some("\"a>@b\\\"\"@example.org"), "x"),
            ("<@relay.test,@b.test:alice@example.org>", Some("alice@example.org"), ""),
            ("<用户@例子.测试>", Some("用户@例子.测试"), ""),
        ] {
            let expected = match address {
                Some(text) => ForwardPath::Address(Address::parse(text).expect(text)),
                None => ForwardPath::Postmaster,
            };
            assert_eq!(forward_path(input), Some((expected, rest)), "{input}");
        }
    }

    #[test]
    fn reverse_paths() {
        assert_eq!(reverse_path("<>"), Some((None, "")));
        assert_eq!(reverse_path("<> SIZE=1"), Some((None, " SIZE=1")));
        let (path, rest) = reverse_path("<a@b.test>").expect("a path");
        assert_eq!((path.expect("an address").to_string().as_str(), rest), ("a@b.test", ""));
        assert_eq!(reverse_path("<postmaster>"), None);
    }

    #[test]
    fn malformed_paths_are_refused() {
        for input in [
            "",
            "<",
            "alice@example.org",
            "<alice@example.org",
            "<alice>",
            "<@a.test>",
            "<@a.test:>",
            "<a@b@c>",
            "<a b@c>",
            "<a@b.test\">",
            "<\"a@b.test>",
            "<a@b..c>",
            "<a@b\u{0}c>",
            "< a@b.c>",
        ] {
            assert_eq!(forward_path(input), None, "{input:?}");
        }
        assert_eq!(forward_path("<>"), None, "no null forward-path");
    }

    #[test]
    fn rfc3461_4_xtext() {
        for (text, plain) in [("a+2Bb", "a+b"), ("a+3Db", "a=b"), ("abc", "abc"), ("+C3+BC", "ü"), ("", "")]
        {
            assert!(is_xtext(text), "{text}");
            assert_eq!(decode_xtext(text), plain);
            assert_eq!(encode_xtext(plain), text);
        }
        for text in ["a+", "a+2", "a+2b", "a=b", "a b", "ü", "a+GG"] {
            assert!(!is_xtext(text), "{text}");
            assert_eq!(decode_xtext(text), text);
        }
    }
}
