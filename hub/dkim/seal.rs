//! Passing a message on (RFC 8617 §5.1): a set of three fields that says what was found out on arrival
//! and seals the sets before it.

use std::io;

use bytes::Bytes;
use mail_auth::common::crypto::SigningKey;

use crate::chain::{MAX_SETS, Set, State, fields, read};
use crate::key::Signer;
use crate::sign::{ARC, algorithm_name, body_hash, signature, signed_names, signed_with};

/// Seals a message: the fields with their line ends, to be put in front; empty if the chain has been
/// given up already. `results` is what Authentication-Results says, from our name on.
/// `passes`: the chain was valid on arrival.
pub fn seal(
    signer: &Signer,
    results: &str,
    passes: bool,
    header: &[u8],
    body: impl Iterator<Item = io::Result<Bytes>>,
    at: i64,
) -> io::Result<String> {
    let own = fields(header);
    let (before, cv) = match read(&own) {
        State::Absent => (Vec::new(), "none"),
        State::Whole(chain) if passes => (chain, "pass"),
        // RFC 8617 §5.1.2: who finds a chain broken may say so, or leave it alone. Nobody believes it
        // any more either way.
        State::Whole(_) | State::Broken => return Ok(String::new()),
    };
    let instance = before.len() + 1;
    if instance > MAX_SETS {
        return Ok(String::new());
    }
    let hash = body_hash(body)?;
    let results = format!(" i={instance}; {results}\r\n");
    let mut names = signed_names(&own);
    names.push("DKIM-Signature".to_owned());
    let tags = format!("i={instance}; t={at}");
    let signature = signature(signer, &tags, &names, &hash, &own)?;

    let Signer { domain, selector, key } = signer;
    let algorithm = algorithm_name(key.algorithm());
    let tags = format!("{tags}; a={algorithm}; d={domain}; s={selector}");
    let seal = format!(" {tags};\r\n\tcv={cv};\r\n\tb=");
    let sealed = before.iter().flat_map(|set: &Set<'_>| [set.results, set.signature, set.seal]);
    let sealed = sealed.chain([
        (&b"ARC-Authentication-Results"[..], results.as_bytes()),
        (ARC.as_bytes(), signature.as_bytes()),
        (b"ARC-Seal", seal.as_bytes()),
    ]);
    let seal = format!("{seal}{}\r\n", signed_with(signer, sealed.collect())?);
    Ok(format!("ARC-Seal:{seal}{ARC}:{signature}ARC-Authentication-Results:{results}"))
}
