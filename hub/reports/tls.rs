//! TLS on the way out (SMTP TLS reporting, RFC 8460): what is counted of a session.

use std::fmt;
use std::net::IpAddr;

use super::ReportKind;
use crate::{Hub, Result};

/// Lines of a policy that are kept for the report.
const MOST_LINES: usize = 30;
/// Characters of one of them, or of a reason.
const MOST_CHARACTERS: usize = 255;

/// An attempt to have TLS with a host; equal ones are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    pub policy: TlsPolicy,
    /// `None`: it went as the policy asks.
    pub failure: Option<Unsecured>,
}

/// What was applied to it (RFC 8460 §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPolicy {
    pub kind: TlsPolicyKind,
    /// Whose policy it is: the recipients' domain, or the host that has the TLSA records.
    pub domain: String,
    /// The lines of an MTA-STS policy, or TLSA records.
    pub text: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicyKind {
    NoPolicyFound,
    Sts,
    Tlsa,
}

/// How a session failed its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsecured {
    pub failure: TlsFailure,
    /// Our address and theirs, if it came to a connection.
    pub from: Option<IpAddr>,
    pub to: Option<IpAddr>,
    /// Empty if it is not about one host.
    pub host: String,
    /// In a few words; may be empty.
    pub reason: String,
}

/// `result-type` (RFC 8460 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFailure {
    CertificateExpired,
    CertificateHostMismatch,
    CertificateNotTrusted,
    DnssecInvalid,
    StarttlsNotSupported,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
    TlsaInvalid,
    ValidationFailure,
}

impl Hub {
    /// Counts a session for the report to the domain that mail was to go to.
    pub fn count_tls_session(&self, domain: &str, session: &TlsSession) {
        self.count(ReportKind::Tls, domain, session.write());
    }

    /// What there is to report of a day (counted since 1970-01-01) to a domain, with counts.
    pub async fn tls_sessions(&self, day: i64, domain: &str) -> Result<Vec<(TlsSession, u64)>> {
        let counts = self.counts(ReportKind::Tls, day, domain).await?;
        Ok(counts.iter().filter_map(|(facts, number)| Some((TlsSession::read(facts)?, *number))).collect())
    }
}

impl TlsSession {
    /// Lines: the kind and domain of the policy, the outcome, the text of the policy.
    fn write(&self) -> String {
        let TlsPolicy { kind, domain, text } = &self.policy;
        let outcome = self.failure.as_ref().map(Unsecured::write).unwrap_or_default();
        let mut out = format!("{kind} {}\n{outcome}", line(domain));
        for text in text.iter().take(MOST_LINES) {
            out.push('\n');
            out.push_str(&line(text));
        }
        out
    }

    fn read(facts: &str) -> Option<Self> {
        let mut lines = facts.split('\n');
        let (kind, domain) = lines.next()?.split_once(' ')?;
        let kind = TlsPolicyKind::ALL.into_iter().find(|known| known.to_string() == kind)?;
        let failure = match lines.next()? {
            "" => None,
            outcome => Some(Unsecured::read(outcome)?),
        };
        let policy = TlsPolicy { kind, domain: domain.to_owned(), text: lines.map(str::to_owned).collect() };
        Some(Self { policy, failure })
    }
}

impl Unsecured {
    fn write(&self) -> String {
        let address = |ip: Option<IpAddr>| ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        let host = if self.host.is_empty() { "-" } else { self.host.as_str() };
        let (from, to) = (address(self.from), address(self.to));
        format!("{} {from} {to} {} {}", self.failure, line(host), line(&self.reason))
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(5, ' ');
        let mut next = || words.next();
        let name = next()?;
        Some(Self {
            failure: TlsFailure::ALL.into_iter().find(|known| known.to_string() == name)?,
            from: next()?.parse().ok(),
            to: next()?.parse().ok(),
            host: Some(next()?).filter(|host| *host != "-").unwrap_or_default().to_owned(),
            reason: next()?.to_owned(),
        })
    }
}

fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_CHARACTERS).collect()
}

impl TlsPolicyKind {
    const ALL: [Self; 3] = [Self::NoPolicyFound, Self::Sts, Self::Tlsa];
}

impl fmt::Display for TlsPolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPolicyFound => "no-policy-found",
            Self::Sts => "sts",
            Self::Tlsa => "tlsa",
        })
    }
}

impl TlsFailure {
    const ALL: [Self; 10] = [
        Self::CertificateExpired,
        Self::CertificateHostMismatch,
        Self::CertificateNotTrusted,
        Self::DnssecInvalid,
        Self::StarttlsNotSupported,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
        Self::TlsaInvalid,
        Self::ValidationFailure,
    ];
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::ValidationFailure => "validation-failure",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_read_as_they_were_written() {
        let text = ["version: STSv1", "mode: enforce", "", "mx: *.a.test"].map(str::to_owned).to_vec();
        let policy = TlsPolicy { kind: TlsPolicyKind::Sts, domain: "a.test".into(), text };
        for failure in TlsFailure::ALL {
            let unsecured = Unsecured {
                failure,
                from: "2001:db8::1".parse().ok(),
                to: "192.0.2.1".parse().ok(),
                host: "mx.a.test".into(),
                reason: "454 4.7.0 not now".into(),
            };
            let whole = TlsSession { policy: policy.clone(), failure: Some(unsecured.clone()) };
            assert_eq!(TlsSession::read(&whole.write()), Some(whole));
            let (host, reason) = (String::new(), String::new());
            let failure = Some(Unsecured { from: None, to: None, host, reason, ..unsecured });
            let bare = TlsSession { policy: policy.clone(), failure };
            assert_eq!(TlsSession::read(&bare.write()), Some(bare));
        }
        for kind in TlsPolicyKind::ALL {
            let policy = TlsPolicy { kind, domain: "a.test".into(), text: Vec::new() };
            let plain = TlsSession { policy, failure: None };
            assert_eq!(TlsSession::read(&plain.write()), Some(plain));
        }
        for text in
            ["", "sts", "sts a.test", "x a.test\n", "sts a.test\nx - - - ", "sts a.test\nsts-policy-invalid"]
        {
            assert_eq!(TlsSession::read(text), None, "{text}");
        }
    }

    #[test]
    fn what_strangers_wrote_stays_in_its_place() {
        let text = vec!["mode: x\nmode: y".to_owned(); 100];
        let policy = TlsPolicy { kind: TlsPolicyKind::Sts, domain: "a\n.test".into(), text };
        let read = TlsSession::read(&TlsSession { policy, failure: None }.write()).expect("written by us");
        assert_eq!((read.policy.domain.as_str(), read.policy.text.len()), ("a.test", MOST_LINES));
        assert_eq!((read.failure, read.policy.text[0].as_str()), (None, "mode: xmode: y"));
    }
}
