//! What a certificate authority finds at `/.well-known/acme-challenge/TOKEN` (RFC 8555 §8.3).

use crate::Service;
use crate::reply::{self, Reply, document};

const FOLDER: &str = "/.well-known/acme-challenge/";

/// The token is base64url (RFC 8555 §8.3).
pub(crate) fn token(path: &str) -> Option<&str> {
    let token = path.strip_prefix(FOLDER)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (!token.is_empty() && token.bytes().all(fits)).then_some(token)
}

pub(crate) fn answer(service: &Service, path: &str) -> Reply {
    let Some(proof) = token(path).and_then(|token| (service.challenges)(token)) else {
        return reply::not_found();
    };
    document("application/octet-stream", proof)
}
