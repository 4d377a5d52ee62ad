//! What the header of a part says of it (RFC 8621 §4.1.4, EmailBodyPart).

use crate::charset::{self, decode_checked};
use crate::content::{ContentType, Parameters, parse_disposition, parse_languages, transfer_encoding};
use crate::fields::{header_values, raw_fields};
use crate::forms::{message_ids_form, text_form};
use crate::transfer::decode_transfer;
use crate::words::decode_words;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHeader {
    /// In lower case, without parameters.
    pub media_type: String,
    pub charset: Option<String>,
    /// In lower case.
    pub disposition: Option<String>,
    pub name: Option<String>,
    /// Without angle brackets.
    pub content_id: Option<String>,
    pub languages: Option<Vec<String>>,
    pub location: Option<String>,
    pub encoding: String,
}

/// Decoded text, and whether something about it had to be guessed or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartValue {
    pub text: String,
    pub is_encoding_problem: bool,
}

impl PartHeader {
    /// `in_digest`: the part is a child of multipart/digest (RFC 2046 §5.1.5).
    pub fn new(header: &[u8], in_digest: bool) -> Self {
        let raw = |name: &str| {
            raw_fields(header)
                .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
                .map(|(_, raw)| raw)
        };
        let value = |name: &str| header_values(header, name).next();
        let structured =
            |name: &str| raw(name).map(|raw| charset::header_text(&without_line_ends(raw), None));
        let content_type = structured("Content-Type").and_then(|value| ContentType::parse(&value));
        let content_type = content_type.unwrap_or_else(|| match in_digest {
            true => ContentType::new("message", "rfc822"),
            false => ContentType::text_plain(),
        });
        let disposition = structured("Content-Disposition").and_then(|value| parse_disposition(&value));
        let name = disposition.as_ref().and_then(|(_, parameters)| decoded(parameters, "filename"));
        let is_text = content_type.is_text();
        let charset = content_type.parameters.value("charset").filter(|_| is_text);
        Self {
            media_type: format!("{}/{}", content_type.kind, content_type.subtype).to_ascii_lowercase(),
            charset: charset.or_else(|| is_text.then(|| "us-ascii".to_owned())),
            name: name.or_else(|| decoded(&content_type.parameters, "name")),
            disposition: disposition.map(|(kind, _)| kind.to_ascii_lowercase()),
            content_id: raw("Content-Id").and_then(message_ids_form).and_then(|ids| ids.into_iter().next()),
            languages: value("Content-Language").map(|value| parse_languages(&value)),
            location: raw("Content-Location").map(|raw| text_form(raw).trim().to_owned()),
            encoding: transfer_encoding(value("Content-Transfer-Encoding").as_deref()),
        }
    }

    /// The body as text: transfer encoding and charset decoded, line ends made LF.
    pub fn value(&self, body: &[u8]) -> PartValue {
        let decoded = decode_transfer(body, &self.encoding);
        let is_unknown = decoded.is_none();
        let decoded = decoded.unwrap_or(std::borrow::Cow::Borrowed(body));
        let (text, had_errors) = decode_checked(&decoded, self.charset.as_deref());
        PartValue { text: text.replace("\r\n", "\n"), is_encoding_problem: is_unknown || had_errors }
    }
}

fn without_line_ends(raw: &[u8]) -> Vec<u8> {
    raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

/// A parameter by RFC 2231, or by RFC 2047, which has no place here but is common.
fn decoded(parameters: &Parameters, name: &str) -> Option<String> {
    let extended = parameters.0.iter().find_map(|(other, value)| {
        let base = other.strip_suffix('*')?;
        base.eq_ignore_ascii_case(name).then_some(value)
    });
    if let Some(value) = extended {
        let mut pieces = value.splitn(3, '\'');
        let (charset, _, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
        return Some(charset::decode(&percent_decoded(text), Some(charset)).into_owned());
    }
    let (_, value) = parameters.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
    Some(if value.contains("=?") { decode_words(value) } else { value.clone() })
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = if byte == b'%' { after.get(..2).and_then(crate::transfer::hex_byte) } else { None };
        out.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_parts() {
        let part = PartHeader::new(
            b"Content-Type: Text/HTML; name=\"x.html\"; charset=ISO-8859-1\r\nContent-Disposition: Attachment;\r\n filename*=utf-8''%e2%82%ac.html\r\n\
              Content-ID: <a@b>\r\nContent-Language: de, en-GB\r\nContent-Transfer-Encoding: Base64\r\n\r\n",
            false,
        );
        assert_eq!(part.media_type, "text/html");
        assert_eq!(part.charset.as_deref(), Some("ISO-8859-1"));
        assert_eq!(part.disposition.as_deref(), Some("attachment"));
        assert_eq!(part.name.as_deref(), Some("\u{20ac}.html"));
        assert_eq!(part.content_id.as_deref(), Some("a@b"));
        assert_eq!(part.languages, Some(vec!["de".to_owned(), "en-GB".to_owned()]));
        assert_eq!(
            part.value(b"/A0KeA=="),
            PartValue { text: "\u{fc}\nx".to_owned(), is_encoding_problem: false }
        );

        let plain = PartHeader::new(b"\r\n", false);
        assert_eq!((plain.media_type.as_str(), plain.charset.as_deref()), ("text/plain", Some("us-ascii")));
        assert_eq!(PartHeader::new(b"", true).media_type, "message/rfc822");
        let image =
            PartHeader::new(b"Content-Type: image/png; name=\"=?utf-8?q?=C3=BC?=.png\"\r\n\r\n", false);
        assert_eq!((image.charset, image.name.as_deref()), (None, Some("\u{fc}.png")));
    }

    #[test]
    fn problems_of_encoding() {
        let check = |header: &str, body: &[u8], text: &str, problem: bool| {
            let value = PartHeader::new(header.as_bytes(), false).value(body);
            assert_eq!((value.text.as_str(), value.is_encoding_problem), (text, problem), "{header}");
        };
        check("Content-Type: text/plain; charset=utf-8\r\n\r\n", b"a\xff", "a\u{fffd}", true);
        check("Content-Type: text/plain; charset=x-none\r\n\r\n", b"a", "a", true);
        check(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: x-y\r\n\r\n",
            b"a",
            "a",
            true,
        );
        check("Content-Type: text/plain\r\n\r\n", "\u{fc}".as_bytes(), "\u{fc}", true);
        check("Content-Type: text/plain\r\n\r\n", b"a", "a", false);
    }
}
