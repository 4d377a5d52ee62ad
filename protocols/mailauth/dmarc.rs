//! DMARC (RFC 9989): does the domain in From stand behind the message?

use hub::{AuthResult, DkimVerdict, DmarcPolicy, DmarcVerdict, SpfVerdict};
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{AuthenticatedMessage, DmarcOutput, DmarcResult, SpfOutput, SpfResult};

use crate::dkim::{self, Judged};
use crate::dns::Dns;

/// Decides, and marks in `spf` and `signatures` what is aligned.
pub(crate) async fn check(
    dns: &Dns,
    message: &AuthenticatedMessage<'_>,
    signed: &[Judged<'_>],
    spf: &mut SpfVerdict,
    signatures: &mut [DkimVerdict],
) -> DmarcVerdict {
    let acceptable = dkim::acceptable(signed);
    let spf_output = SpfOutput::new(spf.domain.clone()).with_result(spf_result(spf.result));
    let output = dns
        .0
        .verify_dmarc(DmarcParameters {
            message,
            dkim_output: &acceptable,
            dkim2_output: None,
            rfc5321_mail_from_domain: &spf.domain,
            spf_output: &spf_output,
        })
        .await;
    let has_record = output.dmarc_record().is_some();
    let domain = output.domain().to_owned();
    spf.aligned = match has_record {
        true => *output.spf_result() == DmarcResult::Pass,
        false => spf.result.is_pass() && answers_for(&spf.domain, &domain),
    };
    let by_dkim = *output.dkim_result() == DmarcResult::Pass;
    for signature in signatures.iter_mut().filter(|signature| signature.result.is_pass()) {
        signature.aligned = match has_record {
            true => by_dkim && is_near(&signature.domain, &domain),
            false => answers_for(&signature.domain, &domain),
        };
    }
    let wants_reports = output.dmarc_record().is_some_and(|record| !record.rua().is_empty());
    DmarcVerdict { result: result(&output), policy: policy(&output), wants_reports, domain }
}

/// Without a record nobody tells where an organisation ends; then a domain is answered for by itself
/// and by what it is a part of, but not by its own subdomains, which may be other people's.
fn answers_for(domain: &str, author: &str) -> bool {
    !domain.is_empty() && is_within(author, domain) && domain.contains('.')
}

/// In one organisation, if there is a signature of it among several: the last two labels say which.
fn is_near(domain: &str, author: &str) -> bool {
    let ending = |name: &str| name.rsplitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
    ending(domain) == ending(author)
}

fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn result(output: &DmarcOutput) -> AuthResult {
    match output.result() {
        DmarcResult::Pass => AuthResult::Pass,
        DmarcResult::Fail(_) => AuthResult::Fail,
        DmarcResult::TempError(_) => AuthResult::TempError,
        DmarcResult::PermError(_) => AuthResult::PermError,
        DmarcResult::None => AuthResult::None,
    }
}

fn policy(output: &DmarcOutput) -> DmarcPolicy {
    match output.policy() {
        Policy::Quarantine => DmarcPolicy::Quarantine,
        Policy::Reject => DmarcPolicy::Reject,
        Policy::None | Policy::Unspecified => DmarcPolicy::None,
    }
}

fn spf_result(result: AuthResult) -> SpfResult {
    match result {
        AuthResult::Pass => SpfResult::Pass,
        AuthResult::Fail => SpfResult::Fail,
        AuthResult::SoftFail => SpfResult::SoftFail,
        AuthResult::Neutral => SpfResult::Neutral,
        AuthResult::TempError => SpfResult::TempError,
        AuthResult::PermError => SpfResult::PermError,
        AuthResult::None | AuthResult::Policy => SpfResult::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_without_a_record() {
        for (domain, author, does) in [
            ("example.org", "example.org", true),
            ("example.org", "news.example.org", true),
            ("evil.hosting.example", "hosting.example", false),
            ("example", "mail.example", false),
            ("ample.org", "example.org", false),
            ("", "example.org", false),
        ] {
            assert_eq!(answers_for(domain, author), does, "{domain} for {author}");
        }
    }
}
