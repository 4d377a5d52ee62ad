//! The body test (RFC 5173).

use std::ops::Range;

use hub_mime::{Part, PartContent, PartKind};

use super::{Result, Run, Stopped};
use crate::program::{BodyTransform, Keys, Matching};

impl<'a> Run<'a> {
    /// Parts are looked at one after the other, so that a large message does not lie in memory. The
    /// end of a part that is larger than the limit is not looked at.
    pub(super) fn body(&mut self, of: &BodyTransform, matching: Matching, keys: &Keys) -> Result<bool> {
        let message = self.message;
        let parts = message.parts();
        let types: Vec<String> = match of {
            BodyTransform::Content(types) => {
                self.texts(types)?.into_iter().map(|kind| kind.to_ascii_lowercase()).collect()
            }
            BodyTransform::Raw => return self.raw_body(matching, keys),
            BodyTransform::Text => Vec::new(),
        };
        let is_count = matches!(matching.kind, crate::matching::MatchType::Count(_));
        let mut values = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let header = self.read(part.header_start..part.body_start)?;
            let content = PartContent::new(&header);
            let found = match of {
                BodyTransform::Text => self.text_of(part, &content)?,
                _ if types.iter().any(|wanted| is_wanted(wanted, &content.media_type)) => {
                    self.contents_of(parts, number, &content)?
                }
                _ => Vec::new(),
            };
            if is_count {
                // Only their number matters.
                values.extend(found.into_iter().map(|_| String::new()));
            } else if self.fits(matching, keys, found)? {
                return Ok(true);
            }
        }
        Ok(is_count && self.fits(matching, keys, values)?)
    }

    /// RFC 5173 §5.1: everything behind the header, as it is.
    fn raw_body(&mut self, matching: Matching, keys: &Keys) -> Result<bool> {
        let Some(top) = self.message.parts().first() else { return Ok(false) };
        let raw = self.read(top.body_start..top.body_end)?;
        let text = String::from_utf8_lossy(&raw).into_owned();
        self.fits(matching, keys, vec![text])
    }

    /// RFC 5173 §5.3: all text, as a person reads it.
    fn text_of(&mut self, part: &Part, content: &PartContent) -> Result<Vec<String>> {
        if part.kind != PartKind::Leaf || !content.is_text() {
            return Ok(Vec::new());
        }
        let body = self.read(part.body_start..part.body_end)?;
        Ok(content.text(&body).into_iter().collect())
    }

    /// RFC 5173 §5.2: of a multipart what stands around its parts, of a message within its header, of
    /// anything else what is in it.
    fn contents_of(&mut self, parts: &[Part], number: usize, content: &PartContent) -> Result<Vec<String>> {
        let Some(part) = parts.get(number) else { return Ok(Vec::new()) };
        let children = || parts[number + 1..].iter().take_while(|child| child.depth > part.depth);
        let ranges: Vec<Range<u64>> = match part.kind {
            PartKind::Leaf => {
                let body = self.read(part.body_start..part.body_end)?;
                return Ok(vec![content.decode(&body)]);
            }
            PartKind::Message => {
                children().take(1).map(|child| child.header_start..child.body_start).collect()
            }
            PartKind::Multipart => {
                let direct = || children().filter(|child| child.depth == part.depth + 1);
                let first = direct().next().map_or(part.body_end, |child| child.header_start);
                let last = direct().last().map_or(part.body_end, |child| child.body_end);
                vec![part.body_start..first, last..part.body_end]
            }
        };
        let mut texts = Vec::new();
        for (place, range) in ranges.into_iter().enumerate() {
            let text = String::from_utf8_lossy(&self.read(range)?).into_owned();
            texts.push(match (part.kind, place) {
                (PartKind::Multipart, 0) => without_last_line(&text).to_owned(),
                (PartKind::Multipart, _) => without_delimiter(&text).to_owned(),
                // The empty line is none of its fields.
                _ => text.strip_suffix("\r\n").unwrap_or(&text).to_owned(),
            });
        }
        Ok(texts)
    }

    fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
        let end = range.end.min(range.start.saturating_add(self.limits.body as u64));
        let message = self.message;
        let bytes = message.read(range.start..end.max(range.start)).map_err(Stopped)?;
        self.step(bytes.len())?;
        Ok(bytes.into_owned())
    }
}

/// RFC 5173 §5.2: all, a type, or a type and subtype; what has more slashes, or begins or ends with one,
/// is none.
fn is_wanted(wanted: &str, media_type: &str) -> bool {
    if wanted.is_empty() {
        return true;
    }
    match wanted.split_once('/') {
        None => media_type.split('/').next() == Some(wanted),
        Some((kind, subtype)) => {
            !kind.is_empty() && !subtype.is_empty() && !subtype.contains('/') && wanted == media_type
        }
    }
}

/// The delimiter of the first part is the last line before it.
fn without_last_line(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.rfind('\n').map_or("", |at| &text[..=at])
}

/// The delimiter that ends the last part is what follows it: a line end and a line.
fn without_delimiter(text: &str) -> &str {
    let text = text.trim_start_matches(['\r', '\n']);
    text.find('\n').map_or("", |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5173_5_2_content_types() {
        for (wanted, media_type, expected) in [
            ("", "image/png", true),
            ("text", "text/html", true),
            ("text/html", "text/html", true),
            ("text/plain", "text/html", false),
            ("/plain", "text/plain", false),
            ("text/", "text/plain", false),
            ("text/plain/x", "text/plain/x", false),
            ("tex", "text/plain", false),
        ] {
            assert_eq!(is_wanted(wanted, media_type), expected, "{wanted} {media_type}");
        }
    }

    #[test]
    fn what_stands_around_parts() {
        assert_eq!(without_last_line("one\r\ntwo\r\n--b\r\n"), "one\r\ntwo\r\n");
        assert_eq!(without_last_line("--b\r\n"), "");
        assert_eq!(without_delimiter("\r\n--b--\r\nend\r\n"), "end\r\n");
        assert_eq!(without_delimiter(""), "");
    }
}
