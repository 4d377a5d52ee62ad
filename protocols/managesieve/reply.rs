//! Responses (RFC 5804 §1.2).

/// How a command ended. The text may have several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Ok {
        code: Option<String>,
        text: String,
    },
    No {
        code: Option<&'static str>,
        text: String,
    },
    /// The connection ends.
    Bye {
        code: Option<&'static str>,
        text: String,
    },
}

impl Reply {
    pub(crate) fn ok(text: &str) -> Self {
        Self::Ok { code: None, text: text.to_owned() }
    }

    pub(crate) fn no(text: &str) -> Self {
        Self::No { code: None, text: text.to_owned() }
    }

    pub(crate) fn bye(text: &str) -> Self {
        Self::Bye { code: None, text: text.to_owned() }
    }

    /// `response-oknobye = ("OK" / "NO" / "BYE") [SP "(" resp-code ")"] [SP string] CRLF`
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (word, code, text) = match self {
            Self::Ok { code, text } => ("OK", code.as_deref(), text),
            Self::No { code, text } => ("NO", *code, text),
            Self::Bye { code, text } => ("BYE", *code, text),
        };
        out.extend_from_slice(word.as_bytes());
        if let Some(code) = code {
            out.extend_from_slice(format!(" ({code})").as_bytes());
        }
        if !text.is_empty() {
            out.push(b' ');
            write_string(out, text);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Octets of a quoted string; RFC 5804 §4 allows 1024.
const QUOTED: usize = 1_000;

/// `string = quoted / literal-s2c`
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    if text.len() > QUOTED || text.contains(['\r', '\n', '\0']) {
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(b'\\');
        }
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        for (reply, line) in [
            (Reply::ok(""), "OK\r\n"),
            (Reply::ok("a \"b\""), "OK \"a \\\"b\\\"\"\r\n"),
            (Reply::No { code: Some("QUOTA"), text: "x".into() }, "NO (QUOTA) \"x\"\r\n"),
            (Reply::no("line 1\r\nline 2"), "NO {14}\r\nline 1\r\nline 2\r\n"),
            (Reply::bye("gone"), "BYE \"gone\"\r\n"),
        ] {
            let mut out = Vec::new();
            reply.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), line);
        }
    }
}
