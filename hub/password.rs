//! Secrets and how they are kept: argon2id for passwords people choose, SCRAM keys beside it, a plain
//! hash for app passwords (they have 80 random bits, so nothing is gained by making it slow).

use std::borrow::Cow;
use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Error, Result};

/// Iterations of SCRAM's PBKDF2: above RFC 7677's least of 4096, below what a phone notices.
const SCRAM_ITERATIONS: u32 = 10_000;
/// Without letters that look alike. 32 letters, so that a byte's low five bits choose one evenly.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const _: () = assert!(ALPHABET.len() == 32);
/// 16 letters of 5 bits: 80 bits.
const APP_PASSWORD_LENGTH: usize = 16;

/// A password, key or token. Never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new random secret of 80 bits, in four groups that can be read out: `abcd-efgh-ijkm-npqr`.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; APP_PASSWORD_LENGTH];
        random(&mut bytes)?;
        let mut text = String::new();
        for (n, byte) in bytes.iter().enumerate() {
            if n > 0 && n % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(byte & 31)]));
        }
        Ok(Self(text))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a SCRAM-SHA-256 server needs to know of a user (RFC 5802 §3, RFC 7677).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredentials {
    pub salt: Vec<u8>,
    pub iterations: u32,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

impl ScramCredentials {
    fn derive(password: &Secret, salt: Vec<u8>) -> Self {
        let salted: [u8; 32] =
            pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(prepared(password).as_bytes(), &salt, SCRAM_ITERATIONS);
        let client_key = hmac_sha256(&salted, b"Client Key");
        Self {
            salt,
            iterations: SCRAM_ITERATIONS,
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac_sha256(&salted, b"Server Key"),
        }
    }

    /// Made up from the name alone: the same each time, and nobody's (RFC 5802 §9).
    pub(crate) fn of_nobody(hub_key: &[u8; 32], name: &str) -> Self {
        let salt = hmac_sha256(hub_key, name.as_bytes());
        Self {
            salt: salt[..16].to_vec(),
            iterations: SCRAM_ITERATIONS,
            stored_key: hmac_sha256(hub_key, &salt),
            server_key: hmac_sha256(&salt, hub_key),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        [&self.iterations.to_be_bytes()[..], &self.stored_key, &self.server_key, &self.salt].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (iterations, rest) = bytes.split_first_chunk::<4>()?;
        let (stored_key, rest) = rest.split_first_chunk::<32>()?;
        let (server_key, salt) = rest.split_first_chunk::<32>()?;
        Some(Self {
            salt: salt.to_vec(),
            iterations: u32::from_be_bytes(*iterations),
            stored_key: *stored_key,
            server_key: *server_key,
        })
    }
}

/// A password as it is kept.
pub(crate) struct Kept {
    /// argon2id in PHC form, default cost (19 MiB, 2 passes).
    pub(crate) hash: String,
    pub(crate) scram: Vec<u8>,
}

/// Hashes a password. Takes tens of milliseconds of CPU; call it on a blocking thread.
pub(crate) fn keep(password: &Secret) -> Result<Kept> {
    let hash = Argon2::default()
        .hash_password(prepared(password).as_bytes())
        .map_err(|error| Error::Invalid(format!("the password cannot be hashed: {error}")))?
        .to_string();
    let mut salt = vec![0; 16];
    random(&mut salt)?;
    Ok(Kept { hash, scram: ScramCredentials::derive(password, salt).encode() })
}

/// Checks a password against a PHC string; an empty or damaged one never matches. As slow as `keep`.
pub(crate) fn verify(password: &Secret, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(prepared(password).as_bytes(), &hash).is_ok())
}

/// SASLprep (RFC 4013), as RFC 5802 §2.2 and RFC 4616 §2 ask for: whether a keyboard composes its é does
/// not matter. What it forbids stays as it is: nobody is to be locked out for an odd password.
fn prepared(password: &Secret) -> Cow<'_, str> {
    stringprep::saslprep(&password.0).unwrap_or(Cow::Borrowed(&password.0))
}

/// The hash of an app password, or `None` if the text does not look like one. Spaces, dashes and
/// case do not matter: people type it into phones.
pub(crate) fn app_password_hash(secret: &Secret) -> Option<[u8; 32]> {
    let letters: Vec<u8> = secret
        .0
        .bytes()
        .filter(|b| !matches!(b, b' ' | b'-'))
        .map(|b| b.to_ascii_lowercase())
        .take(APP_PASSWORD_LENGTH + 1)
        .collect();
    let fits = letters.len() == APP_PASSWORD_LENGTH && letters.iter().all(|b| ALPHABET.contains(b));
    fits.then(|| Sha256::digest(&letters).into())
}

pub(crate) fn same_hash(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| Error::Unavailable(hub_storage::Error::Busy))
}

pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_verified() {
        let kept = keep(&Secret::new("correct horse")).expect("hashes");
        assert!(verify(&Secret::new("correct horse"), &kept.hash));
        assert!(!verify(&Secret::new("correct hors"), &kept.hash));
        assert!(!verify(&Secret::new(""), ""));
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }

    /// RFC 7677 §3: user "user", password "pencil"; the proof there verifies against these keys.
    #[test]
    fn rfc7677_keys() {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let salted: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(b"pencil", &salt, 4096);
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_key = hmac_sha256(&salted, b"Server Key");
        let signature = BASE64_STANDARD.encode(hmac_sha256(&server_key, auth_message.as_bytes()));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn passwords_are_prepared() {
        // RFC 4013 §3, the last two forbidden there.
        for (typed, meant) in
            [("I\u{ad}X", "IX"), ("user", "user"), ("\u{aa}", "a"), ("\u{2168}", "IX"), ("\u{7}", "\u{7}")]
        {
            assert_eq!(prepared(&Secret::new(typed)), meant);
        }
        let kept = keep(&Secret::new("Cafe\u{301}")).expect("kept");
        assert!(verify(&Secret::new("Café"), &kept.hash));
    }

    #[test]
    fn scram_credentials_are_read_back() {
        let credentials = ScramCredentials::derive(&Secret::new("pencil"), vec![7; 16]);
        let read = ScramCredentials::decode(&credentials.encode()).expect("decodes");
        assert!(read == credentials);
        assert!(ScramCredentials::decode(&[0; 10]).is_none());
    }

    #[test]
    fn app_passwords_are_forgiving_of_typing() {
        let secret = Secret::generate().expect("random");
        let hash = app_password_hash(&secret).expect("looks like one");
        let typed = secret.expose().to_uppercase().replace('-', " ");
        assert_eq!(app_password_hash(&Secret::new(typed)), Some(hash));
        assert_eq!(app_password_hash(&Secret::new("hunter2")), None);
        assert_ne!(secret.expose(), Secret::generate().expect("random").expose());
    }
}
