//! Which parts of a message are its text, and which are attachments (RFC 8621 §4.1.4).

use crate::reader::Reader;

/// Nesting that is followed; the scanner makes less.
const MAX_DEPTH: usize = 200;

/// What the choice depends on, of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// In lower case, like `text/plain`.
    pub media_type: String,
    pub is_attachment: bool,
    /// `Content-Disposition: inline` is said.
    pub is_inline: bool,
    pub has_name: bool,
    pub children: Vec<Self>,
}

/// The parts chosen, by their numbers in depth-first order of all parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub text: Vec<usize>,
    pub html: Vec<usize>,
    pub attachments: Vec<usize>,
}

/// True if a client should offer something of the message for download: an attachment that is not said
/// to be inline (RFC 8621 §4.1.4, `hasAttachment`). Takes the stored BODYSTRUCTURE.
pub fn has_attachment(body_structure: &[u8]) -> bool {
    let Some(shape) = Reader::new(body_structure).shape(0) else { return false };
    let all = shape.flat();
    chosen(&shape).attachments.iter().any(|&number| all.get(number).is_some_and(|part| !part.is_inline))
}

impl Shape {
    /// All parts in depth-first order.
    fn flat(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Self::flat));
        all
    }

    fn count(&self) -> usize {
        1 + self.children.iter().map(Self::count).sum::<usize>()
    }
}

/// The algorithm that RFC 8621 §4.1.4 suggests.
pub fn chosen(top: &Shape) -> Chosen {
    let mut lists = Lists::default();
    lists.walk(std::slice::from_ref(top), 0, "mixed", false, Bodies { text: true, html: true });
    Chosen { text: lists.text, html: lists.html, attachments: lists.attachments }
}

#[derive(Default)]
struct Lists {
    text: Vec<usize>,
    html: Vec<usize>,
    attachments: Vec<usize>,
}

/// Which of the two bodies the parts of a multipart go into. In the branch of an alternative that has plain
/// text, what follows is no HTML, and the other way round.
#[derive(Clone, Copy)]
struct Bodies {
    text: bool,
    html: bool,
}

impl Lists {
    fn walk(&mut self, parts: &[Shape], first: usize, multipart: &str, in_alternative: bool, into: Bodies) {
        let (text_before, html_before) = (self.text.len(), self.html.len());
        let (mut number, mut into) = (first, into);
        for (place, part) in parts.iter().enumerate() {
            if let Some(subtype) = part.media_type.strip_prefix("multipart/") {
                let in_alternative = in_alternative || subtype == "alternative";
                self.walk(&part.children, number + 1, subtype, in_alternative, into);
            } else {
                self.put(part, number, (place, multipart), in_alternative, &mut into);
            }
            number += part.count();
        }
        if multipart == "alternative" && into.text && into.html {
            // What only one of the two has stands for both.
            if self.text.len() == text_before && self.html.len() != html_before {
                self.text.extend_from_slice(&self.html[html_before..]);
            } else if self.html.len() == html_before && self.text.len() != text_before {
                self.html.extend_from_slice(&self.text[text_before..]);
            }
        }
    }

    /// `place` is that among its siblings, with the subtype of their multipart.
    fn put(
        &mut self,
        part: &Shape,
        number: usize,
        (place, multipart): (usize, &str),
        in_alternative: bool,
        into: &mut Bodies,
    ) {
        let is_media = ["image/", "audio/", "video/"].iter().any(|kind| part.media_type.starts_with(kind));
        let is_inline = !part.is_attachment
            && (matches!(part.media_type.as_str(), "text/plain" | "text/html") || is_media)
            && (place == 0 || (multipart != "related" && (is_media || !part.has_name)));
        if !is_inline {
            self.attachments.push(number);
            return;
        }
        if multipart == "alternative" {
            match part.media_type.as_str() {
                "text/plain" if into.text => self.text.push(number),
                "text/html" if into.html => self.html.push(number),
                "text/plain" | "text/html" => {}
                _ => self.attachments.push(number),
            }
            return;
        }
        if in_alternative {
            into.html &= part.media_type != "text/plain";
            into.text &= part.media_type != "text/html";
        }
        if into.text {
            self.text.push(number);
        }
        if into.html {
            self.html.push(number);
        }
        if is_media && !(into.text && into.html) {
            self.attachments.push(number);
        }
    }
}

impl<'a> Reader<'a> {
    /// `body = "(" (body-type-1part / body-type-mpart) ")"`
    fn shape(&mut self, depth: usize) -> Option<Shape> {
        if depth > MAX_DEPTH || !self.take(b'(') {
            return None;
        }
        let mut shape = Shape::default();
        if self.rest.first() == Some(&b'(') {
            while self.rest.first() == Some(&b'(') {
                shape.children.push(self.shape(depth + 1)?);
            }
            shape.media_type = format!("multipart/{}", word(self.next()?));
            // Parameters; the disposition of a multipart means nothing.
            self.pass_rest()?;
            return Some(shape);
        }
        let kind = word(self.value()?);
        shape.media_type = format!("{kind}/{}", word(self.next()?));
        shape.has_name = has_parameter(self.next()?, "name");
        // Id, description, encoding, octets.
        for _ in 0..4 {
            self.next()?;
        }
        match shape.media_type.as_str() {
            media_type if media_type.starts_with("text/") => drop(self.next()?),
            "message/rfc822" | "message/global" => {
                // Envelope, body, lines: what is inside belongs to another message.
                for _ in 0..3 {
                    self.next()?;
                }
            }
            _ => {}
        }
        // MD5, then the disposition.
        if self.rest.first() == Some(&b' ') {
            self.next()?;
        }
        if self.rest.first() == Some(&b' ') {
            let disposition = self.next()?.to_ascii_lowercase();
            shape.is_attachment = disposition.starts_with(b"(\"attachment\"");
            shape.is_inline = disposition.starts_with(b"(\"inline\"");
            shape.has_name |= has_parameter(&disposition, "filename");
        }
        self.pass_rest()?;
        Some(shape)
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        self.take(b' ').then(|| self.value())?
    }

    fn pass_rest(&mut self) -> Option<()> {
        while self.take(b' ') {
            self.value()?;
        }
        self.take(b')').then_some(())
    }
}

fn word(value: &[u8]) -> String {
    let plain = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    String::from_utf8_lossy(plain).to_ascii_lowercase()
}

/// Whether a list of parameters has this one, also in pieces or with a charset (RFC 2231).
fn has_parameter(list: &[u8], name: &str) -> bool {
    let lower = String::from_utf8_lossy(list).to_ascii_lowercase();
    [format!("\"{name}\""), format!("\"{name}*")].iter().any(|quoted| lower.contains(quoted.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    fn part(media_type: &str) -> Shape {
        Shape { media_type: media_type.to_owned(), ..Shape::default() }
    }

    fn attached(media_type: &str) -> Shape {
        Shape { is_attachment: true, ..part(media_type) }
    }

    fn multipart(subtype: &str, children: Vec<Shape>) -> Shape {
        Shape { children, ..part(&format!("multipart/{subtype}")) }
    }

    /// RFC 8621 §4.1.4, the message after the algorithm. Numbers: A 2, B 5, C 7, D 8, E 9, F 11, G 12, H 13,
    /// J 14, K 15 in the order of all parts.
    #[test]
    fn rfc8621_example() {
        let top = multipart(
            "mixed",
            vec![
                part("text/plain"),
                multipart(
                    "mixed",
                    vec![
                        multipart(
                            "alternative",
                            vec![
                                multipart(
                                    "mixed",
                                    vec![part("text/plain"), part("image/jpeg"), part("text/plain")],
                                ),
                                multipart("related", vec![part("text/html"), part("image/jpeg")]),
                            ],
                        ),
                        attached("image/jpeg"),
                        part("application/x-excel"),
                        part("message/rfc822"),
                    ],
                ),
                part("text/plain"),
            ],
        );
        // 0 mixed, 1 A, 2 mixed, 3 alternative, 4 mixed, 5 B, 6 C, 7 D, 8 related, 9 E, 10 F, 11 G, 12 H, 13 J, 14 K
        let found = chosen(&top);
        assert_eq!(found.text, [1, 5, 6, 7, 14], "A B C D K");
        assert_eq!(found.html, [1, 9, 14], "A E K");
        assert_eq!(found.attachments, [6, 10, 11, 12, 13], "C F G H J");
    }

    #[test]
    fn from_the_stored_structure() {
        let check = |message: &str, expected: bool| {
            let mut scanner = Scanner::new();
            scanner.feed(message.as_bytes());
            assert_eq!(has_attachment(&scanner.finish().body_structure), expected, "{message}");
        };
        let mixed = |part: &str| {
            format!(
                "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\ntext\r\n--a\r\n{part}\r\n\r\nx\r\n--a--\r\n"
            )
        };
        check("Subject: x\r\n\r\ntext", false);
        check("Content-Type: application/pdf\r\n\r\n%PDF", true);
        check(&mixed("Content-Type: text/plain"), false);
        check(&mixed("Content-Type: text/plain; name=a.txt"), true);
        check(&mixed("Content-Type: image/png\r\nContent-Disposition: inline"), false);
        check(&mixed("Content-Type: image/png\r\nContent-Disposition: attachment; filename=a"), true);
        check(&mixed("Content-Type: application/ics\r\nContent-Disposition: inline"), false);
        check(&mixed("Content-Type: message/rfc822\r\n\r\nSubject: y"), true);
        assert!(!has_attachment(b"(((("));
    }
}
