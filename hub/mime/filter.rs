//! What rules about mail look at: field values, addresses, dates and the contents of parts.

use std::borrow::Cow;

use crate::address::parse_list;
use crate::content::{ContentType, transfer_encoding};
use crate::date::parse_date;
use crate::fields::header_values;
use crate::words::decode_words;
use crate::{charset, html, transfer};

/// The value of a field as a person reads it: unfolded, encoded-words decoded, nothing around it. White
/// space within stays as it is where there is no encoded-word.
pub fn field_value(raw: &[u8]) -> String {
    let text = charset::header_text(&without_line_ends(raw), None);
    if text.contains("=?") { decode_words(&text) } else { text }
}

fn without_line_ends(raw: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr2(b'\r', b'\n', raw) {
        None => Cow::Borrowed(raw),
        Some(_) => Cow::Owned(raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()),
    }
}

/// Local parts and domains of the addresses in a field, at most `limit`; names and groups are left out.
pub fn field_addresses(raw: &[u8], limit: usize) -> Vec<(String, String)> {
    let text = charset::header_text(&without_line_ends(raw), None);
    let list = parse_list(&text, limit);
    let addresses = list.iter().filter_map(|entry| entry.address());
    addresses.map(|(local, domain)| (local.to_owned(), domain.to_owned())).collect()
}

/// Unix seconds and the zone, in minutes east of UTC, of a date as in RFC 5322 §3.3.
pub fn field_date(value: &str) -> Option<(i64, i16)> {
    parse_date(value).map(|date| (date.seconds, date.zone))
}

/// A part without children, as its header describes it.
pub struct PartContent {
    /// In lower case, like `text/plain`.
    pub media_type: String,
    encoding: String,
    charset: Option<String>,
}

/// RFC 3236
const XHTML: &str = "application/xhtml+xml";

impl PartContent {
    pub fn new(header: &[u8]) -> Self {
        let value = |name| header_values(header, name).next();
        let content_type = match value("Content-Type") {
            Some(value) => ContentType::parse(&value).unwrap_or_else(ContentType::text_plain),
            None => ContentType::text_plain(),
        };
        Self {
            media_type: format!("{}/{}", content_type.kind, content_type.subtype).to_ascii_lowercase(),
            encoding: transfer_encoding(value("Content-Transfer-Encoding").as_deref()),
            charset: content_type.parameters.value("charset"),
        }
    }

    /// The body without its transfer encoding, text in UTF-8; anything else with what is no UTF-8
    /// replaced.
    pub fn decode(&self, body: &[u8]) -> String {
        let decoded = transfer::decode_transfer(body, &self.encoding).unwrap_or(Cow::Borrowed(body));
        match self.media_type.starts_with("text/") {
            true => charset::decode(&decoded, self.charset.as_deref()).into_owned(),
            false => String::from_utf8_lossy(&decoded).into_owned(),
        }
    }

    /// True for what a person reads.
    pub fn is_text(&self) -> bool {
        self.media_type.starts_with("text/") || self.media_type == XHTML
    }

    /// The same as a person reads it: HTML becomes text. `None` if the part is not text, or has a transfer
    /// encoding that nobody knows (RFC 2045 §6.4).
    pub fn text(&self, body: &[u8]) -> Option<String> {
        if !self.is_text() {
            return None;
        }
        let is_html = matches!(self.media_type.as_str(), "text/html" | XHTML);
        let decoded = transfer::decode_transfer(body, &self.encoding)?;
        let text = charset::decode(&decoded, self.charset.as_deref()).into_owned();
        Some(if is_html { html::to_text(&text, text.len()) } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (raw, value) in [
            (" a  b \r\n\tc\r\n", "a  b  c"),
            (" =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?!?=", "Grüße!"),
            ("", ""),
        ] {
            assert_eq!(field_value(raw.as_bytes()), value, "{raw:?}");
        }
    }

    #[test]
    fn addresses() {
        let addresses = field_addresses(b" A <a@x>,\r\n team: b@y;, \"c d\"@z, nobody\r\n", 10);
        let addresses: Vec<String> =
            addresses.iter().map(|(local, domain)| format!("{local}@{domain}")).collect();
        assert_eq!(addresses, ["a@x", "b@y", "c d@z"]);
    }

    #[test]
    fn contents() {
        let part = PartContent::new(
            b"Content-Type: Text/HTML; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        );
        assert_eq!(part.media_type, "text/html");
        assert_eq!(part.decode(b"PGI+/DwvYj4="), "<b>\u{fc}</b>");
        assert_eq!(part.text(b"PGI+/DwvYj4=").map(|text| text.trim().to_owned()).as_deref(), Some("\u{fc}"));
        assert_eq!(PartContent::new(b"Content-Type: image/png\r\n\r\n").text(b"x"), None);
        let page = PartContent::new(b"Content-Type: application/xhtml+xml\r\n\r\n");
        assert_eq!(page.text(b"<b>x</b>").map(|text| text.trim().to_owned()).as_deref(), Some("x"));
        let unknown = PartContent::new(b"Content-Transfer-Encoding: multipart/related\r\n\r\n");
        assert_eq!(unknown.text(b"x"), None);
    }
}
