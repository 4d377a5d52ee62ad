//! The hub's own key (Ed25519): with it the hub signs as a hub, apart from any twin.

use std::path::Path;

use rcgen::{KeyPair, PKCS_ED25519};

use crate::Error;
use crate::files::write_atomically;
use crate::loaded::read;

/// Reads the hub key from `path` (PEM, PKCS #8), or makes one if there is no file. A file that
/// holds something else is an error: peers know the hub by this key, it must not be replaced.
pub fn hub_key(path: &Path) -> Result<KeyPair, Error> {
    if !path.exists() {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        write_atomically(path, key.serialize_pem().as_bytes(), 0o600)
            .map_err(|error| Error::file(path, error))?;
        return Ok(key);
    }
    let damaged = |why: &dyn std::fmt::Display| {
        Error::file(path, format!("this is not the hub's key ({why}); restore it from a backup"))
    };
    let pem = String::from_utf8(read(path)?).map_err(|_| damaged(&"not text"))?;
    let key = KeyPair::from_pem(&pem).map_err(|error| damaged(&error))?;
    if key.algorithm() != &PKCS_ED25519 {
        return Err(damaged(&"not an Ed25519 key"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn made_once_and_kept() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path().join("hub.key");
        let made = hub_key(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&path).expect("text").starts_with("-----BEGIN PRIVATE KEY-----"));
        let read = hub_key(&path).expect("read");
        assert_eq!(made.public_key_raw(), read.public_key_raw());
        assert_eq!(made.public_key_raw().len(), 32);
    }

    #[test]
    fn a_damaged_key_is_named_and_left_alone() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let path = folder.path().join("hub.key");
        let other = KeyPair::generate().expect("a P-256 key").serialize_pem();
        for content in ["", "rubbish", &other] {
            fs::write(&path, content).expect("writes");
            let error = hub_key(&path).expect_err("damaged").to_string();
            assert!(error.contains("hub.key: this is not the hub's key"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("reads"), content);
        }
    }
}
