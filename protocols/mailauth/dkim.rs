//! DKIM signatures (RFC 6376), verified by mail-auth and judged here.

use hub::{AuthResult, DkimVerdict};
use mail_auth::common::crypto::Algorithm;
use mail_auth::dkim::{DkimError, Signature};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, Error};

use crate::dns::Dns;

pub(crate) async fn check<'m>(dns: &Dns, message: &'m AuthenticatedMessage<'m>) -> Vec<DkimOutput<'m>> {
    dns.0.verify_dkim(message).await
}

/// What counts for DMARC: a signature that is acceptable here and not just valid.
pub(crate) fn acceptable<'m>(outputs: &[DkimOutput<'m>]) -> Vec<DkimOutput<'m>> {
    let counts =
        |output: &&DkimOutput<'m>| matches!(result(output), AuthResult::Pass | AuthResult::TempError);
    outputs.iter().filter(counts).cloned().collect()
}

/// Whether it is aligned is for DMARC to say.
pub(crate) fn verdict(output: &DkimOutput<'_>) -> DkimVerdict {
    let (domain, selector) = match output.signature() {
        Some(signature) => (signature.d.to_ascii_lowercase(), signature.s.clone()),
        None => Default::default(),
    };
    DkimVerdict { result: result(output), domain, selector, aligned: false }
}

fn result(output: &DkimOutput<'_>) -> AuthResult {
    if let Some(signature) = output.signature() {
        if signature.a == Algorithm::RsaSha1 {
            // RFC 8301 §3.1
            return AuthResult::Policy;
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

fn signs_from(signature: &Signature) -> bool {
    signature.h.iter().any(|name| name.trim().eq_ignore_ascii_case("from"))
}
