//! Hashes of a body in pieces, so that a message of any size costs one piece of it.

use std::io;

use bytes::Bytes;
use mail_auth::common::crypto::{HashContext, HashImpl, Sha256};
use mail_auth::dkim::Canonicalization;
use mail_auth::dkim::canonicalize::BodyHasher;

pub type BodyHash = (Canonicalization, Vec<u8>);

/// SHA-256 of the body in each canonical form wanted; without any it is not read.
pub fn hashes(
    wanted: &[Canonicalization],
    body: impl Iterator<Item = io::Result<Bytes>>,
) -> io::Result<Vec<BodyHash>> {
    let hasher = |form: &Canonicalization| (*form, BodyHasher::new(Sha256::hasher(), *form, 0));
    let mut hashers: Vec<_> = wanted.iter().map(hasher).collect();
    if !hashers.is_empty() {
        for piece in body {
            let piece = piece?;
            hashers.iter_mut().for_each(|(_, hasher)| hasher.write(&piece));
        }
    }
    let hashed = hashers.into_iter().map(|(form, hasher)| {
        let (hasher, _) = hasher.finish();
        (form, hasher.complete().as_ref().to_vec())
    });
    Ok(hashed.collect())
}
