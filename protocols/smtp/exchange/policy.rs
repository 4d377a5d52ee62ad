//! Which TLS a host must show, decided before it is connected to: DANE where DNSSEC proves it, else
//! the domain's MTA-STS policy, else whatever the host has (RFC 8461 §2: DANE goes first).

use std::sync::Arc;

use hub::{TlsDemand, TlsFailure, TlsPolicy, TlsPolicyKind};
use hub_dns::{Addresses, Dns, Tlsa};
use hub_https::Https;
use rustls::pki_types::ServerName;

use super::sessions::{Flaw, Report, Reports};
use super::sts::{Mode, Policy, Store};
use super::{Route, dane};
use crate::Service;
use crate::outbound::next_hop::Verdict;

/// What a connection to one host needs.
#[derive(Clone, Debug)]
pub(crate) enum Requirement {
    /// TLS with a certificate of the public authorities for the host's name (MTA-STS).
    Authority,
    /// The same, but nothing is withheld if it fails (RFC 8461 §5: `testing`).
    AuthorityTesting,
    Dane {
        records: Arc<[Tlsa]>,
        /// Names that the certificate may have if an authority of the host's own vouches for it
        /// (RFC 7672 §3.2.2).
        names: Vec<ServerName<'static>>,
    },
    /// TLS, whoever is at the other end: there are TLSA records, but none that can be used
    /// (RFC 7672 §2.2).
    Encrypted,
    Opportunistic,
}

/// How one host is to be talked to.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) requirement: Requirement,
    /// What is reported to the domain about it; nothing, where it is not the domain that asks.
    pub(crate) report: Option<Report>,
}

impl Plan {
    /// For an address that was given instead of a domain: there is nothing to be looked up, and nobody to
    /// report to.
    pub(crate) fn for_literal(host: &str, tls: TlsDemand) -> Result<Self, Verdict> {
        Ok(Self { requirement: Requirement::Opportunistic.under(tls, false, host)?, report: None })
    }
}

impl Requirement {
    /// Whether a message must rather wait than go without.
    pub(crate) fn is_strict(&self) -> bool {
        match self {
            Self::Authority | Self::Dane { .. } | Self::Encrypted => true,
            Self::AuthorityTesting | Self::Opportunistic => false,
        }
    }

    /// The same under what the sender demands. `is_proven`: DNSSEC or MTA-STS says that the host is one
    /// of the domain's.
    fn under(self, tls: TlsDemand, is_proven: bool, host: &str) -> Result<Self, Verdict> {
        match (tls, self) {
            (TlsDemand::ByPolicy | TlsDemand::Preferred, requirement)
            | (TlsDemand::Required, requirement @ (Self::Authority | Self::Dane { .. })) => Ok(requirement),
            // RFC 8689 §4.2.2.
            (TlsDemand::NotRequired, _) => Ok(Self::Opportunistic),
            // RFC 8689 §4.2.1: the list of hosts must be proven, and so must the host.
            (TlsDemand::Required, _) if is_proven => Ok(Self::Authority),
            (TlsDemand::Required, _) => Err(Verdict::Failed(format!(
                "550 5.7.10 the sender requires verified TLS, and neither DNSSEC nor MTA-STS vouches for {host}"
            ))),
        }
    }
}

/// What a domain asks for.
pub(crate) type Rule = Option<Arc<Policy>>;

pub(crate) struct Policies {
    dns: Arc<Dns>,
    port: u16,
    reports: Reports,
    sts: Store,
}

impl Policies {
    pub(crate) fn new(service: &Service, https: Https) -> Self {
        Self {
            dns: Arc::clone(&service.dns),
            port: service.settings.exchange_port,
            reports: Reports::new(service),
            sts: Store::new(service, https),
        }
    }

    /// `Err` is why it cannot be known now.
    pub(crate) async fn of(&self, route: &Route) -> Result<Rule, String> {
        let found = self.sts.policy(&route.domain).await?;
        if let Some(flaw) = found.flaw {
            self.reports.failed(&route.domain, sts_policy(route, None), "", flaw);
        }
        Ok(found.policy)
    }

    /// `Err` is why the host cannot be used.
    pub(crate) async fn for_host(
        &self,
        rule: &Rule,
        route: &Route,
        host: &str,
        addresses: &Addresses,
        tls: TlsDemand,
    ) -> Result<Plan, Verdict> {
        let allows = |policy: &Policy| policy.mode != Mode::None && policy.allows(host);
        let is_proven = route.is_secure || rule.as_deref().is_some_and(allows);
        match self.as_published(rule, route, host, addresses).await {
            Ok((requirement, report)) => {
                let is_published = matches!(tls, TlsDemand::ByPolicy | TlsDemand::Preferred);
                let requirement = requirement.under(tls, is_proven, host)?;
                Ok(Plan { requirement, report: is_published.then_some(report) })
            }
            Err(_) if tls == TlsDemand::NotRequired => {
                Ok(Plan { requirement: Requirement::Opportunistic, report: None })
            }
            Err(why) => Err(Verdict::Deferred(why)),
        }
    }

    async fn as_published(
        &self,
        rule: &Rule,
        route: &Route,
        host: &str,
        addresses: &Addresses,
    ) -> Result<(Requirement, Report), String> {
        if let Some(found) = self.dane(route, host, addresses).await? {
            return Ok(found);
        }
        let report = |policy, flaw| Report { domain: route.domain.clone(), policy, flaw };
        let Some(policy) = rule.as_deref().filter(|policy| policy.mode != Mode::None) else {
            let (kind, domain) = (TlsPolicyKind::NoPolicyFound, route.domain.clone());
            let none = TlsPolicy { kind, domain, text: Vec::new() };
            return Ok((Requirement::Opportunistic, report(none, None)));
        };
        let published = sts_policy(route, Some(policy));
        // RFC 8460 §4.3 has no name for it.
        let why = "the host is not among those of the policy";
        let flaw = (!policy.allows(host)).then(|| Flaw::new(TlsFailure::ValidationFailure, why));
        match (policy.mode, flaw) {
            (Mode::Enforce, Some(flaw)) => {
                self.reports.failed(&route.domain, published, host, flaw);
                Err(format!("450 4.7.5 {host} is not among the hosts of {}'s MTA-STS policy", route.domain))
            }
            (Mode::Enforce, None) => Ok((Requirement::Authority, report(published, None))),
            (_, flaw) => Ok((Requirement::AuthorityTesting, report(published, flaw))),
        }
    }

    /// RFC 7672 §2.2: TLSA is asked for only if the list of hosts and the host's address are secure.
    /// There, a question that is not answered may hide a record: the host has to wait.
    async fn dane(
        &self,
        route: &Route,
        host: &str,
        addresses: &Addresses,
    ) -> Result<Option<(Requirement, Report)>, String> {
        if !(route.is_secure && addresses.is_secure) {
            return Ok(None);
        }
        // RFC 7672 §2.2.3: at the end of the chain of CNAMEs first, then at its start.
        let mut base = addresses.canonical.as_str();
        let mut found = self.tlsa(route, base).await?;
        if found.is_empty() && base != host {
            base = host;
            found = self.tlsa(route, base).await?;
        }
        if found.is_empty() {
            return Ok(None);
        }
        let policy = tlsa_policy(base, &found);
        let records = dane::usable(found);
        let none = "none of the records can be used";
        let flaw = records.is_empty().then(|| Flaw::new(TlsFailure::TlsaInvalid, none));
        let report = Report { domain: route.domain.clone(), policy, flaw };
        if records.is_empty() {
            return Ok(Some((Requirement::Encrypted, report)));
        }
        let names = [base, host, &route.domain];
        let names = names.into_iter().filter_map(|name| ServerName::try_from(name.to_owned()).ok()).collect();
        Ok(Some((Requirement::Dane { records: records.into(), names }, report)))
    }

    async fn tlsa(&self, route: &Route, base: &str) -> Result<Vec<Tlsa>, String> {
        self.dns.tlsa(self.port, base).await.map_err(|error| {
            let flaw = Flaw::new(TlsFailure::DnssecInvalid, &error);
            self.reports.failed(&route.domain, tlsa_policy(base, &[]), base, flaw);
            format!("451 4.7.5 {error}")
        })
    }
}

/// As reported.
fn sts_policy(route: &Route, policy: Option<&Policy>) -> TlsPolicy {
    let text = policy.map(Policy::lines).unwrap_or_default();
    TlsPolicy { kind: TlsPolicyKind::Sts, domain: route.domain.clone(), text }
}

/// As reported: the records as DNS writes them, under the name that they stand for (RFC 8460 §1.1).
fn tlsa_policy(base: &str, records: &[Tlsa]) -> TlsPolicy {
    let text = |Tlsa { usage, selector, matching, data }: &Tlsa| {
        let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{usage} {selector} {matching} {data}")
    };
    let text = records.iter().map(text).collect();
    TlsPolicy { kind: TlsPolicyKind::Tlsa, domain: base.to_owned(), text }
}
