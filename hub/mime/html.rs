//! Text of HTML, for previews and search. It is never shown as HTML, so nothing here is about safety.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content is not text.
const HIDDEN: [&str; 5] = ["head", "script", "style", "template", "title"];

/// Elements that do not break a line. All others do.
const INLINE: [&str; 30] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "img",
    "ins", "kbd", "mark", "nobr", "o:p", "q", "s", "small", "span", "strike", "strong", "sub", "sup", "tt",
    "u",
];

/// The longest name of an entity has 31 letters.
const MAX_ENTITY: usize = 33;

/// The text of an HTML document, at most about `limit` bytes of it.
pub fn to_text(html: &str, limit: usize) -> String {
    let mut out = String::with_capacity(html.len().min(limit) / 2);
    let mut rest = html;
    let mut quotes = Quotes::Respect;
    while !rest.is_empty() && out.len() < limit {
        let Some(at) = memchr::memchr2(b'<', b'&', rest.as_bytes()) else {
            put_text(&mut out, rest);
            break;
        };
        put_text(&mut out, &rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('&') {
            put_entity(&mut out, rest)
        } else {
            pass_tag(&mut out, rest, &mut quotes)
        };
    }
    out.truncate(out.trim_end().len());
    out
}

/// Attribute values may hold `>`. Where a quotation mark is missing they are not looked at any more.
#[derive(PartialEq)]
enum Quotes {
    Ignore,
    Respect,
}

/// Runs of white space are one space, or a line break if one is there.
fn put_text(out: &mut String, text: &str) {
    for (index, word) in text.split_ascii_whitespace().enumerate() {
        let spaced = index > 0 || text.starts_with(|c: char| c.is_ascii_whitespace());
        if spaced && !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
        out.push_str(word);
    }
    if text.ends_with(|c: char| c.is_ascii_whitespace()) && !out.is_empty() && !out.ends_with([' ', '\n']) {
        out.push(' ');
    }
}

fn put_entity<'a>(out: &mut String, text: &'a str) -> &'a str {
    let end = text.bytes().take(MAX_ENTITY).position(|byte| byte == b';');
    match end.map(|end| text.split_at(end + 1)) {
        Some((entity, rest))
            if entity[1..entity.len() - 1].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#') =>
        {
            add_html_token(out, entity.as_bytes(), false);
            rest
        }
        _ => {
            out.push('&');
            &text[1..]
        }
    }
}

/// Goes over what begins with `<`: tag, comment, declaration, or just that character.
fn pass_tag<'a>(out: &mut String, text: &'a str, quotes: &mut Quotes) -> &'a str {
    if let Some(comment) = text.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let inner = &text[1..];
    let is_close = inner.starts_with('/');
    let name_start = &inner[usize::from(is_close)..];
    if !name_start.starts_with(|c: char| c.is_ascii_alphabetic()) && !name_start.starts_with(['!', '?']) {
        out.push('<');
        return inner;
    }
    let end = name_start
        .find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(name_start.len());
    let name = &name_start[..end];
    let rest = &text[tag_length(text, quotes)..];
    let is = |known: &&str| name.eq_ignore_ascii_case(known);
    if HIDDEN.iter().any(is) && !is_close {
        return pass_hidden(rest, name);
    }
    if !INLINE.iter().any(is) && !name.starts_with(['!', '?']) {
        out.truncate(out.trim_end_matches(' ').len());
        // Cells of a table stand in one line.
        let separator = if ["td", "th"].iter().any(is) { ' ' } else { '\n' };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push(separator);
        }
    }
    rest
}

fn tag_length(text: &str, quotes: &mut Quotes) -> usize {
    let bytes = text.as_bytes();
    let first = memchr::memchr(b'>', bytes).map_or(bytes.len(), |at| at + 1);
    if *quotes == Quotes::Ignore || memchr::memchr2(b'"', b'\'', &bytes[..first]).is_none() {
        return first;
    }
    let mut open = None;
    let mut previous = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        match (open, byte) {
            (None, b'>') => return at + 1,
            // Only behind an equals sign does a quotation mark begin a value.
            (None, b'"' | b'\'') if previous == b'=' => open = Some(byte),
            (Some(quote), _) if byte == quote => open = None,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            previous = byte;
        }
    }
    *quotes = Quotes::Ignore;
    first
}

/// What follows the end tag of a hidden element. A head that is not closed ends with the body's tag.
fn pass_hidden<'a>(text: &'a str, name: &str) -> &'a str {
    let is_head = name.eq_ignore_ascii_case("head");
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        rest = &rest[at + 1..];
        let ends = |tag: &str, name: &str| {
            tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && !tag[name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        if rest.strip_prefix('/').is_some_and(|tag| ends(tag, name)) || (is_head && ends(rest, "body")) {
            return memchr::memchr(b'>', rest.as_bytes()).map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_of_html() {
        let check = |html: &str, text: &str| assert_eq!(to_text(html, 1000), text, "{html}");
        check("plain  text\r\n here", "plain text here");
        check("<p>one</p><p>two <b>bold</b>er</p>", "one\ntwo bolder");
        check("a<br>b<BR/>c", "a\nb\nc");
        check("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc");
        check("<html><head><title>T</title><style>p {}</style></head><body>x</body></html>", "x");
        check("<head><meta x><body bgcolor=white>x", "x");
        check("<script>if (a < b) '</p>'</script>x<style>y", "x");
        check("x<!-- <p> -- > -->y", "xy");
        check(
            "1 &lt; 2 &amp;&amp; 3&#62;2 &#x41;&nbsp;&unknown; &; R&D",
            "1 < 2 && 3>2 A\u{a0}&unknown; &; R&D",
        );
        check("a < b <> c", "a < b <> c");
        check("<a title=\"x > y\" href='z'>link</a>!", "link!");
        check("<a title=\"open>link</a>!", "link!");
        check("<p title=it's>a</p>b", "a\nb");
        check("<img src=x>un<wbr>seen", "un\nseen");
    }

    #[test]
    fn limit() {
        assert!(to_text(&"<p>word</p>".repeat(1000), 100).len() <= 110);
    }

    proptest! {
        #[test]
        fn never_panics(html in "[<>!/&;#\"'=a-zé -]{0,200}") {
            to_text(&html, 100);
        }
    }
}
