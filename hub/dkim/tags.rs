//! Tag lists (RFC 6376 §3.2), strictly. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Tags of one list: all that are known, three times over. Each is compared with all before it.
const MAX_TAGS: usize = 50;

/// ```text
/// tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
/// tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
/// ```
#[derive(Clone, Debug)]
pub struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// `None` if it is malformed, endless, or names a tag twice, which makes all of it void.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let mut tags: Vec<(&str, &str)> = Vec::new();
        let mut specs = text.split(';').map(str::trim_ascii).peekable();
        while let Some(spec) = specs.next() {
            if spec.is_empty() && specs.peek().is_none() {
                break;
            }
            let (name, value) = spec.split_once('=')?;
            let name = name.trim_ascii_end();
            if tags.len() == MAX_TAGS || !is_name(name) || tags.iter().any(|(other, _)| *other == name) {
                return None;
            }
            tags.push((name, value.trim_ascii_start()));
        }
        Some(Self(tags))
    }

    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(tag, _)| *tag == name).map(|(_, value)| *value)
    }

    /// Not empty.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// Base64 with white space in it.
    pub fn octets(&self, name: &str) -> Option<Vec<u8>> {
        let mut value = self.text(name)?.to_owned();
        value.retain(|c| !c.is_ascii_whitespace());
        STANDARD.decode(value).ok()
    }
}

/// `tag-name = ALPHA *ALNUMPUNC`
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The value of a signature field with `b=` emptied and without the last line end: what was signed.
pub fn without_signature(value: &[u8]) -> Vec<u8> {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    let mut out = Vec::with_capacity(value.len());
    for (n, spec) in value.split(|b| *b == b';').enumerate() {
        if n > 0 {
            out.push(b';');
        }
        match spec.iter().position(|b| *b == b'=') {
            Some(at) if spec[..at].trim_ascii() == b"b" => out.extend_from_slice(&spec[..=at]),
            _ => out.extend_from_slice(spec),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6376_3_2_lists() {
        for (text, good) in [
            ("a=b; c = d e ;", true),
            (" i=1;\r\n a=b\r\n", true),
            ("a=b;;c=d", false),
            ("a=b; a=c", false),
            ("a", false),
            ("=b", false),
            ("1a=b", false),
            ("", true),
        ] {
            assert_eq!(Tags::parse(text.as_bytes()).is_some(), good, "{text:?}");
        }
        let many: String = (0..100_000).map(|n| format!("a{n}=b;")).collect();
        assert!(Tags::parse(many.as_bytes()).is_none());
        let tags = Tags::parse(b"a = b=c ;h=").expect("tags");
        assert_eq!((tags.value("a"), tags.value("h"), tags.text("h")), (Some("b=c"), Some(""), None));
    }

    proptest::proptest! {
        #[test]
        fn any_list_is_read(bytes in proptest::collection::vec(0u8.., 0..80)) {
            let _ = Tags::parse(&bytes);
            proptest::prop_assert!(without_signature(&bytes).len() <= bytes.len());
        }
    }

    #[test]
    fn what_was_signed() {
        assert_eq!(without_signature(b" bh=x; b=ab\r\n c; t=1\r\n"), b" bh=x; b=; t=1");
        assert_eq!(without_signature(b" t=1;\r\n b = xy\r\n"), b" t=1;\r\n b =");
    }
}
