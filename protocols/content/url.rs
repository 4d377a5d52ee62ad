//! Names in URLs (RFC 3986).

/// One segment of a path, decoded once (§2.4). A slash that was encoded would be a name with a slash: it
/// is refused, as are `.` and `..`, which a client should have resolved. The error is for a person to see.
pub fn decode(segment: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("a percent sign is not followed by two digits");
        };
        bytes.push(((high << 4) | low) as u8);
    }
    let name = String::from_utf8(bytes).map_err(|_| "a name in the path is not UTF-8")?;
    match name.as_str() {
        "." | ".." => Err("the path has a dot segment"),
        name if name.contains('/') => Err("a name in the path has a slash"),
        name if name.contains(char::is_control) => Err("a name in the path has a control character"),
        _ => Ok(name),
    }
}

/// Of the characters that need no encoding in a path (RFC 3986 §3.3), those that no program has been
/// seen to stumble over.
pub const IN_PATHS: &[u8] = b"/@()";

/// Encodes all but unreserved characters (RFC 3986 §2.3) and those of `also`.
pub fn encode_into(out: &mut String, text: &str, also: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte if also.contains(&byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
}
