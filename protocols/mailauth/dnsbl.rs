//! Lists of senders known for junk, kept in DNS (RFC 5782): by address, or by domain.
//!
//! A list can only ever speak against somebody. Whatever goes wrong with one, be it silence, an answer
//! that is none, or that it names everybody, it has said nothing.

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::proto::rr::Name;
use hub::Listing;
use mail_auth::common::to_a_label;
use tokio::task::JoinSet;

use crate::check::{Authenticator, Envelope};
use crate::dmarc::MOST_AUTHORS;
use crate::dns::Dns;

/// A list to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Where it is: `zen.example`.
    pub zone: String,
    pub lists: Listed,
    /// Messages of whom it has are refused.
    pub refuses: bool,
}

/// What is in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    Addresses,
    Domains,
}

/// What a list does with its own test entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListState {
    /// It names everybody.
    Everybody,
    /// It does not name what every list must: it is gone, or does not answer this name server.
    Silent,
    Works,
}

impl Authenticator {
    /// RFC 5782 §5: every list has an entry to try it with, and another one that it must not have.
    pub async fn try_list(&self, list: &List) -> ListState {
        let always = match list.lists {
            Listed::Addresses => "2.0.0.127",
            Listed::Domains => "test",
        };
        let dns = self.dns();
        match (has(dns, &list.at(always)).await, names_everybody(dns, list).await) {
            (_, true) => ListState::Everybody,
            (true, false) => ListState::Works,
            (false, false) => ListState::Silent,
        }
    }
}

impl List {
    fn at(&self, name: &str) -> String {
        format!("{name}.{}", self.zone)
    }
}

/// RFC 5782 §5: what no list may have. One that does has given up.
async fn names_everybody(dns: &Dns, list: &List) -> bool {
    let never = match list.lists {
        Listed::Addresses => "1.0.0.127",
        Listed::Domains => "invalid",
    };
    has(dns, &list.at(never)).await
}

/// Octets of a reason that are kept.
const LONGEST_REASON: usize = 250;

/// Asks all lists about whom `envelope` names.
pub(crate) async fn of_envelope(dns: &Dns, lists: &[List], envelope: &Envelope) -> Vec<Listing> {
    if !is_public(envelope.peer) {
        return Vec::new();
    }
    let peer = Question { subject: envelope.peer.to_canonical().to_string(), name: reversed(envelope.peer) };
    let path = envelope.reverse_path.as_ref().map(|path| path.domain());
    let domains = [Some(envelope.helo.as_str()), path].into_iter().flatten();
    let mut questions = vec![(Listed::Addresses, peer)];
    questions.extend(domain_questions(domains).map(|question| (Listed::Domains, question)));
    ask(dns, lists, questions).await
}

/// Asks those of domains about the authors, unless they were asked about already.
pub(crate) async fn of_authors(
    dns: &Dns,
    lists: &[List],
    envelope: &Envelope,
    authors: &[String],
) -> Vec<Listing> {
    let path = envelope.reverse_path.as_ref().map(|path| path.domain());
    let is_new = |domain: &&str| {
        ![Some(envelope.helo.as_str()), path].iter().flatten().any(|asked| asked.eq_ignore_ascii_case(domain))
    };
    if !is_public(envelope.peer) {
        return Vec::new();
    }
    let domains = authors.iter().map(String::as_str).filter(is_new).take(MOST_AUTHORS);
    let questions = domain_questions(domains).map(|question| (Listed::Domains, question));
    ask(dns, lists, questions.collect()).await
}

#[derive(Clone)]
struct Question {
    /// As it is told to people.
    subject: String,
    /// As it stands in front of a list's zone.
    name: String,
}

/// Domain names, each once. RFC 5782 §3
fn domain_questions<'d>(domains: impl Iterator<Item = &'d str>) -> impl Iterator<Item = Question> {
    let mut seen: Vec<String> = Vec::new();
    for domain in domains {
        let domain = to_a_label(domain.trim_end_matches('.')).to_ascii_lowercase();
        let is_name = domain.contains('.')
            && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            && domain.parse::<IpAddr>().is_err();
        if is_name && !seen.contains(&domain) {
            seen.push(domain);
        }
    }
    seen.into_iter().map(|domain| Question { name: domain.clone(), subject: domain })
}

/// In the order of the lists.
async fn ask(dns: &Dns, lists: &[List], questions: Vec<(Listed, Question)>) -> Vec<Listing> {
    let mut asked = JoinSet::new();
    for (n, list) in lists.iter().enumerate() {
        for (m, (_, question)) in questions.iter().enumerate().filter(|(_, (kind, _))| *kind == list.lists) {
            let (dns, list, question) = (dns.clone(), list.clone(), question.clone());
            asked.spawn(async move { ((n, m), ask_one(&dns, list, question).await) });
        }
    }
    let mut found = Vec::new();
    while let Some(answer) = asked.join_next().await {
        if let Ok((at, Some(listing))) = answer {
            found.push((at, listing));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, listing)| listing).collect()
}

async fn ask_one(dns: &Dns, list: List, Question { subject, name }: Question) -> Option<Listing> {
    let at = list.at(&name);
    if !has(dns, &at).await {
        return None;
    }
    if names_everybody(dns, &list).await {
        tracing::warn!(list = list.zone, "a list names everybody (RFC 5782 §5) and is not believed");
        return None;
    }
    // RFC 5782 §2.1: a reason at the same name, or none.
    let texts = dns.in_time(dns.txt(&at)).await.unwrap_or_default();
    let reason = texts.first().map(|text| printable(text)).filter(|text| !text.is_empty());
    Some(Listing { list: list.zone, subject, refuses: list.refuses, reason })
}

/// RFC 5782 §2.1: an address of 127/8 is an entry, anything else an accident, such as a zone that was
/// sold. Of these, 127.255.255.0/24 says that we may not ask (Spamhaus: a public or a busy resolver).
async fn has(dns: &Dns, name: &str) -> bool {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let answers = dns.in_time(dns.addresses(name, any)).await.unwrap_or_default();
    answers.into_iter().any(|answer| match answer {
        IpAddr::V4(ip) if ip.octets()[..3] == [127, 255, 255] => {
            tracing::warn!(name, answer = %ip, "a list does not answer this name server");
            false
        }
        answer => answer.is_loopback(),
    })
}

/// RFC 5782 §2.1, §2.4: the last part first, as in names of hosts.
fn reversed(ip: IpAddr) -> String {
    let name = Name::from(ip.to_canonical()).to_ascii().to_ascii_lowercase();
    let ending = if ip.to_canonical().is_ipv4() { ".in-addr.arpa." } else { ".ip6.arpa." };
    name.trim_end_matches(ending).to_owned()
}

/// Somebody whom others may have met. Of private networks every list would say something about nobody.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64; // RFC 6598
            !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || is_shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified())
        }
    }
}

fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|c| matches!(c, ' '..='~')).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn rfc5782_2_4_reversed_addresses() {
        for (address, name) in [
            ("192.0.2.99", "99.2.0.192"),
            ("::ffff:192.0.2.99", "99.2.0.192"),
            ("2001:db8:1:2:3:4:567:89ab", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"),
        ] {
            assert_eq!(reversed(ip(address)), name);
        }
    }

    #[test]
    fn nobody_asks_about_private_addresses() {
        for (address, is) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(is_public(ip(address)), is, "{address}");
        }
    }

    #[test]
    fn names_are_asked_once_and_only_names() {
        let domains = [
            "MX.example.com",
            "mx.example.com.",
            "[192.0.2.1]",
            "192.0.2.1",
            "localhost",
            "a b.c",
            "b\u{fc}cher.example",
        ];
        let names: Vec<_> = domain_questions(domains.into_iter()).map(|question| question.name).collect();
        assert_eq!(names, ["mx.example.com", "xn--bcher-kva.example"]);
    }
}
