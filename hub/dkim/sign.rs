//! The field DKIM-Signature.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mail_auth::common::crypto::{Algorithm, SigningKey};
use mail_auth::common::headers::{Writable, Writer};
use mail_auth::dkim::Canonicalization;

use crate::body::hashes;
use crate::chain::{Field, fields};
use crate::key::Signer;

/// Octets of a header that is signed, and fields of it.
const MAX_HEADER: usize = 1 << 20;
/// Occurrences of one name that are signed; more is no message.
const MAX_SAME: usize = 20;
/// Characters of a line that we fold.
const LINE: usize = 70;

/// Signed if present, and once more than present: then nobody can add another one (RFC 6376 §5.4.2,
/// §8.15).
const OVERSIGNED: [&str; 14] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
];
/// Signed as far as present: lists replace these, and may.
const SIGNED: [&str; 8] = [
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Post",
    "List-Help",
    "Auto-Submitted",
    "Resent-From",
    "TLS-Required",
];

/// Signs with every key: a field each, with its line end. The header ends with the empty line. `at` in
/// Unix seconds. Nothing, if there is no author to sign for.
pub fn sign(
    signers: &[Signer],
    header: &[u8],
    body: impl Iterator<Item = io::Result<Bytes>>,
    at: i64,
) -> io::Result<String> {
    let mut out = String::new();
    let fields = fields(header);
    let has_author = fields.iter().any(|(name, _)| is(name, "From"));
    if signers.is_empty() || !has_author || header.len() > MAX_HEADER {
        return Ok(out);
    }
    let hash = body_hash(body)?;
    let names = signed_names(&fields);
    for signer in signers {
        let value = signature(signer, &format!("v=1; t={at}"), &names, &hash, &fields)?;
        out.push_str(&format!("{DKIM}:{value}"));
    }
    Ok(out)
}

const DKIM: &str = "DKIM-Signature";
pub(crate) const ARC: &str = "ARC-Message-Signature";

/// `bh=`
pub(crate) fn body_hash(body: impl Iterator<Item = io::Result<Bytes>>) -> io::Result<String> {
    let mut hashed = hashes(&[Canonicalization::Relaxed], body)?;
    Ok(STANDARD.encode(hashed.pop().map(|(_, hash)| hash).unwrap_or_default()))
}

/// The value of a signature field; `tags` are those in which DKIM and ARC differ.
pub(crate) fn signature(
    signer: &Signer,
    tags: &str,
    names: &[String],
    hash: &str,
    fields: &[Field<'_>],
) -> io::Result<String> {
    let own = if tags.starts_with("v=") { DKIM } else { ARC };
    let Signer { domain, selector, key } = signer;
    let algorithm = algorithm_name(key.algorithm());
    let head = format!(
        " {tags}; a={algorithm}; c=relaxed/relaxed;\r\n\td={domain}; s={selector};\r\n\th={};\r\n\tbh={hash};\r\n\tb=",
        folded(names)
    );
    let mut signed = in_order(fields, names);
    signed.push((own.as_bytes(), head.as_bytes()));
    Ok(format!("{head}{}\r\n", signed_with(signer, signed)?))
}

/// In Base64, folded. The last field is the one that the signature goes into, without line end.
pub(crate) fn signed_with(signer: &Signer, fields: Vec<Field<'_>>) -> io::Result<String> {
    let signature = STANDARD.encode(signer.key.sign(Input(fields)).map_err(io::Error::other)?);
    let lines: Vec<&str> =
        signature.as_bytes().chunks(LINE).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    Ok(lines.join("\r\n\t "))
}

/// Names separated by colons, in lines of bearable length.
fn folded(names: &[String]) -> String {
    let mut out = String::new();
    let mut width = 0;
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            out.push(':');
        }
        if width + name.len() > LINE {
            out.push_str("\r\n\t ");
            width = 0;
        }
        out.push_str(name);
        width += name.len() + 1;
    }
    out
}

struct Input<'a>(Vec<Field<'a>>);

impl Writable for Input<'_> {
    fn write(self, writer: &mut impl Writer) {
        Canonicalization::Relaxed.canonicalize_headers(self.0.into_iter(), writer);
    }
}

/// `h=`
pub(crate) fn signed_names(fields: &[Field<'_>]) -> Vec<String> {
    let count = |wanted: &str| fields.iter().filter(|(name, _)| is(name, wanted)).count().min(MAX_SAME);
    let over = OVERSIGNED.iter().map(|name| (name, count(name) + 1));
    let plain = SIGNED.iter().map(|name| (name, count(name)));
    over.chain(plain).flat_map(|(name, times)| std::iter::repeat_n(name.to_string(), times)).collect()
}

/// RFC 6376 §5.4.2: of several fields of a name the last one comes first.
pub(crate) fn in_order<'m>(fields: &[Field<'m>], names: &[String]) -> Vec<Field<'m>> {
    let mut used = vec![false; fields.len()];
    let mut out = Vec::with_capacity(names.len());
    for wanted in names {
        let found = (0..fields.len()).rev().find(|n| !used[*n] && is(fields[*n].0, wanted));
        if let Some(n) = found {
            used[n] = true;
            out.push(fields[n]);
        }
    }
    out
}

fn is(name: &[u8], wanted: &str) -> bool {
    name.trim_ascii_end().eq_ignore_ascii_case(wanted.as_bytes())
}

/// The name of an algorithm in `a=`.
pub(crate) fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519Sha256 => "ed25519-sha256",
        Algorithm::RsaSha1 | Algorithm::RsaSha256 => "rsa-sha256",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6376_5_4_2_what_is_signed_and_in_which_order() {
        let header = b"Received: x\r\nFrom: a\r\nTo: b\r\n c\r\nfrom: d\r\n\r\n";
        let fields = fields(header);
        let names = signed_names(&fields);
        assert_eq!(names.iter().filter(|name| *name == "From").count(), 3, "once more than present");
        assert_eq!(names.iter().filter(|name| *name == "Subject").count(), 1, "may not be added");
        assert!(!names.iter().any(|name| name == "Received" || name == "List-Id"), "{names:?}");
        let ordered: Vec<&[u8]> = in_order(&fields, &names).into_iter().map(|(_, value)| value).collect();
        assert_eq!(ordered, [&b" d\r\n"[..], b" a\r\n", b" b\r\n c\r\n"]);
    }

    #[test]
    fn nothing_to_sign() {
        let none = || std::iter::empty::<io::Result<Bytes>>();
        assert_eq!(sign(&[], b"From: a\r\n\r\n", none(), 0).expect("signed"), "");
        let (secret, _) = crate::generate(crate::Algorithm::Ed25519).expect("made");
        let signer = Signer::new("a.example", "s", crate::Algorithm::Ed25519, &secret).expect("a key");
        assert_eq!(sign(&[signer], b"Subject: a\r\n\r\n", none(), 0).expect("signed"), "");
        assert!(Signer::new("a.example", "s", crate::Algorithm::Rsa, &secret).is_none());
    }
}
