//! The records that a domain needs for what this hub offers. Printed by `twinhub dns`, compared with
//! what is published by `twinhub check`. A new feature adds its records here.

use std::fmt;

use hub_web::{Ports, Services};

use crate::admin::Key;

/// An hour: what was published by mistake is gone soon.
const TTL: u32 = 3600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Fully qualified, without the dot at the end.
    pub(crate) name: String,
    pub(crate) data: Data,
    /// What it is for, in a few words.
    pub(crate) why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Cname(String),
    Mx {
        preference: u16,
        host: String,
    },
    /// An empty target and port 0 say that there is no such service (RFC 2782).
    Srv {
        port: u16,
        target: String,
    },
    /// `3 1 1`: the SHA-256 of the host's public key (RFC 6698).
    Tlsa(String),
    Txt(String),
}

/// What of a hub its records are made from, besides its services.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The relay host, if there is one.
    pub(crate) relay: Option<String>,
    pub(crate) keys: Vec<Key>,
    /// SHA-256 of the public key that the mail host shows, in hex.
    pub(crate) host_key: Option<String>,
}

/// All records for `domain`, which is in ASCII, as are all names in the result.
pub(crate) fn for_domain(services: &Services, domain: &str, sources: &Sources) -> Vec<Record> {
    let host = services.host(domain);
    let mut records = Vec::new();
    let mut add = |name: String, data: Data, why: &'static str| records.push(Record { name, data, why });

    let mx = Data::Mx { preference: 10, host: host.clone() };
    add(domain.to_owned(), mx, "Where other servers bring mail (RFC 5321)");
    let (spf, why) = spf(sources.relay.as_deref());
    add(domain.to_owned(), Data::Txt(spf), why);
    for key in &sources.keys {
        let name = format!("{}._domainkey.{domain}", key.selector);
        add(name, Data::Txt(key.record.clone()), "The keys that sign this domain's mail (DKIM, RFC 6376)");
    }
    // RFC 9989 §5.1. Whoever publishes a stricter wish has thought about it.
    let dmarc = format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}");
    add(
        format!("_dmarc.{domain}"),
        Data::Txt(dmarc),
        "What to do with mail that fails both (DMARC, RFC 9989)",
    );
    let reports = format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}");
    add(
        format!("_smtp._tls.{domain}"),
        Data::Txt(reports),
        "Where others report trouble with TLS (RFC 8460)",
    );
    if let Some(policy) = services.mta_sts(domain) {
        let why = "That mail comes over checked TLS only (MTA-STS, RFC 8461)";
        add(format!("_mta-sts.{domain}"), Data::Txt(format!("v=STSv1; id={}", policy.id())), why);
        add(format!("mta-sts.{domain}"), Data::Cname(host.clone()), why);
    }
    if let Some(key) = &sources.host_key {
        let why =
            "The key of the mail host (DANE, RFC 7672); only in a zone with DNSSEC, and changed with the key";
        add(format!("_25._tcp.{host}"), Data::Tlsa(key.clone()), why);
    }

    let Ports { https, imap, imaps, managesieve, submission, submissions, .. } = services.ports;
    for (service, port) in [
        ("imaps", imaps),
        ("imap", imap),
        ("submissions", submissions),
        ("submission", submission),
        ("pop3s", None),
        ("pop3", None),
    ] {
        let data = match port {
            Some(port) => Data::Srv { port, target: host.clone() },
            None => Data::Srv { port: 0, target: String::new() },
        };
        add(format!("_{service}._tcp.{domain}"), data, "Where mail programs find what (RFC 6186, RFC 8314)");
    }
    if let Some(port) = managesieve {
        let data = Data::Srv { port, target: host.clone() };
        add(format!("_sieve._tcp.{domain}"), data, "Where editors of mail rules find them (RFC 5804 §1.8)");
    }
    if let Some(port) = https {
        let why = "Where mail programs ask for settings (autoconfig, autodiscover)";
        let data = Data::Srv { port, target: host.clone() };
        add(format!("_autodiscover._tcp.{domain}"), data, why);
        for name in ["autoconfig", "autodiscover"] {
            add(format!("{name}.{domain}"), Data::Cname(host.clone()), why);
        }
        let why = "Where programs find calendars and contacts (CalDAV, CardDAV, RFC 6764)";
        for service in ["_caldavs", "_carddavs"] {
            let name = format!("{service}._tcp.{domain}");
            add(name.clone(), Data::Srv { port, target: host.clone() }, why);
            add(name, Data::Txt("path=/dav/".to_owned()), why);
        }
    }
    records
}

/// RFC 7208. With a relay host, that one's addresses are what others see, and only its operator
/// knows how they are written.
fn spf(relay: Option<&str>) -> (String, &'static str) {
    match relay {
        None => ("v=spf1 mx -all".to_owned(), "Who may send mail in this domain's name (SPF, RFC 7208)"),
        Some(_) => (
            "v=spf1 mx ~all".to_owned(),
            "Who may send mail in this domain's name (SPF, RFC 7208); add what your relay host tells you to",
        ),
    }
}

impl Data {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Cname(_) => "CNAME",
            Self::Mx { .. } => "MX",
            Self::Srv { .. } => "SRV",
            Self::Tlsa(_) => "TLSA",
            Self::Txt(_) => "TXT",
        }
    }
}

/// `NAME TTL IN TYPE DATA`, all names absolute.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {TTL} IN {} {}", self.name, self.data.kind(), self.data)
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cname(target) => write!(f, "{target}."),
            Self::Mx { preference, host } => write!(f, "{preference} {host}."),
            Self::Srv { target, .. } if target.is_empty() => f.write_str("0 0 0 ."),
            Self::Srv { port, target } => write!(f, "0 1 {port} {target}."),
            Self::Tlsa(key) => write!(f, "3 1 1 {key}"),
            Self::Txt(text) => {
                // RFC 1035 §3.3: a string has 255 octets at most; ours are ASCII.
                let strings: Vec<String> = text
                    .as_bytes()
                    .chunks(255)
                    .map(|piece| String::from_utf8_lossy(piece).replace('\\', "\\\\").replace('"', "\\\""))
                    .collect();
                write!(f, "\"{}\"", strings.join("\" \""))
            }
        }
    }
}
