//! Tokens as programs hold them: random, and nothing can be read from them. The hub keeps hashes.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::{Result, Secret, password};

/// So that programs that look for leaked secrets find these.
const ACCESS: &str = "thub_a_";
const REFRESH: &str = "thub_r_";

/// A new access token (256 bits) and its hash.
pub(super) fn new_access() -> Result<(Secret, [u8; 32])> {
    let token = format!("{ACCESS}{}", new_code()?);
    let hash = hash(&token);
    Ok((Secret::new(token), hash))
}

/// The hash of an access token; `None` if it does not look like one.
pub(super) fn access_hash(token: &Secret) -> Option<[u8; 32]> {
    let random = token.expose().strip_prefix(ACCESS)?;
    (random.len() == 43).then(|| hash(token.expose()))
}

/// A refresh token: the family that it belongs to, and what only the last one of the family has.
pub(super) struct Refresh {
    pub(super) family: [u8; 16],
    random: [u8; 32],
}

impl Refresh {
    /// The first of a family.
    pub(super) fn first() -> Result<Self> {
        let mut family = [0; 16];
        password::random(&mut family)?;
        Self::next(family)
    }

    pub(super) fn next(family: [u8; 16]) -> Result<Self> {
        let mut random = [0; 32];
        password::random(&mut random)?;
        Ok(Self { family, random })
    }

    pub(super) fn parse(token: &Secret) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.expose().strip_prefix(REFRESH)?).ok()?;
        let (family, random) = bytes.split_first_chunk()?;
        Some(Self { family: *family, random: random.try_into().ok()? })
    }

    pub(super) fn text(&self) -> Secret {
        let bytes = [&self.family[..], &self.random].concat();
        Secret::new(format!("{REFRESH}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.random).into()
    }
}

/// 256 random bits as text, for codes and names of programs.
pub(super) fn new_code() -> Result<String> {
    let mut random = [0; 32];
    password::random(&mut random)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_recognised() {
        let (access, hash) = new_access().expect("random");
        assert_eq!(access_hash(&access), Some(hash));
        let first = Refresh::first().expect("random");
        let read = Refresh::parse(&first.text()).expect("reads");
        assert!(read.family == first.family && read.hash() == first.hash());
        let next = Refresh::next(first.family).expect("random");
        assert_ne!(next.hash(), first.hash());
        assert!(access_hash(&first.text()).is_none());
        for text in ["", "thub_r_", "thub_r_AAAA", "thub_r_=", access.expose()] {
            assert!(Refresh::parse(&Secret::new(text)).is_none(), "{text}");
        }
    }
}
