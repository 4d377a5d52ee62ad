//! Ids and hashes as they are written.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Refusal;

/// SHA-256 of a record's canonical bytes, written `sha256:` and base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// Made of the hash of a twin's first record: `tw1` and the base32 of its first 20 octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TwinId([u8; 20]);

impl Hash {
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }
}

impl TwinId {
    pub(crate) fn of_genesis(hash: Hash) -> Self {
        let mut id = [0; 20];
        id.copy_from_slice(&hash.0[..20]);
        Self(id)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for Hash {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        text.strip_prefix("sha256:").and_then(octets).map(Self).ok_or(Refusal::Malformed("hash"))
    }
}

impl fmt::Display for TwinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tw1")?;
        // Five octets are eight digits of five bits.
        for group in self.0.chunks(5) {
            let bits = group.iter().fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
            for digit in (0..8).rev() {
                let digit = bits >> (5 * digit) & 31;
                write!(f, "{}", char::from(BASE32[digit as usize]))?;
            }
        }
        Ok(())
    }
}

impl FromStr for TwinId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let malformed = Refusal::Malformed("id");
        let digits = text.strip_prefix("tw1").filter(|digits| digits.len() == 32).ok_or(malformed)?;
        let mut id = [0; 20];
        for (group, octets) in digits.as_bytes().chunks(8).zip(id.chunks_mut(5)) {
            let mut bits = 0_u64;
            for digit in group {
                let value = BASE32.iter().position(|known| known == digit).ok_or(malformed)?;
                bits = bits << 5 | value as u64;
            }
            octets.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Ok(Self(id))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for TwinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Octets in base64url (RFC 4648 §5) without padding, in its only spelling.
pub(crate) fn octets<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

pub(crate) fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// RFC 4648 §6, in lower case: ids stand in addresses.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_as_written() {
        // RFC 4648 §10: "fooba" is MZXW6YTB, "foobar" begins with it.
        let mut octets = [0; 20];
        octets[..5].copy_from_slice(b"fooba");
        assert_eq!(TwinId(octets).to_string(), format!("tw1mzxw6ytb{}", "a".repeat(24)));
        for text in [
            "",
            "tw1",
            "tw1MZXW6YTBaaaaaaaaaaaaaaaaaaaaaaaa",
            "tx1mzxw6ytbaaaaaaaaaaaaaaaaaaaaaaaa",
            "tw1mzxw6ytbaaaaaaaaaaaaaaaaaaaaaaa1",
            "tw1mzxw6ytbaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(text.parse::<TwinId>().is_err(), "{text}");
        }
    }

    #[test]
    fn hashes_as_written() {
        let hash = Hash::of(b"");
        assert_eq!(hash.to_string(), "sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        // The last digit has bits that mean nothing: only one spelling is good.
        assert!("sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV".parse::<Hash>().is_err());
        assert!("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU".parse::<Hash>().is_err());
    }

    proptest! {
        #[test]
        fn ids_are_read_back(octets: [u8; 20]) {
            let text = TwinId(octets).to_string();
            prop_assert_eq!(text.len(), 35);
            prop_assert_eq!(text.parse(), Ok(TwinId(octets)));
        }
    }
}
