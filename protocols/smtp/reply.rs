//! One answer to the client: code, enhanced status code (RFC 3463, RFC 2034), text.

use std::borrow::Cow;

/// Longest text of a reply; with code, enhanced code and CR LF it stays below the 512 octets of
/// RFC 5321 §4.5.3.1.5.
const MAX_TEXT: usize = 400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// Empty for the replies that have none (RFC 2034 §4: greeting, EHLO, 3xx).
    pub(crate) enhanced: &'static str,
    pub(crate) text: Cow<'static, str>,
}

impl Reply {
    pub(crate) const fn new(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self { code, enhanced, text: Cow::Borrowed(text) }
    }

    pub(crate) fn with(code: u16, enhanced: &'static str, text: String) -> Self {
        Self { code, enhanced, text: Cow::Owned(text) }
    }

    pub(crate) fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Appends the reply as one line. Text that came from the client may be in it: control and
    /// non-ASCII characters become `?`, so that nobody can write lines of ours.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// `550 5.1.1 no such user`, as it stands on the wire and in logs.
impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.code)?;
        for word in [self.enhanced, &self.text] {
            if word.is_empty() {
                continue;
            }
            f.write_str(" ")?;
            for c in word.chars().take(MAX_TEXT) {
                let printable = matches!(c, ' '..='~');
                std::fmt::Write::write_char(f, if printable { c } else { '?' })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_one_printable_line() {
        for (reply, line) in [
            (Reply::new(250, "2.0.0", "Ok"), "250 2.0.0 Ok\r\n"),
            (Reply::new(354, "", "Go ahead"), "354 Go ahead\r\n"),
            (Reply::with(501, "5.5.2", "a\r\n250 b\u{fc}\0".into()), "501 5.5.2 a??250 b??\r\n"),
        ] {
            let mut out = Vec::new();
            reply.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), line);
        }
        let mut out = Vec::new();
        Reply::with(550, "5.1.1", "\u{1f600}x".repeat(5000)).write(&mut out);
        assert!(out.len() <= 512);
    }
}
