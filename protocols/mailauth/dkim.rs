//! DKIM signatures (RFC 6376), verified by mail-auth and judged here.

use hub::{AuthResult, DkimVerdict};
use hub_dkim::Tags;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::verify::{DomainKey, VerifySignature as _};
use mail_auth::dkim::{DkimError, Signature};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, Error, Parameters};

use crate::answers::Texts;
use crate::dns::Dns;

/// A signature, mail-auth's opinion and ours.
pub(crate) struct Judged<'m> {
    output: DkimOutput<'m>,
    result: AuthResult,
}

/// The keys of all signatures.
pub(crate) async fn keys(dns: &Dns, message: &AuthenticatedMessage<'_>) -> Texts {
    let mut keys = Texts::default();
    let names = message.dkim_headers.iter().map(|signature| signature.header.domain_key());
    keys.ask::<DomainKey>(dns, names).await;
    keys
}

pub(crate) async fn check<'m>(
    dns: &Dns,
    message: &'m AuthenticatedMessage<'m>,
    keys: &'m Texts,
) -> Vec<Judged<'m>> {
    let mut judged = Vec::new();
    let parameters = Parameters::new(message).with_txt_cache(keys);
    for output in dns.checks().verify_dkim(parameters).await {
        let mut result = result(&output);
        if result.is_pass()
            && let Some(signature) = output.signature()
            && !is_key_for_mail(dns, &signature.domain_key()).await
        {
            result = AuthResult::PermError;
        }
        judged.push(Judged { output, result });
    }
    judged
}

/// RFC 6376 §3.6.1, `s=`: a key may be for other services only. mail-auth does not tell; the answer is in
/// the resolver's cache.
async fn is_key_for_mail(dns: &Dns, name: &str) -> bool {
    let records = dns.in_time(dns.txt(name)).await.unwrap_or_default();
    let mut services = records.iter().filter_map(|record| Tags::parse(record)?.value("s"));
    services.all(|services| services.split(':').map(str::trim_ascii).any(|of| matches!(of, "*" | "email")))
}

/// What counts for DMARC: a signature that is acceptable here and not just valid.
pub(crate) fn acceptable<'m>(judged: &[Judged<'m>]) -> Vec<DkimOutput<'m>> {
    let counts = |judged: &&Judged<'m>| matches!(judged.result, AuthResult::Pass | AuthResult::TempError);
    judged.iter().filter(counts).map(|judged| judged.output.clone()).collect()
}

/// Whether it is aligned is for DMARC to say.
pub(crate) fn verdict(judged: &Judged<'_>) -> DkimVerdict {
    let (domain, selector) = match judged.output.signature() {
        Some(signature) => (signature.d.to_ascii_lowercase(), signature.s.clone()),
        None => Default::default(),
    };
    DkimVerdict { result: judged.result, domain, selector, aligned: false }
}

fn result(output: &DkimOutput<'_>) -> AuthResult {
    if let Some(signature) = output.signature() {
        if signature.a == Algorithm::RsaSha1 {
            // RFC 8301 §3.1
            return AuthResult::Policy;
        }
        if !is_domain(&signature.d) {
            // RFC 6376 §3.5: a reader must not take "a.example(.b.example" for the domain of another.
            return AuthResult::PermError;
        }
        if !signs_from(signature) {
            // RFC 6376 §5.4
            return AuthResult::PermError;
        }
    }
    match output.result() {
        DkimResult::Pass => AuthResult::Pass,
        DkimResult::Fail(_) => AuthResult::Fail,
        // mail-auth's "neutral" is also a body that was changed.
        DkimResult::Neutral(Error::Dkim(DkimError::FailedBodyHashMatch | DkimError::SignatureExpired)) => {
            AuthResult::Fail
        }
        // RFC 8601 §2.7.1: with a part of the body unsigned, anything can be put behind it.
        DkimResult::Neutral(Error::Dkim(DkimError::SignatureLength)) => AuthResult::Policy,
        DkimResult::Neutral(_) => AuthResult::Neutral,
        DkimResult::PermError(_) => AuthResult::PermError,
        DkimResult::TempError(_) => AuthResult::TempError,
        DkimResult::None => AuthResult::None,
    }
}

/// `sub-domain *("." sub-domain)`, in whatever script.
fn is_domain(domain: &str) -> bool {
    let letters = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || !c.is_ascii();
    domain.split('.').all(|label| !label.is_empty() && label.chars().all(letters))
}

fn signs_from(signature: &Signature) -> bool {
    signature.h.iter().any(|name| name.trim().eq_ignore_ascii_case("from"))
}
