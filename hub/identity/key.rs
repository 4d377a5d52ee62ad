//! Keys and signatures (Ed25519, RFC 8032).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::encoding::{base64url, octets};
use crate::{Refusal, Words};

/// Written `ed25519:` and base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// Written in base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A key that can sign. It prints nothing of itself.
pub struct SecretKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl PublicKey {
    /// RFC 8032 §5.1.7; a signature has one spelling only.
    pub fn verifies(&self, signed: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(signed, &signature.0).is_ok()
    }
}

impl SecretKey {
    /// `None` if the machine has no random numbers.
    pub fn generate() -> Option<Self> {
        let mut seed = [0; 32];
        rand::fill(&mut seed).ok()?;
        Self::from_seed(&seed)
    }

    /// The private key of RFC 8032 §5.1.5: 32 octets.
    pub fn from_seed(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { seed: seed.try_into().ok()?, pair })
    }

    /// A key as files keep it (RFC 5958, RFC 8410).
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
        Self::from_seed(pair.seed().ok()?.as_be_bytes().ok()?.as_ref())
    }

    pub fn from_words(words: &Words) -> Option<Self> {
        Self::from_seed(&words.entropy())
    }

    /// The key as words that a person can write down.
    pub fn to_words(&self) -> Words {
        Words::of(&self.seed)
    }

    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(key)
    }

    pub fn sign(&self, bytes: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        Signature(signature)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", base64url(&self.0))
    }
}

impl FromStr for PublicKey {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        text.strip_prefix("ed25519:").and_then(octets).map(Self).ok_or(Refusal::Malformed("key"))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl FromStr for Signature {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        octets(text).map(Self).ok_or(Refusal::Malformed("signature"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let octet = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex");
        std::array::from_fn(octet)
    }

    #[test]
    fn rfc8032_7_1_test_2() {
        let seed: [u8; 32] = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
            085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        let key = SecretKey::from_seed(&seed).expect("a key");
        assert_eq!(key.public(), PublicKey(public));
        assert_eq!(key.sign(&[0x72]), Signature(signature));
        assert!(key.public().verifies(&[0x72], &Signature(signature)));
        assert!(!key.public().verifies(&[0x73], &Signature(signature)));
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let key = SecretKey::generate().expect("a key");
        let mut signature = key.sign(b"text");
        // S + L verifies as S does, where it is not refused (RFC 8032 §8.4).
        let order: [u8; 32] = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0;
        for (octet, add) in signature.0[32..].iter_mut().zip(order) {
            let sum = u16::from(*octet) + u16::from(add) + carry;
            (*octet, carry) = (sum as u8, sum >> 8);
        }
        assert!(!key.public().verifies(b"text", &signature));
    }

    #[test]
    fn keys_as_written() {
        let key = SecretKey::generate().expect("a key");
        let (public, signature) = (key.public(), key.sign(b"text"));
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(signature.to_string().parse(), Ok(signature));
        assert!("ed25519:AAAA".parse::<PublicKey>().is_err());
        assert!(format!("x25519:{}", "A".repeat(43)).parse::<PublicKey>().is_err());
        assert!(!format!("{key:?}").contains(&base64url(key.seed())));
        assert!(SecretKey::from_seed(&[0; 31]).is_none());
    }
}
