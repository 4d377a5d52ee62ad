//! `OC-Checksum`: what ownCloud's and Nextcloud's clients know about the bytes that they send.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::head;
use crate::status::Refusal;

/// The checksum that was announced, and that of the bytes so far.
pub(crate) enum Checksum {
    None,
    Sha1(Sha1, String),
    Sha256(Sha256, String),
}

impl Checksum {
    /// `OC-Checksum: SHA1:2fd4e1c6…`. Other algorithms are kept with the file, but not computed: those
    /// who send MD5 or ADLER32 do not look at the answer.
    pub(crate) fn expected(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(field) = head::named(headers, "oc-checksum") else { return Ok(Self::None) };
        let malformed = Refusal::Status(StatusCode::BAD_REQUEST, "OC-Checksum is not ALGORITHM:HEX.");
        let (algorithm, hex) = field.split_once(':').ok_or(malformed)?;
        let hex = hex.to_ascii_lowercase();
        Ok(match algorithm.to_ascii_uppercase().as_str() {
            "SHA1" => Self::Sha1(Sha1::new(), hex),
            "SHA256" => Self::Sha256(Sha256::new(), hex),
            _ => Self::None,
        })
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::None => {}
            Self::Sha1(digest, _) => digest.update(piece),
            Self::Sha256(digest, _) => digest.update(piece),
        }
    }

    /// ownCloud says 400, too.
    pub(crate) fn check(self) -> Result<(), Refusal> {
        let is_right = match self {
            Self::None => true,
            Self::Sha1(digest, hex) => lower_hex(&digest.finalize()) == hex,
            Self::Sha256(digest, hex) => lower_hex(&digest.finalize()) == hex,
        };
        match is_right {
            true => Ok(()),
            false => Err(Refusal::Status(StatusCode::BAD_REQUEST, "The bytes do not have the OC-Checksum.")),
        }
    }
}

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn checksums() {
        for (field, fits) in [
            ("SHA1:a9993e364706816aba3e25717850c26c9cd0d89d", Some(true)),
            ("sha1:A9993E364706816ABA3E25717850C26C9CD0D89D", Some(true)),
            ("SHA1:00", Some(false)),
            ("SHA256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Some(true)),
            ("SHA256:ba", Some(false)),
            ("MD5:00", Some(true)),
            ("abc", None),
        ] {
            let field = HeaderValue::from_static(field);
            let headers: HeaderMap =
                [(HeaderName::from_static("oc-checksum"), field.clone())].into_iter().collect();
            let checked = Checksum::expected(&headers).ok().map(|mut checksum| {
                checksum.update(b"a");
                checksum.update(b"bc");
                checksum.check().is_ok()
            });
            assert_eq!(checked, fits, "{field:?}");
        }
    }
}
