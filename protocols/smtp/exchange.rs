//! The way to the hosts of a domain: which, in which order, with which TLS, until one is ready for
//! messages.
//!
//! What TLS a host must show is known before it is connected to ([`policy`]), so that nothing an
//! attacker does to the connection can lower it. What failed is said in one line, and whether it is
//! final: only DNS can be that here. A host that refuses to talk, for whatever reason, leaves the next
//! one to be tried, and after the last of them the message waits.
//!
//! RFC 5321 §5.1, 7505 (null MX), 7672 (DANE), 8461 (MTA-STS), 3207 (STARTTLS), 7435 (opportunistic), 8460
//! (TLS-RPT), 8689 (REQUIRETLS).

mod dane;
mod policy;
mod sessions;
pub(crate) mod sts;
#[cfg(test)]
mod tests;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hub::{TlsDemand, TlsFailure};
use hub_dns::{Dns, Kind};
use hub_https::Https;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::Service;
use crate::client::{Client, Greeting, StartTls, Stream};
use crate::dial;
use crate::outbound::next_hop::{Broken, Connection, NoConnection, Server, Verdict, no_require_tls};
use policy::{Plan, Policies};
use sessions::{Flaw, Reports};
use tls::{Handshakes, Protection, Shaken};

/// Time for all hosts of a domain and all their addresses. One alone may take five minutes for its
/// greeting (RFC 5321 §4.5.3.2.1).
const TIME: Duration = Duration::from_secs(10 * 60);

pub(crate) struct Exchange {
    dns: Arc<Dns>,
    host_name: String,
    port: u16,
    policies: Policies,
    handshakes: Handshakes,
    reports: Reports,
}

/// Why one host was not reached.
enum Trouble {
    Broken(Broken),
    /// It is ourselves.
    Loop,
    /// There is no TLS, the handshake failed, or the certificate was not the one it had to be.
    Tls(Broken),
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<Greeting> for Trouble {
    fn from(greeting: Greeting) -> Self {
        match greeting {
            Greeting::Broken(broken) => Self::Broken(broken),
            Greeting::Ourselves => Self::Loop,
        }
    }
}

impl Exchange {
    pub(crate) fn new(service: &Service) -> Result<Self, Broken> {
        let settings = &service.settings;
        let handshakes = Handshakes::new(&settings.trust_roots);
        let handshakes = handshakes.map_err(|error| Broken::at("trust roots", error))?;
        let https = Https::new(Arc::clone(&service.dns), &settings.trust_roots, settings.policy_port);
        let https = https.map_err(|error| Broken::at("trust roots", error))?;
        Ok(Self {
            dns: Arc::clone(&service.dns),
            host_name: settings.host_name.clone(),
            port: settings.exchange_port,
            policies: Policies::new(service, https),
            handshakes,
            reports: Reports::new(service),
        })
    }

    pub(crate) async fn connect(&self, domain: &str, tls: TlsDemand) -> Result<Connection, NoConnection> {
        let route = self.route(domain).await?;
        let unknown = |why| NoConnection { verdict: Verdict::Deferred(why), host: None };
        let rule = match self.policies.of(&route).await {
            Err(_) if tls == TlsDemand::NotRequired => None,
            rule => rule.map_err(unknown)?,
        };
        let mut last = NoConnection { verdict: Verdict::Failed(nowhere(domain)), host: None };
        let end = Instant::now() + TIME;
        for host in &route.hosts {
            match self.try_host(&route, host, (&rule, tls), end).await {
                Ok(connection) => return Ok(connection),
                // What is temporary at one host is so for the domain.
                Err(Verdict::Failed(_)) if matches!(last.verdict, Verdict::Deferred(_)) => {}
                Err(verdict) => last = NoConnection { verdict, host: Some(host.clone()) },
            }
        }
        Err(last)
    }

    /// The hosts of a domain without those that come after ourselves (RFC 5321 §5.1).
    async fn route(&self, domain: &str) -> Result<Route, NoConnection> {
        let no_route = |verdict| NoConnection { verdict, host: None };
        if let Some(ip) = literal(domain) {
            return Ok(Route { domain: domain.into(), hosts: vec![ip.to_string()], is_secure: false });
        }
        let found = self.dns.mail_hosts(domain).await.map_err(|error| no_route(verdict_of(&error)))?;
        let ours = found.hosts.iter().find(|(_, host)| host.eq_ignore_ascii_case(&self.host_name));
        let limit = ours.map(|(preference, _)| *preference);
        let hosts = found.hosts.into_iter();
        let hosts: Vec<_> =
            hosts.filter(|(preference, _)| limit.is_none_or(|ours| *preference < ours)).collect();
        if hosts.is_empty() {
            return Err(no_route(looped(domain)));
        }
        let hosts = hosts.into_iter().map(|(_, host)| host).collect();
        Ok(Route { domain: found.domain, hosts, is_secure: found.is_secure })
    }

    async fn try_host(
        &self,
        route: &Route,
        host: &str,
        (rule, tls): (&policy::Rule, TlsDemand),
        end: Instant,
    ) -> Result<Connection, Verdict> {
        let (ips, plan) = match host.parse() {
            Ok(ip) if literal(&route.domain).is_some() => (vec![ip], Plan::for_literal(host, tls)?),
            // RFC 5321 §5.1: MX leads to names. An address would lead around the domain's policy.
            Ok(ip) => {
                let why = format!("550 5.1.2 MX of {}: {ip} is no name of a host", route.domain);
                return Err(Verdict::Failed(why));
            }
            Err(_) => {
                let addresses = self.dns.addresses(host).await.map_err(|error| verdict_of(&error))?;
                let plan = self.policies.for_host(rule, route, host, &addresses, tls).await?;
                (addresses.ips, plan)
            }
        };
        let mut last = Verdict::Deferred(format!("450 4.4.1 {host} has no address"));
        for ip in ips {
            let tried = timeout_at(end, self.try_address(ip, host, &plan)).await;
            match tried.unwrap_or_else(|_| Err(Broken("no time was left for it".into()).into())) {
                Ok((client, _)) if tls == TlsDemand::Required && !client.offers().require_tls => {
                    client.quit().await;
                    return Err(Verdict::Failed(no_require_tls(host)));
                }
                Ok((client, protection)) => {
                    let reports = client.offers().dsn;
                    let server = Server { host: host.to_owned(), tls: protection.to_string(), reports };
                    return Ok(Connection::new(client, server));
                }
                Err(Trouble::Loop) => return Err(looped(&route.domain)),
                // RFC 8689 §4.2.1: the sender is told at once.
                Err(Trouble::Tls(Broken(why))) if tls == TlsDemand::Required => {
                    return Err(Verdict::Failed(format!("550 5.7.10 {host}: {why}")));
                }
                Err(Trouble::Broken(Broken(why)) | Trouble::Tls(Broken(why))) => {
                    debug!(host, %ip, why, "a host was not reached");
                    last = Verdict::Deferred(format!("{host}: {why}"));
                }
            }
        }
        Err(last)
    }

    /// RFC 7435: where no policy asks for more, TLS that fails is done without, in the same attempt.
    /// Mail that does not arrive protects nobody.
    async fn try_address(
        &self,
        ip: IpAddr,
        host: &str,
        plan: &Plan,
    ) -> Result<(Client, Protection), Trouble> {
        match self.converse(ip, host, plan, true).await {
            Err(Trouble::Tls(Broken(why))) if !plan.requirement.is_strict() => {
                debug!(host, %ip, why, "TLS failed; without it");
                self.converse(ip, host, plan, false).await
            }
            other => other,
        }
    }

    async fn converse(
        &self,
        ip: IpAddr,
        host: &str,
        plan: &Plan,
        with_tls: bool,
    ) -> Result<(Client, Protection), Trouble> {
        let tcp = dial::connect(SocketAddr::new(ip, self.port)).await?;
        let session = self.reports.session(plan.report.as_ref(), host, &tcp);
        let client = Client::greet(tcp, &self.host_name).await?;
        if !with_tls {
            return Ok((client.boxed(), Protection::None));
        }
        let strict = plan.requirement.is_strict();
        if !client.offers().start_tls {
            session.ended(Some(Flaw::new(TlsFailure::StarttlsNotSupported, "")));
            if strict {
                return Err(Trouble::Tls(Broken("TLS is required here, and STARTTLS is not offered".into())));
            }
            return Ok((client.boxed(), Protection::None));
        }
        match client.start_tls().await? {
            StartTls::Agreed(tcp) => {
                let shaken = self.handshakes.shake(tcp, host, &plan.requirement).await;
                let Shaken { stream, protection, complaint } = shaken.map_err(|flaw| {
                    let broken = Broken::at("TLS", &flaw.reason);
                    session.ended(Some(flaw));
                    Trouble::Tls(broken)
                })?;
                session.ended(complaint);
                let stream: Box<dyn Stream> = Box::new(stream);
                Ok((Client::after_tls(stream, &self.host_name).await?, protection))
            }
            StartTls::Refused(client, reply) => {
                session.ended(Some(Flaw::new(TlsFailure::StarttlsNotSupported, &reply)));
                if strict {
                    return Err(Trouble::Tls(Broken::at("STARTTLS", reply)));
                }
                Ok((client.boxed(), Protection::None))
            }
        }
    }
}

/// The hosts of a domain, in order.
pub(crate) struct Route {
    /// In ASCII.
    pub(crate) domain: String,
    pub(crate) hosts: Vec<String>,
    /// DNSSEC proves the list.
    pub(crate) is_secure: bool,
}

/// `address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"` (RFC 5321 §4.1.3)
fn literal(domain: &str) -> Option<IpAddr> {
    let text = domain.strip_prefix('[')?.strip_suffix(']')?;
    let without_tag = text.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:")).map(|_| &text[5..]);
    without_tag.unwrap_or(text).parse().ok()
}

/// RFC 3463 §3.5, RFC 7505 §4.1.
fn verdict_of(error: &hub_dns::Error) -> Verdict {
    let code = match error.kind() {
        Kind::NullMx => "556 5.1.10",
        Kind::BadName | Kind::NxDomain => "550 5.1.2",
        Kind::NoData => "550 5.4.4",
        Kind::Bogus
        | Kind::Malformed
        | Kind::Refused
        | Kind::ServFail
        | Kind::Timeout
        | Kind::Unreachable => {
            return Verdict::Deferred(format!("451 4.4.3 {error}"));
        }
    };
    Verdict::Failed(format!("{code} {error}"))
}

fn nowhere(domain: &str) -> String {
    format!("550 5.4.4 no host takes mail for {domain}")
}

fn looped(domain: &str) -> Verdict {
    Verdict::Failed(format!("554 5.4.6 mail for {domain} comes back to this hub, which does not host it"))
}
