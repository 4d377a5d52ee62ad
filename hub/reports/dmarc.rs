//! Mail that claims a domain (DMARC aggregate reports, RFC 9990): what is counted of a message.

use std::net::IpAddr;

use super::ReportKind;
use crate::{AuthResult, DmarcPolicy, Hub, Result, Verdict};

/// What is reported of a message; equal ones are counted together (RFC 9990 §3.1.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcFacts {
    pub source: IpAddr,
    pub header_from: String,
    pub envelope_from: String,
    pub of_helo: bool,
    pub spf: AuthResult,
    pub spf_aligned: bool,
    /// Domain, selector and result of each signature.
    pub dkim: Vec<(String, String, AuthResult)>,
    pub dkim_aligned: bool,
    pub action: DmarcPolicy,
}

impl Hub {
    /// Counts a message for the report to the domain that its author claims, if that wants reports.
    pub fn count_for_report(&self, verdict: &Verdict) {
        if verdict.dmarc.wants_reports {
            self.count(ReportKind::Dmarc, &verdict.dmarc.domain, DmarcFacts::of(verdict).write());
        }
    }

    /// What there is to report of a day (counted since 1970-01-01) to a domain, with counts.
    pub async fn report_facts(&self, day: i64, domain: &str) -> Result<Vec<(DmarcFacts, u64)>> {
        let counts = self.counts(ReportKind::Dmarc, day, domain).await?;
        Ok(counts.iter().filter_map(|(facts, number)| Some((DmarcFacts::read(facts)?, *number))).collect())
    }
}

impl DmarcFacts {
    fn of(verdict: &Verdict) -> Self {
        let signatures = verdict.dkim.iter().filter(|signature| !signature.domain.is_empty());
        Self {
            source: verdict.peer,
            header_from: verdict.dmarc.domain.clone(),
            envelope_from: verdict.spf.domain.clone(),
            of_helo: verdict.spf.of_helo,
            spf: verdict.spf.result,
            spf_aligned: verdict.spf.aligned,
            dkim: signatures.map(|s| (s.domain.clone(), s.selector.clone(), s.result)).collect(),
            dkim_aligned: verdict.dkim.iter().any(|s| s.result.is_pass() && s.aligned),
            action: verdict.action,
        }
    }

    /// Fields separated by spaces, which no domain and no selector has.
    fn write(&self) -> String {
        let word = |text: &str| -> String {
            let text: String = text.chars().filter(|c| c.is_ascii_graphic()).take(255).collect();
            if text.is_empty() { "-".to_owned() } else { text }
        };
        let mut out = format!(
            "{} {} {} {} {} {} {} {}",
            self.source,
            word(&self.header_from),
            word(&self.envelope_from),
            if self.of_helo { "helo" } else { "mfrom" },
            self.spf,
            self.spf_aligned,
            self.dkim_aligned,
            self.action
        );
        for (domain, selector, result) in &self.dkim {
            out.push_str(&format!(" {} {} {result}", word(domain), word(selector)));
        }
        out
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let mut facts = Self {
            source: next()?.parse().ok()?,
            header_from: next()?.to_owned(),
            envelope_from: Some(next()?).filter(|word| *word != "-").unwrap_or_default().to_owned(),
            of_helo: false,
            spf: AuthResult::None,
            spf_aligned: false,
            dkim: Vec::new(),
            dkim_aligned: false,
            action: DmarcPolicy::None,
        };
        facts.of_helo = next()? == "helo";
        facts.spf = result(next()?)?;
        facts.spf_aligned = next()? == "true";
        facts.dkim_aligned = next()? == "true";
        facts.action = policy(next()?)?;
        while let Some(domain) = next() {
            facts.dkim.push((domain.to_owned(), next()?.to_owned(), result(next()?)?));
        }
        Some(facts)
    }
}

fn result(name: &str) -> Option<AuthResult> {
    use AuthResult::{Fail, Neutral, Pass, PermError, Policy, SoftFail, TempError};
    [Fail, Neutral, AuthResult::None, Pass, PermError, Policy, SoftFail, TempError]
        .into_iter()
        .find(|result| result.to_string() == name)
}

fn policy(name: &str) -> Option<DmarcPolicy> {
    [DmarcPolicy::None, DmarcPolicy::Quarantine, DmarcPolicy::Reject]
        .into_iter()
        .find(|policy| policy.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = DmarcFacts {
            source: "2001:db8::1".parse().expect("an address"),
            header_from: "a.example".into(),
            envelope_from: "bounce.a-b.example".into(),
            of_helo: true,
            spf: AuthResult::SoftFail,
            spf_aligned: true,
            dkim: vec![
                ("a.example".into(), "s1".into(), AuthResult::Pass),
                ("b.example".into(), "s2".into(), AuthResult::PermError),
            ],
            dkim_aligned: true,
            action: DmarcPolicy::Quarantine,
        };
        assert_eq!(DmarcFacts::read(&facts.write()), Some(facts.clone()));
        let plain = DmarcFacts { envelope_from: String::new(), dkim: Vec::new(), ..facts };
        assert_eq!(DmarcFacts::read(&plain.write()), Some(plain));
        for text in ["", "x", "192.0.2.1 a b", "192.0.2.1 a b helo pass true true none c"] {
            assert_eq!(DmarcFacts::read(text), None, "{text}");
        }
    }
}
