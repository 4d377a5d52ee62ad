//! The chain of those who passed a message on (RFC 8617 §5.2, steps 4 to 6). The signatures are
//! checked with mail-auth's keys; the chain is read by `hub-dkim`, because mail-auth takes seals
//! without an algorithm or with a tag given twice, and refuses signatures that rely on defaults.

use hub::AuthResult;
use hub_dkim::{BodyHash, Chain, Field, Set, Tags, algorithm, without_signature};
use mail_auth::AuthenticatedMessage;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::Canonicalization;

use crate::dns::{Dns, Missing};
use crate::message::is_bearable;

/// Why a chain is not good.
enum Trouble {
    Invalid,
    Temporary,
}

/// The last signature must fit the message and every seal the chain below it; older signatures
/// need not, messages change on their way.
pub(crate) async fn verify(
    dns: &Dns,
    message: &AuthenticatedMessage<'_>,
    chain: &Chain<'_>,
    hashes: &[BodyHash],
) -> AuthResult {
    match check(dns, message, chain, hashes).await {
        Ok(()) => AuthResult::Pass,
        Err(Trouble::Invalid) => AuthResult::Fail,
        Err(Trouble::Temporary) => AuthResult::TempError,
    }
}

async fn check(
    dns: &Dns,
    message: &AuthenticatedMessage<'_>,
    chain: &Chain<'_>,
    hashes: &[BodyHash],
) -> Result<(), Trouble> {
    let last = chain.last().ok_or(Trouble::Invalid)?;
    check_signature(dns, message, last, hashes).await?;
    for at in (0..chain.len()).rev() {
        check_seal(dns, &chain[..at], &chain[at]).await?;
    }
    Ok(())
}

async fn check_signature(
    dns: &Dns,
    message: &AuthenticatedMessage<'_>,
    set: &Set<'_>,
    hashes: &[BodyHash],
) -> Result<(), Trouble> {
    let forms = set.canonicalizations().ok_or(Trouble::Invalid)?;
    let names: Vec<String> = set.signed_names().ok_or(Trouble::Invalid)?.map(str::to_owned).collect();
    if !is_bearable(names.len(), message.headers.len()) {
        return Err(Trouble::Invalid);
    }
    let key = key(dns, &set.signature_tags).await?;
    let (name, value) = set.signature;
    let unsigned = without_signature(value);
    let fits = forms.into_iter().any(|(header, body)| {
        let mut fields = message.signed_headers(&names, name, &unsigned);
        set.signs(body, hashes) && is_signed(&key, &set.signature_tags, &mut fields, header)
    });
    if fits { Ok(()) } else { Err(Trouble::Invalid) }
}

/// RFC 8617 §5.1.1: a seal covers all sets up to its own, itself last.
async fn check_seal(dns: &Dns, before: &[Set<'_>], set: &Set<'_>) -> Result<(), Trouble> {
    let key = key(dns, &set.seal_tags).await?;
    let (name, value) = set.seal;
    let unsigned = without_signature(value);
    let fields = before.iter().flat_map(|set| [set.results, set.signature, set.seal]);
    let own: [Field<'_>; 3] = [set.results, set.signature, (name, &unsigned)];
    let mut fields = fields.chain(own);
    match is_signed(&key, &set.seal_tags, &mut fields, Canonicalization::Relaxed) {
        true => Ok(()),
        false => Err(Trouble::Invalid),
    }
}

fn is_signed<'f>(
    key: &DomainKey,
    tags: &Tags<'_>,
    fields: &mut dyn Iterator<Item = Field<'f>>,
    form: Canonicalization,
) -> bool {
    let (Some(signature), Some(algorithm)) = (tags.octets("b"), algorithm(tags)) else { return false };
    key.p.verify(fields, &signature, form, algorithm).is_ok()
}

async fn key(dns: &Dns, tags: &Tags<'_>) -> Result<DomainKey, Trouble> {
    let (Some(selector), Some(domain)) = (tags.text("s"), tags.text("d")) else {
        return Err(Trouble::Invalid);
    };
    let name = format!("{selector}._domainkey.{}.", mail_auth::common::to_a_label(domain));
    dns.parsed::<DomainKey>(&name).await.map_err(|missing| match missing {
        Missing::Answer => Trouble::Temporary,
        Missing::Record => Trouble::Invalid,
    })
}
