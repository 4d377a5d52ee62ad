//! Which TLS a host must show, decided before it is connected to: DANE where DNSSEC proves it, else
//! the domain's MTA-STS policy, else whatever the host has (RFC 8461 §2: DANE goes first).

use std::sync::Arc;

use hub::TlsDemand;
use hub_dns::{Addresses, Dns, Tlsa};
use rustls::pki_types::ServerName;

use super::sts::{Mode, Policy, Store};
use super::tls::Handshakes;
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
    pub(crate) fn under(self, tls: TlsDemand, is_proven: bool, host: &str) -> Result<Self, Verdict> {
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
    sts: Store,
}

impl Policies {
    pub(crate) fn new(service: &Service, handshakes: &Handshakes) -> Self {
        Self {
            dns: Arc::clone(&service.dns),
            port: service.settings.exchange_port,
            sts: Store::new(service, handshakes.https().clone()),
        }
    }

    /// `Err` is why it cannot be known now.
    pub(crate) async fn of(&self, route: &Route) -> Result<Rule, String> {
        self.sts.policy(&route.domain).await
    }

    /// `Err` is why the host cannot be used.
    pub(crate) async fn for_host(
        &self,
        rule: &Rule,
        route: &Route,
        host: &str,
        addresses: &Addresses,
        tls: TlsDemand,
    ) -> Result<Requirement, Verdict> {
        let allows = |policy: &Policy| policy.mode != Mode::None && policy.allows(host);
        let is_proven = route.is_secure || rule.as_deref().is_some_and(allows);
        match self.as_published(rule, route, host, addresses).await {
            Ok(requirement) => requirement.under(tls, is_proven, host),
            Err(_) if tls == TlsDemand::NotRequired => Ok(Requirement::Opportunistic),
            Err(why) => Err(Verdict::Deferred(why)),
        }
    }

    async fn as_published(
        &self,
        rule: &Rule,
        route: &Route,
        host: &str,
        addresses: &Addresses,
    ) -> Result<Requirement, String> {
        if let Some(requirement) = self.dane(route, host, addresses).await? {
            return Ok(requirement);
        }
        match rule.as_deref() {
            Some(policy) if policy.mode == Mode::Enforce => {
                if policy.allows(host) {
                    Ok(Requirement::Authority)
                } else {
                    Err(format!(
                        "450 4.7.5 {host} is not among the hosts of {}'s MTA-STS policy",
                        route.domain
                    ))
                }
            }
            Some(policy) if policy.mode == Mode::Testing => Ok(Requirement::AuthorityTesting),
            Some(_) | None => Ok(Requirement::Opportunistic),
        }
    }

    /// RFC 7672 §2.2: TLSA is asked for only if the list of hosts and the host's address are secure.
    /// There, a question that is not answered may hide a record: the host has to wait.
    async fn dane(
        &self,
        route: &Route,
        host: &str,
        addresses: &Addresses,
    ) -> Result<Option<Requirement>, String> {
        if !(route.is_secure && addresses.is_secure) {
            return Ok(None);
        }
        let ask = async |base: &str| {
            let found = self.dns.tlsa(self.port, base).await;
            found.map_err(|error| format!("451 4.7.5 {error}"))
        };
        // RFC 7672 §2.2.3: at the end of the chain of CNAMEs first, then at its start.
        let mut base = addresses.canonical.as_str();
        let mut found = ask(base).await?;
        if found.is_empty() && base != host {
            base = host;
            found = ask(base).await?;
        }
        if found.is_empty() {
            return Ok(None);
        }
        let records = dane::usable(found);
        if records.is_empty() {
            return Ok(Some(Requirement::Encrypted));
        }
        let names = [base, host, &route.domain];
        let names = names.into_iter().filter_map(|name| ServerName::try_from(name.to_owned()).ok()).collect();
        Ok(Some(Requirement::Dane { records: records.into(), names }))
    }
}
