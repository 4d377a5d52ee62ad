//! BODY, the form of BODYSTRUCTURE without extension data (RFC 9051 §7.5.2), from the stored bytes.

use crate::reader::Reader;

/// Nesting that is followed; the scanner makes less.
const MAX_DEPTH: usize = 200;

/// The `body` without extension data. What the scanner did not write comes back as it is.
pub fn body_without_extensions(body_structure: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body_structure.len());
    let mut reader = Reader::new(body_structure);
    if reader.copy_body(&mut out, 0).is_none() {
        return body_structure.to_vec();
    }
    out
}

impl<'a> Reader<'a> {
    /// `body = "(" (body-type-1part / body-type-mpart) ")"`
    fn copy_body(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH || !self.take(b'(') {
            return None;
        }
        out.push(b'(');
        if self.rest.first() == Some(&b'(') {
            while self.rest.first() == Some(&b'(') {
                self.copy_body(out, depth + 1)?;
            }
            self.copy_values(out, 1)?;
        } else {
            let kind = self.copy_value(out)?;
            let subtype = self.copy_next(out)?;
            // Parameters, id, description, encoding, octets.
            self.copy_values(out, 5)?;
            let is = |value: &[u8], name: &[u8]| value.eq_ignore_ascii_case(name);
            if is(kind, b"\"text\"") {
                self.copy_values(out, 1)?;
            } else if is(kind, b"\"message\"") && is(subtype, b"\"rfc822\"") {
                self.copy_values(out, 1)?;
                if !self.take(b' ') {
                    return None;
                }
                out.push(b' ');
                self.copy_body(out, depth + 1)?;
                self.copy_values(out, 1)?;
            }
        }
        while self.take(b' ') {
            self.value()?;
        }
        if !self.take(b')') {
            return None;
        }
        out.push(b')');
        Some(())
    }

    fn copy_values(&mut self, out: &mut Vec<u8>, count: usize) -> Option<()> {
        for _ in 0..count {
            self.copy_next(out)?;
        }
        Some(())
    }

    fn copy_next(&mut self, out: &mut Vec<u8>) -> Option<&'a [u8]> {
        if !self.take(b' ') {
            return None;
        }
        out.push(b' ');
        self.copy_value(out)
    }

    fn copy_value(&mut self, out: &mut Vec<u8>) -> Option<&'a [u8]> {
        let value = self.value()?;
        out.extend_from_slice(value);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_left_out() {
        let check = |structure: &str, body: &str| {
            assert_eq!(String::from_utf8_lossy(&body_without_extensions(structure.as_bytes())), body);
        };
        check(
            r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 12 1 NIL ("inline" NIL) ("en") NIL)"#,
            r#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 12 1)"#,
        );
        check(
            r#"("image" "gif" NIL "<a>" "a \") b" "base64" 12 NIL NIL NIL NIL)"#,
            r#"("image" "gif" NIL "<a>" "a \") b" "base64" 12)"#,
        );
        check(
            r#"(("image" "gif" NIL NIL NIL "base64" 12 NIL NIL NIL NIL)("text" "x" NIL NIL NIL "7bit" 1 2 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)"#,
            r#"(("image" "gif" NIL NIL NIL "base64" 12)("text" "x" NIL NIL NIL "7bit" 1 2) "mixed")"#,
        );
        check(
            r#"("message" "rfc822" NIL NIL NIL "7bit" 9 (NIL NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL NIL) ("image" "gif" NIL NIL NIL "base64" 12 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"#,
            r#"("message" "rfc822" NIL NIL NIL "7bit" 9 (NIL NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL NIL) ("image" "gif" NIL NIL NIL "base64" 12) 3)"#,
        );
        check(
            "(\"image\" \"gif\" (\"name\" {4}\r\na\")b) NIL NIL \"base64\" 12 NIL NIL NIL {1}\r\nx)",
            "(\"image\" \"gif\" (\"name\" {4}\r\na\")b) NIL NIL \"base64\" 12)",
        );
    }

    #[test]
    fn anything_else_comes_back() {
        for odd in ["", "(", ")", "()", "NIL", "(\"a", "({9}\r\n)", "(((((", "(\"text\" \"plain\")", "(\"\\"]
        {
            assert_eq!(body_without_extensions(odd.as_bytes()), odd.as_bytes());
        }
    }
}
