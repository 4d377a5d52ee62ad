//! The key of the certificates that the hub makes and orders. It stays the same from one to the next, so
//! that what DNS says of it (TLSA, RFC 7672 §8.1) stays true; who wants another deletes the files.

use std::fs;
use std::path::Path;

use rcgen::KeyPair;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";

/// The key in the first of these files that has one (PEM, beside its certificate), else a new one.
pub(crate) fn of(files: [&Path; 2]) -> Result<KeyPair, rcgen::Error> {
    let known = files.into_iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        KeyPair::from_pem(&text[text.find(BEGIN)?..]).ok()
    });
    known.map_or_else(KeyPair::generate, Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let (one, other) = (folder.path().join("one.pem"), folder.path().join("other.pem"));
        let first = of([&one, &other]).expect("made");
        let made = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("parameters");
        let certificate = made.self_signed(&first).expect("signed").pem();
        fs::write(&other, format!("{certificate}{}", first.serialize_pem())).expect("written");
        assert_eq!(of([&one, &other]).expect("read").serialize_der(), first.serialize_der());
        fs::write(&one, "damaged").expect("written");
        assert_eq!(of([&one, &other]).expect("read").serialize_der(), first.serialize_der());
        fs::write(&other, certificate).expect("written");
        assert_ne!(of([&one, &other]).expect("made").serialize_der(), first.serialize_der());
    }
}
