//! Header fields: those of the message, cut apart for the filter, and those that it adds.

/// Fields beyond this are not told: a filter has seen enough.
pub(crate) const MAX_FIELDS: usize = 1000;
/// Octets of all fields that a filter adds.
const MAX_ADDED: usize = 64 * 1024;

/// Name and value of each field; folded lines stay together, with LF for CR LF as filters expect. The
/// space after the colon is left off unless `leading_space`.
pub(crate) fn fields(header: &[u8], leading_space: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.first().is_some_and(|&byte| byte == b' ' || byte == b'\t') {
            if let Some((_, value)) = fields.last_mut() {
                value.push(b'\n');
                value.extend_from_slice(text);
            }
            continue;
        }
        // The empty line, and lines that are no fields.
        let Some(colon) = memchr::memchr(b':', text) else { continue };
        if fields.len() == MAX_FIELDS {
            break;
        }
        let value = &text[colon + 1..];
        let value = if leading_space { value } else { value.strip_prefix(b" ").unwrap_or(value) };
        fields.push((text[..colon].trim_ascii_end().to_vec(), value.to_vec()));
    }
    fields
}

/// True if a field that a filter wants changed can stand in front of the message instead: there is none
/// to change, or it is one of those (`X-Spam` and the like) of which programs read the first. Two
/// subjects would be worse than the old one.
pub(crate) fn may_precede(header: &[u8], name: &[u8]) -> bool {
    let own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"X-"));
    own || !fields(header, false).iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Appends a field that the filter wants added, if it can be one (RFC 5322 §2.2).
pub(crate) fn add(out: &mut String, name: &[u8], value: &[u8]) {
    let is_name = !name.is_empty() && name.iter().all(|&byte| matches!(byte, b'!'..=b'~') && byte != b':');
    let (Ok(name), true) = (std::str::from_utf8(name), is_name) else { return };
    let value = String::from_utf8_lossy(value);
    if out.len() + name.len() + value.len() > MAX_ADDED {
        return;
    }
    out.push_str(name);
    out.push(':');
    let mut lines = value.split('\n').map(|line| line.trim_matches(['\r', ' ', '\t']));
    let mut is_first = true;
    for line in lines.by_ref().filter(|line| !line.is_empty()) {
        out.push_str(if is_first { " " } else { "\r\n\t" });
        out.extend(line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }));
        is_first = false;
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_in_fields() {
        let header = b"From: a@b.test\r\nSubject:  x\r\n\ty\r\nno field\r\nEmpty:\r\nSpace : z\r\n\r\n";
        let text = |leading| {
            let fields = fields(header, leading).into_iter();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
            fields.map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            text(false),
            [pair("From", "a@b.test"), pair("Subject", " x\n\ty"), pair("Empty", ""), pair("Space", "z")]
        );
        assert_eq!(text(true)[0], pair("From", " a@b.test"));
        assert_eq!(fields("a: b\r\n".repeat(2000).as_bytes(), false).len(), MAX_FIELDS);
    }

    #[test]
    fn changed_fields_stand_in_front_where_that_does_no_harm() {
        let header = b"Subject: a\r\nX-Spam: No\r\n\r\n";
        for (name, expected) in [("x-spam", true), ("List-Id", true), ("SUBJECT", false), ("X", true)] {
            assert_eq!(may_precede(header, name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn what_a_filter_adds() {
        for (name, value, expected) in [
            ("X-Spam", "Yes", "X-Spam: Yes\r\n"),
            (
                "X-Spamd-Result",
                " default: False\n\tA(0.1)[];\r\n\tB(1)",
                "X-Spamd-Result: default: False\r\n\tA(0.1)[];\r\n\tB(1)\r\n",
            ),
            // An empty line would end the header, and a line without indent begin another field.
            ("X", "a\n\n\nBcc: b\u{7}\u{fc}", "X: a\r\n\tBcc: b \u{fc}\r\n"),
            ("X", "", "X:\r\n"),
            ("X: a\r\nY", "b", ""),
            ("", "b", ""),
        ] {
            let mut out = String::new();
            add(&mut out, name.as_bytes(), value.as_bytes());
            assert_eq!(out, expected);
        }
        let mut out = String::new();
        for _ in 0..100 {
            add(&mut out, b"X", &[b'a'; 10_000]);
        }
        assert!(out.len() <= MAX_ADDED);
    }
}
