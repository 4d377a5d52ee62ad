//! Where mail for a domain goes: MX records, and the addresses of the hosts that they name.

use std::net::IpAddr;

use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::lookup::{full_name, without_dot};
use crate::{Dns, Error, Kind};

/// Hosts of one domain that are looked at. Large providers have five or six.
const MAX_HOSTS: usize = 20;
/// Addresses of one host, in each family.
const MAX_ADDRESSES: usize = 8;

/// The hosts that take mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHosts {
    /// The domain in ASCII.
    pub domain: String,
    /// Preference and name, in the order in which they are to be tried; never empty.
    pub hosts: Vec<(u16, String)>,
    /// The list is proven to be the domain's own.
    pub is_secure: bool,
}

/// The addresses of a host, IPv6 before IPv4; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub ips: Vec<IpAddr>,
    /// The name at the end of a chain of CNAMEs.
    pub canonical: String,
    pub is_secure: bool,
}

impl Dns {
    /// RFC 5321 §5.1: by preference, and those that are equal in random order, so that they share the
    /// load. Without MX records the domain is its own host, but only if it is certain that there are
    /// none: mail sent to an address record because MX timed out ends up on somebody's web server.
    pub async fn mail_hosts(&self, domain: &str) -> Result<MailHosts, Error> {
        let name = full_name(domain).map(|name| without_dot(&name));
        let name = name.ok_or_else(|| Error::new(format!("MX of {domain}"), Kind::BadName))?;
        let (lookup, is_secure) = match self.validated(&name, RecordType::MX).await {
            Ok(found) => found,
            // RFC 7672 §2.2.1: here the security of the address decides, which the same zone has.
            Err(error) if error.kind() == Kind::NoData => {
                return Ok(MailHosts { hosts: vec![(0, name.clone())], domain: name, is_secure: true });
            }
            Err(error) => return Err(error),
        };
        let mut hosts = exchanges(&lookup);
        if hosts.iter().all(|(_, host)| host.is_empty()) {
            return Err(Error::new(format!("MX of {domain}"), Kind::NullMx));
        }
        // RFC 7505 §3: the null MX stands alone; beside others it is a mistake.
        hosts.retain(|(_, host)| !host.is_empty());
        let mut hosts: Vec<_> = hosts.into_iter().map(|host| (host.0, random(), host.1)).collect();
        hosts.sort();
        hosts.truncate(MAX_HOSTS);
        let hosts = hosts.into_iter().map(|(preference, _, host)| (preference, host)).collect();
        Ok(MailHosts { domain: name, hosts, is_secure })
    }

    /// Both families are asked. Found is what one of them has; absent is only what both have not.
    pub async fn addresses(&self, host: &str) -> Result<Addresses, Error> {
        let (v6, v4) =
            tokio::join!(self.validated(host, RecordType::AAAA), self.validated(host, RecordType::A));
        match (v6, v4) {
            // RFC 7672 §2.1.2: who can forge one family can make the other one vanish.
            (Err(error), _) | (_, Err(error)) if error.kind() == Kind::Bogus => Err(error),
            (Ok(v6), Ok(v4)) => collect(host, &[v6, v4]),
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => collect(host, &[found]),
            (Err(one), Err(other)) => Err(match (one.is_permanent(), other.is_permanent()) {
                (false, _) => one,
                (true, false) => other,
                // NXDOMAIN says more than NODATA.
                (true, true) if one.kind() == Kind::NxDomain => one,
                (true, true) => other,
            }),
        }
    }
}

fn exchanges(lookup: &Lookup) -> Vec<(u16, String)> {
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::MX(mx) => Some((mx.preference, without_dot(&mx.exchange))),
        _ => None,
    });
    records.collect()
}

fn collect(host: &str, found: &[(Lookup, bool)]) -> Result<Addresses, Error> {
    let mut ips = Vec::new();
    let mut canonical = None;
    for (lookup, _) in found {
        let addresses = lookup.answers().iter().filter_map(|record| {
            let ip: IpAddr = match &record.data {
                RData::A(ip) => ip.0.into(),
                RData::AAAA(ip) => ip.0.into(),
                _ => return None,
            };
            Some((ip, &record.name))
        });
        for (ip, name) in addresses.take(MAX_ADDRESSES) {
            ips.push(ip);
            canonical.get_or_insert_with(|| without_dot(name));
        }
    }
    let canonical = canonical.ok_or_else(|| Error::new(format!("A of {host}"), Kind::NoData))?;
    Ok(Addresses { ips, canonical, is_secure: found.iter().all(|(_, secure)| *secure) })
}

fn random() -> u32 {
    // Without randomness the order is the alphabet's: no harm is done.
    getrandom::u32().unwrap_or(0)
}
