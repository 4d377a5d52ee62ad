//! DMARC (RFC 9989): does the domain in From stand behind the message?
//!
//! From may name several domains. RFC 9989 §5.3.1 leaves such mail out, which would be a way around
//! every policy: here, as in RFC 7489 §6.6.1, each of them is asked, and the strictest answer counts.

use std::net::IpAddr;

use hub::{AuthResult, DkimVerdict, DmarcPolicy, DmarcVerdict, SpfVerdict};
use mail_auth::common::to_a_label;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::dmarc::{Dmarc, Policy};
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DmarcOutput, DmarcResult, Parameters, SpfOutput, SpfResult,
};

use crate::answers::{Exists, Texts};
use crate::dkim::{self, Judged};
use crate::dns::{Dns, Missing};

/// Domains of authors that are asked; even two are hardly ever seen.
pub(crate) const MOST_AUTHORS: usize = 4;

/// Decides, and marks in `spf` and `signatures` what is aligned: with all domains, if there are several.
pub(crate) async fn check(
    dns: &Dns,
    message: &AuthenticatedMessage<'_>,
    signed: &[Judged<'_>],
    spf: &mut SpfVerdict,
    signatures: &mut [DkimVerdict],
) -> DmarcVerdict {
    let domains = author_domains(&message.from);
    let policy = match domains.len() {
        1..=MOST_AUTHORS => None,
        // Many a bounce is from nobody.
        0 if spf.of_helo => Some(DmarcPolicy::None),
        0 => Some(DmarcPolicy::Quarantine),
        _ => Some(DmarcPolicy::Reject),
    };
    if let Some(policy) = policy {
        let result = AuthResult::PermError;
        return DmarcVerdict { result, policy, domain: String::new(), wants_reports: false };
    }
    let acceptable = dkim::acceptable(signed);
    let mut texts = Texts::default();
    let mut found = Vec::with_capacity(domains.len());
    for domain in domains {
        found.push(check_author(dns, &mut texts, domain, &acceptable, spf, signatures).await);
    }
    spf.aligned = found.iter().all(|found| found.spf);
    for (n, signature) in signatures.iter_mut().enumerate() {
        signature.aligned = found.iter().all(|found| found.dkim[n]);
    }
    let verdicts = found.into_iter().map(|found| found.verdict);
    verdicts.max_by_key(strictness).unwrap_or_default()
}

/// In lower case and A-labels, each once.
pub(crate) fn author_domains(from: &[String]) -> Vec<String> {
    let mut domains = Vec::new();
    for (_, domain) in from.iter().filter_map(|address| address.rsplit_once('@')) {
        let domain = to_a_label(domain).to_ascii_lowercase();
        if !domain.is_empty() && !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    domains
}

/// What one author's domain says.
struct Found {
    verdict: DmarcVerdict,
    /// SPF's domain is in the author's organisation.
    spf: bool,
    /// The same of each signature that is valid.
    dkim: Vec<bool>,
}

async fn check_author(
    dns: &Dns,
    texts: &mut Texts,
    domain: String,
    acceptable: &[DkimOutput<'_>],
    spf: &SpfVerdict,
    signatures: &[DkimVerdict],
) -> Found {
    let message = AuthenticatedMessage { from: vec![format!("x@{domain}")], ..Default::default() };
    let exists = ask(dns, texts, &domain, spf, signatures).await;
    let spf_output = SpfOutput::new(spf.domain.clone()).with_result(spf_result(spf.result));
    let parameters = DmarcParameters::new(&message, acceptable, &spf.domain, &spf_output);
    let parameters = Parameters::new(parameters).with_txt_cache(&*texts).with_ipv4_cache(&exists);
    let output = dns.checks().verify_dmarc(parameters).await;
    let has_record = output.dmarc_record().is_some();
    let by_spf = match has_record {
        true => *output.spf_result() == DmarcResult::Pass,
        false => spf.result.is_pass() && answers_for(&spf.domain, &domain),
    };
    let by_dkim = *output.dkim_result() == DmarcResult::Pass;
    let is_aligned = |signature: &DkimVerdict| {
        signature.result.is_pass()
            && match has_record {
                true => by_dkim && is_near(&signature.domain, &domain),
                false => answers_for(&signature.domain, &domain),
            }
    };
    let dkim = signatures.iter().map(is_aligned).collect();
    let wants_reports = output.dmarc_record().is_some_and(|record| !record.rua().is_empty());
    let verdict = DmarcVerdict { result: result(&output), policy: policy(&output), wants_reports, domain };
    Found { verdict, spf: by_spf, dkim }
}

/// Asks for every record that the evaluation can need, and whether the author's domain exists.
async fn ask(
    dns: &Dns,
    texts: &mut Texts,
    author: &str,
    spf: &SpfVerdict,
    signatures: &[DkimVerdict],
) -> Exists {
    let names = tree(author);
    texts.ask::<Dmarc>(dns, names.iter().map(|name| record_of(name))).await;
    let Some(highest) = names.iter().rev().find(|name| texts.has(&record_of(name))) else {
        return Exists(true);
    };
    // Who is not below the highest record is in another organisation, whatever he publishes.
    let others = signatures.iter().map(|signature| &signature.domain).chain([&spf.domain]);
    let others: Vec<_> = others.map(|domain| to_a_label(domain).to_ascii_lowercase()).collect();
    let below = others.iter().filter(|domain| is_within(domain, highest));
    texts.ask::<Dmarc>(dns, below.flat_map(|domain| tree(domain)).map(record_of)).await;
    if texts.has(&record_of(author)) {
        return Exists(true);
    }
    let any = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    Exists(!matches!(dns.addresses(author, any).await, Err(Missing::Record)))
}

/// RFC 9989 §4.10: names that are asked, from the domain up; of a long name, the last seven labels.
fn tree(domain: &str) -> Vec<&str> {
    let starts = domain.match_indices('.').map(|(at, _)| &domain[at + 1..]);
    let above: Vec<&str> = starts.filter(|name| !name.is_empty()).collect();
    let skipped = above.len().saturating_sub(7);
    std::iter::once(domain).chain(above.into_iter().skip(skipped)).collect()
}

fn record_of(name: &str) -> String {
    format!("_dmarc.{name}.")
}

/// The more of it, the worse for the message.
fn strictness(verdict: &DmarcVerdict) -> u8 {
    match (verdict.result, verdict.policy) {
        (AuthResult::Fail, DmarcPolicy::Reject) => 7,
        (AuthResult::TempError, DmarcPolicy::Reject) => 6,
        (AuthResult::Fail, DmarcPolicy::Quarantine) => 5,
        (AuthResult::TempError, DmarcPolicy::Quarantine) => 4,
        (AuthResult::Fail, DmarcPolicy::None) => 3,
        (AuthResult::Pass, _) => 0,
        (AuthResult::None, _) => 1,
        _ => 2,
    }
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
    fn rfc9989_4_10_names_that_are_asked() {
        assert_eq!(tree("example.com"), ["example.com", "com"]);
        assert_eq!(tree("a.b.c.d.e.f.g.h.i")[..3], ["a.b.c.d.e.f.g.h.i", "c.d.e.f.g.h.i", "d.e.f.g.h.i"]);
        assert_eq!(
            tree("a.b.c.d.e.f.g.h"),
            ["a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h", "c.d.e.f.g.h", "d.e.f.g.h", "e.f.g.h", "f.g.h", "g.h", "h"]
        );
        assert_eq!(tree("com"), ["com"]);
    }

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
