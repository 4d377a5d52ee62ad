//! A message as the signatures see it: the header in memory, the body only as hashes. So a message
//! of any size costs its header and one piece of its body.

use hub_dkim::BodyHash;
use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::HashAlgorithm;
use mail_auth::dkim::Canonicalization;

/// Signatures of one message that are looked at. Each costs a look-up and public-key arithmetic; a
/// message that went over several lists has half a dozen.
pub(crate) const MAX_SIGNATURES: usize = 10;

/// Names of `h=` times fields of the header: a thousand of each is beyond any mail.
const MOST_COMPARED: usize = 1_000_000;

/// Reads the header for signatures; `None` if it has no field at all. Of many signatures the first
/// ones are kept.
pub(crate) fn parse(header: &[u8], now: i64) -> Option<AuthenticatedMessage<'_>> {
    let mut message = AuthenticatedMessage::parse_with_opts(header, None, true)?;
    let fields = message.headers.len();
    message.dkim_headers.retain(|signature| is_bearable(signature.header.h.len(), fields));
    message.dkim_headers.truncate(MAX_SIGNATURES);
    // mail-auth has a clock of its own; whom ours has not expired, its must not.
    for signature in &mut message.dkim_headers {
        let signature = &mut signature.header;
        if signature.x > signature.t && signature.x as i64 > now {
            signature.x = 0;
        }
    }
    let mut errors = 0;
    message.errors.retain(|error| {
        errors += usize::from(matches!(error.header, mail_auth::Error::Dkim(_)));
        errors <= MAX_SIGNATURES
    });
    Some(message)
}

/// For each name in `h=` the fields are searched.
pub(crate) fn is_bearable(names: usize, fields: usize) -> bool {
    names.saturating_mul(fields) <= MOST_COMPARED
}

/// Puts the hashes of the body into the message. mail-auth has hashed an empty one.
pub(crate) fn set_body(message: &mut AuthenticatedMessage<'_>, hashes: &[BodyHash]) {
    for (canonicalization, algorithm, _, hash) in &mut message.body_hashes {
        let found = hashes.iter().find(|(of, _)| of == canonicalization);
        *hash = match (found, algorithm) {
            (Some((_, found)), HashAlgorithm::Sha256) => found.clone(),
            _ => Vec::new(), // matches no signature
        };
    }
}

/// The canonical forms that signatures ask for, `also` among them; SHA-1 is not worth a hash
/// (RFC 8301 §3.1).
pub(crate) fn wanted(
    message: &AuthenticatedMessage<'_>,
    also: impl IntoIterator<Item = Canonicalization>,
) -> Vec<Canonicalization> {
    let of_dkim = message.body_hashes.iter().filter(|(_, algorithm, ..)| *algorithm == HashAlgorithm::Sha256);
    let mut wanted = Vec::new();
    for canonicalization in of_dkim.map(|(canonicalization, ..)| *canonicalization).chain(also) {
        if !wanted.contains(&canonicalization) {
            wanted.push(canonicalization);
        }
    }
    wanted
}
