//! The head of a log as a signed note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub_identity::{Hash as RecordHash, PublicKey, SecretKey, Signature};

use crate::tree::Hash;

/// Octets of a note, at most.
const LONGEST: usize = 2048;

/// How many leaves a log has, and their root: what its hub has signed and cannot take back.
/// ```text
/// example.org/twins
/// 42
/// qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=
///
/// — example.org ABCDEFGH…
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub domain: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The note, signed (C2SP signed-note: four octets of the key's id before the signature).
    pub fn sign(&self, key: &SecretKey) -> String {
        let text = self.to_string();
        let signature = key.sign(text.as_bytes());
        let octets = [&key_id(&self.domain, &key.public())[..], &signature.0[..]].concat();
        format!("{text}\n\u{2014} {} {}\n", self.domain, STANDARD.encode(octets))
    }

    /// Reads a note about the log of `domain`, if one of the keys has signed it.
    pub fn verify(note: &str, domain: &str, keys: &[PublicKey]) -> Option<Self> {
        if note.len() > LONGEST {
            return None;
        }
        let (text, signatures) = note.split_once("\n\n")?;
        let signed = format!("{text}\n");
        let is_by = |line: &str, key: &PublicKey| {
            let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let octets = STANDARD.decode(signature).ok()?;
            let (id, signature) = octets.split_first_chunk::<4>()?;
            let signature = Signature(signature.try_into().ok()?);
            let is_named = name == domain && *id == key_id(domain, key);
            Some(is_named && key.verifies(signed.as_bytes(), &signature))
        };
        let has_signed = |key: &PublicKey| signatures.lines().any(|line| is_by(line, key) == Some(true));
        if !keys.iter().any(has_signed) {
            return None;
        }
        let mut lines = text.lines();
        let origin = lines.next()?.strip_suffix("/twins")?;
        let (size, root) = (lines.next()?, STANDARD.decode(lines.next()?).ok()?);
        let checkpoint =
            Self { domain: origin.to_owned(), size: size.parse().ok()?, root: root.try_into().ok()? };
        // Lines for extensions would have to be understood; and a number has one spelling.
        (origin == domain && checkpoint.to_string() == signed).then_some(checkpoint)
    }
}

/// What is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/twins\n{}\n{}\n", self.domain, self.size, STANDARD.encode(self.root))
    }
}

/// C2SP signed-note: the hash of name, algorithm (1 is Ed25519) and key.
fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = RecordHash::of(&[name.as_bytes(), b"\n\x01", &key.0].concat());
    [hash.0[0], hash.0[1], hash.0[2], hash.0[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Go's golang.org/x/mod/sumdb/note: key and note of "PeterNeumann".
    #[test]
    fn signed_note_key_id() {
        let key = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").expect("base64");
        let key = PublicKey(key[1..].try_into().expect("32 octets"));
        assert_eq!(key_id("PeterNeumann", &key), [0xc7, 0x4f, 0x20, 0xa3]);
        let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signed =
            "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let octets = STANDARD.decode(signed).expect("base64");
        let signature = Signature(octets[4..].try_into().expect("64 octets"));
        assert!(key.verifies(text.as_bytes(), &signature));
    }

    #[test]
    fn notes_are_read_back_and_only_so() {
        let (key, other) = (SecretKey::generate().expect("a key"), SecretKey::generate().expect("a key"));
        let checkpoint = Checkpoint { domain: "example.org".into(), size: 42, root: [7; 32] };
        let note = checkpoint.sign(&key);
        let read = |note: &str, key: &SecretKey| Checkpoint::verify(note, "example.org", &[key.public()]);
        assert_eq!(read(&note, &key), Some(checkpoint.clone()));
        assert_eq!(
            Checkpoint::verify(&note, "example.org", &[other.public(), key.public()]),
            Some(checkpoint.clone())
        );
        assert_eq!(read(&note, &other), None, "a stranger's key");
        assert_eq!(Checkpoint::verify(&note, "example.net", &[key.public()]), None, "another log");
        for (from, to) in [
            ("42", "43"),
            ("42", "042"),
            ("example.org/", "example.net/"),
            ("Bwc", "Bwd"),
            ("\n\n", "\nx\n\n"),
        ] {
            assert_eq!(read(&note.replacen(from, to, 1), &key), None, "{from} {to}");
        }
        let another = Checkpoint { domain: "example.net".into(), ..checkpoint };
        let forged = another.sign(&key).replace("\u{2014} example.net", "\u{2014} example.org");
        assert_eq!(read(&forged, &key), None);
        for note in ["", "\n\n", "a\n\nb", &"x".repeat(10_000)] {
            assert_eq!(read(note, &key), None, "{note}");
        }
    }
}
