//! `check_host` (RFC 7208 §4).

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use hub::AuthResult;

use super::macros::{DomainSpec, ExplainString, Values};
use super::record::{Mechanism, Prefixes, Record, is_spf};
use super::{Query, SpfAnswer};
use crate::dns::{Dns, Missing};

/// RFC 7208 §4.6.4: terms that ask DNS, and names of one MX or PTR answer.
const MAX_TERMS: u32 = 10;
const MAX_NAMES: usize = 10;
/// RFC 7208 §4.6.4: look-ups that find nothing.
const MAX_VOID: u32 = 2;
/// What `%{p}` is when the address has no name that leads back (RFC 7208 §7.3).
const UNKNOWN: &str = "unknown";

/// Why there is no plain answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Permanent,
    Temporary,
}

/// Answers for `query`. Never longer than the limits above allow; the caller sets the time.
pub(crate) async fn check_host(dns: &Dns, query: Query<'_>) -> SpfAnswer {
    let sender = match query.sender.rsplit_once('@') {
        Some(("", domain)) => format!("postmaster@{domain}"),
        Some(_) => query.sender.to_owned(),
        None => format!("postmaster@{}", query.sender),
    };
    // RFC 7208 §5: an IPv4 address in IPv6 clothes is an IPv4 address.
    let query = Query { ip: query.ip.to_canonical(), sender: &sender, ..query };
    let mut check = Check { dns, query, terms: 0, void: 0, names: None, explanation: None };
    let result = match check.of_domain(query.domain, true).await {
        Ok(result) => result,
        Err(Trouble::Permanent) => AuthResult::PermError,
        Err(Trouble::Temporary) => AuthResult::TempError,
    };
    let explanation = if result == AuthResult::Fail { check.explanation } else { None };
    SpfAnswer { result, explanation }
}

struct Check<'a> {
    dns: &'a Dns,
    query: Query<'a>,
    terms: u32,
    void: u32,
    /// Names of the address that lead back to it, once they were needed.
    names: Option<Vec<String>>,
    explanation: Option<String>,
}

type Answer<'f> = Pin<Box<dyn Future<Output = Result<AuthResult, Trouble>> + Send + 'f>>;

impl Check<'_> {
    /// The recursion ends with the count of terms. Only what is not included may explain itself
    /// (RFC 7208 §6.2).
    fn of_domain<'f>(&'f mut self, domain: &'f str, explains: bool) -> Answer<'f> {
        Box::pin(async move {
            let Some(record) = self.record(domain).await? else { return Ok(AuthResult::None) };
            for directive in &record.directives {
                if self.matches(&directive.mechanism, domain).await? {
                    if directive.qualifier == AuthResult::Fail && explains {
                        self.explanation = self.explain(&record, domain).await;
                    }
                    return Ok(directive.qualifier);
                }
            }
            let Some(redirect) = &record.redirect else { return Ok(AuthResult::Neutral) };
            self.count_term()?;
            let target = self.expand(redirect, domain).await;
            match self.of_domain(&target, explains).await? {
                // RFC 7208 §6.1
                AuthResult::None => Err(Trouble::Permanent),
                result => Ok(result),
            }
        })
    }

    /// The domain's one record (RFC 7208 §4.3 – §4.5).
    async fn record(&self, domain: &str) -> Result<Option<Record>, Trouble> {
        if !is_domain(domain) {
            return Ok(None);
        }
        let records = match self.dns.txt(domain).await {
            Ok(records) => records,
            Err(Missing::Record) => return Ok(None),
            Err(Missing::Answer) => return Err(Trouble::Temporary),
        };
        let mut records = records.into_iter().filter(|txt| is_spf(txt));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(txt), None) => Record::parse(&txt).map(Some).map_err(|_| Trouble::Permanent),
            (Some(_), Some(_)) => Err(Trouble::Permanent),
        }
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Trouble> {
        if mechanism.asks_dns() {
            self.count_term()?;
        }
        let ip = self.query.ip;
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, prefix) => Ok(within(ip, IpAddr::V4(*network), *prefix)),
            Mechanism::Ip6(network, prefix) => Ok(within(ip, IpAddr::V6(*network), *prefix)),
            Mechanism::A(spec, prefixes) => {
                let target = self.target(spec.as_ref(), domain).await;
                self.has_address(&target, *prefixes).await
            }
            Mechanism::Mx(spec, prefixes) => {
                let target = self.target(spec.as_ref(), domain).await;
                self.has_mail_host(&target, *prefixes).await
            }
            Mechanism::Exists(spec) => {
                let target = self.expand(spec, domain).await;
                // RFC 7208 §5.7: A records also where the connection is IPv6.
                let found = self.dns.addresses(&target, IpAddr::from([0, 0, 0, 0])).await;
                Ok(!self.count_void(found)?.is_empty())
            }
            Mechanism::Include(spec) => {
                let target = self.expand(spec, domain).await;
                match self.of_domain(&target, false).await? {
                    AuthResult::Pass => Ok(true),
                    // RFC 7208 §5.2
                    AuthResult::None => Err(Trouble::Permanent),
                    _ => Ok(false),
                }
            }
            Mechanism::Ptr(spec) => {
                let target = self.target(spec.as_ref(), domain).await.to_ascii_lowercase();
                let names = self.validated_names().await;
                Ok(names.iter().any(|name| is_below(name, &target)))
            }
        }
    }

    async fn has_address(&mut self, name: &str, prefixes: Prefixes) -> Result<bool, Trouble> {
        let ip = self.query.ip;
        let prefix = if ip.is_ipv4() { prefixes.ip4 } else { prefixes.ip6 };
        let found = self.dns.addresses(name, ip).await;
        Ok(self.count_void(found)?.into_iter().any(|network| within(ip, network, prefix)))
    }

    async fn has_mail_host(&mut self, name: &str, prefixes: Prefixes) -> Result<bool, Trouble> {
        let found = self.dns.mail_hosts(name).await;
        let hosts = self.count_void(found)?;
        if hosts.len() > MAX_NAMES {
            return Err(Trouble::Permanent);
        }
        for host in hosts {
            if self.has_address(&host, prefixes).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count_term(&mut self) -> Result<(), Trouble> {
        self.terms += 1;
        if self.terms > MAX_TERMS { Err(Trouble::Permanent) } else { Ok(()) }
    }

    fn count_void<T>(&mut self, found: Result<Vec<T>, Missing>) -> Result<Vec<T>, Trouble> {
        match found {
            Ok(found) => Ok(found),
            Err(Missing::Answer) => Err(Trouble::Temporary),
            Err(Missing::Record) => {
                self.void += 1;
                if self.void > MAX_VOID { Err(Trouble::Permanent) } else { Ok(Vec::new()) }
            }
        }
    }

    async fn target(&mut self, spec: Option<&DomainSpec>, domain: &str) -> String {
        match spec {
            Some(spec) => self.expand(spec, domain).await,
            None => domain.to_owned(),
        }
    }

    async fn expand(&mut self, spec: &DomainSpec, domain: &str) -> String {
        let validated = if spec.needs_name() { self.validated_name(domain).await } else { String::new() };
        spec.expand(&self.values(domain, &validated))
    }

    fn values<'v>(&'v self, domain: &'v str, validated: &'v str) -> Values<'v> {
        let Query { ip, sender, helo, receiver, .. } = self.query;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs() as i64);
        Values { sender, domain, ip, validated, helo, receiver, now }
    }

    /// The name for `%{p}`: the domain itself, else one below it, else any (RFC 7208 §7.3).
    async fn validated_name(&mut self, domain: &str) -> String {
        let domain = domain.to_ascii_lowercase();
        let names = self.validated_names().await;
        let best = names.iter().find(|name| **name == domain);
        let best = best.or_else(|| names.iter().find(|name| is_below(name, &domain)));
        best.or(names.first()).map_or_else(|| UNKNOWN.to_owned(), Clone::clone)
    }

    /// RFC 7208 §5.5: names of the address that lead back to it. What cannot be looked up is none.
    async fn validated_names(&mut self) -> &[String] {
        if self.names.is_none() {
            let ip = self.query.ip;
            let mut names = Vec::new();
            for name in self.dns.names(ip).await.unwrap_or_default().into_iter().take(MAX_NAMES) {
                if self.dns.addresses(&name, ip).await.is_ok_and(|found| found.contains(&ip)) {
                    names.push(name);
                }
            }
            self.names = Some(names);
        }
        self.names.as_deref().unwrap_or_default()
    }

    /// RFC 7208 §6.2: whatever is wrong with an explanation, there is none then.
    async fn explain(&mut self, record: &Record, domain: &str) -> Option<String> {
        let target = self.expand(record.explanation.as_ref()?, domain).await;
        let records = self.dns.txt(&target).await.ok()?;
        let [text] = &records[..] else { return None };
        let text = ExplainString::parse(std::str::from_utf8(text).ok()?).ok()?;
        let validated = if text.needs_name() { self.validated_name(domain).await } else { String::new() };
        Some(text.expand(&self.values(domain, &validated)))
    }
}

/// RFC 7208 §4.3: two labels at least, none empty or too long; an address literal is none.
fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels = || name.split('.');
    name.len() <= 253
        && !name.starts_with('[')
        && labels().count() >= 2
        && labels().all(|label| (1..=63).contains(&label.len()))
}

fn is_below(name: &str, domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn within(ip: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let differ = u32::from(ip) ^ u32::from(network);
            differ.checked_shr(32 - u32::from(prefix)).unwrap_or(0) == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let differ = u128::from(ip) ^ u128::from(network);
            differ.checked_shr(128 - u32::from(prefix)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (ip, network, prefix, is) in [
            ("192.0.2.1", "192.0.2.0", 24, true),
            ("192.0.3.1", "192.0.2.0", 24, false),
            ("192.0.3.1", "10.0.0.0", 0, true),
            ("192.0.2.1", "192.0.2.1", 32, true),
            ("2001:db8::1", "2001:db8::", 32, true),
            ("2001:db9::1", "2001:db8::", 32, false),
            ("2001:db9::1", "::", 0, true),
            ("192.0.2.1", "::", 0, false),
        ] {
            let [ip, network] = [ip, network].map(|text| text.parse().expect("an address"));
            assert_eq!(within(ip, network, prefix), is, "{ip} in {network}/{prefix}");
        }
    }
}
