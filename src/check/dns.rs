//! What DNS says of the hosted domains: where other servers bring their mail, where programs find
//! settings.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hub_config::Resolver;

use super::{Level, Report};
use crate::dns::{Data, Record, Sources, for_domain};
use crate::services;
use crate::setup::Setup;

/// An answer to a question for records of one type.
#[derive(Debug)]
enum Asked<T> {
    Found(Vec<T>),
    /// The name exists, but has no such record.
    Nothing,
    NoSuchName,
    /// No answer; why.
    Unknown(String),
}

struct Mx {
    preference: u16,
    /// Empty for the null MX (RFC 7505).
    host: String,
}

pub(super) async fn check(setup: &Setup, host_name: &str, domains: &[String], report: &mut Report) {
    let settings = &setup.config.resolver;
    let services = services::configured(&setup.config);
    if domains.is_empty() {
        report.add(Level::Fine, "no domain is hosted yet; add one with `twinhub domain add`");
        return;
    }
    let resolver = match resolver(settings) {
        Ok(resolver) => Asker { resolver, time: settings.time * 2 },
        Err(error) => {
            report.add(Level::Warning, &format!("DNS cannot be asked: {error}"));
            return;
        }
    };
    for domain in domains {
        let mx = resolver.mx(domain).await;
        if let Asked::Unknown(why) = &mx {
            // The other questions would take as long to fail.
            report.add(Level::Warning, &format!("could not ask for {domain}: {why}"));
            return;
        }
        let mut hosts = Vec::new();
        if let Asked::Found(records) = &mx {
            for record in records.iter().filter(|record| !record.host.is_empty()) {
                hosts.push((record.host.clone(), resolver.addresses(&record.host).await));
            }
        } else {
            hosts.push((domain.clone(), resolver.addresses(domain).await));
        }
        for (level, sentence) in judge(domain, &mx, &hosts) {
            report.add(level, &sentence);
        }
        if let Some(ascii) = hub_certs::ascii_name(domain) {
            // Without its keys the rest can still be compared.
            let sources = match crate::dns::sources(setup, &ascii, Some(domain)).await {
                Ok(sources) => sources,
                Err(_) => Sources { relay: setup.config.relay.host.clone(), ..Sources::default() },
            };
            let wanted = for_domain(&services, &ascii, &sources);
            for (level, sentence) in compare(domain, &wanted, &resolver).await {
                report.add(level, &sentence);
            }
        }
    }
    match resolver.addresses(host_name).await {
        Asked::Found(_) => {}
        Asked::Unknown(why) => report.add(Level::Warning, &format!("could not ask for {host_name}: {why}")),
        Asked::Nothing | Asked::NoSuchName => report.add(
            Level::Warning,
            &format!(
                "the hub calls itself {host_name}, which DNS does not know; some servers refuse mail from it"
            ),
        ),
    }
}

/// RFC 5321 §5.1: the MX records say where mail goes; without any, the address of the domain.
fn judge(domain: &str, mx: &Asked<Mx>, hosts: &[(String, Asked<IpAddr>)]) -> Vec<(Level, String)> {
    let list = |addresses: &[IpAddr]| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    match mx {
        Asked::Found(records) if records.iter().any(|record| record.host.is_empty()) => {
            vec![(Level::Wrong, format!("{domain} says that it takes no mail (a null MX record, RFC 7505)"))]
        }
        Asked::Found(records) => {
            let preference = |host: &str| {
                records.iter().find(|record| record.host == host).map_or(0, |record| record.preference)
            };
            hosts
                .iter()
                .map(|(host, addresses)| match addresses {
                    Asked::Found(addresses) => (
                        Level::Fine,
                        format!(
                            "mail for {domain} goes to {host} (preference {}), {}",
                            preference(host),
                            list(addresses)
                        ),
                    ),
                    Asked::Nothing | Asked::NoSuchName => (
                        Level::Wrong,
                        format!(
                            "mail for {domain} goes to {host}, which has no address: make an A or AAAA record"
                        ),
                    ),
                    Asked::Unknown(why) => (Level::Warning, format!("could not ask for {host}: {why}")),
                })
                .collect()
        }
        Asked::NoSuchName => vec![(
            Level::Warning,
            format!(
                "{domain} is not in DNS: only this hub can deliver to it. Make an MX record for mail from elsewhere."
            ),
        )],
        Asked::Nothing | Asked::Unknown(_) => vec![match hosts.first() {
            Some((_, Asked::Found(addresses))) => (
                Level::Warning,
                format!(
                    "{domain} has no MX record; other servers bring its mail to its address, {}",
                    list(addresses)
                ),
            ),
            _ => (
                Level::Warning,
                format!(
                    "{domain} has neither an MX record nor an address: other servers cannot deliver to it"
                ),
            ),
        }],
    }
}

/// The other records of `twinhub dns`, a sentence for each that is missing or wrong. None of them is
/// needed for mail to come in, so that is a warning.
async fn compare(domain: &str, wanted: &[Record], resolver: &Asker) -> Vec<(Level, String)> {
    let mut sentences = Vec::new();
    for record in wanted.iter().filter(|record| !matches!(record.data, Data::Mx { .. })) {
        let (kind, name) = (record.data.kind(), &record.name);
        match resolver.state(record).await {
            State::Right => {}
            // Without DNSSEC it would say nothing (RFC 7672 §2.1).
            State::Missing if matches!(record.data, Data::Tlsa(_)) => {}
            State::Missing => {
                sentences.push((Level::Warning, format!("{kind} {name} is missing: {}", record.data)));
            }
            State::Wrong(found) => sentences
                .push((Level::Warning, format!("{kind} {name} says\n{found}\ninstead of\n{}", record.data))),
            State::Unknown(why) => {
                sentences.push((Level::Warning, format!("could not ask for {name}: {why}")))
            }
        }
    }
    if sentences.is_empty() {
        sentences.push((Level::Fine, format!("DNS has every record of {domain}")));
    } else {
        sentences.push((Level::Warning, format!("see `twinhub dns {domain}` for the records of {domain}")));
    }
    sentences
}

/// What DNS has where a record should be.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Missing,
    Right,
    Unknown(String),
    Wrong(String),
}

/// Whether what was found serves the purpose of the record.
fn fits(wanted: &Data, found: &RData) -> bool {
    let same = |name: &str, other: String| other.trim_end_matches('.').eq_ignore_ascii_case(name);
    match (wanted, found) {
        (Data::Txt(wanted), RData::TXT(txt)) => {
            let found = String::from_utf8_lossy(&txt.txt_data.concat()).into_owned();
            text_fits(wanted, &found)
        }
        (Data::Srv { port, target }, RData::SRV(srv)) => {
            srv.port == *port && same(target, srv.target.to_ascii())
        }
        (Data::Tlsa(key), RData::TLSA(tlsa)) => {
            tlsa.to_string().to_ascii_lowercase() == format!("3 1 1 {key}")
        }
        _ => false,
    }
}

/// A key must be ours. Whoever has another SPF, DMARC or TLS-RPT record has thought about it; what
/// stands in it is their affair.
fn text_fits(wanted: &str, found: &str) -> bool {
    let plain = |text: &str| text.split_ascii_whitespace().collect::<String>();
    let version = |text: &str| text.split([' ', ';']).next().map(str::to_ascii_lowercase);
    match version(wanted).as_deref() {
        Some("v=dkim1") => {
            let key =
                |text: &str| plain(text).split(';').find_map(|tag| tag.strip_prefix("p=").map(str::to_owned));
            key(wanted) == key(found)
        }
        Some("v=stsv1") => plain(wanted).trim_end_matches(';') == plain(found).trim_end_matches(';'),
        wanted => wanted == version(found).as_deref(),
    }
}

/// True if a record of this name can only be meant as this one: others may stand beside an SPF record.
fn is_alone(wanted: &Data) -> bool {
    !matches!(wanted, Data::Txt(text) if text.starts_with("v=spf1"))
}

struct Asker {
    resolver: TokioResolver,
    time: Duration,
}

impl Asker {
    async fn mx(&self, domain: &str) -> Asked<Mx> {
        let record = |data: &RData| match data {
            RData::MX(mx) => {
                let host = mx.exchange.to_utf8();
                Some(Mx { preference: mx.preference, host: host.trim_end_matches('.').to_owned() })
            }
            _ => None,
        };
        let lookup = self.resolver.mx_lookup(fully_qualified(domain));
        self.ask(lookup, |lookup| lookup.answers().iter().filter_map(|answer| record(&answer.data)).collect())
            .await
    }

    async fn state(&self, wanted: &Record) -> State {
        let kind = match wanted.data {
            // An address serves as well as a CNAME, and is how the name is looked up.
            Data::Cname(_) => {
                return match self.addresses(&wanted.name).await {
                    Asked::Found(_) => State::Right,
                    Asked::Nothing | Asked::NoSuchName => State::Missing,
                    Asked::Unknown(why) => State::Unknown(why),
                };
            }
            Data::Mx { .. } => RecordType::MX,
            Data::Srv { .. } => RecordType::SRV,
            Data::Tlsa(_) => RecordType::TLSA,
            Data::Txt(_) => RecordType::TXT,
        };
        let lookup = self.resolver.lookup(fully_qualified(&wanted.name), kind);
        let found = self.ask(lookup, |lookup| {
            let of_kind = lookup.answers().iter().filter(|answer| answer.record_type() == kind);
            of_kind.map(|answer| answer.data.clone()).collect::<Vec<RData>>()
        });
        match found.await {
            Asked::Found(found) if found.iter().any(|data| fits(&wanted.data, data)) => State::Right,
            Asked::Found(found) if is_alone(&wanted.data) => {
                State::Wrong(found.iter().map(RData::to_string).collect::<Vec<_>>().join("\n"))
            }
            Asked::Found(_) | Asked::Nothing | Asked::NoSuchName => State::Missing,
            Asked::Unknown(why) => State::Unknown(why),
        }
    }

    async fn addresses(&self, host: &str) -> Asked<IpAddr> {
        self.ask(self.resolver.lookup_ip(fully_qualified(host)), |lookup| lookup.iter().collect()).await
    }

    async fn ask<L, T>(
        &self,
        lookup: impl Future<Output = Result<L, NetError>>,
        records: impl FnOnce(L) -> Vec<T>,
    ) -> Asked<T> {
        match tokio::time::timeout(self.time, lookup).await {
            Ok(Ok(lookup)) => match records(lookup) {
                records if records.is_empty() => Asked::Nothing,
                records => Asked::Found(records),
            },
            Ok(Err(error)) if error.is_nx_domain() => Asked::NoSuchName,
            Ok(Err(error)) if error.is_no_records_found() => Asked::Nothing,
            Ok(Err(error)) => Asked::Unknown(error.to_string()),
            Err(_) => Asked::Unknown("no answer in time".to_owned()),
        }
    }
}

/// With a dot at the end, the machine's search list is left alone.
fn fully_qualified(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn resolver(settings: &Resolver) -> Result<TokioResolver, NetError> {
    let mut builder = match settings.address {
        None => TokioResolver::builder_tokio()?,
        Some(address) => {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = settings.port;
            }
            let server = NameServerConfig::new(address, true, connections);
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    builder.options_mut().timeout = settings.time;
    builder.options_mut().attempts = 1;
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str) -> Asked<Mx> {
        Asked::Found(vec![Mx { preference: 10, host: host.to_owned() }])
    }

    fn addresses() -> Asked<IpAddr> {
        Asked::Found(vec!["192.0.2.1".parse().expect("ip"), "2001:db8::1".parse().expect("ip")])
    }

    #[test]
    fn what_dns_says_is_judged() {
        let host = |addresses| vec![("mx.a.test".to_owned(), addresses)];
        for (mx, hosts, level, expected) in [
            (
                found("mx.a.test"),
                host(addresses()),
                Level::Fine,
                "mail for a.test goes to mx.a.test (preference 10), 192.0.2.1, 2001:db8::1",
            ),
            (found("mx.a.test"), host(Asked::NoSuchName), Level::Wrong, "which has no address"),
            (
                found("mx.a.test"),
                host(Asked::Unknown("late".into())),
                Level::Warning,
                "could not ask for mx.a.test: late",
            ),
            (found(""), vec![], Level::Wrong, "takes no mail"),
            (Asked::Nothing, host(addresses()), Level::Warning, "has no MX record; other servers bring"),
            (Asked::Nothing, host(Asked::Nothing), Level::Warning, "has neither an MX record nor an address"),
            (Asked::NoSuchName, vec![], Level::Warning, "is not in DNS"),
        ] {
            let judged = judge("a.test", &mx, &hosts);
            assert_eq!(judged.len(), 1, "{judged:?}");
            assert_eq!(judged[0].0, level, "{judged:?}");
            assert!(judged[0].1.contains(expected), "{judged:?}");
        }
    }

    #[test]
    fn published_records_are_compared() {
        use hickory_resolver::proto::rr::Name;
        use hickory_resolver::proto::rr::rdata::{SRV, TXT};
        let srv =
            |port, target: &str| RData::SRV(SRV::new(0, 1, port, Name::from_ascii(target).expect("name")));
        let txt = |text: &str| RData::TXT(TXT::new(vec![text.to_owned()]));
        let imaps = Data::Srv { port: 993, target: "mail.a.test".into() };
        let none = Data::Srv { port: 0, target: String::new() };
        let spf = Data::Txt("v=spf1 mx -all".into());
        let key = Data::Txt("v=DKIM1; k=rsa; p=AABB".into());
        let dmarc = Data::Txt("v=DMARC1; p=quarantine".into());
        let sts = Data::Txt("v=STSv1; id=1".into());
        for (wanted, found, expected) in [
            (&imaps, srv(993, "Mail.A.test."), true),
            (&imaps, srv(2993, "mail.a.test."), false),
            (&imaps, srv(993, "mail.b.test."), false),
            (&none, srv(0, "."), true),
            (&none, srv(110, "mail.a.test."), false),
            (&spf, txt("v=spf1 a mx include:relay.test ~all"), true),
            (&spf, txt("site-verification=1"), false),
            (&imaps, txt("x"), false),
            (&key, txt("v=DKIM1; k=rsa;p=AA BB"), true),
            (&key, txt("v=DKIM1; k=rsa; p=AABC"), false),
            (&dmarc, txt("v=DMARC1; p=reject"), true),
            (&dmarc, txt("v=spf1 -all"), false),
            (&sts, txt("v=STSv1; id=1;"), true),
            (&sts, txt("v=STSv1; id=2"), false),
        ] {
            assert_eq!(fits(wanted, &found), expected, "{wanted} {found}");
        }
    }

    /// Nobody answers on this port: said, quickly, and not taken for an answer.
    #[tokio::test]
    async fn without_an_answer_nothing_is_claimed() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("binds");
        let resolver = Resolver {
            address: Some("127.0.0.1".parse().expect("ip")),
            port: silent.local_addr().expect("bound").port(),
            time: Duration::from_millis(100),
            ..Resolver::default()
        };
        let config = hub_config::Config { resolver, ..Default::default() };
        let setup = Setup { config, config_file: None, data_dir: "/nowhere".into() };
        let mut report = Report::default();
        let domains = ["a.test".to_owned(), "b.test".to_owned()];
        check(&setup, "mail.a.test", &domains, &mut report).await;
        assert_eq!((report.wrong, report.warnings), (0, 1), "{}", report.text);
        assert!(report.text.contains("could not ask for a.test"), "{}", report.text);
    }
}
