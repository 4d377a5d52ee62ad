//! Mailbox names of other servers and of Maildirs, as paths of ours.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Modified UTF-7 (RFC 3501 §5.1.3); what is not, stands for itself.
pub(crate) fn decode(name: &str) -> String {
    decoded(name).unwrap_or_else(|| name.to_owned())
}

fn decoded(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        let end = start + rest[start..].find('-')?;
        match &rest[start + 1..end] {
            "" => out.push('&'),
            shifted => {
                let bytes = BASE64.decode(shifted).ok().filter(|bytes| bytes.len() % 2 == 0)?;
                let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                for character in char::decode_utf16(units) {
                    out.push(character.ok()?);
                }
            }
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

/// The other way round.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let flush = |shifted: &mut Vec<u8>, out: &mut String| {
        if !shifted.is_empty() {
            out.push('&');
            BASE64.encode_string(&*shifted, out);
            out.push('-');
            shifted.clear();
        }
    };
    for character in name.chars() {
        match character {
            '&' => {
                flush(&mut shifted, &mut out);
                out.push_str("&-");
            }
            ' '..='~' => {
                flush(&mut shifted, &mut out);
                out.push(character);
            }
            _ => {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                shifted.extend(units.into_iter().flat_map(u16::to_be_bytes));
            }
        }
    }
    flush(&mut shifted, &mut out);
    out
}

/// A name in modified UTF-7 whose levels are separated by `delimiter`, as a path: levels separated by `/`, without what
/// our mailboxes cannot be called. `None` if nothing is left.
pub(crate) fn path(name: &str, delimiter: Option<char>) -> Option<String> {
    let levels = match delimiter {
        Some(delimiter) => name.split(delimiter).map(|part| level(&decode(part))).collect::<Vec<_>>(),
        None => vec![level(&decode(name))],
    };
    let path = levels.into_iter().filter(|level| !level.is_empty()).collect::<Vec<_>>().join("/");
    (!path.is_empty()).then_some(path)
}

/// A `/` that separates nothing, and control characters, become `_`.
fn level(name: &str) -> String {
    name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, delimiter, expected) in [
            ("Sent", Some('/'), Some("Sent")),
            ("Archive.2024", Some('.'), Some("Archive/2024")),
            ("a/b.c", Some('.'), Some("a_b/c")),
            ("&AOQ-rger &- Co", Some('/'), Some("ärger & Co")),
            ("&2D3eAA-", None, Some("😀")),
            ("R&D", Some('/'), Some("R&D")),
            ("a//b/", Some('/'), Some("a/b")),
            ("a\u{7}", None, Some("a_")),
            ("", None, None),
            ("/", Some('/'), None),
        ] {
            assert_eq!(path(name, delimiter).as_deref(), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded(name in "\\PC{0,20}") {
            let encoded = encode(&name);
            proptest::prop_assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            proptest::prop_assert_eq!(decode(&encoded), name);
        }

        #[test]
        fn any_name_is_decoded(name in "[&A-Za-z,+/0-9-]{0,20}") {
            let _ = decode(&name);
        }
    }
}
