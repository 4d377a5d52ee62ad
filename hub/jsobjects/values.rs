//! Values of properties: texts, lists and structures of them (RFC 6350 §3.4).

/// `\n`, `\,`, `\;` and `\\` (RFC 6350 §3.4); others stand for themselves.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let mut ahead = chars.clone();
        match (c, ahead.next()) {
            ('\\', Some('n' | 'N')) => out.push('\n'),
            ('\\', Some(next @ ('\\' | ';' | ',' | ':'))) => out.push(next),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars = ahead;
    }
    out
}

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => {}
            '\\' | ';' | ',' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// The pieces of a value between `separator`s that no backslash stands before, still escaped.
pub(crate) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut from, mut is_escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !is_escaped {
            pieces.push(&text[from..at]);
            from = at + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    pieces.push(&text[from..]);
    pieces
}

/// `list-component *(";" list-component)`, each a list of texts without empty ones.
pub(crate) fn components(text: &str) -> Vec<Vec<String>> {
    split(text, ';').into_iter().map(list).collect()
}

pub(crate) fn list(text: &str) -> Vec<String> {
    split(text, ',').into_iter().map(unescaped).filter(|text| !text.is_empty()).collect()
}

pub(crate) fn joined(texts: &[String], separator: &str) -> String {
    texts.iter().map(|text| escaped(text)).collect::<Vec<_>>().join(separator)
}

/// A value of a parameter (RFC 6868 §3.1), in quotes if it needs them.
pub(crate) fn parameter(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("^n"),
            '^' => out.push_str("^^"),
            '"' => out.push_str("^'"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    match out.contains([':', ';', ',']) || out.trim() != out {
        true => format!("\"{out}\""),
        false => out,
    }
}

/// No line break can come into a value that has no escapes, like a URI.
pub(crate) fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures() {
        assert_eq!(components(r"a\;b;c,d\,e;;\\"), [vec!["a;b"], vec!["c", "d,e"], vec![], vec!["\\"]]);
        assert_eq!(split(r"a\\;b", ';'), [r"a\\", "b"]);
        for text in ["", "a;b,c\\n", "line\nbreak", "\\"] {
            assert_eq!(unescaped(&escaped(text)), text);
        }
        assert_eq!(parameter("a \"b\"^\nc"), "a ^'b^'^^^nc");
        assert_eq!(parameter("a:b"), "\"a:b\"");
    }
}
